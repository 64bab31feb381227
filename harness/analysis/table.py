"""The one form in which numbers travel from the analysis to every renderer."""

from dataclasses import dataclass
from enum import StrEnum

from zcbench.harness.types import Estimate

Cell = str | int | float | None | Estimate


class Kind(StrEnum):
    """How a renderer shows the cells of a column."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    PERCENT = "percent"
    ESTIMATE = "estimate"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its key in CSV, its title for people, and how its cells are shown.

    Attributes:
        name: lower snake case, the header of the CSV.
        title: the header that people read.
        kind: text, integer, number, percent (of a fraction) or estimate.
        digits: digits after the decimal point.
    """

    name: str
    title: str
    kind: Kind = Kind.TEXT
    digits: int = 3


@dataclass(frozen=True, slots=True)
class Table:
    """A captioned table with notes.

    Attributes:
        name: lower snake case, the file name of its CSV, Markdown and LaTeX.
        caption: one sentence that says what the table shows, on what.
        columns: the columns.
        rows: one tuple a row, one cell a column; None is an empty cell.
        notes: sentences under the table: methods, assumptions, counts.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: a row has {len(row)} cells, not {len(self.columns)}")
