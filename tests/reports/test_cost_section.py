"""The cost section: all metrics in shared passes, and how far that is from what the machine can do."""

from dataclasses import replace

import numpy as np
import pytest

from zcbench.harness.analysis.aggregated import with_aggregates
from zcbench.harness.analysis.effort import Counted, Effort, Evaluations
from zcbench.harness.evaluated import Evaluated, Recorded
from zcbench.reports import cost
from zcbench.reports.cost_limit import limit
from zcbench.reports.html import html
from zcbench.reports.latex import latex
from zcbench.reports.report import build

ONE = Counted("a", {"float32": 4_000_000_000, "float64": 1_000_000_000}, 0.3, "cpu, 1 thread", "one",
              {"float32": 100e9, "float64": 50e9}, {"float32": 512, "float64": 512})  # fmt: skip


def effort(n=10, seeds=1, seconds=0.7, **options):
    return Effort(np.full((n, seeds), seconds), np.ones((n, seeds), dtype=np.int64), **options)


def rows(table):
    return {row[0]: row[1:] for row in table.rows}


def test_all_metrics_in_shared_passes_stand_beside_each_alone(make_table):
    table = cost.cost("cifar10", make_table(10), effort=effort())
    assert rows(table)["all metrics, each alone"][:3] == pytest.approx((3500.0, None, 35.0))
    assert rows(table)["all metrics, in shared passes"] == pytest.approx((700.0, None, 7.0, None, 0))
    assert "7.0 s for 10 networks; each metric alone takes 35.0 s there, 5.0 times as long" in table.notes[1]


def test_only_what_was_recorded_and_ran_passes_is_compared(make_table):
    scores = make_table(10, seeds=2)
    scores.outcome[0, 1], scores.values[0, 1] = "undefined", np.nan
    scores.seconds_standalone[0, 1], scores.seconds_marginal[0, 1] = 0.0, 0.0  # disconnected
    scores.outcome[1, 1, 0], scores.values[1, 1, 0] = "failed", np.nan
    scores.seconds_standalone[1, 1, 0] = scores.seconds_marginal[1, 1, 0] = 0.0
    known = effort(seeds=2, further=True)
    known.seconds[5] = np.nan
    known.evaluations[2:4] = 3
    table = cost.cost("cifar10", scores, effort=known)
    assert rows(table)["all metrics, in shared passes"] == pytest.approx((700.0, None, 16 * 0.7, None, 4))
    notes = " ".join(table.notes)
    assert "for 16 networks, all but 2 that needed no pass and 2 of which it was not recorded" in notes
    assert f"each metric alone takes {16 * 3.5 - 0.5:.1f} s there" in notes
    assert "On 1 of these a metric failed" in notes
    assert "4 of these came to all their metrics in several evaluations, up to 3" in notes
    assert "evaluated along and are not in this table" in notes


def test_nothing_known_is_said(make_table):
    nothing = Effort(np.full((10, 1), np.nan), np.zeros((10, 1), dtype=np.int64))
    table = cost.cost("cifar10", make_table(10), effort=nothing)
    assert "all metrics, in shared passes" not in rows(table)
    assert table.notes[-1].endswith("is not known: it was not recorded with these scores.")
    assert limit("cifar10", nothing) is None
    assert "shared passes" not in " ".join(cost.cost("cifar10", make_table(10)).notes)


def test_the_components_of_aggregates_are_counted_once(make_table):
    names = ("az_expressivity", "az_progressivity", "az_trainability", "flops")
    table = with_aggregates(make_table(10, names=names), undefined="drop")
    assert "az_nas" in table.metrics
    assert rows(cost.cost("cifar10", table))["all metrics, each alone"][2] == pytest.approx(4 * 10 * 0.5)
    assert rows(cost.cost("cifar10", table))["all metrics, own reductions"][3] == pytest.approx(4 * 10 * 0.05)


def test_the_limit_is_the_operations_at_the_rate_of_their_type():
    assert ONE.limit == pytest.approx(0.04 + 0.02)
    assert replace(ONE, flops={"float32": 2_000_000_000}).limit == pytest.approx(0.02)
    assert replace(ONE, flops={}).limit == 0
    assert replace(ONE, rates={"float32": 100e9}).limit is None
    table = limit("cifar10", effort(counted=(ONE, replace(ONE, seconds=0.6), replace(ONE, seconds=0.9))))
    assert [column.name for column in table.columns] == [
        "machine", "networks", "ratio", "taken_ms", "limit_ms", "gflop_float32", "gflop_float64",
        "gflop_per_s_float32", "gflop_per_s_float64", "processor",
    ]  # fmt: skip
    (row,) = table.rows
    assert row == ("cpu, 1 thread", 3, pytest.approx(10), 600.0, pytest.approx(60), 4.0, 1.0, 100.0, 50.0, "one")
    assert "takes 10.0 times as long as its convolutions and matrix products alone would" in table.notes[-1]


