"""Run a plan on one network: every forward and backward once, the network left as it was."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zcbench.harness.metric import Undefined
from zcbench.harness.passes.native import inner
from zcbench.harness.passes.observe import Recorder
from zcbench.harness.passes.plan import HESSIAN, Backward, Pass, Plan
from zcbench.harness.passes.quantities import RECORDERS, ChannelFisherRecorder, row_correlation
from zcbench.harness.passes.run import NO_WEIGHTS, MiniBatch, Opened, Origin, Run
from zcbench.harness.passes.second_order import hessian_gradient
from zcbench.harness.passes.shared_layers import shared_layers
from zcbench.harness.passes.shortcuts import RunInFullError, Shortcut
from zcbench.harness.passes.spec import (
    ChannelFisher,
    ClassCount,
    Forward,
    HessianGradient,
    InputGradientCorrelation,
    Labels,
    Logits,
    ParameterCount,
    Parameters,
    ParamGradient,
    Quantity,
    Recorded,
    ReluGram,
    Target,
    VectorOutput,
    WeightHessianGradient,
)
from zcbench.harness.passes.state import Parts, mode
from zcbench.harness.passes.tangent_rules import Untaped
from zcbench.harness.passes.zero_edges import zero_edges
from zcbench.harness.settings import kept
from zcbench.harness.timing import Clock


@dataclass
class Evaluation:
    """Values and costs of the quantities of a plan.

    Attributes:
        values: quantity to value; an ``Undefined`` stands where there is none.
        clock: seconds by quantity, by (forward) and by (forward, target).
    """

    values: dict[Quantity, Any]
    clock: Clock


def evaluate(
    network: nn.Module, batch: MiniBatch, plan: Plan, *, key: tuple[Hashable, ...], origin: Origin | None = None
) -> Evaluation:
    """Compute every quantity of a plan.

    Weights, buffers, gradients, training flag and hooks of the network are afterwards what they were,
    also if a pass raises.

    Args:
        network: on the device of the mini-batch.
        batch: the mini-batch.
        plan: what to compute.
        key: what random draws are seeded with, e.g. (recipe, architecture).
        origin: where the network comes from; without it, quantities that look at the search space have no value.
    """
    run = Run(network, batch, key, Clock(batch.inputs.device), origin=origin)
    for quantity in plan.static:
        with run.clock.measure(quantity):
            try:
                run.values[quantity] = _static(run, quantity)
            except Undefined as reason:
                run.values[quantity] = reason
    with mode(network, train=True), torch.enable_grad():
        for one in plan.passes if run.names else _without_weights(run, plan.passes):
            try:
                _run_pass(run, one)
            except Undefined as reason:
                run.values.update({q: reason for q in one.quantities if q not in run.values})
        for procedure in plan.procedures:
            with run.clock.measure(procedure):
                try:
                    with kept():  # it may be somebody else's code, as in `OnCopy`
                        run.values[procedure] = procedure.compute(run)
                except Undefined as reason:
                    run.values[procedure] = reason
    return Evaluation(run.values, run.clock)


def _without_weights(run: Run, passes: Sequence[Pass]) -> Iterator[Pass]:
    """Leave out what is differentiated with respect to weights, of which there are none."""
    for one in passes:
        kept = []
        for backward in one.backwards:
            left = tuple(q for q in backward.quantities if isinstance(q, InputGradientCorrelation))
            run.values.update({q: Undefined(NO_WEIGHTS) for q in backward.quantities if q not in left})
            kept += [replace(backward, quantities=left, hessian=False)] if left else []
        yield replace(one, backwards=tuple(kept))


def _static(run: Run, quantity: Quantity) -> Any:
    if isinstance(quantity, Parameters):
        weights = run.weights(quantity.weights, quantity.dtype, 0)
        return {name: weights[name] for name in run.weighted()}
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


def _run_pass(run: Run, one: Pass) -> None:
    """Run one forward and everything that hangs on it."""
    # A pass without a graph forgets results at once, and shares only what is worth to be kept.
    worth = bool(one.backwards) or any(isinstance(q, ReluGram) for q in one.recorded)
    # On a GPU the host would have to wait for the check whether what zero edges leave out is 0.
    shortcuts = [zero_edges] * run.batch.on_cpu + [shared_layers] * worth
    try:
        opened, recorders = _opened(run, one, shortcuts=shortcuts)
    except RunInFullError:
        opened, recorders = _opened(run, one)
    _keep_recorded(run, one, recorders, opened.logits)
    fisher = next((r for r in recorders if isinstance(r, ChannelFisherRecorder)), None)
    for i, backward in enumerate(one.backwards):
        retain = i + 1 < len(one.backwards)
        _run_backward(run, one.forward, backward, opened, fisher, retain=retain)


def _opened(run: Run, one: Pass, *, shortcuts: Sequence[Shortcut] = ()) -> tuple[Opened, list[Recorder]]:
    """Run the forward of a pass, with everybody who looks at it.

    Raises:
        RunInFullError: if a shortcut does not hold.
    """
    wanted = {type(q) for b in one.backwards for q in b.quantities}
    of_weights = bool(wanted & {ParamGradient, ChannelFisher, *HESSIAN})
    recorders = _recorders(run.parts, one)
    with run.clock.measure(one.forward):
        opened = run.open(
            one.forward, of_weights=run.names if of_weights else (), recorders=recorders,
            of_inputs=InputGradientCorrelation in wanted, graph=bool(one.backwards),
            hessian=HessianGradient in wanted, taped=WeightHessianGradient in wanted, shortcuts=shortcuts,
        )  # fmt: skip
        if shortcuts and one.backwards and not opened.logits.requires_grad:
            raise RunInFullError  # only zeros lead to the logits, and PyTorch has nothing to differentiate
    return opened, recorders


def _recorders(parts: Parts, one: Pass) -> list[Recorder]:
    recorders: list[Recorder] = [RECORDERS[type(q)](q) for q in one.recorded if type(q) in RECORDERS]
    recorders += [r for q in one.recorded if isinstance(q, Recorded) and (r := q.recorder()) is not None]
    recorders += [
        ChannelFisherRecorder(q, copy=parts.in_place)
        for b in one.backwards
        for q in b.quantities
        if isinstance(q, ChannelFisher)
    ]
    return recorders


def _keep_recorded(run: Run, one: Pass, recorders: list[Recorder], logits: Tensor) -> None:
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
    run: Run, forward: Forward, backward: Backward, opened: Opened, fisher: ChannelFisherRecorder | None, *,
    retain: bool,
) -> None:
    """Differentiate one target once, for all its quantities together."""
    kinds = {type(q) for q in backward.quantities}
    weights = [opened.parameters[name] for name in run.names] if kinds & {ParamGradient, *HESSIAN} else []
    edges = fisher.edges if fisher is not None and ChannelFisher in kinds else []
    leaves = [opened.inputs] if InputGradientCorrelation in kinds else []
    path = opened.path if WeightHessianGradient in kinds else None
    # Tensors and edges together: torch takes them, its annotation does not.
    with_respect_to: list[Any] = [*weights, *edges, *leaves, *(path.edges if path is not None else [])]
    again = HessianGradient in kinds
    with run.clock.measure((forward, backward.target)):
        scalar = _scalar(run, forward, backward.target, opened.logits)
        gradients = torch.autograd.grad(
            scalar, with_respect_to, retain_graph=retain or again, create_graph=again, allow_unused=True
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
                run.values[quantity] = _correlation(opened.inputs, rest[len(edges)])
            elif isinstance(quantity, HessianGradient):
                products = hessian_gradient(of_weights, weights, retain=retain)
                run.values[quantity] = dict(zip(run.names, products, strict=True))
            elif isinstance(quantity, WeightHessianGradient):
                directions = dict(zip(run.names, (g.detach() for g in of_weights), strict=True))
                run.values[quantity] = _form(run, quantity, opened, directions, rest[len(edges) + len(leaves) :])


def _form(
    run: Run, quantity: WeightHessianGradient, opened: Opened, directions: Mapping[str, Tensor],
    deltas: Sequence[Tensor | None],
) -> Tensor:
    """Return θᵀ H g from the path, or from a double backward of its own where the network has layers without a rule."""
    forward, target = quantity.forward, quantity.target
    if opened.path is not None:
        weights = {name: opened.parameters[name] for name in run.names}
        with suppress(Untaped):
            return opened.path.form(weights, directions, deltas, partial(_scalar, run, forward, target))
    opened = run.open(forward, of_weights=run.names, hessian=True)
    leaves = [opened.parameters[name] for name in run.names]
    scalar = _scalar(run, forward, target, opened.logits)
    gradient = torch.autograd.grad(scalar, leaves, create_graph=True, allow_unused=True)
    product = hessian_gradient([g for g in gradient if g is not None], leaves, retain=False)
    return torch.stack([inner(w.detach(), p) for w, p in zip(leaves, product, strict=True)]).sum()


def _correlation(inputs: Tensor, gradient: Tensor | None) -> Tensor:
    rows = torch.zeros_like(inputs) if gradient is None else gradient.detach()
    return row_correlation(rows.flatten(1))


def _scalar(run: Run, forward: Forward, target: Target, logits: Tensor) -> Tensor:
    return logits.sum() if target is Target.LOGIT_SUM else run.loss(logits, forward.batch)
