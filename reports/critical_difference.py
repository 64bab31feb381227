"""Do the metrics differ over benchmarks? Friedman's test, Nemenyi's groups and their diagram, after Demšar 2006."""

import itertools
import math
from collections.abc import Mapping

from matplotlib.axes import Axes

from zcbench.harness.analysis.across import Across
from zcbench.harness.analysis.friedman import Friedman
from zcbench.harness.analysis.table import Column, Kind, Table
from zcbench.reports import svg
from zcbench.reports.section import Figure
from zcbench.reports.text import listed, number, plural, probability

_LINE = 0.24  # inches between two labels
_BAR = 0.13  # inches between two bars
_NAMED = 3  # so many pairs that differ are named


def comparison(found: Across) -> Table:
    """Return Friedman's test and Nemenyi's critical difference, for both ways to count blocks.

    Args:
        found: the ranks.
    """
    named = [("benchmarks", found.by_benchmark), ("targets", found.by_column)]
    if found.by_benchmark and found.by_benchmark.blocks == found.by_column.blocks:
        named = named[:1]
    rows = tuple(
        (name, t.blocks, t.metrics, t.statistic, t.p, t.critical_difference, t.metrics - 1, t.fewest or None)
        for name, t in named
        if t is not None
    )
    columns = (
        Column("blocks", "Blocks"),
        Column("n", "Number", Kind.INTEGER),
        Column("metrics", "Metrics", Kind.INTEGER),
        Column("chi2", "Friedman's χ²", Kind.NUMBER, 2),
        Column("p", "p", Kind.PROBABILITY, 4),
        Column("critical_difference", "Critical difference", Kind.NUMBER, 2),
        Column("largest", "Largest possible", Kind.INTEGER),
        Column("fewest", "Blocks needed", Kind.INTEGER),
    )
    notes = (
        "Friedman's test asks whether ranks like these could be chance (p from the χ² distribution, a rough one "
        "for few blocks); only where it rejects (p < .05) does Nemenyi's critical difference at .05 say which "
        "average ranks differ (Demšar, JMLR 7:1-30, 2006). Largest possible: the difference of a metric that is "
        "always first from one that is always last. Blocks needed: below this number not even these two differ "
        "significantly.",
        _independence(found),
    )
    return Table("across_comparison", "Do the metrics differ over benchmarks?", columns, rows, notes)


def _independence(found: Across) -> str:
    same = "Targets of one benchmark share their architectures, and are no independent blocks"
    if found.by_benchmark is None:
        return f"{same}: with a single benchmark the comparison describes these targets and no others."
    if found.by_column.blocks == found.by_benchmark.blocks:
        return "Benchmarks that share a search space or a dataset are not quite independent either."
    return (
        f"{same}: the groups and the diagram count every benchmark once. The line that counts targets is the "
        "optimistic limit. Benchmarks that share a search space or a dataset are not quite independent either."
    )


def alike(found: Across) -> Table:
    """Return the groups of metrics between which no difference is claimed.

    Args:
        found: the ranks.
    """
    at = dict(zip(found.metrics, found.average, strict=True))
    rows = tuple(
        (str(place), at[group[0]].value, at[group[-1]].value, ", ".join(group))
        for place, group in enumerate(found.groups, start=1)
    )
    columns = (
        Column("number", "Group"),
        Column("from", "Average rank from", Kind.NUMBER, 1),
        Column("to", "to", Kind.NUMBER, 1),
        Column("metrics", "Metrics that do not differ"),
    )
    return Table("across_groups", f"Groups of metrics over {blocks(found)}.", columns, rows)


def blocks(found: Across) -> str:
    """Return how many blocks the comparison counts, in words."""
    what = "benchmark" if found.by_benchmark else "target"
    return plural(found.test.blocks, what)


def conclusion(found: Across) -> tuple[str, ...]:
    """Return what the comparison allows to say."""
    if not found.metrics:
        return ("No metric has a Spearman on every target: there is nothing to rank.",)
    if len(found.metrics) < 3:
        return ("Friedman's test needs three metrics that have a Spearman on every target.",)
    average = {m: e.value for m, e in zip(found.metrics, found.average, strict=True)}
    return (verdict(found.test, blocks(found), average),)


