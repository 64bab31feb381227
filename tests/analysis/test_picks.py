import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcbench.harness.analysis.picks import Best, TopPicks, precision_at_k, regret, regret_top
from zcbench.harness.analysis.ranks import dense
from zcbench.harness.errors import ZcbenchError

TRUTH = np.array([0.90, 0.80, 0.70, 0.60, 0.50, 0.40])


def expected_best(score, truth, k):
    """The obvious way: the mean over all orders of the tied."""
    if len(score) <= k:
        return max(truth)
    edge = sorted(score, reverse=True)[k - 1]
    sure = [t for s, t in zip(score, truth, strict=True) if s > edge]
    tied = [t for s, t in zip(score, truth, strict=True) if s == edge]
    return np.mean([max([*sure, *drawn]) for drawn in itertools.combinations(tied, k - len(sure))])


@pytest.mark.parametrize(
    ("score", "k", "value"),
    [
        ([6, 5, 4, 3, 2, 1], 2, 1.0),
        ([1, 2, 3, 4, 5, 6], 2, 0.0),
        ([6, 1, 5, 2, 3, 4], 2, 0.5),
        ([9, 5, 5, 0, 0, 0], 2, 0.75),  # the second pick is the second or the third best
        ([1, 1, 1, 1, 1, 0], 2, 0.4),  # two of five, the best two among them
    ],
)
def test_precision(score, k, value):
    found = precision_at_k(score, TRUTH, k=k)
    assert found.value == pytest.approx(value)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.method == f"Wilson score, {k} picks"


def test_precision_with_ties_of_the_truth():
    assert precision_at_k([3, 2, 1], [0.5, 0.5, 0.1], k=1).value == pytest.approx(0.5)


def test_precision_of_the_top_tenth():
    x = np.arange(95.0)
    assert precision_at_k(x, x).method == "Wilson score, 10 picks"
    assert precision_at_k(x, x).value == 1.0


def test_precision_of_everything_says_nothing():
    assert precision_at_k(TRUTH, TRUTH, k=6).method == "undefined: needs more than 6 architectures"
    assert precision_at_k([], [], k=10).n == 0


@pytest.mark.parametrize(
    ("score", "k", "value"),
    [
        ([6, 5, 4, 3, 2, 1], 1, 0.0),
        ([1, 2, 3, 4, 5, 6], 1, 0.5),
        ([1, 2, 3, 4, 5, 6], 5, 0.1),
        ([0, 1, 1, 0, 0, 0], 1, 0.15),  # 0.9 - (0.8 + 0.7) / 2
        ([0, 2, 1, 1, 1, 0], 5, 0.05),  # the fifth is the best or the worst of all
        ([1, 1, 1, 1, 1, 0], 1, 0.2),
    ],
)
def test_regret(score, k, value):
    found = regret_top(score, TRUTH, k=k, resamples=50)
    assert found.value == pytest.approx(value)
    # Of six architectures there is a value but no interval.
    assert math.isnan(found.low)
    assert "no interval for n = 6" in found.method


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=9),
    st.integers(1, 5),
)
@settings(max_examples=150, deadline=None)
def test_expected_best_under_counts(rows, k):
    score, truth, w = (np.array(column) for column in zip(*rows, strict=True))
    if w.sum() == 0:
        return
    found = TopPicks(dense(score.astype(float)), truth / 10).expected_best(w[None].astype(float), k)
    repeated = np.repeat(score, w), np.repeat(truth / 10, w)
    assert found[0] == pytest.approx(expected_best(*map(list, repeated), k), abs=1e-12)
    assert Best(truth / 10)(w[None].astype(float))[0] == repeated[1].max()


def test_looks_beyond_the_head():
    """A large tie group, and a resample that draws none of the first architectures."""
    n = 300
    truth = np.linspace(0, 1, n)
    w = np.concatenate([np.ones(100), np.zeros(200)])[None]
    assert TopPicks(np.arange(n), truth).expected_best(w, 5)[0] == truth[99]
    assert Best(truth)(w)[0] == truth[99]
    tied = TopPicks(np.zeros(n, dtype=np.int64), truth).expected_best(np.ones((1, n)), 2)[0]
    assert tied == pytest.approx(expected_best([0] * n, list(truth), 2))


def test_a_resample_without_a_row_is_nan():
    picks, best = TopPicks(np.arange(4), TRUTH[:4]), Best(TRUTH[:4])
    w = np.stack([np.zeros(4), np.ones(4)])
    np.testing.assert_array_equal(np.isnan(regret(best(w), picks.expected_best(w, 1))), [True, False])


def test_policy_and_order():
    score = np.array([np.nan, 1, 2, 3, 4, 5])
    assert regret_top(score, TRUTH, k=1, undefined="drop").value == pytest.approx(0.4)
    assert regret_top(score, TRUTH, k=1, undefined="worst").value == pytest.approx(0.5)
    order = [3, 1, 5, 0, 2, 4]
    assert regret_top(score, TRUTH, k=1) == regret_top(score[order], TRUTH[order], k=1)
    assert precision_at_k(score, TRUTH, k=2) == precision_at_k(score[order], TRUTH[order], k=2)
    assert np.isnan(regret_top(np.ones(6), TRUTH, k=1).value)


def test_bad_k():
    with pytest.raises(ZcbenchError, match="k must be"):
        precision_at_k(TRUTH, TRUTH, k=0)
    with pytest.raises(ZcbenchError, match="k must be"):
        regret_top(TRUTH, TRUTH, k=0)
