"""Sections of other packages: put before the provenance, named, and left out with a reason where they fail."""

import importlib.metadata
import logging
import re
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from zcbench.harness.analysis.table import Column, Kind, Table
from zcbench.reports import plugins
from zcbench.reports.files import write
from zcbench.reports.report import build
from zcbench.reports.section import Figure, Report, ReportInput, Section

COLUMNS = (Column("metric", "Metric"), Column("letters", "Letters", Kind.INTEGER))


def lengths(data: ReportInput) -> Section:
    names = data.analyses[0].table.metrics
    table = Table("letters", "Letters in names.", COLUMNS, tuple((name, len(name)) for name in names))
    return Section("Names", "names", tables=(table,), notes=("Counted.",))


def several(data: ReportInput) -> list[Section]:
    return [Section("One", "one"), Section("Two", "two")]


def nothing(data: ReportInput) -> None:
    return None


def both(data: ReportInput) -> Section:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0"/></svg>'
    return Section("Drawn", "drawn", figures=(Figure("a_line", svg, "a line", "A line."),))


group_of_two = [lengths, both]


def raises(data: ReportInput) -> Section:
    raise KeyError("no such\nmetric")


def leaves(data: ReportInput) -> Section:
    raise SystemExit(3)


def no_section(data: ReportInput) -> str:
    return "text"


def takes_a_name(data: ReportInput) -> Section:
    return Section("Mine", "provenance")


def takes_a_table(data: ReportInput) -> Section:
    return Section("Mine", "mine", tables=lengths(data).tables * 2)


def climbs_out(data: ReportInput) -> Section:
    return Section("Mine", "mine", tables=(Table("../../climbed", "Out.", COLUMNS, ()),))


def cannot_be_rendered(data: ReportInput) -> Section:
    return Section("Mine", "mine", tables=(Table("broken", "A set for a number.", COLUMNS, (("snip", {4}),)),))  # type: ignore[arg-type]


def draws_half(data: ReportInput) -> Section:
    return Section("Mine", "mine", figures=(Figure("half", "<svg><g></svg>", "half", "Half."),))


def writes_into_the_scores(data: ReportInput) -> None:
    data.analyses[0].table.values[:] = 0.0


number = 7


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that packages offer these objects of this file."""

    def offer(*names: str) -> None:
        points = [EntryPoint(name, f"test_plugins:{name}", plugins.GROUP) for name in names]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
        monkeypatch.setattr(EntryPoint, "load", lambda point: globals()[point.name])

    return offer


@pytest.fixture(scope="module")
def data(make_input: Callable[..., ReportInput]) -> ReportInput:
    return make_input(12)


@pytest.fixture(scope="module")
def plain(data: ReportInput) -> Report:
    """The report without plug-ins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "entry_points", lambda group: [])
        return build(data)


def test_they_stand_before_the_provenance_and_say_whose_they_are(
    data: ReportInput, plain: Report, install: Callable[..., None], tmp_path: Path
) -> None:
    install("several", "nothing", "group_of_two")
    report = build(data)
    own = len(plain.sections) - 1
    assert [s.anchor for s in report.sections[own:]] == ["names", "drawn", "one", "two", "provenance"]
    assert (report.sections[:own], report.summary, report.facts) == (plain.sections[:own], plain.summary, plain.facts)
    page = write(report, tmp_path).read_text()
    assert "This section was made by the plug-in group_of_two." in page
    assert page.index('id="names"') < page.index('id="provenance"')
    assert (tmp_path / "tables" / "letters.csv").read_text().startswith("metric,letters\nflops,5\n")
    assert (tmp_path / "figures" / "a_line.svg").is_file()
    assert "## Names" in (tmp_path / "report.md").read_text()


BROKEN = {
    "raises": "KeyError: 'no such\\nmetric'.",
    "leaves": "SystemExit: 3.",
    "no_section": "it returned 'text', not a zcbench.reports.section.Section",
    "takes_a_name": 'another anchor of the report is called "provenance" already',
    "climbs_out": 'the table "../../climbed" is not in lower snake case: call it climbed',
    "takes_a_table": 'another table of the report is called "letters" already',
    "cannot_be_rendered": "TypeError",
    "draws_half": "ParseError",
    "number": "it names 7, not a function",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_is_named_in_one_line_and_left_out(
    name: str, data: ReportInput, plain: Report, install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    install("several", name)
    with caplog.at_level(logging.WARNING):
        made = plugins.sections(data, plain.sections)
    *others, told = made
    assert [section.anchor for section in others] == ["one", "two"]
    assert told.anchor == plugins.ANCHOR
    (note,) = told.notes
    assert note.startswith(f"The plug-in {name} = test_plugins:{name} is left out: ")
    assert BROKEN[name] in note
    assert "\n" not in note
    assert caplog.messages == [f"note: {note}"]


def test_the_page_says_what_was_left_out(
    data: ReportInput, install: Callable[..., None], tmp_path: Path
) -> None:
    install("climbs_out", "cannot_be_rendered", "lengths")
    page = write(build(data), tmp_path / "made" / "report").read_text()
    assert page.count("is left out: ") == 2
    assert page.index('id="names"') < page.index(f'id="{plugins.ANCHOR}"') < page.index('id="provenance"')
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["report"]


def test_one_that_cannot_be_imported_is_left_out(data: ReportInput, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("gone", "no_such_module_anywhere:section", plugins.GROUP)]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    (told,) = plugins.sections(data, [])
    assert "ModuleNotFoundError: No module named 'no_such_module_anywhere'." in told.notes[0]


def test_one_that_writes_into_the_scores_changes_nothing_of_the_report(
    plain: Report, make_input: Callable[..., ReportInput], install: Callable[..., None]
) -> None:
    install("writes_into_the_scores")
    assert build(make_input(12)) == plain


def test_the_section_of_the_documentation(data: ReportInput, plain: Report, install: Callable[..., None]) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n# section.py\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    module: dict[str, object] = {}
    exec(compile(code, "plugins.md", "exec"), module)
    globals()["ranges"] = module["ranges"]
    install("ranges")
    (made,) = plugins.sections(data, plain.sections)
    assert made.anchor == "score_ranges"
    values = data.analyses[0].table.values[:, 0, 0]
    assert made.tables[0].rows[0][1:] == ("flops", values.min(), values.max())
