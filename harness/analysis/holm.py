"""Holm's adjustment of several p-values, so that the chance of one false rejection among them is at most the level.

Source: Holm, Scandinavian Journal of Statistics 6:65-70, 1979. It needs no independence: tests that share a candidate
or architectures may depend on each other in any way.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p: Sequence[float]) -> NDArray[np.float64]:
    """Return the adjusted p-values max over j <= i of min(1, (m + 1 - j) p_(j)), in the order they came.

    Args:
        p: m p-values in any order, p_(j) being the j-th smallest; NaN stands for no test: it is not counted in m and
            stays NaN.
    """
    found = np.asarray(p, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(found))
    out = np.full(found.shape, np.nan)
    order = tested[np.argsort(found[tested], kind="stable")]
    steps = np.minimum(1.0, found[order] * np.arange(order.size, 0, -1))
    out[order] = np.maximum.accumulate(steps) if order.size else steps
    return out
