"""Rank correlations of many bootstrap resamples without sorting any of them.

A bootstrap resample is a vector of counts w in N^n with sum n: how often each row was drawn. Its mid-ranks
follow from cumulative counts in the sorted order of the data, which is the same for every resample.

Source: the bootstrap of pairs, Efron, Annals of Statistics 7:1-26, 1979; the rest is counting.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.ranks import Codes

Counts = NDArray[np.float64]


def counts(n: int, *, resamples: int, seed: int) -> Iterator[Counts]:
    """Yield the counts of bootstrap resamples of n rows.

    They depend on n, the seed and their position alone, so that every metric and every ground truth of one
    population is held against the same resamples (paired).
    """
    generator = np.random.default_rng([seed, n])
    for _ in range(resamples):
        yield np.bincount(generator.integers(0, n, n), minlength=n).astype(np.float64)


class WeightedRanks:
    """Mid-ranks and Spearman correlations of L columns under row counts, sorted once.

    With a tie group g of a column, C_g the count of rows below it and W_g its own, the mid-rank of its rows
    in the resample is R = C_g + (W_g + 1)/2, and Spearman's rho is Pearson's correlation of the mid-ranks
    weighted by w. The code keeps 2R - (m + 1) with m = sum w: an integer of mean zero. All sums are integers
    below 2^53 for n <= 200 000, so no order of columns or of summation changes a bit there.

    Args:
        codes: int64[L, n], any values whose order and ties count.
        right: how many of the first columns are correlated with all the others.
    """

    def __init__(self, codes: Codes, *, right: int) -> None:
        columns, n = codes.shape
        self.right = right
        self._order = np.argsort(codes, axis=1, kind="stable")
        self._begin = np.empty_like(self._order)  # flat positions in the cumulative counts [L, n + 1]
        self._end = np.empty_like(self._order)
        for row in range(columns):
            ordered = codes[row][self._order[row]]
            self._begin[row] = np.searchsorted(ordered, codes[row], "left") + row * (n + 1)
            self._end[row] = np.searchsorted(ordered, codes[row], "right") + row * (n + 1)
        self._below = np.zeros((columns, n + 1))
        self._gathered, self._half = np.empty((columns, n)), np.empty((columns, n))

    def centred(self, w: Counts) -> NDArray[np.float64]:
        """Return 2R - (m + 1), float64[L, n], for the counts w, float64[n]; valid until the next call."""
        # mode="clip" lets take() write into the buffer without a copy; no index is out of range.
        np.take(w, self._order, out=self._gathered, mode="clip")
        np.cumsum(self._gathered, axis=1, out=self._below[:, 1:])
        np.take(self._below.reshape(-1), self._begin, out=self._gathered, mode="clip")
        np.take(self._below.reshape(-1), self._end, out=self._half, mode="clip")
        self._gathered += self._half
        self._gathered -= w.sum()
        return self._gathered

    def correlations(self, w: Counts) -> NDArray[np.float64]:
        """Return Spearman's rho of all columns with the first ones, float64[L, right], under the counts w.

        NaN where a column is constant in the resample.
        """
        ranks = self.centred(w)
        covariance = ranks @ (ranks[: self.right] * w).T  # [L, right]
        variance = np.einsum("ln,ln,n->l", ranks, ranks, w)
        scale = np.sqrt(variance[:, None] * variance[: self.right])
        rho = np.full(covariance.shape, np.nan)
        np.divide(covariance, scale, out=rho, where=scale > 0)
        return np.clip(rho, -1.0, 1.0, out=rho)


def partial(xy: NDArray[np.float64], xz: NDArray[np.float64], yz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first-order partial correlation (xy - xz yz) / sqrt((1 - xz²)(1 - yz²)), any shape.

    NaN where z determines x or y in rank. Source: Yule, Proc. R. Soc. A 79:182-193, 1907.
    """
    left = (1 - xz**2) * (1 - yz**2)
    # Rounding leaves about 1e-16 of a correlation of exactly ±1.
    exists = left > 1e-14
    out = np.full(np.shape(left), np.nan)
    np.divide(xy - xz * yz, np.sqrt(np.where(exists, left, 1.0)), out=out, where=exists)
    return np.clip(out, -1.0, 1.0, out=out)
