"""Dense ranks, undefined scores and top slices: what every rank statistic starts from."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zcbench.harness.errors import ZcbenchError

Policy = Literal["worst", "drop"]
"""What becomes of a score without a value: ranked tied below all others, or left out for that metric."""

Codes = NDArray[np.int64]
"""Dense ranks: equal values share a code, a higher value has a higher code, -1 is left out."""

LEFT_OUT = -1


def check_policy(undefined: str) -> None:
    """Raise ZcbenchError unless the policy is ``worst`` or ``drop``."""
    if undefined not in ("worst", "drop"):
        raise ZcbenchError(f'undefined must be "worst" or "drop", not "{undefined}"')


def vector(values: ArrayLike) -> NDArray[np.float64]:
    """Return the values as float64[n].

    Raises:
        ZcbenchError: they are not one-dimensional.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ZcbenchError(f"a statistic takes one-dimensional values, not shape {array.shape}")
    return array


def dense(values: NDArray[np.float64]) -> Codes:
    """Return dense ranks 0, 1, ... of the values; NaN is left out (-1).

    Rank statistics depend on the values through these codes alone, and the codes let an undefined score be
    ranked below every value, -inf included, without a sentinel.
    """
    codes = np.full(values.shape, LEFT_OUT, dtype=np.int64)
    defined = ~np.isnan(values)
    codes[defined] = np.unique(values[defined], return_inverse=True)[1]
    return codes


def with_policy(codes: Codes, failed: NDArray[np.bool_], policy: Policy) -> Codes:
    """Apply the policy for undefined scores.

    Args:
        codes: dense ranks, -1 without a value.
        failed: where a metric was tried and has no value; a score that is merely absent is always left out.
        policy: ``drop`` changes nothing; ``worst`` gives the failed ones one common lowest rank.

    Returns:
        Dense ranks; -1 is left out.
    """
    if policy == "drop" or not failed.any():
        return codes
    return np.where(codes != LEFT_OUT, codes + 1, np.where(failed, 0, LEFT_OUT))


def tenth(n: int) -> int:
    """Return ceil(n / 10), the size of the top 10 %."""
    return -(-n // 10)


def top_slice(codes: Codes, k: int) -> NDArray[np.bool_]:
    """Select the k highest of the values that are not left out, and everything tied with the k-th of them.

    No order of rows or names decides who is in; with ties at the edge the slice has more than k members.
    """
    kept = codes[codes != LEFT_OUT]
    if kept.size == 0 or k < 1:
        return np.zeros(codes.shape, dtype=bool)
    k = min(k, kept.size)
    edge = np.partition(kept, kept.size - k)[kept.size - k]
    return np.asarray(codes >= edge)


def centred_ranks(codes: Codes) -> NDArray[np.float64]:
    """Return 2R - (n + 1) of a complete column, float64[n], R being the mid-ranks; the mean is zero."""
    sizes = np.bincount(codes)
    return np.asarray((2 * np.cumsum(sizes) - sizes)[codes] - codes.size, dtype=np.float64)


def dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the inner product, without BLAS: its threads take longer to start than such a sum takes."""
    return float(np.einsum("n,n->", a, b))


def why_undefined(x: Codes, y: Codes) -> str:
    """Return why a correlation of two complete columns does not exist; empty if it does."""
    if x.size < 3:
        return "undefined: fewer than 3 architectures"
    if x.min() == x.max():
        return "undefined: constant score"
    if y.min() == y.max():
        return "undefined: constant truth"
    return ""
