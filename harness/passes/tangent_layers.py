"""How derivatives along two directions pass through layers, and what these add to the second derivative; see `tape`.

Convolutions and linear layers f(x, w) are bilinear: D²f [a, b] = f(ẋ_a, ẇ_b) + f(ẋ_b, ẇ_a).

Batch normalisation z = γ x̂ + β, per channel of M values with x̂ = s (x − mean), s = 1/√(var + eps): its derivative along
u is B(u) = γ s (u − mean u − x̂ d(u)) with d(u) = mean(u x̂), the same symmetric map as its backward pass. Its second
derivative along u and v, times t = ∂L/∂z, is

    −Σ_channels s [ d(t) Σ v B(u) + d(v) Σ t B(u) + d(u) Σ t B(v) ].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zcbench.harness.passes.native import inner, norm_gradients, normalise, normalises_batch
from zcbench.harness.passes.tangent_rules import Call, Moves, Pair, Rule, Untaped


class Layer(Rule):
    """A convolution or linear layer, bilinear in its input and weight."""

    curved = True

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:
        """Carry both directions on, and multiply the second derivative with the gradient."""
        image, weight, bias, how, named = _layer(*call.args, **call.kwargs)
        if moves.any_of(bias):
            raise Untaped

        def layer(x: Tensor | None, w: Tensor | None) -> Tensor | None:
            return None if x is None or w is None else call.function(x, w, None, *how, **named)

        (image_a, image_b), (weight_a, weight_b) = moves.of(image), moves.of(weight)
        along_itself = weight_a is weight
        through_a, through_b, own_b = layer(image_a, weight), layer(image_b, weight), layer(image, weight_b)
        # Along the weights themselves what their change does is the layer's own output.
        own_a = call.found.detach() if along_itself and bias is None else layer(image, weight_a)
        term = None
        if delta is not None:
            mixed = (layer(image_a, weight_b), through_b if along_itself else layer(image_b, weight_a))
            parts = [inner(delta, m) for m in mixed if m is not None]
            term = torch.stack(parts).sum() if parts else None
        return (_plus(through_a, own_a), _plus(own_b, through_b)), term


def _plus(fresh: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Return the sum, in the place of the first."""
    if fresh is None or other is None:
        return other if fresh is None else fresh
    return fresh.add_(other)


def _layer(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, *how: Any, **named: Any  # noqa: A002
) -> tuple[Tensor, Tensor, Tensor | None, tuple[Any, ...], dict[str, Any]]:
    return input, weight, bias, how, named


class _Norm(NamedTuple):
    """The arguments of ``torch.nn.functional.batch_norm``."""

    input: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    weight: Tensor | None = None
    bias: Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5


class BatchNorm(Rule):
    """Batch normalisation; its own weights do not move."""

    curved = True

    def run(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, plainly: bool
    ) -> tuple[Any, Any]:
        """Normalise, and keep the statistics of the batch."""
        norm = _Norm(*args, **kwargs)
        if not normalises_batch(norm.input, training=norm.training):
            return function(*args, **kwargs), None
        if plainly:
            with torch.no_grad():
                _, *kept = normalise(norm.input, norm.weight, norm.bias, None, None, norm.momentum, norm.eps)
            return function(*args, **kwargs), kept
        running = norm.running_mean, norm.running_var
        found, *kept = normalise(norm.input, norm.weight, norm.bias, *running, norm.momentum, norm.eps)
        return found, kept

    def push(self, call: Call, moves: Moves, delta: Tensor | None) -> tuple[Pair, Tensor | None]:
        """Carry both directions on, and add the second derivative."""
        norm = _Norm(*call.args, **call.kwargs)
        if moves.any_of(norm.weight, norm.bias):
            raise Untaped
        a, b = moves.of(norm.input)
        if call.kept is None:
            return self._affine(norm, (a, b)), None
        mapped_a, slope_a = _map(norm, call.kept, a)
        mapped_b, slope_b = _map(norm, call.kept, b)
        if mapped_a is None or b is None or mapped_b is None or delta is None:
            return (mapped_a, mapped_b), None
        slope_t = _slope(norm, call.kept, delta)
        channels = slope_t * _products(b, mapped_a) + slope_b * _products(delta, mapped_a)
        channels += slope_a * _products(delta, mapped_b)
        return (mapped_a, mapped_b), -(channels * call.kept[1]).sum()

    @staticmethod
    def _affine(norm: _Norm, moved: Pair) -> Pair:
        """Multiply with γ / √(running variance + eps), in evaluation mode."""
        if norm.running_var is None:
            raise Untaped
        factor = (norm.running_var + norm.eps).rsqrt()
        factor = (factor if norm.weight is None else factor * norm.weight).view(-1, *[1] * (norm.input.dim() - 2))
        a, b = (None if u is None else u * factor for u in moved)
        return a, b


def _map(norm: _Norm, kept: Sequence[Any], u: Tensor | None) -> tuple[Tensor | None, Tensor | float]:
    """B(u), and d(u) as float64 [C]; nothing and 0 for what does not move."""
    if u is None:
        return None, 0.0
    mapped, products, _ = norm_gradients(u, norm.input, norm.weight, kept, norm.eps)
    return mapped, products.double() * (u.shape[1] / u.numel())


def _slope(norm: _Norm, kept: Sequence[Any], u: Tensor) -> Tensor:
    """d(u) alone."""
    _, products, _ = norm_gradients(u, norm.input, norm.weight, kept, norm.eps, mapped=False)
    slope: Tensor = products.double() * (u.shape[1] / u.numel())
    return slope


def _products(u: Tensor, v: Tensor) -> Tensor:
    """Σ u v of every channel, float64 [C].

    The reduction in the backward pass of batch norm is just that, for a mean of 0 and a scale of 1, and takes half the
    time of a product and its sum.
    """
    if u.device.type != "cpu":
        return (u * v).sum(dim=[d for d in range(u.dim()) if d != 1]).double()
    zeros = torch.zeros(u.shape[1], dtype=u.dtype)
    _, products, _ = torch.ops.aten.native_batch_norm_backward.default(
        u, v, None, None, None, zeros, zeros + 1, True, 0.0, [False, True, False]
    )
    return products.double()  # type: ignore[no-any-return]
