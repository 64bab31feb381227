"""fisher: channel saliency of activations."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import ChannelFisher, Parameters


@metric(
    "fisher",
    version=1,
    cite="Theis et al.: Faster gaze prediction with dense networks and Fisher pruning, arXiv:1801.05787; "
    "as an architecture score: Abdelfattah et al., ICLR 2021, arXiv:2101.08134",
    caveats="The value of a channel is counted once for every weight of that channel, as zero-cost-nas and "
    "NASLib do; the plain sum over channels ranks architectures differently.",
    higher_is_better=True,
    weights=Parameters(),
    channels=ChannelFisher(),
)
def fisher(weights: dict[str, Tensor], channels: dict[str, Tensor]) -> Tensor:
    """Sum the Fisher information of channels over the weights of each channel.

    Σ_l Σ_c n_l · ½ mean_n (Σ_space a_c ∂L/∂a_c)², where a is the output of a Conv2d or Linear layer
    (before batch norm), n_l the number of weights behind one channel and L the mean cross-entropy.

    Args:
        weights: W_l, [c, ...].
        channels: ½ mean_n (Σ_space a g)², [c].

    Returns:
        The sum, [].
    """
    return torch.stack([f.sum(dtype=torch.float64) * weights[k][0].numel() for k, f in channels.items()]).sum()
