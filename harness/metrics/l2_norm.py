"""l2_norm: how large the initial weights are."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters


@metric(
    "l2_norm",
    version=1,
    cite="Abdelfattah, Mehrotra, Dudziak, Lane: Zero-Cost Proxies for Lightweight NAS, ICLR 2021, arXiv:2101.08134",
    caveats="Depends on nothing but shapes and the scale of the initialisation: with any scaled-uniform or "
    "normal initialisation it is a weighted count of layers.",
    higher_is_better=True,
    weights=Parameters(),
)
def l2_norm(weights: dict[str, Tensor]) -> Tensor:
    """Add up the norms of the initial weights, Σ_l ‖W_l‖₂.

    Args:
        weights: W_l of every Conv2d and Linear layer.

    Returns:
        The sum, [].
    """
    return torch.stack([w.double().norm() for w in weights.values()]).sum()
