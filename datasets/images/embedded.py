"""Inputs that need no files: scikit-learn's digits and Gaussian noise."""

import numpy as np

from zcbench.datasets.images.batch import Pixels, balanced_labels

CLASSES = 10
SIDE = 32
ENLARGEMENT = 4


def digits() -> Pixels:
    """Return the 1,797 handwritten digits that ship with scikit-learn, as 32 x 32 images.

    An 8 x 8 image in grey levels 0..16 is enlarged by repeating each pixel 4 x 4 times; the three
    channels are equal. Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI.
    """
    from sklearn.datasets import load_digits  # slow to import, and needed by this dataset only

    loaded = load_digits()
    grey = loaded.images.astype(np.uint8)  # [n, 8, 8]
    large = grey.repeat(ENLARGEMENT, axis=1).repeat(ENLARGEMENT, axis=2)  # [n, 32, 32]
    return Pixels(np.repeat(large[:, None], 3, axis=1), loaded.target.astype(np.int64), "all")


def gaussian(n: int, generator: np.random.Generator, *, side: int = SIDE) -> Pixels:
    """Return n inputs of independent standard normal values, with random labels.

    It is a dataset of its own, never a replacement for one that is missing. The counts of its labels
    per class differ by at most one.
    """
    labels = balanced_labels(CLASSES, n, generator)
    values = generator.standard_normal((n, 3, side, side), dtype=np.float32)
    return Pixels(values, labels, "random")
