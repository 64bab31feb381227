"""Mini-batches of images as numpy arrays: class-balanced, seeded, normalised.

CIFAR and ImageNet16-120 are normalised as in the training code of NAS-Bench-201.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcbench.datasets.images import cifar, embedded, imagenet16
from zcbench.datasets.images.batch import Batch, Pixels, balanced_draw
from zcbench.datasets.images.tasks import RANDOM, for_task, resized, with_random_labels
from zcbench.harness.errors import ZcbenchError, unknown

__all__ = ["LABELS", "RANDOM", "Batch", "DatasetInfo", "datasets", "for_task", "load"]


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What is known of an image dataset before it is read.

    Attributes:
        name: its name on the command line.
        classes: number of classes.
        side: height and width of an input.
        needs_files: whether image files are needed.
        mean: mean per channel, in units of a pixel.
        std: standard deviation per channel, in units of a pixel.
        white: the largest value of a pixel.
        note: what else happens to a pixel.
    """

    name: str
    classes: int
    side: int
    needs_files: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    white: float
    note: str = ""

    @property
    def preprocessing(self) -> str:
        """How pixels become inputs, in words; part of the recipe."""
        if not self.mean:
            return self.note
        mean, std = (",".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return f"{self.note}(pixel-mean)/std with mean {mean} and std {std} of {self.white:g}"


_DATASETS = (
    DatasetInfo("cifar10", 10, 32, True, (125.3, 123.0, 113.9), (63.0, 62.1, 66.7), 255),
    DatasetInfo("cifar100", 100, 32, True, (129.3, 124.1, 112.4), (68.2, 65.4, 70.4), 255),
    DatasetInfo("imagenet16_120", 120, 16, True, (122.68, 116.66, 104.01), (63.22, 61.26, 65.09), 255),
    DatasetInfo(
        "digits", 10, 32, False, (4.884,) * 3, (6.017,) * 3, 16, "8x8 repeated to 32x32, 3 equal channels, "
    ),
    DatasetInfo("gaussian", 10, 32, False, (), (), 1, "standard normal, labels at random"),
)


LABELS = ("", "true", RANDOM)
"""What `load` knows as ``labels``; the first two are those of the dataset."""

MOST_BYTES = 2 << 30
"""Of the inputs of one mini-batch; the activations of a network's first layer alone are several times as large."""


def datasets() -> dict[str, DatasetInfo]:
    """Return every image dataset by name."""
    return {info.name: info for info in _DATASETS}


def load(
    dataset: str, *, batch_size: int, seed: int = 0, folder: Path | None = None, resolution: int | None = None,
    further: int = 0, labels: str = "",
) -> Batch:
    """Draw one mini-batch, and further ones for the metrics that look at several.

    The counts per class differ by at most one; the classes that get one more are drawn at random. The
    same arguments give the same batch, whatever the number of further ones.

    Args:
        dataset: a name of `datasets`.
        batch_size: N.
        seed: seed of the draw.
        folder: folder of the image files; None for ``$ZCBENCH_DATA/images``.
        resolution: height and width of an input; None for those of the dataset. Images of another size are
            resized, which the batch's ``preprocessing`` says; gaussian inputs are drawn in that size.
        further: number of further mini-batches, none of which shares an image with another. There are fewer where
            the images do not suffice.
        labels: ``random`` draws the classes of the images at random, as even as the true ones; those of gaussian
            inputs are drawn at random in any case. Empty or ``true``: those of the dataset.

    Raises:
        MissingFileError: if the dataset needs files that are not there.
        ZcbenchError: if the dataset is unknown, the batch too large or a file damaged.
    """
    info = datasets().get(dataset)
    if info is None:
        raise unknown("image dataset", dataset, datasets())
    if labels not in LABELS:
        raise unknown("kind of labels", labels, LABELS[1:])
    if batch_size < 1 or seed < 0:
        raise ZcbenchError(
            f"a batch needs a size of 1 or more and a seed of 0 or more, not {batch_size}, {seed}"
        )
    _check_size(batch_size, resolution or info.side)
    generators = [np.random.default_rng(seed), *(np.random.default_rng([seed, 2, k]) for k in range(further))]
    if dataset == "gaussian":
        split = "random"
        drawn = [embedded.gaussian(batch_size, g, side=resolution or info.side) for g in generators]
        draws = [(np.ascontiguousarray(one.values, dtype=np.float32), one.labels) for one in drawn]
    else:
        pixels = _read(info, folder)
        split = pixels.split
        draws = _draws(info, pixels, batch_size, generators, resolution)
    (inputs, targets), *more = draws
    said = info.preprocessing
    if resolution is not None and resolution != info.side:
        said += f", {resolution}x{resolution}" + ("" if dataset == "gaussian" else f" (bilinear, from {info.side})")
    batch = Batch(
        inputs, targets, info.classes, dataset, split, said, seed, resolution=resolution or 0,
        further=tuple(more),
    )  # fmt: skip
    return with_random_labels(batch) if labels == RANDOM and dataset != "gaussian" else batch


def _check_size(n: int, side: int) -> None:
    """Refuse inputs that no network could be applied to, before memory is asked for.

    Raises:
        ZcbenchError: if they take more than `MOST_BYTES`.
    """
    if n * 3 * side**2 * np.dtype(np.float32).itemsize > MOST_BYTES:
        raise ZcbenchError(
            f"a batch of {n} inputs of {side}x{side} takes more than {MOST_BYTES >> 30} GiB: take a smaller batch or "
            "resolution"
        )


def _draws(
    info: DatasetInfo, pixels: Pixels, batch_size: int, generators: Sequence[np.random.Generator],
    resolution: int | None,
) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Draw one mini-batch from each generator, each from the images that are left."""
    left = np.arange(len(pixels.labels))
    result: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
    for generator in generators:
        try:
            places = balanced_draw(pixels.labels[left], info.classes, batch_size, generator)
        except ZcbenchError:
            if not result:
                raise
            break  # a metric that needs this mini-batch is undefined, which is not the business of the others
        chosen, left = left[places], np.delete(left, places)
        result.append((_normalised(info, pixels.values[chosen], resolution), pixels.labels[chosen]))
    return result


def _normalised(info: DatasetInfo, pixels: NDArray[Any], resolution: int | None) -> NDArray[np.float32]:
    mean, std = (np.array(v, dtype=np.float32).reshape(1, -1, 1, 1) for v in (info.mean, info.std))
    inputs: NDArray[np.float32] = (pixels.astype(np.float32) - mean) / std
    if resolution is not None and resolution != info.side:
        inputs = resized(inputs, resolution)
    return np.ascontiguousarray(inputs)


def _read(info: DatasetInfo, folder: Path | None) -> Pixels:
    if info.name == "digits":
        return embedded.digits()
    if info.name == "imagenet16_120":
        return imagenet16.read(folder)
    return cifar.read(info.classes, folder)
