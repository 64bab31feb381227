"""Writes a report as a folder; a reader never meets half a file."""

import os
from pathlib import Path

from zcbench.harness.errors import ZcbenchError
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


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, with its folders.

    Raises:
        ZcbenchError: it cannot be written; the message names the file and the reason.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8", newline="\n")
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ZcbenchError(f'cannot write "{path}": {reason}; choose another folder with --out') from error
