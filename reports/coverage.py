"""Section: which scores are missing, and why."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.bound import CONDITIONS, SINGULAR
from zcbench.harness.types import Outcome, cause
from zcbench.reports.section import ReportInput, Section, slug
from zcbench.reports.text import listed, plural


def section(data: ReportInput) -> Section:
    """Return counts of outcomes for each metric, and the reasons of what is missing."""
    return of_tables([(label, analysis.table) for label, analysis in data.labelled()])


def of_tables(labelled: Sequence[tuple[str, ScoreTable]]) -> Section:
    """Return the same of score tables.

    Args:
        labelled: each target's label in this report, and its scores.
    """
    tables: list[Table] = []
    for label, table in labelled:
        tables.append(outcomes(label, table))
        causes = reasons(label, table)
        if causes.rows:
            tables.append(causes)
    complete = len(tables) == len(labelled) and not any(_gaps(table) for _, table in labelled)
    return Section(
        title="Coverage",
        anchor="coverage",
        intro=(
            "A score is a number, undefined (the metric has no value on that architecture) or failed. "
            "Nothing that is missing is replaced by a number.",
        ),
        tables=tuple(tables),
        notes=("Every metric has a score for every architecture.",) if complete else (),
    )


def _gaps(table: ScoreTable) -> bool:
    return bool((table.outcome != Outcome.OK).any())


def outcomes(label: str, table: ScoreTable) -> Table:
    """Return how many scores of each metric are ok, undefined, failed, or were never computed.

    Args:
        label: the target's label in this report.
        table: the scores.
    """
    rows: list[tuple[Cell, ...]] = []
    for m, metric in enumerate(table.metrics):
        counts = Counter(table.outcome[:, m, :].ravel().tolist())
        total = table.outcome[:, m, :].size
        known = [counts[outcome] for outcome in Outcome]
        share = counts[Outcome.OK] / total if total else float("nan")
        rows.append((metric, *known, total - sum(known), share))
    columns = (
        Column("metric", "Metric"),
        *(Column(str(outcome), str(outcome), Kind.INTEGER) for outcome in Outcome),
        Column("not_scored", "not scored", Kind.INTEGER),
        Column("share_ok", "ok, %", Kind.PERCENT, 1),
    )
    seeds = table.values.shape[2]
    count = f"{len(table.architectures):,} architectures x {plural(seeds, 'initialisation seed')}"
    caption = f"{label}: outcomes of every metric."
    notes = (f"Counted over {count}.", *clamped(table))
    return Table(f"coverage_{slug(label)}", caption, columns, tuple(rows), notes)


def clamped(table: ScoreTable) -> tuple[str, ...]:
    """Say how many condition numbers are the clamp of a singular kernel and no measured value; nothing if none is.

    Args:
        table: the scores.
    """
    ok = table.outcome == Outcome.OK
    counts = {
        metric: (int((ok[:, m] & (table.values[:, m] == SINGULAR)).sum()), int(ok[:, m].sum()))
        for m, metric in enumerate(table.metrics)
        if metric.partition("(")[0] in CONDITIONS
    }
    said = [f"{metric} on {n:,} of {total:,}" for metric, (n, total) in counts.items() if n]
    if not said:
        return ()
    return (f"Counted as ok, but κ is clamped to 2⁵², the kernel being singular within rounding: {listed(said)}.",)


def reasons(label: str, table: ScoreTable) -> Table:
    """Return why scores are missing: one line for each metric and reason, with an example.

    Args:
        label: the target's label in this report.
        table: the scores.
    """
    rows: list[tuple[Cell, ...]] = []
    for m, metric in enumerate(table.metrics):
        outcome, reason = table.outcome[:, m, :], table.reason[:, m, :]
        seen: Counter[tuple[str, str]] = Counter()
        example: dict[tuple[str, str], str] = {}
        for a, s in np.argwhere((outcome != Outcome.OK) & (outcome != "")):
            key = (str(outcome[a, s]), cause(str(reason[a, s])))
            seen[key] += 1
            example.setdefault(key, table.architectures[a])
        rows += [(metric, *key, count, example[key]) for key, count in seen.most_common()]
    columns = (
        Column("metric", "Metric"),
        Column("outcome", "Outcome"),
        Column("reason", "Reason"),
        Column("count", "Scores", Kind.INTEGER),
        Column("example", "For example"),
    )
    return Table(f"missing_{slug(label)}", f"{label}: why scores are missing.", columns, tuple(rows))
