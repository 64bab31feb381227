"""Reports over several benchmarks and targets."""

import csv
import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from zcbench.harness.analysis.friedman import friedman
from zcbench.harness.analysis.study import analyse
from zcbench.reports import across, critical_difference, hardware, provenance, ranking, scatter, svg
from zcbench.reports.colour_grid import cell_text, colour_grid
from zcbench.reports.csv_tables import csv_table
from zcbench.reports.measures import Measure
from zcbench.reports.report import build, default_title, facts, summary
from zcbench.reports.search_value import beyond_size, finding
from zcbench.reports.section import ReportInput

THREE = ("nasbench101", "nasbench201", "nasbench301")
FEW = ("nwot", "params", "snip")


@pytest.fixture(scope="module")
def three(make_input):
    """Three benchmarks, one target each; not to be changed."""
    return make_input(benchmarks=THREE, names=FEW)


def cells(table, name):
    index = [c.name for c in table.columns].index(name)
    return [row[index] for row in table.rows]


def of(analysis, *, values=None, **changes):
    """The analysis again, of a changed table."""
    table = replace(analysis.table, **changes)
    return analyse(table if values is None else replace(table, values=values), undefined="drop", resamples=10)


def test_labels_name_the_benchmark_only_where_there_are_several(make_input, three):
    assert make_input(3, targets=("cifar10", "cifar100")).labels == ("cifar10", "cifar100")
    assert three.labels == tuple(f"{b}: cifar10" for b in THREE)
    twice = ReportInput("t", (*three.analyses, three.analyses[0]))
    assert twice.labels[0] == "nasbench101: cifar10 (robot)"
    assert twice.labels[3] == "nasbench101: cifar10 (robot) 4"


def test_labels_give_different_file_names(three):
    one = three.analyses[0]
    same = [replace(one, table=replace(one.table, benchmark=b, target=t)) for b, t in (("a_b", "c"), ("a", "b_c"))]
    data = ReportInput("t", tuple(same))
    assert data.labels == ("a_b: c", "a: b_c 2")
    names = [made.name for s in build(data).sections for made in (*s.tables, *s.figures)]
    assert len(names) == len(set(names))


def test_every_part_says_which_benchmark(three):
    report = build(three)
    for title in ("Ranking", "Score against accuracy", "Metrics against each other", "Coverage", "Cost"):
        (section,) = [s for s in report.sections if s.title == title]
        said = [t.caption for t in section.tables] + [f.caption for f in section.figures]
        assert said
        assert all(any(f"{b}: cifar10" in text for b in THREE) for text in said)


def test_titles_are_spelt_as_the_field_does(three):
    assert default_title(three.analyses) == "Training-free metrics on NAS-Bench-101, NAS-Bench-201 and NAS-Bench-301"
    assert default_title(three.analyses[:1] * 2) == "Training-free metrics on NAS-Bench-101"
    mine = replace(three.analyses[0], table=replace(three.analyses[0].table, benchmark="my_bench"))
    assert default_title((mine,)) == "Training-free metrics on my_bench"


def test_average_ranks_are_those_of_the_analysis(three):
    found = three.across
    table = across.average_ranks(found)
    assert cells(table, "metric") == list(found.metrics)
    assert [e.value for e in cells(table, "average_rank")] == [e.value for e in found.average]
    for k, name in enumerate(found.benchmarks):
        assert cells(table, f"rank_{name}") == found.block_ranks[k].tolist()
    roles = dict(zip(cells(table, "metric"), cells(table, "role"), strict=True))
    assert roles == {"nwot": "metric", "params": "baseline", "snip": "metric"}


def test_spearman_table_holds_every_metric_and_target(three):
    table = across.spearman(three)
    for label, analysis in three.labelled():
        shown = cells(table, f"spearman_{label.replace(': ', '_')}")
        assert shown == [analysis.estimate(m, "spearman") for m in cells(table, "metric")]


