"""Section: the metrics over several benchmarks and targets."""

import math

import numpy as np

from zcbench.harness.analysis.across import Across
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.reports.colour_grid import colour_grid
from zcbench.reports.critical_difference import alike, comparison, conclusion, diagram
from zcbench.reports.names import short_title
from zcbench.reports.order import BASELINES, FEW_ARCHITECTURES, role
from zcbench.reports.section import Figure, ReportInput, Section, slug
from zcbench.reports.text import listed, number, plural

_REASONS = 3
"""Up to so many reasons why metrics are not ranked are given in the lead."""


def section(data: ReportInput) -> Section:
    """Return average ranks, their critical-difference diagram and the heat map of metric x column.

    Args:
        data: with at least two analyses.
    """
    found = data.across
    correlations = spearman(data)
    tables = [average_ranks(found), *([comparison(found)] if len(found.metrics) > 1 else [])]
    tables += [alike(found)] if found.groups else []
    tables += [not_ranked(data)] if found.missing else []
    figures = [diagram(found)] if len(found.metrics) > 1 else []
    return Section(
        title=title(data),
        anchor="across",
        intro=(
            f"Spearman of every metric with the truth of {_columns(data)}, and how the metrics rank over them.",
            "A metric that is best on one benchmark may rank backwards on the next. Look for rows of one colour "
            "in the heat map, and for what stays ahead of the baselines everywhere.",
        ),
        tables=(*tables, correlations),
        figures=(*figures, picture(data)),
        notes=conclusion(found),
        folded=(correlations.name,),
    )


def title(data: ReportInput) -> str:
    """Return the heading: across benchmarks, or across the targets of one."""
    return "Across benchmarks" if len(data.across.benchmarks) > 1 else "Across targets"


def _columns(data: ReportInput) -> str:
    benchmarks, columns = len(data.across.benchmarks), len(data.analyses)
    return f"{plural(columns, 'target')} of {plural(benchmarks, 'benchmark')}"


def rows_in_order(data: ReportInput) -> tuple[str, ...]:
    """Return the ranked metrics by average rank, then the others by their mean Spearman where they have one."""
    found = data.across

    def mean(metric: str) -> float:
        columns = found.missing[metric]
        return float(np.mean([value(data.analyses[j], metric) for j in columns])) if columns else -2.0

    return (*found.metrics, *sorted(found.missing, key=lambda m: (-mean(m), m)))


def value(analysis: Analysis, metric: str) -> float:
    """Return the metric's Spearman over all architectures; NaN where it has none."""
    return analysis.estimate(metric, "spearman").value if metric in analysis.table.metrics else math.nan


def spearman(data: ReportInput) -> Table:
    """Return Spearman with its interval, metric x column."""
    rows: list[tuple[Cell, ...]] = [
        (
            metric,
            role(metric),
            *(a.estimate(metric, "spearman") if metric in a.table.metrics else None for a in data.analyses),
        )
        for metric in rows_in_order(data)
    ]
    columns = (
        Column("metric", "Metric"),
        Column("role", "Role"),
        *(Column(f"spearman_{slug(label)}", label, Kind.ESTIMATE, 2) for label in data.labels),
    )
    notes = (
        "A dash: the metric was scored, but has no Spearman there. Empty: it was not scored there.",
        "How each interval was made is said under the ranking of its target.",
    )
    return Table("across_spearman", "Spearman of every metric on every target.", columns, tuple(rows), notes)


def average_ranks(found: Across) -> Table:
    """Return the average rank of every metric that is present in all columns.

    Args:
        found: the ranks.
    """
    rows: list[tuple[Cell, ...]] = [
        (place, metric, role(metric), average, *(float(r) for r in found.block_ranks[:, place - 1]))
        for place, (metric, average) in enumerate(zip(found.metrics, found.average, strict=True), start=1)
    ]
    columns = (
        Column("rank", "#", Kind.INTEGER),
        Column("metric", "Metric"),
        Column("role", "Role"),
        Column("average_rank", "Average rank", Kind.ESTIMATE, 1),
        *(Column(f"rank_{slug(name)}", short_title(name), Kind.NUMBER, 1) for name in found.benchmarks),
    )
    of = plural(len(found.metrics), "metric")
    notes = [
        f"On every target the {of} that have a Spearman on all targets are ranked by it, sign included: 1 is the "
        "highest, ties share their mean rank. Ranks are averaged over the targets of a benchmark, then over the "
        "benchmarks, so that a benchmark with many targets weighs no more than one with a single target.",
    ]
    if found.average:
        method = found.average[0].method
        notes.append(
            f"95 % intervals: {method}, of the architectures of each benchmark, the same for all its targets. They "
            "say how far other architectures of these benchmarks could move the ranks, not what another benchmark "
            "would show."
        )
    caption = "Average rank of every metric, and its rank on each benchmark."
    return Table("across_average_rank", caption, columns, tuple(rows), tuple(notes))


