"""From scores to the pages and the JSON of ``compare``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
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
from zcbench.reports.text import listed

FORMAT = 1
"""Version of the JSON's layout."""

SEED = 0
"""Of the resamples."""


@dataclass(frozen=True)
class Candidate:
    """A metric or an aggregate that is compared.

    Attributes:
        key: its name, with parameters.
        version: its version.
        higher_is_better: whether a high score is meant to be good.
        cite: the citation.
        code: digest of its code, empty where it comes with zcbench.
        alone: whether it runs outside of the shared passes.
        file: the user's file that it is from.
        metrics: what is scored for it: itself, or the components of an aggregate.
    """

    key: str
    version: int
    higher_is_better: bool
    cite: str
    code: str
    alone: bool
    file: Path | None
    metrics: tuple[Metric, ...]

    @classmethod
    def named(cls, text: str) -> tuple[Candidate, ...]:
        """Return what a text names: an aggregate, or one metric or several.

        Raises:
            MissingFileError: for a file that is not there.
            ZcbenchError: for a name that is not known.
        """
        metrics, made = select(text), aggregates().get(text)
        if made is not None:
            return (cls(made.name, made.version, True, made.cite, "", False, None, tuple(metrics)),)
        return tuple(
            cls(m.key, m.version, m.higher_is_better, m.cite, digest_of(m), _alone(m),
                None if m.source is None else m.source.path, (m,))
            for m in metrics
        )  # fmt: skip


def write(
    candidates: Sequence[Candidate], against: str, found: Compared, store: Store, how: Statistics, out: Path, *,
    title: str | None,
) -> list[Path]:
    """Compare every candidate, print its verdicts, and write compare.json and a page for each.

    Args:
        candidates: what is in question.
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
        alone, notes = candidate.alone, _notes(candidate)
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


def _baselines(candidates: Sequence[Candidate], against: str, found: Compared) -> tuple[str, ...]:
    """Return what the candidates are held against, with the aggregates of nothing but these."""
    new = {one.key for one in candidates}
    there = {name for table in found.tables for name in table.metrics}
    named = {metric.key for metric in select(against)} if against else there
    bare = {key.partition("(")[0] for key in named - new}
    made = {name for name, one in aggregates().items() if set(one.components) <= bare}
    return tuple(sorted((((named - set(aggregates())) | made) & there) - new))


def _identity(one: Candidate) -> dict[str, Any]:
    return {
        "metric": one.key, "version": one.version, "higher_is_better": one.higher_is_better, "cite": one.cite,
        "code": one.code, "outside_of_shared_passes": one.alone,
    }  # fmt: skip


def _alone(metric: Metric) -> bool:
    return any(isinstance(quantity, OnCopy) for quantity in metric.needs.quantities())


def _described(one: Candidate) -> str:
    direction = "high" if one.higher_is_better else "low"
    return f"{one.key}, version {one.version}: {one.cite}; a {direction} score is meant to be good"


def _file(one: Candidate) -> dict[str, str | dict[str, str]]:
    return {} if one.file is None else {"candidate": {"file": str(one.file), "digest of its code": one.code}}


def _notes(one: Candidate) -> tuple[str, ...]:
    if len(one.metrics) > 1:
        names = listed([metric.key for metric in one.metrics])
        return (f"{one.key} is an aggregate of {names}: it ranks the architectures of this comparison by them.",)
    if not one.alone:
        return ()
    return (
        f"{one.key} is a plain function: it ran on a copy of the network of its own, outside of the shared passes, "
        "so its cost holds every pass that it makes.",
    )
