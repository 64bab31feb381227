"""Layers without weights, run once for all that are applied to the same tensor.

Where several edges of a cell begin at one node, each has a ReLU or a pooling of its own in front, and all of them
compute the same. Shared, that is computed, kept and differentiated once: the derivatives of the edges are added before
they pass through the ReLU and not behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from zcbench.harness.passes.shortcuts import Layer, PerTensor, RunInFullError, replaced_forwards

_WHAT_COUNTS: Mapping[type[nn.Module], Callable[..., Hashable]] = {
    nn.ReLU: lambda _: (),
    nn.AvgPool2d: lambda m: (
        m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
}  # fmt: skip
"""What two layers of a type must have in common to compute the same."""


class SharedLayers:
    """What layers returned in a forward pass, for as long as their inputs are there."""

    def __init__(self) -> None:
        self._found: PerTensor[dict[Hashable, Tensor]] = PerTensor()
        self._shared: dict[int, Tensor] = {}

    def run(self, forward: Layer, what: Hashable, image: Tensor) -> Tensor:
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
            RunInFullError: if somebody has.
        """
        if any(result._version for result in self._shared.values()):  # fresh results are at version 0
            raise RunInFullError


@contextmanager
def shared_layers(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let the layers of a network share what they compute.

    Raises:
        RunInFullError: at the end, if the network has changed in place what was shared.
    """
    shared = SharedLayers()

    def sharing(module: nn.Module) -> Layer | None:
        counts = _WHAT_COUNTS.get(type(module))
        if counts is None or getattr(module, "inplace", False):
            return None
        forward, what = module.forward, (type(module), counts(module))
        return lambda input: shared.run(forward, what, input)  # noqa: A006 - the name that layers give it

    with replaced_forwards(modules, sharing):
        yield
    shared.check()
