"""What the loss of single images says about the weights: first and second derivatives along them, and signs.

Symbols: N images, θ the weights of all Conv2d and Linear layers, ℓ_i the loss of image i, g_i = ∂ℓ_i/∂θ and
H_i = ∂²ℓ_i/∂θ².
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from zcbench.harness.metric import Checked, undefined_where
from zcbench.harness.passes.image_gradients import (
    ImagesAlone,
    LayerRecorder,
    differentiable,
    image_chunks,
    image_losses,
    image_rows,
    open_images,
)
from zcbench.harness.passes.jacobian import IN_TRAINING, UNTRAINED
from zcbench.harness.passes.run import Run
from zcbench.harness.passes.spec import Forward, Norm, Passes, Procedure


@dataclass(frozen=True)
class WeightSlopes(Procedure):
    """Derivatives of the losses along the weights, θᵀg_i: float64 [N].

    One forward pass that carries the derivative along, exact also where batch normalisation couples the images.
    """

    forward: Forward = UNTRAINED

    @property
    def passes(self) -> Passes:
        """One forward, with its derivative."""
        return Passes(1, 0, "with its derivative along the weights")

    def compute(self, run: Run) -> Tensor:
        """Return the derivative of every loss."""
        with torch.no_grad(), _along_weights(run, self.forward) as weights:
            return _tangent(image_losses(run, open_images(run, self.forward, slice(None), weights, [])))


@dataclass(frozen=True)
class GradientSlopes(Procedure):
    """How the gradients change along the weights, θᵀH_i g_i: float64 [N].

    H_i θ is the derivative of g_i along θ: a forward and a backward pass that carry derivatives along. With running
    statistics one backward pass serves all images; with the statistics of the batch every image takes its own.
    """

    forward: Forward = UNTRAINED

    @property
    def passes(self) -> Passes:
        """One forward and one backward, or one for every image, with their derivatives."""
        if self.forward.norm is Norm.RUNNING:
            return Passes(1, 1, "with their derivatives along the weights")
        return Passes(1, 0, "a backward for every image, with its derivative along the weights")

    def compute(self, run: Run) -> Tensor:
        """Return (H_i θ)ᵀ g_i for every image."""
        if self.forward.norm is Norm.RUNNING:
            return torch.cat([self._of_images(run, images) for images in image_chunks(run, self.forward)])
        with _along_weights(run, self.forward) as weights:
            losses = image_losses(run, open_images(run, self.forward, slice(None), weights, []))
            return torch.stack([_slope_of_one(loss, [weights[name] for name in run.names]) for loss in losses])

    def _of_images(self, run: Run, images: slice) -> Tensor:
        """One backward pass for all these images."""
        recorder = LayerRecorder(self)
        with _along_weights(run, self.forward) as weights:
            losses = image_losses(run, open_images(run, self.forward, images, weights, [recorder]), images)
            found = image_rows([losses.sum()], recorder.layers())
            return torch.stack([_times_tangent(rows[0]) for _, rows in found]).sum(0)


@dataclass(frozen=True)
class LoneGradients:
    """Gradients of the losses of images that each ran alone.

    Attributes:
        agreement: Σ_w |Σ_i sign(∂ℓ_i/∂w)|, float64 [].
        mean_product: (1/N²) Σ_ij g_iᵀ g_j, float64 [].
        broken: whether a loss is no number, bool [].
    """

    agreement: Tensor
    mean_product: Tensor
    broken: Tensor

    def checked(self, value: Tensor) -> Checked:
        """Return a value that is undefined where a loss is no number."""
        why = "the loss of an image alone is no number: batch norm over a single position has no variance"
        return undefined_where(value, (self.broken, why))


@dataclass(frozen=True)
class ImagesAloneGradients(Procedure):
    """Signs and products of the gradients of images that run alone, in training mode: `LoneGradients`.

    Batch normalisation with a mini-batch of one image normalises over the positions of that image, which one pass
    over several images does as well, layer by layer; see `ImagesAlone`.
    """

    @property
    def passes(self) -> Passes:
        """One forward and one backward."""
        return Passes(1, 1, "a gradient for every image")

    def compute(self, run: Run) -> LoneGradients:
        """Add up signs and gradients of all images, layer by layer.

        The mean of the Gram matrix is the squared norm of the mean gradient.
        """
        signs: dict[int, Tensor] = {}
        sums: dict[int, Tensor] = {}
        losses = []
        for images in image_chunks(run, IN_TRAINING):
            recorder = LayerRecorder(self)
            with ImagesAlone():
                logits = open_images(run, IN_TRAINING, images, differentiable(run, IN_TRAINING), [recorder])
            losses.append(image_losses(run, logits, images))
            for number, (rows,) in image_rows([losses[-1].sum()], recorder.layers()):
                signs[number] = signs.get(number, 0) + rows.sign().sum(0)
                sums[number] = sums.get(number, 0) + rows.sum(0, dtype=torch.float64)
        every = torch.cat(losses).detach()
        agreement = torch.stack([s.abs().sum(dtype=torch.float64) for s in signs.values()]).sum()
        products = torch.stack([s.square().sum() for s in sums.values()]).sum()
        return LoneGradients(agreement, products / len(every) ** 2, ~every.isfinite().all())


@contextmanager
def _along_weights(run: Run, forward: Forward) -> Iterator[dict[str, Tensor]]:
    """Let the weights move along themselves, θ(t) = (1 + t) θ: everything computed inside carries its d/dt at t = 0.

    Yields:
        All parameters by name.
    """
    kept, names = run.weights(forward.weights, forward.dtype, forward.draw), run.weighted()
    with forward_ad.dual_level():
        yield {name: _moving(p) if name in names else p for name, p in kept.items()}


def _moving(weight: Tensor) -> Tensor:
    """Return a weight that is its own derivative."""
    with warnings.catch_warnings():
        # The first call loads PyTorch's own forward rules, which are still written with torch.jit.script.
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        dual: Tensor = forward_ad.make_dual(weight.detach().requires_grad_(), weight)  # type: ignore[no-untyped-call]
    return dual


def _parts(values: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return values and the derivative that they carry, if any."""
    value, carried = forward_ad.unpack_dual(values)  # type: ignore[no-untyped-call]
    return value, carried


def _tangent(values: Tensor) -> Tensor:
    """Return the derivative that is carried along, 0 where there is none: float64, of the same shape."""
    _, carried = _parts(values)
    return (torch.zeros_like(values) if carried is None else carried).detach().double()


def _times_tangent(rows: Tensor) -> Tensor:
    """Return the products of rows with their own derivatives: [N, p] to float64 [N]."""
    value, carried = _parts(rows)
    if carried is None:
        return torch.zeros_like(value[:, 0], dtype=torch.float64)
    return (value * carried).sum(1, dtype=torch.float64)


def _slope_of_one(loss: Tensor, weights: Sequence[Tensor]) -> Tensor:
    gradients = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    parts = [_times_tangent(g.reshape(1, -1)).sum() for g in gradients if g is not None]
    return torch.stack(parts).sum()
