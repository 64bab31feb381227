import numpy as np
import pandas as pd
import pytest
from scipy import stats

from zcbench.harness.analysis.ceiling import noise_ceiling, seeds_in_mean, spearman_brown
from zcbench.harness.errors import ZcbenchError


def trained(n, seeds, noise, seed=0):
    """Worths, and accuracies of several seeds with known noise."""
    rng = np.random.default_rng(seed)
    worth = rng.normal(size=n)
    values = worth[:, None] + noise * rng.normal(size=(n, seeds))
    return worth, pd.DataFrame(values, index=[f"a{i:05d}" for i in range(n)], columns=range(seeds))


@pytest.mark.parametrize("noise", [0.3, 1.0])
@pytest.mark.parametrize("seeds", [1, 3])
def test_finds_what_a_perfect_metric_reaches(noise, seeds):
    """The worth itself is the perfect metric; the repeats are of another training than the target."""
    worth, repeats = trained(6000, 3, noise)
    _, target = trained(6000, seeds, noise, seed=0)
    fresh = np.random.default_rng(5).normal(size=(6000, seeds))
    target = worth + noise * fresh.mean(axis=1)
    found = noise_ceiling(repeats, seeds_in_mean=seeds, resamples=100)
    assert found.all.value == pytest.approx(stats.spearmanr(worth, target).statistic, abs=0.015)
    assert found.all.low < found.all.value < found.all.high
    assert found.single_seed.value == pytest.approx(6 / np.pi * np.arcsin(0.5 / (1 + noise**2)), abs=0.02)


def test_top_slice_is_free_of_selection_bias():
    """In a slice drawn by an independent seed, the perfect metric reaches the ceiling."""
    worth, repeats = trained(40_000, 3, 0.5)
    found = noise_ceiling(repeats, seeds_in_mean=1, resamples=20)
    rng = np.random.default_rng(9)
    chooser, target = worth + 0.5 * rng.normal(size=(2, 40_000))
    top = chooser >= np.quantile(chooser, 0.9)
    assert found.top10.value == pytest.approx(stats.spearmanr(worth[top], target[top]).statistic, abs=0.03)
    assert found.top10.value < found.all.value


def test_no_noise_no_limit():
    _, repeats = trained(50, 3, 0.0)
    found = noise_ceiling(repeats, seeds_in_mean=2, resamples=20, source="meco")
    assert found.all.value == found.all.low == found.all.high == 1.0
    assert (found.source, found.seeds_in_mean, found.all.n) == ("meco", 2.0, 50)


def test_pure_noise_is_clipped_at_zero():
    repeats = pd.DataFrame({0: np.arange(20.0), 1: -np.arange(20.0)})
    found = noise_ceiling(repeats, seeds_in_mean=3, resamples=20)
    assert found.single_seed.value == pytest.approx(-1)
    assert found.all.value == 0.0


@pytest.mark.parametrize("seeds", [0, 1])
def test_too_few_seeds(seeds):
    found = noise_ceiling(trained(30, seeds, 0.1)[1], seeds_in_mean=1)
    assert np.isnan(found.all.value)
    assert found.all.method == "undefined: needs two seeds on at least 3 architectures"


def test_two_seeds_have_no_independent_slice():
    found = noise_ceiling(trained(100, 2, 0.1)[1], seeds_in_mean=1, resamples=20)
    assert found.all.value > 0.9
    assert found.top10.method.startswith("undefined: needs three seeds")


def test_empty_constant_and_tiny():
    assert np.isnan(noise_ceiling(pd.DataFrame(), seeds_in_mean=1).all.value)
    same = pd.DataFrame(np.ones((9, 3)))
    assert np.isnan(noise_ceiling(same, seeds_in_mean=1).all.value)
    assert np.isnan(noise_ceiling(trained(2, 3, 0.1)[1], seeds_in_mean=1).all.value)


def test_order_and_gaps():
    _, repeats = trained(80, 3, 0.4)
    repeats.iloc[::3, 2] = np.nan
    repeats.iloc[0, 1:] = np.nan
    found = noise_ceiling(repeats, seeds_in_mean=2, resamples=30)
    again = noise_ceiling(repeats.sample(frac=1, random_state=2), seeds_in_mean=2, resamples=30)
    assert found == again
    assert found.all.n == 79


def test_seeds_in_mean_is_harmonic():
    repeats = pd.DataFrame({0: [1.0, 1.0, np.nan], 1: [1.0, np.nan, np.nan]})
    assert seeds_in_mean(repeats) == pytest.approx(2 / (1 / 2 + 1))
    assert np.isnan(seeds_in_mean(pd.DataFrame()))


def test_spearman_brown():
    np.testing.assert_allclose(spearman_brown(np.array([0.5, 0.5, -1, 1]), 3), [0.75, 0.75, 0, 1])


def test_bad_input():
    _, repeats = trained(10, 2, 0.1)
    with pytest.raises(ZcbenchError, match="at least one seed"):
        noise_ceiling(repeats, seeds_in_mean=float("nan"))
    with pytest.raises(ZcbenchError, match="several rows"):
        noise_ceiling(pd.concat([repeats, repeats]), seeds_in_mean=1)
