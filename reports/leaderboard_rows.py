"""The rows and columns of the leaderboard's table, as its template reads them."""

import bisect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zcbench.harness.analysis.table import Column, Kind, Table
from zcbench.harness.results.entry import LOWER_IS_BETTER, Disagreement, Entry
from zcbench.reports.html_table import Bar, HtmlCell, table
from zcbench.reports.leaderboard_names import (
    ArchitectureNames,
    RecipeNames,
    slice_title,
    statistic_title,
    target_title,
)
from zcbench.reports.names import benchmark_title
from zcbench.reports.section import Bars, lower_end
from zcbench.reports.text import NONE, number

DIGITS = 3
"""Digits of a value: neighbours on a leaderboard often differ in the third."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A mark beside a metric's name; an alarm is set apart by its colour. ``title`` is shown on hovering."""

    text: str
    title: str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """One column.

    Attributes:
        name: its name in the permalink, and its class.
        title: its header.
        numeric: whether it sorts by number.
        descending: whether the first click puts the highest first.
        ticks: the scale above its bars, as positions in percent and labels; empty without bars.
    """

    name: str
    title: str
    numeric: bool = False
    descending: bool = False
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BoardCell:
    """One cell.

    Attributes:
        column: name of its column.
        text: what it shows.
        key: what it sorts by; None: its text; empty in a numeric column: undefined, so last.
        option: what it is filtered by; None: its key.
        interval: shown small behind the text.
        numeric: whether it is set flush right.
        bar: the interval as a bar.
    """

    column: str
    text: str
    key: str | None = None
    option: str | None = None
    interval: str = ""
    numeric: bool = False
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One row: its permalink's key, the details that it belongs to, its cells, and what is marked on it."""

    key: str
    details: str
    cells: tuple[BoardCell, ...]
    badges: tuple[Badge, ...]
    disputed: bool


def columns(ticks: tuple[tuple[float, str], ...]) -> tuple[BoardColumn, ...]:
    """Return the columns of the table.

    Args:
        ticks: the scale of the bars.
    """
    return (
        BoardColumn("rank", "Rank", numeric=True),
        BoardColumn("metric", "Metric"),
        BoardColumn("benchmark", "Benchmark"),
        BoardColumn("target", "Target"),
        BoardColumn("population", "Architectures"),
        BoardColumn("slice", "Slice"),
        BoardColumn("statistic", "Statistic"),
        BoardColumn("value", "Value, 95 % interval", numeric=True, descending=True, ticks=ticks),
        BoardColumn("count", "n", numeric=True, descending=True),
        BoardColumn("undefined", "Undefined", numeric=True, descending=True),
        BoardColumn("cost", "Cost, ms", numeric=True),
        BoardColumn("machines", "Measured", numeric=True, descending=True),
    )


def values(entries: Sequence[Entry]) -> tuple[tuple[HtmlCell, ...], tuple[tuple[float, str], ...]]:
    """Return the values spelt out and drawn, all on one scale with one zero, and the scale's ticks.

    Args:
        entries: the rows of the board; a regret has the unit of its truth and decides nothing about the scale.
    """
    scaled = (entry.estimate for entry in entries if entry.statistic not in LOWER_IS_BETTER)
    ends = (end for estimate in scaled for end in (estimate.value, estimate.low))
    drawn = Bars("values", "value", low=lower_end(ends), high=1.0)
    column = Column("value", "Value", Kind.ESTIMATE, DIGITS)
    made = table(Table("values", "", (column,), tuple((entry.estimate,) for entry in entries)), (drawn,))
    return tuple(row.cells[0] for row in made.rows), made.headers[0].ticks


