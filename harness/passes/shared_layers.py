"""Layers without weights, run once for all that are applied to the same tensor.

Where several edges of a cell begin at one node, each has a ReLU or a pooling of its own in front, and all of them
compute the same. Shared, that is computed, kept and differentiated once: the derivatives of the edges are added before
they pass through the ReLU and not behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Generic, TypeVar
from weakref import ref

from torch import Tensor, nn

T = TypeVar("T")

_WHAT_COUNTS: Mapping[type[nn.Module], Callable[..., Hashable]] = {
    nn.ReLU: lambda _: (),
    nn.AvgPool2d: lambda m: (
        m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
}  # fmt: skip
"""What two layers of a type must have in common to compute the same."""


class PerTensor(Generic[T]):
    """Something for every tensor, for as long as the tensor is there and is not changed in place."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[ref[Tensor], int, T]] = {}

    def get(self, tensor: Tensor) -> T | None:
        """Return what was put there for this very tensor."""
        which, version, value = self._kept.get(id(tensor), (None, 0, None))
        return value if which is not None and which() is tensor and version == tensor._version else None

    def put(self, tensor: Tensor, value: T) -> None:
        """Keep something for a tensor."""
        number = id(tensor)
        self._kept[number] = (ref(tensor, lambda _: self._kept.pop(number, None)), tensor._version, value)


class ChangedInPlaceError(Exception):
    """A network works in place on what layers shared: the forward pass has to be run again without sharing."""


class SharedLayers:
    """What layers returned in a forward pass, for as long as their inputs are there."""

    def __init__(self) -> None:
        self._found: PerTensor[dict[Hashable, Tensor]] = PerTensor()
        self._shared: dict[int, Tensor] = {}

    def run(self, forward: Callable[[Tensor], Tensor], what: Hashable, image: Tensor) -> Tensor:
        """Return what a layer makes of its input, or what another one made of it before.

        Args:
            forward: of the layer.
            what: equal for layers that compute the same.
            image: its input.
        """
        found = self._found.get(image)
        if found is None:
            found = {}
            self._found.put(image, found)
        if what in found:
            self._shared[id(found[what])] = found[what]
        else:
            found[what] = forward(image)
        return found[what]

    def check(self) -> None:
        """Check that nobody has changed what several layers returned.

        Raises:
            ChangedInPlaceError: if somebody has.
        """
        if any(result._version for result in self._shared.values()):  # fresh results are at version 0
            raise ChangedInPlaceError


@contextmanager
def shared_layers(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let the layers of a network share what they compute.

    Raises:
        ChangedInPlaceError: at the end, if the network has changed in place what was shared.
    """
    shared = SharedLayers()
    with ExitStack() as stack:
        for module in modules:
            counts = _WHAT_COUNTS.get(type(module))
            if counts is not None and not getattr(module, "inplace", False) and "forward" not in vars(module):
                stack.callback(vars(module).pop, "forward", None)
                vars(module)["forward"] = _sharing(shared, module.forward, (type(module), counts(module)))
        yield
    shared.check()


def _sharing(shared: SharedLayers, forward: Callable[[Tensor], Tensor], what: Hashable) -> Callable[[Tensor], Tensor]:
    return lambda input: shared.run(forward, what, input)  # noqa: A006 - the name that layers give it
