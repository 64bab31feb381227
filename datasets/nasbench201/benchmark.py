"""NAS-Bench-201 as a benchmark: which ground truth there is, and which of it is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from zcbench.datasets.nasbench201 import analog, hardware
from zcbench.datasets.nasbench201.genotype import Space, has_dead_edge, is_connected, parse_cell
from zcbench.datasets.tables import check_space, check_tidy, data_folder, to_convert
from zcbench.datasets.truth import Remarks, TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError, unknown
from zcbench.harness.space import Availability, Available, Conversion, Missing, SearchSpace
from zcbench.harness.types import Architecture

TABLE = "nasbench201.parquet"
"""Name of the tidy table in the folder that ``ZCBENCH_DATA`` names."""

_ACCURACIES = ("robot", "nasbench201-v1_1", "nats-tss-v1_0", "meco", "naslib", "mini201")
SOURCES = (*_ACCURACIES, hardware.SOURCE, hardware.OFFICIAL_SOURCE, analog.SOURCE)
"""Known sources, in the order in which they are taken where several remain."""

OFFICIAL = ("cifar10", "cifar10-valid", "cifar100", "imagenet16_120")
"""Datasets of the official files."""

POPULATIONS: Mapping[str, Callable[[Architecture], bool]] = MappingProxyType(
    {
        "all": lambda architecture: True,  # noqa: ARG005
        "connected": lambda architecture: is_connected(parse_cell(architecture.id)),
        "no_dead_edge": lambda architecture: not has_dead_edge(parse_cell(architecture.id)),
    }
)
"""All 15,625 cells; the 15,284 whose output depends on the input; the 9,445 without a dead edge."""


@dataclass(frozen=True, slots=True)
class NasBench201:
    """The topology benchmark of Dong and Yang (ICLR 2020); see `zcbench.harness.space.Benchmark`.

    Attributes:
        name: the benchmark's name.
    """

    name: str = "nasbench201"

    @property
    def space(self) -> SearchSpace:
        """The 15,625 cells."""
        return Space()

    @property
    def datasets(self) -> tuple[str, ...]:
        """The benchmark's datasets, and the further targets of the embedded table."""
        return OFFICIAL + tuple(name for name in analog.DATASETS if name not in OFFICIAL)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of its tables in the folder of ``ZCBENCH_DATA``: the accuracies, and costs by number of the cell."""
        return (TABLE, *hardware.TABLES[1:])

    @property
    def default_sources(self) -> tuple[str, ...]:
        """Known sources in order of preference."""
        return SOURCES

    @property
    def populations(self) -> Mapping[str, Callable[[Architecture], bool]]:
        """Named subsets: see `POPULATIONS`."""
        return POPULATIONS

    def availability(self) -> list[Availability]:
        """List every known source, present or not."""
        try:
            found: list[Availability] = [Available(analog.SOURCE, analog.data_file())]
        except MissingFileError as error:
            found = [Missing(analog.SOURCE, str(error))]
        others = [source for source in SOURCES if source != analog.SOURCE]
        try:
            path = _table_in_data_folder()
            table = TruthTable.from_parquet(path) if path else None
        except ZcbenchError as error:
            return [*found, *(Missing(source, str(error)) for source in others)]
        if path is None or table is None:
            return [*found, *(Missing(s, f"set ZCBENCH_DATA to a folder that has {_table_of(s)}") for s in others)]
        there = dict.fromkeys(table.sources, path)
        costs, why = _costs_in(path.parent, table)
        missing = {source: why.get(source, f"{path} has no rows of it") for source in others}
        for source in dict.fromkeys([*others, *there, *costs]):
            where = there.get(source) or costs.get(source)
            if where is not None:
                found.append(Available(source, where))
            elif source in missing:
                found.append(Missing(source, missing[source]))
        return found

    @property
    def default_split(self) -> str:
        """Publications use the test accuracy."""
        return "test"

    def truth(
        self, *, source: str | None = None, path: Path | None = None, architectures: Sequence[str] | None = None
    ) -> TruthTable:
        """Load the ground truth.

        Args:
            source: only this source; ``analognasbench`` is always the embedded table unless a path
                is given.
            path: a tidy Parquet file. By default ``nasbench201.parquet`` in the folder that
                ``ZCBENCH_DATA`` names, together with the costs on devices that are beside it, or the embedded
                table where that variable is not set.
            architectures: not needed: a table has what it has.

        Raises:
            MissingFileError: if the table is not there.
            ZcbenchError: if it is damaged or has no such source.
        """
        embedded = f"{'leave out --truth and ' if path else ''}add --source {analog.SOURCE}"
        given = path is not None
        path = path or (None if source == analog.SOURCE else _table_in_data_folder())
        if path is not None:
            if given:
                check_tidy(path, self.name)
            if given and hardware.is_columns(path):
                raise to_convert(path, self.name)
            table = TruthTable.from_parquet(path)
            if given:
                check_space(path, self.space)
            table = _advised(table if given else hardware.beside(table, path.parent), analog.DATASETS, embedded)
            return table if source is None else table.only(source)
        if source in (None, analog.SOURCE):
            official = f"take another source (--truth FILE, or set ZCBENCH_DATA to a folder that has {TABLE})"
            return _advised(analog.read(), OFFICIAL, official)
        if source in SOURCES:
            raise MissingFileError(
                f'"{source}" is not in the embedded table: give a table (--truth FILE) or set ZCBENCH_DATA '
                f"to a folder that has {TABLE}"
            )
        raise unknown("ground-truth source", source or "", SOURCES)

    def convert(
        self, path: Path, out: Path, *, curves: bool = False, progress: bool | None = False
    ) -> Conversion:
        """Convert official files to a tidy table; see `zcbench.datasets.nasbench201.convert.convert`."""
        from zcbench.datasets.nasbench201.convert import convert  # its readers need torch

        return convert(path, out, curves=curves, progress=progress)


def _advised(table: TruthTable, datasets: Iterable[str], advice: str) -> TruthTable:
    """Return the table with what is known of its sources, and with where these datasets are to be had."""
    remarks = Remarks(
        seeds={**analog.REMARKS.seeds, **hardware.REMARKS.seeds},
        notes={**analog.REMARKS.notes, **hardware.REMARKS.notes},
        elsewhere=dict.fromkeys(datasets, advice),
        metrics=hardware.REMARKS.metrics,
        default_sources=SOURCES,
    )
    return table.remarked(remarks)


def _table_of(source: str) -> str:
    return {hardware.SOURCE: hardware.TABLES[1], hardware.OFFICIAL_SOURCE: hardware.TABLES[0]}.get(source, TABLE)


def _costs_in(folder: Path, table: TruthTable) -> tuple[dict[str, Path], dict[str, str]]:
    """Return where the sources of costs are, and why those that are not there are missing."""
    there: dict[str, Path] = {}
    why = {s: f"no {_table_of(s)} in {folder} has it" for s in (hardware.SOURCE, hardware.OFFICIAL_SOURCE)}
    for path in hardware.in_folder(folder):
        try:
            if not hardware.is_columns(path):
                there |= dict.fromkeys(TruthTable.from_parquet(path).sources, path)
            elif reason := hardware.why_not(table):
                why[hardware.SOURCE] = f"{path}: {reason}"
            else:
                there[hardware.SOURCE] = path
        except ZcbenchError as error:
            why[hardware.SOURCE] = str(error)
    return there, why


def _table_in_data_folder() -> Path | None:
    """Return the path of the table, or None where ZCBENCH_DATA is not set."""
    folder = data_folder()
    if folder is None:
        return None
    path = folder / TABLE
    if not path.exists():
        raise MissingFileError(
            f"ZCBENCH_DATA is set, but there is no {path}: put the table there (zcbench data convert), "
            "or unset the variable to use the embedded one"
        )
    return path
