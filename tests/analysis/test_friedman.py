import math

import numpy as np
import pytest
from scipy import stats

from zcbench.harness.analysis.friedman import critical_difference, fewest_blocks, friedman, groups

DEMSAR = np.array(
    # AUC of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 data sets: table 6 of Demšar, JMLR 7:1-30, 2006,
    # where .975 and .975 of the last row but one rank 2 and 3
    [[.763, .768, .771, .798], [.599, .591, .590, .569], [.954, .971, .968, .967], [.628, .661, .654, .657],
     [.882, .888, .886, .898], [.936, .931, .916, .931], [.661, .668, .609, .685], [.583, .583, .563, .625],
     [.775, .838, .866, .875], [1.0, 1.0, 1.0, 1.0], [.940, .962, .965, .962], [.619, .666, .614, .669],
     [.972, .981, .9751, .975], [.957, .978, .946, .970]]
)  # fmt: skip


def test_the_worked_example_of_demsar():
    found = friedman(-DEMSAR)
    ranks = stats.rankdata(-DEMSAR, axis=1)
    assert ranks.mean(axis=0) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    plain = 12 * 14 / (4 * 5) * ((ranks.mean(axis=0) - 2.5) ** 2).sum()  # his 9.28, without correction for ties
    assert plain == pytest.approx(9.28, abs=0.005)
    ties = 1 - sum(c**3 - c for row in ranks for c in np.unique(row, return_counts=True)[1]) / (14 * (4**3 - 4))
    assert found.statistic == pytest.approx(plain / ties)
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 3))
    assert found.rejects


@pytest.mark.parametrize(
    ("k", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031), (9, 3.102), (10, 3.164)],
)  # table 5 of Demšar 2006
def test_quantiles_are_the_tabled_ones(k, q):
    assert critical_difference(k, 1) / math.sqrt(k * (k + 1) / 6) == pytest.approx(q, abs=1e-3)


@pytest.mark.parametrize("k", [3, 4, 5, 13, 30])
def test_fewest_blocks_is_the_edge(k):
    def can_differ(blocks):
        perfect = friedman(np.tile(np.arange(k), (blocks, 1)))
        return perfect.rejects and perfect.critical_difference < k - 1

    n = fewest_blocks(k)
    assert can_differ(n)
    assert not can_differ(n - 1)


def test_too_little_to_compare():
    assert math.isnan(critical_difference(1, 5))
    assert math.isnan(critical_difference(3, 0))
    assert fewest_blocks(2) == 0
    tied = friedman(np.ones((4, 3)))
    assert math.isnan(tied.statistic)
    assert not tied.rejects
    assert math.isnan(friedman(np.array([[1.0, 2.0], [1.0, 2.0]])).p)


def test_groups_are_maximal_and_not_nested():
    ranks = np.array([3.0, 1.0, 1.5, 5.0])
    assert groups(ranks, 1.0) == ((1, 2),)
    assert groups(ranks, 2.0) == ((1, 2, 0), (0, 3))
    assert groups(ranks, 4.0) == ((1, 2, 0, 3),)
    assert groups(ranks, 0.1) == ()
