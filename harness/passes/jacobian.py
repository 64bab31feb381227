"""The Jacobian of the logits with respect to the weights: norms of its rows, and the kernel that they span.

J has one row for every image and output, ∂f_c(x_i)/∂θ, θ the weights of all Conv2d and Linear layers. With running
statistics (`Norm.RUNNING`) images do not influence one another, and one backward pass for an output gives its row of
every image. With the statistics of the batch every row takes a backward pass of its own, through all images.

Symbols: N images, C logits, R = N C rows, p weights of a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zcbench.harness.bound import SINGULAR
from zcbench.harness.metric import Checked, Undefined, undefined_where
from zcbench.harness.passes.image_gradients import (
    Call,
    LayerRecorder,
    bias_rows,
    differentiable,
    image_chunks,
    image_rows,
    open_images,
    vector,
    weight_rows,
)
from zcbench.harness.passes.run import Run
from zcbench.harness.passes.spec import Forward, Norm, Passes, Procedure
from zcbench.harness.passes.wide_layers import kernel_in_slices

KEPT = 2**25
"""Entries of rows that are kept at once, 256 MB in float64; a kernel of more is built in groups of layers, and that of
a single layer of more in slices of its output channels."""

UNTRAINED = Forward(norm=Norm.RUNNING)
"""The mini-batch, batch normalisation with the running statistics of an untrained network."""

IN_TRAINING = Forward()
"""The mini-batch, batch normalisation with its statistics."""

Rows = Callable[[Tensor, Sequence[int]], Iterator[tuple[int, Tensor]]]
"""(target [], numbers of layers) -> number of a layer and its rows of this target, [r, p]."""


@dataclass(frozen=True)
class JacobianNorms(Procedure):
    """Squared Frobenius norms ‖J_i‖² of the Jacobian of every image, over its C rows: float64 [N]."""

    forward: Forward = UNTRAINED

    @property
    def passes(self) -> Passes:
        """One forward, and as many backwards as there are rows that cannot be told apart afterwards."""
        return Passes(1, 0, _words(self.forward, each_output=True))

    def compute(self, run: Run) -> Tensor:
        """Add up the squares of every row, layer by layer."""
        if self.forward.norm is Norm.RUNNING:
            return torch.cat([self._of_images(run, images) for images in image_chunks(run, self.forward)])
        opened = run.open(self.forward, of_weights=run.weighted())
        weights = [opened.parameters[name] for name in run.names]
        norms = []
        for image in vector(run, opened.logits):
            parts = [_squares(rows) for one in image for _, rows in _plain_rows(one, weights, range(len(weights)))]
            norms.append(torch.stack(parts).sum())
        return torch.stack(norms)

    def _of_images(self, run: Run, images: slice) -> Tensor:
        """One backward pass for an output, for all these images."""
        recorder = LayerRecorder(self)
        logits = vector(run, open_images(run, self.forward, images, differentiable(run, self.forward), [recorder]))
        columns = [column.sum() for column in logits.T]
        parts = [_squares(rows).sum(0) for _, rows in image_rows(columns, recorder.layers())]
        return torch.stack(parts).sum(0)


@dataclass(frozen=True)
class TangentKernel(Procedure):
    """The empirical tangent kernel Θ = J Jᵀ: float64 [R, R].

    Attributes:
        forward: the pass that is differentiated.
        summed: take one row for every image, the gradient of the sum of its logits, instead of one for every output.
    """

    forward: Forward = UNTRAINED
    summed: bool = False

    @property
    def passes(self) -> Passes:
        """As `JacobianNorms`; once for every group of layers where the rows are too large to be kept at once."""
        words = _words(self.forward, each_output=not self.summed)
        return Passes(1, 0, words + ", again for every group of layers that fits the memory")

    def compute(self, run: Run) -> Tensor:
        """Add up the kernels of the layers; the order of the rows has no influence on its eigenvalues."""
        recorder = LayerRecorder(self)
        opened = run.open(self.forward, of_weights=run.weighted(), recorders=[recorder])
        logits = vector(run, opened.logits)
        outputs = logits.sum(1, keepdim=True) if self.summed else logits  # [N, C] or [N, 1]
        layers = recorder.layers()
        if self.forward.norm is Norm.RUNNING:
            columns = [outputs[:, c].sum() for c in range(outputs.shape[1])]

            def of_images(target: Tensor, numbers: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
                found = image_rows([target], [layers[n] for n in numbers])
                return ((numbers[place], rows[0]) for place, rows in found)

            return _kernel(columns, len(outputs), layers, of_images)
        order = {id(opened.parameters[name]): place for place, name in enumerate(run.names)}
        layers.sort(key=lambda layer: order[id(layer[0].weight)])
        weights = [layer[0].weight for layer in layers]
        entries = [one for image in outputs for one in image]
        return _kernel(entries, 1, layers, lambda target, numbers: _plain_rows(target, weights, numbers))


@dataclass(frozen=True)
class HookedTrace(Procedure):
    """Mean squared norm of the gradients that hooks see for the logit of the true class: float64 [].

    (1/N) Σ_i ‖g_i‖², where g_i is built from what entered every Conv2d and Linear layer for image i and from what the
    backward pass of Σ_j f_{y_j}(x_j) brought to its output for image i, with weights and biases. With the statistics
    of the batch that is not the gradient of any single output.
    """

    forward: Forward = IN_TRAINING

    @property
    def passes(self) -> Passes:
        """One forward and one backward."""
        return Passes(1, 1)

    def compute(self, run: Run) -> Tensor:
        """Add up the squares of weights and biases."""
        task = run.batch.task
        if task is not None and not task.classifies:
            raise Undefined(f"images have no class in the task {task.name}")
        recorder = LayerRecorder(self)
        opened = run.open(self.forward, of_weights=run.weighted(), recorders=[recorder])
        true = opened.logits.gather(1, run.batch.targets[: len(opened.logits), None]).sum()
        layers = recorder.layers()
        with_bias = [[c for c in layer if c.module.bias is not None] for layer in layers]
        found = [*image_rows([true], layers, weight_rows), *image_rows([true], with_bias, bias_rows)]
        return torch.stack([_squares(rows) for _, rows in found]).sum(0).mean()


def condition_number(kernel: Tensor, rounding: float | None = None) -> Checked:
    """Return κ = λ_max / λ_min of a kernel, in float64.

    Where λ_min is not larger than the rounding errors of the kernel, it is clamped to ε λ_max, ε = 2⁻⁵²: the value
    is then exactly `SINGULAR`, which no other kernel reaches, so that clamped values can be told apart and counted.

    Args:
        kernel: [R, R], symmetric.
        rounding: size of rounding errors in units of λ_max; the default R ε is that of float64 passes, and the
            tolerance of a numerical rank.

    Returns:
        κ, []; undefined where the kernel is zero or not finite.
    """
    infinite = ~kernel.isfinite().all()
    eigenvalues = torch.linalg.eigvalsh(kernel.double().nan_to_num(0.0, 0.0, 0.0))
    largest, smallest = eigenvalues[-1], eigenvalues[0]
    singular = smallest <= (len(kernel) / SINGULAR if rounding is None else rounding) * largest
    value = torch.where(singular, torch.full_like(largest, SINGULAR), largest / smallest)
    return undefined_where(
        value, (infinite, "the tangent kernel is not finite"), (largest <= 0, "the tangent kernel is zero")
    )


def _words(forward: Forward, *, each_output: bool) -> str:
    if forward.norm is Norm.RUNNING:
        return "a backward for every output"
    return "a backward for every image" + (" and output" if each_output else "")


def _squares(rows: Tensor) -> Tensor:
    """Return the squared norms of rows, summed in float64: [..., p] to [...]."""
    norms: Tensor = torch.linalg.vector_norm(rows.detach(), dim=-1, dtype=torch.float64)
    return norms.square()


def _plain_rows(target: Tensor, weights: Sequence[Tensor], numbers: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """Differentiate a scalar by some weights: number of the weight and its gradient [1, p], or nothing."""
    chosen = [weights[n] for n in numbers]
    gradients = torch.autograd.grad(target, chosen, retain_graph=True, allow_unused=True)
    yield from ((n, g.reshape(1, -1)) for n, g in zip(numbers, gradients, strict=True) if g is not None)


def _kernel(targets: Sequence[Tensor], each: int, layers: Sequence[Sequence[Call]], rows_of: Rows) -> Tensor:
    """Add up the kernels of layers.

    Args:
        targets: scalars.
        each: rows r that a target gives.
        layers: the calls of every layer.
        rows_of: gives the rows of a target.

    Returns:
        float64 [len(targets) r, len(targets) r]: the rows of the first target come first.
    """
    total = len(targets) * each
    kernel = targets[0].new_zeros((total, total), dtype=torch.float64)
    sizes = [layer[0].weight.numel() for layer in layers]
    for group in _groups(sizes, KEPT // total):
        if sizes[group[0]] > KEPT // total:  # it is alone
            kernel += kernel_in_slices(targets, each, layers[group[0]], KEPT)
            continue
        kept: dict[int, Tensor] = {}
        for place, target in enumerate(targets):
            for number, rows in rows_of(target, group):
                # A layer gives rows for all targets or for none: whether the output depends on it is its place's doing.
                if number not in kept:
                    kept[number] = kernel.new_empty((total, sizes[number]))
                kept[number][place * each : (place + 1) * each] = rows.detach()
        while kept:
            stacked = kept.pop(next(iter(kept)))
            kernel += stacked @ stacked.T
    return kernel


def _groups(sizes: Sequence[int], room: int) -> Iterator[list[int]]:
    """Part layers into runs of neighbours that fit the room together; a larger one is alone."""
    group: list[int] = []
    taken = 0
    for number, size in enumerate(sizes):
        if group and taken + size > room:
            yield group
            group, taken = [], 0
        group.append(number)
        taken += size
    if group:
        yield group
