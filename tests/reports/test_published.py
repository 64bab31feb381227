import re
from dataclasses import replace

import pandas as pd
import pytest

from zcbench.harness.aggregate import aggregates
from zcbench.harness.analysis.table import Compared
from zcbench.harness.registry import metrics
from zcbench.harness.types import Estimate
from zcbench.reports import markdown
from zcbench.reports.citations import PublishedTruth, parse, published
from zcbench.reports.comparison import Measured, covered, differences, measure, requests
from zcbench.reports.html import html
from zcbench.reports.html_table import table as html_table
from zcbench.reports.latex import latex
from zcbench.reports.published_table import published_table
from zcbench.reports.reproduction import comparison, section
from zcbench.reports.section import Report, ReportInput, Section

KNOWN = {
    "params", "flops", "layers", "l2_norm", "grad_norm", "plain", "snip", "grasp", "fisher", "jacov",
    "epe_nas", "nwot", "synflow", "zen", "swap", "swap_regularised",
    "gradsign", "zico", "te_nas", "az_nas", "vkdnw", "vkdnw_agg", "meco", "dextr", "t_cet",
}  # fmt: skip
SUPERVISED = {"graf", "libra"}
SPOT = [
    ("nas_bench_suite_zero", "nwot", "spearman", "NB201-C10", 0.77),
    ("nas_bench_suite_zero", "plain", "spearman", "NB201-IN16", -0.22),
    ("nas_bench_suite_zero", "epe_nas", "spearman", "NB201-C100", 0.60),
    ("nas_bench_suite_zero", "jacov", "spearman", "NB101", -0.29),
    ("nas_bench_suite_zero", "nwot", "spearman", "TNBma-Seg", 0.80),
    ("nas_bench_suite_zero", "grasp", "spearman", "TNBma-Obj", -0.64),
    ("nas_bench_suite_zero", "synflow", "spearman", "NB301", 0.18),
    ("zero_cost_nas", "grad_norm", "spearman", "NB201-C10", 0.594),
    ("zero_cost_nas", "jacov", "spearman", "NB201-IN16", 0.701),
    ("zero_cost_nas", "fisher", "spearman", "NB201-C100", 0.385),
    ("zero_cost_nas", "jacov", "spearman", "NB101", 0.378),
    ("vkdnw", "flops", "kendall", "C10", 0.623),
    ("vkdnw", "layers", "spearman", "IN16-120", 0.764),
    ("vkdnw", "nwot", "spearman", "C100", 0.799),
    ("vkdnw", "gradsign", "spearman", "C10", 0.765),
    ("vkdnw", "vkdnw_agg", "kendall", "IN16-120", 0.743),
    ("az_nas", "az_nas", "spearman", "C10", 0.913),
    ("az_nas", "az_nas", "kendall", "IN16-120", 0.710),
    ("az_nas", "swap", "spearman", "IN16-120", 0.774),
    ("az_nas", "zico", "kendall", "C100", 0.620),
    ("az_nas", "params", "spearman", "C10", 0.751),
    ("meco", "meco", "spearman", "C100", 0.883),
    ("meco_nasbench301", "meco", "spearman", "NB301", 0.70),
    ("dextr", "dextr", "spearman", "NB201-IN16", 0.87),
    ("l_swag", "te_nas", "spearman", "TNBmi-AE", -0.41),
    ("l_swag", "t_cet", "spearman", "NB201-C100", 0.80),
    ("l_swag", "az_nas", "spearman", "TNBmi-Seg", 0.72),
    ("swap", "swap_regularised", "spearman", "NB201-C100", 0.90),
]
TABLES = (
    "nas_bench_suite_zero", "zero_cost_nas", "vkdnw", "az_nas", "meco", "meco_nasbench301", "dextr", "l_swag", "swap",
)  # fmt: skip
"""Tables of metrics; that of operation scores has rows of another kind and tests of its own."""

