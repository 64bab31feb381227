"""Tables as the HTML template reads them: cells spelt out, bars placed, repeated text said once."""

import math
from dataclasses import dataclass, replace

from zcbench.harness.analysis.table import Cell, Kind, Table
from zcbench.harness.types import Estimate
from zcbench.reports.section import Bars
from zcbench.reports.text import MINUS, spell

_MERGED = frozenset({"group"})
"""Columns of text in which a run of equal cells becomes one cell."""

_SMALL = frozenset({"note", "differs", "reason", "example", "truth", "scores", "has", "lacks", "published_target"})
"""Columns of longer text."""

_DENSE = 6
"""So many columns with two numbers in a cell do not fit on a page unless one stands under the other."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with its whisker in percent of the width of its scale; NaN where there is none."""

    zero: float
    value: float
    low: float
    high: float
    reference: float
    mark: float

    @property
    def style(self) -> str:
        """The inline CSS of the cell: positions as custom properties."""
        left, right = sorted((self.zero, self.value))
        parts = {"--z": self.zero, "--a": left, "--w": right - left, "--v": self.value}
        if not math.isnan(self.low):
            parts |= {"--l": self.low, "--h": self.high - self.low}
        parts |= {} if math.isnan(self.reference) else {"--r": self.reference}
        parts |= {} if math.isnan(self.mark) else {"--m": self.mark}
        return ";".join(f"{key}:{value:.2f}%" for key, value in parts.items())


@dataclass(frozen=True, slots=True)
class HtmlCell:
    """One cell as the template shows it."""

    text: str
    interval: str = ""
    numeric: bool = False
    bar: Bar | None = None
    badge: str = ""
    span: int = 1
    small: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class HtmlRow:
    """One row: its role becomes a class, its header cell names it."""

    role: str
    cells: tuple[HtmlCell, ...]


@dataclass(frozen=True, slots=True)
class HtmlHeader:
    """One column header, with the scale of its bars where it has any."""

    title: str
    numeric: bool
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HtmlTable:
    """A table as the template shows it.

    ``header_cell`` is the index of the column that names a row; in a ``dense`` table the interval of an estimate
    stands under it.
    """

    name: str
    caption: str
    headers: tuple[HtmlHeader, ...]
    rows: tuple[HtmlRow, ...]
    notes: tuple[str, ...]
    header_cell: int
    folded: bool
    dense: bool = False


def table(of: Table, bars: tuple[Bars, ...] = (), *, folded: bool = False) -> HtmlTable:
    """Return a table in the form that the template reads.

    A column named ``role`` is not shown as a column: it becomes the class of the row, and a badge
    beside the row's name.

    Args:
        of: the table.
        bars: the columns to draw.
        folded: whether it is shown only when asked for.
    """
    of = _once(of)
    names = [c.name for c in of.columns]
    shown = [i for i, name in enumerate(names) if name != "role"]
    drawn = {names.index(b.column): b for b in bars}
    header = next((k for k, i in enumerate(shown) if of.columns[i].kind is Kind.TEXT), 0)
    spans = {i: _runs([row[i] for row in of.rows]) for i in shown if names[i] in _MERGED}
    rows: list[HtmlRow] = []
    for r, row in enumerate(of.rows):
        role = str(row[names.index("role")]) if "role" in names else ""
        cells: list[HtmlCell] = []
        for k, i in enumerate(shown):
            span = spans[i][r] if i in spans else 1
            if span:
                badge = role if k == header and role == "baseline" else ""
                cells.append(_cell(of, row, i, drawn.get(i), badge, span))
        rows.append(HtmlRow(role, tuple(cells)))
    headers = tuple(
        HtmlHeader(of.columns[i].title, of.columns[i].kind is not Kind.TEXT, _ticks(drawn.get(i)))
        for i in shown
    )
    paired = sum(column.kind in (Kind.ESTIMATE, Kind.COMPARED) for column in of.columns)
    dense = paired >= _DENSE and not bars
    return HtmlTable(of.name, of.caption, headers, tuple(rows), of.notes, header, folded, dense)


def _once(of: Table) -> Table:
    """Say what differs once under the table, where it is the same in every row."""
    names = [c.name for c in of.columns]
    if "differs" not in names:
        return of
    index = names.index("differs")
    said = {str(row[index]) for row in of.rows}
    if len(said) != 1:
        return of
    text = said.pop() or "nothing that is known"
    return replace(
        of,
        columns=of.columns[:index] + of.columns[index + 1 :],
        rows=tuple(row[:index] + row[index + 1 :] for row in of.rows),
        notes=(f"{of.columns[index].title}: {text}.", *of.notes),
    )


def _cell(of: Table, row: tuple[Cell, ...], index: int, bars: Bars | None, badge: str, span: int) -> HtmlCell:
    cell = row[index]
    spelt = spell(cell, of.columns[index])
    bar = None
    if bars is not None and isinstance(cell, Estimate) and not math.isnan(cell.value):
        marks = [row[i] for i, c in enumerate(of.columns) if c.name == bars.mark]
        bar = _bar(cell, bars, marks[0] if marks else None)
    small = of.columns[index].name in _SMALL
    return HtmlCell(spelt.text, spelt.interval, spelt.numeric, bar, badge, span, small, spelt.apart)


def _bar(estimate: Estimate, bars: Bars, mark: Cell) -> Bar:
    def place(value: float) -> float:
        share = (value - bars.low) / (bars.high - bars.low)
        return 100 * min(1.0, max(0.0, share)) if not math.isnan(value) else math.nan

    interval = math.isnan(estimate.low) or math.isnan(estimate.high)
    if bars.unsigned and isinstance(mark, float):
        mark = math.copysign(mark, estimate.value)
    return Bar(
        zero=place(0.0),
        value=place(estimate.value),
        low=math.nan if interval else place(estimate.low),
        high=math.nan if interval else place(estimate.high),
        reference=math.nan if bars.reference is None else place(bars.reference),
        mark=place(mark) if isinstance(mark, float) else math.nan,
    )


def _ticks(bars: Bars | None) -> tuple[tuple[float, str], ...]:
    """The ends of the scale, zero and the middle above it."""
    if bars is None:
        return ()
    values = sorted({bars.low, 0.0, bars.high / 2, bars.high})
    width = bars.high - bars.low
    return tuple((100 * (v - bars.low) / width, f"{v:g}".replace("-", MINUS)) for v in values)


def _runs(cells: list[Cell]) -> list[int]:
    """For each cell the length of the run of equal cells that it starts; 0 inside a run."""
    spans = [0] * len(cells)
    start = 0
    for i, cell in enumerate(cells):
        if i and cell != cells[start]:
            start = i
        spans[start] += 1
    return spans
