"""The second derivative of a loss along two directions of its weights, by carrying both through the network forwards.

A tape notes the calls of one forward pass. Afterwards every call y = f(x, w) is gone through once more, with the
derivatives ẋ, ẇ along both directions a and b:

    ẏ = J f [ẋ, ẇ],    and to the sum comes    δᵀ D²f [(ẋ_a, ẇ_a), (ẋ_b, ẇ_b)]    with δ = ∂L/∂y

which the shared backward pass gives for the few calls that are not linear. The sum over all calls, and the curvature
of the loss itself, is ∂²L/∂a∂b, that is aᵀ H b: the chain rule of second order, exactly. With a = θ and b = g it is
θᵀ H g. Nothing but convolutions and what goes forwards is needed, while a double backward also takes their gradients
and the long derivative of a backward pass through batch normalisation.

Source of the idea that Hessians need no double backward: Pearlmutter, "Fast exact multiplication by the Hessian",
Neural Computation 6, 1994.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zcbench.harness.passes.native import ADDITIONS, inner
from zcbench.harness.passes.tangent_layers import BatchNorm, Layer
from zcbench.harness.passes.tangent_rules import (
    Addition,
    Call,
    Factor,
    Joining,
    MaxPool,
    Moves,
    Padding,
    Product,
    Relu,
    Rule,
    View,
    differentiable,
)

Directions = Mapping[str, Tensor]
"""Parameter name to the direction in which it moves; those that are not there stay."""

_LAYERS = (
    functional.linear, functional.conv1d, functional.conv2d, functional.conv3d, functional.conv_transpose1d,
    functional.conv_transpose2d, functional.conv_transpose3d,
)  # fmt: skip
_LINEAR = (
    functional.avg_pool1d, functional.avg_pool2d, functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d,
    functional.interpolate, functional.pixel_shuffle, torch.flatten, torch.mean, torch.sum, torch.reshape,
    Tensor.flatten, Tensor.reshape, Tensor.permute, Tensor.transpose, Tensor.squeeze, Tensor.unsqueeze,
    Tensor.mean, Tensor.sum, Tensor.repeat, Tensor.expand, Tensor.contiguous, Tensor.__getitem__, Tensor.neg,
    Tensor.__neg__,
)  # fmt: skip
_PRODUCTS = (torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__)
_QUOTIENTS = (torch.div, Tensor.div, Tensor.__truediv__)
RULES: Mapping[Callable[..., Any], Rule] = {
    **dict.fromkeys(_LAYERS, Layer()),
    **dict.fromkeys(_LINEAR, Rule()),
    **dict.fromkeys(_PRODUCTS, Product()),
    **dict.fromkeys(_QUOTIENTS, Factor()),
    **dict.fromkeys(ADDITIONS, Addition()),
    **dict.fromkeys((torch.cat, torch.stack), Joining()),
    **dict.fromkeys((functional.relu, torch.relu, Tensor.relu), Relu()),
    functional.batch_norm: BatchNorm(),
    functional.max_pool2d: MaxPool(),
    functional.pad: Padding(),
    Tensor.view: View(),
}


@dataclass(frozen=True)
class _Step:
    call: Call
    rule: Rule
    edge: GradientEdge | None

    @property
    def inputs(self) -> list[int]:
        """The ids of the tensors of the graph that it looks at."""
        return [id(one) for one in differentiable((*self.call.args, *self.call.kwargs.values()))]


class Tape(TorchFunctionMode):
    """While active, notes what is computed from some parameters. Calls keep their bits.

    What a call without a rule returns is not known, nor what follows from it: see `to`.
    """

    def __init__(self, parameters: Mapping[str, Tensor], inputs: Tensor, *, plainly: bool) -> None:
        """Begin a tape.

        Args:
            parameters: all parameters of the network, by name.
            inputs: what is fed to it; it does not move.
            plainly: whether calls must reach PyTorch as they are, because another mode waits for them.
        """
        super().__init__()
        self._parameters = parameters
        self._plainly = plainly
        self._steps: list[_Step] = []
        self._known: dict[int, tuple[Tensor, int]] = {}
        for tensor in (*parameters.values(), inputs):
            self._know(tensor)

    def _know(self, tensor: Tensor) -> None:
        """Let a tensor be part of what is noted, as it is now."""
        self._known[id(tensor)] = (tensor, tensor._version)

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function, and note the call."""
        kwargs = kwargs or {}
        rule = RULES.get(func)
        before = differentiable((*args, *kwargs.values())) if rule is not None else []
        if rule is None or not before:
            return func(*args, **kwargs)
        found, kept = rule.run(func, args, kwargs, plainly=self._plainly)
        new = isinstance(found, Tensor) and found.requires_grad and all(found is not one for one in before)
        if new and all(id(one) in self._known for one in before):
            edge = get_gradient_edge(found) if rule.curved else None
            self._steps.append(_Step(Call(func, args, kwargs, found, kept), rule, edge))
            self._know(found)
        return found

    def to(self, logits: Tensor) -> Path | None:
        """Return the way to the logits; None if it has a gap, or if something on it was changed in place.

        What else the network computed on the way, and does not use, is left out.
        """
        needed, steps = {id(logits)}, []
        for step in reversed(self._steps):
            if id(step.call.found) in needed:
                steps.append(step)
                needed |= set(step.inputs)
        known = [self._known[one] for one in needed if one in self._known]
        if len(known) < len(needed) or any(tensor._version != version for tensor, version in known):
            return None
        return Path(self._parameters, tuple(reversed(steps)), logits)


