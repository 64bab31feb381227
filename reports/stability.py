"""Section: how much the initialisation seed decides."""

import math

import numpy as np

from zcbench.harness.analysis.result import Analysis, Stability
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.reports.order import ordered
from zcbench.reports.section import ReportInput, Section, slug

_SHOWN = 5


def section(data: ReportInput) -> Section:
    """Return each metric's correlation seed by seed; no tables where there is one seed only."""
    several = [(label, a) for label, a in data.labelled() if a.stability]
    return Section(
        title="Stability over seeds",
        anchor="stability",
        intro=(
            "The same architectures scored again from other initial weights. Agreement is the mean "
            "Spearman between the scores of two seeds: a metric that does not agree with itself "
            "cannot agree with the truth.",
        ),
        tables=tuple(stability(label, analysis) for label, analysis in several),
        notes=() if several else ("One initialisation seed: nothing can be said about stability.",),
    )


def stability(label: str, analysis: Analysis) -> Table:
    """Return Spearman of every seed with the truth, and of the seeds with each other.

    Args:
        label: the target's label in this report.
        analysis: with at least two initialisation seeds.
    """
    found = {entry.metric: entry for entry in analysis.stability}
    rows = tuple(_row(found[metric]) for metric in ordered(analysis) if metric in found)
    seeds = next(iter(found.values())).seeds
    columns = (
        Column("metric", "Metric"),
        Column("agreement", "Agreement of seeds", Kind.ESTIMATE, 2),
        Column("deviation", "Deviation over seeds", Kind.NUMBER, 3),
        *(Column(f"seed_{s}", f"Spearman, seed {s}", Kind.ESTIMATE, 2) for s in seeds[:_SHOWN]),
    )
    notes = ["Deviation: standard deviation of Spearman with the truth over the seeds, with n - 1."]
    if len(seeds) > _SHOWN:
        notes.append(f"The first {_SHOWN} of {len(seeds)} seeds are shown; the deviation is over all.")
    method = next((e.agreement.method for e in found.values() if e.agreement.method), "")
    if method:
        notes.append(f"Agreement: {method}.")
    caption = f"{label}: Spearman with the truth, seed by seed."
    return Table(f"stability_{slug(label)}", caption, columns, rows, tuple(notes))


def _row(entry: Stability) -> tuple[Cell, ...]:
    each = [e.value for e in entry.spearman if not math.isnan(e.value)]
    deviation = float(np.std(each, ddof=1)) if len(each) > 1 else math.nan
    return (entry.metric, entry.agreement, deviation, *entry.spearman[:_SHOWN])
