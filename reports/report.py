"""Puts the sections of a report together, under a summary made from their numbers."""

from zcbench.reports import (
    across,
    cost,
    coverage,
    hardware,
    heatmap,
    provenance,
    ranking,
    reproduction,
    scatter,
    stability,
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
    if data.measured:
        sections.append(reproduction.section(data))
    if data.costs:
        sections.append(hardware.section(data))
    sections += [coverage.section(data), cost.section(data), provenance.section(data)]
    return Report(data.title, summary(data), facts(data), tuple(sections))
