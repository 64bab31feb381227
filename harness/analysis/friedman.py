"""Do k metrics differ over N blocks? Friedman's test, and Nemenyi's critical difference of average ranks.

A block is one benchmark (or one target), in which the metrics are ranked from 1, the best, to k; ties share
their mean rank.

Sources: Friedman, JASA 32:675-701, 1937; Nemenyi, Distribution-free multiple comparisons, PhD thesis, Princeton
1963; their use for comparing methods over data sets: Demšar, JMLR 7:1-30, 2006.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Friedman:
    """The outcome of the comparison.

    Attributes:
        blocks: N.
        metrics: k.
        statistic: Friedman's chi², corrected for ties; NaN for fewer than three metrics or nothing but ties.
        p: its p-value from the chi² distribution with k - 1 degrees of freedom, a rough one for few blocks.
        critical_difference: average ranks that lie further apart than this differ at the level .05.
        fewest: the smallest N at which two of k metrics can differ at all, see ``fewest_blocks``.
    """

    blocks: int
    metrics: int
    statistic: float
    p: float
    critical_difference: float
    fewest: int

    @property
    def rejects(self) -> bool:
        """Whether the test says that not all metrics are alike; without this Nemenyi's comparison is not made."""
        return self.p < ALPHA


def friedman(values: NDArray[np.float64]) -> Friedman:
    """Compare k metrics over N blocks.

    Args:
        values: float64[N, k], finite; within a block low is better (a rank).
    """
    blocks, k = values.shape
    statistic = p = math.nan
    if k >= 3 and (np.ptp(values, axis=1) > 0).any():
        statistic, p = (float(v) for v in stats.friedmanchisquare(*values.T))
    return Friedman(blocks, k, statistic, p, critical_difference(k, blocks), fewest_blocks(k))


def critical_difference(k: int, blocks: int) -> float:
    """Return Nemenyi's critical difference q sqrt(k (k + 1) / (6 N)) at the level .05.

    q is the upper quantile of the studentized range of k groups and infinite degrees of freedom, divided by
    sqrt(2). NaN for fewer than two metrics or no block.
    """
    if k < 2 or blocks < 1:
        return math.nan
    return _quantile(k) * math.sqrt(k * (k + 1) / (6 * blocks))


def fewest_blocks(k: int) -> int:
    """Return the smallest number of blocks at which two of k metrics can differ significantly.

    At best all blocks rank alike. Then average ranks differ by k - 1, which has to exceed the critical
    difference, and Friedman's chi² is N (k - 1), which has to reject. 0 for fewer than three metrics, for which
    there is no test.
    """
    if k < 3:
        return 0
    blocks = math.floor(_quantile(k) ** 2 * k * (k + 1) / (6 * (k - 1) ** 2)) + 1
    while stats.chi2.sf(blocks * (k - 1), k - 1) >= ALPHA:
        blocks += 1
    return blocks


def groups(ranks: NDArray[np.float64], difference: float) -> tuple[tuple[int, ...], ...]:
    """Return the largest sets of metrics of which no two lie further apart than the critical difference.

    Args:
        ranks: float64[k], average ranks.
        difference: the critical difference.

    Returns:
        Indices of ``ranks``, best first, for every set of at least two that is not inside another.
    """
    order = np.argsort(ranks, kind="stable")
    ends = [int(np.searchsorted(ranks[order], ranks[i] + difference + 1e-9, "right")) for i in order]
    found: list[tuple[int, ...]] = []
    reached = 0
    for start, end in enumerate(ends):
        if end - start > 1 and end > reached:
            found.append(tuple(int(i) for i in order[start:end]))
            reached = end
    return tuple(found)


def _quantile(k: int) -> float:
    return float(stats.studentized_range.ppf(1 - ALPHA, k, np.inf)) / math.sqrt(2)
