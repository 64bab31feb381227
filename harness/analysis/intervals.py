"""Estimates with 95 % intervals."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from zcbench.harness.types import Estimate

LEVEL = 0.95
Z = float(ndtri(0.5 + LEVEL / 2))
"""Two-sided normal quantile, 1.96."""

FEWEST = 10
"""Below so many architectures a percentile interval is far too short: of 3 in perfect order every resample is."""


def no_estimate(why: str, *, n: int = 0, n_undefined: int = 0) -> Estimate:
    """Return the estimate of a statistic that does not exist: all NaN, with the reason as its method."""
    return Estimate(math.nan, math.nan, math.nan, n, n_undefined, why)


def percentile(value: float, samples: NDArray[np.float64], *, n: int, n_undefined: int) -> Estimate:
    """Return an estimate with the percentile interval of its bootstrap distribution.

    low, high = the 2.5 % and 97.5 % quantiles of the statistic over the resamples. Resamples in which it
    does not exist (a constant column) are left out, and their number is part of the method. There is no
    interval below 10 architectures.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        value: the statistic on the data themselves.
        samples: float64[B], the statistic on B resamples, NaN where it does not exist.
        n: architectures that entered.
        n_undefined: architectures without a score.
    """
    finite = samples[np.isfinite(samples)]
    method = f"bootstrap percentile, {samples.size} resamples"
    if finite.size < samples.size:
        method += f" ({samples.size - finite.size} undefined)"
    if n < FEWEST:
        return Estimate(value, math.nan, math.nan, n, n_undefined, f"{method}: no interval for n = {n}")
    if finite.size < 2:
        return Estimate(value, math.nan, math.nan, n, n_undefined, method)
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high), n, n_undefined, method)


def fisher_z(value: float, variance: float, *, n: int, n_undefined: int, method: str) -> Estimate:
    """Return an estimate with Fisher's interval tanh(atanh(r) ± 1.96 sqrt(variance)).

    Args:
        value: the correlation r in [-1, 1].
        variance: variance of atanh(r); NaN or infinite where n is too small for it (then no interval).
        n: architectures that entered.
        n_undefined: architectures without a score.
        method: name and source of the variance.
    """
    if not (math.isfinite(variance) and variance > 0):
        return Estimate(value, math.nan, math.nan, n, n_undefined, f"{method}: no interval for n = {n}")
    # atanh(±1) is infinite; the largest tau below 1 is 1 - 4 / (n (n - 1)), so go half that far.
    most = 1 - 2 / (n * (n - 1))
    z, half = math.atanh(min(max(value, -most), most)), Z * math.sqrt(variance)
    low, high = math.tanh(z - half), math.tanh(z + half)
    return Estimate(value, min(low, value), max(high, value), n, n_undefined, method)


def wilson(share: float, trials: int, *, n: int, n_undefined: int, method: str) -> Estimate:
    """Return a share of k picks with Wilson's score interval.

    (p + z²/2k ± z sqrt(p(1-p)/k + z²/4k²)) / (1 + z²/k). Source: Wilson, JASA 22:209-212, 1927.

    Args:
        share: p in [0, 1]; may be an expectation over ties.
        trials: k.
        n: architectures that entered.
        n_undefined: architectures without a score.
        method: how the interval is to be named.
    """
    scale = 1 + Z**2 / trials
    centre = (share + Z**2 / (2 * trials)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / trials + Z**2 / (4 * trials**2))
    return Estimate(share, min(centre - half, share), max(centre + half, share), n, n_undefined, method)
