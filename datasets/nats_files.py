"""Readers of the official NATS-Bench files, of both its spaces: the ``-simple`` folder and the single file.

The folder has one ``{index:06d}.pickle.pbz2`` for each architecture: bz2-compressed pickle of
``{budget: record}``, with the budgets 12 and 200 in the topology space and 01, 12 and 90 in the size space.
Beside them lies ``meta.pickle.pbz2``, whose ``meta_archs`` lists all architectures by index. The single file is
a pickle of ``{arch2infos: {index: {budget: record}}, ...}``; that of the topology space needs about 29 GB of
memory, a folder a few MB whatever its size.
"""

import bz2
import io
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zcbench.datasets import unpickle
from zcbench.datasets.nats_record import Cell, numbers_of
from zcbench.harness.errors import ZcbenchError

FOLDER_PATTERN = "[0-9]*.pickle.pbz2"
META = "meta.pickle.pbz2"

PIECE = 64_000_000
"""Decompressed bytes that any file may have: a record has 84 to 326 kB, the list of architectures 1.4 MB."""

RATIO = 100
"""Decompressed bytes that a single file may have beyond `PIECE`, for each of its own: records have 2.4 to 3.9,
the list of architectures 39."""

_GLOBALS: unpickle.Globals = {**unpickle.NUMPY_SCALARS, ("collections", "OrderedDict"): OrderedDict}


def load(path: Path, *, ratio: int = 0) -> object:
    """Load one compressed pickle without running code from it.

    Args:
        path: the file.
        ratio: decompressed bytes beyond `PIECE` that are accepted for each byte of the file.

    Raises:
        UnsafeFileError: if it asks for anything but dicts and numpy numbers.
        ZcbenchError: if it is truncated, damaged or of another format, or decompresses to far more than the
            official files.
    """
    stream = unpickle.reading(str(path), lambda: _decompressed(path, PIECE + ratio * path.stat().st_size))
    return unpickle.load(stream, allowed=_GLOBALS, name=str(path), whole=True)


def _decompressed(path: Path, limit: int) -> io.BytesIO:
    """Decompress a file, with an end to it: a few hundred bytes may decompress to gigabytes."""
    content = io.BytesIO()
    with bz2.open(path) as stream:  # read to the end, which also checks the checksum of the last block
        while piece := stream.read(1 << 20):
            if content.tell() + len(piece) > limit:
                raise ZcbenchError(
                    f"cannot read {path}: it decompresses to more than {limit:,} bytes, as no file of NATS-Bench does"
                )
            content.write(piece)
    content.seek(0)
    return content


def read_file(path: Path) -> Iterator[Cell]:
    """Yield the records of each architecture in the single file, or in one file of the folder.

    Raises:
        UnsafeFileError: if it asks to run code.
        ZcbenchError: if it is damaged or of another form.
    """
    content = load(path, ratio=0 if path.match(FOLDER_PATTERN) else RATIO)
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

    Where the folder has its list of architectures, each file must hold the one that the list has at its number.

    Raises:
        UnsafeFileError: if a file asks to run code.
        ZcbenchError: if a file is damaged or of another form, or holds another architecture than the list.
    """
    listed = _listed(folder / META) if (folder / META).exists() else None
    for path in sorted(folder.glob(FOLDER_PATTERN)):
        for cell in read_file(path):
            if listed is not None:
                _check_listed(cell, path, listed)
            yield cell


def _listed(path: Path) -> Sequence[object]:
    content = load(path)
    names = content.get("meta_archs") if isinstance(content, dict) else None
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ZcbenchError(f'cannot use {path}: it has no list of architectures in "meta_archs"')
    return names


def _check_listed(cell: Cell, path: Path, listed: Sequence[object]) -> None:
    number = path.name.partition(".")[0]
    if not number.isdecimal() or len(number) > 9 or int(number) >= len(listed):
        raise ZcbenchError(f"cannot use {path}: its name is no number of the {len(listed)} architectures in {META}")
    for record in cell.records:
        found = record.get("arch_str") if isinstance(record, Mapping) else None
        if found != listed[int(number)]:
            shown, expected = (ascii(name)[:120] for name in (found, listed[int(number)]))
            raise ZcbenchError(f"cannot use {path}: its architecture is {shown}, but {META} lists {expected} there")
