"""Writes a ground-truth table row by row, in an order that later reads only what is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from zcbench.datasets.measures import is_curve
from zcbench.datasets.tidy import SCHEMA
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.replace import replacing

Row: TypeAlias = tuple[str, str, str, int, int, str, float, str, str]
"""Values of `zcbench.datasets.tidy.TRUTH_COLUMNS`: architecture, dataset, split, epochs, seed, metric, value,
source, kind."""

Kind: TypeAlias = tuple[str, str, int, str, str, str]
"""Dataset, split, epochs, metric, source and kind: what all rows of a row group have in common."""

ROW_GROUP = 100_000
"""Rows of one kind that are held in memory before they are written."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a conversion wrote.

    Attributes:
        rows: number of rows.
        architectures: number of different architectures.
        datasets: datasets that have rows, sorted.
        sources: sources that have rows, sorted.
        space: number of architectures of the search space; 0 where having all of them is no aim.
        ignored: what the files hold beyond that and was left out, in words.
    """

    rows: int
    architectures: int
    datasets: tuple[str, ...]
    sources: tuple[str, ...]
    space: int = 0
    ignored: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every architecture of the space is there."""
        return self.architectures == self.space

    def describe(self) -> str:
        """Say in one line what was written."""
        of = f" of {self.space}" if self.space else ""
        part = " (a part of the benchmark)" if self.space and not self.complete else ""
        text = (
            f"{self.rows} rows of {self.architectures}{of} architectures{part} "
            f"on {', '.join(self.datasets)} from {', '.join(self.sources)}"
        )
        return text + (f"; left out: {', '.join(self.ignored)}" if self.ignored else "")


def write_rows(rows: Iterable[Row], out: Path, *, name: str, space: int = 0) -> Summary:
    """Write rows as a Parquet table, which appears whole or not at all.

    Every row group holds rows of one dataset, split, number of epochs, metric, source and kind (the epochs of
    ``*_curve_*`` may mix), so that a reader finds those it wants by the statistics of the groups
    alone. At most `ROW_GROUP` rows of each such kind are in memory.

    Args:
        rows: the rows, in any order; an error that they raise leaves nothing behind.
        out: the file.
        name: what to call their origin in an error.
        space: number of architectures of the space, see `Summary`.

    Raises:
        MissingFileError: if the folder of ``out`` is not there.
        ZcbenchError: if there are no rows, or the file cannot be written.
    """
    with (
        replacing(out) as temporary,
        temporary.open("wb") as file,  # pyarrow knows no names that are not UTF-8
        # Large enough for the strings of a whole group: split dictionaries are slower to read.
        pq.ParquetWriter(file, SCHEMA, compression="zstd", dictionary_pagesize_limit=1 << 25) as writer,
    ):
        groups = _Groups(writer)
        for row in rows:
            groups.add(row)
        groups.finish()
        if not groups.rows:
            raise ZcbenchError(f"cannot use {name}: it holds no ground truth")
    datasets, sources = tuple(sorted(groups.datasets)), tuple(sorted(groups.sources))
    return Summary(groups.rows, len(groups.architectures), datasets, sources, space)


@dataclass(slots=True)
class _Waiting:
    """Rows of one kind, by column and compact: many kinds wait at the same time."""

    architecture: list[str] = field(default_factory=list)
    epochs: array[int] = field(default_factory=lambda: array("l"))
    seed: array[int] = field(default_factory=lambda: array("l"))
    value: array[float] = field(default_factory=lambda: array("d"))


class _Groups:
    """Collects rows by kind and writes each kind when it fills a row group."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._waiting: dict[Kind, _Waiting] = {}
        self.rows = 0
        self.architectures: set[str] = set()
        self.datasets: set[str] = set()
        self.sources: set[str] = set()

    def add(self, row: Row) -> None:
        architecture, dataset, split, epochs, seed, metric, value, source, kind = row
        self.rows += 1
        self.architectures.add(architecture)
        self.datasets.add(dataset)
        self.sources.add(source)
        key = (dataset, split, -1 if is_curve(metric) else epochs, metric, source, kind)
        waiting = self._waiting.setdefault(key, _Waiting())
        waiting.architecture.append(architecture)
        waiting.epochs.append(epochs)
        waiting.seed.append(seed)
        waiting.value.append(value)
        if len(waiting.value) >= ROW_GROUP:
            self._write(key, self._waiting.pop(key))

    def finish(self) -> None:
        for key, waiting in self._waiting.items():
            self._write(key, waiting)

    def _write(self, key: Kind, waiting: _Waiting) -> None:
        columns = dict(zip(("dataset", "split", "", "metric", "source", "kind"), key, strict=True))
        n = len(waiting.value)
        arrays = [
            pa.array(getattr(waiting, name), SCHEMA.field(name).type)
            if hasattr(waiting, name) else pa.repeat(pa.scalar(columns[name], SCHEMA.field(name).type), n)
            for name in SCHEMA.names
        ]  # fmt: skip
        self._writer.write_table(pa.table(arrays, schema=SCHEMA))


def convert_tidy(path: Path, out: Path, *, check: Callable[[str], object], space: int = 0) -> Summary:
    """Check a table that is tidy already and write it anew, in the order of `write_rows`.

    Args:
        path: the table.
        out: the file to write.
        check: called with every architecture; raises for one that does not belong to the space.
        space: number of architectures of the space, see `Summary`.

    Raises:
        MissingFileError: if there is no such file.
        ZcbenchError: if it is damaged or of another form, or cannot be written.
    """
    frame = TruthTable.from_parquet(path, curves=True).frame
    for architecture in frame["architecture"].unique():
        try:
            check(str(architecture))
        except ZcbenchError as error:
            raise ZcbenchError(f"cannot use {path}: {error}") from error
    return write_rows(frame.astype(object).itertuples(index=False, name=None), out, name=str(path), space=space)
