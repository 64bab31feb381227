"""Convert the official file, once for each space, to the tidy Parquet table that every query reads."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from zcbench.datasets import unpickle
from zcbench.datasets.conversion import Row, Summary, convert_tidy, write_rows
from zcbench.datasets.transnasbench101.official import Rows, Trial, read_file
from zcbench.datasets.transnasbench101.space import MacroSpace, MicroSpace
from zcbench.harness.errors import MissingFileError, ZcbenchError

SPACES = {"micro": MicroSpace(), "macro": MacroSpace()}
OFFICIAL_SOURCE = "transnasbench101-v10141024"


def convert_micro(path: Path, out: Path, *, curves: bool, progress: bool | None) -> Summary:
    """Convert the micro space; see `convert`."""
    return convert(path, out, space="micro", curves=curves, progress=progress)


def convert_macro(path: Path, out: Path, *, curves: bool, progress: bool | None) -> Summary:
    """Convert the macro space; see `convert`."""
    return convert(path, out, space="macro", curves=curves, progress=progress)


def convert(path: Path, out: Path, *, space: str, curves: bool = False, progress: bool | None = False) -> Summary:
    """Convert one space of a file to a tidy Parquet table, which appears whole or not at all.

    Accepted are the official ``.pth`` file, which holds both spaces, and a table that is tidy already (checked
    and rewritten).

    Args:
        path: the file.
        out: the table to write.
        space: ``micro`` or ``macro``.
        curves: also keep the epochs before the last; see `zcbench.datasets.transnasbench101.official`.
        progress: show a progress bar on stderr; None: only on a terminal.

    Raises:
        MissingFileError: if there is no such file.
        UnsafeFileError: if it asks to run code.
        ZcbenchError: if it is damaged or of another form, or the table cannot be written.
    """
    chosen = SPACES[space]
    if not _is_official(path):
        return convert_tidy(path, out, check=chosen.parse, space=len(chosen))
    rows = Rows(source_of(path.name), chosen.parse, curves=curves)
    disable = None if progress is None else not progress
    with tqdm(read_file(path, space), path.name, len(chosen), unit="architecture", disable=disable) as given:
        summary = write_rows(_rows(given, rows, str(path)), out, name=str(path), space=len(chosen))
    return replace(summary, ignored=tuple(sorted(rows.ignored)))


def source_of(name: str) -> str:
    """Return the source of a file by the version in its name, that of the official file where it has none."""
    found = re.search(r"v\d{4,}", name)
    return f"transnasbench101-{found.group()}" if found else OFFICIAL_SOURCE


def _rows(given: Iterable[tuple[str, Mapping[str, Trial]]], rows: Rows, name: str) -> Iterator[Row]:
    for architecture, tasks in given:
        yield from rows.of(architecture, tasks, name)


def _is_official(path: Path) -> bool:
    """Say whether this is the official file; False for a Parquet table."""
    if path.is_dir():
        raise ZcbenchError(f"cannot use the folder {path}: give the file transnas-bench_v10141024.pth")
    if not path.exists():
        raise MissingFileError(f"there is no file {path}")
    start = unpickle.reading(str(path), lambda: _start(path))
    if start == b"PAR1":
        return False
    if start.startswith((b"PK", b"\x80")):
        return True
    what = "it is neither the .pth file of TransNAS-Bench-101 nor a Parquet table"
    raise ZcbenchError(f"cannot use {path}: {what if start else 'the file is empty'}")


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)