def ranks(entries: Sequence[Entry]) -> tuple[int | None, ...]:
    """Return each row's place among those that can be compared with it; None where it has no value.

    Comparable are values of one statistic on the same slice of the same architectures against the same values of a
    truth. Equal values share the better place.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for at, e in enumerate(entries):
        same = (e.benchmark, e.truth.target, e.truth.digest, e.architectures.digest, e.undefined, e.slice, e.statistic)
        groups.setdefault(same, []).append(at)
    places: list[int | None] = [None] * len(entries)
    for members in groups.values():
        known = [at for at in members if not math.isnan(entries[at].estimate.value)]
        sign = 1 if entries[members[0]].statistic in LOWER_IS_BETTER else -1
        best_first = sorted(sign * entries[at].estimate.value for at in known)
        for at in known:
            places[at] = 1 + bisect.bisect_left(best_first, sign * entries[at].estimate.value)
    return tuple(places)


def rows(
    entries: Sequence[Entry], details: Sequence[str], disagreements: Sequence[Disagreement]
) -> tuple[tuple[BoardRow, ...], tuple[tuple[float, str], ...]]:
    """Return the rows in the order of the board, and the ticks of the scale of their values.

    Args:
        entries: the rows of the board.
        details: for each of them the anchor of its details.
        disagreements: those of the board.
    """
    names, recipes = ArchitectureNames(entries), RecipeNames(entries)
    several = _several_truths(entries)
    disputes = {disagreement.key: disagreement for disagreement in disagreements}
    drawn, ticks = values(entries)
    made = tuple(
        BoardRow(
            key=entry.key,
            details=anchor,
            cells=_cells(entry, place, value, names, several=(entry.benchmark, entry.truth.target) in several),
            badges=badges(entry, [disputes[key] for key in entry.disagreements], recipes.short(entry)),
            disputed=bool(entry.disagreements),
        )
        for entry, anchor, place, value in zip(entries, details, ranks(entries), drawn, strict=True)
    )
    return made, ticks


def _several_truths(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    """The targets of a benchmark that several sources, splits or lengths of training have values of."""
    known: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        known.setdefault((entry.benchmark, entry.truth.target), set()).add(entry.truth.description)
    return {target for target, truths in known.items() if len(truths) > 1}


def _cells(
    entry: Entry, place: int | None, value: HtmlCell, names: ArchitectureNames, *, several: bool
) -> tuple[BoardCell, ...]:
    estimate, milliseconds = entry.estimate, 1e3 * entry.seconds.standalone
    return (
        BoardCell("rank", NONE if place is None else str(place), "" if place is None else str(place), numeric=True),
        BoardCell("metric", entry.metric.name, entry.metric.name),
        BoardCell("benchmark", benchmark_title(entry.benchmark), option=entry.benchmark),
        BoardCell(
            "target", target_title(entry.truth), option=entry.truth.target,
            interval=f"{entry.truth.source}, {entry.truth.split}" if several else "",
            key=entry.truth.target if several else None,
        ),
        BoardCell("population", names.short(entry), option=names.option(entry)),
        BoardCell("slice", slice_title(entry.slice), option=entry.slice),
        BoardCell("statistic", statistic_title(entry.statistic), option=entry.statistic),
        BoardCell(
            "value", value.text, _key(estimate.value), interval=value.interval, numeric=True,
            bar=None if entry.statistic in LOWER_IS_BETTER else value.bar,
        ),
        BoardCell("count", number(estimate.n, 0), str(estimate.n), numeric=True),
        BoardCell("undefined", number(estimate.n_undefined, 0), str(estimate.n_undefined), numeric=True),
        BoardCell("cost", number(milliseconds, 1), _key(milliseconds), numeric=True),
        BoardCell("machines", f"{len(entry.submissions)}×", str(len(entry.submissions)), numeric=True),
    )  # fmt: skip


def _key(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def badges(entry: Entry, disputes: Sequence[Disagreement], recipe: str = "") -> tuple[Badge, ...]:
    """Return what is marked beside the metric's name.

    Args:
        entry: a row of the board.
        disputes: the disagreements that it is part of.
        recipe: how its scores were made, where that tells rows apart.
    """
    marks = [Badge(f"v{entry.metric.version}")]
    if recipe:
        marks.append(Badge(recipe, entry.recipe.words))
    if entry.metric.code:
        marks.append(Badge("own code", f"does not come with zcbench; code {entry.metric.code}"))
    others = len(entry.submissions) - 1
    if others:
        exact = all(submission.identical for submission in entry.submissions)
        how = "the same scores bit for bit" if exact else "the same within what other hardware may change"
        marks.append(Badge(f"confirmed by {others}", how))
    if disputes:
        marks.append(Badge("disputed", " ".join(dispute.what for dispute in disputes), alarm=True))
    return tuple(marks)
