"""Renderer: one self-contained HTML page that opens from disk."""

import itertools
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from zcbench.harness.analysis.table import Table
from zcbench.reports.html_table import table
from zcbench.reports.section import Bars, Figure, Report, Section


def html(report: Report) -> str:
    """Return the page; it loads nothing, neither from the network nor from beside itself."""
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["groups"] = _groups
    sections = [
        (s, [table(t, _bars(s, t), folded=t.name in s.folded) for t in s.tables]) for s in report.sections
    ]
    page = environment.get_template("index.html.j2")
    return page.render(report=report, sections=sections, style=Markup(_template("style.css")), safe=Markup)


def _template(name: str) -> str:
    return resources.files("zcbench.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _groups(figures: tuple[Figure, ...]) -> list[tuple[str, list[Figure]]]:
    """Put neighbours that are folded under the same text together."""
    return [(fold, list(group)) for fold, group in itertools.groupby(figures, key=lambda figure: figure.fold)]


def _bars(section: Section, of: Table) -> tuple[Bars, ...]:
    return tuple(b for b in section.bars if b.table == of.name)
