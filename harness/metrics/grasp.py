"""grasp: what removing a weight does to the gradient flow."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import HessianGradient, Parameters


@metric(
    "grasp",
    version=1,
    cite="Wang, Zhang, Grosse: GraSP, ICLR 2020, arXiv:2002.07376; as an architecture score: "
    "Abdelfattah et al., ICLR 2021, arXiv:2101.08134",
    caveats="Signed and very noisy: two seeds agree in rank only .39 (NASLib, 24 cells). The sign is the one "
    "of zero-cost-nas, which was chosen after looking at correlations; it is kept, not tuned.",
    higher_is_better=True,
    weights=Parameters(),
    products=HessianGradient(),
)
def grasp(weights: dict[str, Tensor], products: dict[str, Tensor]) -> Tensor:
    """Sum the gradient-flow sensitivity, Σ_w −w · (H g)_w.

    g = ∂L/∂w is held constant, H is the Hessian of the mean cross-entropy L, temperature 1.

    Args:
        weights: W_l of every Conv2d and Linear layer.
        products: (H g)_l.

    Returns:
        The sum, [].
    """
    return torch.stack([-(w * products[k]).sum(dtype=torch.float64) for k, w in weights.items()]).sum()
