"""Linear regions: how many different ReLU patterns the samples of a thin network have."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zcbench.harness.device import moved
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.initialise import seeded
from zcbench.harness.metric import Undefined
from zcbench.harness.passes.run import MiniBatch, Run
from zcbench.harness.passes.spec import MAX_PATTERN_BITS, Forward, Passes, Procedure, Quantity, Weights

SIDE = 3
"""Height and width of a sample, which has one channel."""

FORWARDS = 3
"""Forwards whose samples are counted together; each has its own statistics of batch norm."""


class SamplePatternRecorder:
    """Keeps for every sample which values behind ReLUs with 4-D input are positive."""

    types = (nn.ReLU,)

    def __init__(self, quantity: Quantity) -> None:
        self.quantity = quantity
        self._codes: list[Tensor] = []

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG002
        """Keep the codes of one layer, bool [S, V]."""
        if inputs[0].dim() == 4:
            self._codes.append((output.detach() > 0).flatten(1))

    def value(self) -> Tensor:
        """Return the codes of all layers, bool [S, U]."""
        if not self._codes:
            raise Undefined("the thin network has no nn.ReLU layer with 4-D input")
        return torch.cat(self._codes, dim=1)


@dataclass(frozen=True)
class LinearRegions(Procedure):
    """Number of different patterns of 3 x `samples` samples for each of `repeats` draws: int64 [repeats].

    The samples are single channels of 3x3 crops of the mini-batch's images, drawn anew for every repeat; the network
    is the thin one of the architecture (`zcbench.harness.space.SearchSpace.thin`) with Kaiming weights.

    Attributes:
        repeats: draws of weights and samples.
        samples: samples of one forward.
    """

    repeats: int = 3
    samples: int = 1000

    @property
    def passes(self) -> Passes:
        """Three forwards of a thin network for every repeat."""
        return Passes(forwards=FORWARDS * self.repeats, words="each of a thin network on crops of 3x3")

    def compute(self, run: Run) -> Tensor:
        """Return the numbers of patterns.

        Raises:
            Undefined: for a network that comes from nowhere, or a space without thin networks.
        """
        if run.origin is None:
            raise Undefined("needs the search space of the network, which builds its thin network")
        try:
            thin = run.origin.space.thin(run.origin.architecture)
        except ZcbenchError as error:
            raise Undefined(str(error)) from error
        thin.to_empty(device=run.batch.inputs.device)  # every forward brings its own weights
        return torch.stack([self._count(run, thin, number) for number in range(self.repeats)])

    def _count(self, run: Run, thin: nn.Module, number: int) -> Tensor:
        crops = [self._crops(run, number, forward) for forward in range(FORWARDS)]
        nothing = torch.zeros(self.samples, dtype=torch.int64, device=crops[0].device)
        batch = MiniBatch(crops[0], nothing, 1, further=tuple((c, nothing) for c in crops[1:]))
        inner = Run(thin, batch, (*run.key, "thin", number), run.clock, origin=run.origin)
        codes = []
        for forward in range(FORWARDS):
            recorder = SamplePatternRecorder(self)
            inner.open(Forward(weights=Weights.KAIMING, batch=forward), recorders=[recorder], graph=False)
            codes.append(recorder.value())
        return distinct_rows(torch.cat(codes))

    def _crops(self, run: Run, number: int, forward: int) -> Tensor:
        """Draw image, channel and corner of every sample: [samples, 1, 3, 3]."""
        images = run.batch.inputs
        n, channels, height, width = images.shape
        if min(height, width) < SIDE:
            raise Undefined(f"needs images of {SIDE}x{SIDE} or more")
        generator = seeded(*run.key, "crops", number, forward)
        image, channel, row, column = (
            moved(torch.randint(0, limit, (self.samples, 1, 1), generator=generator), images.device)
            for limit in (n, channels, height - SIDE + 1, width - SIDE + 1)
        )
        steps = torch.arange(SIDE, device=images.device)
        return images[image, channel, row + steps[:, None], column + steps][:, None]


def distinct_rows(codes: Tensor) -> Tensor:
    """Count the different rows, exactly.

    Every 62 columns are packed into an integer. The rows are numbered by the first integer, then by pairs of that
    number and the next integer, and so on.

    Args:
        codes: bool [S, U], S below 2^31.

    Returns:
        int64 [].
    """
    numbers = torch.zeros(len(codes), dtype=torch.int64, device=codes.device)
    for word in torch.split(codes, MAX_PATTERN_BITS, dim=1):
        packed = torch.zeros_like(numbers)
        for bit in word.unbind(dim=1):
            packed = packed.mul_(2).add_(bit)
        numbers = _dense(numbers * len(codes) + _dense(packed))
    return numbers.max() + 1


def _dense(values: Tensor) -> Tensor:
    """Number values from 0 in their order, equal ones alike: int64 [S]."""
    ordered, places = values.sort()
    steps = torch.zeros_like(ordered)
    steps[1:] = (ordered[1:] != ordered[:-1]).long()
    return torch.empty_like(values).scatter_(0, places, steps.cumsum(0))
