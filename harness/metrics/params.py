"""params: the number of trainable parameters."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import ParameterCount


@metric(
    "params",
    version=1,
    cite="baseline; recorded for NAS-Bench-201 by Dong, Yang: NAS-Bench-201, ICLR 2020, arXiv:2001.00326",
    caveats="A baseline that every new metric has to beat. Depends on the number of classes.",
    higher_is_better=True,
    count=ParameterCount(),
)
def params(count: int) -> Tensor:
    """Count the trainable parameters, in millions.

    Biases and normalisation parameters are included, as in the benchmark's own record.

    Args:
        count: number of parameters that require a gradient.

    Returns:
        count / 10^6, [].
    """
    return torch.tensor(count / 1e6, dtype=torch.float64)
