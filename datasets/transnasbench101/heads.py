"""The heads of TransNAS-Bench-101: a linear classifier and two decoders.

The layers of a decoder are convolutions with bias, batch norm and a leaky ReLU of slope .2; transposed ones
double height and width. With h halvings behind the stem, which divides by four, a decoder has h + 2 of them.
The benchmark has 256 pixels in mind and at most six, so that h <= 4.

Source: the repository of Duan et al., "TransNAS-Bench-101", CVPR 2021 (``lib/models/task_models/decoder.py``).
"""

from __future__ import annotations

from torch import Tensor, nn

SLOPE = 0.2
DECODER_WIDTH = 1024
STEM_HALVINGS = 2
MOST_DOUBLINGS = 6


class Classifier(nn.Module):
    """Global average pooling and a linear layer: [N, C, H, W] to [N, outputs].

    Args:
        channels: C.
        outputs: number of classes or values.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs."""
        return self.linear(self.pool(x).flatten(1))  # type: ignore[no-any-return]


def tiles(images: Tensor) -> list[Tensor]:
    """Cut the nine tiles of the jigsaw task out of images, in reading order.

    An image is divided into 3 x 3 fields; a tile is the middle of its field, a quarter of the image high and
    wide. For 256 pixels that is 64 of 85. The benchmark used images of 255 pixels, with tiles of 64 pixels
    at random places of their fields of 85.

    Args:
        images: [N, c, H, W] with H and W of at least 4.

    Returns:
        Nine times [N, c, H // 4, W // 4].
    """
    down, right = (_places(side) for side in images.shape[2:])
    return [images[:, :, rows, columns] for rows in down for columns in right]


def _places(side: int) -> list[slice]:
    field, tile = side // 3, side // 4
    starts = (index * field + (field - tile) // 2 for index in range(3))
    return [slice(start, start + tile) for start in starts]


def _same(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return a layer that keeps height and width."""
    convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.LeakyReLU(SLOPE, inplace=False))


def _double(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return a layer that doubles height and width."""
    convolution = nn.ConvTranspose2d(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.LeakyReLU(SLOPE, inplace=False))


class SegmentationDecoder(nn.Sequential):
    """The head of segmentsemantic: seven layers and a last convolution to the classes.

    Widths behind the layers: 1024, 512, 256, 128, 64, 32, 32. The last h + 2 layers double height and width.

    Args:
        channels: width of the encoder.
        halvings: h, the number of modules that halve height and width.
        outputs: number of classes.
    """

    def __init__(self, channels: int, halvings: int, outputs: int) -> None:
        doublings = halvings + STEM_HALVINGS
        layers: list[nn.Module] = [_same(channels, DECODER_WIDTH)]
        width = DECODER_WIDTH
        for index in range(MOST_DOUBLINGS):
            layer = _double if index >= MOST_DOUBLINGS - doublings else _same
            wide = width if index == MOST_DOUBLINGS - 1 else width // 2
            layers.append(layer(width, wide))
            width = wide
        layers.append(nn.Conv2d(width, outputs, 3, padding=1))
        super().__init__(*layers)


class GenerativeDecoder(nn.Sequential):
    """The head of normal and autoencoder: thirteen layers, a last convolution and a tanh.

    Widths behind the layers: 1024, 1024, 512, 512, 256, 128, 64, 64, 32, 32, 16, 32, 16. Of the layers
    3, 5, 7, 9, 11 and 13 the last h + 2 double height and width.

    Args:
        channels: width of the encoder.
        halvings: h, the number of modules that halve height and width.
        outputs: number of channels of the image.
    """

    WIDTHS = (1024, 1024, 512, 512, 256, 128, 64, 64, 32, 32, 16, 32, 16)
    DOUBLING = (3, 5, 7, 9, 11, 13)

    def __init__(self, channels: int, halvings: int, outputs: int) -> None:
        doubling = self.DOUBLING[len(self.DOUBLING) - halvings - STEM_HALVINGS :]
        layers: list[nn.Module] = []
        width = channels
        for number, wide in enumerate(self.WIDTHS, start=1):
            layers.append((_double if number in doubling else _same)(width, wide))
            width = wide
        layers += [nn.Conv2d(width, outputs, 3, padding=1), nn.Tanh()]
        super().__init__(*layers)
