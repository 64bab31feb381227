"""Gradients of single images with respect to weights, read off a pass in which all images run together.

Where the images do not influence one another, the gradient of one image with respect to the weight of a layer is a
product of what entered the layer and of what the backward pass brought to its output, for that image. One backward
pass then gives the gradients of all images, which are built and reduced layer by layer.

Symbols: n targets, N images, p weights of a layer, k k the kernel, L positions of an output, C logits.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zcbench.harness.metric import Undefined
from zcbench.harness.passes.observe import Recorder
from zcbench.harness.passes.run import LOSSES, Run
from zcbench.harness.passes.spec import Forward, Quantity
from zcbench.harness.types import Loss

TOGETHER = 8
"""Images that run together where they do not influence one another: bounds the memory, whatever the mini-batch."""


@dataclass(frozen=True)
class Call:
    """One call of a Conv2d or Linear layer.

    Attributes:
        module: the layer.
        weight: the tensor that it multiplied with.
        inputs: what entered, [N, ...].
        edge: where to ask for the gradient of its output.
    """

    module: nn.Module
    weight: Tensor
    inputs: Tensor
    edge: GradientEdge


class LayerRecorder:
    """Keeps every call of a Conv2d or Linear layer."""

    types = (nn.Conv2d, nn.Linear)

    def __init__(self, quantity: Quantity) -> None:
        self.quantity = quantity
        self.calls: list[Call] = []

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG002
        """Keep one call; an output without a graph depends on no weight.

        The input is not detached: it may carry a derivative of its own (forward mode).
        """
        weight = module.weight
        assert isinstance(weight, Tensor)
        if output.requires_grad:
            self.calls.append(Call(module, weight, inputs[0], get_gradient_edge(output)))

    def layers(self) -> list[list[Call]]:
        """Return the calls of every weight, in the order of their first call."""
        found: dict[int, list[Call]] = {}
        for call in self.calls:
            found.setdefault(id(call.weight), []).append(call)
        return list(found.values())


def weight_rows(call: Call, gradients: Tensor) -> Tensor:
    """Return the gradients of single images with respect to the weight of one call, [n, N, p].

    Args:
        call: the call.
        gradients: of n targets with respect to the output of the call, [n, N, ...].
    """
    n, images = gradients.shape[:2]
    if isinstance(call.module, nn.Linear):
        entered = call.inputs.reshape(images, -1, call.inputs.shape[-1])  # [N, L, in]
        left = gradients.reshape(n, images, -1, gradients.shape[-1])  # [n, N, L, out]
        return (left.transpose(2, 3) @ entered).flatten(2)
    assert isinstance(call.module, nn.Conv2d)
    groups = call.module.groups
    patches = _patches(call.module, call.inputs)
    positions = patches.shape[-1]
    right = patches.reshape(images, groups, -1, positions)  # [N, g, c k k / g, L]
    left = gradients.reshape(n, images, groups, -1, positions).permute(1, 2, 0, 3, 4)  # [N, g, n, c' / g, L]
    # All targets in one product: what entered is laid out once for them.
    rows = left.flatten(2, 3) @ right.transpose(2, 3)  # [N, g, n c' / g, c k k / g]
    return rows.reshape(images, groups, n, -1).permute(2, 0, 1, 3).flatten(2)


def bias_rows(call: Call, gradients: Tensor) -> Tensor:
    """Return the gradients of single images with respect to the bias of one call, [n, N, c']."""
    if isinstance(call.module, nn.Linear):
        return gradients.reshape(*gradients.shape[:2], -1, gradients.shape[-1]).sum(2)
    return gradients.flatten(3).sum(3)


def _patches(module: nn.Conv2d, inputs: Tensor) -> Tensor:
    """What each position of the output looks at: [N, c k k, L]."""
    amounts = module._reversed_padding_repeated_twice
    if any(amounts):
        how = "constant" if module.padding_mode == "zeros" else module.padding_mode
        inputs = functional.pad(inputs, amounts, mode=how)
    if module.kernel_size == (1, 1) and module.stride == (1, 1):
        return inputs.flatten(2)
    return functional.unfold(
        inputs, _pair(module.kernel_size), dilation=_pair(module.dilation), stride=_pair(module.stride)
    )


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
    height, width = sizes
    return height, width


def image_rows(
    targets: Sequence[Tensor], layers: Sequence[Sequence[Call]],
    rows: Callable[[Call, Tensor], Tensor] = weight_rows,
) -> Iterator[tuple[int, Tensor]]:
    """Differentiate scalars, and build the gradients of single images layer by layer; the graph is kept.

    Args:
        targets: n scalars, each a sum over images that do not influence one another.
        layers: the calls of every weight.
        rows: `weight_rows` or `bias_rows`.

    Yields:
        The number of a layer and its gradients [n, N, p], summed over its calls; layers without a gradient are left
        out.
    """
    calls = [call for layer in layers for call in layer]
    # Edges instead of tensors: torch takes them, its annotation does not.
    edges: list[Any] = [call.edge for call in calls]
    kept: dict[int, list[Tensor]] = {}
    for target in targets:
        found = torch.autograd.grad(target, edges, retain_graph=True, allow_unused=True) if edges else ()
        for call, gradient in zip(calls, found, strict=True):
            if gradient is not None:
                kept.setdefault(id(call), []).append(gradient)
    for number, layer in enumerate(layers):
        parts = [rows(call, torch.stack(kept.pop(id(call)))) for call in layer if id(call) in kept]
        if parts:
            yield number, parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)


