"""The mini-batch that all metrics see, and the class-balanced draw that it comes from."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Task

Targets = NDArray[np.int64] | NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pixels:
    """Images of a dataset before normalisation.

    Attributes:
        values: uint8 or float, [n, 3, H, W].
        labels: int64 [n], in 0..classes-1.
        split: the part of the dataset that they are.
    """

    values: NDArray[np.uint8] | NDArray[np.float32]  # [n, 3, H, W]
    labels: NDArray[np.int64]  # [n]
    split: str


@dataclass(frozen=True, eq=False)
class Batch:
    """One normalised mini-batch.

    Attributes:
        inputs: float32 [N, 3, H, W], C-contiguous.
        targets: int64 [N] classes; for a task of another kind int64 [N, H, W] classes of pixels, or float32
            values of the shape of the network's output.
        classes: number of classes of the dataset or task, not of the batch.
        dataset: name of the dataset.
        split: the part of the dataset that the images come from.
        preprocessing: how pixels became inputs, in words.
        seed: seed of the draw.
        task: what the network predicts; None: the class of every image.
        resolution: height and width of an input, where somebody chose them; 0: those of the dataset.
        labels: ``random`` where the classes were drawn at random in place of the dataset's; else empty.
        further: more mini-batches of the same size without images of this one, as pairs of inputs and targets.
    """

    inputs: NDArray[np.float32]
    targets: Targets
    classes: int
    dataset: str
    split: str
    preprocessing: str
    seed: int
    task: Task | None = None
    resolution: int = 0
    labels: str = ""
    further: tuple[tuple[NDArray[np.float32], Targets], ...] = ()

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of inputs and targets (little-endian bytes)."""
        content = hashlib.sha256()
        content.update(self.inputs.astype("<f4", copy=False).tobytes())
        content.update(self.targets.astype("<i8" if self.targets.dtype.kind == "i" else "<f4", copy=False).tobytes())
        return content.hexdigest()[:16]


def balanced_labels(classes: int, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return n labels in random order whose counts per class differ by at most one.

    The classes that get one more are drawn at random, so that no class is favoured over many seeds.
    """
    counts = np.full(classes, n // classes)
    counts[generator.choice(classes, n % classes, replace=False)] += 1
    return generator.permutation(np.repeat(np.arange(classes, dtype=np.int64), counts))


def balanced_draw(
    labels: NDArray[np.int64], classes: int, n: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the positions of n images without replacement, as even over the classes as possible.

    Args:
        labels: the class of every image.
        classes: number of classes.
        n: size of the draw.
        generator: source of randomness.

    Raises:
        ZcbenchError: if a class has too few images.
    """
    if n > len(labels):  # before anything of that size is made
        raise ZcbenchError(f"a batch of {n} is more than the {len(labels)} images that there are: take a smaller one")
    wanted = balanced_labels(classes, n, generator)
    chosen = np.empty(n, dtype=np.int64)
    for label in range(classes):
        places = np.flatnonzero(wanted == label)
        pool = np.flatnonzero(labels == label)
        if len(pool) < len(places):
            raise ZcbenchError(
                f"a balanced batch of {n} needs {len(places)} images of class {label}, "
                f"but there are {len(pool)}: take a smaller batch"
            )
        chosen[places] = generator.choice(pool, len(places), replace=False)
    return chosen
