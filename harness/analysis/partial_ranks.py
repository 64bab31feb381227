"""Partial correlation given several controls, from matrices of correlations."""

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.resample import partial

DETERMINED = 1e-9
"""A column of which the controls leave less than this share of the variance is determined by them."""


def partial_given(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of what two columns have left after a linear regression on the others.

    With R the correlations of the two columns, C those of the controls and A between them: S = R - A C⁺ A', and the
    partial correlation is S_12 / sqrt(S_11 S_22). C⁺ is the pseudo-inverse, so a control that others determine, such as
    a second copy, changes nothing. On correlations of ranks it is the partial Spearman.

    Source: Anderson, An Introduction to Multivariate Statistical Analysis, 3rd ed. 2003, section 2.5.

    Args:
        matrix: float64[B, 2 + C, 2 + C], the two columns first.

    Returns:
        float64[B]; NaN where the controls determine one of the two, or a correlation does not exist.
    """
    if matrix.shape[1] == 3:
        return partial(matrix[:, 0, 1], matrix[:, 0, 2], matrix[:, 1, 2])
    out = np.full(len(matrix), np.nan)
    finite = np.isfinite(matrix).all(axis=(1, 2))
    known = matrix[finite]
    across = known[:, :2, 2:]
    inverse = np.linalg.pinv(known[:, 2:, 2:], rcond=1e-10, hermitian=True)
    rest = known[:, :2, :2] - across @ inverse @ across.transpose(0, 2, 1)
    left = np.minimum(rest[:, 0, 0], rest[:, 1, 1])
    scale = np.sqrt(np.maximum(rest[:, 0, 0] * rest[:, 1, 1], DETERMINED**2))
    out[finite] = np.where(left > DETERMINED, np.clip(rest[:, 0, 1] / scale, -1.0, 1.0), np.nan)
    return out
