"""Puts the sections of a report together, under a summary made from their numbers."""

from collections.abc import Iterator
from dataclasses import replace

from zcbench.harness.analysis.theorem import TheoremCheck
from zcbench.reports import (
    across,
    bounds,
    combined,
    cost,
    coverage,
    hardware,
    heatmap,
    plugins,
    provenance,
    ranking,
    reproduction,
    scatter,
    stability,
    theorem,
    transfer,
)
from zcbench.reports.files import write
from zcbench.reports.section import Report, ReportInput, Section
from zcbench.reports.summary import default_title, facts, summary

__all__ = ["Report", "ReportInput", "build", "default_title", "facts", "summary", "write"]


def build(data: ReportInput) -> Report:
    """Return the whole report.

    Args:
        data: at least one analysis, and what else is known.
    """
    sections: list[Section] = [across.section(data)] if len(data.analyses) > 1 else []
    sections += [ranking.section(data), scatter.section(data), heatmap.section(data)]
    if any(a.table.values.shape[2] > 1 for a in data.analyses):
        sections.append(stability.section(data))
    sections += _studies(data)
    if data.measured:
        sections.append(reproduction.section(data))
    if data.costs:
        sections.append(hardware.section(data))
    sections += [coverage.section(data), cost.section(data)]
    last = provenance.section(data)
    report = Report(data.title, summary(data), facts(data), (*sections, last))
    # Plug-ins come when everything else is made: whatever they do to the data, they change nothing of it.
    return replace(report, sections=(*sections, *plugins.sections(data, report.sections), last))


def _studies(data: ReportInput) -> list[Section]:
    """Return what goes beyond single metrics on one dataset, as far as there is something to show."""
    sections = []
    if any(one is not None for one in data.combined):
        sections.append(combined.section(tuple(zip(data.labels, data.combined, strict=True))))
    if data.transfers:
        sections.append(transfer.section(data.transfers))
    if any(one is not None for one in data.theorems):
        sections.append(theorem.section(list(_checked(data))))
    if any(one is not None for one in data.bounds):
        studied = zip(data.labels, data.bounds, strict=True)
        sections.append(bounds.section([(label, one) for label, one in studied if one is not None]))
    return sections


def _checked(data: ReportInput) -> Iterator[tuple[str, TheoremCheck]]:
    """Give the checks of theorem 1 under the name of their benchmark: they are about scores, not about a target.

    Only where a benchmark has several, scored differently, the target tells them apart.
    """
    found = [(label, one) for label, one in zip(data.labels, data.theorems, strict=True) if one is not None]
    names = [one.table.benchmark for _, one in found]
    for (label, one), name in zip(found, names, strict=True):
        yield (name if names.count(name) == 1 else label), one
