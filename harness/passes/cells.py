"""Between the cells: spectra of their outputs, and how strongly each cell passes gradients back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zcbench.harness.device import moved
from zcbench.harness.initialise import seeded
from zcbench.harness.metric import Undefined
from zcbench.harness.passes.run import Run
from zcbench.harness.passes.spec import Forward, Inputs, Passes, Procedure, Quantity, Weights

FORWARD = Forward(inputs=Inputs.GAUSSIAN, weights=Weights.KAIMING)
"""As many Gaussian inputs as the mini-batch has images, Kaiming weights, norms with the statistics of the batch."""

LOGARITHM_OF_ZERO = 1e-8
"""Added to a share before its logarithm is taken."""


@dataclass(frozen=True)
class CellStatistics:
    """What `AcrossCells` finds on K - 1 cells in a row: their K features are the first input and all outputs.

    Attributes:
        entropies: −Σ_j p_j log(p_j + 10⁻⁸), p_j the share of eigenvalue j in the covariance matrix of the
            channels, float64 [K]; NaN where a feature is constant.
        norms: spectral norm of the averaged outer product of g_in and g_out, float64 [K - 1].
        identities: whether g_in is g_out to the bit, bool [K - 1].
        even: whether every cell divides height and width by a whole number; if not, there are no norms.
    """

    entropies: Tensor
    norms: Tensor
    identities: Tensor
    even: bool


class CellRecorder:
    """Keeps the input of the first cell and the outputs of all, each where the cell runs for the first time."""

    types = (nn.Module,)

    def __init__(self, quantity: Quantity) -> None:
        self.quantity = quantity
        self.features: list[Tensor] = []
        self._names: set[str] = set()

    def wants(self, module: nn.Module) -> bool:
        """Look at the modules that a search space has marked as cells."""
        return bool(getattr(module, "is_cell", False))

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG002
        """Keep one output; of several inputs, the last one is the output of the cell before."""
        if not self.features:
            self.features.append(inputs[-1])
        if name not in self._names:
            self._names.add(name)
            self.features.append(output)


@dataclass(frozen=True)
class AcrossCells(Procedure):
    """Spectra and backward gains of the cells: `CellStatistics`.

    One forward of Gaussian inputs through Kaiming weights. For every cell Rademacher g_out, +1 or −1 with
    probability 1/2, goes back from its output to its input, which gives g_in: all cells together cost one
    backward pass, and none of it with respect to weights.
    """

    @property
    def passes(self) -> Passes:
        """One forward, and one backward that is cut into the cells."""
        return Passes(forwards=1, backwards=1)

    def compute(self, run: Run) -> CellStatistics:
        """Return the statistics.

        Raises:
            Undefined: where the search space has marked no cells.
        """
        recorder = CellRecorder(self)
        run.open(FORWARD, of_inputs=True, recorders=[recorder])
        features = recorder.features
        if not features:
            raise Undefined("the network has no cells to look between")
        entropies = torch.stack([spectral_entropy(f.detach()) for f in features])
        gains = [_gain(run, number, *features[number : number + 2]) for number in range(len(features) - 1)]
        norms = [norm for norm, _ in gains if norm is not None]
        return CellStatistics(
            entropies, torch.stack(norms) if norms else entropies[1:], torch.stack([same for _, same in gains]),
            even=len(norms) == len(gains),
        )  # fmt: skip


def spectral_entropy(feature: Tensor) -> Tensor:
    """Return the entropy of the normalised eigenvalues of the covariance of the channels.

    Args:
        feature: [N, C, H, W]; every position of every image is an observation.

    Returns:
        float64 []; NaN where the feature is constant.
    """
    rows = feature.permute(0, 2, 3, 1).flatten(0, 2).double()  # [N H W, C]
    rows = rows - rows.mean(dim=0, keepdim=True)
    eigenvalues = torch.linalg.eigvalsh(rows.T @ rows / len(rows)).clamp(min=0)
    shares = eigenvalues / eigenvalues.sum()
    entropy: Tensor = -(shares * (shares + LOGARITHM_OF_ZERO).log()).sum()
    return entropy


def _gain(run: Run, number: int, before: Tensor, after: Tensor) -> tuple[Tensor | None, Tensor]:
    """Send random signs back through one cell.

    Returns:
        The spectral norm, float64 [], None where the sides do not divide; and whether the signs came back as they were.
    """
    n, channels, height, width = after.shape
    draw = torch.randint(0, 2, (n, height, width, channels), generator=seeded(*run.key, "signs of cells", number))
    g_out = moved(draw.to(after.dtype), after.device).mul_(2).sub_(1).permute(0, 3, 1, 2)  # laid out channels last
    (g_in,) = torch.autograd.grad(after, before, g_out, allow_unused=True, materialize_grads=True)
    same = (g_in == g_out).all() if g_in.shape == g_out.shape else torch.zeros((), dtype=torch.bool, device=g_in.device)
    stride = before.shape[2] // height
    if before.shape[2:] != (stride * height, stride * width):
        return None, same
    g_in = functional.pixel_unshuffle(g_in, stride) if stride > 1 else g_in
    rows_in, rows_out = (g.permute(0, 2, 3, 1).flatten(0, 2).double() for g in (g_in, g_out))
    return torch.linalg.svdvals(rows_in.T @ rows_out / len(rows_out)).max(), same
