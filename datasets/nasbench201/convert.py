"""Convert the official files, once, to the tidy Parquet table that every query reads."""

from dataclasses import replace
from pathlib import Path

from zcbench.datasets.conversion import Summary, convert_tidy, write_rows
from zcbench.datasets.nasbench201 import hardware, hardware_pickle, official
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.datasets.nasbench201.record import check_cell, rows_of
from zcbench.datasets.nats_convert import Input, nats_file, nats_folder, start_of, write_records
from zcbench.datasets.nats_files import FOLDER_PATTERN
from zcbench.datasets.nats_record import version_of
from zcbench.datasets.tables import data_folder
from zcbench.harness.errors import ZcbenchError

_PICKLES = (".pickle", ".pkl")


def convert(path: Path, out: Path, *, curves: bool = False, progress: bool | None = False) -> Summary:
    """Convert a file or folder to a tidy Parquet table, which appears whole or not at all.

    Accepted are the official NAS-Bench-201 ``.pth`` file and archive folder, the NATS-Bench topology
    ``-simple`` folder and single file, the ``.pickle`` of HW-NAS-Bench, a Parquet file of its columns, and a
    table that is tidy already (checked and rewritten). Of a folder one file is in memory at a time.

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
    space = len(Space())
    given = _folder(path) if path.is_dir() else _file(path)
    if given is None:
        return _costs(path, out) or convert_tidy(path, out, check=check_cell, space=space)
    rows = rows_of(given.source, curves=curves)
    return write_records(given, rows, out, name=str(path), space=space, unit="cell", progress=progress)


def _folder(path: Path) -> Input:
    if given := nats_folder(path, "tss"):
        return given
    if number := sum(1 for _ in path.glob(official.ARCHIVE_PATTERN)):
        return Input(path.name, _source(path), number, lambda: official.read_folder(path))
    raise ZcbenchError(
        f"cannot use the folder {path}: it has neither {FOLDER_PATTERN} files (NATS-Bench) nor "
        f"{official.ARCHIVE_PATTERN} files (archive of NAS-Bench-201)"
    )


def _file(path: Path) -> Input | None:
    """Return how to read the file, or None for one without records."""
    start = start_of(path)
    if start == b"PAR1" or (start.startswith(b"\x80") and path.suffix in _PICKLES):
        return None
    if start.startswith(b"BZh"):
        return nats_file(path, "tss")
    if start.startswith((b"PK", b"\x80")):
        return Input(path.name, _source(path), None, lambda: official.read_file(path))
    what = (
        "it is neither a .pth file of NAS-Bench-201 nor a .pickle.pbz2 file of NATS-Bench nor the .pickle of "
        "HW-NAS-Bench nor a Parquet table"
    )
    raise ZcbenchError(f"cannot use {path}: {what if start else 'the file is empty'}")


def _costs(path: Path, out: Path) -> Summary | None:
    """Write the costs of HW-NAS-Bench; None for a file of another kind."""
    if path.suffix in _PICKLES:
        table, ignored = hardware_pickle.read(path)
    elif hardware.is_columns(path):
        table, ignored = hardware.read_columns(path, hardware.order_in(data_folder()))
    else:
        return None
    rows = table.frame.astype(object).itertuples(index=False, name=None)
    return replace(write_rows(rows, out, name=str(path), space=len(Space())), ignored=ignored)


def _source(path: Path) -> str:
    return f"nasbench201-{version_of(path.name, 'v1_1')}"
