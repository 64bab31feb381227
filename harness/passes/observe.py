"""The only place with hooks: read-only forward hooks, each removed as soon as its pass is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from torch import Tensor, nn
from torch._C import DisableTorchFunction

from zcbench.harness.passes.spec import Quantity
from zcbench.harness.timing import Clock


class Recorder(Protocol):
    """Reads one quantity off the modules of some types, while they run.

    One with a method ``wants(module) -> bool`` looks only at the modules that it wants.
    """

    @property
    def quantity(self) -> Quantity:
        """The quantity that it provides."""

    @property
    def types(self) -> tuple[type[nn.Module], ...]:
        """The types of modules that it looks at."""

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Look at one call of one module."""


@contextmanager
def observed(modules: Mapping[str, nn.Module], recorders: Sequence[Recorder], clock: Clock) -> Iterator[None]:
    """Let recorders look at a network while it runs.

    Every handle's ``remove`` is on the stack before the next hook is registered, so that none is left
    behind whatever raises. A recorder's time counts for its quantity, not for the pass.
    """
    with ExitStack() as stack:
        for recorder in recorders:
            for name, module in modules.items():
                if isinstance(module, recorder.types) and getattr(recorder, "wants", _any)(module):
                    hook = _hook(name, recorder, clock)
                    stack.callback(module.register_forward_hook(hook).remove)
        yield


def _any(module: nn.Module) -> bool:  # noqa: ARG001
    """What a recorder wants that does not say: every module of its types."""
    return True


def _hook(name: str, recorder: Recorder, clock: Clock) -> Any:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # What it computes is no part of the pass: no mode that notes or replaces the calls of the network may see it.
        with clock.measure(recorder.quantity), DisableTorchFunction():
            recorder.see(name, module, inputs, output)

    return hook
