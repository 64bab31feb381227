"""Sections of a comparison: the scores themselves, what the candidate adds, copies and stability."""

import math

from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.analysis.versus.parts import BEST, SLICES, STATISTICS, TWIN, Addition, Slice
from zcbench.harness.analysis.versus.result import Comparison, Versus
from zcbench.harness.analysis.versus.verdict import adds_something
from zcbench.harness.types import Estimate
from zcbench.reports.section import Bars, Section, lower_end, slug
from zcbench.reports.text import listed, plural
from zcbench.reports.versus_differences import order
from zcbench.reports.versus_figures import TITLES
from zcbench.reports.versus_phrases import DIGITS, labels, methods
from zcbench.reports.versus_sentences import KINDS, together


def scores(comparison: Comparison) -> Section:
    """Return how well candidate and baselines order the architectures, each by itself."""
    tables, bars = [], []
    for label, versus in _named(comparison):
        for slice_ in SLICES:
            table = standings(label, comparison, versus, slice_)
            tables.append(table)
            bars.append(Bars(table.name, "spearman", _lowest(table, 2), 1.0))
    return Section(
        title="Rank correlations",
        anchor="scores",
        intro=(
            "Every metric by itself, on all architectures that have its score. Overlapping intervals do not settle "
            "which of two is better: the differences above do.",
        ),
        tables=tuple(tables),
        bars=tuple(bars),
    )


def _lowest(table: Table, column: int) -> float:
    """Where the scale of a column of correlations starts."""
    found = [e for row in table.rows if isinstance(e := row[column], Estimate)]
    return lower_end([end for e in found for end in (e.low, e.value)])


def standings(label: str, comparison: Comparison, versus: Versus, slice_: Slice) -> Table:
    """Return Spearman and tau of every metric; in the order of Spearman on all architectures, the highest first.

    Args:
        label: the target's label in this report.
        comparison: of which the candidate is.
        versus: the comparison on that target.
        slice_: ``all`` or ``top10_truth``.
    """
    names, own = list(order(versus)), versus.standing(comparison.candidate).value
    place = len(names) if math.isnan(own) else sum(versus.standing(name).value >= own for name in names)
    names.insert(place, comparison.candidate)
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        spearman, tau = (versus.standing(name, statistic=s, slice=slice_) for s in STATISTICS)
        role = "candidate" if name == comparison.candidate else "baseline"
        rows.append((name, role, spearman, tau, spearman.n, spearman.n_undefined))
    columns = (
        Column("metric", "Metric"),
        Column("role", "Role"),
        Column("spearman", "Spearman", Kind.ESTIMATE, DIGITS),
        Column("kendall", "Kendall τ-b", Kind.ESTIMATE, DIGITS),
        Column("n", "n", Kind.INTEGER),
        Column("n_undefined", "No score", Kind.INTEGER),
    )
    notes = list(methods(e for row in rows for e in row[2:4] if isinstance(e, Estimate)))
    if slice_ == "top10_truth":
        count = plural(versus.verdict.n_top, "architecture")
        notes.append(f"Top 10 %: {count} with the best truth among the candidate's, ties at the edge included.")
    part = "" if slice_ == "all" else "_top10"
    caption = f"{label}: rank correlation of every metric with the truth, {TITLES[slice_]}."
    return Table(f"scores{part}_{slug(label)}", caption, columns, tuple(rows), tuple(notes))


def additions(comparison: Comparison) -> Section:
    """Return what the candidate tells beyond params, flops and the best baseline."""
    named = [(label, v) for label, v in _named(comparison) if v.additions]
    tables = tuple(added(label, comparison, v) for label, v in named)
    return Section(
        title="Does it add anything?",
        anchor="adds",
        intro=(
            f"What {comparison.candidate} tells about the truth that other metrics do not. Partial Spearman: the "
            "correlation of what is left of its ranks and of those of the truth after a linear regression of both on "
            "the ranks of the others. Bits: the information that it adds to them, beside what shuffled scores reach. "
            "Only architectures with a real score of all of them take part, whatever the policy.",
        ),
        tables=tables,
        bars=tuple(Bars(table.name, "partial", _lowest(table, 1), 1.0) for table in tables),
        notes=() if named else ("Neither params, flops nor a baseline was there to compare with.",),
    )