@dataclass(frozen=True)
class Path:
    """All calls that lead from the parameters to the logits.

    Attributes:
        parameters: all parameters of the network, by name.
        steps: the calls, in their order.
        logits: where it ends.
    """

    parameters: Mapping[str, Tensor]
    steps: tuple[_Step, ...]
    logits: Tensor

    @property
    def edges(self) -> list[GradientEdge]:
        """Where the backward pass must say what the gradient is, in the order in which `form` takes them."""
        return [step.edge for step in self.steps if step.edge is not None]

    def form(
        self, first: Directions, second: Directions, gradients: Sequence[Tensor | None],
        loss: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """Return the second derivative of the loss along two directions, float64 [].

        Args:
            first: direction a.
            second: direction b.
            gradients: ∂L/∂y at `edges`, None where L does not depend on y.
            loss: logits to L.

        Raises:
            Untaped: where a call with these arguments has no rule.
        """
        logits = self.logits
        moves = Moves({id(p): (first.get(name), second.get(name)) for name, p in self.parameters.items()})
        deltas = iter(gradients)
        terms = []
        with torch.no_grad():
            for step, over in zip(self.steps, self._ends(), strict=True):
                delta = next(deltas) if step.edge is not None else None
                pair, term = step.rule.push(step.call, moves, delta)
                moves.pairs[id(step.call.found)] = pair
                terms += [] if term is None else [term]
                for one in over - {id(logits)}:
                    moves.pairs.pop(one, None)
        terms += _curvature(loss, logits, *moves.of(logits))
        return torch.stack(terms).sum() if terms else torch.zeros((), dtype=torch.float64, device=logits.device)

    def _ends(self) -> list[set[int]]:
        """For every step the tensors that no later one looks at, so that their derivatives can go."""
        last = {one: number for number, step in enumerate(self.steps) for one in step.inputs}
        over: list[set[int]] = [set() for _ in self.steps]
        for one, number in last.items():
            over[number].add(one)
        return over


def _curvature(
    loss: Callable[[Tensor], Tensor], logits: Tensor, first: Tensor | None, second: Tensor | None
) -> list[Tensor]:
    """Return żᵀ (∂²L/∂z²) ż of the loss as a function of the logits z."""
    if first is None or second is None:
        return []
    leaf = logits.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(loss(leaf), [leaf], create_graph=True)
    if not gradient.requires_grad:
        return []
    (product,) = torch.autograd.grad(gradient, [leaf], [first], materialize_grads=True)
    return [inner(product, second)]
