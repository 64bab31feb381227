"""Signed rank correlations of a score with the truth, each with a 95 % interval.

Every function takes the scores x and the truths y of n architectures (float64[n], a high score standing for a
high truth) and returns an Estimate. A NaN score is undefined: it is dropped and counted, or ranked below all
others, as the policy says; a NaN truth leaves its architecture out. Where a statistic does not exist
(fewer than 3 architectures, a constant column) the value is NaN and the method says why. The order of the
rows never matters.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from zcbench.harness.analysis.concordance import weighted_tau_variance
from zcbench.harness.analysis.intervals import Z, fisher_z, no_estimate, percentile
from zcbench.harness.analysis.ranks import (
    LEFT_OUT,
    Codes,
    Policy,
    centred_ranks,
    check_policy,
    dense,
    dot,
    vector,
    why_undefined,
    with_policy,
)
from zcbench.harness.analysis.resample import WeightedRanks, partial, with_resamples
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Estimate


def spearman(
    x: ArrayLike, y: ArrayLike, *, undefined: Policy = "drop", resamples: int = 1000, seed: int = 0
) -> Estimate:
    """Spearman's rho: Pearson's correlation of the mid-ranks of x and y.

    The interval is the percentile interval of a bootstrap of the pairs (x_i, y_i). Inside a study the
    resamples are drawn once for all metrics; here they are drawn over the pairs in sorted order, so the ends
    of the two intervals differ by the noise of the resampling.

    Source: Spearman, American Journal of Psychology 15:72-101, 1904.
    """
    return _bootstrap([y, x], undefined=undefined, resamples=resamples, seed=seed)


def partial_spearman(
    x: ArrayLike,
    y: ArrayLike,
    z: ArrayLike,
    *,
    undefined: Policy = "drop",
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Spearman's rho of x and y given z: what x tells about y beyond z (say, the number of parameters).

    (r_xy - r_xz r_yz) / sqrt((1 - r_xz²)(1 - r_yz²)) with rank correlations r; bootstrap percentile interval.
    NaN where z ranks as x or y do.

    Source: Yule, Proc. R. Soc. A 79:182-193, 1907, on ranks.
    """
    return _bootstrap([y, z, x], undefined=undefined, resamples=resamples, seed=seed)


def kendall(x: ArrayLike, y: ArrayLike, *, undefined: Policy = "drop") -> Estimate:
    """Kendall's tau-b, ties counted.

    (P - Q) / sqrt((P + Q + X)(P + Q + Y)): P concordant, Q discordant pairs, X tied in x only, Y in y only.
    Interval: tanh(atanh(tau) ± 1.96 sqrt(0.437 / (n - 4))), good for |tau| < 0.8.

    Source: Kendall, Biometrika 33:239-251, 1945; interval: Fieller, Hartley and Pearson, Biometrika
    44:470-481, 1957.
    """
    return _on_pairs(kendall_of_codes, x, y, undefined)


def weighted_tau(x: ArrayLike, y: ArrayLike, *, undefined: Policy = "drop") -> Estimate:
    """Weighted tau with hyperbolic weights, averaged over the rankings by x and by y.

    A pair (i, j) weighs 1/(1 + rank i) + 1/(1 + rank j), rank 0 being the best: the top counts most. The
    value is scipy.stats.weightedtau; the interval is value ± 1.96 standard errors of the linearised statistic
    (``concordance.weighted_tau_variance``), cut to [-1, 1].

    Source: Vigna, A weighted correlation index for rankings with ties, WWW 2015.
    """
    return _on_pairs(weighted_tau_of_codes, x, y, undefined)


def pearson_of_ranks(x: ArrayLike, y: ArrayLike, *, undefined: Policy = "drop") -> Estimate:
    """Pearson's correlation of the mid-ranks: by definition the same number as Spearman's rho.

    It has an analytic interval, tanh(atanh(r) ± 1.96 sqrt((1 + r²/2) / (n - 3))), beside the bootstrap
    interval of ``spearman``, so that each can be checked by the other.

    Source: interval: Bonett and Wright, Psychometrika 65:23-28, 2000.
    """
    return _on_pairs(pearson_of_codes, x, y, undefined)


