"""What ways of sparing work in a forward pass have in common: they stand in for modules, and may not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Generic, TypeAlias, TypeVar
from weakref import ref

from torch import Tensor, nn

T = TypeVar("T")
Layer: TypeAlias = Callable[[Tensor], Tensor]
"""The ``forward`` of a module with one input."""
Shortcut: TypeAlias = Callable[[Iterable[nn.Module]], AbstractContextManager[None]]
"""Given the modules of a network, active while it runs; raises `RunInFullError` at the end if it did not hold."""


class RunInFullError(Exception):
    """What a shortcut spared would have counted: the forward pass has to be run again without."""


@contextmanager
def replaced_forwards(modules: Iterable[nn.Module], instead: Callable[[nn.Module], Layer | None]) -> Iterator[None]:
    """Let something else run in the place of modules.

    Args:
        modules: of the network.
        instead: what runs in the place of a module, None for the module itself. It is not asked for modules whose
            ``forward`` somebody else has replaced.
    """
    with ExitStack() as stack:
        for module in modules:
            other = None if "forward" in vars(module) else instead(module)
            if other is not None:
                stack.callback(vars(module).pop, "forward", None)
                vars(module)["forward"] = other
        yield


class PerTensor(Generic[T]):
    """Something for every tensor, for as long as the tensor is there and is not changed in place.

    Nothing is kept for tensors of ``torch.inference_mode``, which do not know whether they were changed.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[ref[Tensor], int, T]] = {}

    def get(self, tensor: Tensor) -> T | None:
        """Return what was put there for this very tensor."""
        which, version, value = self._kept.get(id(tensor), (None, 0, None))
        if which is None or tensor.is_inference():
            return None
        return value if which() is tensor and version == tensor._version else None

    def put(self, tensor: Tensor, value: T) -> None:
        """Keep something for a tensor."""
        if tensor.is_inference():
            return
        number = id(tensor)
        self._kept[number] = (ref(tensor, lambda _: self._kept.pop(number, None)), tensor._version, value)
