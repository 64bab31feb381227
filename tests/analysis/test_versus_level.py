"""How often the tests of a difference reject equal correlations (type-I error), and unequal ones (power).

In every case x and z are exchangeable given the truth, so their population correlations with it are equal by symmetry.
Besides our test stand those from normal theory that it was chosen over.
"""

import math

import numpy as np
import pytest
from scipy import stats

from zcbench.harness.analysis.dependent import kendall_left_out, p_of_difference, spearman_left_out
from zcbench.harness.analysis.ranks import dense

LEVEL = 0.05


def gauss(rho, other, *, levels=None):
    """Normal truth and metrics, of correlation rho with the truth and ``other`` with each other; perhaps with ties."""
    lower = np.linalg.cholesky(np.array([[1, rho, rho], [rho, 1, other], [rho, other, 1]]))

    def draw(rng, n):
        y, x, z = lower @ rng.normal(size=(3, n))
        return (y, x, z) if levels is None else (y, *(np.clip(np.round(v * levels / 4), -2, 2) for v in (x, z)))

    return draw


def uneven(shared):
    """Bad architectures scatter more; ``shared`` is how much of the scatter both metrics have in common."""

    def draw(rng, n):
        y = rng.normal(size=n)
        noise = rng.normal(size=(3, n)) * np.exp(-1.2 * y)
        return y, *(y + shared * noise[0] + (1 - shared) * noise[i] for i in (1, 2))

    return draw


def heavy(rng, n):
    """A copula with dependent tails: Student's t of two degrees of freedom."""
    y, x, z = (one / np.sqrt(rng.chisquare(2, n)) for one in gauss(0.6, 0.6)(rng, n))
    return y, x, z


def levels(rng, n):
    """Three levels each, the truth included: in small samples a metric is often exactly right."""
    return tuple(np.clip(np.round(v / 2), -1, 1) for v in gauss(0.9, 0.8)(rng, n))


CASES = {
    "nearly perfect": gauss(0.995, 0.99),
    "levels": levels,
    "unrelated": gauss(0.0, 0.5),
    "usual": gauss(0.8, 0.9),
    "nearly a copy": gauss(0.5, 0.99),
    "tied": gauss(0.7, 0.7, levels=5),
    "heavy": heavy,
    "uneven": uneven(0.5),
    "uneven, independent": uneven(0.0),
}


def ours(left_out, x, z, y):
    return p_of_difference(left_out(x, y), left_out(z, y))[0]


def normal_theory(x, z, y):
    """p of Meng, Rosenthal and Rubin (Psychological Bulletin 111:172-175, 1992) and of Williams' T2.

    Both on rank correlations; the first with the variance (1 + r²/2)/(n - 3) of Bonett and Wright, which ranks need.
    T2: Steiger, Psychological Bulletin 87:245-251, 1980. Neither exists for a correlation of 1: 0 where they differ.
    """
    n = len(y)
    a, b, c = (spearman_left_out(u, v).value for u, v in ((x, y), (z, y), (x, z)))
    if max(abs(a), abs(b), abs(c)) > 1 - 1e-12:
        return float(a == b), float(a == b)
    mean = (a * a + b * b) / 2
    f = min(1.0, (1 - c) / (2 * (1 - mean)))
    h = (1 - f * mean) / (1 - mean)
    meng = (math.atanh(a) - math.atanh(b)) * math.sqrt((n - 3) / (2 * (1 - c) * h * (1 + mean / 2)))
    left = 1 + 2 * a * b * c - a * a - b * b - c * c
    below = 2 * (n - 1) / (n - 3) * left + ((a + b) / 2) ** 2 * (1 - c) ** 3
    williams = (a - b) * math.sqrt((n - 1) * (1 + c) / below)
    return 2 * stats.norm.sf(abs(meng)), 2 * stats.t.sf(abs(williams), n - 3)


def rejections(draw, n, repeats, *, seed=0, others=False):
    """How often each test rejects in ``repeats`` samples of n architectures."""
    rng = np.random.default_rng([seed, n])
    found = dict.fromkeys(("spearman", "kendall", *(("meng", "williams") if others else ())), 0)
    for _ in range(repeats):
        y, x, z = (dense(np.asarray(column)) for column in draw(rng, n))
        if min(x.max(), y.max(), z.max()) == 0:
            continue  # a constant column has no correlation, and is not tested
        p = {"spearman": ours(spearman_left_out, x, z, y), "kendall": ours(kendall_left_out, x, z, y)}
        if others:
            p["meng"], p["williams"] = normal_theory(x, z, y)
        for name, value in p.items():
            found[name] += value < LEVEL
    return found


def too_often(count, repeats):
    """p of the hypothesis that a test rejects at most at its level."""
    return stats.binomtest(count, repeats, LEVEL, alternative="greater").pvalue


@pytest.mark.parametrize("case", ["tied", "uneven"])
def test_equal_correlations_are_rejected_no_more_often_than_the_level(case):
    found = rejections(CASES[case], 30, 400)
    assert too_often(found["spearman"], 400) > 0.001
    assert too_often(found["kendall"], 400) > 0.001


def test_exact_correlations_in_small_samples_are_no_evidence():
    found = rejections(CASES["levels"], 12, 400)
    assert too_often(found["spearman"], 400) > 0.001
    assert too_often(found["kendall"], 400) > 0.001


def test_the_level_test_can_fail():
    found = rejections(CASES["uneven, independent"], 30, 200, others=True)
    assert too_often(found["meng"], 200) < 0.001
    assert too_often(found["williams"], 200) < 0.001
    assert too_often(found["spearman"], 200) > 0.001


def test_a_better_metric_is_found():
    lower = np.linalg.cholesky(np.array([[1, 0.8, 0.6], [0.8, 1, 0.7], [0.6, 0.7, 1]]))
    found = rejections(lambda rng, n: tuple(lower @ rng.normal(size=(3, n))), 100, 100)
    assert found["spearman"] > 0.8 * 100
    assert found["kendall"] > 0.8 * 100


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_level_holds_at_every_size(case, capsys):
    for n, repeats in ((10, 4000), (30, 4000), (100, 2000), (300, 1000)):
        found = rejections(CASES[case], n, repeats, seed=1, others=True)
        with capsys.disabled():
            print(f"\n{case}, n = {n}: " + ", ".join(f"{k} {v / repeats:.3f}" for k, v in found.items()))
        assert too_often(found["spearman"], repeats) > 0.001
        assert too_often(found["kendall"], repeats) > 0.001


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [(0.8, 0.6), (0.9, 0.8), (0.5, 0.3)])
def test_the_power_is_close_to_that_of_normal_theory(first, second, capsys):
    lower = np.linalg.cholesky(np.array([[1, first, second], [first, 1, 0.7], [second, 0.7, 1]]))
    for n, repeats in ((30, 1000), (100, 600), (300, 200)):
        found = rejections(lambda rng, k: tuple(lower @ rng.normal(size=(3, k))), n, repeats, others=True)
        with capsys.disabled():
            print(f"\n{first} and {second}, n = {n}: " + ", ".join(f"{k} {v / repeats:.3f}" for k, v in found.items()))
        # Measured: at most 7, 4.3 and 0 points less, the price of assuming nothing.
        assert found["spearman"] > found["meng"] - {30: 0.11, 100: 0.07, 300: 0.02}[n] * repeats
