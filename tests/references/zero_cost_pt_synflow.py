import math

import torch
from torch import nn

from references import Setting, weighted_layers
from references.synflow import without_norm
from references.zero_cost_pt import sum_of_ranks, without
from references.zeros_snip import supernet

NETWORKS = ("nasbench201",)
FULL_SIZE = False  # 25 and more passes on the whole network take long


def synflow(network: nn.Module, setting: Setting) -> float:
    """log of the sum of |w dR/dw| over the weights of convolutions and the classifier."""
    network.zero_grad()
    network(torch.ones((1, *setting.inputs.shape[1:]), dtype=torch.float64)).sum().backward()
    gradients = [(m.weight, m.weight.grad) for m in weighted_layers(network)]
    return math.log(sum(float((w.detach() * g).abs().sum()) for w, g in gradients if g is not None))


def reference(setting: Setting) -> float:
    network = without_norm(supernet(setting))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    return sum_of_ranks(setting, network, without, synflow, -1)
