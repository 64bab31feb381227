"""Renderer: LaTeX tables for a paper; they need the package booktabs and nothing else."""

from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.reports.text import spell

_LONG = 32  # characters from which on a column of text gets a width of its own and may break

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': "''",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "∞": r"$\infty$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "χ": r"$\chi$",
    "²": r"$^2$",
    "ρ": r"$\rho$",
    "τ": r"$\tau$",
    "µ": r"$\mu$",
    "σ": r"$\sigma$",
    "…": r"\ldots{}",
    "’": "'",
    # At the start of a row these two would be read as arguments of the line break before it.
    "[": "{[}",
    "*": "{*}",
}


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is, in running text and in a table cell."""
    return " ".join("".join(_ESCAPES.get(c, c) for c in text).split())


def latex(of: Table) -> str:
    r"""Return a table environment with caption, label and notes; ``\usepackage{booktabs}`` is needed."""
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(of.caption)}}}",
        rf"\label{{tab:{of.name}}}",
        rf"\begin{{tabular}}{{{''.join(_alignment(of))}}}",
        r"\toprule",
        _line([escape(c.title) for c in of.columns]),
        r"\midrule",
        *(_line([_cell(v, c) for v, c in zip(row, of.columns, strict=True)]) for row in of.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if of.notes:
        notes = r"\\ ".join(escape(note) for note in of.notes)
        lines += ["", r"\smallskip", rf"\parbox{{\linewidth}}{{\footnotesize {notes}}}"]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _alignment(of: Table) -> list[str]:
    """``l`` for words, ``r`` for numbers, a fixed width for long words."""
    letters: list[str] = []
    for i, column in enumerate(of.columns):
        long = column.kind is Kind.TEXT and any(len(str(row[i] or "")) > _LONG for row in of.rows)
        letters.append("p{5cm}" if long else "l" if column.kind is Kind.TEXT else "r")
    return letters


def _cell(cell: Cell, column: Column) -> str:
    spelt = spell(cell, column)
    value = escape(spelt.text)
    return f"{value} {{\\footnotesize {escape(spelt.interval)}}}" if spelt.interval else value


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
