"""Renderer: Markdown as GitHub and most others read it."""

import re

from zcbench.harness.analysis.table import Kind, Table
from zcbench.reports.section import Report
from zcbench.reports.text import spell

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#])")


def escape(text: str) -> str:
    """Return text that shows as it is, in running text and in a table cell."""
    return " ".join(_SPECIAL.sub(r"\\\1", text).split())


def table(of: Table) -> str:
    """Return a caption, the table and its notes, with a line feed at the end."""
    numeric = [column.kind is not Kind.TEXT for column in of.columns]
    lines = [
        f"**{escape(of.caption)}**",
        "",
        _line([escape(c.title) for c in of.columns]),
        _line(["---:" if n else ":---" for n in numeric]),
    ]
    for row in of.rows:
        cells = [spell(cell, column) for cell, column in zip(row, of.columns, strict=True)]
        lines.append(_line([escape(f"{c.text} {c.interval}".strip()) for c in cells]))
    lines += ["", *(f"- {escape(note)}" for note in of.notes)]
    return "\n".join(lines).rstrip() + "\n"


def markdown(report: Report) -> str:
    """Return the whole report; its figures are the files in the folder ``figures`` beside it."""
    blocks = [f"# {escape(report.title)}", *map(escape, report.summary)]
    blocks.append("\n".join(f"- **{escape(name)}:** {escape(text)}" for name, text in report.facts))
    for section in report.sections:
        blocks += [f"## {escape(section.title)}", *map(escape, section.intro)]
        blocks += [f"![{escape(f.alt)}](figures/{f.name}.svg)" for f in section.figures]
        blocks += [table(t).rstrip() for t in section.tables]
        blocks += map(escape, section.notes)
    return "\n\n".join(block for block in blocks if block) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
