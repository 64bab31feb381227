"""The summary of a report says only what holds on the same architectures, and what the numbers allow to say."""

from dataclasses import replace

import numpy as np
import pytest

from zcbench.harness.analysis.result import OVER_COUNTS
from zcbench.harness.analysis.study import analyse
from zcbench.reports.report import summary
from zcbench.reports.section import ReportInput


@pytest.fixture
def said(make_table):
    """The summary of one target, from a function that fills in the scores of the table."""

    def make(n, names, fill, *, undefined="drop", resamples=50):
        table = make_table(n, names=names)
        fill(table)
        (text,) = summary(ReportInput("t", (analyse(table, undefined=undefined, resamples=resamples),)))
        return text

    return make


def test_trivial_counts_are_compared_on_the_metrics_own_architectures(said):
    """A count that is weak on all, but perfect where the metric is defined, is not passed by the metric."""

    def fill(table):
        table.values[:, 0, 0] = -table.truth  # of the metric, for which low is good
        table.values[:, 1, 0] = table.truth
        table.values[:20, 1, 0] = 1.5 + np.arange(20) % 7  # a count that is wrong on the first twenty only
        table.values[:20, 0, 0], table.outcome[:20, 0, 0] = np.nan, "undefined"

    # the last metric of a table counts as better when low
    def mine(table):
        object.__setattr__(table, "higher_is_better", (False, True))
        fill(table)

    assert "No metric is above the best trivial count" in said(60, ("mine", "params"), mine)
    assert "Only" not in said(60, ("mine", "params"), mine, undefined="worst")


def test_leads_are_intervals_of_differences(make_input, said):
    def fill(table):
        table.values[:, 0, 0] = table.truth
        object.__setattr__(table, "higher_is_better", (True, True, True))

    text = said(40, ("best", "nwot", "params"), fill)
    assert "Only best (by 0." in text
    assert "whole 95 % interval of the difference, a bootstrap paired on the same architectures" in text
    assert "2 metrics were held against it, which the intervals do not correct for." in text
    analysis = make_input(names=("nwot", "params")).analyses[0]
    e = analysis.estimate("nwot", OVER_COUNTS)
    (text,) = summary(ReportInput("t", (analysis,)))
    assert ("No metric is above" in text) == (not e.low > 0)


def test_few_architectures_are_called_few(said):
    assert "on only 6 architectures" in said(6, ("nwot", "params"), lambda table: None)
    assert "On fewer than 10 architectures nothing is said" in said(6, ("nwot", "params"), lambda table: None)
    assert "on 30 architectures" in said(30, ("nwot", "params"), lambda table: None)


def test_what_prints_alike_shares_the_first_place(said):
    def same(table):
        object.__setattr__(table, "higher_is_better", (True,) * 3)
        for i in range(3):
            table.values[:, i, 0] = table.truth if i != 1 else -table.truth

    text = said(40, ("flops", "nwot", "params"), same)
    assert text.startswith("Of 3 metrics, the trivial counts flops and params share the first place with Spearman 1.00")
    assert "the best that is no such count is nwot with −1.00" in text
    text = said(40, ("nwot", "plain", "params"), same)
    assert text.startswith("Of 3 metrics, nwot and params share the first place with Spearman 1.00")
    assert "alone reaches" not in text


def test_metrics_that_are_not_ranked_are_named_with_the_reason(make_input):
    first = make_input(benchmarks=("a",), names=("nwot", "params", "zen")).analyses
    (second,) = make_input(benchmarks=("b",), names=("nwot", "params")).analyses
    second.table.values[:, 0], second.table.outcome[:, 0] = np.nan, "undefined"
    second = analyse(second.table, undefined="drop", resamples=5)
    lead = summary(ReportInput("t", (*first, second)))[0]
    assert "nwot (without a Spearman on b)" in lead
    assert "zen (not scored on b)" in lead
    whole = summary(ReportInput("t", (*first, replace(first[0], table=replace(first[0].table, benchmark="b")))))[0]
    assert "Not ranked" not in whole
