"""plain: connection sensitivity with its sign."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters, ParamGradient


@metric(
    "plain",
    version=1,
    cite="Abdelfattah, Mehrotra, Dudziak, Lane: Zero-Cost Proxies for Lightweight NAS, ICLR 2021, arXiv:2101.08134",
    caveats="A layer followed by batch norm is scale-invariant, so its sum is 0 up to rounding and only the "
    "classifier contributes: two seeds agree in rank only .10 (NASLib, 24 cells).",
    higher_is_better=True,
    weights=Parameters(),
    gradients=ParamGradient(),
)
def plain(weights: dict[str, Tensor], gradients: dict[str, Tensor]) -> Tensor:
    """Sum weight times gradient, Σ_w w · ∂L/∂w, signed.

    Args:
        weights: W_l of every Conv2d and Linear layer.
        gradients: ∂L/∂W_l, L the mean cross-entropy.

    Returns:
        The sum, [].
    """
    return torch.stack([(w * gradients[k]).sum(dtype=torch.float64) for k, w in weights.items()]).sum()