def image_chunks(run: Run, forward: Forward) -> Iterator[slice]:
    """Part the images of a forward pass into runs of `TOGETHER`."""
    for first in range(0, len(run.inputs(forward)), TOGETHER):
        yield slice(first, first + TOGETHER)


def open_images(
    run: Run, forward: Forward, images: slice, parameters: Mapping[str, Tensor], recorders: Sequence[Recorder]
) -> Tensor:
    """Run a forward with some of its images, which the norm must not couple, and return the logits.

    Args:
        run: what the passes share.
        forward: inputs, norm and floating-point type.
        images: which images.
        parameters: all parameters by name.
        recorders: what looks at the modules while they run.
    """
    return run.call(parameters, run.inputs(forward)[images], forward.norm, recorders)


def differentiable(run: Run, forward: Forward) -> dict[str, Tensor]:
    """Return all parameters by name, those of Conv2d and Linear layers as leaves to differentiate by."""
    kept, names = run.weights(forward.weights, forward.dtype, forward.draw), run.weighted()
    return {name: p.detach().requires_grad_(name in names) for name, p in kept.items()}


def image_losses(run: Run, logits: Tensor, images: slice = slice(None)) -> Tensor:
    """Return the loss of the task for every image, [N]; their mean is the loss of the mini-batch.

    Args:
        run: what the passes share.
        logits: the network's output.
        images: which images of the mini-batch it is for; the first, if there are more.
    """
    task = run.batch.task
    loss = _LOSSES[Loss.CROSS_ENTROPY if task is None else task.loss]
    targets = run.batch.targets[images]
    return torch.stack([loss(logits[i : i + 1], targets[i : i + 1]) for i in range(len(logits))])


_LOSSES: Mapping[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    Loss.CROSS_ENTROPY: LOSSES[Loss.CROSS_ENTROPY],
    # Those of PyTorch refuse a second derivative that goes forward.
    Loss.MEAN_SQUARED: lambda output, target: (output - target).square().mean(),
    Loss.MEAN_ABSOLUTE: lambda output, target: (output - target).abs().mean(),
}


def vector(run: Run, logits: Tensor) -> Tensor:
    """Return the output [N, C] of a network that gives one vector for an image.

    Raises:
        Undefined: for a network that gives an image: its Jacobian has a block of rows for every pixel.
    """
    if logits.dim() != 2:
        name = "" if run.batch.task is None else f" of the task {run.batch.task.name}"
        raise Undefined(f"the output{name} is an image, not a vector")
    return logits


class ImagesAlone(TorchFunctionMode):
    """While active, batch normalisation in training mode treats every image as a mini-batch of its own.

    That is normalisation over the positions of one image, so that one pass over the mini-batch gives what a pass for
    every image would.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace ``batch_norm`` and pass on everything else."""
        if func is functional.batch_norm:
            given = _BATCH_NORM.bind(*args, **(kwargs or {})).arguments
            return _alone(given["input"], given.get("weight"), given.get("bias"), given.get("eps", 1e-5))
        return func(*args, **(kwargs or {}))


_BATCH_NORM = inspect.signature(functional.batch_norm)


def _alone(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    if x.dim() != 4 or x.shape[2] * x.shape[3] == 1:
        # PyTorch refuses a single value a channel. The same can stand in a part that does not reach the output, like
        # an auxiliary head: there a value that is no number does no harm, everywhere else it shows in the loss.
        return x * math.nan
    return functional.instance_norm(x, None, None, weight, bias, use_input_stats=True, eps=eps)
