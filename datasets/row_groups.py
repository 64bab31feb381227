"""Rows that stay in their Parquet file until they are asked for.

A table of NAS-Bench-101 has 7.6 million rows, of which a question needs a sixth. Files that
`zcbench.datasets.conversion.write_rows` wrote have row groups of one choice each; Parquet keeps the smallest
and the largest value of each column of a group, which tell what a group holds without reading it. What those
statistics promise is checked on every group that is read.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from zcbench.datasets.columns import LIMIT, check_text, check_whole, no_text
from zcbench.datasets.footer import Extent, row_groups
from zcbench.datasets.measures import is_curve
from zcbench.datasets.rows import Choice, Values
from zcbench.datasets.tidy import KINDS, TEXT, TRUTH_COLUMNS, check_file, validated
from zcbench.datasets.unpickle import reading
from zcbench.harness.errors import ZcbenchError


class RowsInFile:
    """Rows of a Parquet file whose row groups are of one choice each; see `zcbench.datasets.rows.Rows`.

    Args:
        path: the file.
        groups: numbers of the row groups of each choice.
        counts: number of rows of each choice.
    """

    def __init__(self, path: Path, groups: dict[Choice, list[int]], counts: dict[Choice, int]) -> None:
        self._path = path
        self._groups = groups
        self.counts = counts

    @classmethod
    def opened(cls, path: Path) -> RowsInFile | None:
        """Read what a file says of its row groups, or return None where it has to be read as a whole.

        That is so for a file of one row group, for one whose groups are mixed or without statistics, and for
        one whose statistics show that it is not valid: reading it says what is wrong. Rows of
        ``*_curve_*`` are left out.

        Raises:
            MissingFileError: if there is no such file.
            ZcbenchError: if it is no Parquet file.
        """
        check_file(path)
        return reading(str(path), lambda: cls._opened(path))

    @classmethod
    def _opened(cls, path: Path) -> RowsInFile | None:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
        if file.num_row_groups < 2 or not _has_types(schema):
            return None
        groups: dict[Choice, list[int]] = {}
        counts: dict[Choice, int] = {}
        for number, group in enumerate(row_groups(path)):
            if _is_curve(group.columns["metric"]):
                continue
            choice = _choice(group.columns)
            if choice is None:
                return None
            groups.setdefault(choice, []).append(number)
            counts[choice] = counts.get(choice, 0) + group.rows
        return cls(path, groups, counts) if counts else None

    def read(self, choice: Choice) -> Values:
        """See `zcbench.datasets.rows.Rows`."""
        return reading(str(self._path), lambda: self._read(choice))

    def _read(self, choice: Choice) -> Values:
        table, name = self._table(self._groups[choice]), str(self._path)
        _check_promised(table, choice, name)
        architecture = _unified(table["architecture"])
        codes = np.concatenate([chunk.indices.to_numpy() for chunk in architecture.chunks])
        names = pd.Index(architecture.chunk(0).dictionary.to_pandas())
        check_text("architecture", names, name)
        values = Values.of(names, codes, table["seed"].to_numpy(), table["value"].to_numpy())
        values.check(choice, name)
        return values

    def seeds(self, choice: Choice) -> frozenset[int]:
        """See `zcbench.datasets.rows.Rows`."""

        def read() -> frozenset[int]:
            found = pc.unique(self._table(self._groups[choice], ["seed"])["seed"]).to_pylist()
            check_whole("seed", min(found), max(found), str(self._path))
            return frozenset(found)

        return reading(str(self._path), read)

    def frame(self, choices: Collection[Choice]) -> pd.DataFrame:
        """See `zcbench.datasets.rows.Rows`."""

        def read() -> pd.DataFrame:
            numbers = sorted(number for choice in choices for number in self._groups[choice])
            frame: pd.DataFrame = self._table(numbers).to_pandas(ignore_metadata=True)
            if "kind" not in frame:
                frame["kind"] = "trained"
            return validated(frame, str(self._path))

        return reading(str(self._path), read)

    def _table(self, numbers: list[int], columns: Collection[str] = TRUTH_COLUMNS) -> pa.Table:
        """Read row groups, text as codes of a dictionary."""
        with pq.ParquetFile(self._path, read_dictionary=list(TEXT)) as file:
            present = [name for name in columns if name in file.schema_arrow.names]
            table = file.read_row_groups(numbers, present, use_threads=False)  # one column is nearly all of it
        table.validate(full=True)  # text that is no UTF-8, and codes beyond a dictionary
        if not len(table):
            raise ValueError("its row groups have no rows")
        return table


def _has_types(schema: pa.Schema) -> bool:
    """Say whether all columns are there, each once and in its type; ``kind`` may be missing."""
    for name in TRUTH_COLUMNS:
        if schema.names.count(name) != 1:
            if name == "kind" and name not in schema.names:
                continue
            return False
        kind = schema.field(name).type
        if name in TEXT:
            fits = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        else:
            fits = pa.types.is_floating(kind) if name == "value" else pa.types.is_signed_integer(kind)
        if not fits:
            return False
    return True


def _is_curve(said: Extent | None) -> bool:
    return said is not None and all(is_curve(str(value)) for value in (said.least, said.most))


def _choice(columns: dict[str, Extent | None]) -> Choice | None:
    """Return what a row group is of; None where it is of several things or shown to be invalid.

    The longest and the unprintable texts are seen where they are read: statistics show two of them.
    """
    constant: dict[str, str | int] = {"kind": "trained"}
    for name, said in columns.items():
        if name not in TRUTH_COLUMNS:
            continue
        if said is None or said.nulls:
            return None
        if name in TEXT and not said.least:
            return None
        if name in ("epochs", "seed") and not -1 <= said.least <= said.most < LIMIT:
            return None
        if name in Choice._fields:
            if said.least != said.most:
                return None
            constant[name] = said.least
    fractions = columns["value"]
    if fractions is None or (
        str(constant["metric"]).startswith("accuracy") and not 0 <= fractions.least <= fractions.most <= 1
    ):
        return None
    choice = Choice(**constant)  # type: ignore[arg-type]  # the schema was checked
    if choice.kind not in KINDS or any(no_text(value) for value in choice if isinstance(value, str)):
        return None
    return choice


def _check_promised(table: pa.Table, choice: Choice, name: str) -> None:
    """Refuse rows that are not what the statistics of their groups say, or have empty cells."""
    empty = [column for column in table.column_names if table[column].null_count]
    if not empty and _any_nan(table["value"].to_numpy()):
        empty = ["value"]
    if empty:
        raise ZcbenchError(f"{name} has empty cells in {', '.join(empty)}")
    for column, promised in choice._asdict().items():
        if column in table.column_names and pc.unique(_unified(table[column])).to_pylist() != [promised]:
            raise ZcbenchError(
                f"cannot read {name}: damaged, for its statistics promise rows with {column} {promised} where "
                "there are others: convert it anew"
            )


def _unified(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give all parts of a column of text the same dictionary."""
    return column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column


def _any_nan(values: NDArray[np.floating]) -> bool:
    return bool(np.isnan(values).any())
