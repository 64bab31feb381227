"""The tidy form of ground truth: one row for one measured accuracy, and its Parquet file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zcbench.datasets.columns import check_numbers, check_text
from zcbench.datasets.measures import CURVE
from zcbench.datasets.unpickle import reading
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.replace import replacing

TRUTH_COLUMNS = ("architecture", "dataset", "split", "epochs", "seed", "metric", "value", "source", "kind")
"""Columns of a ground-truth table.

``seed`` -1 is a published mean over seeds, or a value whose seeds are not stated; ``epochs`` -1 the last
epoch of a training of unstated length; ``value`` is a fraction for every metric that begins with
``accuracy``.
"""

KINDS = ("trained", "surrogate", "synthetic", "measured")
"""Where a value may come from: a training, a model that predicts trainings, thin air (in tests), or a
measurement of the network that needs no training, such as its latency on a device."""

HARDWARE = "hardware"
"""The split of a cost on a device, which is no matter of images."""

KEY = ("architecture", "dataset", "split", "epochs", "seed", "metric", "source")
"""Columns that together name one measurement."""

SCHEMA = pa.schema(
    [
        (name, {"epochs": pa.int32(), "seed": pa.int32(), "value": pa.float64()}.get(name, pa.string()))
        for name in TRUTH_COLUMNS
    ]
)
"""Types of the columns in a Parquet file."""

TEXT = tuple(name for name in TRUTH_COLUMNS if SCHEMA.field(name).type == pa.string())
"""Columns that hold text: not empty, without control characters, of at most 5,000 characters."""

def read_parquet(path: Path, *, curves: bool = False) -> pd.DataFrame:
    """Read a ground-truth table; a file without ``kind`` counts as trained.

    Args:
        path: the file.
        curves: also read the metrics named ``{metric}_curve_{budget}``.

    Raises:
        MissingFileError: if there is no such file.
        ZcbenchError: if it is no Parquet file, damaged, or not of the tidy form.
    """
    check_file(path)
    return reading(str(path), lambda: _read(path, curves))


def check_file(path: Path) -> None:
    """Refuse what cannot be a ground-truth table before anything is read.

    Raises:
        MissingFileError: if there is no such file.
        ZcbenchError: if it is no file, or empty.
    """
    if not path.exists():
        raise MissingFileError(f"there is no ground-truth table {path}")
    if not path.is_file():
        raise ZcbenchError(f"cannot read {path}: it is not a file")
    if path.stat().st_size == 0:
        raise ZcbenchError(f"cannot read {path}: the file is empty")


def _read(path: Path, curves: bool) -> pd.DataFrame:
    schema = pq.read_schema(path)
    columns = [name for name in TRUTH_COLUMNS if name in schema.names]
    for kind, name in [(schema.field(name).type, name) for name in columns]:
        if pa.types.is_nested(kind):
            wanted = "text" if name in TEXT else "numbers"
            raise ZcbenchError(f"{path}: the column {name} holds {kind} instead of {wanted}")
    text = [name for name in columns if name in TEXT]
    with pq.ParquetFile(path, read_dictionary=text) as file:
        number = file.metadata.num_rows
        groups = (file.read_row_group(index, columns) for index in range(file.num_row_groups))
        kept = [group if curves or "metric" not in columns else _without_curves(group) for group in groups]
        table = pa.concat_tables(kept) if kept else file.read(columns=columns)
    table.validate(full=True)  # text that is no UTF-8, and codes beyond a dictionary
    if number and not len(table):
        raise ZcbenchError(f"{path} holds nothing but values of unfinished trainings (*{CURVE}*)")
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    if "kind" not in frame:
        frame["kind"] = "trained"
    return validated(frame, str(path))


def _without_curves(table: pa.Table) -> pa.Table:
    names = table["metric"].cast(pa.string())
    return table.filter(pc.invert(pc.match_substring(names, CURVE)))


def validated(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the table with exactly `TRUTH_COLUMNS`, text as categories and numbers in their types.

    Args:
        frame: the table; further columns are dropped.
        name: what to call it in an error.

    Raises:
        ZcbenchError: if there are no rows, columns are missing, cells are empty, or values are not what
            `TRUTH_COLUMNS` and `zcbench.datasets.columns` say; if accuracies are no fractions or a measurement
            occurs twice.
    """
    missing = [column for column in TRUTH_COLUMNS if column not in frame]
    if missing:
        raise ZcbenchError(f"{name} is no ground-truth table: it lacks the columns {', '.join(missing)}")
    frame = frame[list(TRUTH_COLUMNS)]
    if frame.columns.has_duplicates:
        raise ZcbenchError(f"{name} has the column {frame.columns[frame.columns.duplicated()][0]} twice")
    if not len(frame):
        raise ZcbenchError(f"{name} has no rows")
    empty = [column for column in TRUTH_COLUMNS if frame[column].isna().any()]
    if empty:
        raise ZcbenchError(f"{name} has empty cells in {', '.join(empty)}")
    for column in TEXT:
        check_text(column, _different(frame[column]), name)
    for column in ("epochs", "seed", "value"):
        check_numbers(frame[column], name)
    types = {"epochs": np.int64, "seed": np.int64, "value": np.float64} | dict.fromkeys(TEXT, "category")
    frame = frame.astype(types)
    _check_values(frame, name)
    return frame.reset_index(drop=True)


def _different(column: pd.Series) -> list[object]:
    """Return every value of a column at least once."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return list(column.cat.categories)
    try:
        return list(column.unique())
    except TypeError:  # a list, for one, has no hash
        return list(column)


def _check_values(frame: pd.DataFrame, name: str) -> None:
    unknown = set(frame["kind"].cat.categories) - set(KINDS)
    if unknown:
        raise ZcbenchError(f"{name}: kind {', '.join(sorted(unknown))} is none of {', '.join(KINDS)}")
    accuracy = frame["metric"].astype(str).str.startswith("accuracy")
    bad = frame[accuracy & ~frame["value"].between(0, 1)]
    if len(bad):
        raise no_fractions(name, len(bad), bad["value"].iloc[0], bad["architecture"].iloc[0])
    twice = frame.duplicated(list(KEY))
    if twice.any():
        row = frame[twice].iloc[0]
        raise measured_twice(
            name, int(twice.sum()), architecture=row["architecture"], dataset=row["dataset"], split=row["split"],
            epochs=row["epochs"], seed=row["seed"], source=row["source"],
        )  # fmt: skip


def no_fractions(name: str, number: int, value: float, architecture: str) -> ZcbenchError:
    """Return the error for accuracies that are no fractions, with the first one."""
    return ZcbenchError(
        f"{name}: {number} accuracies are outside [0, 1], e.g. {value:g} of {architecture}: give fractions, "
        "not percent"
    )


def measured_twice(
    name: str, number: int, *, architecture: str, dataset: str, split: str, epochs: int, seed: int, source: str
) -> ZcbenchError:
    """Return the error for measurements that occur twice, with the first one."""
    return ZcbenchError(
        f"{name}: {number} measurements occur twice, e.g. {architecture} on {dataset} ({split}, {epochs} epochs, "
        f"seed {seed}, source {source})"
    )


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a validated table; the file appears whole or not at all.

    Raises:
        MissingFileError: if the folder is not there.
        ZcbenchError: if the file cannot be written.
    """
    plain = frame.astype(dict.fromkeys(TEXT, "str"))
    with replacing(path) as temporary, temporary.open("wb") as file:  # pyarrow knows no names that are not UTF-8
        table = pa.Table.from_pandas(plain, schema=SCHEMA, preserve_index=False)
        pq.write_table(table, file, compression="zstd")
