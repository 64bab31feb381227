"""Readers of the official NATS-Bench files, of both its spaces: the ``-simple`` folder and the single file.

The folder has one ``{index:06d}.pickle.pbz2`` for each architecture: bz2-compressed pickle of
``{budget: record}``, with the budgets 12 and 200 in the topology space and 01, 12 and 90 in the size space.
The single file is a pickle of ``{arch2infos: {index: {budget: record}}, ...}``; that of the topology space
needs about 29 GB of memory, a folder a few MB whatever its size.
"""

import bz2
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

from zcbench.datasets import unpickle
from zcbench.datasets.nats_record import Cell, numbers_of
from zcbench.harness.errors import ZcbenchError

FOLDER_PATTERN = "[0-9]*.pickle.pbz2"

_GLOBALS: unpickle.Globals = {**unpickle.NUMPY_SCALARS, ("collections", "OrderedDict"): OrderedDict}


def load(path: Path) -> object:
    """Load one compressed pickle without running code from it.

    Raises:
        UnsafeFileError: if it asks for anything but dicts and numpy numbers.
        ZcbenchError: if it is truncated, damaged or of another format.
    """
    return unpickle.reading(str(path), lambda: _load(path))


def _load(path: Path) -> object:
    with bz2.open(path) as stream:
        content = unpickle.load(stream, allowed=_GLOBALS, name=str(path))
        if stream.read(1):  # reading to the end also checks the checksum of the last block
            raise ValueError("there is more after its end")
        return content


def read_file(path: Path) -> Iterator[Cell]:
    """Yield the records of each architecture in the single file, or in one file of the folder.

    Raises:
        UnsafeFileError: if it asks to run code.
        ZcbenchError: if it is damaged or of another form.
    """
    content = load(path)
    if not isinstance(content, dict) or not content:
        raise ZcbenchError(f"cannot use {path}: it holds no records of NATS-Bench")
    if all(isinstance(key, str) and key.isdigit() for key in content):
        yield Cell(str(path), list(content.values()))
        return
    cells = content.get("arch2infos")
    if not isinstance(cells, dict) or not cells:
        raise ZcbenchError(
            f'cannot use {path}: it has no records in "arch2infos"; give the -simple folder instead'
        )
    for index in numbers_of(cells, str(path)):
        cell = cells.pop(index)  # what has been read may be freed
        if not isinstance(cell, Mapping):
            raise ZcbenchError(f"cannot use {path}: entry {index} is no dict of records")
        yield Cell(f"{path}, entry {index}", list(cell.values()))


def read_folder(folder: Path) -> Iterator[Cell]:
    """Yield the records of each architecture in the ``-simple`` folder, one file in memory at a time.

    Raises:
        UnsafeFileError: if a file asks to run code.
        ZcbenchError: if a file is damaged or of another form.
    """
    for path in sorted(folder.glob(FOLDER_PATTERN)):
        yield from read_file(path)