NO_ARXIV = {"meco", "meco_nasbench301"}
"""Papers that are not on arXiv, as far as is known."""


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_cited_and_plausible(name):
    paper = published()[name]
    assert paper.id == name
    assert re.fullmatch(r"\d{4}\.\d{5}", paper.arxiv) or name in NO_ARXIV
    assert all((paper.title, paper.authors, paper.venue, paper.where, paper.init_text, paper.caveats))
    assert paper.title in paper.citation
    for column in paper.columns.values():
        assert column.truth or not column.truths  # empty: not recorded here
        assert column.architectures is None or column.architectures > 0
        assert column.population in {"all", "no_dead_edge"}
    for row in paper.rows:
        assert row.metric in KNOWN | SUPERVISED
        assert row.values
        for figures in row.values.values():
            assert all(-1 <= value <= 1 for value in figures.values())
            assert all(round(value, paper.digits) == value for value in figures.values())
            assert not paper.absolute or min(figures.values()) >= 0
    assert len({row.metric for row in paper.rows}) == len(paper.rows)


@pytest.mark.parametrize(("table", "metric", "statistic", "column", "value"), SPOT)
def test_figures_are_as_printed(table, metric, statistic, column, value):
    (row,) = [r for r in published()[table].rows if r.metric == metric]
    assert row.values[statistic][column] == value


def test_sizes_of_the_tables():
    tables = [published()[name] for name in TABLES]
    assert {p.id: (len(p.rows), len(p.columns)) for p in tables} == {
        "nas_bench_suite_zero": (13, 19),
        "zero_cost_nas": (6, 4),
        "vkdnw": (16, 3),
        "az_nas": (10, 3),
        "meco": (1, 3),
        "meco_nasbench301": (1, 1),
        "dextr": (1, 5),
        "l_swag": (4, 12),
        "swap": (2, 1),
    }
    counts = {p.id: sum(len(f) for r in p.rows for f in r.values.values()) for p in tables}
    assert counts == {
        "nas_bench_suite_zero": 13 * 19, "zero_cost_nas": 24, "vkdnw": 16 * 6 - 3, "az_nas": 10 * 6, "meco": 3,
        "meco_nasbench301": 1, "dextr": 5, "l_swag": 3 * 12 + 5, "swap": 2,
    }  # fmt: skip


def test_every_row_is_a_metric_or_an_aggregate_of_ours():
    ours = {*metrics(), *aggregates(), *SUPERVISED}
    assert {row.metric for name in TABLES for row in published()[name].rows} <= ours


def test_every_aggregate_says_so_where_it_stands():
    for name in TABLES:
        for row in published()[name].rows:
            assert (row.metric in aggregates()) == row.note.startswith("an aggregate")


def test_what_a_reader_must_know_is_there():
    suite = published()["nas_bench_suite_zero"]
    assert suite.columns["NB201-C10"].batch_size == 32
    assert "seed 888" in suite.columns["NB201-C10"].truth
    assert "half" in suite.columns["NB201-C10"].truth
    assert "half" not in suite.columns["NB201-C100"].truth
    assert published()["zero_cost_nas"].absolute
    assert {c.architectures for c in published()["vkdnw"].columns.values()} == {9445}


def test_malformed_tables_are_refused():
    with pytest.raises(ValueError, match="without id"):
        parse('short = "x"')
    head = "\n".join(f'{key} = "x"' for key in ("id", "short", "title", "authors", "venue", "where"))
    text = f"{head}\nabsolute = false\ndigits = 2\ncaveats = []\ncolumns = []\n"
    with pytest.raises(ValueError, match="unknown column in spearman"):
        parse(text + '[[rows]]\nmetric = "a"\nprinted = "A"\n[rows.spearman]\nC10 = 0.5\n')


def wanted(target="cifar10"):
    return {r.published: r for r in requests("nasbench201", target)}


