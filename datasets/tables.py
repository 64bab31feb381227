"""A benchmark whose ground truth is a tidy table: all that most benchmarks need besides their space."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pyarrow.parquet as pq

from zcbench.datasets.columns import no_text
from zcbench.datasets.truth import Remarks, TruthTable
from zcbench.datasets.unpickle import reading
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.space import Availability, Available, Conversion, Missing, SearchSpace
from zcbench.harness.types import Architecture

EVERYTHING: Mapping[str, Callable[[Architecture], bool]] = MappingProxyType(
    {"all": lambda architecture: True}  # noqa: ARG005
)
"""The one population that every space has."""


class Converter(Protocol):
    """Turns official files into a tidy table; see `zcbench.harness.space.Benchmark.convert`."""

    def __call__(self, path: Path, out: Path, *, curves: bool, progress: bool | None) -> Conversion:
        """Convert what is at the path."""


def data_folder() -> Path | None:
    """Return the folder that ``ZCBENCH_DATA`` names, or None where it is not set."""
    folder = os.environ.get("ZCBENCH_DATA")
    return Path(folder) if folder else None


def check_tidy(path: Path, benchmark: str) -> None:
    """Refuse what has to be converted first: a folder, and what does not begin as a Parquet file does.

    What is not there, or empty, is left to the reader of tables.

    Args:
        path: what was given as ground truth.
        benchmark: name of the benchmark that it is of.

    Raises:
        ZcbenchError: with the command that converts it.
    """
    if not path.is_dir():
        if not path.is_file():
            return

        def begin() -> bytes:
            with path.open("rb") as stream:
                return stream.read(4)

        if reading(str(path), begin) in (b"", b"PAR1"):
            return
    raise to_convert(path, benchmark)


def to_convert(path: Path, benchmark: str) -> ZcbenchError:
    """Return the error for official files that were given as ground truth."""
    command = f"zcbench data convert {benchmark} {shlex.quote(str(path))} --out TABLE.parquet"
    return ZcbenchError(f"{path} is not a tidy table: convert it first ({command})")


def check_space(path: Path, space: SearchSpace) -> None:
    """Refuse a table whose first architecture does not belong to a search space; no other one is looked at.

    Raises:
        ZcbenchError: with that architecture.
    """

    def read() -> object:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1, columns=["architecture"], use_threads=False):
                return batch.column(0)[0].as_py()
        return None

    first = reading(str(path), read) if path.is_file() and path.stat().st_size else None
    if not isinstance(first, str) or no_text(first):
        return  # the reader of tables says what is wrong
    try:
        space.parse(first)
    except ZcbenchError as error:
        shown = ascii(first) if len(first) <= 200 else ascii(first[:197]) + "..."
        raise ZcbenchError(
            f"{path} holds architectures of another search space than {space.name}, e.g. {shown}: name the benchmark "
            "that they are of (--benchmark)"
        ) from error


@dataclass(frozen=True, kw_only=True)
class TableBenchmark:
    """A benchmark that reads tidy tables; see `zcbench.harness.space.Benchmark`.

    Attributes:
        name: its name on the command line.
        space: its search space.
        datasets: datasets (or tasks) that its architectures were trained on.
        default_sources: known sources, in the order in which they are taken where several remain.
        tables: names of its tables in the folder of ``ZCBENCH_DATA``; all that are there are read.
        converter: makes such a table from official files.
        default_split: the split that publications on this benchmark use.
        populations: named subsets of the space.
        remarks: what is known of its sources beyond the tables.
    """

    name: str
    space: SearchSpace
    datasets: tuple[str, ...]
    default_sources: tuple[str, ...]
    tables: tuple[str, ...]
    converter: Converter
    default_split: str = "test"
    populations: Mapping[str, Callable[[Architecture], bool]] = field(default_factory=lambda: EVERYTHING)
    remarks: Remarks = field(default_factory=Remarks)

    def availability(self) -> list[Availability]:
        """List every known source, and those that its tables have beside."""
        found: list[Availability] = []
        reasons = []
        for path in self._present():
            try:
                found += [Available(source, path) for source in TruthTable.from_parquet(path).sources]
            except ZcbenchError as error:
                reasons.append(str(error))
        there = {entry.source for entry in found}
        reasons = reasons or [self._absent(" or ".join(self.tables))]
        return found + [Missing(s, "; ".join(reasons)) for s in self.default_sources if s not in there]

    def truth(
        self, *, source: str | None = None, path: Path | None = None, architectures: Sequence[str] | None = None
    ) -> TruthTable:
        """Load the ground truth.

        Args:
            source: only this source.
            path: a tidy Parquet file; by default all of `tables` that are in the folder of ``ZCBENCH_DATA``.
            architectures: not needed: a table has what it has.

        Raises:
            MissingFileError: if the table is not there.
            ZcbenchError: if it is damaged, has to be converted first, holds architectures of another search
                space or has no such source.
        """
        if path is not None:
            check_tidy(path, self.name)
        paths = [path] if path is not None else self._present()
        if not paths:
            folder, names = data_folder(), " or ".join(self.tables)
            where = f" in {folder}" if folder else ""
            put = f"put {names} there" if folder else f"set ZCBENCH_DATA to a folder that has {names}"
            raise MissingFileError(
                f"there is no ground truth of {self.name}{where}: give a table (--truth FILE), or {put}; "
                f"zcbench data status {self.name} says where to get one"
            )
        table = TruthTable.from_parquets(paths).remarked(self.known)
        if path is not None:
            check_space(path, self.space)
        return table if source is None else table.only(source)

    @property
    def known(self) -> Remarks:
        """What is known of the sources, with what is meant where nobody names a source or a split."""
        return replace(self.remarks, default_sources=self.default_sources, default_split=self.default_split)

    def convert(
        self, path: Path, out: Path, *, curves: bool = False, progress: bool | None = False
    ) -> Conversion:
        """Convert official files to one tidy table; see `zcbench.harness.space.Benchmark.convert`."""
        return self.converter(path, out, curves=curves, progress=progress)

    def _present(self) -> list[Path]:
        folder = data_folder()
        return [] if folder is None else [folder / name for name in self.tables if (folder / name).exists()]

    def _absent(self, what: str) -> str:
        """Say what is missing: in the data folder, or to have one."""
        folder = data_folder()
        return f"no {what} in {folder} has it" if folder else f"set ZCBENCH_DATA to a folder that has {what}"
