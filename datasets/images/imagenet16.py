"""Reader of ImageNet16-120: the first 120 classes of ImageNet at 16 x 16 pixels, as NAS-Bench-201 uses it.

The official files are pickled dicts with ``data`` [n, 768] and ``labels`` in 1..1000; the benchmark keeps
the labels 1..120 and shifts them to 0..119. Training parts are ``train_data_batch_1`` to ``_10``; the
validation part is ``val_data``. Source: Chrabaszcz et al., "A downsampled variant of ImageNet", 2017.
"""

from pathlib import Path

import numpy as np

from zcbench.datasets.images.batch import Pixels
from zcbench.datasets.images.files import Layout, check_labels, find, read_pickle

SIDE = 16
CLASSES = 120

_LAYOUTS = (Layout("ImageNet16", ("train_data_batch_*", "val_data")),)


def read(folder: Path | None) -> Pixels:
    """Read the training images, or the validation images where there are no training images.

    Which of the two they are is recorded in ``split``.

    Args:
        folder: where to look; None for ``$ZCBENCH_DATA/images``.

    Raises:
        MissingFileError: if there are none.
        ZcbenchError: if a file is damaged.
    """
    files = find("imagenet16_120", _LAYOUTS, folder)
    values, labels = [], []
    for path in files:
        part, numbers = read_pickle(path, "labels", SIDE)
        check_labels(numbers - 1, 1000, path)
        kept = numbers <= CLASSES
        values.append(part[kept])
        labels.append(numbers[kept] - 1)
    split = "valid" if files[0].name == "val_data" else "train"
    return Pixels(np.concatenate(values), np.concatenate(labels), split)
