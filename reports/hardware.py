"""Section: how the metrics relate to what an architecture costs on a device."""

import math

import numpy as np

from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.types import Estimate
from zcbench.reports.colour_grid import colour_grid
from zcbench.reports.measures import Measure
from zcbench.reports.order import BASELINES, methods, ordered, role
from zcbench.reports.section import Figure, ReportInput, Section, slug
from zcbench.reports.text import plural


def section(data: ReportInput) -> Section:
    """Return metric x cost for each benchmark that has costs, beside the metrics' Spearman with the truth.

    Args:
        data: with at least one analysis in ``costs``.
    """
    benchmarks = tuple(dict.fromkeys(c.table.benchmark for c in data.costs))
    tables = tuple(relation(data, name) for name in benchmarks)
    return Section(
        title="Relation to cost",
        anchor="hardware",
        intro=(
            "Spearman of every metric with a cost of the architecture, beside its Spearman with the truth. Costs are "
            "not negated: above zero means that what the metric scores high costs more, below zero that it costs "
            "less.",
            "A metric that follows latency as closely as it follows accuracy mostly knows the size of the network, "
            "and a search by it pays for accuracy with time. Of two metrics that order the truth equally well, the "
            "one closer to zero here leaves more room to find an accurate and cheap architecture. "
            "Costs enter neither ranking nor summary.",
        ),
        tables=tables,
        figures=tuple(picture(data, name) for name in benchmarks),
        folded=tuple(t.name for t in tables),
    )


def relation(data: ReportInput, benchmark: str) -> Table:
    """Return Spearman with the truths and the costs of one benchmark, metric by metric.

    Args:
        data: the report's input.
        benchmark: one that has costs.
    """
    truths, costs = _columns(data, benchmark)
    columns = [*truths, *costs]
    rows: list[tuple[Cell, ...]] = [
        (metric, role(metric), *(_cell(analysis, metric) for _, analysis in columns))
        for metric in _metrics(truths, costs)
    ]
    head = (
        Column("metric", "Metric"),
        Column("role", "Role"),
        *(Column(f"truth_{slug(name)}", f"{name}, {_n(a)}", Kind.ESTIMATE, 2) for name, a in truths),
        *(Column(f"cost_{slug(name)}", f"{name}, {_n(a)}", Kind.ESTIMATE, 2) for name, a in costs),
    )
    said = dict.fromkeys(c.table.truth_description for _, c in costs)
    notes = (
        *(f"Costs: {text}." if not text.endswith(".") else f"Costs: {text}" for text in said),
        *methods(costs[0][1], ("spearman",)),
        "A dash: the metric was scored, but has no Spearman there. Empty: it was not scored there.",
    )
    caption = f"{benchmark}: Spearman with truth and cost."
    return Table(f"hardware_{slug(benchmark)}", caption, head, tuple(rows), notes)


def picture(data: ReportInput, benchmark: str) -> Figure:
    """Return the same as a heat map, with a line between truths and costs.

    Args:
        data: the report's input.
        benchmark: one that has costs.
    """
    truths, costs = _columns(data, benchmark)
    metrics, columns = _metrics(truths, costs), [*truths, *costs]
    cells = [[_cell(a, m) for _, a in columns] for m in metrics]
    values = np.array([[math.nan if c is None else c.value for c in row] for row in cells])
    absent = np.array([[c is None for c in row] for row in cells])
    name = f"hardware_heatmap_{slug(benchmark)}"
    of = f"{plural(len(metrics), 'metric')} with {plural(len(costs), 'cost')} of {benchmark}"
    alt = f"Heat map of Spearman of {of}; the numbers are in the table below it."
    rows = tuple(f"{m} (baseline)" if m in BASELINES else m for m in metrics)
    drawn = colour_grid(
        name, alt, values, rows, tuple(label for label, _ in columns), absent=absent,
        line_right=len(truths) or None,
    )  # fmt: skip
    where = "Left of the line: with the truth; right of it: with a cost. " if truths else ""
    return Figure(name, drawn, alt, f"{benchmark}: {where}Blue: a high score costs more.", wide=True)


_Columns = list[tuple[str, Analysis]]


def _columns(data: ReportInput, benchmark: str) -> tuple[_Columns, _Columns]:
    """The truths and the costs of one benchmark, each with a short name."""
    truths = [(label.removeprefix(f"{benchmark}: "), a) for label, a in data.labelled() if _of(a, benchmark)]
    costs = [
        (label.removeprefix(f"{benchmark}: "), c)
        for label, c in zip(data.cost_labels, data.costs, strict=True)
        if _of(c, benchmark)
    ]
    words = [Measure.of(c.table).words for _, c in costs]
    if len(set(words)) == len(words):  # one dataset, one source: the measure alone names the column
        costs = [(word, c) for word, (_, c) in zip(words, costs, strict=True)]
    return truths, costs


def _of(analysis: Analysis, benchmark: str) -> bool:
    return analysis.table.benchmark == benchmark


def _metrics(truths: _Columns, costs: _Columns) -> tuple[str, ...]:
    """The metrics in the order of the ranking on the first truth, else of the first cost."""
    return tuple(dict.fromkeys(metric for _, analysis in [*truths, *costs] for metric in ordered(analysis)))


def _cell(analysis: Analysis, metric: str) -> Estimate | None:
    return analysis.estimate(metric, "spearman") if metric in analysis.table.metrics else None


def _n(analysis: Analysis) -> str:
    """How many architectures the column rests on, from metric to metric."""
    counts = sorted({analysis.estimate(m, "spearman").n for m in analysis.table.metrics})
    return f"n = {counts[0]:,}" if len(counts) == 1 else f"n = {counts[0]:,} to {counts[-1]:,}"
