"""What the cells cost on six devices: the latencies and energies of HW-NAS-Bench, as further targets.

The file ``hw_nas_bench_nasbench201_{dataset}.parquet`` has one row for each cell: ``index``, the cell's number
in NAS-Bench-201, and `METRICS`, with -1 for what is missing (edgetpu lacks 4,699 cells). It does not name the
cells: their official order is that in which source ``robot`` of ``nasbench201.parquet`` has them. A check of
both: the readme of HW-NAS-Bench gives the figures of cell 0 and its string, and they agree.

Latencies are in ms, energies in mJ for one image (readme of HW-NAS-Bench); the arithmetic intensity has no
unit. HW-NAS-Bench calls its values measured or estimated: four devices can be bought, one is an FPGA and
Eyeriss an ASIC.

Source: Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark", ICLR 2021.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from zcbench.datasets import unpickle
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.datasets.tidy import HARDWARE, check_file
from zcbench.datasets.truth import Remarks, TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError

SOURCE = "hw_nas_bench"
"""Source of the rows of such a file."""

OFFICIAL_SOURCE = "hw-nas-bench-v1_0"
"""Source of the rows of the official pickle."""

METRICS = (
    "edgegpu_latency",
    "edgegpu_energy",
    "raspi4_latency",
    "edgetpu_latency",
    "pixel3_latency",
    "eyeriss_latency",
    "eyeriss_energy",
    "eyeriss_arithmetic_intensity",
    "fpga_latency",
    "fpga_energy",
)
"""Latency (ms), energy (mJ) and arithmetic intensity by device."""

DATASETS = ("cifar10", "cifar100", "imagenet16_120")
"""The datasets whose images the networks take."""

TABLES = ("hw_nas_bench_nasbench201.parquet", *(f"hw_nas_bench_nasbench201_{name}.parquet" for name in DATASETS))
"""Names of the tables in the folder of ``ZCBENCH_DATA``: the first is tidy, the others have either form."""

MISSING = -1.0
"""Stands in the files for what was not measured."""

_ORDERED_BY = "robot"
_ELSEWHERE = (
    f"costs on devices come from further tables in the folder that ZCBENCH_DATA names: put {TABLES[1]} there, "
    f"beside nasbench201.parquet with source {_ORDERED_BY}, or a tidy table of them as {TABLES[0]}"
)

REMARKS = Remarks(
    seeds=dict.fromkeys((SOURCE, OFFICIAL_SOURCE), "one value for each architecture"),
    notes={
        (source, name): "measured or estimated by HW-NAS-Bench"
        for source in (SOURCE, OFFICIAL_SOURCE)
        for name in DATASETS
    },
    metrics=dict.fromkeys(METRICS, _ELSEWHERE),
)
"""What the tables do not say."""


def is_columns(path: Path) -> bool:
    """Say whether a Parquet file has one row for each cell and one column for each metric.

    Raises:
        MissingFileError: if there is no such file.
        ZcbenchError: if it is no Parquet file.
    """
    check_file(path)
    names = unpickle.reading(str(path), lambda: pq.read_schema(path).names)
    return "index" in names and "architecture" not in names


def official_order(table: TruthTable) -> Sequence[str]:
    """Return all cells in the order of their official numbers, as source ``robot`` has them.

    Raises:
        ZcbenchError: if the table does not have all of them from that source.
    """
    need = f"the official numbers of the cells are known from source {_ORDERED_BY} of nasbench201.parquet"
    if _ORDERED_BY not in table.sources:
        raise ZcbenchError(f"{need}, which the table does not have")
    cells = table.select("cifar10", source=_ORDERED_BY).mean.index
    if len(cells) != len(Space()):
        raise ZcbenchError(f"{need}, which has {len(cells)} of {len(Space())} cells there")
    return [str(cell) for cell in cells]


def read_columns(path: Path, order: Sequence[str]) -> tuple[TruthTable, tuple[str, ...]]:
    """Read a file of one row for each cell.

    Args:
        path: the file; its name ends in its dataset.
        order: all cells in the order of their official numbers.

    Returns:
        The table, and the names of the columns that it does not have.

    Raises:
        MissingFileError: if there is no such file.
        ZcbenchError: if it is damaged, has other cells or other values than costs.
    """
    dataset = next((name for name in DATASETS if path.stem.endswith(f"_{name}")), None)
    if dataset is None:
        raise ZcbenchError(
            f"cannot use {path}: only its name can say of which dataset it is: name it {' or '.join(TABLES[1:])}"
        )
    check_file(path)
    found = unpickle.reading(str(path), lambda: pq.read_table(path).to_pandas(ignore_metadata=True))
    lacks = [name for name in ("index", *METRICS) if name not in found]
    if lacks:
        raise ZcbenchError(f"cannot use {path}: it lacks the columns {', '.join(lacks)}")
    index = found["index"]
    if index.dtype.kind not in "iu" or sorted(index) != list(range(len(order))):
        raise ZcbenchError(
            f"cannot use {path}: its column index has to hold the numbers 0 to {len(order) - 1}, each once"
        )
    cells = np.asarray(order, object)[index]
    columns = {name: found[name] for name in METRICS}
    ignored = tuple(f"column {name}" for name in found if name not in ("index", *METRICS))
    return costs(cells, {dataset: columns}, source=SOURCE, name=str(path)), ignored


def costs(
    cells: Sequence[str] | NDArray[np.object_], found: dict[str, dict[str, pd.Series]], *, source: str, name: str
) -> TruthTable:
    """Return the tidy table of costs; what is `MISSING` is no row.

    Args:
        cells: the cells, [A].
        found: the values [A] by dataset and metric.
        source: the source that the rows name.
        name: what to call their origin in an error.

    Raises:
        ZcbenchError: if a value is neither positive nor missing, or there are none.
    """
    frames = []
    for dataset, columns in found.items():
        for metric, column in columns.items():
            if column.dtype.kind not in "iuf":
                raise ZcbenchError(f"cannot use {name}: {metric} holds {column.dtype} instead of numbers")
            values = column.to_numpy(np.float64)
            present = values != MISSING
            bad = present & ~(np.isfinite(values) & (values > 0))
            if bad.any():
                first = int(np.flatnonzero(bad)[0])
                raise ZcbenchError(
                    f"cannot use {name}: {bad.sum()} values of {metric} are neither positive nor {MISSING:g} for a "
                    f"missing one, e.g. {values[first]:g} of {cells[first]}"
                )
            kept = np.flatnonzero(present)
            architecture = pd.Categorical.from_codes(kept, categories=list(cells))
            frames.append(
                pd.DataFrame({"architecture": architecture, "value": values[kept]}).assign(
                    dataset=dataset, metric=metric
                )
            )
    if not sum(map(len, frames)):
        raise ZcbenchError(f"cannot use {name}: it holds no ground truth")
    rows = pd.concat(frames, ignore_index=True)
    rows = rows.assign(split=HARDWARE, epochs=-1, seed=-1, source=source, kind="measured")
    return TruthTable(rows, name, remarks=REMARKS)


def in_folder(folder: Path) -> list[Path]:
    """Return the tables of costs that a folder has."""
    return [folder / name for name in TABLES if (folder / name).exists()]


def beside(table: TruthTable, folder: Path) -> TruthTable:
    """Return a table together with the costs that its folder has.

    A file whose rows the table cannot put names to is left out: `why_not` says so.

    Raises:
        ZcbenchError: if a file is damaged or of another form, or they hold the same measurement.
    """
    tables = [table]
    for path in in_folder(folder):
        if not is_columns(path):
            tables.append(TruthTable.from_parquet(path))
        elif not why_not(table):
            tables.append(read_columns(path, official_order(table))[0])
    return TruthTable.joined(tables)


def why_not(table: TruthTable) -> str:
    """Say why the table does not tell the official numbers of the cells; empty where it does."""
    try:
        official_order(table)
    except ZcbenchError as error:
        return str(error)
    return ""


def order_in(folder: Path | None) -> Sequence[str]:
    """Return all cells in the order of their official numbers, from the table in a folder.

    Args:
        folder: that of ``ZCBENCH_DATA``; None where it is not set.

    Raises:
        MissingFileError: if the table is not there.
        ZcbenchError: if it does not have them.
    """
    path = folder / "nasbench201.parquet" if folder else None
    if path is None or not path.exists():
        where = f"there is no {path}" if path else "ZCBENCH_DATA is not set"
        raise MissingFileError(
            f"the rows of HW-NAS-Bench are numbered, and nasbench201.parquet in the folder of ZCBENCH_DATA says "
            f"which cells these are, but {where}"
        )
    return official_order(TruthTable.from_parquet(path))
