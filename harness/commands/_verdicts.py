"""From scores to the pages and the JSON of ``compare``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from zcbench.harness.aggregate import aggregates
from zcbench.harness.analysis.output import plain
from zcbench.harness.analysis.versus.as_json import to_json
from zcbench.harness.analysis.versus.compare import compare
from zcbench.harness.analysis.versus.result import Comparison
from zcbench.harness.commands._comparing import Compared
from zcbench.harness.commands._reporting import provenance_of
from zcbench.harness.commands._studying import Statistics
from zcbench.harness.metric import Metric
from zcbench.harness.metric_file import digest_of
from zcbench.harness.passes.on_copy import OnCopy
from zcbench.harness.registry import select
from zcbench.harness.replace import write_text
from zcbench.harness.store import Store
from zcbench.reports import files, versus
from zcbench.reports.section import slug

FORMAT = 1
"""Version of the JSON's layout."""

SEED = 0
"""Of the resamples."""


def write(
    candidates: Sequence[Metric], against: str, found: Compared, store: Store, how: Statistics, out: Path, *,
    title: str | None,
) -> list[Path]:
    """Compare every candidate, print its verdicts, and write compare.json and a page for each.

    Args:
        candidates: the metrics in question.
        against: the baselines, as they were named; empty: all that was read.
        found: the scores.
        store: where they are from.
        how: policy, population and resamples.
        out: an existing folder; with several candidates each has a folder of its own in it.
        title: of the pages.

    Returns:
        The pages.
    """
    provenance = provenance_of(store, found.studied)
    pages, documents = [], []
    for candidate in candidates:
        comparison = compare(
            found.tables, candidate.key, _baselines(candidates, against, found), undefined=how.policy,
            resamples=how.resamples, seed=SEED, stability=found.variations,
        )  # fmt: skip
        alone, notes = _alone(candidate), _notes(candidate)
        sentences = versus.verdict_sentences(comparison, alone=alone)
        data = versus.VersusInput(
            comparison, title or "", facts=(("Candidate", _described(candidate)),), notes=notes,
            provenance=provenance | _file(candidate), tables=found.tables, alone=alone,
        )  # fmt: skip
        folder = out if len(candidates) == 1 else out / slug(candidate.key)
        pages.append(files.write(versus.build(data), folder))
        documents.append({
            "metric": _identity(candidate),
            "sentences": [{"benchmark": t.benchmark, "target": t.target, "text": t.text} for t in sentences],
            **to_json(comparison),
        })  # fmt: skip
        _say(comparison, sentences, notes)
    document = {"format": FORMAT, "comparisons": documents, "provenance": provenance}
    write_text(out / "compare.json", json.dumps(plain(document), indent=1, allow_nan=False) + "\n")
    return pages


def _say(comparison: Comparison, sentences: Sequence[versus.VerdictText], notes: Sequence[str]) -> None:
    """Print what the page says at its top."""
    head = versus.overall(comparison)
    paragraphs = [head] if head else []
    for text in sentences:
        first, *more = text.paragraphs
        paragraphs += [f"{text.label}: {first}", *more]
    for paragraph in (*paragraphs, *notes):
        click.echo(f"{paragraph}\n")


def _baselines(candidates: Sequence[Metric], against: str, found: Compared) -> tuple[str, ...]:
    """Return what the candidates are held against, with the aggregates of nothing but these."""
    new = {metric.key for metric in candidates}
    there = {name for table in found.tables for name in table.metrics}
    named = {metric.key for metric in select(against)} if against else there
    bare = {key.partition("(")[0] for key in named - new}
    made = {name for name, one in aggregates().items() if set(one.components) <= bare}
    return tuple(sorted((((named - set(aggregates())) | made) & there) - new))


def _identity(metric: Metric) -> dict[str, Any]:
    return {
        "metric": metric.key, "version": metric.version, "higher_is_better": metric.higher_is_better,
        "cite": metric.cite, "code": digest_of(metric), "outside_of_shared_passes": _alone(metric),
    }  # fmt: skip


def _alone(metric: Metric) -> bool:
    return any(isinstance(quantity, OnCopy) for quantity in metric.needs.quantities())


def _described(metric: Metric) -> str:
    direction = "high" if metric.higher_is_better else "low"
    return f"{metric.key}, version {metric.version}: {metric.cite}; a {direction} score is meant to be good"


def _file(metric: Metric) -> dict[str, str | dict[str, str]]:
    if metric.source is None:
        return {}
    return {"candidate": {"file": str(metric.source.path), "digest of its code": metric.source.digest}}


def _notes(metric: Metric) -> tuple[str, ...]:
    if not _alone(metric):
        return ()
    return (
        f"{metric.key} is a plain function: it ran on a copy of the network of its own, outside of the shared passes, "
        "so its cost holds every pass that it makes.",
    )
