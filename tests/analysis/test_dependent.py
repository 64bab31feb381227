"""The test of two correlations that share their truth, and Holm's adjustment, against slow and hand-worked versions."""

import math

import numpy as np
import pytest
from scipy import stats

from zcbench.harness.analysis.dependent import kendall_left_out, p_of_difference, spearman_left_out
from zcbench.harness.analysis.holm import holm
from zcbench.harness.analysis.ranks import dense
from zcbench.harness.analysis.resample import with_resamples
from zcbench.harness.analysis.resampled_tau import EXACT, ResampledTau

STATISTICS = {"spearman": (spearman_left_out, stats.spearmanr), "kendall": (kendall_left_out, stats.kendalltau)}


def codes(n, seed, levels=None):
    rng = np.random.default_rng(seed)
    worth = rng.normal(size=n)
    x, y, z = (worth + scale * rng.normal(size=n) for scale in (0.6, 0.3, 1.0))
    if levels:
        x, y = (np.clip(np.round(v * levels / 4), -levels // 2, levels // 2) for v in (x, y))
    return dense(x), dense(y), dense(z)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize(("n", "levels"), [(10, None), (40, None), (40, 4), (90, 8)])
def test_leaving_out_is_leaving_out(statistic, n, levels):
    quick, slow = STATISTICS[statistic]
    x, y, _ = codes(n, n, levels)
    found = quick(x, y)
    assert found.value == pytest.approx(slow(x, y)[0], abs=1e-14)
    expected = [slow(np.delete(x, k), np.delete(y, k))[0] for k in range(n)]
    assert found.without == pytest.approx(np.array(expected), abs=1e-14)


def slow_p(statistic, x, z, y):
    """The same test with scipy and a loop."""
    n, correlation = len(y), STATISTICS[statistic][1]

    def apart(rows):
        most = 1 - 6 / (n * (n**2 - 1))
        a, b = (min(max(correlation(v[rows], y[rows])[0], -most), most) for v in (x, z))
        return math.atanh(a) - math.atanh(b)

    each = [apart(np.delete(np.arange(n), k)) for k in range(n)]
    error = math.sqrt((n - 1) / n * sum((one - sum(each) / n) ** 2 for one in each))
    return 2 * stats.t.sf(abs(apart(np.arange(n))) / error, n - 1)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize(("n", "levels"), [(12, None), (50, 5), (80, None)])
def test_p_against_a_loop(statistic, n, levels):
    left_out = STATISTICS[statistic][0]
    x, y, z = codes(n, n + 1, levels)
    p, why = p_of_difference(left_out(x, y), left_out(z, y))
    assert (p, why) == (pytest.approx(slow_p(statistic, x, z, y), rel=1e-9), "")
    assert p_of_difference(left_out(z, y), left_out(x, y))[0] == p


@pytest.mark.parametrize("left_out", [spearman_left_out, kendall_left_out])
def test_p_at_the_edges(left_out):
    x, y, z = codes(30, 5)
    few = p_of_difference(left_out(*codes(9, 0)[:2]), left_out(*codes(9, 1)[:2]))
    assert math.isnan(few[0])
    assert "fewer than 10" in few[1]
    assert p_of_difference(left_out(x, y), left_out(x, y)) == (1.0, "")
    single = np.zeros(30, dtype=np.int64)
    single[3] = 1
    lone = p_of_difference(left_out(single, y), left_out(x, y))
    assert math.isnan(lone[0])
    assert "without one" in lone[1]
    perfect = p_of_difference(left_out(y, y), left_out(z, y))[0]
    assert 0 < perfect < 0.01
    slow = [float(left_out(np.delete(z, k), np.delete(y, k)).value) for k in range(30)]
    error = math.sqrt(29 / 30 * sum((one - sum(slow) / 30) ** 2 for one in slow))
    assert perfect == pytest.approx(2 * stats.t.sf((1 - left_out(z, y).value) / error, 29))
    against = p_of_difference(left_out(y, y), left_out(y.max() - y, y))
    assert math.isnan(against[0])
    assert "the same without" in against[1]


@pytest.mark.parametrize("levels", [None, 5])
def test_tau_of_resamples_is_tau_of_the_drawn_rows(levels):
    x, y, _ = codes(70, 2, levels)
    counts = np.stack(list(with_resamples(70, resamples=30, seed=1))).astype(np.uint16)
    found = ResampledTau(y, counts).of(x)
    for w, tau in zip(counts, found, strict=True):
        drawn = np.repeat(np.arange(70), w)
        assert tau == pytest.approx(stats.kendalltau(x[drawn], y[drawn])[0], abs=1e-14)


def test_tau_of_a_resample_without_variety_does_not_exist():
    x, y = np.array([0, 1, 1]), np.array([0, 1, 2])
    found = ResampledTau(y, np.array([[1, 1, 1], [0, 2, 1], [3, 0, 0]], dtype=np.uint16)).of(x)
    assert np.isnan(found).tolist() == [False, True, True]


def test_linearised_tau_is_close_where_it_takes_over():
    n = EXACT
    x, y, _ = codes(n, 4, 40)
    counts = np.stack(list(with_resamples(n, resamples=100, seed=0))).astype(np.uint16)
    exact, linear = ResampledTau(y, counts), ResampledTau(y, counts)
    linear._exact = False
    a, b = exact.of(x), linear.of(x)
    assert (exact.method, linear.method) == ("", ", tau-b linearised")
    assert a[0] == b[0]
    spread = a[1:].std()
    assert (a - b).std() < 0.1 * spread
    assert np.quantile(a, [0.025, 0.975]) == pytest.approx(np.quantile(b, [0.025, 0.975]), abs=0.1 * spread)


def test_holm_by_hand():
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1 may not be below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])


def test_holm_leaves_out_what_was_not_tested():
    found = holm([math.nan, 0.04, 0.01, math.nan, 0.04])
    assert np.isnan(found).tolist() == [True, False, False, True, False]
    assert found[[1, 2, 4]] == pytest.approx([0.08, 0.03, 0.08])
    assert np.isnan(holm([math.nan])).all()
    assert holm([]).size == 0


def test_holm_keeps_the_rate_of_any_false_rejection():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(4000, 1))
    p = 2 * stats.norm.sf(np.abs(0.7 * shared + math.sqrt(0.51) * rng.normal(size=(4000, 8))))
    any_false = sum(bool((holm(row) < 0.05).any()) for row in p)
    assert stats.binomtest(any_false, 4000, 0.05, alternative="greater").pvalue > 0.001
    raw = int((p < 0.05).any(axis=1).sum())
    assert stats.binomtest(raw, 4000, 0.05, alternative="greater").pvalue < 1e-6
