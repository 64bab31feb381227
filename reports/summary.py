"""The head of a report: its title, what was found in sentences, and what the numbers rest on."""

import math

from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.result import OVER_COUNTS, Analysis
from zcbench.reports import across
from zcbench.reports.names import benchmark_title
from zcbench.reports.order import BASELINES, FEW_ARCHITECTURES, known_ceiling, ordered
from zcbench.reports.section import ReportInput
from zcbench.reports.text import listed, phrase, plural

_POLICIES = {
    "drop": "architectures without a score are left out of that metric's statistics, and counted",
    "worst": "an architecture without a score is ranked last by that metric, and counted",
}
_PAIRED = "a bootstrap paired on the same architectures"
FEW = 4
"""Up to so many analyses each has a sentence and facts of its own at the head of the report."""


def default_title(analyses: tuple[Analysis, ...]) -> str:
    """Return the title of a report that was given none.

    Args:
        analyses: at least one.
    """
    names = list(dict.fromkeys(benchmark_title(a.table.benchmark) for a in analyses))
    return f"Training-free metrics on {listed(names)}"


def summary(data: ReportInput) -> tuple[str, ...]:
    """Return what was found: over all targets where there are several, then a sentence or two for each."""
    found = [across.headline(data)] if len(data.analyses) > 1 else []
    if len(data.analyses) <= FEW:
        found += [" ".join([_first(label, analysis), *_second(analysis)]) for label, analysis in data.labelled()]
    return tuple(found)


def _first(label: str, analysis: Analysis) -> str:
    """Who ranks first, alone or with others of the same printed value, and what the count of parameters reaches."""
    names = [m for m in ordered(analysis) if not math.isnan(analysis.estimate(m, "spearman").value)]
    of = plural(len(analysis.table.metrics), "metric")
    if not names:
        count = plural(len(analysis.table.architectures), "architecture")
        return f"None of {of} has a rank correlation on {count} ({label})."
    best = analysis.estimate(names[0], "spearman")
    only = "only " if best.n < FEW_ARCHITECTURES else ""
    where = f"Spearman {phrase(best)} on {only}{plural(best.n, 'architecture')} ({label})"
    first = [m for m in names if _printed(analysis, m) == _printed(analysis, names[0])]
    trivial = [m for m in first if m in BASELINES]
    if len(first) > 1:
        head = f"{'the trivial counts ' if trivial == first else ''}{listed(first)} share the first place"
    else:
        head = f"{'the trivial count ' if trivial else ''}{first[0]} ranks first"
    return f"Of {of}, {head} with {where}{_rest(analysis, names, first)}."


def _rest(analysis: Analysis, names: list[str], first: list[str]) -> str:
    """What the count of parameters reaches beside the first; or where the counts are first, the best that is none."""
    if all(m in BASELINES for m in first):
        rest = next((m for m in names if m not in BASELINES), None)
        return f"; the best that is no such count is {rest} with {_words(analysis, rest)}" if rest else ""
    if "params" in names and "params" not in first:
        return f"; the count of parameters alone reaches {_words(analysis, 'params')}"
    return ""


def _printed(analysis: Analysis, metric: str) -> str:
    """A Spearman as it is printed: what looks the same is called a tie."""
    return _words(analysis, metric).partition(" ")[0]


def _words(analysis: Analysis, metric: str) -> str:
    return phrase(analysis.estimate(metric, "spearman"))


def _second(analysis: Analysis) -> list[str]:
    """How many metrics lead the trivial counts beyond the error of the sample, and the ceiling."""
    sentences = [_leads(analysis)] if _leads(analysis) else []
    ceiling = known_ceiling(analysis)
    if ceiling is not None:
        rests = f"from the training seeds of {ceiling.source} on {plural(ceiling.all.n, 'architecture')}"
        sentences.append(f"The seed noise of training allows any metric about {phrase(ceiling.all)}, {rests}.")
    return sentences


def _leads(analysis: Analysis) -> str:
    """Which metrics are above the best trivial count: by the interval of the paired difference."""
    leads = {m: analysis.estimate(m, OVER_COUNTS) for m in ordered(analysis) if m not in BASELINES}
    leads = {m: e for m, e in leads.items() if not math.isnan(e.value)}
    if not leads:
        return ""
    counts = [m for m in ordered(analysis) if m in BASELINES]
    against = f"the best trivial count ({counts[0]} with {_printed(analysis, counts[0])} on all)"
    tested = {m: e for m, e in leads.items() if not math.isnan(e.low)}
    if not tested:
        return f"On fewer than {FEWEST} architectures nothing is said of the difference to {against}."
    above = [f"{m} (by {phrase(e)})" for m, e in tested.items() if e.low > 0]
    if not above:
        return f"No metric is above {against} with the whole 95 % interval of the difference, {_PAIRED}."
    verb = "are" if len(above) > 1 else "is"
    only = "Only " if len(above) < len(tested) else ""
    return (
        f"{only}{listed(above)} {verb} above {against} with the whole 95 % interval of the difference, {_PAIRED}; "
        f"{plural(len(tested), 'metric')} {'were' if len(tested) > 1 else 'was'} held against it, which the intervals "
        "do not correct for."
    )


def facts(data: ReportInput) -> tuple[tuple[str, str], ...]:
    """Return what the numbers rest on: truth, scores, architectures, policy; each said once.

    Of more than a few targets only the benchmarks are named: the table under Provenance says the rest.
    """
    found = _each(data) if len(data.analyses) <= FEW else _by_benchmark(data)
    if data.costs:
        of = {c.table.benchmark: c.table.source for c in data.costs}
        said = listed([f"{name} from {source}" for name, source in of.items()])
        costs = plural(len(data.costs), "cost")
        found.append(("Costs", f"{costs} of the architectures of {said}; no truth to rank by"))
    for policy in dict.fromkeys(a.undefined for a in data.analyses):
        found.append(("No score", f"{policy}: {_POLICIES.get(policy, policy)}"))
    return tuple(found)


def _each(data: ReportInput) -> list[tuple[str, str]]:
    """Truth, scores and architectures of every target; what several share is said once."""
    merged: dict[tuple[str, str], list[str]] = {}
    for label, analysis in data.labelled():
        table = analysis.table
        for name, text in (
            ("Truth", table.truth_description), ("Scores", table.recipe), ("Architectures", architectures(analysis)),
        ):  # fmt: skip
            merged.setdefault((name, text), []).append(label)
    return [
        (name if len(labels) == len(data.analyses) else f"{name} ({', '.join(labels)})", text)
        for (name, text), labels in merged.items()
    ]


def architectures(analysis: Analysis) -> str:
    """Return how many architectures of which population were scored how often."""
    table = analysis.table
    seeds = plural(table.values.shape[2], "initialisation seed")
    count = plural(len(table.architectures), "architecture")
    lost = f"; {table.without_truth:,} more were scored but have no truth" if table.without_truth else ""
    return f"{count} of {table.benchmark}, population {table.population}; {seeds}{lost}"


def _by_benchmark(data: ReportInput) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name in dict.fromkeys(a.table.benchmark for a in data.analyses):
        tables = [a.table for a in data.analyses if a.table.benchmark == name]
        counts = sorted({len(t.architectures) for t in tables})
        count = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
        targets = ", ".join(t.target for t in tables)
        found.append((name, f"{count} architectures; {plural(len(tables), 'target')}: {targets}"))
    return [*found, ("Truth and scores", "one line for each target under Provenance")]
