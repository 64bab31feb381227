"""The pictures of a comparison: differences to every baseline, and where the candidate and its best rival disagree."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator
from numpy.typing import NDArray
from scipy.stats import rankdata

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.versus.parts import SLICES, Difference, Slice
from zcbench.harness.analysis.versus.result import Versus
from zcbench.reports import svg
from zcbench.reports.scatter import RASTER_ABOVE
from zcbench.reports.section import Figure, slug
from zcbench.reports.text import listed, plural

TITLES: dict[Slice, str] = {"all": "all architectures", "top10_truth": "top 10 % by truth"}

_COLOURS = {"better": svg.BLUE, "worse": svg.ORANGE}
_ROW = 0.3  # inches between two baselines
_LOWER = 0.26  # of a row: how far the second statistic stands below the first


def differences(label: str, candidate: str, versus: Versus, order: Sequence[str]) -> Figure:
    """Return the differences to every baseline with their intervals, for both slices and both statistics.

    Args:
        label: the target's label in this report.
        candidate: its name.
        versus: the comparison on that target, with at least one difference.
        order: the baselines from the top to the bottom.
    """
    name = f"versus_{slug(label)}"
    shown = [s for s in SLICES if any(not math.isnan(d.difference.value) for d in versus.of(slice=s))]
    sides = {side: [d.baseline for d in versus.of() if d.side == side] for side in ("better", "worse")}
    said = [f"{side} than {listed(names)}" for side, names in sides.items() if names]
    alt = (
        f"{label}: difference of {candidate} to {plural(len(order), 'baseline')} with 95 % intervals; by Spearman on "
        f"all architectures {candidate} is {' and '.join(said) or 'not told apart from any'}."
    )
    with svg.style(name):
        figure = svg.canvas(7.6 if len(shown) > 1 else 5.0, 0.75 + _ROW * len(order))
        panels = figure.subplots(1, max(1, len(shown)), sharey=True, squeeze=False)[0]
        for axes, slice_ in zip(panels, shown, strict=False):
            _panel(axes, versus, slice_, order)
        drawn = svg.svg(figure, name, alt)
    caption = (
        f"{label}: {candidate} less each baseline. Dots: Spearman; diamonds below: Kendall's τ-b; lines: 95 % "
        "intervals. Blue: better, orange: worse after Holm's adjustment; hollow: not told apart, or not tested."
    )
    return Figure(name, drawn, alt, caption, wide=True)


def _panel(axes: Axes, versus: Versus, slice_: Slice, order: Sequence[str]) -> None:
    svg.quiet(axes)
    axes.axvline(0.0, color=svg.INK, lw=0.8, alpha=0.6)
    for place, baseline in enumerate(order):
        if place % 2 == 0:
            axes.axhspan(place - 0.5, place + 0.5, color=svg.INK, alpha=0.045, lw=0)
        for one in versus.differences:
            if (one.baseline, one.slice) == (baseline, slice_):
                _mark(axes, one, place)
    axes.set_yticks(range(len(order)), list(order))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(TITLES[slice_], fontsize=9)
    axes.set_xlabel("difference of rank correlations", fontsize=8)


def _mark(axes: Axes, one: Difference, place: int) -> None:
    """A dot for Spearman, a small diamond under it for Kendall, with its interval."""
    e, spearman = one.difference, one.statistic == "spearman"
    if math.isnan(e.value):
        return
    colour = _COLOURS.get(one.side, svg.INK)
    y = place - (0 if spearman else -1) * _LOWER - (0.1 if spearman else 0.0)
    if not math.isnan(e.low):
        axes.plot([e.low, e.high], [y, y], color=colour, lw=1.6 if spearman else 0.9, alpha=0.85)
    axes.plot(
        [e.value], [y], "o" if spearman else "D", color=colour, markersize=5 if spearman else 3.2,
        markerfacecolor=colour if one.side in _COLOURS else "none", markeredgewidth=1.1,
    )  # fmt: skip


def ranks(label: str, candidate: str, rival: str, table: ScoreTable) -> Figure | None:
    """Return the ranks of candidate and rival against each other, coloured by the rank of the truth.

    Args:
        label: the target's label in this report.
        candidate: one of the metrics of the table.
        rival: another.
        table: scores and truth.

    Returns:
        The picture; None where fewer than three architectures have both scores.
    """
    known = [m in table.metrics for m in (candidate, rival)]
    if not all(known):
        return None
    ours, theirs = (table.signed[:, table.metrics.index(m)] for m in (candidate, rival))
    both = np.isfinite(ours) & np.isfinite(theirs) & np.isfinite(table.truth)
    if both.sum() < 3:
        return None
    x, y, truth = (_share(part[both]) for part in (theirs, ours, table.truth))
    name = f"ranks_{slug(label)}_{slug(rival)}"
    count = plural(int(both.sum()), "architecture")
    alt = f"{label}: rank by {candidate} against rank by {rival} for {count}, coloured by the rank of the truth."
    with svg.style(name):
        figure = svg.canvas(4.6, 3.6)
        axes = figure.subplots()
        svg.quiet(axes)
        axes.axline((0, 0), slope=1, color=svg.INK, lw=0.7, alpha=0.5)
        order = np.argsort(truth, kind="stable")
        drawn = axes.scatter(
            x[order], y[order], c=truth[order], cmap="viridis", s=9 if x.size <= 300 else 5, alpha=0.85, linewidths=0,
            vmin=0, vmax=100, rasterized=bool(x.size > RASTER_ABOVE),
        )  # fmt: skip
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator([0, 25, 50, 75, 100]))
        axes.set(xlim=(-3, 103), ylim=(-3, 103), aspect="equal")
        axes.set_xlabel(f"rank by {rival}, %", fontsize=8)
        axes.set_ylabel(f"rank by {candidate}, %", fontsize=8)
        bar = figure.colorbar(drawn, ax=axes, shrink=0.85, ticks=[0, 50, 100])
        bar.set_label("rank by truth, %", fontsize=8)
        bar.ax.tick_params(length=2.5, labelsize=8)
        bar.outline.set_visible(False)
        picture = svg.svg(figure, name, alt)
    caption = (
        f"{label}: {count}, 100 % is best. Above the line {candidate} ranks an architecture higher than {rival} does, "
        "and is right about it where the point is yellow; below the line where it is blue."
    )
    return Figure(name, picture, alt, caption, wide=True)


def _share(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mid-ranks as percent, 0 for the worst and 100 for the best."""
    return np.asarray(100 * (rankdata(values) - 1) / max(values.size - 1, 1))
