from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import rankdata
from torch import nn

from references import Setting
from references.zeros_snip import of_chosen, supernet

NETWORKS = ("nasbench201",)
FULL_SIZE = False  # 25 and more passes on the whole network take long


def nwot(network: nn.Module, setting: Setting) -> float:
    """log |det K| of the codes of all ReLUs in evaluation mode; an operation of weight 0 is fed zeros."""
    network.eval()
    codes = []
    hooks = [
        operation.register_forward_pre_hook(lambda m, i: (0 * i[0],))
        for cell in network.cells
        if hasattr(cell, "edges")
        for row, edge in enumerate(cell.edges)
        for place, operation in enumerate(edge.operations, start=1)
        if network.alpha[row, place] == 0
    ]
    hooks += [
        module.register_forward_pre_hook(lambda m, i: codes.append((i[0] > 0).flatten(1).double().numpy()))
        for module in network.modules()
        if isinstance(module, nn.ReLU)
    ]
    network(setting.inputs)
    for hook in hooks:
        hook.remove()
    return float(np.log(np.linalg.det(sum(c @ c.T + (1 - c) @ (1 - c).T for c in codes))))


def without(network: nn.Module, edge: int, operation: int) -> None:
    network.alpha[edge, operation] = 0


def alone(network: nn.Module, edge: int, operation: int) -> None:
    network.alpha[edge] = 0
    network.alpha[edge, operation] = 1


def sum_of_ranks(
    setting: Setting, network: nn.Module, change: Callable[[nn.Module, int, int], None],
    metric: Callable[[nn.Module, Setting], float], sign: int,
) -> float:
    """Change alpha of the supernet, for every operation of an edge anew, and rank what the metric says."""

    def rank(edge: int, operation: int) -> float:
        values = []
        for other in range(5):
            with torch.no_grad():
                network.alpha.fill_(1 / 5)
                change(network, edge, other)
            values.append(sign * metric(network, setting))
        return float(rankdata(np.round(values, 9))[operation] - 1)

    return sum(of_chosen(setting, network, rank))


def reference(setting: Setting) -> float:
    return sum_of_ranks(setting, supernet(setting), without, nwot, -1)
