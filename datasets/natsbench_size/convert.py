"""Convert the official files of the size space, once, to the tidy Parquet table that every query reads."""

from pathlib import Path

from zcbench.datasets.conversion import Summary, convert_tidy
from zcbench.datasets.nats_convert import nats_file, nats_folder, start_of, write_records
from zcbench.datasets.nats_files import FOLDER_PATTERN
from zcbench.datasets.nats_record import Rows
from zcbench.datasets.natsbench_size.space import Space, parse_sizes
from zcbench.harness.errors import ZcbenchError


def convert(path: Path, out: Path, *, curves: bool = False, progress: bool | None = False) -> Summary:
    """Convert a file or folder to a tidy Parquet table, which appears whole or not at all.

    Accepted are the NATS-Bench size ``-simple`` folder and single file, with the budgets of 1, 12 and 90
    epochs, and a table that is tidy already (checked and rewritten). Of a folder one file is in memory at a
    time.

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
    if path.is_dir():
        given = nats_folder(path, "sss")
        if given is None:
            raise ZcbenchError(
                f"cannot use the folder {path}: it has no {FOLDER_PATTERN} files, as the -simple folder has"
            )
    else:
        start = start_of(path)
        if start == b"PAR1":
            return convert_tidy(path, out, check=check_sizes, space=space)
        if not start.startswith(b"BZh"):
            what = "it is neither a .pickle.pbz2 file of NATS-Bench nor a Parquet table"
            raise ZcbenchError(f"cannot use {path}: {what if start else 'the file is empty'}")
        given = nats_file(path, "sss")
    rows = Rows(given.source, check_sizes, curves)
    return write_records(given, rows, out, name=str(path), space=space, unit="candidate", progress=progress)


def check_sizes(text: str) -> None:
    """Refuse what is no architecture of the size space.

    Raises:
        ZcbenchError: with what is wrong; of the other space of NATS-Bench it is the whole file.
    """
    try:
        parse_sizes(text)
    except ZcbenchError as error:
        if not text.startswith("|"):
            raise
        raise ZcbenchError(
            f'"{text[:120]}" is a cell of the topology search space (NATS-tss), and only the size search space '
            "(NATS-sss) belongs to natsbench_size: convert it with zcbench data convert nasbench201"
        ) from error
