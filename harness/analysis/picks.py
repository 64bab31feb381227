"""What a search gets that trusts the score: precision of its top k and regret of its best pick.

Ties of the score are not broken by the order of rows: every value is the expectation over a fair draw among
the tied. x are scores, y accuracies as fractions in [0, 1], n architectures.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zcbench.harness.analysis.intervals import no_estimate, percentile, wilson
from zcbench.harness.analysis.ranks import (
    LEFT_OUT,
    Codes,
    Policy,
    check_policy,
    dense,
    dot,
    tenth,
    vector,
    why_undefined,
    with_policy,
)
from zcbench.harness.analysis.resample import with_resamples
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Estimate

HEAD = 64
"""How many of the best-ranked architectures are looked at first; more only if a resample needs them."""


def precision_at_k(x: ArrayLike, y: ArrayLike, *, k: int | None = None, undefined: Policy = "drop") -> Estimate:
    """Share of the k architectures with the highest scores that are among the k with the highest truth.

    |top-k by x ∩ top-k by y| / k, expected over fair draws among ties at either edge; Wilson's interval for k
    picks. A random score has precision k/n.

    Args:
        x: float64[n] scores; NaN is undefined.
        y: float64[n] truths.
        k: how many; None is the top 10 %, ceil(n / 10).
        undefined: policy for undefined scores.

    Raises:
        ZcbenchError: k < 1.
    """
    score, truth, n_undefined = _prepare(x, y, undefined)
    return precision_of_codes(score, dense(truth), k=k, n_undefined=n_undefined)


def precision_of_codes(x: Codes, y: Codes, *, k: int | None, n_undefined: int) -> Estimate:
    """Return precision_at_k of two complete columns of dense ranks."""
    n, k = x.size, tenth(x.size) if k is None else k
    if n and k < 1:
        raise ZcbenchError(f"k must be at least 1, not {k}")
    why = why_undefined(x, y) or (f"undefined: needs more than {k} architectures" if n <= k else "")
    if why:
        return no_estimate(why, n=n, n_undefined=n_undefined)
    share = min(1.0, dot(_membership(x, k), _membership(y, k)) / k)
    return wilson(share, k, n=n, n_undefined=n_undefined, method=f"Wilson score, {k} picks")


def _membership(codes: Codes, k: int) -> NDArray[np.float64]:
    """Return each row's probability to be among the top k when ties at the edge are drawn fairly."""
    edge = np.partition(codes, codes.size - k)[codes.size - k]
    above, tied = codes > edge, codes == edge
    return np.asarray(above + tied * ((k - above.sum()) / tied.sum()))


