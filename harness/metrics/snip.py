"""snip: connection sensitivity."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters, ParamGradient


@metric(
    "snip",
    version=1,
    cite="Lee, Ajanthan, Torr: SNIP, ICLR 2019, arXiv:1810.02340; as an architecture score: "
    "Abdelfattah et al., ICLR 2021, arXiv:2101.08134",
    caveats="The absolute value is taken for each weight of the gradient of the mean loss. "
    "HNAS defines another metric under this name (mean over images of |θ·g_i|).",
    higher_is_better=True,
    weights=Parameters(),
    gradients=ParamGradient(),
)
def snip(weights: dict[str, Tensor], gradients: dict[str, Tensor]) -> Tensor:
    """Sum the sensitivity of the loss to removing each weight, Σ_w |w · ∂L/∂w|.

    Args:
        weights: W_l of every Conv2d and Linear layer.
        gradients: ∂L/∂W_l, L the mean cross-entropy.

    Returns:
        The sum, [].
    """
    return torch.stack([(w * gradients[k]).abs().sum(dtype=torch.float64) for k, w in weights.items()]).sum()
