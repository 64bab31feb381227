"""When two measurements of one setting agree: exactly on one machine, within a stated tolerance on two.

Scores of zcbench repeat bit for bit in one environment, so there every statistic must be the same. Between two
environments the last bits of a score differ, which matters only where two architectures almost tie: they may change
places. The tolerance of a statistic is therefore one exchange of two neighbours in rank, and half a hundredth besides
for a score whose digits are rounded otherwise throughout:

    |difference| <= 0.005 + 12 / (n (n + 1))

12 / (n (n + 1)) is the most that the exchange changes Spearman's rho by: it changes the sum of the products of ranks
by the distance of the two in the other ranking, at most n - 1, and rho by 12 / (n (n^2 - 1)) times that. Kendall's tau
changes by 4 / (n (n - 1)), one of n (n - 1) / 2 pairs turned from concordant to discordant, which is no more for two
architectures or more. Only these two are compared between environments: the others follow from the same ranks, and
precision, regret and weighted tau jump where the exchange falls on the best architectures. The numbers of
architectures with and without a score must be the same in any case. A slice of fewer than ten architectures, which has
no interval either, is not compared between environments: there one exchange may turn a ranking around.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.results.result import Measurement, Statistic

SLACK = 0.005
"""What is allowed between environments beside the exchange of two neighbours."""

ROUNDING = 1e-9
"""What is allowed in one environment: rounding errors of the analysis, which may be a later version's."""

ACROSS = ("spearman", "kendall")
"""The statistics that are compared between environments."""

_NEEDS_COUNTS = "partial_"
"""How statistics begin that exist only where params and flops were scored too."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A statistic on which two measurements of one setting differ by more than the tolerance.

    Attributes:
        first: of one measurement.
        second: of the other.
        tolerance: how much the values may differ.
    """

    first: Statistic
    second: Statistic
    tolerance: float

    @property
    def size(self) -> float:
        """The difference of the values; infinite where only one exists, or the counts differ."""
        a, b = self.first.estimate, self.second.estimate
        if (a.n, a.n_undefined) != (b.n, b.n_undefined) or math.isnan(a.value) or math.isnan(b.value):
            return math.inf
        return abs(a.value - b.value)

    @property
    def excess(self) -> float:
        """The difference as a multiple of what is allowed."""
        return self.size / self.tolerance


def tolerance(n: int) -> float:
    """Return how much Spearman and Kendall of n architectures may differ between two environments."""
    return SLACK + 12 / (n * (n + 1)) if n else SLACK


def differences(first: Measurement, second: Measurement, *, same_environment: bool) -> list[Difference]:
    """Return where two measurements of one setting differ by more than they may, the worst first.

    Args:
        first: one of them.
        second: the other. Statistics that only one of them has are not compared.
        same_environment: whether they were made on machines of which nothing recorded differs.
    """
    others = {(one.slice, one.name): one for one in second.statistics}
    found = []
    for one in first.statistics:
        other = others.get((one.slice, one.name))
        if other is None or not (same_environment or _compared_across(one, other)):
            continue
        difference = Difference(one, other, ROUNDING if same_environment else tolerance(one.estimate.n))
        if _apart(difference):
            found.append(difference)
    known = {name: place for place, name in enumerate(ACROSS)}
    return sorted(found, key=lambda d: (-d.excess, d.first.slice, known.get(d.first.name, len(known)), d.first.name))


def _compared_across(one: Statistic, other: Statistic) -> bool:
    """Say whether a statistic is compared between environments."""
    few = min(one.estimate.n, other.estimate.n) < FEWEST
    return one.name in ACROSS and (one.slice == "all" or not few)


def _apart(one: Difference) -> bool:
    a, b = one.first.estimate, one.second.estimate
    missing = math.isnan(a.value), math.isnan(b.value)
    if any(missing) and one.first.name.startswith(_NEEDS_COUNTS):
        return False
    if all(missing):
        return (a.n, a.n_undefined) != (b.n, b.n_undefined)
    return one.size > one.tolerance
