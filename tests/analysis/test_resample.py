import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from zcbench.harness.analysis.ranks import dense
from zcbench.harness.analysis.resample import WeightedRanks, partial, with_resamples


@pytest.mark.parametrize("digits", [0, 1, 8])
def test_equals_scipy_on_the_repeated_data(digits):
    rng = np.random.default_rng(digits)
    columns = np.round(rng.normal(size=(5, 60)) + rng.normal(size=60), digits)
    ranks = WeightedRanks(np.stack([dense(c) for c in columns]), right=2)
    draws = list(with_resamples(60, resamples=20, seed=1))
    found = ranks.correlations(np.stack(draws))
    for w, rho in zip(draws, found, strict=True):
        repeated = np.repeat(columns, w.astype(int), axis=1)
        for left in range(5):
            for right in range(2):
                expected = stats.spearmanr(repeated[left], repeated[right]).statistic
                assert rho[left, right] == pytest.approx(expected, abs=1e-12)


def test_midranks_equal_rankdata():
    x = np.array([3.0, 1.0, 3.0, 2.0, 2.0, 9.0])
    w = np.array([2.0, 0.0, 1.0, 3.0, 0.0, 1.0])
    half = WeightedRanks(dense(x)[None], right=1).centred(w)[0]
    expected = 2 * stats.rankdata(np.repeat(x, w.astype(int))) - (w.sum() + 1)
    np.testing.assert_array_equal(np.repeat(half, w.astype(int)), expected)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=25))
@settings(max_examples=60, deadline=None)
def test_any_counts_and_ties(rows):
    x, y, w = (np.array(column) for column in zip(*rows, strict=True))
    rho = WeightedRanks(np.stack([x, y]), right=1).correlations(w[None].astype(float))[0, 1, 0]
    a, b = np.repeat(x, w), np.repeat(y, w)
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        assert np.isnan(rho)
    else:
        assert rho == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_columns_in_several_cache_parts_agree(monkeypatch):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 9, size=(7, 50))
    draws = np.stack(list(with_resamples(50, resamples=3, seed=0)))
    whole = WeightedRanks(codes, right=2).correlations(draws)
    monkeypatch.setattr("zcbench.harness.analysis.resample.CACHE_ENTRIES", 100)
    np.testing.assert_array_equal(WeightedRanks(codes, right=2).correlations(draws), whole)


def test_resamples_depend_on_size_and_seed_only():
    first, again = (np.stack(list(with_resamples(9, resamples=4, seed=5))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], np.ones(9))
    assert (first.sum(axis=1) == 9).all()
    assert not np.array_equal(first, np.stack(list(with_resamples(9, resamples=4, seed=6))))


def test_partial_is_the_correlation_of_residuals():
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    x, y = z + rng.normal(size=200), z + rng.normal(size=200)
    rx, ry, rz = (stats.rankdata(v) for v in (x, y, z))
    residual_x, residual_y = (r - np.polyval(np.polyfit(rz, r, 1), rz) for r in (rx, ry))
    r = np.corrcoef([rx, ry, rz])
    assert partial(r[0, 1], r[0, 2], r[1, 2]) == pytest.approx(np.corrcoef(residual_x, residual_y)[0, 1])
    assert np.isnan(partial(np.array(0.3), np.array(1.0), np.array(0.3)))
