"""Section: how alike the metrics rank, whatever the truth."""

import math
from dataclasses import replace

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.types import Estimate
from zcbench.reports import svg
from zcbench.reports.order import ordered
from zcbench.reports.section import Figure, ReportInput, Section, slug
from zcbench.reports.text import number


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
    """The entry of two metrics, with the count of architectures on which one of them has no score."""
    found = analysis.metric_matrix.estimate(first, second)
    return replace(found, n_undefined=len(analysis.table.architectures) - found.n)


def picture(label: str, analysis: Analysis) -> Figure:
    """Return the heat map: hue is the sign, strength of colour the size, and each cell its number.

    Args:
        label: the target's label in this report.
        analysis: its statistics.
    """
    names, values = correlations(analysis)
    name, count = f"heatmap_{slug(label)}", len(names)
    alt = f"Heat map of Spearman between {count} metrics on {label}; the numbers are in the table below it."
    with svg.style(name):
        side = 1.3 + 0.42 * count
        figure = svg.canvas(side + 0.6, side)
        axes = figure.subplots()
        axes.patch.set_alpha(0.0)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        for (i, j), value in np.ndenumerate(values):
            strength = 0.0 if math.isnan(value) else 0.7 * abs(value)
            colour = svg.BLUE if value > 0 else svg.ORANGE
            axes.add_patch(Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, fc=colour, alpha=strength, lw=0))
            text = number(float(value), 2).replace("0.", ".")
            axes.text(j, i, text, ha="center", va="center", fontsize=8)
        axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
        axes.xaxis.tick_top()
        axes.set_xticks(range(count), names, rotation=45, ha="left")
        axes.set_yticks(range(count), names)
        drawn = svg.svg(figure, name, alt)
    return Figure(name, drawn, alt, f"{label}: blue agrees, orange disagrees.", wide=True)
