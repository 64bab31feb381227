"""Sections that other packages add to every report, through the entry-point group ``zcbench.reports``.

An entry point names a function, or a list of functions, that takes a `ReportInput` and returns a `Section`, several of
them, or None where it has nothing to say. Its sections stand before the provenance and say whose they are. One that
cannot be loaded, raises, or makes something that cannot be rendered is left out, and the report says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from zcbench.harness.errors import ZcbenchError, in_words
from zcbench.harness.plugins import Offer, offered
from zcbench.reports import latex, markdown
from zcbench.reports.csv_tables import csv_table
from zcbench.reports.html import html
from zcbench.reports.section import Report, ReportInput, Section, slug

GROUP = "zcbench.reports"
"""Entry-point group under which another package offers sections."""

Maker = Callable[[ReportInput], Section | Iterable[Section] | None]
"""What an entry point names: makes sections from what a report is made from."""

ANCHOR = "plug_ins"
"""Id of the section that names the plug-ins that were left out."""


def sections(data: ReportInput, others: Sequence[Section]) -> list[Section]:
    """Return the sections of all plug-ins, and one more that names those that were left out, if any.

    What is left out is also said in a warning of the logger ``zcbench.reports``, which goes to standard error.

    Args:
        data: what the report is made from.
        others: the report's own sections, whose names are taken.
    """
    made: list[Section] = []
    left_out: list[str] = []
    for offer in offers():
        why = offer.why
        try:
            mine = list(_made(offer.found or (), data))
            _check(mine, [*others, *made])
            made += [replace(one, notes=(*one.notes, _whose(offer))) for one in mine]
        except (Exception, SystemExit) as error:  # a plug-in may fail in any way, and the report is to be written
            why = in_words(error)
        if why:
            left_out.append(f"The plug-in {offer.name} is left out: {why[:300].rstrip(' .:')}.")
    for line in left_out:
        logging.getLogger(GROUP).warning("note: %s", line)
    return made + ([_named(left_out)] if left_out else [])


def offers() -> list[Offer[Sequence[Maker]]]:
    """Return what plug-ins offer."""
    return offered(GROUP, _makers)


def _makers(loaded: Any) -> Sequence[Maker]:
    makers: Sequence[Maker] = loaded if isinstance(loaded, list | tuple) else [loaded]
    for maker in makers:
        if not callable(maker):
            raise ZcbenchError(f"it names {maker!r:.60}, not a function from ReportInput to Section")
    return makers


def _made(makers: Sequence[Maker], data: ReportInput) -> Iterator[Section]:
    """Let a plug-in make its sections."""
    for maker in makers:
        made = maker(data)
        for one in () if made is None else (made,) if isinstance(made, Section | str) else made:
            if not isinstance(one, Section):
                raise TypeError(f"it returned {one!r:.60}, not a zcbench.reports.section.Section")
            yield one


def _check(new: Sequence[Section], others: Sequence[Section]) -> None:
    """Refuse sections that would replace others, could not be written as files, or cannot be rendered.

    Raises:
        ValueError: with what is wrong; renderers raise whatever they do.
    """
    taken = {name for section in others for name in _names(section)} | {("anchor", ANCHOR)}
    for section in new:
        for what, name in _names(section):
            if slug(name) != name:
                raise ValueError(f'the {what} "{name}" is not in lower snake case: call it {slug(name)}')
            if (what, name) in taken:
                raise ValueError(f'another {what} of the report is called "{name}" already: take another name')
            taken.add((what, name))
        for figure in section.figures:
            if not ElementTree.fromstring(figure.svg).tag.endswith("svg"):
                raise ValueError(f'the figure "{figure.name}" is no <svg> element')
        _render(section)


def _names(section: Section) -> Iterator[tuple[str, str]]:
    """Give what may occur once in a report, with its kind: ids in the page, and names of files."""
    yield "anchor", section.anchor
    yield from (("table", table.name) for table in section.tables)
    yield from (("figure", figure.name) for figure in section.figures)


def _render(section: Section) -> None:
    """Render a section alone in every form: what fails here would take the whole report with it."""
    alone = Report("", (), (), (section,))
    html(alone)
    markdown.markdown(alone)
    for table in section.tables:
        latex.latex(table)
        csv_table(table)


def _whose(offer: Offer[Sequence[Maker]]) -> str:
    package = f", {offer.package}" if offer.package else ""
    return f"This section was made by the plug-in {offer.point.name}{package}."


def _named(left_out: Sequence[str]) -> Section:
    return Section(
        title="Plug-ins that were left out",
        anchor=ANCHOR,
        intro=("Installed packages offer sections that could not be made. The rest of the report does not depend on "
               "them.",),
        notes=tuple(left_out),
    )  # fmt: skip
