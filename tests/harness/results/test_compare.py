"""When two measurements agree: what one exchange of neighbours can change, and what no rounding may."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats
from shared_results import measurement, statistics

from zcbench.harness.results.compare import SLACK, differences, tolerance
from zcbench.harness.types import Estimate


@pytest.mark.parametrize("n", [3, 4, 7, 15])
def test_an_exchange_of_neighbours_stays_within_the_tolerance_and_can_use_it_up(n: int) -> None:
    rng = np.random.default_rng(n)
    bound = tolerance(n) - SLACK
    largest = 0.0
    truths = [np.r_[0, 2:n, 1], *(rng.permutation(n) for _ in range(12))]  # the first: neighbours 0 and 1 far apart
    for truth in truths:
        scores = np.arange(n)
        for at in range(n - 1):
            other = scores.copy()
            other[[at, at + 1]] = other[[at + 1, at]]
            for statistic in (stats.spearmanr, stats.kendalltau):
                change = abs(statistic(scores, truth).statistic - statistic(other, truth).statistic)
                assert change <= bound + 1e-12
                largest = max(largest, change)
    assert largest > 0.6 * bound


def test_one_machine_must_repeat_every_statistic() -> None:
    found = differences(measurement(0.6), measurement(0.6 + 1e-6), same_environment=True)
    assert {one.first.name for one in found} == {"spearman", "kendall", "weighted_tau"}
    assert found[0].first.name == "spearman"
    assert found[0].size == pytest.approx(1e-6)
    assert differences(measurement(0.6), measurement(0.6 + 1e-11), same_environment=True) == []


def test_two_machines_may_differ_by_the_tolerance_of_spearman_and_kendall_only() -> None:
    allowed = tolerance(100)
    assert allowed == pytest.approx(0.005 + 12 / 10100)
    assert differences(measurement(0.6), measurement(0.6 + 0.99 * allowed), same_environment=False) == []
    (found,) = differences(measurement(0.6), measurement(0.6 - 1.01 * allowed), same_environment=False)
    assert (found.first.name, found.tolerance) == ("spearman", allowed)
    other = [
        dataclasses.replace(one, estimate=dataclasses.replace(one.estimate, value=0.5))
        if one.name in ("weighted_tau", "regret_top1") else one for one in statistics()
    ]  # fmt: skip
    assert differences(measurement(), measurement(statistics=tuple(other)), same_environment=False) == []
    assert differences(measurement(), measurement(statistics=tuple(other)), same_environment=True) != []


@pytest.mark.parametrize("same", [True, False])
def test_other_numbers_of_architectures_with_a_score_differ_anywhere(same: bool) -> None:
    found = differences(
        measurement(), measurement(statistics=statistics(n=99, n_undefined=1)), same_environment=same
    )
    assert found
    assert found[0].size == math.inf


def test_a_value_on_one_side_only_differs_but_not_one_that_needs_other_metrics() -> None:
    def with_value(name: str, value: float) -> tuple:
        one = dataclasses.replace(statistics()[0], name=name, estimate=Estimate(value, value, value, 100, 0, ""))
        return (one,)

    for name, differs in (("spearman", True), ("partial_spearman_params", False)):
        first, second = (measurement(statistics=with_value(name, value)) for value in (0.5, math.nan))
        assert bool(differences(first, second, same_environment=True)) is differs
        assert bool(differences(second, first, same_environment=True)) is differs


def test_statistics_that_one_side_lacks_are_not_compared() -> None:
    assert differences(measurement(), measurement(statistics=statistics()[:1]), same_environment=True) == []


@pytest.mark.parametrize(("slice_", "n", "differs"), [("all", 4, True), ("top10_truth", 4, False),
                                                      ("top10_truth", 10, True)])  # fmt: skip
def test_a_slice_of_few_architectures_is_compared_on_one_machine_only(slice_: str, n: int, differs: bool) -> None:
    def with_value(value: float) -> tuple:
        estimate = Estimate(value, math.nan, math.nan, n, 0, "")
        return (dataclasses.replace(statistics()[0], slice=slice_, estimate=estimate),)

    first, second = (measurement(statistics=with_value(value)) for value in (-1.0, 1.0))
    assert bool(differences(first, second, same_environment=False)) is differs
    assert differences(first, second, same_environment=True)


def test_the_worst_is_what_exceeds_its_tolerance_most() -> None:
    def with_values(all_: float, top: float) -> tuple:
        one = statistics()[0]
        return tuple(
            dataclasses.replace(one, slice=slice_, estimate=Estimate(value, value, value, n, 0, ""))
            for slice_, value, n in (("top10_truth", top, 10), ("all", all_, 100))
        )

    first, second = measurement(statistics=with_values(0.6, 0.6)), measurement(statistics=with_values(0.7, 0.4))
    found = differences(first, second, same_environment=False)
    assert [(one.first.slice, round(one.excess, 1)) for one in found] == [("all", 16.2), ("top10_truth", 1.8)]
