"""A section of every report: how many architectures a metric tells apart."""

import numpy as np

from zcbench.harness.analysis.table import Column, Kind, Table
from zcbench.reports.section import ReportInput, Section

COLUMNS = (
    Column("target", "Target"), Column("metric", "Metric"), Column("scored", "With a score", Kind.INTEGER),
    Column("distinct", "Distinct scores", Kind.INTEGER),
)  # fmt: skip


def section(data: ReportInput) -> Section:
    """Count the distinct scores of every metric, first initialisation."""
    rows = []
    for label, analysis in data.labelled():
        for number, metric in enumerate(analysis.table.metrics):
            values = analysis.table.values[:, number, 0]
            values = values[~np.isnan(values)]
            rows.append((label, metric, len(values), len(np.unique(values))))
    caption = "Architectures with a score, and distinct scores among them."
    table = Table("distinct_scores", caption, COLUMNS, tuple(rows))
    return Section(
        title="Distinct scores", anchor="distinct_scores", tables=(table,),
        intro=("A metric cannot rank architectures to which it gives the same score.",),
    )  # fmt: skip
