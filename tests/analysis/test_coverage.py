"""Nominal 95 % intervals cover the true value in about 95 % of simulated studies."""

import numpy as np
import pytest

from zcbench.harness.analysis.correlation import kendall, pearson_of_ranks, spearman, weighted_tau

STUDIES = 250


def studies(rho, n, seed):
    x, noise = np.random.default_rng(seed).normal(size=(2, STUDIES, n))
    return zip(x, rho * x + np.sqrt(1 - rho**2) * noise, strict=True)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.85])
@pytest.mark.parametrize(
    ("statistic", "options", "truth"),
    [
        (spearman, {"resamples": 200}, lambda rho: 6 / np.pi * np.arcsin(rho / 2)),
        (pearson_of_ranks, {}, lambda rho: 6 / np.pi * np.arcsin(rho / 2)),
        (kendall, {}, lambda rho: 2 / np.pi * np.arcsin(rho)),
    ],
    ids=["spearman", "pearson_of_ranks", "kendall"],
)
def test_bivariate_normal(statistic, options, truth, rho):
    found = [statistic(x, y, **options) for x, y in studies(rho, 40, seed=7)]
    assert 0.90 <= np.mean([e.low <= truth(rho) <= e.high for e in found]) <= 0.99


@pytest.mark.parametrize("digits", [0, 8])
@pytest.mark.parametrize("rho", [0.0, 0.7])
def test_weighted_tau(rho, digits):
    """Its expectation has no closed form: it is the mean over the studies, tied scores included."""
    found = [weighted_tau(np.round(x, digits), y) for x, y in studies(rho, 60, seed=8)]
    truth = np.mean([e.value for e in found])
    assert 0.88 <= np.mean([e.low <= truth <= e.high for e in found]) <= 0.995
