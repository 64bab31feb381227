"""From a store to an analysis of transfer; shared by ``transfer``, ``report`` and ``run``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import click

from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.truth import Target
from zcbench.harness.analysis.aggregated import with_aggregates
from zcbench.harness.analysis.frame import ScoreTable, assemble
from zcbench.harness.analysis.transfer import Source, Transfer, transfer
from zcbench.harness.commands._family import Family, Stored, Wanted, read_stored
from zcbench.harness.commands._sources import families_of, source_of, task_of
from zcbench.harness.commands._studying import Statistics, check_population
from zcbench.harness.commands._targets import TruthOptions, choose_targets, is_cost, load
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.space import Benchmark
from zcbench.harness.store import Store
from zcbench.harness.types import Recipe

_DRIFT = "_drift_"
"""Part of the names of targets that are taken only when named: there is one for each of many times."""


@dataclass(frozen=True)
class Carrying:
    """The scores of one benchmark that differ in nothing but images, labels and task, with the targets.

    Attributes:
        found: the benchmark.
        families: by source, in the order of the report.
        targets: what they are held against.
    """

    found: Benchmark
    families: Mapping[str, Family]
    targets: tuple[Target, ...]

    def analyse(self, how: Statistics) -> Transfer:
        """Hold every source against every target.

        Raises:
            ZcbenchError: where sources and targets have no architecture of the population in common.
        """
        check_population(self.found, how.population)
        common = self._in_common(how)
        sources = []
        for name, family in self.families.items():
            table = with_aggregates(self._table(family, self.targets[0], common, how), undefined=how.policy)
            beyond = family.frame["architecture"].nunique() - len(table.architectures)
            sources.append(Source(name, table, self._own(family.recipe), beyond, source_of(family.recipe)))
        first = next(iter(self.families.values()))
        truths = [self._table(first, target, common, how) for target in self.targets]
        return transfer(sources, truths, undefined=how.policy, resamples=how.resamples)

    def _in_common(self, how: Statistics) -> frozenset[str]:
        """Return the architectures of the population that all sources have scores of and all targets a value."""
        member, parse = self.found.populations[how.population], self.found.space.parse
        scored = set.intersection(*(set(family.frame["architecture"]) for family in self.families.values()))
        if not scored:
            raise ZcbenchError(
                f"the sources {', '.join(self.families)} have no architecture in common: score the same ones "
                "(--sample with one --sample-seed, or --architectures FILE)"
            )
        known = scored.intersection(*(target.mean.dropna().index for target in self.targets))
        common = frozenset(text for text in known if member(parse(text)))
        if not common:
            raise ZcbenchError(
                f"none of the {len(scored)} architectures that all sources have in common is in the population "
                f"{how.population} and has a value in each of {', '.join(t.name for t in self.targets)}: leave out a "
                "--target, or score others"
            )
        return common

    def _table(self, family: Family, target: Target, common: frozenset[str], how: Statistics) -> ScoreTable:
        return assemble(
            family.frame, target, benchmark=self.found.name, higher_is_better=family.directions,
            population=how.population, keep=common.__contains__, recipe=family.describe(),
        )  # fmt: skip

    def _own(self, recipe: Recipe) -> frozenset[str]:
        """Return the targets that were trained on these images with their labels, or for this task."""
        task = task_of(recipe)
        if task:
            return frozenset(t.name for t in self.targets if t.dataset == task)
        if recipe.labels:
            return frozenset()
        # Variants of a dataset are named after it: cifar10_ptq, cifar10-valid; cifar100 is none of cifar10.
        mine = (f"{recipe.dataset}_", f"{recipe.dataset}-")
        return frozenset(t.name for t in self.targets if t.dataset == recipe.dataset or t.dataset.startswith(mine))


def transfers(store: Store, wanted: Mapping[str, Wanted], options: TruthOptions, how: Statistics) -> list[Transfer]:
    """Return the transfer of every benchmark of which a store holds two sources or more, for a report.

    Args:
        store: the store.
        wanted: which of the scores, by benchmark.
        options: which ground truth.
        how: policy, population and resamples.
    """
    found = []
    for name, chosen in wanted.items():
        stored = read_stored(store, name, chosen)
        if len(families_of(stored)) > 1:
            try:
                found.append(carrying(stored, options).analyse(how))
            except ZcbenchError as error:
                click.echo(f"note: no transfer of {name}: {error}", err=True)
    return found


def carrying(stored: Stored, options: TruthOptions) -> Carrying:
    """Return the scores and the targets of one benchmark.

    Targets are those asked for. Otherwise they are all of the benchmark, however many images or tasks were scored:
    that is what transfer is about.

    Raises:
        MissingFileError: if the ground truth is not there.
        ZcbenchError: if the store holds fewer than two sources, or a target is a cost.
    """
    families = families_of(stored)
    if len(families) < 2:
        raise ZcbenchError(
            f"transfer needs scores of two sources or more, and of {stored.benchmark} the store {stored.path} holds "
            f"{' and '.join(families)}: score the same architectures with another --dataset, --task or --labels random"
        )
    found = find_benchmark(stored.benchmark)
    table = load(found, options, stored.architectures)
    plain = replace(options, costs=False)
    if not options.targets:
        known = [d for d in found.datasets if d in table.datasets and _DRIFT not in d]
        plain = replace(plain, targets=tuple(known or table.datasets))
    targets = choose_targets(found, table, plain)
    if costs := [target.name for target in targets if is_cost(target)]:
        raise ZcbenchError(f"transfer is to accuracies: leave out --target {costs[0]}, which is a cost")
    return Carrying(found, families, tuple(targets))
