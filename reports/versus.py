"""The page of ``zcbench compare``: one metric, the candidate, against the baselines."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.analysis.versus.result import Comparison
from zcbench.reports import coverage, versus_cost, versus_differences, versus_figures, versus_tables
from zcbench.reports.names import benchmark_title
from zcbench.reports.provenance import section as of_provenance
from zcbench.reports.section import Figure, Report, ReportInput, Section
from zcbench.reports.text import listed, plural
from zcbench.reports.versus_phrases import DIGITS, SAYS, labels
from zcbench.reports.versus_verdict import POLICIES, VerdictText, overall, verdict_sentences

__all__ = ["VerdictText", "VersusInput", "build", "default_title", "overall", "verdict_sentences"]

AT_THE_TOP = 1
"""Of more targets only the verdicts with what they rest on stand at the top; the other sentences follow below."""


@dataclass(frozen=True)
class VersusInput:
    """Everything that the page is made from.

    Attributes:
        comparison: what was found.
        title: heading of the page; empty for one that names the candidate.
        facts: pairs of a short name and a text that stand at the top, e.g. what file the candidate is from.
        notes: sentences that follow the verdicts, e.g. that a plain function ran outside of the shared passes.
        provenance: what was run where: key to text, or group to keys and texts.
        tables: the scores behind every benchmark and target, in the order of the comparison; empty where coverage
            and the picture of the ranks are not wanted.
        alone: whether the candidate shares no pass with other metrics, as a plain function does.
    """

    comparison: Comparison
    title: str = ""
    facts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    provenance: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    tables: Sequence[ScoreTable] = ()
    alone: bool = False


def build(data: VersusInput) -> Report:
    """Return the whole page.

    Args:
        data: a comparison, and what else is known.
    """
    comparison = data.comparison
    texts = verdict_sentences(comparison, alone=data.alone)
    adds = replace(versus_tables.additions(comparison), figures=_ranks(data))
    sections: list[Section] = [overview(comparison, texts)] if len(texts) > 1 else []
    sections += [
        versus_differences.section(comparison), versus_tables.scores(comparison), adds,
        versus_tables.copies(comparison), versus_tables.stability(comparison),
        versus_cost.section(comparison, alone=data.alone),
    ]  # fmt: skip
    if data.tables:
        sections.append(coverage.of_tables(list(zip(labels(comparison), data.tables, strict=True))))
    sections.append(of_provenance(ReportInput(data.title, (), data.provenance)))
    return Report(data.title or default_title(comparison), summary(data, texts), facts(data), tuple(sections))


def default_title(comparison: Comparison) -> str:
    """Return the title of a page that was given none.

    Args:
        comparison: of one candidate with the baselines.
    """
    names = list(dict.fromkeys(benchmark_title(v.benchmark) for v in comparison.versus))
    against = comparison.baselines[0] if len(comparison.baselines) == 1 else (
        f"{len(comparison.baselines)} baselines" if comparison.baselines else "no baseline"
    )
    return f"{comparison.candidate} against {against}{f' on {listed(names)}' if names else ''}"


def summary(data: VersusInput, texts: Sequence[VerdictText]) -> tuple[str, ...]:
    """Return what stands under the title: the verdicts, with all other sentences where the targets are few.

    Args:
        data: what the page is made from.
        texts: the sentences on every benchmark and target.
    """
    head = overall(data.comparison)
    found = [head] if head else []
    for text in texts:
        found += text.paragraphs if len(texts) <= AT_THE_TOP else [f"{text.verdict} {text.evidence}"]
    return (*found, *data.notes)


def facts(data: VersusInput) -> tuple[tuple[str, str], ...]:
    """Return what the numbers rest on; what several targets share is said once.

    Args:
        data: what the page is made from.
    """
    comparison = data.comparison
    named = tuple(zip(labels(comparison), comparison.versus, strict=True))
    merged: dict[tuple[str, str], list[str]] = {}
    for label, v in named:
        seeds = plural(len(v.seeds), "initialisation seed") if v.seeds else "initialisation seeds not known"
        lost = f"; the candidate has no score on {v.verdict.n_undefined:,}" if v.verdict.n_undefined else ""
        count = f"{plural(v.verdict.n, 'architecture')} of {v.benchmark}, population {v.population}; {seeds}{lost}"
        for name, text in (("Truth", v.truth), ("Scores", v.recipe), ("Architectures", count)):
            merged.setdefault((name, text), []).append(label)
    grouped = sorted(merged.items(), key=lambda entry: ("Truth", "Scores", "Architectures").index(entry[0][0]))
    policy = POLICIES.get(comparison.undefined, comparison.undefined)
    baselines = plural(len(comparison.baselines), "baseline")
    return (
        *data.facts,
        ("Baselines", f"{baselines}: {', '.join(comparison.baselines)}" if comparison.baselines else "none"),
        *(
            (name if len(of) == len(named) else f"{name} ({', '.join(of)})", text)
            for (name, text), of in grouped
        ),
        ("No score", f"{comparison.undefined}: for that metric the architecture is {policy}, and counted"),
        ("Bootstrap", f"{plural(comparison.resamples, 'resample')} of architectures, seed {comparison.seed}"),
    )


def overview(comparison: Comparison, texts: Sequence[VerdictText]) -> Section:
    """Return one line for every benchmark and target, and the sentences that do not stand at the top.

    Args:
        comparison: of one candidate with the baselines.
        texts: the sentences on every benchmark and target.
    """
    rows: list[tuple[Cell, ...]] = []
    for text, v in zip(texts, comparison.versus, strict=True):
        best = next((d for d in v.of() if d.baseline == v.best), None)
        paid = next((c.ratio for c in v.costs if c.baseline == v.best), math.nan)
        over = (None, None, "") if best is None else (best.difference, best.p_holm, SAYS[best.side])
        rows.append((text.label, _DECISIONS[v.verdict.decision], v.standing(comparison.candidate), v.best, *over,
                     v.verdict.adds, paid))  # fmt: skip
    columns = (
        Column("target", "Target"), Column("decision", "Verdict, all baselines"),
        Column("spearman", "Spearman", Kind.ESTIMATE, DIGITS), Column("best", "Best baseline"),
        Column("difference", "Difference to it", Kind.ESTIMATE, DIGITS),
        Column("p_holm", "p, adjusted", Kind.PROBABILITY, 4), Column("side", "Than the best"),
        Column("adds", "Adds"), Column("cost_ratio", "Cost, times the best", Kind.NUMBER, 2),
    )  # fmt: skip
    caption = f"{comparison.candidate} on every benchmark and target."
    more = tuple(f"{t.label}: {' '.join(t.paragraphs[2:])}" for t in texts) if len(texts) > AT_THE_TOP else ()
    return Section(
        title="All targets",
        anchor="targets",
        intro=("One line a target. The best baseline is the one with the highest Spearman on that target.",),
        tables=(Table("targets", caption, columns, tuple(rows)),),
        notes=more,
    )


_DECISIONS = {
    "copy": "a re-scaled copy", "better than all": "better than all", "better than some": "better than some",
    "no different": "not told apart", "worse": "worse than some", "cannot tell": "cannot be told",
}  # fmt: skip


def _ranks(data: VersusInput) -> tuple[Figure, ...]:
    """The candidate's ranks against those of the best baseline, where the scores are at hand."""
    comparison, found = data.comparison, []
    for (label, v), table in zip(zip(labels(comparison), comparison.versus, strict=True), data.tables, strict=False):
        if v.best:
            found.append(versus_figures.ranks(label, comparison.candidate, v.best, table))
    return tuple(figure for figure in found if figure is not None)
