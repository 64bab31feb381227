"""What keeps a page of many targets readable."""

import re

import numpy as np
import pytest

from zcbench.harness.analysis.study import analyse
from zcbench.reports import across, scatter
from zcbench.reports.html import html
from zcbench.reports.names import benchmark_title, short_title
from zcbench.reports.report import build

FEW = ("nwot", "params")


def test_average_ranks_have_short_headers(make_input):
    found = make_input(benchmarks=("nasbench101", "transnasbench101_micro", "mine"), names=FEW).across
    columns = across.average_ranks(found).columns[4:]
    assert [c.title for c in columns] == ["mine", "NB101", "TNB101 Micro"]
    assert [c.name for c in columns] == ["rank_mine", "rank_nasbench101", "rank_transnasbench101_micro"]
    assert benchmark_title("nasbench101") == "NAS-Bench-101"
    assert benchmark_title("mine") == short_title("mine") == "mine"


def test_plots_of_many_targets_are_folded(make_input):
    three = make_input(benchmarks=("a", "b", "c"), names=FEW)
    assert not any(f.fold for f in scatter.section(three).figures)
    four = make_input(benchmarks=("a", "b", "c", "d"), names=FEW)
    page = html(build(four))
    folds = re.findall(r'<details class="fold"><summary>([^<]*)</summary>(.*?)</details>', page, re.DOTALL)
    assert [title for title, _ in folds] == [f"The plots of {x}: cifar10" for x in "abcd"]
    assert [text.count("<figure") for _, text in folds] == [2] * 4
    assert page.count("<figure") == page.count("</figure>") == sum(len(s.figures) for s in build(four).sections)


def test_contents_lead_to_the_ranking_of_each_target(make_input):
    page = html(build(make_input(benchmarks=("a", "b"), names=FEW)))
    contents = page[page.index("<nav") : page.index("</nav>")]
    links = re.findall(r'href="#(table-[^"]+)">([^<]+)<', contents)
    assert [label for _, label in links] == ["a: cifar10", "b: cifar10"]
    assert all(f'id="{anchor}"' in page for anchor, _ in links)
    assert "table-" not in html(build(make_input(names=FEW))).split("</nav>")[0].split("<nav")[1]


@pytest.mark.parametrize(("low", "high", "measure"), [(0.4325, 0.4441, "ssim"), (0.91201, 0.91204, "accuracy")])
def test_ticks_of_an_axis_differ(make_table, low, high, measure):
    """Labels lost their third decimal with the coordinates: 0.43 0.44 0.44 0.44."""
    table = make_table(names=FEW, measure=measure)
    table.truth[:] = np.linspace(low, high, len(table.truth))
    figure = scatter.plot("x", analyse(table, undefined="drop", resamples=2), "nwot")
    unit = 100 if measure == "accuracy" else 1
    labels = re.findall(r">([\d.]+)<", figure.svg)
    ticks = [text for text in labels if 0.99 * low <= float(text) / unit <= 1.01 * high]  # those of the truth
    assert len(ticks) >= 2
    assert len(set(ticks)) == len(ticks)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((1e-320, 1.0, 2.0), ""), ((1.0, 2.0, 1e308), " · 13 not drawn, beyond 1e+250"),
        ((-1e308, 1.0, 1e308), " · 27 not drawn, beyond 1e+250"), ((1e308,), " · 40 not drawn, beyond 1e+250"),
        ((1e-240, 1.0, 9e249), ""), ((-9e249, 0.0, 9e249), ""),
    ],
)  # fmt: skip
def test_scores_at_the_ends_of_the_numbers_are_drawn_without_a_warning(make_table, values, said):
    table = make_table(names=FEW)
    drawn = analyse(table, undefined="drop", resamples=2)
    drawn.table.values[:, 0, 0] = np.resize(values, 40)
    figure = scatter.plot("x", drawn, FEW[0])
    assert figure.svg
    assert re.fullmatch(r"nwot · x · ρ = [^·]*[\d]", figure.caption.removesuffix(said))


def test_coordinates_have_two_decimals(make_input):
    drawn = scatter.section(make_input(names=FEW)).figures[0].svg
    assert not re.search(r'd="[^"]*\d\.\d{3}', drawn)
