"""From a store and a ground truth to analyses; shared by ``analyse``, ``report`` and ``run``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.truth import Target, TruthTable
from zcbench.harness.analysis.aggregated import with_aggregates
from zcbench.harness.analysis.ceiling import Ceiling, noise_ceiling, seeds_in_mean
from zcbench.harness.analysis.frame import ScoreTable, assemble
from zcbench.harness.analysis.ranks import Policy
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.study import analyse
from zcbench.harness.commands._family import Family
from zcbench.harness.commands._targets import TruthOptions, choose_targets, load
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.space import Benchmark

if TYPE_CHECKING:
    from zcbench.harness.job import Job  # imports torch, which an analysis does not need


@dataclass(frozen=True)
class Statistics:
    """How to analyse: the options of ``statistics``.

    Attributes:
        undefined: ``drop`` or ``worst``.
        population: name of a set of architectures.
        resamples: bootstrap resamples.
    """

    undefined: str
    population: str
    resamples: int

    @property
    def policy(self) -> Policy:
        """The policy for undefined scores, as the analysis names it."""
        return cast(Policy, self.undefined)


def check_truth(jobs: Sequence[Job], options: TruthOptions, population: str) -> None:
    """Refuse what would only come out after the scoring: no ground truth, or none of these architectures.

    Raises:
        MissingFileError: if the ground truth is not there.
        ZcbenchError: for a target, a source or a population that there is not.
    """
    for name in dict.fromkeys(job.benchmark for job in jobs):
        mine = [job for job in jobs if job.benchmark == name]
        found = find_benchmark(name)
        check_population(found, population)
        ids = [a.id for a in mine[0].architectures]
        tasks = [str(task) for job in mine if (task := job.space.network.get("task"))]
        table = load(found, options, ids)
        targets = choose_targets(found, table, options, dataset=mine[0].batch.dataset, tasks=tasks)
        for target in targets:
            if tasks and target.dataset not in tasks:
                raise ZcbenchError(
                    f"the target {target.dataset} is not a task of the networks, which is {', '.join(tasks)}: give the "
                    "same names to --task and --target, or only one of them"
                )
        check_overlap(targets, ids)


def check_overlap(targets: Sequence[Target], architectures: Sequence[str]) -> None:
    """Refuse targets that have no accuracy of any of the architectures.

    Raises:
        ZcbenchError: naming the first such target.
    """
    for target in targets:
        if not target.mean.index.isin(architectures).any():
            raise ZcbenchError(
                f"none of the {len(architectures)} architectures has a ground truth in {target.describe()}: choose "
                "architectures of that table with --architectures FILE, or another --source or --truth"
            )


def check_population(found: Benchmark, population: str) -> None:
    """Refuse an unknown population.

    Raises:
        ZcbenchError: with the nearest names.
    """
    if population not in found.populations:
        raise unknown("population", population, found.populations)


def study(
    family: Family, found: Benchmark, target: Target, how: Statistics, *, noise: TruthTable | None = None
) -> Analysis:
    """Analyse one family of scores, and the aggregates of them, against one ground truth, on one population.

    Args:
        family: the scores.
        found: their benchmark.
        target: the ground truth.
        how: policy, population and resamples.
        noise: where to look for several training seeds, for the noise ceiling; None leaves it out.

    Raises:
        ZcbenchError: for an unknown population, or where no architecture has both.
    """
    table = score_table(family, found, target, how)
    ceiling = None if noise is None else ceiling_of(noise, target, table.architectures, resamples=how.resamples)
    return analyse(table, undefined=how.policy, resamples=how.resamples, ceiling=ceiling)


def score_table(family: Family, found: Benchmark, target: Target, how: Statistics) -> ScoreTable:
    """Return one family of scores, and the aggregates of them, beside one ground truth, on one population.

    Raises:
        ZcbenchError: for an unknown population, or where no architecture has both.
    """
    check_population(found, how.population)
    member = found.populations[how.population]
    table = assemble(
        family.frame, target, benchmark=found.name,
        higher_is_better=family.directions,
        population=how.population, keep=lambda text: member(found.space.parse(text)), recipe=family.describe(),
    )
    return with_aggregates(table, undefined=how.policy)


def ceiling_of(
    table: TruthTable, target: Target, architectures: Sequence[str], *, resamples: int
) -> Ceiling | None:
    """Estimate the noise ceiling of a target on the analysed architectures.

    The target's own source is preferred. Where that has only means, the first other source with the same
    dataset, split and number of epochs gives the noise, and the number of seeds behind a mean is taken to be
    its own. None where no source has several training seeds of these architectures.
    """
    for source in dict.fromkeys((target.source, *sorted(table.sources))):
        try:
            other = table.select(
                target.dataset, source=source, split=target.split, epochs=target.epochs, metric=target.metric
            )
        except ZcbenchError:
            continue
        repeats = other.repeats[other.repeats.index.isin(architectures)]
        behind = seeds_in_mean(repeats)
        if not math.isnan(behind) and (repeats.notna().sum(axis=1) >= 2).any():
            return noise_ceiling(repeats, seeds_in_mean=behind, source=source, resamples=resamples)
    return None
