"""grad_norm: the gradient norms of the layers, added up."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import ParamGradient


@metric(
    "grad_norm",
    version=1,
    cite="Abdelfattah, Mehrotra, Dudziak, Lane: Zero-Cost Proxies for Lightweight NAS, ICLR 2021, arXiv:2101.08134",
    caveats="A sum of norms, not the norm of the whole gradient: it grows with depth.",
    higher_is_better=True,
    gradients=ParamGradient(),
)
def grad_norm(gradients: dict[str, Tensor]) -> Tensor:
    """Add up the gradient norms of the layers, Σ_l ‖∂L/∂W_l‖₂.

    L is the cross-entropy, mean over the mini-batch, with batch normalisation in training mode.

    Args:
        gradients: ∂L/∂W_l of every Conv2d and Linear layer.

    Returns:
        The sum, [].
    """
    return torch.stack([g.double().norm() for g in gradients.values()]).sum()
