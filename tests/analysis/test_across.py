from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from zcbench.harness.analysis.across import across
from zcbench.harness.analysis.study import analyse


@pytest.fixture
def study(table):
    """An analysis of one benchmark and target: metrics that follow the truth with the given noise."""

    def make(benchmark, target, noise, *, n=60, seed=0, undefined=(), resamples=50, start=0):
        rng = np.random.default_rng([seed, n])
        truth = rng.normal(size=n)
        scores = {m: truth + size * rng.normal(size=n) for m, size in sorted(noise.items())}
        for metric in undefined:
            scores[metric][:] = np.nan
        names = [f"a{start + i:04d}" for i in range(n)]
        made = replace(table(truth, scores, names=names), benchmark=benchmark, target=target)
        return analyse(made, undefined="drop", resamples=resamples)

    return make


NOISE = {"good": 0.2, "fair": 1.0, "poor": 5.0}


def rho(analyses, metric):
    return [a.estimate(metric, "spearman").value for a in analyses]


def test_ranks_are_those_of_spearman_in_every_column(study):
    analyses = [study(b, "t", NOISE, seed=i, n=30 + i) for i, b in enumerate("cab")]
    found = across(analyses)
    assert found.benchmarks == ("a", "b", "c")
    table = np.array([rho(analyses, m) for m in found.metrics]).T
    np.testing.assert_array_equal(found.ranks, stats.rankdata(-table, axis=1))
    assert [e.value for e in found.average] == found.ranks.mean(axis=0).tolist()
    assert [e.value for e in found.average] == sorted(e.value for e in found.average)
    assert all(e.low <= e.value <= e.high for e in found.average)
    assert {e.n for e in found.average} == {30 + 31 + 32}
    assert found.test is found.by_benchmark
    assert found.test.blocks == 3


def test_a_benchmark_with_many_targets_weighs_as_much_as_one_with_a_single_one(study):
    first = [study("a", f"t{i}", {"x": 0.1, "y": 3.0}, seed=i) for i in range(3)]
    other = [study("b", "t", {"x": 3.0, "y": 0.1}, seed=9)]
    found = across(first + other)
    assert [e.value for e in found.average] == [1.5, 1.5]
    assert found.ranks.tolist() == [[1, 2]] * 3 + [[2, 1]]
    assert found.block_ranks.tolist() == [[1, 2], [2, 1]]
    assert (found.by_benchmark.blocks, found.by_column.blocks) == (2, 4)


def test_only_metrics_of_every_column_are_ranked(study):
    analyses = [study("a", "t", NOISE, undefined=("fair",)), study("b", "t", {**NOISE, "rare": 1.0}, seed=1)]
    found = across(analyses)
    assert found.metrics == ("good", "poor")
    assert dict(found.missing) == {"fair": (1,), "rare": (1,)}


def test_one_benchmark_has_no_test_of_its_own(study):
    found = across([study("a", f"t{i}", NOISE, seed=i) for i in range(3)])
    assert found.by_benchmark is None
    assert found.test is found.by_column
    assert found.test.blocks == 3


@pytest.mark.parametrize("names", [(), ("only",), ("one", "two")])
def test_few_metrics(study, names):
    analyses = [study(b, "t", {**dict.fromkeys(names, 1.0), b: 1.0}) for b in "ab"]
    found = across(analyses)
    assert set(found.metrics) == set(names)
    assert set(found.missing) == {"a", "b"}
    assert found.groups == ((found.metrics,) if len(names) == 2 else ())
    assert np.isnan(found.test.p)


def test_neither_order_nor_company_changes_the_numbers(study):
    analyses = [study(b, "t", NOISE, seed=i, n=40) for i, b in enumerate("abc")]
    one, other = across(analyses), across([analyses[2], analyses[0], analyses[1]])
    assert (one.metrics, one.average, one.groups) == (other.metrics, other.average, other.groups)
    np.testing.assert_array_equal(one.ranks, other.ranks[[1, 2, 0]])


def test_targets_of_one_benchmark_are_drawn_together(study):
    """Two equal columns rank alike in every resample, so their mean moves as one of them does."""
    one, again = study("a", "t", NOISE), study("a", "u", NOISE)
    pair = across([one, again, study("b", "t", NOISE, seed=5)])
    single = across([one, study("b", "t", NOISE, seed=5)])
    assert pair.average == single.average


def test_intervals_cover_the_noise_of_resampling(study):
    close = across([study(b, "t", {"x": 1.0, "y": 1.01}, seed=i, n=50) for i, b in enumerate("abcd")])
    clear = across([study(b, "t", {"x": 0.1, "y": 3.0}, seed=i, n=50) for i, b in enumerate("abcd")])
    assert [(e.low, e.value, e.high) for e in clear.average] == [(1, 1, 1), (2, 2, 2)]
    assert all(e.high - e.low >= 0.5 for e in close.average)


def test_too_few_architectures_for_an_interval(study):
    found = across([study("a", "t", NOISE, n=9), study("b", "t", NOISE, n=40)])
    assert all(np.isnan(e.low) and "n = 9" in e.method for e in found.average)


def test_undefined_scores_leave_the_architecture_out_of_that_metric_alone(study, table):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=50)
    scores = {"full": truth + rng.normal(size=50), "part": truth + 0.2 * rng.normal(size=50)}
    scores["part"][:20] = np.nan
    analyses = [
        analyse(replace(table(truth, scores), benchmark=b), undefined="drop", resamples=20) for b in "ab"
    ]
    found = across(analyses)
    assert found.metrics == ("part", "full")
    assert [e.n_undefined for e in found.average] == [40, 0]
    assert found.ranks.tolist() == [[1, 2], [1, 2]]


def test_groups_need_a_test_that_rejects(study):
    noise = {f"m{i}": 0.2 + i for i in range(5)}
    few = across([study(b, "t", noise, seed=i, n=400, resamples=2) for i, b in enumerate("ab")])
    assert few.test.blocks < few.test.fewest
    assert few.groups == (few.metrics,)
    many = across([study(b, "t", noise, seed=i, n=400, resamples=2) for i, b in enumerate("abcdefghijkl")])
    assert many.test.rejects
    assert len(many.groups) > 1
    assert many.groups[0][0] == "m0"
    for group in many.groups:
        spread = [many.average[many.metrics.index(m)].value for m in group]
        assert max(spread) - min(spread) <= many.test.critical_difference


def test_groups_without_a_rejection_are_one(study):
    alike = across([study(b, "t", dict.fromkeys("xyz", 2.0), seed=i, n=30) for i, b in enumerate("abcd")])
    assert not alike.test.rejects
    assert alike.groups == (alike.metrics,)
