"""Section: with what, on what and from what the report was made."""

from zcbench.harness.analysis.table import Cell, Column, Table
from zcbench.reports.section import ReportInput, Section


def section(data: ReportInput) -> Section:
    """Return the provenance as a table of groups, names and values."""
    rows: list[tuple[Cell, ...]] = []
    for key, value in data.provenance.items():
        if isinstance(value, str):
            rows.append(("", key, value))
        else:
            rows += [(key, name, text) for name, text in value.items()]
    columns: tuple[Column, ...] = (Column("group", "Group"), Column("name", "Name"), Column("value", "Value"))
    if not any(row[0] for row in rows):
        columns, rows = columns[1:], [row[1:] for row in rows]
    caption = "What this report was made from."
    table = Table("provenance", caption, columns, tuple(rows))
    return Section(
        title="Provenance",
        anchor="provenance",
        intro=("What is needed to make these numbers again.",),
        tables=(table,) if rows else (),
        notes=() if rows else ("Nothing was recorded.",),
    )
