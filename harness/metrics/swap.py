"""swap: the number of distinct sample-wise activation patterns."""

import torch
from torch import Tensor

from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import MAX_PATTERN_BITS, ActivationPatterns, Forward, Weights

BOUNDS = {"repeats": (1, 1000), "samples": (2, MAX_PATTERN_BITS)}


def patterns(repeats: int, samples: int) -> tuple[ActivationPatterns, ...]:
    """Return the pattern counts of so many networks with redrawn weights, on the first images of the batch."""
    return tuple(
        ActivationPatterns(Forward(weights=Weights.NORMAL, draw=number, samples=samples))
        for number in range(repeats)
    )


@metric(
    "swap",
    version=1,
    cite="Peng, Song, Fayek, Ciesielski, Chang: SWAP-NAS, ICLR 2024, arXiv:2403.04161",
    caveats="4 re-initialisations by default, the paper uses 32: swap(repeats=32). 16 images, as in the paper; "
    "the count saturates at 2^16. Grows with resolution and width.",
    higher_is_better=True,
    parameters={"repeats": 4, "samples": 16},
    bounds=BOUNDS,
    counts=patterns,
)
def swap(counts: tuple[Tensor, ...]) -> Tensor:
    """Average the number of distinct sample-wise activation patterns.

    mean_r |{(1[a_v(x_1) > 0], ..., 1[a_v(x_S) > 0]) : v}|, where v runs over all positions
    and channels behind every ReLU with 4-D values, S = ``samples``, and r over ``repeats`` networks with weights
    redrawn from N(0, 1), batch norm in training mode.

    Args:
        counts: the number of distinct patterns of each network.

    Returns:
        Their mean, [].
    """
    return torch.stack(counts).double().mean()
