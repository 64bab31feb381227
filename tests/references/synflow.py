import math

import torch
from torch import nn

from references import Setting, weighted_layers


def without_norm(module: nn.Module) -> nn.Module:
    """Replace every batch norm by an identity module."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.Identity())
        else:
            without_norm(child)
    return module


def reference(setting: Setting) -> float:
    network = without_norm(setting.copy()).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    network(torch.ones((1, *setting.inputs.shape[1:]), dtype=torch.float64)).sum().backward()
    total = 0.0
    for layer in weighted_layers(network):
        if layer.weight.grad is not None:
            total += float((layer.weight.detach() * layer.weight.grad).abs().sum())
    return math.log(total)
