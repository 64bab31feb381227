"""grasp: what removing a weight does to the gradient flow."""

from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import WeightHessianGradient


@metric(
    "grasp",
    version=2,
    cite="Wang, Zhang, Grosse: GraSP, ICLR 2020, arXiv:2002.07376; as an architecture score: "
    "Abdelfattah et al., ICLR 2021, arXiv:2101.08134",
    caveats="Signed and very noisy: two seeds agree in rank only .39 (NASLib, 24 cells). The sign is the one "
    "of zero-cost-nas, which was chosen after looking at correlations; it is kept, not tuned.",
    higher_is_better=True,
    product=WeightHessianGradient(),
)
def grasp(product: Tensor) -> Tensor:
    """Sum the gradient-flow sensitivity, Σ_w −w · (H g)_w = −θᵀ H g.

    g = ∂L/∂w is held constant, H is the Hessian of the mean cross-entropy L, temperature 1, and θ are the weights of
    every Conv2d and Linear layer.

    Args:
        product: θᵀ H g.

    Returns:
        The sum, [].
    """
    return -product