def test_metrics_that_are_missing_somewhere_are_listed_and_not_ranked(make_table):
    tables = [
        make_table(benchmark="a", target="x"), make_table(benchmark="a", target="y", undefined="some"),
        make_table(benchmark="b", target="x", names=("nwot", "params", "flops", "extra")),
    ]  # fmt: skip
    data = ReportInput("t", tuple(analyse(t, undefined="drop", resamples=10) for t in tables))
    assert set(data.across.metrics) == {"params", "flops"}
    table = across.not_ranked(data)
    rows = {row[0]: row[2:] for row in table.rows}
    assert rows["nwot"] == (2, "a (x), b", "a (y)")
    assert rows["extra"] == (1, "b", "a")
    assert rows["jacov"] == (2, "a", "b")
    section = across.section(data)
    assert section.tables[-1].name == "across_spearman"
    assert len(section.tables[-1].rows) == len(rows) + 2
    picture = section.figures[-1]
    assert picture.svg.count("–") == 1  # nwot is undefined on a: y
    assert picture.caption.endswith("under the line: not ranked.")
    assert "params (baseline)" in picture.svg


def test_summary_begins_with_all_benchmarks(three):
    sentences = summary(three)
    assert len(sentences) == 4
    best = [m for m, e in zip(three.across.metrics, three.across.average, strict=True)
            if e.value == three.across.average[0].value]  # fmt: skip
    assert sentences[0].startswith("Over 3 targets of 3 benchmarks ")
    assert all(m in sentences[0] for m in best)
    assert "It rests on only" not in sentences[0]
    assert all(label in text for label, text in zip(three.labels, sentences[1:], strict=True))


def test_the_lead_says_where_it_rests_on_few(make_input):
    lead = summary(make_input(12, benchmarks=("a", "b"), names=FEW))[0]
    assert "It rests on only 12 architectures of a and 12 architectures of b." in lead


def test_many_targets_are_told_in_a_table(make_input):
    data = make_input(targets=("cifar10", "cifar100", "imagenet16_120"), benchmarks=("a", "b"), names=FEW)
    assert len(summary(data)) == 1
    said = dict(facts(data))
    assert said["a"] == "40 architectures; 3 targets: cifar10, cifar100, imagenet16_120"
    table = provenance.section(data).tables[0]
    assert cells(table, "target") == list(data.labels)
    assert cells(table, "architectures") == [40] * 6
    assert cells(table, "truth")[1] == "cifar100 test accuracy after 200 epochs"


def test_what_only_some_targets_share_names_them(make_input):
    data = make_input(3, targets=("cifar10", "cifar100", "imagenet16_120"))
    other = replace(data.analyses[2], table=replace(data.analyses[2].table, recipe="gaussian"))
    said = dict(facts(ReportInput("t", (*data.analyses[:2], other))))
    assert said["Scores (cifar10, cifar100)"] == "digits, batch 32, pytorch@1"
    assert said["Scores (imagenet16_120)"] == "gaussian"
    assert "Architectures" in said


def test_verdicts_are_computed():
    def ranks(*values):
        return dict(zip("abcdefghijk", values, strict=False))

    spread = ranks(*range(1, 12))
    same = np.tile(np.arange(1.0, 12.0), (2, 1))
    few = critical_difference.verdict(friedman(same), "2 benchmarks", spread)
    assert few == (
        "With 2 benchmarks nothing can be significant, not even a metric that is always first against one that is "
        "always last: for 11 metrics it takes at least 3 blocks."
    )
    many = friedman(np.tile(np.arange(1.0, 12.0), (9, 1)))  # critical difference 5.03
    text = critical_difference.verdict(many, "9 benchmarks", spread)
    assert text.endswith("and 15 of 55 pairs do (Nemenyi at .05), widest apart the best, a, and the worst, k.")
    close = ranks(1, 2, 3, 4, 5, 5, 5, 5, 5, 6.5, 7.2)
    text = critical_difference.verdict(many, "9 benchmarks", close)
    assert text.endswith("and of single pairs a ranks above j, a ranks above k and b ranks above k (Nemenyi at .05).")
    none = critical_difference.verdict(many, "9 benchmarks", ranks(4, *[5] * 9, 6))
    assert none.endswith("no two of them can be told apart, not even the best, a, and the worst, k.")
    chance = friedman(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 1.0, 3.0], [3.0, 1.0, 2.0]]))
    assert "finds no difference" in critical_difference.verdict(chance, "4 benchmarks", ranks(1, 2, 3))
    tied = friedman(np.ones((4, 3)))
    text = critical_difference.verdict(tied, "4 benchmarks", ranks(2, 2, 2))
    assert text == "Over 4 benchmarks all metrics are tied."


