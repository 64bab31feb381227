"""sign_agreement: how many weights a step of gradient descent would shrink."""

import torch
from torch import Tensor

from zcbench.harness.metric import Checked, metric, undefined_where
from zcbench.harness.passes.spec import Parameters, ParamGradient


@metric(
    "sign_agreement",
    version=2,
    cite="zcbench-chains, an example of a plug-in; not published",
    caveats="Close to 1/2 on every network: an example of a metric, not a proposal.",
    higher_is_better=True,
    weights=Parameters(),
    gradients=ParamGradient(),
)
def sign_agreement(weights: dict[str, Tensor], gradients: dict[str, Tensor]) -> Checked:
    """Return the share of weights w with w · ∂L/∂w > 0, among those whose gradient is not zero.

    Args:
        weights: W_l of every Conv2d and Linear layer.
        gradients: ∂L/∂W_l, L the mean cross-entropy.

    Returns:
        The share, []; undefined where all gradients are zero.
    """
    agree = torch.stack([(w * gradients[name] > 0).sum(dtype=torch.float64) for name, w in weights.items()]).sum()
    moved = torch.stack([(g != 0).sum(dtype=torch.float64) for g in gradients.values()]).sum()
    return undefined_where(agree / moved, (moved == 0, "no gradient reaches a weight"))
