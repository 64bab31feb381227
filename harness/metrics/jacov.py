"""jacov: how different the network's input gradients are for different images."""

import torch
from torch import Tensor

from zcbench.harness.metric import Checked, metric, undefined_where
from zcbench.harness.passes.spec import InputGradientCorrelation

K = 1e-5


@metric(
    "jacov",
    version=1,
    cite="Mellor, Turner, Storkey, Crowley: Neural Architecture Search without Training, first version, "
    "arXiv:2006.04647v1; as in Abdelfattah et al., ICLR 2021, arXiv:2101.08134",
    caveats="Dominated by 1/(λ+k) of eigenvalues near zero. Batch norm in training mode couples the images. "
    "Also called jacob_cov. Where training-mode batch norm stands right before the pooling and the linear "
    "head, as in TransNAS-Bench-101, the sum of the logits does not depend on the images: the score is rounding there.",
    higher_is_better=True,
    correlation=InputGradientCorrelation(),
)
def jacov(correlation: Tensor) -> Checked:
    """Score the spectrum of the correlation of input gradients, −Σ_i [log(λ_i + k) + 1/(λ_i + k)], k = 10⁻⁵.

    λ are the eigenvalues of the Pearson correlation matrix of the rows J_n = ∂(Σ_c f_c(x_n))/∂x_n.

    Args:
        correlation: float64 [N, N], NaN where a row is constant.

    Returns:
        The score, []; undefined where a row is constant.
    """
    constant = correlation.isnan().any()
    eigenvalues = torch.linalg.eigvalsh(correlation.nan_to_num(0.0)) + K
    score = -(eigenvalues.log() + 1 / eigenvalues).sum()
    return undefined_where(score, (constant, "the input gradient of an image is constant"))