def test_targets_of_one_benchmark_are_called_dependent(make_input, three):
    one = make_input(targets=("cifar10", "cifar100"), names=FEW)
    notes = critical_difference.comparison(one.across).notes
    assert "with a single benchmark the comparison describes these targets and no others" in notes[-1]
    assert cells(critical_difference.comparison(one.across), "blocks") == ["targets"]
    assert cells(critical_difference.comparison(three.across), "blocks") == ["benchmarks"]
    mixed = make_input(targets=("cifar10", "cifar100"), benchmarks=("a", "b"), names=FEW)
    table = critical_difference.comparison(mixed.across)
    assert (cells(table, "blocks"), cells(table, "n")) == (["benchmarks", "targets"], [2, 4])
    assert "count every benchmark once" in table.notes[-1]


def test_the_diagram_shows_every_metric_and_every_group(make_input):
    found = make_input(benchmarks=tuple("abcdefgh"), names=tuple("uvwxyz")).across
    # Same data in every benchmark: the metrics rank alike throughout.
    assert found.test.rejects
    assert len(found.groups) > 1
    figure = critical_difference.diagram(found)
    for metric, average in zip(found.metrics, found.average, strict=True):
        assert f"{metric}  {average.value:.1f}" in figure.svg or f"{average.value:.1f}  {metric}" in figure.svg
    assert figure.svg.count(svg.BLUE) == len(found.groups)
    assert figure.svg.count(svg.ORANGE) == 3  # the critical difference, with its two ends
    assert cells(critical_difference.alike(found), "metrics") == [", ".join(group) for group in found.groups]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, ".50"), (-0.25, "−.25"), (1.0, "1.00"), (-1.0, "−1.00"), (0.994, ".99"), (0.998, ".998"), (-0.9973, "−.997"),
     (0.99999, ".999"), (-0.99999, "−.999"), (0.0, ".00"), (-0.001, ".00"), (math.nan, "–")],
)  # fmt: skip
def test_numbers_in_cells(value, text):
    assert cell_text(value) == text


def test_grid_leaves_out_what_is_absent_and_frames_what_is_undefined():
    values = np.array([[0.5, np.nan], [-0.5, np.nan]])
    drawn = colour_grid("grid", "alt", values, ("a", "b"), ("c", "d"), absent=np.array([[False, False], [False, True]]))
    assert drawn.count("–") == 1
    assert drawn.count(svg.BLUE) == drawn.count(svg.ORANGE) == 1
    assert 'aria-label="alt"' in drawn


def test_costs_stand_beside_the_truth_and_enter_nothing_else(make_input):
    data = make_input(targets=("cifar10", "cifar100"), costs=("raspi4_latency", "fpga_energy"), names=FEW)
    table = hardware.relation(data, "nasbench201")
    titles = [c.title for c in table.columns[2:]]
    assert titles == [
        "cifar10, n = 40", "cifar100, n = 40", "raspi4 latency, n = 40", "fpga energy, n = 40",
    ]  # fmt: skip
    cost = data.costs[0]
    expected = [cost.estimate(m, "spearman") for m in cells(table, "metric")]
    assert cells(table, "cost_raspi4_latency") == expected
    report, without = build(data), build(replace(data, costs=()))
    assert report.summary == without.summary
    assert dict(report.facts)["Costs"].startswith("2 costs of the architectures of nasbench201 from robot")
    (section,) = [s for s in report.sections if s.anchor == "hardware"]
    others = [s for s in report.sections if s not in (section,) and s.anchor != "provenance"]
    assert others == [s for s in without.sections if s.anchor != "provenance"]


def test_costs_are_not_negated(make_input):
    data = make_input(costs=("raspi4_latency",), names=FEW)
    cost = data.costs[0]
    slow = of(cost, values=np.repeat(cost.table.truth[:, None, None], 3, axis=1), higher_is_better=(True,) * 3)
    table = hardware.relation(replace(data, costs=(slow,)), "nasbench201")
    assert [e.value for e in cells(table, "cost_raspi4_latency")] == [1.0] * 3


def test_costs_without_a_truth_of_their_benchmark(make_input, three):
    costs = make_input(costs=("raspi4_latency",), names=FEW).costs
    foreign = tuple(replace(c, table=replace(c.table, benchmark="natsbench_size")) for c in costs)
    data = ReportInput("t", three.analyses, costs=foreign)
    assert data.cost_labels == ("natsbench_size: cifar10/raspi4_latency",)
    section = hardware.section(data)
    assert [c.name for c in section.tables[0].columns[2:]] == ["cost_raspi4_latency"]
    assert "Left of the line" not in section.figures[0].caption


