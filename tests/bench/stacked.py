"""Several initialisation seeds of one architecture in one stacked pass: what zcbench could do instead of one by one.

The parameters of S networks are stacked, as ``torch.func.stack_module_state`` does, and every pass runs once:

- ``vmap``: ``torch.func.vmap`` over ``functional_call``, tensors laid out as PyTorch does by default, or channels last;
- ``grouped``: images of S c channels, convolutions with S groups, batch norms over S c channels, channels last. Only
  for networks that neither join nor cut channels, which would mix the seeds.

Both draw weights and inputs as zcbench does, so their values are those of ``evaluate`` but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zcbench.harness.metrics import synflow, zen
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.observe import observed
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.quantities import row_correlation
from zcbench.harness.passes.run import MiniBatch, Run
from zcbench.harness.passes.spec import (
    Forward,
    InputGradientCorrelation,
    Logits,
    ParamGradient,
    PoolInput,
    Quantity,
    ReluGram,
    Target,
)
from zcbench.harness.passes.state import fresh_buffers, like_images, norm
from zcbench.harness.timing import Clock

PASSES: Mapping[str, tuple[Quantity, ...]] = {
    "forward": (Logits(),),
    "codes of ReLUs": (ReluGram(),),
    "gradient of weights": (ParamGradient(),),
    "gradient of inputs": (InputGradientCorrelation(Target.LOGIT_SUM),),
    "synflow": (ParamGradient(Target.LOGIT_SUM, synflow.FORWARD),),
    "zen": (PoolInput(zen.CLEAN), PoolInput(zen.PERTURBED)),
}
"""What is timed, by name."""

Values = dict[Quantity, Any]
Networks = Sequence[nn.Module]
Stack = Callable[[Sequence[Run], Forward, bool, bool, Quantity], tuple[Tensor, Any, dict[str, Tensor], Tensor]]
"""(runs, forward, with gradients of weights, of inputs, quantity) -> logits [S, N, C], recorded, parameters, inputs."""


def one_by_one(networks: Networks, batch: MiniBatch, quantities: Sequence[Quantity]) -> list[Values]:
    """What zcbench does."""
    chosen = plan(quantities)
    return [evaluate(n, batch, chosen, key=("seeds", s)).values for s, n in enumerate(networks)]


def stacked(way: Stack, networks: Networks, batch: MiniBatch, quantities: Sequence[Quantity]) -> list[Values]:
    """The same values, with one pass for all networks."""
    runs = [
        Run(n, batch, ("seeds", s), Clock(batch.inputs.device)) for s, n in enumerate(networks)
    ]
    found: list[Values] = [{} for _ in networks]
    for quantity in quantities:
        for values, one in zip(found, _stacked(way, runs, quantity), strict=True):
            values[quantity] = one
    return found


def _stacked(way: Stack, runs: Sequence[Run], quantity: Any) -> list[Any]:
    of_weights, of_inputs = isinstance(quantity, ParamGradient), isinstance(quantity, InputGradientCorrelation)
    with torch.set_grad_enabled(of_weights or of_inputs):
        logits, recorded, parameters, inputs = way(runs, quantity.forward, of_weights, of_inputs, quantity)
    if isinstance(quantity, Logits):
        return list(logits)
    if not (of_weights or of_inputs):
        return list(recorded.flatten(0, 1) if isinstance(quantity, ReluGram) and recorded.dim() == 4 else recorded)
    losses = [one.sum() if quantity.target is Target.LOGIT_SUM else run.loss(one)
              for run, one in zip(runs, logits, strict=True)]  # fmt: skip
    total = torch.stack(losses).sum()  # no loss depends on the weights of another network
    if of_inputs:
        (gradient,) = torch.autograd.grad(total, inputs)
        return [row_correlation(rows.flatten(1)) for rows in gradient.unbind(1)]
    names = runs[0].names
    found = torch.autograd.grad(total, [parameters[n] for n in names], materialize_grads=True, allow_unused=True)
    return [dict(zip(names, parts, strict=True)) for parts in zip(*(g.unbind() for g in found), strict=True)]


def _state(runs: Sequence[Run], forward: Forward, dtype: torch.dtype, grad: bool) -> tuple[dict[str, Tensor], ...]:
    """Stack parameters and buffers: [S, ...]."""
    weights = [run.weights(forward.weights, forward.dtype, forward.draw) for run in runs]
    parameters = {
        n: torch.stack([w[n].contiguous() for w in weights]).detach().requires_grad_(grad and n in runs[0].names)
        for n in weights[0]
    }
    start = fresh_buffers(runs[0].parts, dtype, forward.norm)
    return parameters, {n: b.expand(len(runs), *b.shape).clone() for n, b in start.items()}


class PoolRecorder:
    """What enters the last global average pooling."""

    types = (nn.AdaptiveAvgPool2d,)
    quantity = PoolInput()
    features: Tensor

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep it."""
        self.features = inputs[0]

    def value(self) -> Tensor:
        """Return it, [N, c, h, w]."""
        return self.features


