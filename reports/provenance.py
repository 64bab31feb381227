"""Section: with what, on what and from what the report was made."""

from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.reports.measures import Measure
from zcbench.reports.section import ReportInput, Section


def section(data: ReportInput) -> Section:
    """Return the provenance: what each target rests on where there are several, and what was recorded."""
    targets = (rests_on(data),) if len(data.analyses) + len(data.costs) > 1 else ()
    recorded = record(data)
    return Section(
        title="Provenance",
        anchor="provenance",
        intro=("What is needed to make these numbers again.",),
        tables=(*targets, recorded) if recorded.rows else targets,
        notes=() if recorded.rows else ("Nothing was recorded.",),
    )


def rests_on(data: ReportInput) -> Table:
    """Return what the numbers of every target and cost rest on, a line each."""
    named = (*data.labelled(), *zip(data.cost_labels, data.costs, strict=True))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            label, Measure.of(a.table).truth, a.table.population, len(a.table.architectures),
            a.table.without_truth, a.table.truth_description, a.table.recipe,
        )
        for label, a in named
    )  # fmt: skip
    columns = (
        Column("target", "Target"),
        Column("measure", "Measure"),
        Column("population", "Population"),
        Column("architectures", "Architectures", Kind.INTEGER),
        Column("without_truth", "Left out: no truth", Kind.INTEGER),
        Column("truth", "Truth"),
        Column("scores", "Scores"),
    )
    return Table("targets", "What the numbers of every target rest on.", columns, rows)


def record(data: ReportInput) -> Table:
    """Return what was recorded, as a table of groups, names and values."""
    rows: list[tuple[Cell, ...]] = []
    for key, value in data.provenance.items():
        if isinstance(value, str):
            rows.append(("", key, value))
        else:
            rows += [(key, name, text) for name, text in value.items()]
    columns: tuple[Column, ...] = (Column("group", "Group"), Column("name", "Name"), Column("value", "Value"))
    if not any(row[0] for row in rows):
        columns, rows = columns[1:], [row[1:] for row in rows]
    return Table("provenance", "What this report was made from.", columns, tuple(rows))