def test_requests_name_population_and_truths():
    on_cifar = {"nas_bench_suite_zero", "zero_cost_nas", "vkdnw", "az_nas", "meco", "dextr", "l_swag"}
    assert set(wanted()) == set(wanted("imagenet16_120")) == on_cifar
    assert set(wanted("cifar100")) == on_cifar | {"swap"}
    assert {r.published for r in requests("nasbench301", "cifar10")} == {
        "nas_bench_suite_zero", "meco_nasbench301", "dextr", "l_swag",
    }  # fmt: skip
    assert (wanted()["vkdnw"].population, wanted()["vkdnw"].dataset) == ("no_dead_edge", "cifar10")
    assert wanted()["vkdnw"].statistics == ("spearman", "kendall")
    assert wanted()["nas_bench_suite_zero"].statistics == ("spearman",)
    assert "nwot" in wanted()["nas_bench_suite_zero"].metrics
    assert requests("nasbench201", "cifar10_analog") == []


def test_truths_come_in_order_of_preference():
    assert wanted()["nas_bench_suite_zero"].truths == (
        PublishedTruth("naslib", "cifar10", None),
        PublishedTruth("nats-tss-v1_0", "cifar10-valid", 888),
        PublishedTruth("nasbench201-v1_1", "cifar10-valid", 888),
    )
    assert wanted("cifar100")["nas_bench_suite_zero"].truths == (
        PublishedTruth("naslib", "cifar100"),
        PublishedTruth("nats-tss-v1_0", "cifar100", 888),
        PublishedTruth("nasbench201-v1_1", "cifar100", 888),
    )
    means = tuple(PublishedTruth(s, "cifar100") for s in ("robot", "nasbench201-v1_1", "nats-tss-v1_0"))
    assert wanted("cifar100")["vkdnw"].truths == wanted("cifar100")["zero_cost_nas"].truths == means
    # trained on half of the data, so robot's CIFAR-10 is not the same
    assert {t.dataset for t in wanted()["zero_cost_nas"].truths} == {"cifar10-valid"}


def test_half_of_the_data_is_a_target_of_its_own():
    found = wanted("cifar10-valid")
    assert set(found) == {"nas_bench_suite_zero", "zero_cost_nas", "meco", "dextr"}
    assert found["nas_bench_suite_zero"] == wanted()["nas_bench_suite_zero"]


@pytest.mark.parametrize("paper", ["nas_bench_suite_zero", "vkdnw", "zero_cost_nas", "az_nas", "meco", "dextr"])
def test_every_truth_of_a_request_is_no_difference(paper, make_table):
    request = wanted()[paper]
    options = {"images": "cifar10", "batch_size": 32, "init": "pytorch@1"}
    for truth in request.truths:
        said = differences(request, make_table(40), **options, truth=truth)
        assert not [text for text in said if text.startswith("truth")]
        assert differences(request, make_table(40), **options, truth=truth, epochs=200) == said
        for other in ({"split": "valid"}, {"epochs": 12}):
            said = differences(request, make_table(40), **options, truth=truth, **other)
            assert said[-1].startswith("truth: cifar10 test accuracy after 200 epochs, not ")


def test_differences_are_named(make_table):
    table = make_table(40)
    options = {"images": "digits", "batch_size": 32, "init": "pytorch@1"}
    said = differences(wanted()["nas_bench_suite_zero"], table, **options, truth=None)
    assert said == (
        "digits instead of cifar10 images",
        "40 architectures, not 1,000",
        "truth: cifar10 test accuracy after 200 epochs, not test accuracy of training seed 888, "
        "200 epochs, network trained on half of the data",
    )
    foreign = PublishedTruth("robot", "cifar10")  # a truth, but not one of this column
    assert differences(wanted()["nas_bench_suite_zero"], table, **options, truth=foreign) == said
    options = {"images": "cifar10", "batch_size": 8, "init": "normal@1"}
    said = differences(wanted()["vkdnw"], table, **options, truth=foreign)
    assert said == (
        "1 initialisation, not 5 runs",
        "all architectures, not cells without a dead edge",
        "40 architectures, not 9,445",
    )
    options = {"images": "cifar10", "batch_size": 32, "init": "kaiming_normal"}
    said = differences(wanted()["zero_cost_nas"], table, **options, truth=None)
    assert said[:3] == (
        "batch 32, not 64",
        "kaiming_normal initialisation",
        "40 architectures, not 15,625",
    )
    assert said[3].endswith(", not " + published()["zero_cost_nas"].columns["NB201-C10"].truth)


