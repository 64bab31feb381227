"""The result of an analysis: rows of statistics, the metric-metric matrix, stability over seeds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zcbench.harness.analysis.ceiling import Ceiling
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.ranks import Policy
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.types import Estimate

SLICES = ("all", "top10_truth", "top10_score")
"""All architectures; the top 10 % by truth; the top 10 % by the metric's own score (ties at the edge in)."""

CORRELATIONS = (
    "spearman", "kendall", "weighted_tau", "pearson_of_ranks",
    "partial_spearman_params", "partial_spearman_flops",
)  # fmt: skip
"""Statistics given for every slice."""

PICKS = ("precision_at_10", "precision_at_10pct", "regret_top1", "regret_top5")
"""Statistics given for the slice ``all`` only."""

OVER_COUNTS = "spearman_over_counts"
"""Spearman less the best one of the trivial counts; for the slice ``all`` only. See ``paired``."""

COLUMNS = (
    "benchmark", "target", "source", "population", "slice", "metric", "statistic",
    "value", "low", "high", "n", "n_undefined",
)  # fmt: skip
"""The columns of correlations.csv."""


@dataclass(frozen=True, slots=True)
class Row:
    """One statistic of one metric on one slice of one population against one ground truth."""

    benchmark: str
    target: str
    source: str
    population: str
    slice: str
    metric: str
    statistic: str
    estimate: Estimate


@dataclass(frozen=True)
class MetricMatrix:
    """Spearman's rho of every pair of metrics, each signed so that high stands for a high accuracy.

    Attributes:
        metrics: M names, sorted.
        value: float64[M, M]; NaN where a metric is constant or fewer than 3 architectures have both.
        low: float64[M, M], lower ends of the 95 % intervals (Fisher z, Bonett and Wright 2000).
        high: float64[M, M], upper ends.
        n: int64[M, M], architectures that have both scores.
    """

    metrics: tuple[str, ...]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.int64]

    def estimate(self, first: str, second: str) -> Estimate:
        """Return the entry of two metrics.

        Raises:
            ZcbenchError: a name is unknown.
        """
        for name in (first, second):
            if name not in self.metrics:
                raise unknown("metric", name, self.metrics)
        at = self.metrics.index(first), self.metrics.index(second)
        value, low, high = (float(part[at]) for part in (self.value, self.low, self.high))
        return Estimate(value, low, high, int(self.n[at]), 0, "Fisher z, Bonett and Wright 2000")

    def to_frame(self) -> pd.DataFrame:
        """Return the values, metrics x metrics."""
        return pd.DataFrame(self.value, index=list(self.metrics), columns=list(self.metrics))


@dataclass(frozen=True, slots=True)
class Stability:
    """How much one metric depends on the initialisation seed.

    Attributes:
        metric: its name.
        seeds: the S initialisation seeds.
        spearman: with the truth, one estimate for each seed.
        agreement: mean Spearman between two seeds; the interval is that of one pair, so too wide for more.
    """

    metric: str
    seeds: tuple[int, ...]
    spearman: tuple[Estimate, ...]
    agreement: Estimate


@dataclass(frozen=True)
class Analysis:
    """All statistics of one score table.

    Attributes:
        table: the scores and the truth.
        undefined: the policy for undefined scores.
        resamples: number of bootstrap resamples.
        seed: their seed.
        rows: one a statistic, by slice, metric and statistic.
        metric_matrix: rank correlations between the metrics.
        ceiling: what seed noise allows any metric to reach; None where no source has repeats.
        stability: one a metric; empty with a single initialisation seed.
    """

    table: ScoreTable
    undefined: Policy
    resamples: int
    seed: int
    rows: tuple[Row, ...]
    metric_matrix: MetricMatrix
    ceiling: Ceiling | None
    stability: tuple[Stability, ...]

    def estimate(self, metric: str, statistic: str, slice: str = "all") -> Estimate:  # noqa: A002
        """Return one estimate.

        Raises:
            ZcbenchError: there is no such metric, statistic or slice.
        """
        for row in self.rows:
            if (row.metric, row.statistic, row.slice) == (metric, statistic, slice):
                return row.estimate
        if metric not in self.table.metrics:
            raise unknown("metric", metric, self.table.metrics)
        if slice not in SLICES:
            raise unknown("slice", slice, SLICES)
        if statistic in (*PICKS, OVER_COUNTS):
            raise ZcbenchError(f'{statistic} exists for the slice "all" only')
        raise unknown("statistic", statistic, (*CORRELATIONS, *PICKS, OVER_COUNTS))

    def to_frame(self) -> pd.DataFrame:
        """Return one line a row with the columns of correlations.csv."""
        return pd.DataFrame([_line(row) for row in self.rows], columns=list(COLUMNS))


def _line(row: Row) -> tuple[object, ...]:
    e = row.estimate
    key = (row.benchmark, row.target, row.source, row.population, row.slice, row.metric, row.statistic)
    return (*key, e.value, e.low, e.high, e.n, e.n_undefined)
