"""A whole published table, with ours beside every figure whose column was measured."""

from collections.abc import Mapping, Sequence

from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.table import Cell, Column, Compared, Kind, Table
from zcbench.reports.citations import Published, PublishedColumn, PublishedRow
from zcbench.reports.comparison import Measured, absolute, covered
from zcbench.reports.section import slug
from zcbench.reports.text import listed


def published_table(paper: Published, measured: Sequence[Measured], statistic: str = "spearman") -> Table:
    """Return the published table turned over: a row for each of its columns, a column for each metric.

    Args:
        paper: the publication.
        measured: our estimates; those for other publications are passed over.
        statistic: ``spearman`` or ``kendall``.
    """
    ours = {m.request.column: m for m in reversed(measured) if m.request.published == paper.id}
    metrics = [row for row in paper.rows if statistic in row.values]
    rows = tuple(
        (
            key,
            f"{column.benchmark}: {column.dataset}",
            *(_cell(paper, row, key, ours.get(key), statistic) for row in metrics),
        )
        for key, column in paper.columns.items()
    )
    columns = (
        Column("column", "Published as"),
        Column("published_target", "Target"),
        *(Column(slug(row.metric), row.metric, Kind.COMPARED, paper.digits) for row in metrics),
    )
    size = f"{len(metrics)} metrics on {len(paper.columns)} targets"
    caption = f"{paper.short}, {paper.where}: {statistic.capitalize()} of {size}, ours / published."
    return Table(f"published_{paper.id}_{statistic}", caption, columns, rows, _notes(paper, ours))


def _cell(paper: Published, row: PublishedRow, key: str, measured: Measured | None, statistic: str) -> Cell:
    printed = row.values[statistic].get(key)
    if printed is None:
        return None
    found = None if measured is None else measured.estimates.get((row.metric, statistic))
    if found is None:
        return Compared(printed)
    return Compared(printed, found, covered(absolute(found) if paper.absolute else found, printed, paper.digits))


def _notes(paper: Published, ours: Mapping[str, Measured]) -> tuple[str, ...]:
    order = list(paper.columns)
    said: dict[str, list[str]] = {}
    for key in order:
        if key in ours and ours[key].differences:
            said.setdefault("; ".join(ours[key].differences), []).append(key)
    return (
        "Ours first, then the published figure, which stands alone where nothing was measured here. ≠: the published "
        "figure lies outside our 95 % interval, its rounding allowed for; the sign needs an interval, which estimates "
        f"on fewer than {FEWEST} architectures do not have. The tables below have the intervals.",
        f"{paper.citation}.",
        *(f"What differs, {_keys(keys, order)}: {text}." for text, keys in said.items()),
        *_caveats(paper, list(paper.columns.values())),
        *paper.caveats,
    )


def _caveats(paper: Published, columns: list[PublishedColumn]) -> list[str]:
    """Each caveat of a column once, with the columns that it belongs to."""
    keys: dict[str, list[str]] = {}
    for column in columns:
        for caveat in column.caveats:
            keys.setdefault(caveat, []).append(column.key)
    return [f"{_keys(of, list(paper.columns))}: {caveat}" for caveat, of in keys.items()]


def _keys(keys: list[str], order: list[str]) -> str:
    """Name the columns; a long run of neighbours by its ends."""
    at = [order.index(key) for key in keys]
    if len(keys) > 3 and at == list(range(at[0], at[-1] + 1)):
        return f"{keys[0]} to {keys[-1]}"
    return listed(keys)
