"""Section: score against ground truth, one small plot a metric."""

import math
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.result import Analysis
from zcbench.reports import svg
from zcbench.reports.measures import Measure
from zcbench.reports.order import ordered
from zcbench.reports.section import Figure, ReportInput, Section, slug
from zcbench.reports.text import number, phrase, plural

RASTER_ABOVE = 1500
"""Points beyond which a plot holds a picture of its points instead of one SVG element each."""

RASTER_CROWDED = 200
"""The same where all plots of the page together have more than ``CROWDED`` points."""

CROWDED = 30_000
"""At about 115 bytes a point a page of 3.5 MB."""

FOLDED_ABOVE = 3
"""Of more targets than these the plots are folded, so that the page stays short."""

TINY, HUGE = 1e-250, 1e250
"""Scores below the first have no logarithmic axis and those beyond the second are not drawn: the room that matplotlib
makes beside them would begin at 0, or end at infinity."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_TICKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99)


def section(data: ReportInput) -> Section:
    """Return one plot for each metric and target, in the order of the ranking."""
    points = sum(len(a.table.architectures) * len(a.table.metrics) for a in data.analyses)
    above = RASTER_CROWDED if points > CROWDED else RASTER_ABOVE
    fold = len(data.analyses) > FOLDED_ABOVE
    figures = tuple(
        replace(plot(label, analysis, metric, raster_above=above), fold=f"The plots of {label}" if fold else "")
        for label, analysis in data.labelled()
        for metric in ordered(analysis)
        if np.isfinite(mean_score(analysis.table, metric)).any()
    )
    measures = [Measure.of(analysis.table) for analysis in data.analyses]
    word = "accuracy" if all(m.accuracy for m in measures) else "ground truth"
    truths = list(dict.fromkeys(m.truth for m in measures if m.accuracy)) if word == "accuracy" else [word]
    upwards = " or ".join(truths)
    spread = (
        "Accuracies are spread by the logarithm of the error, because the best architectures lie close together; "
        if any(m.accuracy for m in measures)
        else ""
    )
    tails = "scores with long tails have a logarithmic axis."
    return Section(
        title=f"Score against {word}",
        anchor="scatter",
        intro=(
            f"One point an architecture: its score to the right, its {upwards} "
            f"upwards. Orange: the tenth of the architectures with the best {word}. A metric of use for search "
            "has the orange points at one end, alone.",
            spread + (tails if spread else tails.capitalize()),
        ),
        figures=figures,
        notes=() if figures else ("No metric has a score to plot.",),
    )


def mean_score(table: ScoreTable, metric: str) -> NDArray[np.float64]:
    """Return the raw score of each architecture, the mean over the seeds; NaN unless all seeds have one.

    Args:
        table: the scores.
        metric: one of its metrics.
    """
    values = table.values[:, table.metrics.index(metric), :]  # [A, S]
    return np.asarray(values.sum(axis=1) / max(values.shape[1], 1))


def plot(label: str, analysis: Analysis, metric: str, *, raster_above: int = RASTER_ABOVE) -> Figure:
    """Return the scatter plot of one metric.

    Args:
        label: the target's label in this report.
        analysis: scores, truth and estimates.
        metric: one of its metrics.
        raster_above: from how many points on they are drawn as one picture.
    """
    table = analysis.table
    score = mean_score(table, metric)
    known = np.isfinite(score) & np.isfinite(table.truth)
    shown = known & (np.abs(score) < HUGE)
    best = table.truth >= _threshold(table.truth)
    spearman, measure = analysis.estimate(metric, "spearman"), Measure.of(table)
    low = "" if table.higher_is_better[table.metrics.index(metric)] else ", low is better"
    name = f"scatter_{slug(label)}_{slug(metric)}"
    alt = (
        f"Score of {metric}{low} against {measure.truth} on {label}, {plural(int(shown.sum()), 'architecture')}; "
        f"Spearman {phrase(spearman)}."
    )
    with svg.style(name):
        figure = svg.canvas(3.1, 2.25)
        axes = figure.subplots()
        svg.quiet(axes)
        many = int(shown.sum()) > raster_above
        if shown.any():
            _points(axes, score[shown], table.truth[shown], best[shown], measure, rasterized=many)
        picture = svg.svg(figure, name, alt)
    hidden, beyond = len(score) - int(known.sum()), int(known.sum() - shown.sum())
    caption = f"{metric}{low} · {label} · ρ = {number(spearman.value, 2)}"
    caption += f" · {hidden:,} without a score" if hidden else ""
    caption += f" · {beyond:,} not drawn, beyond {HUGE:.0e}" if beyond else ""
    return Figure(name, picture, alt, caption)


def _threshold(truth: NDArray[np.float64]) -> float:
    """The truth from which on an architecture is among the best tenth, at least one of them."""
    finite = np.sort(truth[np.isfinite(truth)])
    return float(finite[-max(1, math.ceil(len(finite) / 10))]) if len(finite) else math.inf


def _points(
    axes: Axes, score: NDArray[np.float64], truth: NDArray[np.float64], best: NDArray[np.bool_], measure: Measure,
    *, rasterized: bool,
) -> None:
    size, alpha = (1.6, 0.35) if len(score) > RASTER_ABOVE else (3.8 if len(score) <= 300 else 2.6, 0.65)
    height = -np.log10(np.clip(1.0 - truth, 1e-4, None)) if measure.accuracy else truth
    for group, colour in ((~best, svg.BLUE), (best, svg.ORANGE)):
        axes.plot(
            score[group], height[group], "o", color=colour, alpha=alpha, markersize=size,
            markeredgewidth=0, rasterized=rasterized,
        )  # fmt: skip
    axes.margins(0.04)
    _score_axis(axes, score)
    if measure.accuracy:
        _accuracy_axis(axes, height)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylabel(measure.axis, fontsize=8)


def _score_axis(axes: Axes, score: NDArray[np.float64]) -> None:
    """Choose a linear, logarithmic or (for long tails on both sides of zero) symmetric logarithmic axis."""
    size = np.abs(score)
    middle, most = float(np.median(size)), float(size.max())
    if score.min() > TINY and most > 100 * score.min():
        axes.set_xscale("log")
        least = float(score.min())
    elif TINY < middle < most / 20:
        axes.set_xscale("symlog", linthresh=middle)
        least = middle
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.ticklabel_format(axis="x", scilimits=(-3, 5))
        return
    powers = range(math.ceil(math.log10(least)), math.floor(math.log10(most)) + 1)
    room = 2 if score.min() < 0 < score.max() else 4  # labels on each side of zero
    kept = [p for p in powers if (powers[-1] - p) % math.ceil(len(powers) / room) == 0]
    ticks = {10.0**p: f"10{str(p).translate(_RAISED)}" for p in kept if 10.0**p <= score.max()}
    ticks |= {-(10.0**p): f"−10{str(p).translate(_RAISED)}" for p in kept if -(10.0**p) >= score.min()}
    ticks |= {0.0: "0"} if score.min() < 0 < score.max() else {}
    if len(ticks) > 1:
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.xaxis.set_minor_locator(NullLocator())


def _accuracy_axis(axes: Axes, height: NDArray[np.float64]) -> None:
    """Label the error's logarithm with the accuracy in percent, where labels have room."""
    low, high = axes.get_ylim()
    ticks: list[float] = []
    for accuracy in reversed(_TICKS):
        at = -math.log10(1.0 - accuracy)
        if low <= at <= high and (not ticks or ticks[-1] - at > (high - low) / 9):
            ticks.append(at)
    if len(ticks) < 2:
        ticks = sorted({float(height.min()), float(height.max())})
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks(ticks, _distinct([100 * (1 - 10**-t) for t in ticks]))


def _distinct(values: list[float]) -> list[str]:
    """Spell values with three significant digits, or with as many as it takes to tell them apart."""
    for digits in range(3, 10):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts
