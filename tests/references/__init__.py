"""Slow, obvious versions of every metric: plain PyTorch on a copy of the network, written from the formula.

Each file has one function ``reference(setting) -> float``.
"""

import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zcbench.harness.initialise import INITIALISATIONS, draw, seeded


@dataclass(frozen=True)
class Setting:
    """One network, in float64, and one mini-batch."""

    network: nn.Module
    inputs: Tensor
    targets: Tensor
    classes: int
    key: tuple[object, ...]
    parameters: dict[str, float]

    def copy(self) -> nn.Module:
        return copy.deepcopy(self.network).train()

    def redrawn(self, number: int) -> nn.Module:
        """A copy with weights from N(0, 1), of the draw that the recipe's key and number fix."""
        network = self.copy()
        drawn = draw(network, INITIALISATIONS["normal"], seeded(*self.key, "weights", number))
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(drawn[name])
        return network

    def gaussian(self, which: str) -> Tensor:
        return torch.randn(self.inputs.shape, generator=seeded(*self.key, "inputs", which, 0))


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
