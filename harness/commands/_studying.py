"""From a store and a ground truth to analyses; shared by ``analyse``, ``report`` and ``run``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import click
import pandas as pd

from zcbench.datasets import images
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.truth import Target, TruthTable
from zcbench.harness.analysis.ceiling import Ceiling, noise_ceiling, seeds_in_mean
from zcbench.harness.analysis.frame import assemble
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.study import analyse
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.registry import metrics
from zcbench.harness.space import Benchmark
from zcbench.harness.store import Store
from zcbench.harness.types import Recipe

FAMILY = ["dataset", "batch_size", "init", "kin"]


@dataclass(frozen=True)
class TruthOptions:
    """Which ground truth: the options of ``truth``."""

    targets: tuple[str, ...]
    source: str | None
    split: str | None
    epochs: int | None
    file: Path | None


@dataclass(frozen=True)
class Family:
    """Scores that were made alike but for the initialisation seed.

    Attributes:
        frame: the rows, with the columns of an export.
        recipe: the recipe of one of its seeds.
        seeds: number of initialisation seeds.
    """

    frame: pd.DataFrame
    recipe: Recipe
    seeds: int

    def describe(self) -> str:
        """Say in one sentence how the scores were made."""
        r = self.recipe
        return (
            f"{r.dataset} images ({r.split} split), one class-balanced mini-batch of {r.batch_size}, "
            f"initialisation {r.init}, {self.seeds} seed{'s' if self.seeds > 1 else ''}, {r.dtype}; {r.preprocessing}"
        )


def read_family(
    store: Store, benchmark: str, *, dataset: str | None, batch_size: int | None, init: str | None
) -> Family:
    """Return the scores of one kind; where several kinds remain, that with most rows, and say so.

    Raises:
        ZcbenchError: if the store holds no such scores.
    """
    frame = store.frame()
    recipes = store.recipes()
    frame["kin"] = frame["recipe"].map({k: replace(r, init_seed=0).digest for k, r in recipes.items()})
    known = frame["benchmark"].unique()
    frame = frame[frame["benchmark"] == benchmark]
    if frame.empty and len(known):
        raise unknown("benchmark in this store", benchmark, known)
    for column, wanted in (("dataset", dataset), ("batch_size", batch_size), ("init", init)):
        if wanted is not None and not frame.empty:
            if not (frame[column] == wanted).any():
                raise unknown(f"{column} in this store", str(wanted), map(str, frame[column].unique()))
            frame = frame[frame[column] == wanted]
    if frame.empty:
        raise ZcbenchError(f"the store {store.path} holds no such scores: compute some with zcbench score")
    sizes = frame.groupby(FAMILY, sort=True).size().sort_values(ascending=False, kind="stable")
    chosen = sizes.index[0]
    if len(sizes) > 1:
        others = "; ".join(f"{d}, batch {b}, {i}: {n} rows" for (d, b, i, _), n in sizes.iloc[1:].items())
        click.echo(
            f"note: taking the scores on {chosen[0]}, batch {chosen[1]}, {chosen[2]} ({sizes.iloc[0]} rows); the store "
            f"also holds {others}: choose with --dataset, --batch-size and --init",
            err=True,
        )
    frame = frame[(frame[FAMILY] == list(chosen)).all(axis=1)]
    recipe = recipes[frame["recipe"].iloc[0]]
    return Family(frame.drop(columns=["space", "recipe", "kin"]), recipe, int(frame["init_seed"].nunique()))


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


def check_population(found: Benchmark, population: str) -> None:
    """Refuse an unknown population.

    Raises:
        ZcbenchError: with the nearest names.
    """
    if population not in found.populations:
        raise unknown("population", population, found.populations)


def study(
    family: Family, found: Benchmark, target: Target, *, undefined: str, population: str, resamples: int,
    ceiling: Ceiling | None = None,
) -> Analysis:
    """Analyse one family of scores against one ground truth, on one population.

    Raises:
        ZcbenchError: for an unknown population.
    """
    check_population(found, population)
    member = found.populations[population]
    table = assemble(
        family.frame, target, benchmark=found.name,
        higher_is_better={name: m.higher_is_better for name, m in metrics().items()},
        population=population, keep=lambda text: member(found.space.parse(text)), recipe=family.describe(),
    )
    policy = cast(Literal["drop", "worst"], undefined)
    return analyse(table, undefined=policy, resamples=resamples, ceiling=ceiling)


def ceiling_of(table: TruthTable, target: Target, *, resamples: int) -> Ceiling | None:
    """Estimate the noise ceiling of a target from the first source that has several training seeds.

    The target's own source is preferred. Where that has only means, another source with the same dataset,
    split and number of epochs gives the noise, and the number of seeds behind a mean is taken to be its
    own. None where no source has repeats.
    """
    for source in dict.fromkeys((target.source, *sorted(table.sources))):
        try:
            other = table.select(target.dataset, source=source, split=target.split, epochs=target.epochs)
        except ZcbenchError:
            continue
        behind = seeds_in_mean(other.repeats)
        if not math.isnan(behind) and (other.repeats.notna().sum(axis=1) >= 2).any():
            return noise_ceiling(other.repeats, seeds_in_mean=behind, source=source, resamples=resamples)
    return None


def load(benchmark: str, options: TruthOptions) -> tuple[Benchmark, TruthTable]:
    """Find the benchmark and load its ground truth."""
    found = find_benchmark(benchmark)
    return found, found.truth(source=options.source, path=options.file)