def test_machines_have_a_line_each_and_one_without_rate_says_so():
    other = replace(ONE, machine="cuda", rates={}, sizes={})
    single = {"float32": 4_000_000_000}
    table = limit("cifar10", effort(counted=(replace(ONE, flops=single), replace(other, flops=single))))
    assert [row[0] for row in table.rows] == ["cpu, 1 thread", "cuda"]
    assert table.rows[1][1:] == (1, None, 300.0, None, 4.0, None, "one")
    assert "Where there is no rate it was not measured" in " ".join(table.notes)
    assert "float64" not in " ".join(column.title for column in table.columns)


def test_why_nothing_was_counted():
    table = limit("cifar10", effort(uncounted="snip is here at version 2, and was scored at version 1"))
    assert table.rows == ()
    assert table.notes == (
        "No operations were counted: snip is here at version 2, and was scored at version 1.",
    )
    some = limit("cifar10", effort(counted=(ONE,), uncounted="more take over 10 seconds"))
    assert some.notes[0].startswith("1 network, evenly spread over the times that networks took; more take over 10")


def test_every_renderer_shows_both_tables(make_input):
    data = make_input(10, names=("nwot", "params"))
    data = replace(data, efforts=(effort(counted=(ONE,)),))
    report = build(data)
    (section,) = [one for one in report.sections if one.anchor == "cost"]
    assert [table.name for table in section.tables] == ["cost_cifar10", "cost_limit_cifar10"]
    assert "all metrics, in shared passes" in html(report)
    assert "GFLOP/s, float32" in html(report)
    assert all("Taken / limit" in latex(table) or "shared passes" in latex(table) for table in section.tables)


# Which evaluations stand behind a table


def behind(table, evaluations, seeds=None):
    return Evaluations(table, Recorded(tuple(evaluations)), seeds or {"r": 0})


def evaluated(architecture, *metrics, seconds=1.0, recipe="r", version=1):
    return Evaluated("toy@1", architecture, recipe, tuple((m, version) for m in metrics), seconds)


def test_evaluations_that_explain_every_row_are_summed(make_table):
    table = make_table(4, names=("nwot", "params"), seeds=2)
    a, b, c, d = table.architectures
    table.outcome[3, 1, 0] = ""
    found = behind(table, [
        evaluated(a, "nwot", "params"), evaluated(a, "synflow", seconds=9.0), evaluated(b, "nwot"),
        evaluated(c, "nwot", seconds=2.0), evaluated(c, "params", "synflow", seconds=3.0), evaluated(d, "nwot"),
        evaluated(a, "nwot", "params", recipe="later", seconds=5.0), evaluated(b, "nwot", "params", recipe="other"),
    ], {"r": 0, "later": 1}).effort  # fmt: skip
    assert found.seconds[:, 0].tolist() == pytest.approx([1.0, np.nan, 5.0, 1.0], nan_ok=True)
    assert found.seconds[:, 1].tolist() == pytest.approx([5.0, np.nan, np.nan, np.nan], nan_ok=True)
    assert found.evaluations[:, 0].tolist() == [1, 0, 2, 1]
    assert found.further, "synflow is in no row"


def test_other_versions_explain_nothing(make_table):
    table = replace(make_table(1, names=("nwot",)), versions=(2,))
    (a,) = table.architectures
    assert not behind(table, [evaluated(a, "nwot")]).effort.evaluations.any()
    assert behind(table, [evaluated(a, "nwot", version=2)]).effort.evaluations.all()


def test_the_chosen_networks_are_spread_over_the_times(make_table):
    table = make_table(9, names=("nwot", "params"))
    everyone = [evaluated(a, "nwot", "params", seconds=float(n)) for n, a in enumerate(table.architectures, 1)]
    found = behind(table, everyone)
    assert [a for a, _ in found.chosen(3)] == [4, 1, 7]
    assert [a for a, _ in found.chosen(1)] == [4]
    assert sorted(a for a, _ in found.chosen(20)) == list(range(9))
    assert found.chosen(0) == []
    table.outcome[4, 0], table.values[4, 0] = "failed", np.nan
    assert 4 not in [a for a, _ in behind(table, everyone).chosen(20)]
