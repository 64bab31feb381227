"""Section: what a score costs, alone and in company, and how far that is from what the machine can do."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.effort import Effort, idle, own_metrics
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.types import Outcome
from zcbench.reports.cost_limit import limit
from zcbench.reports.section import ReportInput, Section, slug
from zcbench.reports.text import plural

TOGETHER = "all metrics, in shared passes"


def section(data: ReportInput) -> Section:
    """Return the time of every metric, and of all together."""
    tables: list[Table] = []
    efforts = data.efforts or (None,) * len(data.analyses)
    for (label, analysis), effort in zip(data.labelled(), efforts, strict=True):
        tables.append(cost(label, analysis.table, data.passes, effort))
        if effort is not None and (table := limit(label, effort)) is not None:
            tables.append(table)
    return Section(
        title="Cost",
        anchor="cost",
        intro=(
            "Standalone: every pass and quantity that the metric needs, as if it were the only one. "
            "Marginal: its own reduction alone, once others have paid for the passes. In shared passes: what all "
            "metrics really took together, each pass once.",
        ),
        tables=tuple(tables),
    )


def cost(
    label: str, table: ScoreTable, passes: Mapping[str, str] | None = None, effort: Effort | None = None
) -> Table:
    """Return seconds an architecture for each metric, and for all of them.

    Args:
        label: the target's label in this report.
        table: the scores with their times.
        passes: what metrics take besides shared passes, in words.
        effort: what all metrics took together; None where nobody looked.
    """
    own_passes = {name: passes[name] for name in table.metrics if name in passes} if passes else {}
    alone, own = _timed(table, table.seconds_standalone), _timed(table, table.seconds_marginal)
    left_out = (np.isnan(alone) & np.isfinite(table.seconds_standalone)) | (
        np.isnan(own) & np.isfinite(table.seconds_marginal)
    )
    rows: list[tuple[Cell, ...]] = []
    for m, metric in enumerate(table.metrics):
        a, o = alone[:, m, :], own[:, m, :]
        rows.append((metric, _median(a), _median(o), _total(a), _total(o), int(left_out[:, m, :].sum()),
                     own_passes.get(metric, "")))  # fmt: skip
    rows.sort(key=lambda row: -float(str(row[1])) if row[1] is not None else 1.0)
    computed = own_metrics(table)
    each = alone[:, computed].sum(axis=1, where=np.isfinite(alone[:, computed]))
    busy = (table.outcome != "").any(axis=1) & ~idle(table)
    rows.append(("all metrics, each alone", _median(each[busy]), None, _total(alone[:, computed]), None, None, ""))
    shared, said = _together(table, each, busy, effort)
    rows += shared
    rows.append(("all metrics, own reductions", None, None, None, _total(own[:, computed]), None, ""))
    columns: tuple[Column, ...] = (
        Column("metric", "Metric"),
        Column("standalone_ms", "Standalone, ms (median)", Kind.NUMBER, 2),
        Column("marginal_ms", "Marginal, ms (median)", Kind.NUMBER, 2),
        Column("standalone_s", "Standalone, s (sum)", Kind.NUMBER, 2),
        Column("marginal_s", "Marginal, s (sum)", Kind.NUMBER, 2),
        Column("left_out", "Left out", Kind.INTEGER),
        Column("passes", "Passes of its own"),
    )
    if not own_passes:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    seeds = plural(table.values.shape[2], "initialisation seed")
    notes = [f"Over {plural(len(table.architectures), 'architecture')} x {seeds}."]
    if left_out.any():
        notes.append(
            f"Left out of the medians and sums where they took 0 seconds: {plural(int(left_out.sum()), 'score')}, "
            "undefined or failed, as on a disconnected architecture that needs no pass."
        )
    if not computed.all():
        notes.append("Aggregates cost what their components cost, which the sums over all metrics hold once.")
    caption = f"{label}: time to score one architecture."
    return Table(f"cost_{slug(label)}", caption, columns, tuple(rows), (*notes, *said))


def _together(
    table: ScoreTable, alone: NDArray[np.float64], busy: NDArray[np.bool_], effort: Effort | None
) -> tuple[list[tuple[Cell, ...]], list[str]]:
    """Return the row of all metrics in shared passes, and what is to be said about it.

    Args:
        table: the scores.
        alone: seconds of all metrics, each alone, summed, [A, S].
        busy: where an architecture was scored that needed passes, [A, S].
        effort: what they took together.
    """
    if effort is None:
        return [], []
    known = busy & np.isfinite(effort.seconds)
    if not known.any():
        why = "no architecture needed a pass" if not busy.any() else "it was not recorded with these scores"
        return [], [f"What all metrics took in shared passes is not known: {why}."]
    taken, apart = effort.seconds[known], alone[known]
    row = (TOGETHER, _median(taken), None, _total(taken), None, int((~known).sum()), "")
    idles, left = int((~busy).sum()), int(busy.sum() - known.sum())
    but = [f"{idles:,} that needed no pass"] * (idles > 0) + [f"{left:,} of which it was not recorded"] * (left > 0)
    where = plural(int(known.sum()), "network") + (f", all but {' and '.join(but)}" if but else "")
    notes = [
        f"In shared passes: {taken.sum():,.1f} s for {where}; each metric alone takes {apart.sum():,.1f} s there, "
        f"{apart.sum() / taken.sum():.1f} times as long. It is measured from the start to the end of an architecture, "
        "and holds what no metric is charged for: deciding the outcomes, and building the network unless that was "
        "done ahead."
    ]
    return [row], [*notes, *_what_it_holds(table, effort, known)]


def _what_it_holds(table: ScoreTable, effort: Effort, known: NDArray[np.bool_]) -> list[str]:
    notes = []
    failed = int(((table.outcome == Outcome.FAILED).any(axis=1) & known).sum())
    if failed:
        notes.append(f"On {failed:,} of these a metric failed, and all were then tried one by one.")
    several = int((effort.evaluations[known] > 1).sum())
    if several:
        notes.append(
            f"{several:,} of these came to all their metrics in several evaluations, up to "
            f"{int(effort.evaluations[known].max())}: the seconds are the sum, with passes that were run again."
        )
    if effort.further:
        notes.append("The seconds in shared passes hold metrics that were evaluated along and are not in this table.")
    return notes


def _timed(table: ScoreTable, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The seconds, NaN where there is no score and nothing was done for one."""
    return np.where((table.outcome != Outcome.OK) & (seconds == 0), np.nan, seconds)


def _median(seconds: NDArray[np.float64]) -> float | None:
    """The median in milliseconds, over what was measured."""
    known = seconds[np.isfinite(seconds)]
    return 1e3 * float(np.median(known)) if known.size else None


def _total(seconds: NDArray[np.float64]) -> float | None:
    known = seconds[np.isfinite(seconds)]
    return float(known.sum()) if known.size else None
