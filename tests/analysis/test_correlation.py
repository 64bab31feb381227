import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from zcbench.harness.analysis.concordance import concordance
from zcbench.harness.analysis.correlation import (
    kendall,
    partial_spearman,
    pearson_of_ranks,
    spearman,
    weighted_tau,
)
from zcbench.harness.analysis.ranks import dense, tenth, top_slice
from zcbench.harness.errors import ZcbenchError

ALL = [spearman, kendall, weighted_tau, pearson_of_ranks]
ORACLES = {
    spearman: stats.spearmanr, kendall: stats.kendalltau,
    weighted_tau: stats.weightedtau, pearson_of_ranks: stats.spearmanr,
}  # fmt: skip
BY_NAME = pytest.mark.parametrize("statistic", ALL, ids=lambda f: f.__name__)


def data(n, digits=8, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return np.round(x, digits), np.round(-x + rng.normal(size=n), digits)


@BY_NAME
@pytest.mark.parametrize("digits", [0, 1, 8])
@pytest.mark.parametrize("n", [3, 4, 5, 40])
def test_equals_scipy_signed(statistic, n, digits):
    x, y = data(n, digits, seed=n)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    found = statistic(x, y)
    assert found.value == pytest.approx(ORACLES[statistic](x, y).statistic, abs=1e-12)
    assert (found.n, found.n_undefined) == (n, 0)
    assert found.low <= found.value <= found.high or np.isnan(found.low)


@BY_NAME
@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few(statistic, n):
    found = statistic(*data(n))
    assert np.isnan([found.value, found.low, found.high]).all()
    assert found.n == n
    assert found.method == "undefined: fewer than 3 architectures"


@BY_NAME
def test_constants_are_undefined(statistic):
    x = np.arange(9.0)
    assert statistic(np.ones(9), x).method == "undefined: constant score"
    assert statistic(x, np.ones(9)).method == "undefined: constant truth"
    assert np.isnan(statistic(x, np.ones(9)).value)


@BY_NAME
def test_undefined_scores_follow_the_policy(statistic):
    x, y = data(30)
    x[[3, 7, 11]] = np.nan
    dropped, worst = statistic(x, y, undefined="drop"), statistic(x, y, undefined="worst")
    kept = ~np.isnan(x)
    assert dropped.value == pytest.approx(ORACLES[statistic](x[kept], y[kept]).statistic, abs=1e-12)
    assert (dropped.n, dropped.n_undefined) == (27, 3)
    expected = ORACLES[statistic](np.where(kept, x, -1e9), y).statistic
    assert worst.value == pytest.approx(expected, abs=1e-12)
    assert (worst.n, worst.n_undefined) == (30, 3)
    with pytest.raises(ZcbenchError, match="worst"):
        statistic(x, y, undefined="best")


def test_undefined_ranks_below_minus_infinity():
    x, y = np.array([np.nan, -np.inf, 0.0, 1.0]), np.arange(4.0)
    assert kendall(x, y, undefined="worst").value == 1.0


@BY_NAME
def test_row_order_changes_no_bit(statistic):
    x, y = data(50, 1)
    x[4] = np.nan
    order = np.random.default_rng(9).permutation(50)
    assert statistic(x, y) == statistic(x[order], y[order])


@BY_NAME
def test_negating_the_score_mirrors_the_interval(statistic):
    x, y = data(80)
    there, back = statistic(x, y), statistic(-x, y)
    if statistic is not weighted_tau:  # which weighs the top of the score
        assert back.value == pytest.approx(-there.value, abs=1e-12)
        assert back.low == pytest.approx(-there.high, abs=0.06)


@BY_NAME
def test_a_perfect_order(statistic):
    found = statistic(np.arange(30.0), np.arange(30.0) ** 3)
    assert found.value == pytest.approx(1.0)
    assert found.high == pytest.approx(1.0)
    assert found.low > 0.9


def test_missing_truth_is_left_out():
    x, y = data(20)
    y[:5] = np.nan
    found = spearman(x, y)
    assert (found.n, found.n_undefined) == (15, 0)
    assert found.value == pytest.approx(stats.spearmanr(x[5:], y[5:]).statistic)


def test_same_seed_same_bits():
    x, y = data(40)
    assert spearman(x, y, seed=1) == spearman(x, y, seed=1)
    assert spearman(x, y, seed=1) != spearman(x, y, seed=2)


def test_partial_spearman():
    rng = np.random.default_rng(0)
    size = rng.normal(size=300)
    x, y = size + 0.5 * rng.normal(size=300), size + 0.5 * rng.normal(size=300)
    found = partial_spearman(x, y, size)
    assert abs(found.value) < 0.15 < spearman(x, y).low
    assert found.low < found.value < found.high
    decided = partial_spearman(np.exp(size), y, size)
    assert np.isnan(decided.value)
    assert decided.method == "undefined: the control decides the ranks"
    assert partial_spearman(x[:2], y[:2], size[:2]).n == 2


def test_wrong_shapes_are_one_line():
    with pytest.raises(ZcbenchError, match="different length"):
        spearman([1, 2, 3], [1, 2])
    with pytest.raises(ZcbenchError, match="one-dimensional"):
        kendall(np.ones((2, 2)), [1, 2])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_concordance_equals_the_sum_over_pairs(rows):
    x, y = (np.array(column) for column in zip(*rows, strict=True))
    signs = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
    np.testing.assert_array_equal(concordance(x, y), signs.sum(axis=1))


def test_concordance_beyond_sixteen_bits():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 70_000, size=(2, 500))
    signs = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
    np.testing.assert_array_equal(concordance(x, y), signs.sum(axis=1))


def test_top_slice_takes_ties_at_the_edge():
    codes = dense(np.array([5.0, 4.0, 4.0, 4.0, 1.0, np.nan]))
    assert top_slice(codes, 1).tolist() == [True] + [False] * 5
    assert top_slice(codes, 2).tolist() == [True, True, True, True, False, False]
    assert top_slice(codes, 99).sum() == 5
    assert top_slice(dense(np.array([np.nan])), 1).sum() == 0
    assert [tenth(n) for n in (0, 1, 10, 11, 100, 101)] == [0, 1, 1, 2, 10, 11]
