"""nwot: how many different linear regions a mini-batch falls into."""

import torch
from torch import Tensor

from zcbench.harness.metric import Checked, metric, undefined_where
from zcbench.harness.passes.spec import ReluGram


@metric(
    "nwot",
    version=1,
    cite="Mellor, Turner, Storkey, Crowley: Neural Architecture Search without Training, ICML 2021, "
    "arXiv:2006.04647; as in NASLib",
    caveats="NASLib's form: batch norm in training mode, every ReLU counts, also on dead edges. The authors' "
    "own form leaves out ReLUs that the backward pass does not visit.",
    higher_is_better=True,
    gram=ReluGram(),
)
def nwot(gram: Tensor) -> Checked:
    """Score the kernel of binary ReLU codes, log |det K|.

    K = Σ_layers C Cᵀ + (1 − C)(1 − C)ᵀ with C the binary code of an image, 1 where a ReLU's input is positive.

    Args:
        gram: K, float64 [N, N].

    Returns:
        log |det K|, []; undefined where two images have the same code.
    """
    values = gram.diagonal()  # every image agrees with itself everywhere
    # Compared as counts, which are exact: rounding may leave a singular matrix a determinant.
    twins = (gram == values).sum() > len(gram)
    logarithm = torch.linalg.slogdet(gram).logabsdet
    return undefined_where(logarithm, (twins, "two images have the same ReLU code, so det K = 0"))