def not_ranked(data: ReportInput) -> Table:
    """Return the metrics that lack a Spearman somewhere, with the columns that they have."""
    rows: list[tuple[Cell, ...]] = []
    for metric in rows_in_order(data)[len(data.across.metrics) :]:
        has = data.across.missing[metric]
        lacks = tuple(j for j in range(len(data.analyses)) if j not in has)
        rows.append((metric, role(metric), len(has), _named(data, has), _named(data, lacks)))
    columns = (
        Column("metric", "Metric"),
        Column("role", "Role"),
        Column("columns", "Targets", Kind.INTEGER),
        Column("has", "Has a Spearman on"),
        Column("lacks", "Has none on"),
    )
    return Table("across_not_ranked", "Metrics without a Spearman on some target, not ranked.", columns, tuple(rows))


def _named(data: ReportInput, columns: tuple[int, ...]) -> str:
    """Name columns by benchmark: ``nasbench201 (cifar10, cifar100)``, or the benchmark alone where it is whole."""
    if len(data.benchmarks) == 1:
        return ", ".join(data.labels[j] for j in columns)
    said: list[str] = []
    for name in data.benchmarks:
        all_of = [j for j, a in enumerate(data.analyses) if a.table.benchmark == name]
        some = [j for j in all_of if j in columns]
        targets = ", ".join(data.labels[j].removeprefix(f"{name}: ") for j in some)
        said += [name if len(some) == len(all_of) else f"{name} ({targets})"] if some else []
    return ", ".join(said)


def picture(data: ReportInput) -> Figure:
    """Return the heat map metric x column, ordered by average rank."""
    names, ranked = rows_in_order(data), len(data.across.metrics)
    values = np.array([[value(a, m) for a in data.analyses] for m in names])
    absent = np.array([[m not in a.table.metrics for a in data.analyses] for m in names])
    rows = tuple(f"{m} (baseline)" if m in BASELINES else m for m in names)
    alt = f"Heat map of Spearman with the truth, {plural(len(names), 'metric')} on {_columns(data)}."
    drawn = colour_grid(
        "across_heatmap", alt, values, rows, data.labels, absent=absent,
        line_after=ranked if 0 < ranked < len(names) else None,
    )  # fmt: skip
    caption = (
        f"Spearman with the truth, by average rank. Blue ranks {data.as_training}, orange backwards; a dash is "
        "undefined, an empty cell was not scored"
    )
    caption += "; under the line: not ranked." if 0 < ranked < len(names) else "."
    return Figure("across_heatmap", drawn, alt, caption, wide=True)


def headline(data: ReportInput) -> str:
    """Return what the ranking over benchmarks shows, in a sentence or two for the summary."""
    found = data.across
    over = f"Over {_columns(data)}"
    if not found.metrics:
        return f"{over} no metric has a Spearman on every target."
    names, average = found.metrics, dict(zip(found.metrics, found.average, strict=True))

    def words(metric: str) -> str:
        low, high = (number(end, 1) for end in (average[metric].low, average[metric].high))
        around = "" if math.isnan(average[metric].low) else f" [{low}, {high}]"
        return f"{number(average[metric].value, 1)}{around}"

    best = [m for m in names if average[m].value == average[names[0]].value]
    verb = "has" if len(best) == 1 else "share"
    text = f"{over} {listed(best)} {verb} the best average rank, {words(names[0])} of {len(names)}"
    trivial = next((m for m in names if m in BASELINES), None)
    other = next((m for m in names if m not in BASELINES), None)
    if trivial is not None and trivial not in best:
        text += f"; the best trivial count is {trivial} with {words(trivial)}"
    elif trivial is not None and other is not None and other not in best:
        text += f"; the best that is no trivial count is {other} with {words(other)}"
    return " ".join([f"{text}.", *conclusion(found), *_left_out(data), *_few(data)])


def _few(data: ReportInput) -> list[str]:
    """Name the benchmarks of which only a few architectures were scored."""
    counts = {a.table.benchmark: len(a.table.architectures) for a in data.analyses}
    few = [f"{plural(n, 'architecture')} of {name}" for name, n in counts.items() if n < FEW_ARCHITECTURES]
    return [f"It rests on only {listed(few)}."] if few else []


def _left_out(data: ReportInput) -> list[str]:
    """Name the metrics that are not ranked, with the reason: not scored somewhere, or without a Spearman."""
    groups: dict[str, list[str]] = {}
    for metric in rows_in_order(data)[len(data.across.metrics) :]:
        lacks = [j for j in range(len(data.analyses)) if j not in data.across.missing[metric]]
        scored = [j for j in lacks if metric in data.analyses[j].table.metrics]
        absent = [j for j in lacks if j not in scored]
        why = [f"not scored on {_named(data, tuple(absent))}"] if absent else []
        why += [f"without a Spearman on {_named(data, tuple(scored))}"] if scored else []
        groups.setdefault(" and ".join(why), []).append(metric)
    if len(groups) > _REASONS:
        names = [metric for metrics in groups.values() for metric in metrics]
        return [f"Not ranked, for want of a Spearman on some target: {listed(names)}."]
    said = [f"{listed(names)} ({why})" for why, names in groups.items()]
    return [f"Not ranked: {'; '.join(said)}."] if said else []