def test_an_unknown_number_of_architectures_is_no_difference(make_table):
    (request,) = [r for r in requests("nasbench301", "cifar10") if r.published == "meco_nasbench301"]
    found = differences(request, make_table(40), images="cifar10", batch_size=32, init="pytorch@1", truth=None)
    assert len(found) == 1
    assert found[0].startswith("truth: ")
    estimates = {("meco", "spearman"): Estimate(0.7, 0.6, 0.8, 40, 0, "bootstrap")}
    table = comparison(Measured(request, estimates, found), "spearman")
    assert any("a number of architectures that is not recorded here" in note for note in table.notes)


def test_a_column_asked_for_twice_is_shown_once(make_input):
    data = make_input(3)
    once = section(data).tables
    assert once
    object.__setattr__(data, "measured", [*data.measured, *data.measured])
    assert section(data).tables == once


def measured(published_id, **values):
    (request,) = [r for r in requests("nasbench201", "cifar10") if r.published == published_id]
    estimates = {(m, "spearman"): Estimate(*v, 50, 0, "bootstrap") for m, v in values.items()}
    return Measured(request, estimates, ("a", "b"))


def test_comparison_holds_ours_against_theirs():
    table = comparison(
        measured("nas_bench_suite_zero", nwot=(0.80, 0.75, 0.85), plain=(0.1, 0.0, 0.2)), "spearman"
    )
    rows = {row[0]: row[2:] for row in table.rows}
    assert rows["nwot"][0] == 0.77
    assert rows["nwot"][2] == pytest.approx(0.03)
    assert rows["nwot"][3:] == ("yes", "a; b")
    assert rows["plain"][2] == pytest.approx(0.36)
    assert rows["plain"][3] == "no"
    assert "arXiv:2210.03230" in table.notes[0]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.70, 0.80, True), (0.774, 0.80, True), (0.776, 0.80, False), (0.70, 0.766, True), (0.70, 0.764, False),
     (float("nan"), float("nan"), None)],
)  # fmt: skip
def test_a_figure_is_covered_up_to_its_rounding(low, high, said):
    """.77 was printed for anything between .765 and .775."""
    assert covered(Estimate(0.75, low, high, 50, 0, "bootstrap"), 0.77, 2) is said


def suite(**values):
    paper = published()["nas_bench_suite_zero"]
    return published_table(paper, [measured("nas_bench_suite_zero", **values)])


def test_the_whole_table_holds_ours_beside_theirs():
    table = suite(nwot=(0.80, 0.75, 0.85), plain=(0.1, 0.0, 0.2))
    assert len(table.rows) == 19
    assert len(table.columns) == 2 + 13
    rows = {row[0]: row for row in table.rows}
    at = [c.name for c in table.columns].index
    assert rows["NB201-C10"][at("nwot")] == Compared(0.77, Estimate(0.80, 0.75, 0.85, 50, 0, "bootstrap"), True)
    assert rows["NB201-C10"][at("plain")].covered is False
    assert rows["NB201-C10"][at("zen")] == Compared(0.35)
    assert rows["NB101"][at("nwot")] == Compared(0.31)
    assert rows["TNBmi-Obj"][1] == "transnasbench101_micro: class_object"


def test_the_whole_table_prints_the_caveats_of_its_populations():
    notes = suite(nwot=(0.80, 0.75, 0.85)).notes
    assert any(n.startswith("What differs, NB201-C10: a; b") for n in notes)
    assert any(n.startswith("NB101: Another population") and "10,000 cells" in n for n in notes)
    assert any(n.startswith("TNBmi-AE to TNBma-Seg: A printed 0.00") for n in notes)
    assert any("no sign is touched" in n for n in notes)


