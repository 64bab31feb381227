"""The one form in which numbers travel from the analysis to every renderer."""

from dataclasses import dataclass
from enum import StrEnum

from zcbench.harness.types import Estimate


@dataclass(frozen=True, slots=True)
class Compared:
    """A published figure, with our estimate beside it where there is one.

    Attributes:
        published: the figure as printed.
        ours: our estimate; None where nothing was measured.
        covered: whether the figure lies in our 95 % interval, up to its rounding; None without an interval.
    """

    published: float
    ours: Estimate | None = None
    covered: bool | None = None


Cell = str | int | float | None | Estimate | Compared


class Kind(StrEnum):
    """How a renderer shows the cells of a column."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    PERCENT = "percent"
    PROBABILITY = "probability"
    ESTIMATE = "estimate"
    COMPARED = "compared"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its key in CSV, its title for people, and how its cells are shown.

    Attributes:
        name: lower snake case, the header of the CSV.
        title: the header that people read.
        kind: text, integer, number, percent (of a fraction), probability, estimate, or compared with a figure.
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
