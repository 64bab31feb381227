"""swap_regularised: swap, drawn towards networks of a given size."""

import math

import torch
from torch import Tensor

from zcbench.harness.metric import REQUIRED, Checked, metric, undefined_where
from zcbench.harness.metrics.swap import BOUNDS, patterns
from zcbench.harness.passes.spec import ParameterCount

SMALLEST_SIGMA = 1e-12


@metric(
    "swap_regularised",
    version=1,
    cite="Peng, Song, Fayek, Ciesielski, Chang: SWAP-NAS, ICLR 2024, arXiv:2403.04161",
    caveats="mu and sigma have no default: the paper's values are not published. P is counted in thousands, as "
    "in the authors' code; sigma is not squared. The logarithm is returned, because the factor itself is 0 "
    "in floating point for most networks.",
    higher_is_better=True,
    parameters={"repeats": 4, "samples": 16, "mu": REQUIRED, "sigma": REQUIRED},
    bounds={**BOUNDS, "sigma": (SMALLEST_SIGMA, math.inf)},
    counts=patterns,
    count=ParameterCount(),
)
def swap_regularised(counts: tuple[Tensor, ...], count: int, mu: float, sigma: float) -> Checked:
    """Score log Ψ − (P − μ)²/σ, the logarithm of Ψ · exp(−(P − μ)²/σ).

    Args:
        counts: the number of distinct patterns of each network; Ψ is their mean.
        count: number of parameters; P = count / 1000.
        mu: μ, thousands of parameters.
        sigma: σ, squared thousands of parameters.

    Returns:
        The logarithm, [].
    """
    psi = torch.stack(counts).double().mean()
    score = psi.log() - (count / 1e3 - mu) ** 2 / sigma
    return undefined_where(score, (psi == 0, "there is no activation pattern"))
