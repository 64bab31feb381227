"""synflow: how much signal flows through all paths."""

import torch
from torch import Tensor

from zcbench.harness.metric import Checked, metric, undefined_where
from zcbench.harness.passes.spec import (
    Dtype,
    Forward,
    Inputs,
    Norm,
    Parameters,
    ParamGradient,
    Target,
    VectorOutput,
    Weights,
)

FORWARD = Forward(inputs=Inputs.ONES, weights=Weights.ABSOLUTE, norm=Norm.OFF, dtype=Dtype.FLOAT64)


@metric(
    "synflow",
    version=1,
    cite="Tanaka, Kunin, Yamins, Ganguli: SynFlow, NeurIPS 2020, arXiv:2006.05467; as an architecture score: "
    "Abdelfattah et al., ICLR 2021, arXiv:2101.08134; logarithm as in NASLib",
    caveats="The logarithm of the sum is returned: the sum itself spans dozens of orders of magnitude. Depends "
    "on the number of classes and on the resolution. Needs float64. Undefined for networks whose output is an image.",
    higher_is_better=True,
    weights=Parameters(weights=Weights.ABSOLUTE, dtype=Dtype.FLOAT64),
    gradients=ParamGradient(Target.LOGIT_SUM, FORWARD),
    vector=VectorOutput(),
)
def synflow(weights: dict[str, Tensor], gradients: dict[str, Tensor], vector: bool) -> Checked:  # noqa: ARG001
    """Score the synaptic flow, log Σ_w |w · ∂R/∂w|.

    R is the sum of the logits for one image of ones, with the absolute value of every parameter, batch
    norm replaced by the identity, in float64.

    Args:
        weights: |W_l| of every Conv2d and Linear layer.
        gradients: ∂R/∂|W_l|.
        vector: that the output is a vector; the published scores exist for such networks only.

    Returns:
        The natural logarithm of the sum, []; undefined where nothing flows.
    """
    flow = torch.stack([(w * gradients[k]).abs().sum() for k, w in weights.items()]).sum()
    return undefined_where(flow.log(), (flow == 0, "no signal flows from the input to the output"))
