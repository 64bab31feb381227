"""Run a plan on one network: every forward and backward once, the network left as it was."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from zcbench.harness.initialise import INITIALISATIONS, draw, seeded
from zcbench.harness.metric import Undefined
from zcbench.harness.passes.observe import Recorder, observed
from zcbench.harness.passes.plan import Backward, Pass, Plan
from zcbench.harness.passes.quantities import RECORDERS, ChannelFisherRecorder, row_correlation
from zcbench.harness.passes.spec import (
    ChannelFisher,
    ClassCount,
    Dtype,
    Forward,
    HessianGradient,
    InputGradientCorrelation,
    Inputs,
    Labels,
    Logits,
    ParameterCount,
    Parameters,
    ParamGradient,
    Quantity,
    Target,
    VectorOutput,
    Weights,
)
from zcbench.harness.passes.state import fresh_buffers, like_images, norm, prunable, resolve, training
from zcbench.harness.timing import Clock
from zcbench.harness.types import Loss, Task

PERTURBATION = 0.01

LOSSES: Mapping[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    Loss.CROSS_ENTROPY: functional.cross_entropy,
    Loss.MEAN_SQUARED: functional.mse_loss,
    Loss.MEAN_ABSOLUTE: functional.l1_loss,
}
"""Each is the mean over all images, and over all pixels and values of an image."""


@dataclass(frozen=True)
class MiniBatch:
    """The mini-batch on the device.

    Attributes:
        inputs: [N, c, h, w]; its type is that of all passes that do not ask for float64.
        targets: what the loss compares the output with: int64 [N] classes; for a `task` of another kind int64
            [N, H, W] classes of pixels, or values of the shape of the output.
        classes: C.
        task: what the network predicts; None: the class of every image.
    """

    inputs: Tensor
    targets: Tensor
    classes: int
    task: Task | None = None


@dataclass
class Evaluation:
    """Values and costs of the quantities of a plan.

    Attributes:
        values: quantity to value; an ``Undefined`` stands where there is none.
        clock: seconds by quantity, by (forward) and by (forward, target).
    """

    values: dict[Quantity, Any]
    clock: Clock


@dataclass
class _Run:
    """Everything that the passes of one evaluation share."""

    network: nn.Module
    batch: MiniBatch
    key: tuple[Hashable, ...]
    clock: Clock
    values: dict[Quantity, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    _weights: dict[tuple[Weights, Dtype, int], dict[str, Tensor]] = field(default_factory=dict)

    def weights(self, kind: Weights, dtype: Dtype, number: int) -> dict[str, Tensor]:
        """Parameters by name for one kind of weights, made once."""
        key = (kind, dtype, number if kind is Weights.NORMAL else 0)
        if key not in self._weights:
            self._weights[key] = {name: like_images(p) for name, p in self._make(*key).items()}
        return self._weights[key]

    def _make(self, kind: Weights, dtype: Dtype, number: int) -> dict[str, Tensor]:
        to = resolve(dtype, self.batch.inputs.dtype)
        parameters = {name: p.detach().to(to) for name, p in self.network.named_parameters()}
        if kind is Weights.ABSOLUTE:
            return {name: p.abs() for name, p in parameters.items()}
        if kind is Weights.NORMAL:
            drawn = draw(self.network, INITIALISATIONS["normal"], seeded(*self.key, "weights", number))
            return {name: drawn[name].to(p.device, to) for name, p in parameters.items()}
        return parameters

    def inputs(self, forward: Forward) -> Tensor:
        """What this forward feeds, laid out channels last."""
        images = self.batch.inputs
        if forward.samples is not None:
            if forward.samples > len(images):
                raise Undefined(f"needs {forward.samples} images, the mini-batch has {len(images)}")
            images = images[: forward.samples]
        return like_images(self._feed(forward, images).to(resolve(forward.dtype, self.batch.inputs.dtype)))

    def _feed(self, forward: Forward, images: Tensor) -> Tensor:
        if forward.inputs is Inputs.IMAGES:
            return images
        if forward.inputs is Inputs.ONES:
            return torch.ones_like(images[:1])
        if forward.inputs is Inputs.SHAPE:
            # Two images: batch norm refuses to normalise a single value.
            return torch.empty((2, *images.shape[1:]), device="meta")
        first = self._gaussian(images, "first", forward.draw)
        if forward.inputs is Inputs.GAUSSIAN:
            return first
        return first + PERTURBATION * self._gaussian(images, "second", forward.draw)

    def _gaussian(self, images: Tensor, which: str, number: int) -> Tensor:
        generator = seeded(*self.key, "inputs", which, number)
        return torch.randn(images.shape, generator=generator).to(images.device)


def evaluate(network: nn.Module, batch: MiniBatch, plan: Plan, *, key: tuple[Hashable, ...]) -> Evaluation:
    """Compute every quantity of a plan.

    Weights, buffers, gradients, training flag and hooks of the network are afterwards what they were,
    also if a pass raises.

    Args:
        network: on the device of the mini-batch.
        batch: the mini-batch.
        plan: what to compute.
        key: what random draws are seeded with, e.g. (recipe, architecture).
    """
    run = _Run(network, batch, key, Clock(batch.inputs.device), names=prunable(network))
    for quantity in plan.static:
        with run.clock.measure(quantity):
            try:
                run.values[quantity] = _static(run, quantity)
            except Undefined as reason:
                run.values[quantity] = reason
    with training(network):
        for one in plan.passes:
            try:
                _run_pass(run, one)
            except Undefined as reason:
                run.values.update({q: reason for q in one.quantities if q not in run.values})
    return Evaluation(run.values, run.clock)


def _static(run: _Run, quantity: Quantity) -> Any:
    if isinstance(quantity, Parameters):
        weights = run.weights(quantity.weights, quantity.dtype, 0)
        return {name: weights[name] for name in run.names}
    if isinstance(quantity, ParameterCount):
        return sum(p.numel() for p in run.network.parameters() if p.requires_grad)
    task = run.batch.task
    if isinstance(quantity, Labels | ClassCount):
        if task is not None and not task.classifies:
            raise Undefined(f"images have no class in the task {task.name}")
        return run.batch.targets if isinstance(quantity, Labels) else run.batch.classes
    if isinstance(quantity, VectorOutput):
        if task is not None and task.dense:
            raise Undefined(f"the output of the task {task.name} is an image, not a vector")
        return True
    raise TypeError(f"no rule for {quantity!r}")


def _run_pass(run: _Run, one: Pass) -> None:
    """Run one forward and everything that hangs on it."""
    wanted = {type(q) for b in one.backwards for q in b.quantities}
    shape_only = one.forward.inputs is Inputs.SHAPE
    of_weights = bool(wanted & {ParamGradient, ChannelFisher, HessianGradient})
    with run.clock.measure(one.forward):
        inputs = run.inputs(one.forward).detach().requires_grad_(InputGradientCorrelation in wanted)
        parameters = {
            name: p.detach().requires_grad_(of_weights and name in run.names)
            for name, p in run.weights(one.forward.weights, one.forward.dtype, one.forward.draw).items()
        }
        state = {**parameters, **fresh_buffers(run.network, inputs.dtype)}
        if shape_only:
            state = {name: torch.empty_like(t, device="meta") for name, t in state.items()}
    recorders = _recorders(run.network, one)
    with torch.set_grad_enabled(bool(one.backwards)):
        with (
            norm(one.forward.norm),
            observed(run.network, recorders, run.clock),
            run.clock.measure(one.forward),
        ):
            logits: Tensor = functional_call(run.network, state, (inputs,))  # [N, C]
        _keep_recorded(run, one, recorders, logits)
        fisher = next((r for r in recorders if isinstance(r, ChannelFisherRecorder)), None)
        for i, backward in enumerate(one.backwards):
            retain = i + 1 < len(one.backwards)
            _run_backward(run, one.forward, backward, logits, inputs, parameters, fisher, retain=retain)


def _recorders(network: nn.Module, one: Pass) -> list[Recorder]:
    recorders: list[Recorder] = [RECORDERS[type(q)](q) for q in one.recorded if type(q) in RECORDERS]
    in_place = any(getattr(module, "inplace", False) for module in network.modules())
    recorders += [
        ChannelFisherRecorder(q, copy=in_place)
        for b in one.backwards
        for q in b.quantities
        if isinstance(q, ChannelFisher)
    ]
    return recorders


def _keep_recorded(run: _Run, one: Pass, recorders: list[Recorder], logits: Tensor) -> None:
    for recorder in recorders:
        if isinstance(recorder, ChannelFisherRecorder):
            continue
        with run.clock.measure(recorder.quantity):
            try:
                run.values[recorder.quantity] = recorder.value()  # type: ignore[attr-defined]
            except Undefined as reason:
                run.values[recorder.quantity] = reason
    for quantity in one.recorded:
        if isinstance(quantity, Logits):
            run.values[quantity] = logits.detach()


def _run_backward(
    run: _Run, forward: Forward, backward: Backward, logits: Tensor, inputs: Tensor,
    parameters: Mapping[str, Tensor], fisher: ChannelFisherRecorder | None, *, retain: bool,
) -> None:
    """Differentiate one target once, for all its quantities together."""
    kinds = {type(q) for q in backward.quantities}
    weights = [parameters[name] for name in run.names] if kinds & {ParamGradient, HessianGradient} else []
    edges = fisher.edges if fisher is not None and ChannelFisher in kinds else []
    leaves = [inputs] if InputGradientCorrelation in kinds else []
    # Tensors and edges together: torch takes them, its annotation does not.
    with_respect_to: list[Any] = [*weights, *edges, *leaves]
    with run.clock.measure((forward, backward.target)):
        scalar = _scalar(run, backward.target, logits)
        gradients = torch.autograd.grad(
            scalar, with_respect_to, retain_graph=retain or backward.hessian,
            create_graph=backward.hessian, allow_unused=True,
        )
    of_weights = tuple(
        torch.zeros_like(w) if g is None else g for g, w in zip(gradients, weights, strict=False)
    )
    rest = gradients[len(weights) :]
    for quantity in backward.quantities:
        with run.clock.measure(quantity):
            if isinstance(quantity, ParamGradient):
                run.values[quantity] = dict(zip(run.names, (g.detach() for g in of_weights), strict=True))
            elif isinstance(quantity, ChannelFisher):
                assert fisher is not None
                run.values[quantity] = fisher.reduce(rest[: len(edges)])
            elif isinstance(quantity, InputGradientCorrelation):
                run.values[quantity] = _correlation(inputs, rest[len(edges)])
            elif isinstance(quantity, HessianGradient):
                run.values[quantity] = dict(zip(run.names, _hessian_gradient(of_weights, weights), strict=True))


def _correlation(inputs: Tensor, gradient: Tensor | None) -> Tensor:
    rows = torch.zeros_like(inputs) if gradient is None else gradient.detach()
    return row_correlation(rows.flatten(1))


def _scalar(run: _Run, target: Target, logits: Tensor) -> Tensor:
    if target is Target.LOGIT_SUM:
        return logits.sum()
    task = run.batch.task
    return LOSSES[Loss.CROSS_ENTROPY if task is None else task.loss](logits, run.batch.targets[: len(logits)])


def _hessian_gradient(gradients: tuple[Tensor, ...], weights: list[Tensor]) -> tuple[Tensor, ...]:
    """H g = ∂/∂w Σ stop(g) · g: the double backward through the graph of the shared gradient."""
    products = [(g.detach() * g).sum() for g in gradients if g.requires_grad]
    if not products:
        return tuple(torch.zeros_like(w) for w in weights)
    return torch.autograd.grad(torch.stack(products).sum(), weights, materialize_grads=True)
