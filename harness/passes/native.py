"""The kernels behind layers, and behind their backward passes, called as PyTorch calls them itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

convolution_backward = torch.ops.aten.convolution_backward.default
threshold_backward = torch.ops.aten.threshold_backward.default
ADDITIONS = (torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__)
"""The functions that add two tensors and return another one."""
_norm_backward = torch.ops.aten._batch_norm_impl_index_backward.default


def normalises_batch(image: Tensor, *, training: bool) -> bool:
    """Say whether a batch norm uses the statistics of the batch; one value a channel is for PyTorch to refuse."""
    return training and image.dim() >= 2 and image.numel() > image.shape[1]


def normalise(
    image: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None, variance: Tensor | None,
    momentum: float, eps: float,
) -> Any:
    """Normalise with the statistics of the batch, and update the running ones.

    Returns:
        The output, mean, 1/√(var + eps), what the kernel reserves for its backward pass, and its number.
    """
    return torch._batch_norm_impl_index(
        image, weight, bias, mean, variance, True, momentum, eps, torch.backends.cudnn.enabled
    )


def norm_gradients(
    u: Tensor, image: Tensor, weight: Tensor | None, statistics: Sequence[Any], eps: float, *, mapped: bool = True
) -> Any:
    """Run the backward pass of batch norm with the statistics of the batch, s = 1/√(var + eps).

    Args:
        u: what is mapped.
        image: input of the norm.
        weight: γ.
        statistics: what `normalise` returned besides the output.
        eps: of the norm.
        mapped: whether B(u) is wanted; the sums alone take half the time.

    Returns:
        B(u) = γ s (u − mean u − x̂ mean(u x̂)), Σ u x̂ and Σ u of every channel.
    """
    mean, scale, reserve, kernel = statistics
    return _norm_backward(kernel, image, u, weight, None, None, mean, scale, True, eps, (mapped, True, True), reserve)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Σ a b over all entries, float64 []; reads both once where they are laid out alike."""
    order = (0, 2, 3, 1) if a.dim() == 4 and a.is_contiguous(memory_format=torch.channels_last) else range(a.dim())
    return torch.dot(a.permute(*order).reshape(-1), b.permute(*order).reshape(-1)).double()


def common_ones(values: Tensor) -> Tensor:
    """Count the places where two rows are both positive: [N, M] to float64 [N, N].

    Zeros and ones are multiplied as bytes where PyTorch has a fast product of bytes. For 32 rows and more that takes
    half the time or less. It is as exact as in float32, which has all integers up to 2^24.
    """
    in_bytes = _FAST_BYTES and values.device.type == "cpu"
    code = torch.gt(values, 0, out=torch.empty_like(values, dtype=torch.int8 if in_bytes else torch.float32))
    return (torch._int_mm(code, code.T) if in_bytes else code @ code.T).double()


_FAST_BYTES = (
    torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
)
