"""What is shared of an analysis: the numbers of the statistics, and digests that name what they rest on."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.study import analyse
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.results.measure import measurement, seeds_of
from zcbench.harness.results.result import Measurement
from zcbench.harness.types import Recipe

RECIPE = Recipe("digits", "all", "ab" * 8, "none", 8, 0, "pytorch@1", 5)
TRUTH = SimpleNamespace(split="test", epochs=200)
A = 40


def table() -> ScoreTable:
    """snip with one of two seeds and without a fourth of the architectures, grasp (low is good) with both seeds."""
    rng = np.random.default_rng(1)
    worth = rng.normal(size=A)
    values = (worth + rng.normal(size=(2, 2, A))).transpose(2, 0, 1)
    values[:, 0] *= -1
    outcome = np.full(values.shape, "ok", dtype="<U9")
    outcome[:10, 1, 0] = outcome[:, 1, 1] = ""
    outcome[10, 1, 0], outcome[11, 1, 0] = "undefined", "failed"
    values[outcome != "ok"] = np.nan
    seconds = np.where(outcome == "", np.nan, 2.0)
    seconds[10, 1, 0] = 0.0  # undefined, and nothing was done for it
    seconds[20:30, 1, 0] = 3.0
    return ScoreTable(
        benchmark="toy", target="cifar10", source="made", truth_description="made up", recipe="none",
        population="all", architectures=tuple(f"a{i:02d}" for i in range(A)), metrics=("grasp", "snip"),
        higher_is_better=(False, True), values=values, outcome=outcome, reason=np.full(values.shape, ""),
        seconds_standalone=seconds, seconds_marginal=seconds / 10, truth=0.9 + 0.01 * worth,
        repeats=np.empty((A, 0)), versions=(1, 2), seeds=(5, 6), without_truth=4,
    )  # fmt: skip


def study(of: ScoreTable) -> Analysis:
    return analyse(of, undefined="drop", resamples=20)


def shared(of: ScoreTable, metric: str, recipe: Recipe = RECIPE) -> Measurement:
    return measurement(study(of), metric, truth=TRUTH, recipe=recipe, words="in words")


def test_the_numbers_are_those_of_an_independent_correlation() -> None:
    one = table()
    found = {(s.slice, s.name): s.estimate for s in shared(one, "grasp").statistics}
    score = -one.values[:, 0].mean(axis=1)
    assert found["all", "spearman"].value == pytest.approx(stats.spearmanr(score, one.truth).statistic)
    assert found["all", "kendall"].value == pytest.approx(stats.kendalltau(score, one.truth).statistic)
    best = np.argsort(-one.truth)[: A // 10]
    top = stats.spearmanr(score[best], one.truth[best]).statistic
    assert found["top10_truth", "spearman"].value == pytest.approx(top)
    assert {slice_ for slice_, _ in found} == {"all", "top10_truth"}
    assert ("all", "precision_at_10") in found
    assert ("all", "spearman_over_counts") not in found  # depends on which counts somebody scored


def test_a_metric_stands_for_its_own_architectures_and_seeds() -> None:
    grasp, snip = shared(table(), "grasp"), shared(table(), "snip")
    assert (seeds_of(table(), "grasp"), seeds_of(table(), "snip")) == ((5, 6), (5,))
    assert (grasp.recipe.seeds, snip.recipe.seeds) == ((5, 6), (5,))
    assert (grasp.architectures.number, snip.architectures.number) == (A, A - 10)
    assert (grasp.coverage.ok, grasp.coverage.undefined, grasp.coverage.failed) == (2 * A, 0, 0)
    assert (snip.coverage.ok, snip.coverage.undefined, snip.coverage.failed) == (A - 12, 1, 1)
    assert snip.architectures.digest != grasp.architectures.digest
    assert snip.truth.digest != grasp.truth.digest
    assert (snip.truth.split, snip.truth.epochs, snip.architectures.without_truth) == ("test", 200, 4)
    spearman = next(s.estimate for s in snip.statistics if s.name == "spearman")
    assert (spearman.n, spearman.n_undefined) == (A - 12, 2)
    assert (snip.seconds.standalone, snip.seconds.marginal) == (2.0, 0.2)
    with pytest.raises(ZcbenchError, match="unknown metric"):
        shared(table(), "snap")


def test_other_metrics_and_the_order_of_rows_change_nothing() -> None:
    one = table()
    order = np.random.default_rng(0).permutation(A)
    cubes = ("values", "outcome", "reason", "seconds_standalone", "seconds_marginal")
    other = dataclasses.replace(
        one, architectures=tuple(one.architectures[i] for i in order), truth=one.truth[order],
        repeats=one.repeats[order], metrics=("snip",), versions=(2,), higher_is_better=(True,),
        **{name: getattr(one, name)[order][:, 1:] for name in cubes},
    )  # fmt: skip
    first, second = shared(one, "snip"), shared(other, "snip")
    plain = [dataclasses.replace(m, statistics=()) for m in (first, second)]
    assert plain[0] == plain[1]
    for a, b in zip(first.statistics, second.statistics, strict=True):
        assert (a.slice, a.name) == (b.slice, b.name)
        assert a.estimate.value == pytest.approx(b.estimate.value, abs=1e-12, nan_ok=True)


def changed(name: str, at: tuple[int, ...], value: object) -> ScoreTable:
    one = table()
    array = getattr(one, name).copy()
    array[at] = value
    return dataclasses.replace(one, **{name: array})


def test_the_digest_of_scores_is_of_their_bits_and_outcomes() -> None:
    one, value = shared(table(), "snip").scores, table().values[20, 1, 0]
    assert shared(changed("values", (20, 1, 0), math.nextafter(value, 2)), "snip").scores != one
    assert shared(changed("outcome", (10, 1, 0), "failed"), "snip").scores != one
    assert shared(changed("values", (20, 0, 0), 7.0), "snip").scores == one  # of the other metric
    assert shared(changed("seconds_standalone", (20, 1, 0), 7.0), "snip").scores == one


def test_the_digest_of_a_truth_is_of_its_values_but_for_the_last_bits() -> None:
    one, value = shared(table(), "snip").truth.digest, table().truth[20]
    assert shared(changed("truth", (20,), math.nextafter(value, 2)), "snip").truth.digest == one
    assert shared(changed("truth", (20,), value + 1e-6), "snip").truth.digest != one
    assert shared(changed("truth", (0,), 0.1), "snip").truth.digest == one  # not of an architecture of snip


def test_the_digest_of_a_recipe_is_of_all_but_the_one_seed_that_stands_for_them() -> None:
    one = shared(table(), "snip").recipe
    assert shared(table(), "snip", dataclasses.replace(RECIPE, init_seed=6)).recipe == one
    assert shared(table(), "grasp").recipe.digest != one.digest  # more seeds
    for change in ({"images": "cd" * 8}, {"batch_size": 9}, {"resolution": 16}, {"dtype": "float64"}):
        assert shared(table(), "snip", dataclasses.replace(RECIPE, **change)).recipe.digest != one.digest
