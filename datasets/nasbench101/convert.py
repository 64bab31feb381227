"""Convert the official TFRecord files, once, to the tidy Parquet table that every query reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from zcbench.datasets import unpickle
from zcbench.datasets.conversion import Row, Summary, convert_tidy, write_rows
from zcbench.datasets.nasbench101.genotype import module_hash, parse_cell, pruned
from zcbench.datasets.nasbench101.record import Record, decode
from zcbench.datasets.nasbench101.space import CELLS
from zcbench.datasets.nasbench101.tfrecord import payloads
from zcbench.harness.errors import MissingFileError, ZcbenchError

ONLY_108, FULL = "nasbench101-only108", "nasbench101-full"
REPEATS = 3
"""Trainings of each cell and length in the benchmark."""


def convert(
    path: Path, out: Path, *, curves: bool = False, progress: bool | None = False  # noqa: ARG001
) -> Summary:
    """Convert ``nasbench_only108.tfrecord`` or ``nasbench_full.tfrecord``, or a table that is tidy already.

    Each record, one training of one cell, becomes seven rows of that many epochs:

    - ``accuracy`` (train, valid, test) at the end of the training;
    - ``accuracy_halfway`` (train, valid, test) after half of it, which thereby never mixes with the accuracy
      of a finished training: ``epochs`` is the length that the learning rate was scheduled for;
    - ``training_seconds`` (split ``train``) at the end.

    The files do not state seeds: the trainings of a cell with one length are numbered 0, 1, 2 as they come.
    Left out are the evaluation before the first step, the time at halfway and the number of parameters.

    Args:
        path: the file.
        out: the table to write.
        curves: makes no difference: the files have nothing beyond halfway, which is kept in any case.
        progress: show a progress bar on stderr; None: only on a terminal.

    Raises:
        MissingFileError: if there is no such file.
        ZcbenchError: if it is damaged or of another form, or the table cannot be written; it names the record,
            counted from 1.
    """
    if not path.exists():
        raise MissingFileError(f"there is no file {path}")
    if path.is_dir():
        raise ZcbenchError(f"cannot use {path}: it is a folder; give the .tfrecord file")
    start = unpickle.reading(str(path), lambda: _start(path))
    if start == b"PAR1":
        return convert_tidy(path, out, check=parse_cell, space=CELLS)
    if not start:
        raise ZcbenchError(f"cannot use {path}: the file is empty")
    source = _source(path)
    disable = None if progress is None else not progress
    with tqdm(
        desc=path.name, total=path.stat().st_size, unit="B", unit_scale=True, disable=disable
    ) as bar:
        rows = _rows(read(path, advance=bar.update), path, source)
        return write_rows(rows, out, name=str(path), space=CELLS)


def read(path: Path, *, advance: Callable[[int], object] = lambda _: None) -> Iterator[Record]:
    """Yield the records of an official file in their order; a few MB are in memory at a time.

    Args:
        path: the file.
        advance: called with the number of bytes of every block that has been read.

    Raises:
        ZcbenchError: at the first record that is damaged or of another form.
    """
    try:
        with path.open("rb") as stream:
            for number, payload in enumerate(payloads(stream, str(path), advance=advance), start=1):
                try:
                    yield decode(payload)
                except (ValueError, RecursionError) as error:
                    raise _unusable(path, number, error) from error
    except OSError as error:
        raise ZcbenchError(f"cannot read {path}: {error.strerror or error}") from error


def _rows(records: Iterable[Record], path: Path, source: str) -> Iterator[Row]:
    cells = _Cells()
    for number, record in enumerate(records, start=1):
        try:
            architecture, repeat = cells.add(record)
        except (ValueError, ZcbenchError) as error:
            raise _unusable(path, number, error) from error
        for metric, found in (("accuracy", record.final), ("accuracy_halfway", record.halfway)):
            for split, value in (("train", found.train), ("valid", found.valid), ("test", found.test)):
                yield (architecture, "cifar10", split, record.epochs, repeat, metric, value, source, "trained")
        seconds = record.final.seconds
        yield (architecture, "cifar10", "train", record.epochs, repeat, "training_seconds", seconds, source, "trained")


class _Cells:
    """Remembers every cell with the number of its trainings: about 150 bytes and its string for each."""

    def __init__(self) -> None:
        self._lengths: list[int] = []
        self._known: dict[bytes, tuple[str, int]] = {}  # by hash: string, two bits for each length of training

    def add(self, record: Record) -> tuple[str, int]:
        """Return the cell's string, the same object for all its records, and which repeat this is.

        Raises:
            ValueError: if the record contradicts an earlier one or its own hash.
            ZcbenchError: if its architecture does not belong to the space.
        """
        key = bytes.fromhex(record.module_hash)
        architecture, counts = self._known.get(key, ("", 0))
        if not architecture:
            architecture = record.architecture
            if module_hash(pruned(parse_cell(architecture))) != record.module_hash:
                raise ValueError(f"{record.module_hash} is not the hash of the cell {architecture}")
        elif architecture != record.architecture:
            raise ValueError(f"its cell {record.architecture} has the hash of the cell {architecture}")
        if record.epochs not in self._lengths:
            self._lengths.append(record.epochs)
        shift = 2 * self._lengths.index(record.epochs)
        repeat = counts >> shift & 3
        if repeat == REPEATS:
            length = f"{record.epochs} epochs"
            raise ValueError(f"training {repeat + 1} of {architecture} with {length}, of {REPEATS} that there are")
        self._known[key] = architecture, counts + (1 << shift)
        return architecture, repeat


def _source(path: Path) -> str:
    """Name the source by the file, or by its lengths of training where the name says nothing."""
    for word, source in (("only108", ONLY_108), ("full", FULL)):
        if word in path.name:
            return source
    return ONLY_108 if all(record.epochs == 108 for record in read(path)) else FULL


def _unusable(path: Path, number: int, error: Exception) -> ZcbenchError:
    why = " ".join(str(error).split()) if isinstance(error, ZcbenchError) else _short(error)
    return ZcbenchError(f"cannot use {path}, record {number}: {why}")


def _short(error: Exception) -> str:
    kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
    return " ".join(f"it is no record of NAS-Bench-101 ({kind}{error})".split())[:300]


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)
