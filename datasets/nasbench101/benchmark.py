"""NAS-Bench-101 as a benchmark: which ground truth there is, and which of it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zcbench.datasets.nasbench101.genotype import parse_cell
from zcbench.datasets.nasbench101.renumbered import RenumberedTable
from zcbench.datasets.nasbench101.space import Space, is_bare
from zcbench.datasets.tables import EVERYTHING, TableBenchmark
from zcbench.datasets.truth import Remarks, TruthTable
from zcbench.harness.space import Conversion

REMARKS = Remarks(
    seeds={"naslib": "one of the three trainings, drawn at random for each matrix"},
    notes={
        ("naslib", "cifar10"): "500 random matrices of 292 different cells",
        ("zerocostpt", "cifar10"): "5,385 cells of at most 4 intermediate operations",
    },
)
"""What the tables do not say.

``naslib`` was published as "val_accuracy" without a seed. Of its matrices 125 belong to cells that
``zerocostpt`` has with all three repeats, and each of their values is one of the three, never the mean: the
benchmark's own ``query`` returns one at random.
"""


def convert(path: Path, out: Path, *, curves: bool = False, progress: bool | None = False) -> Conversion:
    """Convert official files; see `zcbench.datasets.nasbench101.convert.convert`."""
    from zcbench.datasets.nasbench101.convert import convert as converted  # its readers only when needed

    return converted(path, out, curves=curves, progress=progress)


@dataclass(frozen=True, kw_only=True)
class NasBench101(TableBenchmark):
    """The benchmark, which finds the truth of a cell also under another string; see `zcbench.datasets.tables`."""

    def truth(
        self, *, source: str | None = None, path: Path | None = None, architectures: Sequence[str] | None = None
    ) -> TruthTable:
        """Load the ground truth.

        Args:
            source: only this source.
            path: a tidy Parquet file; by default the table in the folder of ``ZCBENCH_DATA``.
            architectures: strings that will be asked for. One that the table does not have gets the truth of
                its cell, as the benchmark's own query does it: see `zcbench.datasets.nasbench101.renumbered`.

        Raises:
            MissingFileError: if the table is not there.
            ZcbenchError: if it is damaged or has no such source.
        """
        table = TableBenchmark.truth(self, source=source, path=path)
        if architectures is None:
            return table
        return RenumberedTable.over(table, architectures)


BENCHMARK = NasBench101(
    name="nasbench101",
    space=Space(),
    datasets=("cifar10",),
    default_sources=("nasbench101-only108", "nasbench101-full", "zerocostpt", "naslib"),
    tables=("nasbench101.parquet", "nasbench101-only108.parquet", "nasbench101-full.parquet"),
    converter=convert,
    populations={
        **EVERYTHING,
        "not_bare": lambda architecture: not is_bare(parse_cell(architecture.id)),
    },
    remarks=REMARKS,
)
"""The benchmark; ``not_bare`` leaves out cells of which only the edge input -> output is left after pruning."""
