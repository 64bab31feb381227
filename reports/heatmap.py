"""Section: how alike the metrics rank, whatever the truth."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.types import Estimate
from zcbench.reports.colour_grid import colour_grid
from zcbench.reports.order import ordered
from zcbench.reports.section import Figure, ReportInput, Section, slug


def section(data: ReportInput) -> Section:
    """Return the matrix of rank correlations between metrics, drawn and as a table."""
    several = [(label, a) for label, a in data.labelled() if len(a.table.metrics) > 1]
    tables = tuple(matrix(label, analysis) for label, analysis in several)
    return Section(
        title="Metrics against each other",
        anchor="heatmap",
        intro=(
            "Spearman's rank correlation between the scores of two metrics on the same architectures. "
            "Two metrics that agree almost perfectly tell one story: using both adds cost, not evidence.",
        ),
        tables=tables,
        figures=tuple(picture(label, analysis) for label, analysis in several),
        notes=() if several else ("One metric alone has nothing to be compared with.",),
        folded=tuple(t.name for t in tables),
    )


def correlations(analysis: Analysis) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the metrics in the order of the ranking and their float64[M, M] of correlations.

    Args:
        analysis: its statistics.
    """
    names = ordered(analysis)
    index = [analysis.metric_matrix.metrics.index(name) for name in names]
    return names, analysis.metric_matrix.value[np.ix_(index, index)]


def matrix(label: str, analysis: Analysis) -> Table:
    """Return the matrix as a table.

    Args:
        label: the target's label in this report.
        analysis: its statistics.
    """
    names = ordered(analysis)
    columns = (Column("metric", "Metric"), *(Column(slug(n), n, Kind.ESTIMATE, 2) for n in names))
    estimates = [[_estimate(analysis, a, b) for b in names] for a in names]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *row) for name, row in zip(names, estimates, strict=True)
    )
    pairs = [row[j] for i, row in enumerate(estimates) for j in range(i)]
    counts = sorted({e.n for e in pairs})
    n = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    notes = (
        f"On the architectures for which both metrics have a score: n = {n}, pair by pair in the CSV.",
        f"95 % intervals: {pairs[0].method}.",
    )
    caption = f"{label}: Spearman between metrics."
    return Table(f"metric_correlations_{slug(label)}", caption, columns, rows, notes)


def _estimate(analysis: Analysis, first: str, second: str) -> Estimate:
    """The entry of two metrics, with the count of architectures on which one of them has no score.

    A metric agrees with itself by definition: that entry has no error, and no interval.
    """
    found = analysis.metric_matrix.estimate(first, second)
    found = replace(found, n_undefined=len(analysis.table.architectures) - found.n)
    if first != second or math.isnan(found.value):
        return found
    return replace(found, value=1.0, low=math.nan, high=math.nan, method="none: a metric with itself")


def picture(label: str, analysis: Analysis) -> Figure:
    """Return the heat map: hue is the sign, strength of colour the size, and each cell its number.

    Args:
        label: the target's label in this report.
        analysis: its statistics.
    """
    names, values = correlations(analysis)
    name = f"heatmap_{slug(label)}"
    alt = f"Heat map of Spearman between {len(names)} metrics on {label}; the numbers are in the table below it."
    drawn = colour_grid(name, alt, values, names, names)
    return Figure(name, drawn, alt, f"{label}: blue agrees, orange disagrees.", wide=True)
