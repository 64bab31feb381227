"""layers: the number of layers with weights."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters


@metric(
    "layers",
    version=1,
    cite="baseline; listed as #trainable layers by Tybl, Neumann: Training-free NAS through Variance of "
    "Knowledge of Deep Network Weights (VKDNW), CVPR 2025, arXiv:2502.04975",
    caveats="A trivial baseline that many published metrics do not beat on NAS-Bench-201.",
    higher_is_better=True,
    weights=Parameters(),
)
def layers(weights: dict[str, Tensor]) -> Tensor:
    """Count the Conv2d and Linear modules.

    Args:
        weights: their weights by name, one a module.

    Returns:
        Their number, [].
    """
    return torch.tensor(len(weights), dtype=torch.float64)
