"""epe_nas: correlation of input gradients within classes."""


from torch import Tensor

from zcbench.harness.metric import Checked, metric, undefined_where
from zcbench.harness.passes.spec import ClassCount, InputGradientCorrelation, Labels

K = 1e-5
FEW_CLASSES = 100


@metric(
    "epe_nas",
    version=1,
    cite="Lopes, Alirezazadeh, Alexandre: EPE-NAS, ICANN 2021, arXiv:2102.08099; as in NASLib",
    caveats="Says something only if some class (two, beyond 100 classes) has two images in the mini-batch: "
    "otherwise it is a constant, and undefined here. For more than 100 classes the published code uses "
    "another formula, so values are not comparable across that line. Where training-mode batch norm stands right "
    "before the pooling and the linear head, as in TransNAS-Bench-101, the sum of the logits does not depend on the "
    "images: the score is rounding there.",
    higher_is_better=True,
    correlation=InputGradientCorrelation(),
    labels=Labels(),
    classes=ClassCount(),
)
def epe_nas(correlation: Tensor, labels: Tensor, classes: int) -> Checked:
    """Score the within-class correlation of input gradients.

    With R_c the correlation matrix of the rows J_n = ∂(Σ f(x_n))/∂x_n of class c and
    e_c = Σ_ij log(|R_c,ij| + k), k = 10⁻⁵: up to 100 classes the score is Σ_c |e_c|. Beyond, e_c is
    divided by the number of images of class c, classes with one image are left out, and the score is
    Σ_{c,d} |e_c − e_d| / (number of classes left).

    Args:
        correlation: float64 [N, N].
        labels: int64 [N].
        classes: number of classes of the dataset.

    Returns:
        The score, [].
    """
    same = (labels[:, None] == labels[None, :]).double()  # [N, N]
    images = same.sum(dim=1)  # images in the class of image n, [N]
    # The scalar e_c is the same for all images of a class: it is kept once for each of them and divided out.
    entropy = same @ (same * (correlation.abs().nan_to_num(0.0) + K).log()).sum(dim=1)  # e_{c(n)}, [N]
    weight = (images > 1).double() / images  # adds up to the number of classes with several images
    if classes <= FEW_CLASSES:
        score = (entropy.abs() / images).sum()
        compared = weight.sum() > 0
    else:
        mean = entropy / images
        score = (weight[:, None] * weight[None, :] * (mean[:, None] - mean[None, :]).abs()).sum()
        score = score / weight.sum().clamp(min=1)
        compared = weight.sum() > 1.5  # differences between classes need two of them
    return undefined_where(
        score,
        (correlation.isnan().any(), "the input gradient of an image is constant"),
        (~compared, "no class has two images in the mini-batch, or only one where classes are compared"),
    )
