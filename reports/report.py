"""Puts the sections of a report together, under a summary made from their numbers."""

import math

from zcbench.harness.analysis.result import Analysis
from zcbench.reports import (
    cost,
    coverage,
    heatmap,
    provenance,
    ranking,
    reproduction,
    scatter,
    stability,
)
from zcbench.reports.files import write
from zcbench.reports.order import BASELINES, known_ceiling, ordered
from zcbench.reports.section import Report, ReportInput, Section
from zcbench.reports.text import listed, number, phrase, plural

__all__ = ["Report", "ReportInput", "build", "write"]

_POLICIES = {
    "drop": "architectures without a score are left out of that metric's statistics, and counted",
    "worst": "an architecture without a score is ranked last by that metric, and counted",
}


def build(data: ReportInput) -> Report:
    """Return the whole report.

    Args:
        data: at least one analysis, and what else is known.
    """
    sections: list[Section] = [ranking.section(data), scatter.section(data), heatmap.section(data)]
    if any(a.table.values.shape[2] > 1 for a in data.analyses):
        sections.append(stability.section(data))
    if data.measured:
        sections.append(reproduction.section(data))
    sections += [coverage.section(data), cost.section(data), provenance.section(data)]
    return Report(data.title, summary(data), facts(data), tuple(sections))


def summary(data: ReportInput) -> tuple[str, ...]:
    """Return what was found: a sentence or two for each target."""
    sentences: list[str] = []
    for label, analysis in data.labelled():
        sentences.append(" ".join([_first(label, analysis), *_second(analysis)]))
    return tuple(sentences)


def _first(label: str, analysis: Analysis) -> str:
    """Who ranks first, and what the count of parameters reaches."""
    names = [m for m in ordered(analysis) if not math.isnan(_spearman(analysis, m))]
    of = plural(len(analysis.table.metrics), "metric")
    if not names:
        count = plural(len(analysis.table.architectures), "architecture")
        return f"None of {of} has a rank correlation on {count} ({label})."
    best = analysis.estimate(names[0], "spearman")
    where = f"Spearman {phrase(best)} on {plural(best.n, 'architecture')} ({label})"
    if names[0] in BASELINES:
        rest = next((m for m in names if m not in BASELINES), None)
        then = f"; the best that is no such count is {rest} with {_words(analysis, rest)}." if rest else "."
        return f"Of {of}, the trivial count {names[0]} ranks first with {where}{then}"
    text = f"Of {of}, {names[0]} ranks first with {where}"
    if "params" not in names:
        return text + "."
    return f"{text}; the count of parameters alone reaches {_words(analysis, 'params')}."


def _words(analysis: Analysis, metric: str) -> str:
    return phrase(analysis.estimate(metric, "spearman"))


def _second(analysis: Analysis) -> list[str]:
    """How many metrics lie clearly above the trivial counts, and the ceiling."""
    values = {m: analysis.estimate(m, "spearman") for m in analysis.table.metrics}
    trivial = {m: e for m, e in values.items() if m in BASELINES and not math.isnan(e.value)}
    sentences: list[str] = []
    if trivial and len(trivial) < len(values):
        name, bar = max(trivial.items(), key=lambda item: item[1].value)
        above = [m for m, e in values.items() if m not in BASELINES and e.low > _trivial(analysis, m, list(trivial))]
        which = f"{listed(above or ['No metric'])} {'have their' if len(above) > 1 else 'has its'}"
        best = f"{name} with {number(bar.value, 2)}"
        sentences.append(
            f"{which} whole interval above what the best trivial count reaches on the same architectures "
            f"({best} on all)."
        )
    ceiling = known_ceiling(analysis)
    if ceiling is not None:
        rests = f"from the training seeds of {ceiling.source} on {plural(ceiling.all.n, 'architecture')}"
        sentences.append(f"The seed noise of training allows any metric about {phrase(ceiling.all)}, {rests}.")
    return sentences


def _trivial(analysis: Analysis, metric: str, counts: list[str]) -> float:
    """Return the best Spearman of the trivial counts on the architectures that the metric's own one rests on."""
    frame = analysis.table.frame()
    if analysis.undefined == "drop":
        frame = frame[frame[metric].notna()]
    return float(frame[counts].corrwith(frame["truth"], method="spearman").max())


def _spearman(analysis: Analysis, metric: str) -> float:
    return analysis.estimate(metric, "spearman").value


def facts(data: ReportInput) -> tuple[tuple[str, str], ...]:
    """Return what the numbers rest on: truth, scores, architectures, policy; each said once."""
    found: list[tuple[str, str]] = []
    for label, analysis in data.labelled():
        table = analysis.table
        population = f"population {table.population}"
        several = f" ({label})" if len(data.analyses) > 1 else ""
        seeds = plural(table.values.shape[2], "initialisation seed")
        count = plural(len(table.architectures), "architecture")
        lost = f"; {table.without_truth:,} more were scored but have no truth" if table.without_truth else ""
        found += [
            (f"Truth{several}", table.truth_description),
            (f"Scores{several}", table.recipe),
            (f"Architectures{several}", f"{count} of {table.benchmark}, {population}; {seeds}{lost}"),
        ]
    for policy in dict.fromkeys(a.undefined for a in data.analyses):
        found.append(("No score", f"{policy}: {_POLICIES.get(policy, policy)}"))
    merged: dict[str, list[str]] = {}
    for name, text in found:
        merged.setdefault(text, []).append(name)
    return tuple((_common(names), text) for text, names in merged.items())


def _common(names: list[str]) -> str:
    """``Scores (a)`` and ``Scores (b)`` with the same text are just ``Scores``."""
    return names[0] if len(names) == 1 else names[0].partition(" (")[0]
