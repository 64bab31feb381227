"""Convert the official files, once, to the tidy Parquet table that every query reads."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from zcbench.datasets import unpickle
from zcbench.datasets.conversion import Row, Summary, convert_tidy, write_rows
from zcbench.datasets.nasbench201 import nats, official
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.datasets.nasbench201.record import Cell, Rows, check_cell, version_of
from zcbench.harness.errors import MissingFileError, ZcbenchError


@dataclass(frozen=True, slots=True)
class _Input:
    """How to read what was given: its source, its number of cells where it is known, its records."""

    title: str
    source: str
    cells: int | None
    read: Callable[[], Iterator[Cell]]


def convert(path: Path, out: Path, *, curves: bool = False, progress: bool | None = False) -> Summary:
    """Convert a file or folder to a tidy Parquet table, which appears whole or not at all.

    Accepted are the official NAS-Bench-201 ``.pth`` file and archive folder, the NATS-Bench topology
    ``-simple`` folder and single file, and a table that is tidy already (checked and rewritten). Of a
    folder one file is in memory at a time.

    Args:
        path: file or folder.
        out: the table to write.
        curves: also keep the epochs before the last, as ``accuracy_curve_{budget}``.
        progress: show a progress bar on stderr; None: only on a terminal.

    Raises:
        MissingFileError: if there is no such file or folder.
        UnsafeFileError: if a file asks to run code.
        ZcbenchError: if a file is damaged or of another form, or the table cannot be written.
    """
    given = _detect(path)
    if given is None:
        return convert_tidy(path, out, check=check_cell, space=len(Space()))
    rows = Rows(given.source, curves=curves)
    disable = None if progress is None else not progress
    with tqdm(given.read(), given.title, given.cells, unit="cell", disable=disable) as cells:
        summary = write_rows(_rows(cells, rows), out, name=str(path), space=len(Space()))
    return replace(summary, ignored=tuple(sorted(rows.ignored)))


def _rows(cells: Iterable[Cell], rows: Rows) -> Iterator[Row]:
    seen: set[str] = set()
    for name, records in cells:
        for record in records:
            yield from rows.of(record, name)
        texts = {record["arch_str"] for record in records}
        if texts & seen:
            raise ZcbenchError(f"cannot use {name}: the cell {texts.pop()} occurs twice")
        seen |= texts


def _detect(path: Path) -> _Input | None:
    """Return how to read the file or folder, or None for a Parquet table."""
    if not path.exists():
        raise MissingFileError(f"there is no file or folder {path}")
    nats_source = f"nats-tss-{version_of(path.name, 'v1_0')}"
    nb201_source = f"nasbench201-{version_of(path.name, 'v1_1')}"
    if path.is_dir():
        if number := sum(1 for _ in path.glob(nats.FOLDER_PATTERN)):
            return _Input(path.name, nats_source, number, lambda: nats.read_folder(path))
        if number := sum(1 for _ in path.glob(official.ARCHIVE_PATTERN)):
            return _Input(path.name, nb201_source, number, lambda: official.read_folder(path))
        raise ZcbenchError(
            f"cannot use the folder {path}: it has neither {nats.FOLDER_PATTERN} files (NATS-Bench) nor "
            f"{official.ARCHIVE_PATTERN} files (archive of NAS-Bench-201)"
        )
    start = unpickle.reading(str(path), lambda: _start(path))
    if start == b"PAR1":
        return None
    if start.startswith(b"BZh"):
        return _Input(path.name, nats_source, None, lambda: nats.read_file(path))
    if start.startswith((b"PK", b"\x80")):
        return _Input(path.name, nb201_source, None, lambda: official.read_file(path))
    what = (
        "it is neither a .pth file of NAS-Bench-201 nor a .pickle.pbz2 file of NATS-Bench nor a Parquet table"
    )
    raise ZcbenchError(f"cannot use {path}: {what if start else 'the file is empty'}")


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)
