"""flops: multiply-accumulates of one forward pass."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import MultiplyAccumulates


@metric(
    "flops",
    version=1,
    cite="baseline; recorded for NAS-Bench-201 by Dong, Yang: NAS-Bench-201, ICLR 2020, arXiv:2001.00326",
    caveats="Multiply-accumulates, not twice that. NASLib's column of the same name also counts pooling and "
    "other operations, so it is larger. Depends on the resolution of the images.",
    higher_is_better=True,
    counts=MultiplyAccumulates(),
)
def flops(counts: dict[str, int]) -> Tensor:
    """Count multiply-accumulates for one image, in millions.

    Σ over Conv2d and Linear layers of (output values × weights for each of them), plus one for each bias
    entry of a Linear layer: what the official records of NAS-Bench-201 call ``flop``. A transposed convolution
    counts input values × weights for each of them.

    Args:
        counts: multiply-accumulates by layer.

    Returns:
        Σ counts / 10^6, [].
    """
    return torch.tensor(sum(counts.values()) / 1e6, dtype=torch.float64)