def test_compared_cells_in_every_renderer():
    table = suite(nwot=(0.80, 0.75, 0.85), plain=(0.1, 0.0, 0.2))
    text = markdown.table(table)
    row = next(line for line in text.splitlines() if line.startswith("| NB201-C10"))
    assert "| 0.80 / 0.77 |" in row
    assert "| 0.10 ≠ −0.26 |" in row
    assert "| 0.35 |" in row
    assert r"0.10 {\footnotesize $\neq$ $-$0.26}" in latex(table)
    (section,) = [Section("S", "s", tables=(table,))]
    page = html(Report("t", (), (), (section,)))
    assert page.count('class="n apart"') == 1
    assert '<table id="table-published_nas_bench_suite_zero_spearman" class="dense">' in page


def test_signless_tables_are_compared_by_absolute_value():
    made = measured("zero_cost_nas", snip=(-0.6, -0.7, -0.5), grasp=(0.1, -0.2, 0.55), fisher=(0.3, 0.2, 0.3))
    rows = {row[0]: row[2:6] for row in comparison(made, "spearman").rows}
    assert rows["snip"][1].value == -0.6
    assert rows["snip"][2] == pytest.approx(0.6 - 0.596)
    assert [rows[m][3] for m in ("snip", "grasp", "fisher")] == ["yes", "yes", "no"]


def test_a_mark_without_a_sign_stands_on_the_side_of_ours():
    """A mark at +.60 beside a bar at -.60 looked like a contradiction where there is none."""
    made = measured("zero_cost_nas", snip=(-0.6, -0.7, -0.5), grasp=(0.5, 0.4, 0.55))
    made = replace(made, request=replace(made.request, statistics=("spearman",)))
    part = section(ReportInput("t", (), measured=(made,)))
    (table,), (bars,) = part.tables, part.bars
    marks = {row.cells[0].text: row.cells[3].bar for row in html_table(table, (bars,)).rows}
    assert marks["snip"].mark < marks["snip"].zero < marks["grasp"].mark
    assert (bars.low, bars.unsigned) == (-0.8, True)
    assert [c.title for c in table.columns if c.name == "difference"] == ["|Ours| − |Published|"]
    assert any("the published value has none" in note for note in table.notes)


def test_what_belongs_to_other_columns_is_not_said(make_table):
    """The files that zero-cost-nas read for NAS-Bench-201 say nothing of its NAS-Bench-101 column."""
    paper = published()["zero_cost_nas"]
    assert "hp=200" not in " ".join([*paper.caveats, *paper.columns["NB101"].caveats])
    assert all("hp=200" in paper.columns[f"NB201-{key}"].caveats[0] for key in ("C10", "C100", "IN16"))
    (request,) = [r for r in requests("nasbench101", "cifar10") if r.published == "zero_cost_nas"]
    found = differences(request, make_table(40), images="cifar10", batch_size=64, init="pytorch@1", truth=None)
    assert found[-1].endswith("after 200 epochs; that of the publication is not recorded here")
    assert "not not" not in " ".join(found)


def test_further_differences_stand_with_the_others(make_input):
    analysis = make_input().analyses[0]
    (request,) = [r for r in requests("nasbench201", "cifar10") if r.published == "vkdnw"]
    options = {"images": "digits", "batch_size": 32, "init": "pytorch@1", "truth": None}
    plain = measure(request, analysis, **options)
    found = measure(request, analysis, **options, others=("networks with cells=8", "images of 64 x 64"))
    assert found.differences == (*plain.differences, "networks with cells=8", "images of 64 x 64")


def test_measure_takes_the_metrics_that_were_scored(make_input):
    analysis = make_input().analyses[0]
    (request,) = [r for r in requests("nasbench201", "cifar10") if r.published == "vkdnw"]
    found = measure(request, analysis, images="digits", batch_size=32, init="pytorch@1", truth=None)
    assert set(found.estimates) == {
        (m, s) for m in ("flops", "grad_norm", "jacov", "layers", "nwot") for s in ("spearman", "kendall")
    }


def test_section_without_measurements(make_input):
    data = make_input(3)
    bare = ReportInput("t", data.analyses)
    assert not section(bare).tables
    assert section(bare).notes


