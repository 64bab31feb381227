"""From an analysis to what is shared of it: one measurement for each metric; imports no torch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

import numpy as np

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.frame import Truth as HeldAgainst
from zcbench.harness.analysis.result import CORRELATIONS, PICKS, Analysis
from zcbench.harness.errors import unknown
from zcbench.harness.results import digests
from zcbench.harness.results.result import Architectures, Coverage, Measurement, RecipeIdentity, Statistic, Truth
from zcbench.harness.types import Outcome, Recipe, Seconds

SLICES = ("all", "top10_truth")
"""The slices that are shared: populations that do not depend on the metric."""

STATISTICS = (*CORRELATIONS, *PICKS)
"""The statistics that are shared: those that depend on nothing but the metric, the truth and the trivial counts."""


class Trained(HeldAgainst, Protocol):
    """What a measurement says of its ground truth; ``zcbench.datasets.truth.Target`` is one."""

    @property
    def split(self) -> str:
        """The part of the dataset."""

    @property
    def epochs(self) -> int:
        """Length of the training; -1 for the last epoch of a training of unstated length."""


def seeds_of(table: ScoreTable, metric: str) -> tuple[int, ...]:
    """Return the initialisation seeds that a metric of a table has rows of.

    Raises:
        ZcbenchError: if the table has no such metric.
    """
    has = (table.outcome[:, _index(table, metric)] != "").any(axis=0)
    return tuple(seed for seed, there in zip(table.seeds, has, strict=True) if there)


def measurement(analysis: Analysis, metric: str, *, truth: Trained, recipe: Recipe, words: str) -> Measurement:
    """Return what is shared of one metric of an analysis.

    The architectures are those that have a row of this metric, whatever others have.

    Args:
        analysis: every statistic of every metric against one truth.
        metric: the metric's name with its parameters.
        truth: the ground truth of the analysis.
        recipe: the recipe of any of its initialisation seeds.
        words: the recipe in one sentence.

    Raises:
        ZcbenchError: if the analysis has no such metric.
    """
    table, m = analysis.table, _index(analysis.table, metric)
    seeds = seeds_of(table, metric)
    own = [table.seeds.index(seed) for seed in seeds]
    outcome, values = table.outcome[:, m][:, own], table.values[:, m][:, own]  # [A, S of this metric]
    rows = np.flatnonzero((outcome != "").any(axis=1))
    ids = [table.architectures[row] for row in rows]
    scores = [[(str(o), float(v)) for o, v in zip(outcome[row], values[row], strict=True)] for row in rows]
    alone = replace(recipe, init_seed=0).to_json()
    return Measurement(
        truth=Truth(
            target=table.target, measure=table.measure, kind=table.kind, source=table.source, split=truth.split,
            epochs=truth.epochs, description=table.truth_description,
            digest=digests.of_truth(ids, table.truth[rows].tolist()),
        ),
        architectures=Architectures(
            len(ids), digests.of_architectures(ids), table.population, table.without_truth
        ),
        recipe=RecipeIdentity(
            digests.of([alone, list(seeds)]), words, recipe.dataset, recipe.batch_size, recipe.init, seeds
        ),
        scores=digests.of_scores(ids, scores), undefined=analysis.undefined, resamples=analysis.resamples,
        coverage=Coverage(*(int((outcome == one).sum()) for one in (Outcome.OK, Outcome.UNDEFINED, Outcome.FAILED))),
        seconds=_seconds(table, m), statistics=_statistics(analysis, metric),
    )  # fmt: skip


def _statistics(analysis: Analysis, metric: str) -> tuple[Statistic, ...]:
    return tuple(
        Statistic(row.slice, row.statistic, row.estimate)
        for row in analysis.rows
        if row.metric == metric and row.slice in SLICES and row.statistic in STATISTICS
    )


def _seconds(table: ScoreTable, m: int) -> Seconds:
    """Return the medians over architectures and seeds, without scores for which nothing was done."""
    outcome = table.outcome[:, m]

    def median(seconds: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        known = seconds[(outcome == Outcome.OK) | ((outcome != "") & (seconds != 0))]
        known = known[np.isfinite(known)]
        return float(np.median(known)) if known.size else math.nan

    return Seconds(median(table.seconds_standalone[:, m]), median(table.seconds_marginal[:, m]))


def _index(table: ScoreTable, metric: str) -> int:
    if metric not in table.metrics:
        raise unknown("metric", metric, table.metrics)
    return table.metrics.index(metric)
