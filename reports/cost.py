"""Section: what a score costs, alone and in company."""

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.reports.section import ReportInput, Section, slug
from zcbench.reports.text import number, plural


def section(data: ReportInput) -> Section:
    """Return the time of every metric, and what sharing the passes saved where that was measured."""
    tables = tuple(
        cost(label, analysis.table, data.shared_seconds.get(label)) for label, analysis in data.labelled()
    )
    return Section(
        title="Cost",
        anchor="cost",
        intro=(
            "Standalone: every pass and quantity that the metric needs, as if it were the only one. "
            "Marginal: its own reduction alone, once others have paid for the passes.",
        ),
        tables=tables,
    )


def cost(label: str, table: ScoreTable, shared: float | None) -> Table:
    """Return seconds an architecture for each metric.

    Args:
        label: the target's label in this report.
        table: the scores with their times.
        shared: measured seconds of the run in which the passes were shared; None where not measured.
    """
    rows: list[tuple[Cell, ...]] = []
    for m, metric in enumerate(table.metrics):
        alone, own = table.seconds_standalone[:, m, :], table.seconds_marginal[:, m, :]
        rows.append((metric, _median(alone), _median(own), _total(alone), _total(own)))
    rows.sort(key=lambda row: -float(str(row[1])) if row[1] is not None else 1.0)
    everything = _total(table.seconds_standalone)
    rows.append(("all metrics, each alone", None, None, everything, None))
    rows.append(("all metrics, own reductions", None, None, None, _total(table.seconds_marginal)))
    if shared is not None:
        rows.append(("all metrics, passes shared", None, None, shared, None))
    columns = (
        Column("metric", "Metric"),
        Column("standalone_ms", "Standalone, ms (median)", Kind.NUMBER, 2),
        Column("marginal_ms", "Marginal, ms (median)", Kind.NUMBER, 2),
        Column("standalone_s", "Standalone, s (sum)", Kind.NUMBER, 2),
        Column("marginal_s", "Marginal, s (sum)", Kind.NUMBER, 2),
    )
    seeds = table.values.shape[2]
    notes = [f"Over {len(table.architectures):,} architectures x {plural(seeds, 'initialisation seed')}."]
    if shared and everything:
        notes.append(
            f"Sharing the passes took {number(shared, 1)} s instead of the {number(everything, 1)} s of "
            f"all metrics one by one: {number(everything / shared, 1)} times as fast."
        )
    caption = f"{label}: time to score one architecture."
    return Table(f"cost_{slug(label)}", caption, columns, tuple(rows), tuple(notes))


def _median(seconds: NDArray[np.float64]) -> float | None:
    """The median in milliseconds, over what was measured."""
    known = seconds[np.isfinite(seconds)]
    return 1e3 * float(np.median(known)) if known.size else None


def _total(seconds: NDArray[np.float64]) -> float | None:
    known = seconds[np.isfinite(seconds)]
    return float(known.sum()) if known.size else None