def test_what_was_read_in_code_names_repository_and_file():
    for name, where in (
        ("zero_cost_nas", "nasbench2_pred.py stores it"),
        ("zero_cost_nas", "github.com/SamsungLabs/zero-cost-nas at "),
        ("vkdnw", "NB201/tss_general_.py in github.com/ondratybl/VKDNW at "),
        ("vkdnw", "NB201/tss_analyze.ipynb in github.com/ondratybl/VKDNW at "),
        ("az_nas", "NB201/tss_general.ipynb in github.com/cvlab-yonsei/AZ-NAS at "),
        ("meco", "correlation/NAS_Bench_201.py"),
    ):
        paper = published()[name]
        caveats = [*paper.caveats, *(caveat for column in paper.columns.values() for caveat in column.caveats)]
        assert any(where in caveat for caveat in caveats)


def test_every_column_of_the_suite_can_be_asked_for():
    """13 x 19: each column is found by benchmark and dataset, with a truth of ours that is its own."""
    tasks = ("autoencoder", "class_object", "class_scene", "jigsaw", "normal", "room_layout", "segmentsemantic")
    wanted = {
        "nasbench101": ("cifar10",), "nasbench201": ("cifar10", "cifar100", "imagenet16_120"),
        "nasbench301": ("cifar10",), "transnasbench101_micro": tasks, "transnasbench101_macro": tasks,
    }  # fmt: skip
    found = [
        request for benchmark, targets in wanted.items() for target in targets
        for request in requests(benchmark, target) if request.published == "nas_bench_suite_zero"
    ]  # fmt: skip
    assert sorted(r.column for r in found) == sorted(published()["nas_bench_suite_zero"].columns)
    assert len(found) == 19
    assert all(r.truths[0].source == "naslib" and len(r.metrics) == 13 for r in found)
    splits = {(r.benchmark, t.split) for r in found for t in r.truths}
    assert splits == {(b, "test" if b == "nasbench201" else "valid") for b in wanted}


@pytest.mark.parametrize("name", ["transnasbench101_micro", "transnasbench101_macro"])
def test_a_task_is_found_by_its_own_measure(name):
    def of_suite(target):
        return [r for r in requests(name, target) if r.published == "nas_bench_suite_zero"]

    assert of_suite("autoencoder/ssim") == of_suite("autoencoder")
    assert of_suite("room_layout/negative_loss") == of_suite("room_layout")
    assert requests(name, "room_layout/ssim") == requests("nasbench201", "cifar10/edgegpu_latency") == []
    (request,) = of_suite("normal")
    assert request.truths == (PublishedTruth("naslib", "normal", None, "valid", "ssim"),)


def test_a_truth_on_the_published_split_is_no_difference(make_table):
    (request,) = [r for r in requests("nasbench101", "cifar10") if r.published == "nas_bench_suite_zero"]
    (truth,) = request.truths
    options = {"images": "cifar10", "batch_size": 32, "init": "pytorch@1", "truth": truth}
    for split in (None, "valid"):
        assert differences(request, make_table(40), **options, split=split) == ("40 architectures, not 1,000",)
    assert differences(request, make_table(40), **options, split="test")[-1].startswith("truth: ")


@pytest.mark.parametrize(
    ("table", "name", "tasks"),
    [("nasbench101", "nasbench101", None), ("nasbench301_surrogate", "nasbench301", None),
     ("transnasbench101_micro", "transnasbench101_micro", 7), ("transnasbench101_macro", "transnasbench101_macro", 7)],
)  # fmt: skip
def test_the_named_truths_are_in_the_tables(table, name, tasks, data_folder):
    frame = pd.read_parquet(data_folder / f"{table}.parquet")
    columns = [c for c in published()["nas_bench_suite_zero"].columns.values() if c.benchmark == name]
    assert len(columns) == (tasks or 1)
    for column in columns:
        (truth,) = column.truths
        rows = frame[["source", "dataset", "split", "metric"]] == [
            truth.source, truth.dataset, truth.split, truth.metric,
        ]  # fmt: skip
        assert rows.all(axis=1).any()
