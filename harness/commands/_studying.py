"""From a store and a ground truth to analyses; shared by ``analyse``, ``report`` and ``run``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from zcbench.datasets import images
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.truth import Target, TruthTable
from zcbench.harness.analysis.ceiling import Ceiling, noise_ceiling, seeds_in_mean
from zcbench.harness.analysis.frame import assemble
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.study import analyse
from zcbench.harness.commands._family import Family
from zcbench.harness.errors import MissingFileError, ZcbenchError, unknown
from zcbench.harness.registry import metrics
from zcbench.harness.space import Benchmark


@dataclass(frozen=True)
class TruthOptions:
    """Which ground truth: the options of ``truth``."""

    targets: tuple[str, ...]
    source: str | None
    split: str | None
    epochs: int | None
    file: Path | None


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


def choose_targets(
    found: Benchmark, table: TruthTable, options: TruthOptions, dataset: str
) -> list[Target]:
    """Return the ground truths: those asked for, else that of the images, else those of the benchmark."""
    names: Sequence[str] = options.targets
    if not names:
        # Of the table's datasets those that are image datasets of their own; not variants such as cifar10_ptq.
        known = [d for d in found.datasets if d in table.datasets and d in images.datasets()]
        names = [dataset] if dataset in known else known or table.datasets[:1]
    return [
        table.select(
            name, source=options.source, split=options.split, epochs=options.epochs,
            default_sources=found.default_sources,
        )
        for name in dict.fromkeys(names)
    ]


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
    """Analyse one family of scores against one ground truth, on one population.

    Args:
        family: the scores.
        found: their benchmark.
        target: the ground truth.
        how: policy, population and resamples.
        noise: where to look for several training seeds, for the noise ceiling; None leaves it out.

    Raises:
        ZcbenchError: for an unknown population, or where no architecture has both.
    """
    check_population(found, how.population)
    member = found.populations[how.population]
    table = assemble(
        family.frame, target, benchmark=found.name,
        higher_is_better={name: m.higher_is_better for name, m in metrics().items()},
        population=how.population, keep=lambda text: member(found.space.parse(text)), recipe=family.describe(),
    )
    ceiling = None if noise is None else ceiling_of(noise, target, table.architectures, resamples=how.resamples)
    policy = cast(Literal["drop", "worst"], how.undefined)
    return analyse(table, undefined=policy, resamples=how.resamples, ceiling=ceiling)


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
            other = table.select(target.dataset, source=source, split=target.split, epochs=target.epochs)
        except ZcbenchError:
            continue
        repeats = other.repeats[other.repeats.index.isin(architectures)]
        behind = seeds_in_mean(repeats)
        if not math.isnan(behind) and (repeats.notna().sum(axis=1) >= 2).any():
            return noise_ceiling(repeats, seeds_in_mean=behind, source=source, resamples=resamples)
    return None


def load(benchmark: str, options: TruthOptions) -> tuple[Benchmark, TruthTable]:
    """Find the benchmark and load its ground truth, with all its sources.

    The named source is chosen later, so that the noise ceiling and the reproduction of published figures can
    use the others. A source that is not in the default table, such as the embedded one beside ZCBENCH_DATA,
    is loaded by itself.
    """
    found = find_benchmark(benchmark)
    try:
        table = found.truth(path=options.file)
    except MissingFileError:
        if options.source is None:
            raise
        return found, found.truth(source=options.source, path=options.file)
    if options.source is not None and options.source not in table.sources:
        table = found.truth(source=options.source, path=options.file)
    return found, table
