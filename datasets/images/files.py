"""Find the files of an image dataset on disk and read their bytes."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zcbench.datasets import unpickle
from zcbench.harness.errors import MissingFileError, ZcbenchError


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which a dataset is laid out on disk.

    Attributes:
        folder: name of the folder that the official archive unpacks to.
        patterns: file names, as glob patterns; those of the first pattern that matches are read.
    """

    folder: str
    patterns: tuple[str, ...]

    def files(self, folder: Path) -> list[Path]:
        """Return the files in this very folder, in the order of their numbers."""
        for pattern in self.patterns:
            found = [path for path in folder.glob(pattern) if path.is_file()]
            if found:
                return sorted(found, key=lambda path: (len(path.name), path.name))
        return []


def images_folder(dataset: str, folder: Path | None) -> Path:
    """Return the folder to look in: the one given, else ``$ZCBENCH_DATA/images``.

    Raises:
        MissingFileError: if neither is there.
    """
    if folder is None:
        data = os.environ.get("ZCBENCH_DATA")
        if not data:
            raise MissingFileError(
                f"{dataset} needs image files: name their folder (--images FOLDER) or set ZCBENCH_DATA "
                "to a folder that has them in images/; digits and gaussian need none"
            )
        folder = Path(data) / "images"
    if not folder.is_dir():
        raise MissingFileError(f"there is no folder {folder} with images of {dataset}")
    return folder


def find(dataset: str, layouts: tuple[Layout, ...], folder: Path | None) -> list[Path]:
    """Return the files of the first layout that is there.

    Each layout is looked for in FOLDER/<dataset>/<layout>, FOLDER/<layout>, FOLDER/<dataset> and FOLDER.

    Args:
        dataset: name of the dataset.
        layouts: its layouts, in order of preference.
        folder: where to look; None for ``$ZCBENCH_DATA/images``.

    Raises:
        MissingFileError: with the layouts that were looked for and where.
    """
    root = images_folder(dataset, folder)
    for layout in layouts:
        for place in (root / dataset / layout.folder, root / layout.folder, root / dataset, root):
            files = layout.files(place)
            if files:
                return files
    looked = " or ".join(f"{layout.folder}/{'|'.join(layout.patterns)}" for layout in layouts)
    raise MissingFileError(f"no images of {dataset}: looked for {looked} in {root / dataset} and {root}")


def read_bytes(path: Path) -> bytes:
    """Return the content of a file that is not empty.

    Raises:
        ZcbenchError: if it is empty or cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ZcbenchError(f"cannot read {path}: {error.strerror or error}") from error
    if not content:
        raise ZcbenchError(f"cannot read {path}: the file is empty")
    return content


def read_pickle(path: Path, label_key: str, side: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read one pickled part of a dataset: ``data`` [n, 3 * side * side] and labels.

    Args:
        path: the pickle, written by Python 2 or 3.
        label_key: name of the labels in it.
        side: height and width of an image.

    Returns:
        Images uint8 [n, 3, side, side] and labels int64 [n].

    Raises:
        UnsafeFileError: if the pickle asks for anything but numpy arrays.
        ZcbenchError: if it is damaged or not of this form.
    """
    stream = io.BytesIO(read_bytes(path))
    content = unpickle.load(stream, allowed=unpickle.NUMPY_ARRAYS, name=str(path), encoding="bytes")
    if not isinstance(content, dict):
        raise ZcbenchError(f"cannot read {path}: it holds a {type(content).__name__} instead of a dict")
    entries = {key.decode() if isinstance(key, bytes) else key: value for key, value in content.items()}
    data, labels = entries.get("data"), entries.get(label_key)
    if not isinstance(data, unpickle.ArrayStandIn) or labels is None:
        raise ZcbenchError(f'cannot read {path}: it lacks "data" or "{label_key}"')
    numbers = labels.array if isinstance(labels, unpickle.ArrayStandIn) else labels
    return unpickle.reading(str(path), lambda: _shaped(data.array, np.asarray(numbers), side))


def _shaped(
    values: NDArray[np.uint8], labels: NDArray[np.int64], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if values.dtype != np.uint8:
        raise ValueError(f"pixels are {values.dtype} instead of uint8")
    if labels.dtype.kind not in "iu" or labels.shape != (len(values),):
        raise ValueError(f"{len(values)} images, but labels of shape {labels.shape} and type {labels.dtype}")
    return values.reshape(len(values), 3, side, side), labels.astype(np.int64)


def check_labels(labels: NDArray[np.int64], classes: int, path: Path) -> None:
    """Refuse labels outside 0..classes-1.

    Raises:
        ZcbenchError: naming the file.
    """
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise ZcbenchError(
            f"cannot read {path}: labels {labels.min()}..{labels.max()} instead of 0..{classes - 1}"
        )
