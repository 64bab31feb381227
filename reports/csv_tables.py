"""Renderer: CSV for machines, with full precision and every part of an estimate."""

import csv
import io
import math

from zcbench.harness.analysis.table import Cell, Column, Compared, Kind, Table
from zcbench.harness.types import Estimate

_PARTS = ("", "_low", "_high", "_n", "_n_undefined")
_COMPARED = ("_published", *_PARTS, "_covered")


def csv_table(of: Table) -> str:
    """Return a table as CSV.

    A column of estimates becomes five: ``name``, ``name_low``, ``name_high``, ``name_n`` and
    ``name_n_undefined``. A column that compares with published figures has ``name_published`` before these
    and ``name_covered`` (True, False or empty) after them. NaN and absent cells are empty. Percent columns keep
    fractions.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(name for column in of.columns for name in _names(column))
    for row in of.rows:
        pairs = zip(row, of.columns, strict=True)
        writer.writerow(part for cell, column in pairs for part in _cells(cell, column))
    return buffer.getvalue()


def _names(column: Column) -> list[str]:
    if column.kind is Kind.COMPARED:
        return [column.name + part for part in _COMPARED]
    return [column.name + part for part in _PARTS] if column.kind is Kind.ESTIMATE else [column.name]


def _cells(cell: Cell, column: Column) -> list[str]:
    if column.kind is Kind.COMPARED:
        return _compared(cell)
    if column.kind is not Kind.ESTIMATE:
        return [_plain(cell)]
    return _estimate(cell)


def _compared(cell: Cell) -> list[str]:
    if not isinstance(cell, Compared):
        return [""] * len(_COMPARED)
    covered = "" if cell.covered is None else str(cell.covered)
    return [_plain(cell.published), *_estimate(cell.ours), covered]


def _estimate(cell: Cell) -> list[str]:
    if not isinstance(cell, Estimate):
        return [_plain(cell)] + [""] * (len(_PARTS) - 1)
    return [_plain(v) for v in (cell.value, cell.low, cell.high, cell.n, cell.n_undefined)]


def _plain(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    return repr(float(cell)) if isinstance(cell, float) else str(cell)
