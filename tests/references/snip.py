import torch
from torch import nn
from torch.nn.utils import parametrize

from references import Setting, weighted_layers


class Masked(nn.Module):
    def __init__(self, like: torch.Tensor) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.ones_like(like))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight * self.mask


def masks(setting: Setting) -> list[torch.Tensor]:
    """The gradient with respect to a mask of ones on every weight, as SNIP defines its sensitivity."""
    network = setting.copy()
    masked = []
    for layer in weighted_layers(network):
        module = Masked(layer.weight)
        parametrize.register_parametrization(layer, "weight", module)
        masked.append(module.mask)
    nn.functional.cross_entropy(network(setting.inputs), setting.targets).backward()
    return [torch.zeros_like(m) if m.grad is None else m.grad for m in masked]


def reference(setting: Setting) -> float:
    return sum(abs(g) for mask in masks(setting) for g in mask.flatten().tolist())