def kendall_of_codes(x: Codes, y: Codes) -> Estimate:
    """Return tau-b of two complete columns of dense ranks that are not constant."""
    n = x.size
    value = _clip(float(stats.kendalltau(x, y).statistic))
    variance = 0.437 / (n - 4) if n > 4 else math.nan
    return fisher_z(value, variance, n=n, n_undefined=0, method="Fisher z, Fieller et al. 1957")


def weighted_tau_of_codes(x: Codes, y: Codes) -> Estimate:
    """Return the weighted tau of two complete columns of dense ranks that are not constant."""
    value = float(stats.weightedtau(x, y).statistic)
    half = Z * math.sqrt(weighted_tau_variance(x, y, value))
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Estimate(value, low, high, x.size, 0, "linearised standard error")


def pearson_of_codes(x: Codes, y: Codes) -> Estimate:
    """Return Pearson's correlation of the mid-ranks of two complete columns that are not constant."""
    a, b = centred_ranks(x), centred_ranks(y)
    return bonett_wright(_clip(dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))), x.size)


def bonett_wright(rho: float, n: int) -> Estimate:
    """Return a Spearman correlation of n pairs with its analytic interval (Bonett and Wright 2000)."""
    variance = (1 + rho**2 / 2) / (n - 3) if n > 3 else math.nan
    return fisher_z(rho, variance, n=n, n_undefined=0, method="Fisher z, Bonett and Wright 2000")


def _clip(value: float) -> float:
    """Take off the rounding that leaves a correlation of ±1 at 1 + 2e-16."""
    return min(1.0, max(-1.0, value))


def _prepare(columns: list[ArrayLike], undefined: Policy) -> tuple[list[Codes], int]:
    """Turn truth, controls and, last, the score into complete dense ranks in an order of their own."""
    check_policy(undefined)
    values = [vector(column) for column in columns]
    if len({v.size for v in values}) > 1:
        raise ZcbenchError(f"columns of different length: {[v.size for v in values]}")
    known = ~np.isnan(values[:-1]).any(axis=0)
    codes = [dense(v[known]) for v in values]
    failed = codes[-1] == LEFT_OUT
    codes[-1] = with_policy(codes[-1], failed, undefined)
    kept = codes[-1] != LEFT_OUT
    kept_codes = [c[kept] for c in codes]
    order = np.lexsort(kept_codes)
    return [c[order] for c in kept_codes], int(failed.sum())


def _on_pairs(statistic: Callable[[Codes, Codes], Estimate], x: ArrayLike, y: ArrayLike, undefined: Policy) -> Estimate:
    (truth, score), n_undefined = _prepare([y, x], undefined)
    why = why_undefined(score, truth)
    if why:
        return no_estimate(why, n=truth.size, n_undefined=n_undefined)
    return replace(statistic(score, truth), n_undefined=n_undefined)


def _bootstrap(columns: list[ArrayLike], *, undefined: Policy, resamples: int, seed: int) -> Estimate:
    codes, n_undefined = _prepare(columns, undefined)
    n = codes[0].size
    why = why_undefined(codes[-1], codes[0])
    if why:
        return no_estimate(why, n=n, n_undefined=n_undefined)
    ranks = WeightedRanks(np.stack(codes), right=len(codes) - 1)
    draws = with_resamples(n, resamples=resamples, seed=seed)
    rho = np.concatenate([ranks.correlations(w[None]) for w in draws])  # [1 + B, L, right]
    samples = _of_interest(rho)
    if math.isnan(samples[0]):
        return no_estimate("undefined: the control decides the ranks", n=n, n_undefined=n_undefined)
    return percentile(float(samples[0]), samples[1:], n=n, n_undefined=n_undefined)


def _of_interest(rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Spearman's rho of the last column with the first, given the second if there are three."""
    if rho.shape[1] == 2:
        return rho[:, 1, 0]
    return partial(rho[:, 2, 0], rho[:, 2, 1], rho[:, 1, 0])
