"""The networks that TransNAS-Bench-101 trained: one encoder, and a head for each of seven tasks.

::

    stem      conv3x3(3, 32) stride 2, BN, ReLU, conv3x3(32, 64) stride 2, BN
    modules   two blocks each; the first may double the channels and halve height and width
    block     micro: a cell of four nodes; macro: ReLU, conv3x3, BN, ReLU, conv3x3, BN and a shortcut
    head      a classifier, a classifier of nine tiles, or a decoder: `zcbench.datasets.transnasbench101.heads`

The encoder divides height and width by 4 · 2^h, h the number of modules that halve them (3 in the micro space,
1 to 4 in the macro space). It takes images of any side; where the side is no multiple of 4 · 2^h a
convolution of stride 2 rounds up.

How it was checked: no official file with its recorded sizes was at hand. Tests hold the number of parameters of
both spaces and all heads against formulas that are written down apart from this module, every stage's shape at
256 and at smaller sides, and the rank correlation of parameters and multiply-accumulates of all architectures
with the trained accuracies against what NAS-Bench-Suite-Zero published.

Nothing in ``forward`` looks at a value, so the network also runs on the meta device.

Source: Duan et al., "TransNAS-Bench-101", CVPR 2021, section 3 and supplement; structure and sizes as in the
repository of the benchmark (``lib/models/net_infer``, ``lib/models/task_models``).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zcbench.datasets.nasbench201.network import relu_conv_bn
from zcbench.datasets.transnasbench101.blocks import block
from zcbench.datasets.transnasbench101.genotype import DOUBLING, HALVING, WIDTH
from zcbench.datasets.transnasbench101.heads import Classifier, GenerativeDecoder, SegmentationDecoder, tiles
from zcbench.harness.types import Task

BLOCKS_PER_MODULE = 2


class Encoder(nn.Sequential):
    """Stem and modules: [N, 3, H, W] to [N, `channels`, H / s, W / s] with s = 4 · 2^`halvings`.

    Args:
        modules: codes of the modules.
        cell: operations of the cell; None for basic blocks.

    Attributes:
        channels: width of the output.
        halvings: number of modules that halve height and width.
    """

    def __init__(self, modules: Sequence[int], cell: Sequence[int] | None) -> None:
        stem = nn.Sequential(
            nn.Conv2d(3, WIDTH // 2, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(WIDTH // 2),
            *relu_conv_bn(WIDTH // 2, WIDTH, 3, stride=2),
        )
        blocks: list[nn.Module] = [stem]
        width = WIDTH
        for code in modules:
            channels_in, width = width, width * (2 if code in DOUBLING else 1)
            stride = 2 if code in HALVING else 1
            rest = (block(cell, width, width, 1) for _ in range(BLOCKS_PER_MODULE - 1))
            blocks.append(nn.Sequential(block(cell, channels_in, width, stride), *rest))
        super().__init__(*blocks)
        self.channels = width
        self.halvings = sum(code in HALVING for code in modules)


class Network(nn.Module):
    """An encoder and the head of its task.

    Args:
        modules: codes of the modules.
        cell: operations of the cell; None for basic blocks.
        task: what it predicts.
    """

    def __init__(self, modules: Sequence[int], cell: Sequence[int] | None, task: Task) -> None:
        super().__init__()
        self.encoder = Encoder(modules, cell)
        channels, halvings = self.encoder.channels, self.encoder.halvings
        self.head: nn.Module
        if task.name == "segmentsemantic":
            self.head = SegmentationDecoder(channels, halvings, task.outputs)
        elif task.dense:
            self.head = GenerativeDecoder(channels, halvings, task.outputs)
        else:
            self.head = Classifier(channels, task.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 3, H, W] to [N, outputs], or to [N, outputs, H, W] for a dense task.

        A decoder doubles height and width as often as the encoder halves them. What exceeds the image is cut
        off; that is nothing where H and W are multiples of 4 · 2^h, such as the 256 of the benchmark.
        """
        height, width = x.shape[2:]
        prediction: Tensor = self.head(self.encoder(x))
        return prediction if prediction.dim() == 2 else prediction[:, :, :height, :width]


class JigsawNetwork(nn.Module):
    """One encoder for nine tiles, and a classifier of what it found in all of them.

    The benchmark gave it the tiles, in the order of a permutation that it had to name. Here the input is an
    image [N, 3, H, W], as for every other task, and the tiles are cut out of it in ``forward``, in reading order
    (see `zcbench.datasets.transnasbench101.heads.tiles`).

    Args:
        modules: codes of the modules.
        cell: operations of the cell; None for basic blocks.
        task: what it predicts.
    """

    def __init__(self, modules: Sequence[int], cell: Sequence[int] | None, task: Task) -> None:
        super().__init__()
        self.encoder = Encoder(modules, cell)
        self.head = Classifier(9 * self.encoder.channels, task.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 3, H, W], H and W of at least 4, to logits [N, outputs].

        The encoder runs once for each tile, as in the benchmark, so that batch norm sees one tile of each image.
        """
        features = torch.cat([self.encoder(tile) for tile in tiles(x)], dim=1)
        return self.head(features)  # type: ignore[no-any-return]


def build(modules: Sequence[int], cell: Sequence[int] | None, task: Task) -> nn.Module:
    """Build a network on the meta device: shapes without weights, to be initialised afterwards.

    Args:
        modules: codes of the modules.
        cell: operations of the cell, in the order of `zcbench.datasets.transnasbench101.genotype.EDGES`; None
            for basic blocks.
        task: what it predicts.
    """
    with torch.device("meta"):
        return (JigsawNetwork if task.name == "jigsaw" else Network)(modules, cell, task)
