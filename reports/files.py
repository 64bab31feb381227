"""Writes a report as a folder; a reader never meets half a file."""

from pathlib import Path

from zcbench.harness.replace import write_text
from zcbench.reports import latex, markdown
from zcbench.reports.csv_tables import csv_table
from zcbench.reports.html import html
from zcbench.reports.section import Report

# A picture in a file of its own has no page to take its colour from.
_STANDALONE = "<style>svg{color:#1c2024}@media (prefers-color-scheme:dark){svg{color:#e4e7ea}}</style>"


def write(report: Report, folder: Path) -> Path:
    """Write ``index.html``, ``report.md``, and every table and figure as a file of its own.

    Args:
        report: what to write.
        folder: is made where it does not exist; files of the same names are replaced.

    Returns:
        The path of ``index.html``.

    Raises:
        ZcbenchError: the folder cannot be made or written to.
    """
    texts = {"report.md": markdown.markdown(report)}
    for section in report.sections:
        for figure in section.figures:
            head, mark, rest = figure.svg.partition(">")
            texts[f"figures/{figure.name}.svg"] = head + mark + _STANDALONE + rest + "\n"
        for table in section.tables:
            texts[f"tables/{table.name}.csv"] = csv_table(table)
            texts[f"tables/{table.name}.md"] = markdown.table(table)
            texts[f"tables/{table.name}.tex"] = latex.latex(table)
    texts["index.html"] = html(report)  # last: it stands for the whole report
    for name, text in texts.items():
        write_text(folder / name, text)
    return folder / "index.html"