def verdict(test: Friedman, over: str, average: Mapping[str, float]) -> str:
    """Return in a sentence what the comparison says.

    Args:
        test: of at least three metrics.
        over: what the blocks are, e.g. ``3 benchmarks``.
        average: average rank by metric, the best first.
    """
    names = list(average)
    ends = f"the best, {names[0]}, and the worst, {names[-1]}"
    if test.blocks < test.fewest:
        return (
            f"With {over} nothing can be significant, not even a metric that is always first against one that is "
            f"always last: for {test.metrics} metrics it takes at least {test.fewest} blocks."
        )
    if math.isnan(test.p):
        return f"Over {over} all metrics are tied."
    p = f"p {'' if test.p < 1e-4 else '= '}{probability(test.p, 4)}"
    if not test.rejects:
        return f"Over {over} Friedman's test finds no difference between the metrics ({p}): none is claimed."
    pairs = [(a, b) for a, b in itertools.combinations(names, 2) if average[b] - average[a] > test.critical_difference]
    head = f"Over {over} the metrics differ as a whole (Friedman, {p})"
    if not pairs:
        return f"{head}, but no two of them can be told apart, not even {ends}."
    if len(pairs) <= _NAMED:
        return f"{head}, and of single pairs {listed([f'{a} ranks above {b}' for a, b in pairs])} (Nemenyi at .05)."
    possible = math.comb(len(names), 2)
    return f"{head}, and {len(pairs)} of {possible} pairs do (Nemenyi at .05), widest apart {ends}."


def diagram(found: Across) -> Figure:
    """Return the diagram after Demšar, JMLR 7:1-30, 2006.

    Args:
        found: at least two ranked metrics.
    """
    name, test, over = "critical_difference", found.test, blocks(found)
    difference = number(test.critical_difference, 2)
    alt = (
        f"Critical-difference diagram: {plural(len(found.metrics), 'metric')} by average rank, "
        f"{found.metrics[0]} first and {found.metrics[-1]} last; critical difference {difference} over {over}."
    )
    half = math.ceil(len(found.metrics) / 2)
    bars = _BAR * (len(found.groups) + 1)
    height = 0.55 + bars + _LINE * (half + 1)
    with svg.style(name):
        figure = svg.canvas(7.4, height)
        axes = figure.subplots()
        axes.patch.set_alpha(0.0)
        axes.axis("off")
        _axis(axes, len(found.metrics), test.critical_difference)
        _bars(axes, found)
        _labels(axes, found, half, bars)
        room = 0.42 * (len(found.metrics) - 1)
        axes.set(xlim=(1 - room, len(found.metrics) + room), ylim=(-(bars + _LINE * (half + 0.5)), 0.55))
        drawn = svg.svg(figure, name, alt)
    caption = (
        f"Average rank over {over}, 1 is best. A bar joins metrics between which no difference is claimed "
        f"(Friedman, then Nemenyi at .05; CD = {difference})."
    )
    return Figure(name, drawn, alt, caption, wide=True)


def _axis(axes: Axes, k: int, difference: float) -> None:
    """The line of ranks with its ticks above, and the critical difference where it fits on the line."""
    axes.plot([1, k], [0, 0], color=svg.INK, lw=0.8)
    for rank in range(1, k + 1):
        axes.plot([rank, rank], [0, 0.07], color=svg.INK, lw=0.8)
        axes.text(rank, 0.11, str(rank), ha="center", va="bottom", fontsize=8)
    if difference <= k - 1:
        axes.plot([1, 1 + difference], [0.38, 0.38], color=svg.ORANGE, lw=1.4)
        for end in (1, 1 + difference):
            axes.plot([end, end], [0.34, 0.42], color=svg.ORANGE, lw=1.4)
        axes.text(1 + difference / 2, 0.41, "CD", ha="center", va="bottom", fontsize=8)


def _bars(axes: Axes, found: Across) -> None:
    at = dict(zip(found.metrics, (e.value for e in found.average), strict=True))
    more = 0.006 * len(found.metrics)
    for row, group in enumerate(found.groups, start=1):
        ends = [at[group[0]] - more, at[group[-1]] + more]
        axes.plot(ends, [-_BAR * row] * 2, color=svg.BLUE, lw=3, solid_capstyle="round")


def _labels(axes: Axes, found: Across, half: int, bars: float) -> None:
    """The better half to the left, the others to the right, the extremes nearest to the line."""
    k = len(found.metrics)
    for place, (metric, average) in enumerate(zip(found.metrics, found.average, strict=True)):
        left = place < half
        row = place if left else k - 1 - place
        y = -(bars + _LINE * (row + 0.4))
        end = 1 - 0.03 * (k - 1) if left else k + 0.03 * (k - 1)
        axes.plot([average.value, average.value, end], [0, y, y], color=svg.INK, lw=0.6)
        rank = number(average.value, 1)
        text = f"{metric}  {rank} " if left else f" {rank}  {metric}"
        axes.text(end, y, text, ha="right" if left else "left", va="center", fontsize=9)
