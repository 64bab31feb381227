"""Section: the candidate against each baseline, with intervals and adjusted tests."""

import math
from collections.abc import Iterable, Sequence

from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.analysis.versus.parts import ALPHA, Difference, Slice
from zcbench.harness.analysis.versus.result import Comparison, Versus
from zcbench.harness.types import Estimate
from zcbench.reports import versus_figures
from zcbench.reports.section import Bars, Section, slug
from zcbench.reports.text import listed, plural
from zcbench.reports.versus_phrases import DIGITS, SAYS, labels, methods, why

_STEP = 0.1
"""Scales of differences begin and end at multiples of this."""


def order(versus: Versus) -> tuple[str, ...]:
    """Return the baselines from the highest Spearman to the lowest; those without one come last."""

    def key(name: str) -> tuple[bool, float, str]:
        value = versus.standing(name).value
        return math.isnan(value), 0.0 if math.isnan(value) else -value, name

    return tuple(sorted({d.baseline for d in versus.of()}, key=key))


def section(comparison: Comparison) -> Section:
    """Return a figure and three tables for every benchmark and target.

    Args:
        comparison: of one candidate with the baselines.
    """
    named = [(label, v) for label, v in zip(labels(comparison), comparison.versus, strict=True) if v.differences]
    tables: list[Table] = []
    bars: list[Bars] = []
    for label, versus in named:
        names = order(versus)
        slices = [against(label, comparison, versus, names, slice_) for slice_ in versus_figures.TITLES]
        tables += [*slices, by_tau(label, comparison, versus, names)]
        bars += [scale(table) for table in slices]
    first = tables[::3]
    return Section(
        title="Differences to each baseline",
        anchor="differences",
        intro=(
            f"Rank correlation of {comparison.candidate} with the truth less that of each baseline, on the same "
            "architectures: above zero the candidate is better. The interval is that of a bootstrap in which both are "
            "drawn together. The p-value, two-sided, is that of a test of two correlations with the same truth: "
            "the difference of their Fisher z over its jackknife error, against Student's t.",
            f"Adjusted p: {_families(comparison)}. Only with an adjusted p below {ALPHA:g} a difference is called "
            "better or worse, else undecided: an interval that leaves out zero is not enough where many are tried.",
        ),
        tables=tuple(tables),
        figures=tuple(
            versus_figures.differences(label, comparison.candidate, v, order(v)) for label, v in named
        ),
        bars=tuple(bars),
        notes=() if named else ("There is no baseline to compare with.",),
        contents=tuple((label, t.name) for (label, _), t in zip(named, first, strict=True)) if len(named) > 1 else (),
    )


def _families(comparison: Comparison) -> str:
    """Say over how many tests each statistic and slice was adjusted."""
    said = [
        f"{'Spearman' if f.statistic == 'spearman' else 'τ-b'} on {_ON[f.slice]}: {plural(f.tests, 'test')}"
        f"{f', {f.untested:,} without' if f.untested else ''}"
        for f in comparison.families
    ]
    over = f"{plural(len(comparison.versus), 'target')} and {plural(len(comparison.baselines), 'baseline')}"
    return f"Holm's adjustment over all tests of one statistic and slice, {over} in all ({'; '.join(said)})"


_ON: dict[Slice, str] = {"all": "all", "top10_truth": "the top 10 %"}


def against(label: str, comparison: Comparison, versus: Versus, names: Sequence[str], slice_: Slice) -> Table:
    """Return the differences of Spearman on one slice, a line for each baseline.

    Args:
        label: the target's label in this report.
        comparison: of which the candidate is.
        versus: the comparison on that target.
        names: the baselines in order.
        slice_: ``all`` or ``top10_truth``.
    """
    found = {d.baseline: d for d in versus.of(slice=slice_)}
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        d = found[name]
        rows.append((name, d.difference, d.p, d.p_holm, SAYS[d.side], d.ours, d.theirs, d.n))
    columns = (
        Column("baseline", "Baseline"),
        Column("difference", "Difference of Spearman", Kind.ESTIMATE, DIGITS),
        Column("p", "p", Kind.PROBABILITY, 4),
        Column("p_holm", "p, adjusted", Kind.PROBABILITY, 4),
        Column("side", "Verdict"),
        Column("ours", "ρ, candidate", Kind.NUMBER, DIGITS),
        Column("theirs", "ρ, baseline", Kind.NUMBER, DIGITS),
        Column("n", "n", Kind.INTEGER),
    )
    part = "" if slice_ == "all" else "_top10"
    on = versus_figures.TITLES[slice_]
    caption = f"{label}: Spearman of {comparison.candidate} less that of each baseline, {on}."
    return Table(f"differences{part}_{slug(label)}", caption, columns, tuple(rows), notes(found.values()))


def by_tau(label: str, comparison: Comparison, versus: Versus, names: Sequence[str]) -> Table:
    """Return the differences of Kendall's tau-b on both slices, a line for each baseline.

    Args:
        label: the target's label in this report.
        comparison: of which the candidate is.
        versus: the comparison on that target.
        names: the baselines in order.
    """
    every, best = ({d.baseline: d for d in versus.of(statistic="kendall", slice=s)} for s in versus_figures.TITLES)
    rows: list[tuple[Cell, ...]] = [
        (name, *(cell for d in (every[name], best[name]) for cell in (d.difference, d.p_holm, SAYS[d.side])))
        for name in names
    ]
    columns = [Column("baseline", "Baseline")]
    for part, title in (("", "all"), ("_top10", "top 10 %")):
        columns += [
            Column(f"difference{part}", f"Difference of τ-b, {title}", Kind.ESTIMATE, DIGITS),
            Column(f"p_holm{part}", "p, adjusted", Kind.PROBABILITY, 4),
            Column(f"side{part}", "Verdict"),
        ]
    caption = f"{label}: Kendall's τ-b of {comparison.candidate} less that of each baseline."
    said = dict.fromkeys((*notes(every.values()), *notes(best.values())))
    return Table(f"differences_tau_{slug(label)}", caption, tuple(columns), tuple(rows), tuple(said))


def notes(found: Iterable[Difference]) -> tuple[str, ...]:
    """Say how the intervals were made, and of which baselines there is no test.

    Args:
        found: the differences of one table.
    """
    every = tuple(found)
    said = list(methods(d.difference for d in every))
    without: dict[str, list[str]] = {}
    for d in every:
        if d.side == "untested":
            without.setdefault(why(d), []).append(d.baseline)
    said += [f"No test against {listed(names)}: {reason}." for reason, names in without.items()]
    return tuple(said)


def scale(table: Table) -> Bars:
    """Return bars from zero to both sides, as far as the intervals of the table reach.

    Args:
        table: with a column ``difference``.
    """
    index = [c.name for c in table.columns].index("difference")
    found = [e for row in table.rows if isinstance(e := row[index], Estimate)]
    ends = [end for e in found for end in (e.low, e.value, e.high) if not math.isnan(end)]
    low, high = (_STEP * math.ceil(abs(end) / _STEP - 1e-9) for end in (min(0.0, *ends, 0.0), max(0.0, *ends, 0.0)))
    if 0 < high < low / 2:  # else the numbers above the scale run into each other
        high = _STEP * math.ceil(low / 2 / _STEP)
    return Bars(table.name, "difference", -low, high if low + high > 0 else _STEP)
