"""The tables of the ranking that ask what a search gains: the best architectures, and more than size."""

import math

from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.reports.measures import Measure
from zcbench.reports.order import FEW_ARCHITECTURES, known_ceiling, methods, ordered, role, without_interval
from zcbench.reports.section import slug
from zcbench.reports.text import plural

_TOP = (
    ("spearman", "top10_truth", "Spearman, best 10 % by truth"),
    ("spearman", "top10_score", "Spearman, best 10 % by score"),
)
_PRECISION = (
    ("precision_at_10", "all", "Precision @ 10"),
    ("precision_at_10pct", "all", "Precision @ 10 %"),
)


def finding(label: str, analysis: Analysis) -> Table:
    """Return how well each metric finds the best architectures.

    Args:
        label: the target's label in this report.
        analysis: its statistics.
    """
    measure = Measure.of(analysis.table)
    regret, unit = ("regret_top1", "regret_top5"), "points" if measure.accuracy else measure.words
    most = max(analysis.estimate(metric, "spearman").n for metric in analysis.table.metrics)
    precision = _PRECISION if most >= FEW_ARCHITECTURES else ()
    rows: list[tuple[Cell, ...]] = []
    for metric in ordered(analysis):
        cells: list[Cell] = [metric, role(metric)]
        cells += [analysis.estimate(metric, name, part) for name, part, _ in (*_TOP, *precision)]
        cells += [measure.difference(analysis.estimate(metric, name)) for name in regret]
        rows.append(tuple(cells))
    ceiling = known_ceiling(analysis)
    if ceiling is not None and not math.isnan(ceiling.top10.value):
        rows.insert(0, ("noise ceiling", "ceiling", ceiling.top10, *[None] * (3 + len(precision))))
    suffix = "_points" if measure.accuracy else f"_{slug(measure.name)}"
    columns = (
        Column("metric", "Metric"),
        Column("role", "Role"),
        *(Column(f"{name}_{part}", title, Kind.ESTIMATE, 2) for name, part, title in _TOP),
        *(Column(name, title, Kind.ESTIMATE, 2) for name, _, title in precision),
        *(
            Column(f"{name}{suffix}", f"Regret of top {name[-1]}, {unit}", Kind.ESTIMATE, measure.digits)
            for name in regret
        ),
    )
    notes = (
        "A search needs the best architectures, not the order of the poor ones: compare the first two "
        "columns with Spearman over all architectures.",
        f"{_precision(most)} Regret: the best "
        f"{measure.words} there is minus the best among the metric's first pick or five picks"
        f"{', in percent points' if measure.accuracy else ''}.",
        *methods(analysis, (*(name for name, _, _ in precision[:1]), "regret_top1")),
        *without_interval(analysis, ("regret_top1",)),
    )
    caption = f"{label}: how well a metric finds the best architectures."
    return Table(f"finding_the_best_{slug(label)}", caption, columns, tuple(rows), notes)


def _precision(architectures: int) -> str:
    """What precision is, or why it is not given: of 12 architectures any 10 hold most of the best 10."""
    if architectures >= FEW_ARCHITECTURES:
        return "Precision@k: the share of a metric's k best that are among the k truly best."
    return (
        f"No precision: of {plural(architectures, 'architecture')} a random score would find {_chance(architectures)} "
        f"of the best 10; it takes {FEW_ARCHITECTURES}."
    )


def _chance(architectures: int) -> str:
    return "all" if architectures <= 10 else f"{1000 / architectures:.0f} %"


def beyond_size(label: str, analysis: Analysis) -> Table:
    """Return what remains of each correlation when the size of the network is held fixed.

    Args:
        label: the target's label in this report.
        analysis: its statistics.
    """
    names = ("spearman", "partial_spearman_params", "partial_spearman_flops")
    titles = ("Spearman", "Given params", "Given flops")
    rows: list[tuple[Cell, ...]] = []
    for metric in ordered(analysis):
        rows.append((metric, role(metric), *(analysis.estimate(metric, name) for name in names)))
    columns = (
        Column("metric", "Metric"),
        Column("role", "Role"),
        *(Column(n, t, Kind.ESTIMATE, 2) for n, t in zip(names, titles, strict=True)),
    )
    notes = (
        f"Partial Spearman: the correlation of score and {Measure.of(analysis.table).words} after the ranks of "
        "the number of parameters, or of operations, are regressed out of both. Near zero means that the metric "
        "tells no more than the size of the network does.",
        *methods(analysis, names[1:]),
        *without_interval(analysis, names[1:]),
    )
    caption = f"{label}: what a metric knows beyond the size of the network."
    return Table(f"beyond_size_{slug(label)}", caption, columns, tuple(rows), notes)