def test_accuracies_are_percent_and_others_in_their_own_unit(make_input):
    loss = make_input(measure="negative_loss").analyses[0]
    plain = make_input().analyses[0]
    assert Measure.of(plain.table) == Measure("accuracy", "accuracy", True, 1)
    assert Measure.of(loss.table).words == "negative loss"
    table = finding("x", loss)
    assert cells(table, "regret_top1_negative_loss")[1:] == [
        loss.estimate(m, "regret_top1") for m in cells(table, "metric")[1:]
    ]
    assert table.columns[-1].title == "Regret of top 5, negative loss"
    assert table.columns[-1].digits == Measure.of(loss.table).digits == 3
    assert "percent points" not in " ".join(table.notes)
    assert "percent points" in " ".join(finding("x", plain).notes)
    assert "score and negative loss" in beyond_size("x", loss).notes[0]
    assert ranking.ranking("x", loss).caption == "x: rank correlation of every metric with the trained negative loss."


def test_plots_have_the_axis_of_their_measure(make_input):
    loss, plain = make_input(measure="negative_loss", names=FEW), make_input(names=FEW)
    assert "negative loss" in scatter.section(loss).figures[0].svg
    assert "accuracy, %" not in scatter.section(loss).figures[0].svg
    assert "accuracy, %" in scatter.section(plain).figures[0].svg
    assert (scatter.section(plain).title, scatter.section(loss).title) == (
        "Score against accuracy", "Score against ground truth",
    )  # fmt: skip
    both = ReportInput("t", plain.analyses + loss.analyses)
    assert "Accuracies are spread" in scatter.section(both).intro[1]
    assert "Accuracies" not in scatter.section(loss).intro[1]


def test_negative_values_are_plotted(make_input):
    """A negative loss is no fraction: its logarithm of the error would be nonsense."""
    analysis = make_input(names=FEW).analyses[0]
    shifted = of(analysis, truth=analysis.table.truth - 3.0, measure="negative_loss")
    labels = re.findall(r">(−[\d.]+)<", scatter.plot("x", shifted, "nwot").svg)
    assert sum(-2.4 < float(label.replace("−", "-")) < -2.0 for label in labels) >= 2  # the truth's own values


@pytest.mark.parametrize(("spread", "digits"), [(0.05, 3), (0.5, 2), (30.0, 0), (0.0, 3), (1e-9, 6)])
def test_digits_follow_the_spread(make_table, spread, digits):
    table = replace(make_table(measure="ssim"), truth=np.array([-1.0, 1.0] * 20) * spread)
    assert Measure.of(table).digits == digits


def test_crowded_pages_hold_pictures_of_points(make_input, monkeypatch):
    data = make_input(250, names=("nwot",))
    assert "<image" not in scatter.section(data).figures[0].svg
    monkeypatch.setattr(scatter, "CROWDED", 100)
    assert scatter.section(data).figures[0].svg.count("<image") == 1


def test_csv_of_the_whole_published_table(make_input):
    data = make_input(benchmarks=("nasbench201",), targets=("cifar10", "cifar100"))
    (section,) = [s for s in build(data).sections if s.title == "Reproduction"]
    lines = list(csv.DictReader(io.StringIO(csv_table(section.tables[0]))))
    assert section.tables[0].name == "published_nas_bench_suite_zero_spearman"
    assert len(lines) == 19
    by_key = {line["column"]: line for line in lines}
    ours = data.analyses[0].estimate("nwot", "spearman")
    cell = by_key["NB201-C10"]
    assert (float(cell["nwot_published"]), float(cell["nwot"]), int(cell["nwot_n"])) == (0.77, ours.value, 40)
    assert cell["nwot_covered"] == str(ours.low <= 0.775 and ours.high >= 0.765)
    assert by_key["TNBma-Seg"]["nwot_published"] == "0.8"
    assert by_key["TNBma-Seg"]["nwot"] == by_key["TNBma-Seg"]["nwot_covered"] == ""
    assert sum(bool(value) for line in lines for name, value in line.items() if name.endswith("_published")) == 13 * 19
