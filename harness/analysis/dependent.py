"""Are two rank correlations with the same truth, on the same architectures, the same? A test for each statistic.

With r one of the two correlations, z = atanh(r) and z_(-k) the same without architecture k, the difference of two
metrics d = z_1 - z_2 has the jackknife variance v = (n - 1)/n sum_k (d_(-k) - mean)², and d / sqrt(v) is compared with
Student's t of n - 1 degrees of freedom. Nothing is assumed about the joint distribution but that architectures are
drawn alike and independently; ties count as they are, and that both metrics are seen on the same architectures is in
d_(-k). A correlation of ±1 on the data has no z: then the difference of the correlations themselves is jackknifed.
Neither statistic needs a sort for each k: what one architecture takes away follows from sums over its comparisons with
the others, in O(n log n), exactly.

Why this one: tests that take the ranks for normal (Meng, Rosenthal and Rubin 1992; Williams 1959 as in Steiger 1980)
reject equal correlations too often where the scatter about the truth is uneven, as it is among real accuracies, and
where there are few levels. ``tests/analysis/test_versus_level.py`` simulates it; the jackknife stays at or below its
level in every case there from n = 10 on and is cautious below about 30 architectures. Among normal scores, where those
tests hold, it rejects unequal correlations up to 7 points of power less often than the first at n = 30, up to 5 less
often at n = 100, and as often at 300.

Sources: jackknife of a smooth function of ranks: Miller, Biometrika 61:1-15, 1974; of Fisher's z of a correlation and
why it is taken there: Hinkley, Biometrika 65:13-21, 1978; two dependent values of tau by their own variances: Cliff
and Charlin, Multivariate Behavioral Research 26:693-707, 1991.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from zcbench.harness.analysis.concordance import concordance
from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.ranks import Codes, centred_ranks, dot

NO_DIFFERENCE = 1e-12
"""Rounding leaves about 1e-16 of a difference between equal correlations."""


@dataclass(frozen=True)
class LeftOut:
    """One correlation with the truth, and what it is without each architecture.

    Attributes:
        value: on all n architectures.
        without: float64[n], without one of them; NaN where a column is constant then.
    """

    value: float
    without: NDArray[np.float64]


def spearman_left_out(x: Codes, y: Codes) -> LeftOut:
    """Return Spearman's rho of two complete columns that are not constant, and all its leave-one-out values.

    With c_i = sum_j sign(x_i - x_j) = 2 R_i - (n + 1) and d_i the same for y, rho = sum c d / sqrt(sum c² sum d²).
    Without k every other c_i loses sign(x_i - x_k), so the sum of products becomes
    sum c d - c_k d_k - sum_i d_i sign(x_i - x_k) - sum_i c_i sign(y_i - y_k) + sum_i sign(x_i - x_k) sign(y_i - y_k).

    Args:
        x: int64[n], dense ranks.
        y: int64[n], dense ranks.
    """
    product, others = _products(x, y)
    squares = [_products(one, one) for one in (x, y)]
    value = product / math.sqrt(squares[0][0] * squares[1][0])
    return LeftOut(value, _ratio(others, squares[0][1] * squares[1][1]))


def kendall_left_out(x: Codes, y: Codes) -> LeftOut:
    """Return tau-b of two complete columns that are not constant, and all its leave-one-out values.

    With k_i = sum_j sign(x_i - x_j) sign(y_i - y_j), and u_i, v_i the number of j not tied with i in x and in y,
    tau-b = sum k / sqrt(sum u sum v), and each sum loses twice its own term without i.

    Args:
        x: int64[n], dense ranks.
        y: int64[n], dense ranks.
    """
    k, u, v = concordance(x, y), untied(x), untied(y)
    value = k.sum() / math.sqrt(u.sum() * v.sum())
    return LeftOut(value, _ratio(k.sum() - 2 * k, (u.sum() - 2 * u) * (v.sum() - 2 * v)))


def p_of_difference(ours: LeftOut, theirs: LeftOut) -> tuple[float, str]:
    """Return the two-sided p that both correlations are the same, and why there is none where it is NaN.

    1 where both are the same number. There is none for fewer than 10 architectures, where a column is constant without
    one of them, or where leaving one out changes neither correlation.
    """
    n = ours.without.size
    if n < FEWEST:
        return math.nan, f"no test for fewer than {FEWEST} architectures"
    if np.isnan(ours.without).any() or np.isnan(theirs.without).any():
        return math.nan, "no test: a column is constant without one of the architectures"
    if abs(ours.value - theirs.value) < NO_DIFFERENCE:
        return 1.0, ""
    apart, each = ours.value - theirs.value, ours.without - theirs.without
    if max(abs(ours.value), abs(theirs.value)) < 1 - NO_DIFFERENCE:
        # At ±1 the values without each architecture are ±1 too: z would be without any scatter, and reject too often.
        apart = math.atanh(ours.value) - math.atanh(theirs.value)
        each = _fisher(ours.without, n) - _fisher(theirs.without, n)
    rest = each - each.mean()
    error = math.sqrt((n - 1) / n * dot(rest, rest))
    if error < NO_DIFFERENCE:
        return math.nan, "no test: the correlations are the same without each of the architectures"
    return float(2 * stats.t.sf(abs(apart) / error, n - 1)), ""


def untied(x: Codes) -> NDArray[np.float64]:
    """Return, for each row, how many rows are not tied with it, float64[n]."""
    return np.asarray(x.size - np.bincount(x)[x], dtype=np.float64)


def _products(x: Codes, y: Codes) -> tuple[float, NDArray[np.float64]]:
    """Return sum c d of the centred ranks, and the same without each row; all integers."""
    c, d = centred_ranks(x), centred_ranks(y)
    total = dot(c, d)
    both = untied(x) if x is y else concordance(x, y)
    return total, total - c * d - _above_less_below(x, d) - _above_less_below(y, c) + both


def _above_less_below(x: Codes, of: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sum_i of_i sign(x_i - x_k) for every k, float64[n]."""
    sums = np.bincount(x, weights=of)
    upto = np.cumsum(sums)
    return np.asarray((upto[-1] - 2 * upto + sums)[x])


def _ratio(product: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.full(product.shape, np.nan)
    np.divide(product, np.sqrt(np.maximum(squares, 0.0)), out=out, where=squares > 0)
    return out


def _fisher(r: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return atanh(r), with ±1 drawn in by half a step of Spearman's rho: 6 / (n (n² - 1))."""
    most = 1 - 6 / (n * (n * n - 1))
    return np.arctanh(np.clip(r, -most, most))
