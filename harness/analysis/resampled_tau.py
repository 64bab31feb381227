"""Kendall's tau-b of many bootstrap resamples.

For counts w of the rows, tau-b = w'Kw / sqrt((m² - sum_g W_g²)(m² - sum_h V_h²)), with K_ij the product of
sign(x_i - x_j) and sign(y_i - y_j), m the sum of w, and W_g, V_h the counts in the tie groups of x and of y: a product
of matrices for many resamples. All sums are integers that their type holds exactly, so no order of summation changes a
bit.

Beyond ``EXACT`` rows, where K no longer fits and a thousand resamples take minutes, tau-b is linearised at the data
(``influence.kendall_influence``); what that leaves out is of order 1/n.
"""

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.dependent import kendall_left_out
from zcbench.harness.analysis.influence import kendall_influence
from zcbench.harness.analysis.ranks import Codes

EXACT = 2000
"""Up to so many rows nothing is linearised: K has 16 MB, and w'K is exact in single precision."""

BLOCK = 256
"""Resamples that are multiplied at once."""


class ResampledTau:
    """tau-b with one truth under many counts.

    Args:
        truth: int64[n], dense ranks, not constant.
        counts: uint16[B, n], how often each row was drawn; the first are those of the data themselves, all one.
    """

    def __init__(self, truth: Codes, counts: NDArray[np.uint16]) -> None:
        self._truth, self._counts = truth, counts
        self._exact = truth.size <= EXACT
        if self._exact:
            self._signs = _signs(truth)
            self._untied = _untied(truth, counts)

    @property
    def method(self) -> str:
        """What is to be said about the values; empty where they are exact."""
        return "" if self._exact else ", tau-b linearised"

    def of(self, scores: Codes) -> NDArray[np.float64]:
        """Return tau-b of the scores, int64[n], under all counts: float64[B]; NaN where a column is constant."""
        return self._of(scores) if self._exact else self._linear(scores)

    def _of(self, scores: Codes) -> NDArray[np.float64]:
        agree = (_signs(scores) * self._signs).astype(np.float32)
        found = np.empty(len(self._counts))
        for first in range(0, len(found), BLOCK):
            w = self._counts[first : first + BLOCK].astype(np.float32)
            found[first : first + BLOCK] = np.einsum("bn,bn->b", (w @ agree).astype(np.float64), w)
        squared = _untied(scores, self._counts) * self._untied
        out = np.full(found.shape, np.nan)
        np.divide(found, np.sqrt(squared), out=out, where=squared > 0)
        return np.clip(out, -1.0, 1.0, out=out)

    def _linear(self, scores: Codes) -> NDArray[np.float64]:
        influence = kendall_influence(scores[None], self._truth)[1][0]
        tau = kendall_left_out(scores, self._truth).value
        out = np.empty(len(self._counts))
        for first in range(0, len(out), BLOCK):
            w = self._counts[first : first + BLOCK].astype(np.float64)
            # einsum and not BLAS, whose order of summation depends on its threads
            out[first : first + BLOCK] = tau + np.einsum("bn,n->b", w, influence) / w.sum(axis=1)
        out[0] = tau
        return np.clip(out, -1.0, 1.0, out=out)


def _signs(x: Codes) -> NDArray[np.int8]:
    """Return sign(x_i - x_j), int8[n, n]."""
    return (x[:, None] > x).astype(np.int8) - (x[:, None] < x).astype(np.int8)


def _untied(x: Codes, counts: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Return m² - sum_g W_g², the ordered pairs of drawn rows that are not tied, float64[B]."""
    order = np.argsort(x, kind="stable")
    starts = np.searchsorted(x[order], np.unique(x))
    groups = np.add.reduceat(counts[:, order].astype(np.float64), starts, axis=1)
    return np.asarray(groups.sum(axis=1) ** 2 - np.einsum("bg,bg->b", groups, groups))
