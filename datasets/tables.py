"""A benchmark whose ground truth is a tidy table: all that most benchmarks need besides their space."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from zcbench.datasets.truth import Remarks, TruthTable
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
        reasons = reasons or [f"no {' or '.join(self.tables)} {self._where()} has it"]
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
            ZcbenchError: if it is damaged or has no such source.
        """
        paths = [path] if path is not None else self._present()
        if not paths:
            raise MissingFileError(
                f"there is no ground truth of {self.name} {self._where()}: give a table (--truth FILE), or put "
                f"{' or '.join(self.tables)} there; zcbench data status {self.name} says where to get one"
            )
        table = TruthTable.from_parquets(paths).remarked(self.known)
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

    def _where(self) -> str:
        folder = data_folder()
        return "in the folder that ZCBENCH_DATA names (it is not set)" if folder is None else f"in {folder}"
