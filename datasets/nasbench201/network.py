"""The network that NAS-Bench-201 trained: three stages of five cells, 16, 32 and 64 channels wide.

::

    stem   conv3x3(3, 16), BN
    cells  5 cells (16), residual reduction, 5 cells (32), residual reduction, 5 cells (64)
    head   BN, ReLU, global average pooling, linear classifier

The sizes agree with what the benchmark recorded: ``params`` to the last parameter, and ``flop`` is the
number of multiply-accumulates of convolutions and classifier plus one per class for the classifier's
bias (113.95137 M for official cell 11, CIFAR-10).

NASLib's recorded ``flops`` is another count: it adds the additions and multiplications of pooling
(nine per output element), batch norm (two) and ReLU (one) to the multiply-accumulates, and leaves the
bias out. For images of side s and a cell with p pooling and k convolution edges it is larger than the
multiply-accumulates by exactly 140 s^2 (9 p + 3 k) plus 160,832 (s = 32) or 40,512 (s = 16) for what
all cells share; that holds for all 2,174 recorded values. On the 725 CIFAR-10 cells it is 0.16 to 7.04 M
more (1.2 % to 68 %, 9.3 % on average), and the two counts have a Spearman correlation of .996.

Every module is built, also those of ``none`` edges and of edges whose result nobody uses, because the
benchmark's counts include them. Activations are modules, so that they can be observed. Nothing in
``forward`` looks at a value, so the network also runs on the meta device.

Source: Dong and Yang, "NAS-Bench-201", ICLR 2020, section 2.1 and figure 1.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from zcbench.datasets.nasbench201.genotype import EDGES

WIDTHS = (16, 32, 64)
CELLS_PER_STAGE = 5


class Zero(nn.Module):
    """The operation ``none``: zeros that still depend on the input as far as autograd is concerned."""

    def forward(self, x: Tensor) -> Tensor:
        """Return 0 * x."""
        return x.mul(0.0)

    def shape_of_zeros(self, x: Tensor) -> torch.Size:
        """Return the shape of what it returns for an input; passes find operations ``none`` by this method."""
        return x.shape


def relu_conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return ReLU, bias-free convolution with padding (kernel - 1) / 2, affine batch norm."""
    return nn.Sequential(
        nn.ReLU(inplace=False),
        nn.Conv2d(channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    )


_OPERATIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda _: Zero(),
    "skip_connect": lambda _: nn.Identity(),
    "nor_conv_1x1": lambda channels: relu_conv_bn(channels, channels, 1),
    "nor_conv_3x3": lambda channels: relu_conv_bn(channels, channels, 3),
    "avg_pool_3x3": lambda _: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
}


class Cell(nn.Module):
    """One cell: node j is the sum over i < j of operation(i -> j) applied to node i.

    Args:
        genotype: six operations in the order of `EDGES`.
        channels: width of input and output.
    """

    is_cell = True  # metrics that look between cells find them by this

    def __init__(self, genotype: Sequence[str], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(_OPERATIONS[operation](channels) for operation in genotype)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C, H, W]."""
        nodes: list[Tensor] = [x]
        for (source, to), edge in zip(EDGES, self.edges, strict=True):
            term = edge(nodes[source])
            if to == len(nodes):
                nodes.append(term)
            else:
                nodes[to] = nodes[to] + term
        return nodes[-1]


class Reduction(nn.Module):
    """The residual block between two stages: it halves height and width.

    Args:
        channels_in: width of the input.
        channels_out: width of the output.
    """

    is_cell = True  # metrics that look between cells find them by this

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first = relu_conv_bn(channels_in, channels_out, 3, stride=2)
        self.second = relu_conv_bn(channels_out, channels_out, 3)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2), nn.Conv2d(channels_in, channels_out, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C', H/2, W/2]."""
        return self.shortcut(x) + self.second(self.first(x))  # type: ignore[no-any-return]


class Network(nn.Module):
    """The whole network: [N, 3, H, W] images to [N, classes] logits.

    Args:
        genotype: six operations in the order of `EDGES`.
        classes: number of classes.
    """

    def __init__(self, genotype: Sequence[str], classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False), nn.BatchNorm2d(WIDTHS[0])
        )
        body: list[nn.Module] = []
        for stage, width in enumerate(WIDTHS):
            if stage:
                body.append(Reduction(WIDTHS[stage - 1], width))
            body.extend(Cell(genotype, width) for _ in range(CELLS_PER_STAGE))
        self.cells = nn.Sequential(*body)
        self.head = nn.Sequential(nn.BatchNorm2d(WIDTHS[-1]), nn.ReLU(inplace=False))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, classes]."""
        features = self.pool(self.head(self.cells(self.stem(x))))
        return self.classifier(features.flatten(1))  # type: ignore[no-any-return]


def build(genotype: Sequence[str], classes: int) -> Network:
    """Build the network on the meta device: shapes without weights, to be initialised afterwards."""
    with torch.device("meta"):
        return Network(genotype, classes)
