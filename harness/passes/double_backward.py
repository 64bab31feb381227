"""Layers whose backward pass is differentiated by hand: fewer steps than PyTorch takes, for the same number.

PyTorch differentiates the backward pass of batch normalisation as a long chain of elementwise operations, and that of
a convolution with a weight gradient that is laid out as a slow convolution. The functions here run the very kernels
that the layers always run, forward and backward, so that first derivatives keep their bits; only the derivative of the
backward pass is another formula.

Batch normalisation, per channel of M values with x̂ = s (x − mean), s = 1/√(var + eps): its backward pass is the
symmetric linear map B(u) = γ s (u − mean u − x̂ mean(u x̂)). For v, the incoming gradient of B(g), the derivative by g
is B(v), and that by x is −s d B(g) − s b B(v) − γ s² (e − a c − b d) x̂ with a = mean g, b = mean(g x̂), c = mean v,
d = mean(v x̂), e = mean(v g).

A convolution C(x, w) is linear in both, and so are its gradients: what <v, gradient of x> + <u, gradient of w> gives
back to the gradient of C is C(v, w) + C(x, u).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from zcbench.harness.passes.native import convolution_backward, norm_gradients, normalise, threshold_backward

_alias = torch.ops.aten.alias.default


def inside(leaf: Tensor) -> Tensor:
    """Return a tensor to differentiate by: a node cannot ask whether the gradient of a leaf is wanted.

    Unlike a view it keeps the strides of dimensions of size 1, by which PyTorch chooses kernels with other last bits.
    """
    same: Tensor = _alias(leaf)
    return same


def _asked(ctx: Any, *inputs: object) -> list[bool]:
    """Say for which inputs of a node the pass under way wants gradients; only tensors have an edge."""
    edges = iter(ctx.next_functions)
    nodes = [next(edges)[0] if isinstance(i, Tensor) else None for i in inputs]
    return [
        node is not None and not hasattr(node, "variable") and torch._C._will_engine_execute_node(node)
        for node in nodes
    ]


class Convolution(Function):
    """C(x, w) + bias; ``how`` is what follows the bias in ``torch.convolution``."""

    @staticmethod
    def forward(
        ctx: Any, image: Tensor, weight: Tensor, bias: Tensor | None, how: tuple[Any, ...]
    ) -> Tensor:
        """Convolve."""
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(image, weight, bias)
        ctx.how = how
        return torch.convolution(image, weight, bias, *how)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Any:
        """Return the gradients that the pass under way asks for."""
        if gradient is None:
            return None, None, None, None
        image, weight, bias = ctx.saved_tensors
        found = _ConvolutionBackward.apply(  # type: ignore[no-untyped-call]
            gradient, image, weight, ctx.how, None if bias is None else list(bias.shape),
            tuple(_asked(ctx, image, weight, bias)),
        )
        return *found, None


class _ConvolutionBackward(Function):
    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, image: Tensor, weight: Tensor, how: tuple[Any, ...],
        bias_shape: list[int] | None, mask: tuple[bool, bool, bool],
    ) -> Any:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(gradient, image, weight)
        ctx.how = how
        return convolution_backward(gradient, image, weight, bias_shape, *how, mask)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor | None, u: Tensor | None, t: Tensor | None) -> Any:
        gradient, image, weight = ctx.saved_tensors
        of_gradient, of_image, of_weight = _asked(ctx, gradient, image, weight)
        how = ctx.how
        found: list[Tensor | None] = [None, None, None]
        if of_gradient:
            parts = [torch.convolution(v, weight, None, *how)] if v is not None else []
            parts += [torch.convolution(image, u, None, *how)] if u is not None else []
            parts += [t.view(-1, *[1] * (gradient.dim() - 2)).expand_as(gradient)] if t is not None else []
            for part in parts[1:]:
                parts[0].add_(part)
            found[0] = parts[0] if parts else None
        if of_image and u is not None:
            found[1] = convolution_backward(gradient, image, u, None, *how, (True, False, False))[0]
        if of_weight and v is not None:
            found[2] = convolution_backward(gradient, v, weight, None, *how, (False, True, False))[1]
        return *found, None, None, None


class BatchNorm(Function):
    """Batch normalisation with the statistics of the batch."""

    @staticmethod
    def forward(
        ctx: Any, image: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None,
        variance: Tensor | None, momentum: float, eps: float,
    ) -> Tensor:
        """Normalise, and update the running statistics."""
        ctx.set_materialize_grads(False)
        out, *statistics, kernel = normalise(image, weight, bias, mean, variance, momentum, eps)
        ctx.save_for_backward(image, weight, *statistics)
        ctx.how = (kernel, eps)
        return out  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Any:
        """Return B(g)."""
        if gradient is None:
            return (None,) * 7
        mapped = _BatchNormBackward.apply(gradient, *ctx.saved_tensors, *ctx.how)  # type: ignore[no-untyped-call]
        return mapped, *[None] * 6


class _BatchNormBackward(Function):
    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, image: Tensor, weight: Tensor | None, mean: Tensor, inverse: Tensor,
        reserve: Tensor, kernel: int, eps: float,
    ) -> Tensor:
        ctx.set_materialize_grads(False)
        mapped, products, sums = norm_gradients(gradient, image, weight, (mean, inverse, reserve, kernel), eps)
        ctx.save_for_backward(gradient, mapped, products, sums, image, weight, mean, inverse, reserve)
        ctx.how = (kernel, eps)
        return mapped  # type: ignore[no-any-return]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor | None) -> Any:
        if v is None:
            return (None,) * 8
        g, of_g, products, sums, image, weight, mean, s, reserve = ctx.saved_tensors
        kernel, eps = ctx.how
        of_v, v_products, v_sums = norm_gradients(v, image, weight, (mean, s, reserve, kernel), eps)
        others = [d for d in range(image.dim()) if d != 1]
        count = image.numel() // image.shape[1]
        a, b, c, d = sums / count, products / count, v_sums / count, v_products / count
        e = (v * g).sum(dim=others) / count
        slope = s.pow(3) * (a * c + b * d - e)
        if weight is not None:
            slope = slope * weight
        wide = (1, -1, *[1] * (image.dim() - 2))
        by_image = torch.addcmul((-slope * mean).view(wide), image, slope.view(wide))
        by_image.addcmul_(of_g, (-s * d).view(wide)).addcmul_(of_v, (-s * b).view(wide))
        return of_v, by_image, *[None] * 6


class Relu(Function):
    """The larger of x and 0."""

    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        """Return max(x, 0)."""
        ctx.set_materialize_grads(False)
        out = torch.relu(image)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Any:
        """Return the gradient where the output is positive."""
        if gradient is None:
            return None
        return _ReluBackward.apply(gradient, *ctx.saved_tensors)  # type: ignore[no-untyped-call]


class _ReluBackward(Function):
    """Constant in the output; PyTorch gives it a gradient of zeros, which all steps before it then carry along."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, out: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(out)
        return threshold_backward(gradient, out, 0)  # type: ignore[no-any-return]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor | None) -> Any:
        return None if v is None else threshold_backward(v, *ctx.saved_tensors, 0), None