def regret_top(
    x: ArrayLike,
    y: ArrayLike,
    *,
    k: int,
    undefined: Policy = "drop",
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Accuracy lost by training only the k architectures with the highest scores.

    max(y) - E[max of y over the top k by x], in accuracy fractions, expected over fair draws among ties at
    the edge. Bootstrap percentile interval: both maxima are taken anew in every resample. A maximum is not a
    smooth function of the sample, so read the interval as how much the regret moves with the population.

    Args:
        x: float64[n] scores; NaN is undefined.
        y: float64[n] accuracies in [0, 1].
        k: how many are trained.
        undefined: policy for undefined scores.
        resamples: number of bootstrap resamples.
        seed: of the resamples.

    Raises:
        ZcbenchError: k < 1.
    """
    if k < 1:
        raise ZcbenchError(f"k must be at least 1, not {k}")
    score, truth, n_undefined = _prepare(x, y, undefined)
    why = why_undefined(score, dense(truth))
    if why:
        return no_estimate(why, n=truth.size, n_undefined=n_undefined)
    picks = TopPicks(score, truth)
    best = Best(truth)
    draws = with_resamples(truth.size, resamples=resamples, seed=seed)
    samples = np.concatenate([regret(best(w[None]), picks.expected_best(w[None], k)) for w in draws])
    return percentile(float(samples[0]), samples[1:], n=truth.size, n_undefined=n_undefined)


def regret(best: NDArray[np.float64], picked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return best - picked, not below 0 by rounding; NaN where a resample has no row (both -inf)."""
    there = np.isfinite(best)
    lost = np.full(best.shape, np.nan)
    np.subtract(best, picked, out=lost, where=there)
    return np.asarray(np.maximum(lost, 0.0))


class Best:
    """The highest truth under row counts, sorted once.

    Args:
        y: float64[n].
    """

    def __init__(self, y: NDArray[np.float64]) -> None:
        self._order = np.argsort(y, kind="stable")[::-1]
        self._truth = y[self._order]

    def __call__(self, w: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the highest truth in each of B resamples with counts float64[B, n]; -inf without a row."""
        for head in (HEAD, self._order.size):
            there = w[:, self._order[:head]] > 0
            if there.any(axis=1).all():
                return np.asarray(self._truth[there.argmax(axis=1)])
        return np.where(there.any(axis=1), self._truth[there.argmax(axis=1)], -np.inf)


class TopPicks:
    """The best-ranked architectures under row counts, sorted once.

    Args:
        x: dense ranks of the scores, complete.
        y: accuracies.
    """

    def __init__(self, x: Codes, y: NDArray[np.float64]) -> None:
        self._order = np.lexsort((y, x))[::-1]  # by falling score, within ties by falling truth
        self._truth = y[self._order]
        ranked = -x[self._order]
        self._begin = np.searchsorted(ranked, ranked, "left")
        self._end = np.searchsorted(ranked, ranked, "right")

    def expected_best(self, w: NDArray[np.float64], k: int) -> NDArray[np.float64]:
        """Return the expected truth of the best of the top k under counts w, float64[B, n]: float64[B].

        Groups of tied scores that fit into the k picks are taken whole. Of the group at the edge, with W
        members, s are drawn: all s miss the j best of them with probability C(W - j, s) / C(W, s).
        """
        head = self._head(w, k)
        w, truth = w[:, self._order[:head]], self._truth[:head]
        below = np.concatenate([np.zeros((len(w), 1)), np.cumsum(w, axis=1)], axis=1)  # [B, head + 1]
        start = below[:, self._begin[:head]]
        size = below[:, self._end[:head]] - start
        drawn = np.clip(k - start, 0, size)
        better = below[:, :-1] - start  # members of the own group with a higher truth
        whole = (drawn == size) & (w > 0)
        floor = np.where(whole, truth, -np.inf).max(axis=1)
        edge = (drawn > 0) & (drawn < size)
        chance = _all_miss(better, size, drawn, k) - _all_miss(better + w, size, drawn, k)
        best = np.where(edge, chance * np.maximum(truth, floor[:, None]), 0.0).sum(axis=1)
        return np.asarray(np.where(edge.any(axis=1), best, floor))

    def _head(self, w: NDArray[np.float64], k: int) -> int:
        """Return how many rows to look at: whole tie groups that hold k members in every resample."""
        n, head = self._order.size, HEAD
        while head < n:
            head = int(self._end[head - 1])
            if w[:, self._order[:head]].sum(axis=1).min() >= k:
                return head
            head *= 4
        return n


def _all_miss(
    j: NDArray[np.float64], size: NDArray[np.float64], drawn: NDArray[np.float64], k: int
) -> NDArray[np.float64]:
    """Return C(size - j, drawn) / C(size, drawn) for drawn <= k, elementwise; used where drawn < size."""
    out = np.ones_like(j)
    for step in range(k):
        term = np.clip(size - j - step, 0, None) / np.maximum(size - step, 1)
        out = np.where(step < drawn, out * term, out)
    return out


def _prepare(x: ArrayLike, y: ArrayLike, undefined: Policy) -> tuple[Codes, NDArray[np.float64], int]:
    check_policy(undefined)
    score, truth = vector(x), vector(y)
    if score.size != truth.size:
        raise ZcbenchError(f"columns of different length: {[score.size, truth.size]}")
    known = ~np.isnan(truth)
    codes, truth = dense(score[known]), truth[known]
    failed = codes == LEFT_OUT
    codes = with_policy(codes, failed, undefined)
    kept = codes != LEFT_OUT
    order = np.lexsort((codes[kept], truth[kept]))
    return codes[kept][order], truth[kept][order], int(failed.sum())