def added(label: str, comparison: Comparison, versus: Versus) -> Table:
    """Return partial correlation and information, a line for each set of other metrics.

    Args:
        label: the target's label in this report.
        comparison: of which the candidate is.
        versus: the comparison on that target.
    """
    last = together(versus)
    rows: list[tuple[Cell, ...]] = [
        (", ".join(one.given), one.partial, one.bits, one.level, _says(one, versus, last=one is last),
         one.partial.n)
        for one in versus.additions
    ]  # fmt: skip
    columns = (
        Column("given", "Given"),
        Column("partial", "Partial Spearman", Kind.ESTIMATE, DIGITS),
        Column("bits", "Bits", Kind.NUMBER, DIGITS),
        Column("level", "Bits of shuffles", Kind.NUMBER, DIGITS),
        Column("adds", "Adds"),
        Column("n", "n", Kind.INTEGER),
    )
    notes = [
        "Adds: yes where the interval of the partial correlation lies above zero and the bits are above those that "
        "97.5 % of shuffles stay below; reversed where the interval lies below zero instead. Not corrected for the "
        "number of lines. Bits assume a Gaussian copula, and see linear dependence only.",
    ]
    if versus.best and any(BEST in one.given for one in versus.additions):
        notes.append(
            f"The best baseline on these data is {versus.best}; for the intervals it is chosen anew in every resample, "
            "which allows for the choice."
        )
    caption = f"{label}: what {comparison.candidate} tells beyond other metrics."
    return Table(f"adds_{slug(label)}", caption, columns, tuple(rows), tuple(notes))


def _says(one: Addition, versus: Versus, *, last: bool) -> str:
    if one.redundant:
        return "determined by them"
    return versus.verdict.adds if last else adds_something(one)


def copies(comparison: Comparison) -> Section:
    """Return the known metrics that the candidate is most like."""
    rows: list[tuple[Cell, ...]] = []
    for label, versus in _named(comparison):
        near = versus.twins or ((versus.nearest,) if versus.nearest else ())
        rows += [
            (label, t.metric, t.correlation, "yes" if t.beyond else "no", "yes" if t.reversed else "no",
             t.correlation.n)
            for t in near
        ]  # fmt: skip
    columns = (
        Column("group", "Target"),
        Column("metric", "Known metric"),
        Column("correlation", "Rank correlation", Kind.ESTIMATE, DIGITS),
        Column("copy", f"Beyond {TWIN}"),
        Column("reversed", "Reversed"),
        Column("n", "n", Kind.INTEGER),
    )
    caption = f"The known metric that {comparison.candidate} is most like, and all that it is a copy of."
    return Section(
        title="Is it a known metric on another scale?",
        anchor="copies",
        intro=(
            "A strictly increasing function of a score orders the architectures as the score does, so it is no other "
            f"metric. A rank correlation beyond {TWIN} in absolute value, on at least 10 architectures, is called a "
            "copy; a negative one is the same metric read backwards.",
        ),
        tables=(Table("copies", caption, columns, tuple(rows)),) if rows else (),
        notes=() if rows else ("No known metric has scores on the same architectures.",),
    )


def stability(comparison: Comparison) -> Section:
    """Return how the candidate fares under other seeds, batch sizes and initialisations."""
    named = [(label, v) for label, v in _named(comparison) if v.stability]
    tables = []
    for label, versus in named:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (s.kind, s.value, s.reference, s.agreement, s.spearman, s.change, s.n, s.n_undefined)
            for s in versus.stability
        )
        caption = f"{label}: {comparison.candidate} under one change of how it is scored."
        tables.append(Table(f"stability_{slug(label)}", caption, _STABILITY, rows, _STABILITY_NOTES))
    missing = [kind for kind in KINDS if not any(s.kind == kind for _, v in named for s in v.stability)]
    return Section(
        title="Stability",
        anchor="stability",
        intro=(
            "The same architectures scored again with one thing changed. A metric that does not agree with itself "
            "cannot agree with the truth; a change of Spearman whose interval leaves out zero is more than the sample "
            "of architectures explains.",
        ),
        tables=tuple(tables),
        notes=(f"Not measured: {listed([f'another {kind}' for kind in missing])}.",) if missing else (),
    )


_STABILITY = (
    Column("group", "Changed"), Column("value", "To"), Column("reference", "From"),
    Column("agreement", "Agreement", Kind.ESTIMATE, DIGITS), Column("spearman", "Spearman", Kind.ESTIMATE, DIGITS),
    Column("change", "Change of Spearman", Kind.ESTIMATE, DIGITS), Column("n", "n", Kind.INTEGER),
    Column("lost", "Scores lost", Kind.INTEGER),
)  # fmt: skip

_STABILITY_NOTES = (
    "Agreement: Spearman between the scores before and after the change. Spearman: with the truth, after it. Scores "
    "lost: architectures whose score is undefined or failed after the change only.",
)


def _named(comparison: Comparison) -> list[tuple[str, Versus]]:
    return list(zip(labels(comparison), comparison.versus, strict=True))
