"""How far the channels of every layer's features are from being linearly dependent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zcbench.harness.metric import Undefined
from zcbench.harness.passes.run import Run
from zcbench.harness.passes.spec import Forward, Passes, Procedure, Quantity

ONE_IMAGE = Forward(samples=1)


@dataclass(frozen=True)
class FeatureConditions(Procedure):
    """Σ_m σ_min / σ_max of the features of the first image behind every module without children: float64 [].

    Features are a matrix, channels times positions; a vector is a matrix of one column, with the quotient 1. Features
    of lower rank, to working precision, count 0.
    """

    forward: Forward = ONE_IMAGE

    @property
    def passes(self) -> Passes:
        """One forward of one image."""
        return Passes(forwards=1)

    def compute(self, run: Run) -> Tensor:
        """Return the sum.

        Raises:
            Undefined: where batch norm cannot normalise what one image leaves it, or nothing has features.
        """
        recorder = FeatureConditionsRecorder(self)
        with single_image():
            run.open(self.forward, recorders=[recorder], graph=False)
        return recorder.value()


@contextmanager
def single_image() -> Iterator[None]:
    """Say why a network in training mode does not take one image, where it does not.

    Raises:
        Undefined: in place of the error of PyTorch's batch norm.
    """
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise Undefined(
            "a batch norm gets a single value a channel from one image: the images are too small for this network"
        ) from error


class FeatureConditionsRecorder:
    """Keeps the smaller Gram matrix of every feature matrix, in float64, whose eigenvalues are the squares."""

    types = (nn.Module,)

    def __init__(self, quantity: Quantity) -> None:
        self.quantity = quantity
        self._grams: dict[int, list[Tensor]] = {}

    def wants(self, module: nn.Module) -> bool:
        """Whether a module does something itself: what contains others repeats their features."""
        return next(module.children(), None) is None

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG002
        """Keep one Gram matrix."""
        if not isinstance(output, Tensor) or output.dim() < 2:
            return
        first = output.detach()[0].double()
        features = first.reshape(len(first), -1)  # [c, h w]
        channels, positions = features.shape
        gram = features @ features.T if channels <= positions else features.T @ features
        self._grams.setdefault(len(gram), []).append(gram)

    def value(self) -> Tensor:
        """Return the sum."""
        if not self._grams:
            raise Undefined("no module has features")
        return torch.stack([quotients(torch.stack(grams)).sum() for _, grams in sorted(self._grams.items())]).sum()


def quotients(grams: Tensor) -> Tensor:
    """σ_min / σ_max from Gram matrices: [m, d, d] to [m]; NaN where one is not finite, on which eigvalsh fails."""
    finite = grams.isfinite().flatten(1).all(1)
    eigenvalues = torch.linalg.eigvalsh(torch.where(finite[:, None, None], grams, 1.0))
    smallest, largest = eigenvalues[:, 0], eigenvalues[:, -1]
    full = smallest > largest * (grams.shape[-1] * torch.finfo(grams.dtype).eps)
    found = torch.where(full, torch.where(full, smallest, 0.0) / torch.where(full, largest, 1.0), 0.0).sqrt()
    return torch.where(finite, found, torch.nan)
