"""Renderer: CSV for machines, with full precision and every part of an estimate."""

import csv
import io
import math

from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.types import Estimate

_PARTS = ("", "_low", "_high", "_n", "_n_undefined")


def csv_table(of: Table) -> str:
    """Return a table as CSV.

    A column of estimates becomes five: ``name``, ``name_low``, ``name_high``, ``name_n`` and
    ``name_n_undefined``. NaN and absent cells are empty. Percent columns keep fractions.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(name for column in of.columns for name in _names(column))
    for row in of.rows:
        pairs = zip(row, of.columns, strict=True)
        writer.writerow(part for cell, column in pairs for part in _cells(cell, column))
    return buffer.getvalue()


def _names(column: Column) -> list[str]:
    if column.kind is not Kind.ESTIMATE:
        return [column.name]
    return [column.name + part for part in _PARTS]


def _cells(cell: Cell, column: Column) -> list[str]:
    if column.kind is not Kind.ESTIMATE:
        return [_plain(cell)]
    if not isinstance(cell, Estimate):
        return [_plain(cell)] + [""] * (len(_PARTS) - 1)
    return [_plain(v) for v in (cell.value, cell.low, cell.high, cell.n, cell.n_undefined)]


def _plain(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    return repr(float(cell)) if isinstance(cell, float) else str(cell)
