"""How derivatives along two directions pass through calls that are linear wherever they are smooth; see `tape`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from zcbench.harness.passes.native import threshold_backward

Pair = tuple[Tensor | None, Tensor | None]
"""Derivatives of one tensor along both directions; None where it does not move."""


class Untaped(Exception):  # noqa: N818
    """A call with these arguments has no rule."""


@dataclass(frozen=True)
class Call:
    """One call of a function of torch.

    Attributes:
        function: the function.
        args: its arguments.
        kwargs: those given by name.
        found: what it returned.
        kept: what its rule kept of the forward pass.
    """

    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    found: Tensor
    kept: Any


@dataclass(frozen=True)
class Moves:
    """How tensors move along both directions; tensors are known by their id.

    Attributes:
        pairs: the derivatives.
    """

    pairs: dict[int, Pair]

    def of(self, x: Any) -> Pair:
        """Return the derivatives of a tensor."""
        return self.pairs.get(id(x), (None, None))

    def any_of(self, *values: Any) -> bool:
        """Say whether anything moves along any of the directions."""
        return any(derivative is not None for x in values for derivative in self.of(x))


def differentiable(values: Iterable[Any]) -> list[Tensor]:
    """Return the tensors of a graph among arguments, also within lists."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found += [value] if value.requires_grad else []
        elif isinstance(value, list | tuple):
            found += differentiable(value)
    return found


class Rule:
    """A function that is linear in its first argument, which alone moves."""

    curved = False
    """Whether its second derivative is not zero."""

    def run(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, plainly: bool,  # noqa: ARG002
    ) -> tuple[Any, Any]:
        """Call the function.

        Args:
            function: the function.
            args: its arguments.
            kwargs: those given by name.
            plainly: whether this very function must be called, because another mode waits for it.

        Returns:
            What the function returns, and what is to be kept for later.
        """
        return function(*args, **kwargs), None

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:  # noqa: ARG002
        """Return the derivatives of what the call returned, and what it adds to the sum.

        Args:
            call: the call.
            moves: the derivatives of its arguments.
            delta: ∂L/∂y for a curved one; None where L does not depend on it.
        """
        first, *others = call.args
        if differentiable((*others, *call.kwargs.values())):
            raise Untaped
        a, b = (None if d is None else call.function(d, *others, **call.kwargs) for d in moves.of(first))
        return (a, b), None


class Factor(Rule):
    """A product with, or a division by, what does not move."""

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:
        """Multiply the derivatives; they have the shape of the result."""
        one, *others = call.args
        alone = not call.kwargs and isinstance(one, Tensor) and not differentiable(others)
        if not alone or one.shape != call.found.shape:
            raise Untaped
        return super().push(call, moves, delta)


class Product(Factor):
    """A product with what does not move. Behind a factor of 0, the operation ``none``, nothing moves at all."""

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:
        """Multiply the derivatives, but carry no zeros on."""
        others = call.args[1:]
        if len(others) == 1 and isinstance(others[0], int | float) and others[0] == 0:
            return (None, None), None
        return super().push(call, moves, delta)


class View(Rule):
    """The same entries in another shape; derivatives may lie otherwise in memory, where no view shows them so."""

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:  # noqa: ARG002
        """Give the derivatives the shape of the result."""
        a, b = (None if d is None else d.reshape(call.found.shape) for d in moves.of(call.args[0]))
        return (a, b), None


class Padding(Rule):
    """Padding with zeros or with what is there."""

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:
        """Pad the derivatives."""
        if call.kwargs.get("value") or (len(call.args) > 3 and call.args[3]):
            raise Untaped
        return super().push(call, moves, delta)


class Addition(Rule):
    """x + y, of which any may move."""

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:  # noqa: ARG002
        """Add the derivatives."""
        if call.kwargs or len(call.args) != 2:
            raise Untaped
        one, other = (moves.of(x) for x in call.args)
        return (self._sum(call.found, one[0], other[0]), self._sum(call.found, one[1], other[1])), None

    @staticmethod
    def _sum(found: Tensor, one: Tensor | None, other: Tensor | None) -> Tensor | None:
        if one is not None and other is not None:
            return one + other
        there = one if other is None else other
        return there if there is None or there.shape == found.shape else there.expand_as(found)


class Joining(Rule):
    """Several tensors in a row."""

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:  # noqa: ARG002
        """Join the derivatives."""
        tensors, *others = call.args
        a, b = zip(*(moves.of(x) for x in tensors), strict=True)
        return (self._joined(call, tensors, a, others), self._joined(call, tensors, b, others)), None

    @staticmethod
    def _joined(
        call: Call, tensors: Sequence[Tensor], parts: Sequence[Tensor | None], others: Sequence[Any]
    ) -> Tensor | None:
        if all(p is None for p in parts):
            return None
        full = [torch.zeros_like(x) if p is None else p for x, p in zip(tensors, parts, strict=True)]
        joined: Tensor = call.function(full, *others, **call.kwargs)
        return joined


class Relu(Rule):
    """max(x, 0)."""

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:  # noqa: ARG002
        """Let the derivatives through where the result is positive."""
        a, b = (None if d is None else threshold_backward(d, call.found, 0) for d in moves.of(call.args[0]))
        return (a, b), None


class MaxPool(Rule):
    """The largest of every window."""

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:  # noqa: ARG002
        """Pick the derivatives where the largest values are."""
        image, *others = call.args
        _, places = functional.max_pool2d_with_indices(image, *others, **call.kwargs)

        def picked(moved: Tensor | None) -> Tensor | None:
            if moved is None:
                return None
            return moved.flatten(-2).gather(-1, places.flatten(-2)).view(places.shape)

        a, b = moves.of(image)
        return (picked(a), picked(b)), None
