"""dextr: how independent the channels are, and how strongly the output bends."""

from torch import Tensor

from zcbench.harness.metric import Checked, metric, undefined_where
from zcbench.harness.passes.feature_conditions import FeatureConditions
from zcbench.harness.passes.output_curvature import OutputCurvature


@metric(
    "dextr",
    version=1,
    cite="Asthana, Conrad, Ortmanns, Belagiannis: Dextr, TMLR 2025, arXiv:2508.12977; settings as in the authors' "
    "script for NAS-Bench-201",
    caveats="One image, and one point of one circle, are looked at: a draw decides a good part of the value. The "
    "authors' code also counts every module that contains others, whose number depends on how a network is written; "
    "here modules without children count. Where their curvature is not a number they return the first term alone, on "
    "another scale, and 12345 after an error; here the metric is undefined. Their code for NASLib differentiates the "
    "sum of the outputs, whose curvature is 0 by definition. Undefined where one image leaves a batch norm a single "
    "value a channel. The auxiliary head of DARTS networks, in which it does, is not looked at.",
    higher_is_better=True,
    conditions=FeatureConditions(),
    curvature=OutputCurvature(),
)
def dextr(conditions: Tensor, curvature: Tensor) -> Checked:
    """Score D C / (D + C), half the harmonic mean of convergence and expressivity.

    D = log(1 + Σ_m σ_min/σ_max) over modules m without children, σ the singular values of the matrix channels x
    positions of m's output for the first image. C = log(1 + κ), κ the extrinsic curvature of the output while the
    input moves along a circle of radius 1 in a random plane of images of 64 x 64, at one point. Batch norm in training
    mode, on one image each.

    Args:
        conditions: the sum of quotients.
        curvature: κ.

    Returns:
        The score, []; undefined where the output does not move, or neither term is above 0.
    """
    independence, bending = conditions.log1p(), curvature.log1p()
    score = independence * bending / (independence + bending)
    return undefined_where(
        score,
        (conditions.isnan(), "features of a layer are not finite"),
        (~curvature.isfinite(), "the output does not move along the circle, or too strongly"),
        (independence + bending == 0, "no features are independent and the output does not bend"),
    )
