"""The blocks that modules are made of: the cell of the micro space and the basic block of the macro space.

Convolutions have no bias, and a ReLU before and a batch norm behind them. Every operation is built, also that of
an edge whose result nobody uses.

Source: the repository of Duan et al., "TransNAS-Bench-101", CVPR 2021 (``lib/models/net_ops``,
``lib/models/net_infer/cell_micro.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from zcbench.datasets.nasbench201.network import relu_conv_bn
from zcbench.datasets.transnasbench101.genotype import EDGES, OPERATIONS


class Zero(nn.Module):
    """The operation none: zeros that still depend on the input as far as autograd is concerned.

    Args:
        channels_in: width of the input.
        channels_out: width of the output, a multiple of that.
        stride: 1 or 2.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.repeats = channels_out // channels_in
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to zeros [N, C', H / stride, W / stride]."""
        zeros = x[:, :, :: self.stride, :: self.stride].mul(0.0)
        return zeros.repeat(1, self.repeats, 1, 1)

    def shape_of_zeros(self, x: Tensor) -> torch.Size:
        """Return the shape of what it returns for an input; passes find operations ``none`` by this method."""
        n, channels, *sides = x.shape
        return torch.Size((n, channels * self.repeats, *(-(-side // self.stride) for side in sides)))


class FactorizedReduction(nn.Module):
    """The operation skip_connect where the shape changes: two 1 x 1 convolutions of stride 2, one pixel apart.

    Args:
        channels_in: width of the input.
        channels_out: width of the output.
        stride: its stride.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=False)
        self.even = nn.Conv2d(channels_in, channels_out // 2, 1, stride=stride, bias=False)
        self.odd = nn.Conv2d(channels_in, channels_out - channels_out // 2, 1, stride=stride, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C', H / stride, W / stride]."""
        x = self.relu(x)
        shifted = functional.pad(x, (-1, 1, -1, 1))  # one row and column off, zeros come in on the other side
        return self.norm(torch.cat((self.even(x), self.odd(shifted)), dim=1))  # type: ignore[no-any-return]


def operation(name: str, channels_in: int, channels_out: int, stride: int) -> nn.Module:
    """Return an operation of a cell.

    Args:
        name: one of `zcbench.datasets.transnasbench101.genotype.OPERATIONS`.
        channels_in: width of the input.
        channels_out: width of the output.
        stride: 1 or 2.
    """
    if name == "none":
        return Zero(channels_in, channels_out, stride)
    if name == "skip_connect":
        same = channels_in == channels_out and stride == 1
        return nn.Identity() if same else FactorizedReduction(channels_in, channels_out, stride)
    return relu_conv_bn(channels_in, channels_out, {"conv1x1": 1, "conv3x3": 3}[name], stride)


class Cell(nn.Module):
    """The block of the micro space: node j is the sum over i < j of operation(i -> j) applied to node i.

    The edges out of node 0 change the shape, where the block does.

    Args:
        genotype: six operations in the order of `zcbench.datasets.transnasbench101.genotype.EDGES`.
        channels_in: width of the input.
        channels_out: width of the output.
        stride: 1 or 2.
    """

    is_cell = True  # metrics that look between cells find them by this

    def __init__(self, genotype: Sequence[int], channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            operation(OPERATIONS[code], channels_in, channels_out, stride)
            if source == 0
            else operation(OPERATIONS[code], channels_out, channels_out, 1)
            for code, (source, _) in zip(genotype, EDGES, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C', H / stride, W / stride]."""
        nodes: list[Tensor] = [x]
        for (source, to), edge in zip(EDGES, self.edges, strict=True):
            term = edge(nodes[source])
            if to == len(nodes):
                nodes.append(term)
            else:
                nodes[to] = nodes[to] + term
        return nodes[-1]


class BasicBlock(nn.Module):
    """The block of the macro space: two 3 x 3 convolutions, and a shortcut that is learned where the shape changes.

    Args:
        channels_in: width of the input.
        channels_out: width of the output.
        stride: 1 or 2.
    """

    is_cell = True  # metrics that look between cells find them by this

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.first = relu_conv_bn(channels_in, channels_out, 3, stride)
        self.second = relu_conv_bn(channels_out, channels_out, 3)
        same = channels_in == channels_out and stride == 1
        self.shortcut: nn.Module = nn.Identity()
        if not same:
            projection = nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C', H / stride, W / stride]."""
        return self.shortcut(x) + self.second(self.first(x))  # type: ignore[no-any-return]


def block(cell: Sequence[int] | None, channels_in: int, channels_out: int, stride: int) -> nn.Module:
    """Return a block: a cell with these operations, or the basic block where there are none."""
    if cell is None:
        return BasicBlock(channels_in, channels_out, stride)
    return Cell(cell, channels_in, channels_out, stride)
