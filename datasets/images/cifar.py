"""Readers of the official CIFAR-10 and CIFAR-100 files, binary and python layout; training images only.

Binary layout: records of one label byte (CIFAR-100: coarse, then fine label) and 3 x 32 x 32 bytes of
pixels, channel by channel. Python layout: pickled dicts with ``data`` [n, 3072] and ``labels`` or
``fine_labels``. Source: Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zcbench.datasets.images.batch import Pixels
from zcbench.datasets.images.files import Layout, check_labels, find, read_bytes, read_pickle
from zcbench.harness.errors import ZcbenchError

SIDE = 32
PIXELS = 3 * SIDE * SIDE

_LAYOUTS = {
    10: (
        Layout("cifar-10-batches-bin", ("data_batch_[1-5].bin",)),
        Layout("cifar-10-batches-py", ("data_batch_[1-5]",)),
    ),
    100: (Layout("cifar-100-binary", ("train.bin",)), Layout("cifar-100-python", ("train",))),
}


def read(classes: int, folder: Path | None) -> Pixels:
    """Read the training images of CIFAR-10 or CIFAR-100.

    Args:
        classes: 10 or 100.
        folder: where to look; None for ``$ZCBENCH_DATA/images``.

    Raises:
        MissingFileError: if there are none.
        ZcbenchError: if a file is damaged.
    """
    parts = [
        (_read_binary if path.suffix == ".bin" else _read_python)(path, classes)
        for path in find(f"cifar{classes}", _LAYOUTS[classes], folder)
    ]
    values, labels = zip(*parts, strict=True)
    return Pixels(np.concatenate(values), np.concatenate(labels), "train")


def _read_binary(path: Path, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    label_bytes = 1 if classes == 10 else 2
    content = np.frombuffer(read_bytes(path), dtype=np.uint8)
    if content.size % (label_bytes + PIXELS):
        raise ZcbenchError(
            f"cannot read {path}: {content.size} bytes are not a multiple of {label_bytes + PIXELS}, "
            "the size of one image and its label: truncated or of another format"
        )
    records = content.reshape(-1, label_bytes + PIXELS)
    labels = records[:, label_bytes - 1].astype(np.int64)
    check_labels(labels, classes, path)
    return records[:, label_bytes:].reshape(-1, 3, SIDE, SIDE), labels


def _read_python(path: Path, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    values, labels = read_pickle(path, "labels" if classes == 10 else "fine_labels", SIDE)
    check_labels(labels, classes, path)
    return values, labels
