"""Slow, obvious versions of every metric: plain PyTorch on a copy of the network, written from the formula.

Each file has one function ``reference(setting) -> float``. It may also say what the tests of all metrics must know:

- ``NETWORKS``: the names of those networks of ``networks.make`` on which the metric has a value, if not on all;
- ``FITS_A_CELL = False``: the reference takes minutes on a real network;
- ``FULL_SIZE = False``: its value is pinned on images of 8x8 and one cell a stage instead of 16x16 and five;
- ``PARAMETERS``: values of its parameters that fit a small mini-batch, see ``networks.usable``;
- ``PERMUTABLE = False``: the metric draws its own inputs or depends on the order of the images, and why.
"""

import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zcbench.harness.initialise import INITIALISATIONS, draw, seeded
from zcbench.harness.passes.run import Origin


@dataclass(frozen=True)
class Setting:
    """One network, in float64, and one mini-batch."""

    network: nn.Module
    inputs: Tensor
    targets: Tensor
    classes: int
    key: tuple[object, ...]
    parameters: dict[str, float]
    further: tuple[tuple[Tensor, Tensor], ...] = ()
    origin: Origin | None = None

    def copy(self) -> nn.Module:
        return copy.deepcopy(self.network).train()

    def redrawn(self, number: int, init: str = "normal") -> nn.Module:
        """A copy with weights from N(0, 1) or others, of the draw that the recipe's key and number fix."""
        network = self.copy()
        which = {"normal": "weights", "kaiming_normal": "kaiming"}[init]
        drawn = draw(network, INITIALISATIONS[init], seeded(*self.key, which, number))
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(drawn[name])
        return network

    def gaussian(self, which: str, shape: tuple[int, ...] | None = None) -> Tensor:
        return torch.randn(shape or self.inputs.shape, generator=seeded(*self.key, "inputs", which, 0))


def weighted_layers(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def backward(setting: Setting) -> nn.Module:
    """A copy of the network with the gradients of the mean loss in ``.grad``; 0 where there is none."""
    network = setting.copy()
    nn.functional.cross_entropy(network(setting.inputs), setting.targets).backward()
    for parameter in network.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    return network


def find(name: str) -> Callable[[Setting], float]:
    function: Callable[[Setting], float] = importlib.import_module(f"references.{name}").reference
    return function


def networks_of(name: str) -> tuple[str, ...]:
    """The networks on which a metric has a value."""
    found: tuple[str, ...] = getattr(
        importlib.import_module(f"references.{name}"), "NETWORKS", ("plain", "branchy", "nasbench201")
    )
    return found


def says(name: str, fact: str) -> bool:
    """Whether a fact holds of a metric, which it does unless its file denies it."""
    return bool(getattr(importlib.import_module(f"references.{name}"), fact, True))
