"""Write the records of NAS-Bench-201 or NATS-Bench as a tidy table: what both spaces share."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from zcbench.datasets import nats_files, unpickle
from zcbench.datasets.conversion import Row, Summary, write_rows
from zcbench.datasets.nats_record import Cell, Rows, version_of
from zcbench.harness.errors import MissingFileError, ZcbenchError


@dataclass(frozen=True, slots=True)
class Input:
    """How to read what was given.

    Attributes:
        title: what the progress bar calls it.
        source: the source that the rows name.
        number: number of architectures, where it is known before reading.
        read: gives their records one after the other.
    """

    title: str
    source: str
    number: int | None
    read: Callable[[], Iterator[Cell]]


def start_of(path: Path) -> bytes:
    """Return the first four bytes of a file, which tell its form.

    Raises:
        MissingFileError: if there is no such file.
        ZcbenchError: if it cannot be read.
    """
    if not path.exists():
        raise MissingFileError(f"there is no file or folder {path}")

    def read() -> bytes:
        with path.open("rb") as stream:
            return stream.read(4)

    return unpickle.reading(str(path), read)


def nats_folder(folder: Path, space: str) -> Input | None:
    """Return how to read a ``-simple`` folder, or None where it has no files of that form.

    Args:
        folder: the folder.
        space: ``tss`` or ``sss``.
    """
    number = sum(1 for _ in folder.glob(nats_files.FOLDER_PATTERN))
    source = f"nats-{space}-{version_of(folder.name, 'v1_0')}"
    return Input(folder.name, source, number, lambda: nats_files.read_folder(folder)) if number else None


def nats_file(path: Path, space: str) -> Input:
    """Return how to read a single file, or one file of the folder; arguments as in `nats_folder`."""
    source = f"nats-{space}-{version_of(path.name, 'v1_0')}"
    return Input(path.name, source, None, lambda: nats_files.read_file(path))


def write_records(
    given: Input, rows: Rows, out: Path, *, name: str, space: int, unit: str, progress: bool | None
) -> Summary:
    """Write a table, which appears whole or not at all.

    Args:
        given: where the records come from.
        rows: turns them into rows.
        out: the table to write.
        name: what to call the origin in an error.
        space: number of architectures of the space.
        unit: what the progress bar counts.
        progress: show a progress bar on stderr; None: only on a terminal.

    Raises:
        MissingFileError: if the folder of ``out`` is not there.
        UnsafeFileError: if a file asks to run code.
        ZcbenchError: if a file is damaged or of another form, or the table cannot be written.
    """
    disable = None if progress is None else not progress
    with tqdm(given.read(), given.title, given.number, unit=unit, disable=disable) as cells:
        summary = write_rows(_rows(cells, rows), out, name=name, space=space)
    return replace(summary, ignored=tuple(sorted(rows.ignored)))


def _rows(cells: Iterable[Cell], rows: Rows) -> Iterator[Row]:
    seen: set[str] = set()
    for name, records in cells:
        measured: set[tuple[object, ...]] = set()
        for record in records:
            for row in rows.of(record, name):
                if row[:6] in measured:
                    _, dataset, split, epochs, seed, *_ = row
                    what = f"{dataset}, {split}, {epochs} epochs, seed {seed}"
                    raise ZcbenchError(f"cannot use {name}: a measurement occurs twice ({what})")
                measured.add(row[:6])
                yield row
        texts = {record["arch_str"] for record in records}
        if texts & seen:
            raise ZcbenchError(f"cannot use {name}: the architecture {sorted(texts & seen)[0]} occurs twice")
        seen |= texts
