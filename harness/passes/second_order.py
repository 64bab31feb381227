"""The Hessian-vector product H g of a network's own gradient g, exactly and with few steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zcbench.harness.passes.double_backward import BatchNorm, Convolution, Relu
from zcbench.harness.passes.native import normalises_batch


class SecondOrder(TorchFunctionMode):
    """While active, layers whose backward pass is costly to differentiate are replaced by equal ones.

    The modules themselves are not touched, hooks run, and first derivatives keep their bits. Whatever is not known
    here, PyTorch differentiates.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the layer that stands for a function, or the function itself."""
        rule = _RULES.get(func)
        found = rule(*args, **(kwargs or {})) if rule is not None else NotImplemented
        return func(*args, **(kwargs or {})) if found is NotImplemented else found


def _convolution(image: Tensor, weight: Tensor, bias: Tensor | None, *how: Any) -> Any:
    if image.dim() != weight.dim() or any(isinstance(h, str) for h in how):
        return NotImplemented  # an image without a batch, or padding by name
    return Convolution.apply(image, weight, bias, how)  # type: ignore[no-untyped-call]


def _several(sizes: int | Sequence[int] | str, dims: int) -> Any:
    return sizes if isinstance(sizes, str) else [sizes] * dims if isinstance(sizes, int) else list(sizes)


def _forwards(  # the signature of torch.conv2d
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,  # noqa: A002
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Any:
    dims = weight.dim() - 2
    stride, padding, dilation = (_several(sizes, dims) for sizes in (stride, padding, dilation))
    return _convolution(input, weight, bias, stride, padding, dilation, False, [0] * dims, groups)


def _transposed(  # the signature of torch.conv_transpose2d
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,  # noqa: A002
    padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:
    dims = weight.dim() - 2
    stride, padding, output_padding, dilation = (
        _several(sizes, dims) for sizes in (stride, padding, output_padding, dilation)
    )
    return _convolution(input, weight, bias, stride, padding, dilation, True, output_padding, groups)


def _batch_norm(  # the signature of torch.nn.functional.batch_norm
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,  # noqa: A002
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    learned = any(p is not None and p.requires_grad for p in (weight, bias))
    if learned or not normalises_batch(input, training=training):
        return NotImplemented
    return BatchNorm.apply(input, weight, bias, running_mean, running_var, momentum, eps)  # type: ignore[no-untyped-call]


def _relu(input: Tensor, inplace: bool = False) -> Any:  # noqa: A002
    return NotImplemented if inplace else Relu.apply(input)  # type: ignore[no-untyped-call]


_RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys((functional.conv1d, functional.conv2d, functional.conv3d), _forwards),
    **dict.fromkeys(
        (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d), _transposed
    ),
    functional.batch_norm: _batch_norm,
    **dict.fromkeys((functional.relu, torch.relu, Tensor.relu), _relu),
}


def hessian_gradient(gradients: Iterable[Tensor], by: Sequence[Tensor], *, retain: bool) -> tuple[Tensor, ...]:
    """Differentiate Σ stop(g) · g, the double backward through the graph of the shared gradient g.

    Args:
        gradients: g, of which each part may have a graph or none.
        by: the weights.
        retain: whether the graph is needed once more.

    Returns:
        The derivatives, zeros where there is none.
    """
    parts = [g for g in gradients if g.requires_grad]
    if not parts:
        return tuple(torch.zeros_like(w) for w in by)
    return torch.autograd.grad(parts, by, [g.detach() for g in parts], retain_graph=retain, materialize_grads=True)
