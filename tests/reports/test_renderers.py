import math
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from zcbench.harness.analysis.table import Column, Kind, Table
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Estimate
from zcbench.reports import latex, markdown, svg
from zcbench.reports.csv_tables import csv_table
from zcbench.reports.files import write, write_text
from zcbench.reports.html import html
from zcbench.reports.html_table import table as html_table
from zcbench.reports.report import build
from zcbench.reports.section import Bars, Report, Section, lower_end, slug
from zcbench.reports.text import listed, number, phrase, plural, spell

VOID = {"meta", "img", "br", "hr", "link", "input"}
NASTY = "<script>alert('x')</script> & \"_{%$#~^\\|[*"


class Page(HTMLParser):
    """Checks that tags close in order, and collects attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.seen, self.ids = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"repeated attribute in {tag}"
        self.seen.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def estimate(value, low=math.nan, high=math.nan, n=10):
    return Estimate(value, low, high, n, 2, "bootstrap")


def small(*rows, notes=(), columns=None):
    columns = columns or (Column("metric", "Metric"), Column("rho", "ρ", Kind.ESTIMATE, 2))
    return Table("small", "A caption.", columns, rows, notes)


def test_page_is_well_formed_and_accessible(make_input):
    page = Page(html(build(make_input(seeds=2, undefined="some", targets=("cifar10", "cifar100")))))
    assert len(page.ids) == len(set(page.ids))
    tags = [tag for tag, _ in page.seen]
    assert tags.count("table") == tags.count("caption")
    assert all("scope" in attrs for tag, attrs in page.seen if tag == "th")
    assert all(attrs.get("aria-label") for tag, attrs in page.seen if tag == "svg")
    targets = [attrs["href"][1:] for tag, attrs in page.seen if tag == "a"]
    assert set(targets) <= set(page.ids)
    labels = [attrs["aria-labelledby"] for _, attrs in page.seen if "aria-labelledby" in attrs]
    assert set(labels) <= set(page.ids)


def test_page_loads_nothing(make_input):
    text = html(build(make_input()))
    page = Page(text)
    loading = {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}
    for tag, attrs in page.seen:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base"}
        for name, value in attrs.items():
            if name in loading:
                assert value.startswith(("#", "data:")), (tag, name, value)
            assert not name.startswith("on")
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text
    assert set(re.findall(r"https?://[^\"' <)]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_names_are_escaped_everywhere(make_input):
    names = (NASTY, "grad_norm", "jacov", "layers", "nwot", "params", "plain")
    report = build(make_input(title=NASTY, names=names, undefined="some"))
    text = html(report)
    Page(text)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "<script" not in markdown.markdown(report).replace("\\<script", "")
    for section in report.sections:
        for table in section.tables:
            assert "<script" not in latex.latex(table)


def test_output_is_the_same_every_time(make_input, tmp_path):
    data = make_input(undefined="some")
    first, second = (write(build(data), tmp_path / name).parent for name in "ab")
    files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    assert all((first / f).read_bytes() == (second / f).read_bytes() for f in files)
    assert {"index.html", "report.md"} <= {f.name for f in files}
    assert {f.suffix for f in files if f.parent.name == "tables"} == {".csv", ".md", ".tex"}


def test_standalone_figures_follow_the_theme(make_input, tmp_path):
    write(build(make_input(names=("nwot", "params"))), tmp_path)
    text = (tmp_path / "figures" / "heatmap_cifar10.svg").read_text()
    assert "prefers-color-scheme" in text
    assert svg.INK not in text
    assert "currentColor" in text


def test_write_replaces_whole_files(tmp_path):
    write_text(tmp_path / "a" / "x.txt", "old")
    write_text(tmp_path / "a" / "x.txt", "new\n")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.txt"]
    assert (tmp_path / "a" / "x.txt").read_bytes() == b"new\n"


def test_write_to_an_impossible_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ZcbenchError, match=r"^cannot make the folder .*: Not a directory; choose another"):
        write(Report("t", (), (), ()), tmp_path / "file" / "report")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_write_to_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(ZcbenchError, match="Permission denied"):
        write(Report("t", (), (), ()), tmp_path)


def test_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "x.txt").mkdir()
    with pytest.raises(ZcbenchError, match="cannot write"):
        write_text(tmp_path / "x.txt", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.784, 2, "0.78"), (-0.25, 2, "−0.25"), (-0.001, 2, "0.00"), (math.nan, 2, "–"),
        (15625, 0, "15,625"), (math.inf, 1, "∞"), (-math.inf, 1, "−∞"), (0.0, 0, "0"),
        (-12345.6, 1, "−12,345.6"),
    ],
)  # fmt: skip
def test_numbers(value, digits, text):
    assert number(value, digits) == text


@pytest.mark.parametrize(("p", "text"), [(0.0307, "0.0307"), (1.0, "1.0000"), (2e-7, "< 0.0001"), (0.0, "< 0.0001")])
def test_small_probabilities(p, text):
    assert spell(p, Column("p", "p", Kind.PROBABILITY, 4)).text == text
    assert csv_table(small((p,), columns=(Column("p", "p", Kind.PROBABILITY, 4),))).splitlines()[1] == repr(p)


def test_many_estimates_stand_over_their_intervals():
    columns = (Column("metric", "Metric"), *(Column(f"c{i}", "c", Kind.ESTIMATE) for i in range(6)))
    row = ("a", *[estimate(0.5, 0.2, 0.7)] * 6)
    assert html_table(small(row, columns=columns)).dense
    assert not html_table(small(row[:6], columns=columns[:6])).dense
    assert not html_table(small(row, columns=columns), (Bars("small", "c0", 0.0, 1.0),)).dense


def test_estimates_in_words():
    assert phrase(estimate(0.784, 0.7, 0.84)) == "0.78 [0.70, 0.84]"
    assert phrase(estimate(-0.1, -0.2, 0.05)) == "−0.10 [−0.20, 0.05]"
    assert phrase(estimate(0.5)) == "0.50"
    assert phrase(estimate(math.nan, 0.1, 0.2)) == "–"


def test_cells_follow_their_column():
    assert spell(0.9437, Column("a", "a", Kind.PERCENT, 1)).text == "94.4"
    assert spell(1234, Column("a", "a", Kind.INTEGER)).text == "1,234"
    assert spell(None, Column("a", "a", Kind.ESTIMATE)).text == ""
    assert not spell("x", Column("a", "a")).numeric
    assert plural(1, "metric") == "1 metric"
    assert plural(0, "metric") == "0 metrics"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"


def test_csv_takes_estimates_apart():
    table = small(("snip", estimate(0.5, 0.25, 0.75)), ("a,b", estimate(math.nan)), ("c", None))
    assert csv_table(table).splitlines() == [
        "metric,rho,rho_low,rho_high,rho_n,rho_n_undefined",
        "snip,0.5,0.25,0.75,10,2",
        '"a,b",,,,10,2',
        "c,,,,,",
    ]


def test_markdown_table_keeps_its_columns():
    text = markdown.table(small((NASTY + "\n|", estimate(0.5, 0.2, 0.7)), notes=("a *note*",)))
    lines = text.splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 3
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)
    assert rows[2].endswith("| 0.50 \\[0.20, 0.70\\] |")
    assert "- a \\*note\\*" in lines


def test_latex_escapes_every_special_character():
    text = latex.escape(NASTY + " 5–6 −1 ρ")
    assert text == (
        r"\textless{}script\textgreater{}alert('x')\textless{}/script\textgreater{} \& ''\_\{\%\$\#"
        r"\textasciitilde{}\textasciicircum{}\textbackslash{}\textbar{}{[}{*} 5--6 $-$1 $\rho$"
    )


def test_latex_table_is_balanced():
    text = latex.latex(small(("[a", estimate(0.5, 0.2, 0.7)), ("*b " * 20, None), notes=("50 % of _x_",)))
    assert text.count(r"\begin") == text.count(r"\end") == 2
    assert r"\begin{tabular}{p{5cm}r}" in text
    assert r"{[}a & 0.50 {\footnotesize {[}0.20, 0.70]} \\" in text
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(f"\\{rule}") == 1
    assert not re.search(r"\\\\\s*\n\s*[\[*]", text)
    bare = re.sub(r"\\.", "", text)
    assert bare.count("{") == bare.count("}")


def test_bars_are_placed_on_their_scale():
    table = small(
        ("a", estimate(0.5, 0.0, 1.0)), ("b", estimate(-0.5)), ("c", estimate(math.nan)), ("d", None)
    )
    bars = [row.cells[1].bar for row in html_table(table, (Bars("small", "rho", -1.0, 1.0, 0.9),)).rows]
    assert (bars[0].zero, bars[0].value, bars[0].low, bars[0].high) == (50, 75, 50, 100)
    assert bars[0].reference == pytest.approx(95)
    assert bars[0].style == "--z:50.00%;--a:50.00%;--w:25.00%;--v:75.00%;--l:50.00%;--h:50.00%;--r:95.00%"
    assert math.isnan(bars[1].low)
    assert bars[1].style.startswith("--z:50.00%;--a:25.00%;--w:25.00%")
    assert bars[2] is bars[3] is None


def test_lower_end_of_a_scale():
    assert lower_end([0.2, math.nan]) == 0.0
    assert lower_end([]) == 0.0
    assert lower_end([-0.25]) == pytest.approx(-0.4)
    assert lower_end([-0.99]) == -1.0


def test_what_differs_is_said_once_where_it_is_the_same():
    columns = (Column("metric", "Metric"), Column("differs", "What differs"))
    same = html_table(small(("a", "x; y"), ("b", "x; y"), columns=columns))
    assert [h.title for h in same.headers] == ["Metric"]
    assert same.notes[0] == "What differs: x; y."
    other = html_table(small(("a", "x"), ("b", "y"), columns=columns))
    assert len(other.headers) == 2


def test_folded_tables_are_inside_details():
    section = Section("S", "s", tables=(small(("a", None)),), folded=("small",))
    text = html(Report("t", (), (), (section,)))
    Page(text)
    assert text.count("<details") == 1


def test_slug():
    assert slug("swap(repeats=32)") == "swap_repeats_32"
    assert slug("<>") == "unnamed"
    assert slug("x(c=-1)") != slug("x(c=1)")


def test_reports_import_no_torch():
    code = "import sys, zcbench.reports.report; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