class GramRecorder:
    """Adds up the agreements of ReLU codes: the sums of zcbench, whose recorder writes where vmap does not let it.

    Args:
        count: networks whose channels lie side by side.
    """

    types = (nn.ReLU,)
    quantity = ReluGram()

    def __init__(self, count: int) -> None:
        self._count = count
        self._grams: list[Tensor] = []

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Add one layer."""
        codes = (output.detach() > 0).unflatten(1, (self._count, -1)).transpose(0, 1).flatten(2)  # [S, N, M]
        signs = codes.to(torch.float32).mul(2).sub(1)
        self._grams.append((signs @ signs.transpose(1, 2)).double().add(codes.shape[2]).div(2))

    def value(self) -> Tensor:
        """Return it, [S, N, N]."""
        return torch.stack(self._grams).sum(0)


def _recorders(quantity: Quantity, count: int) -> list[Any]:
    if isinstance(quantity, PoolInput):
        return [PoolRecorder()]
    return [GramRecorder(count)] if isinstance(quantity, ReluGram) else []


def vmapped(layout: Callable[[Tensor], Tensor]) -> Stack:
    """Return the way by vmap, with images laid out like this: [N, S c, h, w]."""

    def way(
        runs: Sequence[Run], forward: Forward, of_weights: bool, of_inputs: bool, quantity: Quantity
    ) -> tuple[Tensor, Any, dict[str, Tensor], Tensor]:
        network, each = runs[0].network, [run.inputs(forward) for run in runs]
        merged = layout(torch.cat(each, dim=1).detach())
        inputs = merged.unflatten(1, (len(runs), -1)).requires_grad_(of_inputs)  # [N, S, c, h, w]
        parameters, buffers = _state(runs, forward, inputs.dtype, of_weights)

        def call(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Any:
            recorders = _recorders(quantity, 1)
            with observed(dict(network.named_modules()), recorders, runs[0].clock):
                logits = functional_call(network, {**parameters, **buffers}, (x,))
            return logits, tuple(r.value() for r in recorders)

        with norm(network, forward.norm):
            logits, recorded = vmap(call, in_dims=(0, 0, 1))(parameters, buffers, inputs)
        return logits, recorded[0] if recorded else (), parameters, inputs

    return way


class Grouped(TorchFunctionMode):
    """Runs every layer for S networks at once, on [N, S c, h, w]."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Replace convolutions, batch norms and linear layers."""
        if func is torch.conv2d:
            x, weight, bias, stride, padding, dilation, groups = args
            flat = like_images(weight.flatten(0, 1))
            return func(x, flat, _flat(bias), stride, padding, dilation, groups * self._count)
        if func is functional.batch_norm:
            x, *running = args
            affine = {name: _flat(kwargs[name]) for name in ("weight", "bias")}
            return func(x, *map(_flat, running), **{**kwargs, **affine})
        if func is functional.linear:
            x, weight, bias = args
            rows = x.unflatten(1, (self._count, -1)).transpose(0, 1)  # [S, N, c]
            return torch.baddbmm(bias[:, None], rows, weight.transpose(1, 2)).transpose(0, 1).flatten(1)  # [N, S C]
        return func(*args, **(kwargs or {}))


def _flat(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.flatten()


def grouped(
    runs: Sequence[Run], forward: Forward, of_weights: bool, of_inputs: bool, quantity: Quantity
) -> tuple[Tensor, Any, dict[str, Tensor], Tensor]:
    """The way by grouped convolutions."""
    network, count = runs[0].network, len(runs)
    merged = like_images(torch.cat([run.inputs(forward) for run in runs], dim=1).detach())
    inputs = merged.unflatten(1, (count, -1)).requires_grad_(of_inputs)
    parameters, buffers = _state(runs, forward, inputs.dtype, of_weights)
    recorders = _recorders(quantity, count)
    with norm(network, forward.norm), observed(dict(network.named_modules()), recorders, runs[0].clock), Grouped(count):
        logits = functional_call(network, {**parameters, **buffers}, (inputs.flatten(1, 2),))
    recorded: Any = recorders[0].value() if recorders else ()
    if isinstance(quantity, PoolInput):
        recorded = recorded.unflatten(1, (count, -1)).transpose(0, 1)
    return logits.unflatten(1, (count, -1)).transpose(0, 1), recorded, parameters, inputs


def several_like_images(images: Tensor) -> Tensor:
    """Lay several images out channels last, a single one as PyTorch does by default.

    In PyTorch 2.13 the float64 gradient of the weight of a grouped convolution is wrong for a single image that is
    laid out channels last and whose first stride is not c h w, as vmap leaves it, if the weight is channels last too.
    """
    return like_images(images) if len(images) > 1 else images.contiguous()


WAYS: Mapping[str, Stack] = {
    "vmap": vmapped(torch.Tensor.contiguous),
    "vmap, channels last": vmapped(several_like_images),
    "grouped": grouped,
}
