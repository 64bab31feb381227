"""Rank correlations of many bootstrap resamples without sorting any of them.

A bootstrap resample is a vector of counts w in N^n with sum n: how often each row was drawn. Its mid-ranks
follow from cumulative counts in the sorted order of the data, which is the same for every resample.

Source: the bootstrap of pairs, Efron, Annals of Statistics 7:1-26, 1979; the rest is counting.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.ranks import Codes

Counts = NDArray[np.float64]

CACHE_ENTRIES = 65_536
"""Entries of the columns that are ranked together: three buffers of 512 kB stay in the cache."""


def with_resamples(n: int, *, resamples: int, seed: int) -> Iterator[Counts]:
    """Yield the counts of the data themselves (all one), then of every bootstrap resample of n rows.

    They depend on n and the seed alone, so that every metric and every ground truth of one population is held
    against the same resamples (paired).
    """
    yield np.ones(n)
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
        self.shape, self.right = codes.shape, right
        columns, n = codes.shape
        self._order = np.argsort(codes, axis=1, kind="stable")
        self._begin = np.empty_like(self._order)
        self._end = np.empty_like(self._order)
        self._parts = _parts(columns, right, max(1, CACHE_ENTRIES // max(n, 1)))
        for rows in self._parts:
            for place, row in enumerate(range(columns)[rows]):
                ordered = codes[row][self._order[row]]
                offset = place * (n + 1)  # in the cumulative counts of the part, [part, n + 1], flat
                self._begin[row] = np.searchsorted(ordered, codes[row], "left") + offset
                self._end[row] = np.searchsorted(ordered, codes[row], "right") + offset
        self._most = max(rows.stop - rows.start for rows in self._parts)

    def centred(self, w: Counts) -> NDArray[np.float64]:
        """Return 2R - (m + 1), float64[L, n], for the counts w, float64[n]."""
        buffers = self._buffers()
        return np.concatenate([self._centred(w, rows, buffers).copy() for rows in self._parts])

    def correlations(self, w: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return Spearman's rho of all columns with the first ones under B counts.

        Args:
            w: float64[B, n], rows side by side in memory.

        Returns:
            float64[B, L, right]; NaN where a column is constant in the resample.
        """
        buffers = self._buffers()
        covariance = np.empty((len(w), self.shape[0], self.right))
        variance = np.empty((len(w), self.shape[0]))
        for index, row in enumerate(w):
            self._moments(row, buffers, covariance[index], variance[index])
        scale = np.sqrt(variance[:, :, None] * variance[:, None, : self.right])
        rho = np.full(covariance.shape, np.nan)
        np.divide(covariance, scale, out=rho, where=scale > 0)
        return np.clip(rho, -1.0, 1.0, out=rho)

    def _buffers(self) -> "_Buffers":
        most, n = self._most, self.shape[1]
        return _Buffers(np.zeros((most, n + 1)), np.empty((most, n)), np.empty((most, n)), np.empty((self.right, n)))

    def _centred(self, w: Counts, rows: slice, buffers: "_Buffers") -> NDArray[np.float64]:
        """Return the ranks of some columns, in a buffer that the next call overwrites."""
        order = self._order[rows]
        below, ranks, other = (b[: len(order)] for b in (buffers.below, buffers.ranks, buffers.other))
        # mode="clip" lets take() write into the buffer without a copy; no index is out of range.
        np.take(w, order, out=ranks, mode="clip")
        np.cumsum(ranks, axis=1, out=below[:, 1:])
        np.take(below.reshape(-1), self._begin[rows], out=ranks, mode="clip")
        np.take(below.reshape(-1), self._end[rows], out=other, mode="clip")
        ranks += other
        ranks -= w.sum()
        return ranks

    def _moments(
        self, w: Counts, buffers: "_Buffers", covariance: NDArray[np.float64], variance: NDArray[np.float64]
    ) -> None:
        """Fill in the sums of squares and products of the ranks for one resample."""
        for rows in self._parts:
            ranks = self._centred(w, rows, buffers)
            if rows.start == 0:
                buffers.first[:] = ranks[: self.right]
            weighted = np.multiply(ranks, w, out=buffers.other[: len(ranks)])
            np.einsum("ln,ln->l", ranks, weighted, out=variance[rows])
            np.matmul(weighted, buffers.first.T, out=covariance[rows])


class _Buffers(NamedTuple):
    """Memory that is used again for every resample."""

    below: NDArray[np.float64]
    ranks: NDArray[np.float64]
    other: NDArray[np.float64]
    first: NDArray[np.float64]


def _parts(columns: int, right: int, most: int) -> list[slice]:
    """Cut the columns into parts that fit into the cache, the first of them with all the right ones."""
    cuts = [0, *range(max(right, most), columns, most), columns]
    return [slice(a, b) for a, b in itertools.pairwise(cuts) if a < b]


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
