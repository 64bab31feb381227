"""Readers of the official NAS-Bench-201 files: the single ``.pth`` file and the archive folder.

The single file is a torch-pickled dict ``{meta_archs, arch2infos: {index: {"less", "full"}}, ...}``; the
archive has one ``{index:06d}-FULL.pth`` file ``{"less", "full"}`` for each cell. ``less`` is the record of
12 epochs, ``full`` that of 200. Both are read without torch, see `zcbench.datasets.torch_file`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from zcbench.datasets.nats_record import Cell, numbers_of
from zcbench.datasets.torch_file import load
from zcbench.harness.errors import ZcbenchError

ARCHIVE_PATTERN = "[0-9]*-FULL.pth"

_BUDGETS = ("less", "full")


def read_file(path: Path) -> Iterator[Cell]:
    """Yield the records of each cell in the single file, or in one file of the archive.

    The file is loaded as a whole: a pickle cannot be read piece by piece.

    Raises:
        UnsafeFileError: if it asks to run code.
        ZcbenchError: if it is damaged or of another form.
    """
    content = load(path)
    if isinstance(content, Mapping) and set(_BUDGETS) <= set(content):
        yield Cell(str(path), [content[budget] for budget in _BUDGETS])
        return
    cells = content.get("arch2infos") if isinstance(content, Mapping) else None
    if not isinstance(cells, dict) or not cells:
        raise ZcbenchError(f'cannot use {path}: it has no "arch2infos", so it is no NAS-Bench-201 file')
    for index in numbers_of(cells, str(path)):
        cell = cells.pop(index)  # what has been read may be freed
        if not isinstance(cell, Mapping):
            raise ZcbenchError(f"cannot use {path}: entry {index} is no dict of records")
        yield Cell(f"{path}, entry {index}", [cell[budget] for budget in _BUDGETS if budget in cell])


def read_folder(folder: Path) -> Iterator[Cell]:
    """Yield the records of each cell in the archive folder, one file in memory at a time.

    Raises:
        UnsafeFileError: if a file asks to run code.
        ZcbenchError: if a file is damaged or of another form.
    """
    for path in sorted(folder.glob(ARCHIVE_PATTERN)):
        yield from read_file(path)
