"""The influence of every architecture on a rank correlation, for many sets of scores at once.

The influence of architecture k is the derivative of the statistic, as a function of the weights of the architectures,
towards all weight on k. Mid-ranks and ties are those of the weighted sample, so nothing is held fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.concordance import concordance
from zcbench.harness.analysis.ranks import dense

Values = NDArray[np.float64]

ALL_PAIRS = 200
"""Up to so many architectures Kendall's tau looks at every pair; of more it sorts."""

BLOCK = 1_000_000
"""Pairs that are looked at at once."""


def spearman_influence(x: NDArray[Any], y: NDArray[Any]) -> tuple[Values, Values]:
    """Return Spearman's rho and the influence of every architecture on it.

    With a_i = mean_j sign(x_i - x_j), b_i likewise, C = mean a b, V = mean a² and W = mean b², rho = C / sqrt(V W) is
    Pearson's correlation of the mid-ranks. C is a function of degree three of the weights of the architectures; its
    influence at k is a_k b_k + mean_i b_i sign(x_i - x_k) + mean_i a_i sign(y_i - y_k) - 3 C, and those of V and W
    follow with y = x.

    Args:
        x: [B, n].
        y: [n].

    Returns:
        float64[B] and float64[B, n]; NaN where a column is constant.
    """
    sorted_x, sorted_y = _Sorted.of(x), _Sorted.of(y[None])
    n = y.size
    a, b = sorted_x.ranks() / n, sorted_y.ranks() / n
    cross = sorted_x.above_less_below(np.broadcast_to(b, a.shape)) + sorted_y.above_less_below(a)
    product, covariance = a * b, (a * b).mean(axis=1, keepdims=True)
    of_c = product + cross / n - 3 * covariance
    (v, of_v), (w, of_w) = _variance(sorted_x, a), _variance(sorted_y, b)
    return _ratio(covariance, of_c, v, of_v, w, of_w)


def kendall_influence(x: NDArray[Any], y: NDArray[Any]) -> tuple[Values, Values]:
    """Return Kendall's tau-b and the influence of every architecture on it.

    tau-b = C / sqrt(V W) with C = mean over pairs of sign(x_i - x_j) sign(y_i - y_j), V the share of pairs that are
    not tied in x, W in y. The influence of k on C is 2 (mean_j sign sign - C), and likewise on V and W.

    Source: Hampel, JASA 69:383-393, 1974, for a ratio of U-statistics.

    Args:
        x: [B, n].
        y: [n].

    Returns:
        float64[B] and float64[B, n]; NaN where a column is constant.
    """
    pairs = y.size - 1
    c = (_of_all_pairs(x, y) if y.size <= ALL_PAIRS else _of_sorted(x, y)) / pairs
    v, w = _Sorted.of(x).untied() / pairs, _Sorted.of(y[None]).untied() / pairs
    mean_c, mean_v, mean_w = (part.mean(axis=1, keepdims=True) for part in (c, v, w))
    return _ratio(mean_c, 2 * (c - mean_c), mean_v, 2 * (v - mean_v), mean_w, 2 * (w - mean_w))


def _of_sorted(x: NDArray[Any], y: NDArray[Any]) -> Values:
    """Return for every architecture its concordant less its discordant partners, float64[B, n], row by row."""
    codes = dense(np.asarray(y, dtype=np.float64))
    return np.stack([concordance(dense(np.asarray(row, dtype=np.float64)), codes) for row in x])


def _of_all_pairs(x: NDArray[Any], y: NDArray[Any]) -> Values:
    """Return the same from all pairs, many rows at once: faster for few architectures."""
    above = y[:, None] > y
    of_y = above.astype(np.int8) - above.T.astype(np.int8)
    total = np.empty(x.shape)
    step = max(1, BLOCK // of_y.size)
    for start in range(0, len(x), step):
        rows = x[start : start + step]
        above = rows[:, :, None] > rows[:, None, :]
        of_x = above.astype(np.int8) - above.transpose(0, 2, 1).astype(np.int8)
        total[start : start + step] = np.einsum("bij,ij->bi", of_x, of_y, dtype=np.int32)
    return total


def _variance(order: _Sorted, ranks: Values) -> tuple[Values, Values]:
    """Return the mean square of the ranks and the influence on it."""
    square = (ranks**2).mean(axis=1, keepdims=True)
    return square, ranks**2 + 2 * order.above_less_below(ranks) / ranks.shape[1] - 3 * square


def _ratio(c: Values, of_c: Values, v: Values, of_v: Values, w: Values, of_w: Values) -> tuple[Values, Values]:
    """Return c / sqrt(v w) and the influence on it, by the chain rule."""
    exists = (v > 0) & (w > 0)
    scale = np.sqrt(np.where(exists, v * w, np.nan))
    value = c / scale
    influence = of_c / scale - value / 2 * (of_v / np.where(exists, v, 1.0) + of_w / np.where(exists, w, 1.0))
    return np.clip(value[:, 0], -1.0, 1.0), influence


@dataclass(frozen=True)
class _Sorted:
    """Rows of n values in their order, with the tie group of each: what sums over higher and lower values need.

    Attributes:
        order: int64[B, n], positions in ascending order.
        begin: int64[B, n], number of values below the value at a place of that order.
        end: int64[B, n], number of values not above it.
    """

    order: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[Any]) -> _Sorted:
        order = np.argsort(values, axis=1, kind="stable")
        ordered = np.take_along_axis(values, order, axis=1)
        n = values.shape[1]
        new = np.ones(values.shape, dtype=bool)
        new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        last = np.ones(values.shape, dtype=bool)
        last[:, :-1] = new[:, 1:]
        place = np.arange(n)
        begin = np.maximum.accumulate(np.where(new, place, 0), axis=1)
        end = np.minimum.accumulate(np.where(last, place + 1, n)[:, ::-1], axis=1)[:, ::-1]
        return cls(order, begin, end)

    def ranks(self) -> Values:
        """Return sum_j sign(x_i - x_j), float64[B, n]: twice the centred mid-rank."""
        return self._back((self.begin + self.end - self.order.shape[1]).astype(np.float64))

    def untied(self) -> Values:
        """Return the number of other values that differ, float64[B, n]."""
        return self._back((self.order.shape[1] - (self.end - self.begin)).astype(np.float64))

    def above_less_below(self, values: Values) -> Values:
        """Return sum_i v_i sign(x_i - x_k) at every k, float64[B, n]; values: float64[B, n] or, for one order, any."""
        rows = max(len(values), len(self.order))
        order, begin, end = (np.broadcast_to(p, (rows, p.shape[1])) for p in (self.order, self.begin, self.end))
        ordered = np.take_along_axis(np.broadcast_to(values, order.shape), order, axis=1)
        total = np.zeros((rows, order.shape[1] + 1))
        np.cumsum(ordered, axis=1, out=total[:, 1:])
        above = total[:, -1:] - np.take_along_axis(total, end, axis=1)
        found = above - np.take_along_axis(total, begin, axis=1)
        out: Values = np.empty(found.shape)
        np.put_along_axis(out, order, found, axis=1)
        return out

    def _back(self, in_order: Values) -> Values:
        out: Values = np.empty(in_order.shape)
        np.put_along_axis(out, self.order, in_order, axis=1)
        return out
