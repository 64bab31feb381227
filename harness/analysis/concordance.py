"""How far each single architecture agrees with all others, and what follows for the weighted tau."""

import math

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.ranks import Codes, dot


def concordance(x: Codes, y: Codes) -> NDArray[np.float64]:
    """Return k_i = sum over j of sign(x_i - x_j) sign(y_i - y_j), float64[n], in O(n log n).

    Kendall's numerator is sum_i k_i / 2.

    Args:
        x: int64[n], non-negative.
        y: int64[n], non-negative.
    """
    n = x.size
    both_below = _below(x, y)
    x_below, x_tied, x_within = _alone(x, y)  # x_within: the same y, a smaller x
    y_below, y_tied, y_within = _alone(y, x)
    mixed = (x_below - both_below - x_within) + (y_below - both_below - y_within)
    equal = np.unique(x * (y.max() + 1) + y, return_inverse=True, return_counts=True)
    tied = x_tied + y_tied - equal[2][equal[1]]  # in x or in y, the row itself included
    both_above = n - tied - both_below - mixed
    return (both_below + both_above - mixed).astype(np.float64)


def _alone(x: Codes, y: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count, for each i, the j with x_j < x_i; with x_j = x_i; with y_j = y_i and x_j < x_i."""
    sizes = np.bincount(x)
    key = y * (x.max() + 1) + x
    ordered = np.sort(key)
    within = np.searchsorted(ordered, key, "left") - np.searchsorted(ordered, key - x, "left")
    return (np.cumsum(sizes) - sizes)[x], sizes[x], within


def _below(x: Codes, y: Codes) -> NDArray[np.int64]:
    """Count, for each i, the j with x_j < x_i and y_j < y_i: int64[n].

    Rows go by rising x and, within ties, falling y, so the wanted j are those before i with y_j < y_i. Such a
    y_j agrees with y_i in its leading bits, then has a 0 where y_i has a 1: one pass for each bit.
    """
    rows = np.lexsort((-y, x))
    y = y[rows].astype(np.min_scalar_type(int(y.max())))  # NumPy sorts 16-bit integers in linear time
    found = np.zeros(y.size, dtype=np.int64)
    for bit in range(int(y.max()).bit_length()):
        order = np.argsort(y >> (bit + 1), kind="stable")  # equal leading bits side by side, order kept
        leading, here = (y >> (bit + 1))[order], (y >> bit & 1)[order]
        zeros = np.concatenate([[0], np.cumsum(here == 0)])
        block = np.searchsorted(leading, leading, "left")
        found[order] += np.where(here == 1, zeros[:-1] - zeros[block], 0)
    out = np.empty_like(found)
    out[rows] = found
    return out


def weighted_tau_variance(x: Codes, y: Codes, tau: float) -> float:
    """Return an estimate of the variance of the weighted tau (additive hyperbolic weights, no closed form).

    Without ties tau_w = sum_i u_i a_i with a_i = k_i / (n - 1) the agreement of architecture i with the
    others and u_i its weight 1/(1 + rank), normalised to sum 1. Linearised in the architectures, with the
    ranks held fixed, the influence of i is (u_i + 1/n)(a_i - tau_w): its own term and its part in the
    agreement of all others. The variance is the sum of the squared influences. For flat weights this is the
    classical 4 Var(a)/n of Kendall's tau (Hoeffding, Annals of Mathematical Statistics 19:293-325, 1948).
    With ties a_i is divided by tau-b's sqrt((1 - share of pairs tied in x)(1 - share tied in y)).
    """
    n = x.size
    agreement = concordance(x, y) / (n - 1) / math.sqrt(_untied(x) * _untied(y))
    weights = np.zeros(n)
    for keys in ((y, x), (x, y)):  # scipy ranks by (x, then y) and by (y, then x), the largest first
        rank = np.empty(n, dtype=np.int64)
        rank[np.lexsort(keys)[::-1]] = np.arange(n)
        weights += 0.5 / (1 + rank)
    influence = (weights / weights.sum() + 1 / n) * (agreement - tau)
    return dot(influence, influence)


def _untied(x: Codes) -> float:
    """Return the share of pairs that are not tied in x."""
    sizes = np.bincount(x).astype(np.float64)
    return 1.0 - dot(sizes, sizes - 1) / (x.size * (x.size - 1))
