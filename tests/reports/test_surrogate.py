"""A truth that a surrogate predicted is never called trained."""

import json
from dataclasses import replace

from zcbench.harness.analysis.output import write
from zcbench.reports.html import html
from zcbench.reports.report import build
from zcbench.reports.section import ReportInput

FEW = ("nwot", "params", "synflow")


def test_a_report_on_a_surrogate_speaks_of_no_trained_accuracy(make_input):
    data = replace(make_input(benchmarks=("nasbench301",), names=FEW, kind="surrogate"), measured=())
    page = html(build(data))
    assert data.labels == ("cifar10 (surrogate)",)
    assert "cifar10 (surrogate): rank correlation of every metric with the predicted accuracy (surrogate)." in page
    assert ">predicted accuracy (surrogate), %<" in page  # the axis of the plots
    assert "as a surrogate predicts that training would" in page
    for wrong in ("trained accuracy", "as training did", "trained best"):
        assert wrong not in page


def test_beside_a_trained_benchmark_the_surrogate_is_marked(make_input):
    trained = make_input(benchmarks=("nasbench201",), names=FEW).analyses
    predicted = make_input(benchmarks=("nasbench301",), names=FEW, kind="surrogate").analyses
    data = ReportInput("t", trained + predicted)
    assert data.labels == ("nasbench201: cifar10", "nasbench301: cifar10 (surrogate)")
    report = build(data)
    by_anchor = {s.anchor: s for s in report.sections}
    mixed = "as training did, or as a surrogate predicts for nasbench301: cifar10 (surrogate)"
    assert mixed in by_anchor["ranking"].intro[0]
    captions = {f.name: f.caption for f in by_anchor["across"].figures}
    assert mixed in captions["across_heatmap"]
    assert "trained accuracy or predicted accuracy (surrogate) upwards" in by_anchor["scatter"].intro[0]
    assert "nasbench301: cifar10 (surrogate)" in report.summary[2]
    assert any("(nasbench301: cifar10 (surrogate))" in name for name, _ in report.facts)
    assert [t.caption.rpartition(" with the ")[2] for t in by_anchor["ranking"].tables[::3]] == [
        "trained accuracy.", "predicted accuracy (surrogate).",
    ]  # fmt: skip


def test_two_sources_of_one_surrogate_are_told_apart(make_input):
    data = make_input(benchmarks=("nasbench301",), targets=("cifar10", "cifar10"), names=FEW, kind="surrogate")
    assert data.labels == ("cifar10 (surrogate) (robot)", "cifar10 (surrogate) (robot) 2")


def test_the_file_of_the_analysis_says_the_kind(make_input, tmp_path):
    data = make_input(names=FEW, kind="surrogate")
    _, full = write(data.analyses, tmp_path)
    assert json.loads(full.read_text())["analyses"][0]["kind"] == "surrogate"
