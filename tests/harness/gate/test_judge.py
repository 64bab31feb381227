"""What the gate fails, notes and misses, and how often it is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from gated import edited, measured, of_seeds, real, recipe, values_of, with_values
from scipy import stats

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.gate.baseline import Baseline, record
from zcbench.harness.gate.judge import Limits, judge
from zcbench.harness.gate.measured import Measured
from zcbench.harness.gate.result import Check, ExitCode, GateResult, Kind, Status
from zcbench.harness.gate.rules import parse_all

RNG = np.random.default_rng(11)


@pytest.fixture(scope="module")
def then() -> Measured:
    return measured()


@pytest.fixture(scope="module")
def baseline(then: Measured) -> Baseline:
    return record([then])


def against(baseline: Baseline, *now: Measured, **other: object) -> GateResult:
    limits = Limits(**other) if other else Limits()
    return judge(baseline, now, limits=limits, power=False)


def found(result: GateResult, kind: Kind, metric: str = "good") -> Check:
    (check,) = [c for c in result.checks if (c.kind, c.metric) == (kind, metric)]
    return check


def statuses(result: GateResult, metric: str = "good") -> dict[str, str]:
    return {str(c.kind): str(c.status) for c in result.checks if c.metric == metric}


def test_the_same_scores_pass(baseline: Baseline, then: Measured) -> None:
    result = against(baseline, then, rules=parse_all(["spearman < 0", "kendall < 0"]), confidence=0.5)
    assert result.exit_code is ExitCode.PASS
    assert {c.status for c in result.checks} == {Status.PASS}
    assert {c.kind for c in result.checks} == set(Kind) - {Kind.DATA}
    assert result.correlation_checks == 4
    assert found(result, Kind.VALUE).message == "all 80 scores are equal to the last bit"
    assert "the ranking is the same" in next(c for c in result.checks if c.statistic == "kendall").message


def test_a_sign_error_loses_correlation_and_changes_values(baseline: Baseline, then: Measured) -> None:
    result = against(baseline, with_values(then, "good", -values_of(then, "good")))
    assert result.exit_code is ExitCode.REGRESSION
    assert statuses(result) == {
        "correlation": "fail", "value": "fail", "outcome": "pass", "cost": "pass", "version": "pass",
    }  # fmt: skip
    numbers = found(result, Kind.CORRELATION).numbers
    assert numbers["now"] == -numbers["then"]
    assert numbers["difference"] == pytest.approx(numbers["now"] - numbers["then"])
    assert set(statuses(result, "plain").values()) == {"pass"}
    changed = found(result, Kind.VALUE)
    assert changed.message == (
        "80 of 80 scores changed (largest relative difference 2), though the version is still 1: raise it if that is "
        "meant"
    )
    assert len(changed.details) == 6
    assert changed.details[-1] == "and 75 more"


def test_one_bit_of_one_score_is_a_change(baseline: Baseline, then: Measured) -> None:
    values = values_of(then, "good")
    values[7, 1] = np.nextafter(values[7, 1], 9)
    result = against(baseline, with_values(then, "good", values))
    assert statuses(result)["value"] == "fail"
    assert statuses(result)["correlation"] == "pass"
    assert found(result, Kind.VALUE).details[0].startswith("a007, seed 1: ")


@pytest.mark.parametrize("key", ["device", "processor", "threads", "torch"])
def test_elsewhere_values_have_a_tolerance(baseline: Baseline, then: Measured, key: str) -> None:
    moved = replace(then, environment={**then.environment, key: "another"})
    values = values_of(then, "good")
    near = against(baseline, with_values(moved, "good", values * (1 + 1e-3)), tolerance=0.01)
    assert statuses(near)["value"] == "pass"
    assert any(f"scored with {key} another instead of" in note for note in near.notes)
    far = against(baseline, with_values(moved, "good", values * (1 + 0.5)), tolerance=0.01)
    assert statuses(far)["value"] == "fail"


def test_small_scores_are_held_against_the_spread(baseline: Baseline, then: Measured) -> None:
    """A score near zero may change its sign within a tolerance: what counts is how far the scores lie apart."""
    moved = replace(then, environment={**then.environment, "threads": "2"})
    values = values_of(then, "good")
    spread = np.median(np.abs(values - np.median(values)))
    small = np.argsort(np.abs(values), axis=None)[:21]  # of 80: more than a quarter
    assert np.abs(values).ravel()[small].max() < spread
    for step, cells, status in ((0.9, small, "pass"), (1.1, small, "fail"), (100, small[:20], "pass")):
        changed = values.copy()
        changed.ravel()[cells] += 0.01 * spread * step
        assert statuses(against(baseline, with_values(moved, "good", changed), tolerance=0.01))["value"] == status


def test_unknown_environments_are_not_the_same(then: Measured) -> None:
    nowhere = replace(then, environment={})
    result = against(record([nowhere]), nowhere)
    assert any("values count as equal within" in note for note in result.notes)


def test_a_new_version_may_change_values_but_not_lose(baseline: Baseline, then: Measured) -> None:
    values = values_of(then, "good")
    better = edited(with_values(then, "good", values * 1.5), "good", version=2)
    result = against(baseline, better)
    assert result.exit_code is ExitCode.PASS
    assert statuses(result) == {
        "correlation": "pass", "value": "note", "outcome": "pass", "cost": "pass", "version": "note",
    }  # fmt: skip
    worse = edited(with_values(then, "good", RNG.permutation(values)), "good", version=2)
    assert statuses(against(baseline, worse))["correlation"] == "fail"


def test_versions_and_directions(baseline: Baseline, then: Measured) -> None:
    older = against(record([edited(then, "good", version=3)]), edited(then, "good", version=2))
    assert (statuses(older)["version"], statuses(older)["value"]) == ("fail", "pass")
    assert found(older, Kind.VERSION).message == "version fell from 3 to 2: a version only rises"
    turned = against(baseline, edited(then, "good", higher_is_better=False))
    assert (statuses(turned)["version"], statuses(turned)["correlation"]) == ("fail", "fail")
    announced = against(baseline, edited(then, "good", higher_is_better=False, version=2))
    assert (statuses(announced)["version"], statuses(announced)["correlation"]) == ("note", "fail")


def test_a_metric_that_is_gone_and_one_that_is_new(baseline: Baseline, then: Measured) -> None:
    gone = against(baseline, then.only(["plain"]))
    assert gone.exit_code is ExitCode.MISSING
    assert found(gone, Kind.VERSION).message.startswith("the metric is gone: bring version 1 or a later one back")
    new = against(record([then.only(["plain"])]), then)
    assert new.exit_code is ExitCode.PASS
    assert statuses(new) == {"version": "note"}


def test_new_undefined_and_failed_scores(baseline: Baseline, then: Measured) -> None:
    values = values_of(then, "good")
    values[3, 0] = np.nan
    undefined = with_values(then, "good", values)
    result = against(baseline, undefined)
    assert statuses(result) == {
        "correlation": "pass", "value": "pass", "outcome": "fail", "cost": "pass", "version": "pass",
    }  # fmt: skip
    assert found(result, Kind.OUTCOME).message == (
        "1 of 80 scores newly undefined or failed: a003, seed 0: undefined, no path from input to output"
    )
    assert found(result, Kind.CORRELATION).n == 39
    failed = replace(undefined, outcome=np.where(undefined.outcome == "undefined", "failed", undefined.outcome))
    assert statuses(against(record([undefined]), failed))["outcome"] == "fail"
    assert statuses(against(record([undefined]), undefined))["outcome"] == "pass"
    back = against(record([undefined]), then)
    assert (statuses(back)["outcome"], statuses(back)["value"]) == ("pass", "fail")
    assert "they had no value before" in found(back, Kind.VALUE).message
    announced = against(baseline, edited(undefined, "good", version=2))
    assert statuses(announced)["outcome"] == "fail"


def test_a_metric_that_orders_nothing_any_more(baseline: Baseline, then: Measured) -> None:
    result = against(baseline, with_values(then, "good", np.ones((40, 2))))
    assert statuses(result)["correlation"] == "fail"
    assert "the score is the same for all 40 architectures now" in found(result, Kind.CORRELATION).message
    constant = record([with_values(then, "good", np.ones((40, 2)))])
    assert statuses(against(constant, constant.entries[0]))["correlation"] == "note"


@pytest.mark.parametrize(
    ("seconds", "calibration", "status", "ratio"),
    [(0.25, 0.05, "fail", 2.5), (0.19, 0.05, "pass", 1.9), (0.25, 0.10, "pass", 1.25), (0.15, 0.02, "fail", 3.75),
     (0.3, float("nan"), "note", float("nan"))],
)  # fmt: skip
def test_costs_are_those_of_one_machine(
    baseline: Baseline, then: Measured, seconds: float, calibration: float, status: str, ratio: float
) -> None:
    slow = then.seconds.copy()
    slow[:, then.metric("good")] = seconds
    result = against(baseline, replace(then, seconds=slow, calibration=calibration))
    assert statuses(result)["cost"] == status
    assert found(result, Kind.COST).numbers["ratio"] == pytest.approx(ratio, nan_ok=True)


def test_a_growth_of_milliseconds_never_fails(then: Measured) -> None:
    cheap = record([replace(then, seconds=np.full(then.seconds.shape, 0.0005))])
    result = against(cheap, replace(then, seconds=np.full(then.seconds.shape, 0.009)))
    assert statuses(result)["cost"] == "pass"
    assert "growth of less than 10 ms does not fail" in found(result, Kind.COST).message
    busy = np.full(then.seconds.shape, 0.0005)
    busy[: len(busy) * 2 // 3] = 0.5
    result = against(cheap, replace(then, seconds=busy))
    assert statuses(result)["cost"] == "pass"
    assert "three quarters of the architectures grew less than 2 times" in found(result, Kind.COST).message
    other = replace(then, environment={**then.environment, "device": "cuda (made up)"}, seconds=then.seconds * 100)
    assert statuses(against(record([then]), other))["cost"] == "note"


def test_only_what_has_a_score_has_a_cost(then: Measured) -> None:
    """Most architectures are undefined, or failed, after no time at all."""
    values = values_of(then, "good")
    values[:30] = np.nan
    seconds = then.seconds.copy()
    seconds[:30, then.metric("good")] = 0.0
    few = replace(with_values(then, "good", values), seconds=seconds)
    assert few.median_seconds(few.metric("good")) == 0.1
    baseline = record([few])
    slow = seconds.copy()
    slow[30:, then.metric("good")] = 0.5
    check = found(against(baseline, replace(few, seconds=slow)), Kind.COST)
    assert (check.status, check.n, check.numbers["then"], check.numbers["now"]) == (Status.FAIL, 10, 0.1, 0.5)
    nothing = with_values(then, "good", np.full(values.shape, np.nan))
    check = found(against(baseline, nothing), Kind.COST)
    assert (check.status, check.message) == (Status.NOTE, "cost not compared, no architecture has a score then and now")
    assert np.isnan(nothing.median_seconds(nothing.metric("good")))


def data(result: GateResult) -> list[Check]:
    return [c for c in result.checks if c.kind is Kind.DATA]


@pytest.mark.parametrize(
    ("change", "told"),
    [({"images": "f" * 16}, "other images than those recorded"),
     ({"batch_size": 9}, "other batch_size (now 9, recorded 8) than those recorded"),
     ({"init": "pytorch@2"}, "other init (now 'pytorch@2', recorded 'pytorch@1') than those recorded")],
)  # fmt: skip
def test_other_images_are_missing_data(baseline: Baseline, then: Measured, change: dict, told: str) -> None:
    now = replace(then, recipes=tuple(recipe(s, **change) for s in (0, 1)))
    result = against(baseline, now)
    assert result.exit_code is ExitCode.MISSING
    (check,) = result.checks
    assert (check.kind, check.status) == (Kind.DATA, Status.MISSING)
    assert told in check.message


def test_other_data_is_missing_data(baseline: Baseline, then: Measured) -> None:
    (truth,) = then.truths
    values = truth.values.copy()
    values[4] += 1e-9
    result = against(baseline, replace(then, truths=(replace(truth, values=values),)))
    assert result.exit_code is ExitCode.MISSING
    assert "the ground truth of 1 of 40 architectures is not the recorded one" in data(result)[0].message
    assert statuses(result) == {"value": "pass", "outcome": "pass", "cost": "pass", "version": "pass"}
    absent = judge(baseline, [replace(then, truths=())], absent={"toy cifar10": "no table"}, power=False)
    assert data(absent)[0].message == "the recorded ground truth is not there: no table"
    nothing = judge(baseline, [], absent={"toy": "the images are not here"})
    assert [(c.message, c.status) for c in nothing.checks] == [("the images are not here", Status.MISSING)]
    assert "search space is toy@2" in data(against(baseline, replace(then, space="toy@2")))[0].message
    assert "other architectures" in data(against(baseline, measured(41)))[0].message
    both = against(baseline, replace(with_values(then, "good", -values_of(then, "good")), truths=()))
    assert both.exit_code is ExitCode.REGRESSION


def test_benchmarks_and_targets_are_told_apart() -> None:
    first = measured(targets=("cifar10", "cifar100"))
    second = measured(30, benchmark="other", seed=4)
    result = against(record([first, second]), first, with_values(second, "good", -values_of(second, "good")))
    failed = {(c.benchmark, c.kind) for c in result.of(Status.FAIL)}
    assert failed == {("other", Kind.CORRELATION), ("other", Kind.VALUE)}
    assert result.correlation_checks == 6
    assert len({c.name for c in result.checks}) == len(result.checks)


def test_a_slice_that_is_too_small(baseline: Baseline, then: Measured) -> None:
    result = against(baseline, then, rules=parse_all(["spearman[top10_truth] < -0.05"]))
    assert result.exit_code is ExitCode.MISSING
    assert "4 architectures have both scores, and it takes 10" in found(result, Kind.CORRELATION).message
    large = measured(150)
    (truth,) = large.truths
    top = np.argsort(truth.values)[-15:]
    values = values_of(large, "good")
    values[top] = -values[top]
    rules = parse_all(["spearman[top10_truth] < -0.05"])
    check = found(against(record([large]), with_values(large, "good", values), rules=rules), Kind.CORRELATION)
    assert check.n == 15
    assert check.numbers["now"] == pytest.approx(-check.numbers["then"])


def test_levels_of_all_checks_together(baseline: Baseline, then: Measured) -> None:
    rules = parse_all(["spearman < 0", "kendall < 0"])
    each = against(baseline, then, rules=rules, confidence=0.9)
    assert each.false_alarms == pytest.approx(0.4)
    assert "4 correlation checks, each at 0.9" in each.notes[0]
    together = against(baseline, then, rules=rules, confidence=0.9, simultaneous=True)
    assert together.false_alarms == pytest.approx(0.1)
    worse = with_values(then, "good", values_of(then, "good") + 0.4 * RNG.normal(size=(40, 2)))
    lone = found(against(baseline, worse, rules=rules[:1]), Kind.CORRELATION)
    strict = found(against(baseline, worse, rules=rules[:1], simultaneous=True), Kind.CORRELATION)
    assert strict.numbers["upper"] > lone.numbers["upper"]


@pytest.mark.parametrize(
    ("limits", "told"),
    [({"confidence": 1.0}, "--confidence lies between 0.5 and 1, not at 1"),
     ({"tolerance": -1.0}, "--tolerance is zero or more, not -1"),
     ({"max_cost_ratio": 0.5}, "--max-cost-ratio is at least 1, not 0.5"),
     ({"max_cost_ratio": float("nan")}, "--max-cost-ratio is at least 1, not nan")],
)  # fmt: skip
def test_limits_that_make_no_sense(limits: dict, told: str) -> None:
    with pytest.raises(ZcbenchError) as error:
        Limits(**limits)
    assert str(error.value) == told


def fresh(rng: np.random.Generator, seeds: int = 1) -> tuple[Baseline, Measured]:
    """Old and new seeds of every architecture of the real scores, none of them in both."""
    one = real()
    order = rng.random((len(one.architectures), 10)).argsort(axis=1)
    old = of_seeds(one, order[:, :seeds], tuple(range(seeds)))
    new = of_seeds(one, order[:, seeds : 2 * seeds], tuple(range(100, 100 + seeds)))
    return Baseline((old,), ((),)), new


@pytest.mark.parametrize("seeds", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_fresh_seeds_of_real_scores_raise_no_more_false_alarms_than_stated(seeds: int) -> None:
    """200 resamples, at margin 0 and at the default: no check, and not the whole gate, beyond its rate."""
    rng = np.random.default_rng(seeds)
    strict, normal, single = 0, 0, dict.fromkeys(("nwot", "snip"), 0)
    for _ in range(200):
        baseline, new = fresh(rng, seeds)
        result = against(baseline, new, rules=parse_all(["spearman < 0"]))
        assert {c.kind for c in result.checks} == {Kind.CORRELATION, Kind.OUTCOME, Kind.COST, Kind.VERSION}
        assert result.false_alarms == pytest.approx(4 * 0.05)
        strict += result.exit_code != 0
        for check in result.of(Status.FAIL):
            single[check.metric] += 1
        normal += against(baseline, new).exit_code != 0
    for count in (*single.values(), normal):
        assert stats.binomtest(count, 200, 0.05, alternative="greater").pvalue > 0.01
    assert stats.binomtest(strict, 200, 0.2, alternative="greater").pvalue > 0.01
    assert normal <= strict


def test_a_loss_among_fresh_seeds_is_found() -> None:
    rng = np.random.default_rng(0)
    baseline, new = fresh(rng, 3)
    values = values_of(new, "nwot")
    result = against(baseline, with_values(new, "nwot", rng.permutation(values)))
    assert found(result, Kind.CORRELATION, "nwot").status is Status.FAIL
    assert found(result, Kind.CORRELATION, "snip").status is Status.PASS
    assert any("seeds 100 to 102 instead of 0 to 2, so single values are not compared" in n for n in result.notes)


def test_undefined_scores_among_fresh_seeds_may_be_luck(then: Measured) -> None:
    def lacking(one: Measured, rows: list[int], seeds: tuple[int, ...]) -> Measured:
        values = values_of(one, "good")
        values[rows, 0] = np.nan
        return replace(with_values(one, "good", values), recipes=tuple(recipe(s) for s in seeds))

    baseline = record([lacking(then, [0, 1, 2], (0, 1))])
    swapped = against(baseline, lacking(then, [3, 4, 5], (7, 8)))
    assert statuses(swapped)["outcome"] == "note"
    more = against(baseline, lacking(then, [0, 1, 2, 3, 4, 5, 6, 7, 8], (7, 8)))
    assert statuses(more)["outcome"] == "fail"
    assert "6 of 40 architectures are newly undefined, 0 no longer" in found(more, Kind.OUTCOME).message


def test_a_new_failure_is_no_luck_of_the_seed(then: Measured) -> None:
    """One exception among forty, where the sign test would say that it happens half of the time."""
    def broken(one: Measured, rows: list[int], seeds: tuple[int, ...]) -> Measured:
        values = values_of(one, "good")
        values[rows, 1] = np.nan
        one = with_values(one, "good", values)
        outcome, reason = one.outcome.copy(), one.reason.copy()
        outcome[outcome == "undefined"], reason[reason != ""] = "failed", "ZeroDivisionError: division by zero"
        return replace(one, outcome=outcome, reason=reason, recipes=tuple(recipe(s) for s in seeds))

    one = against(record([then]), broken(then, [7], (7, 8)))
    assert statuses(one)["outcome"] == "fail"
    assert found(one, Kind.OUTCOME).message.startswith(
        "1 of 40 architectures newly failed, which no seed excuses: a007: ZeroDivisionError: division by zero; "
    )
    baseline = record([broken(then, [7, 8], (0, 1))])
    assert statuses(against(baseline, broken(then, [7, 8], (7, 8))))["outcome"] == "pass"
    assert statuses(against(baseline, broken(then, [7], (7, 8))))["outcome"] == "pass"
    assert statuses(against(baseline, broken(then, [6], (7, 8))))["outcome"] == "fail"


def test_what_the_gate_can_see(baseline: Baseline, then: Measured) -> None:
    (good, _) = judge(baseline, [then]).power
    assert (good.metric, good.seeds, good.n, good.margin, good.probability) == ("good", 2, 40, 0.02, 0.8)
    assert 0.05 < good.smallest < 0.6
    assert f"{good.smallest:.3f} or more is seen with a probability of 80% (n = 40, noise of 2 seeds)" in good.message
    again = judge(baseline, [then]).power
    assert again[0] == good
