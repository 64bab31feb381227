"""Edges of the operation ``none``, at no cost.

In cells of NAS-Bench-201 every fifth edge multiplies its input with 0, and what comes out is added to other edges:
two walks over memory that change nothing, and two more for the derivatives, which then go on as zeros through all
layers that only such edges follow. Here such an edge returns `Zeros`, which cost nothing to add and take no part in the
graph.

What a forward pass computes keeps its bits; derivatives may be added in another order where several edges meet. Layers
that only such edges follow have no derivatives instead of zeros, which all quantities take for zeros. 0 · x is no 0
where x is not finite: then the pass is run again in full.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import DisableTorchFunction, DisableTorchFunctionSubclass

from zcbench.harness.passes.native import ADDITIONS
from zcbench.harness.passes.shortcuts import Layer, PerTensor, RunInFullError, replaced_forwards


class Zeros(Tensor):
    """Zeros that know what they are: a sum with a tensor of their shape is that very tensor.

    Attributes:
        edges: the pass that they belong to.
    """

    edges: ZeroEdges

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Add nothing; for everything else be the tensor of zeros."""
        if func in ADDITIONS and len(args) == 2 and not kwargs:
            zeros, other = args if isinstance(args[0], Zeros) else reversed(args)
            if isinstance(other, Tensor) and (other.shape, other.dtype) == (zeros.shape, zeros.dtype):
                return zeros.edges.unchanged(other)
            if isinstance(other, int | float) and other == 0:  # where ``sum`` begins
                return zeros
        with DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))


class ZeroEdges:
    """What the edges of one pass left out, and whether they were allowed to."""

    def __init__(self) -> None:
        self._zeros: dict[tuple[torch.Size, torch.dtype], Zeros] = {}
        self._seen: PerTensor[bool] = PerTensor()
        self._sums: list[Tensor] = []
        self._counters: list[tuple[Tensor, int]] = []

    def run(self, forward: Layer, shape: torch.Size, image: Tensor) -> Tensor:
        """Return zeros instead of what an edge computes.

        Args:
            forward: of the edge.
            shape: of what it computes.
            image: its input; nothing is left out where it is no plain tensor, or cannot tell whether it was changed.
        """
        if type(image) not in (Tensor, nn.Parameter, Zeros) or torch.is_inference_mode_enabled():
            return forward(image)
        with DisableTorchFunction():
            if not isinstance(image, Zeros) and not image.is_meta and self._seen.get(image) is None:
                self._seen.put(image, True)
                self._sums.append(image.detach().sum())
            return self._of(shape, image.dtype, image.device)

    def _of(self, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Zeros:
        if (shape, dtype) not in self._zeros:
            layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format  # as images are laid out
            zeros = torch.empty(shape, dtype=dtype, device=device, memory_format=layout).zero_().as_subclass(Zeros)
            zeros.edges = self
            self._zeros[shape, dtype] = zeros
            self.unchanged(zeros)
        return self._zeros[shape, dtype]

    def unchanged(self, tensor: Tensor) -> Tensor:
        """Return a tensor that may be known under two names now, and watch that nobody works in place on it."""
        with DisableTorchFunction():
            counter = tensor.detach()  # it shares the number of the version
            counter.data = torch.empty(0, device=tensor.device)  # and keeps no memory
        self._counters.append((counter, tensor._version))
        return tensor

    def forget(self) -> None:
        """Let go of the zeros, which know this object: a circle would keep their memory until somebody looks for it."""
        self._zeros.clear()

    def check(self) -> None:
        """Check that what was left out is nothing.

        Raises:
            RunInFullError: if an input of an edge is not finite, so that 0 times it is no 0, or if the network works in
                place on a sum that is still one of its terms.
        """
        if any(counter._version != version for counter, version in self._counters):
            raise RunInFullError
        if not all(math.isfinite(total.item()) for total in self._sums):
            raise RunInFullError


@contextmanager
def zero_edges(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let the operations ``none`` of a network cost nothing: modules with a method ``shape_of_zeros``.

    It takes the input of the module and returns the shape of what the module returns, which is the input times 0.

    Raises:
        RunInFullError: at the end, if something else than 0 was left out.
    """
    edges = ZeroEdges()

    def nothing(module: nn.Module) -> Layer | None:
        if not hasattr(type(module), "shape_of_zeros"):  # of the type: a module takes long to say that it has none
            return None
        forward, shape = module.forward, module.shape_of_zeros
        return lambda x: edges.run(forward, shape(x), x)  # type: ignore[operator]

    with replaced_forwards(modules, nothing):
        try:
            yield
        finally:
            edges.forget()
    edges.check()
