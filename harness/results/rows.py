"""Measurements of several people, put together where they are of one setting and agree.

Measurements of one setting (`zcbench.harness.results.document.setting`) ought to give the same numbers. Different
architectures, recipes, truths or versions are different settings and have rows of their own, so that nothing is mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zcbench.harness.results import digests
from zcbench.harness.results.compare import Difference, differences
from zcbench.harness.results.document import setting
from zcbench.harness.results.entry import UNNAMED
from zcbench.harness.results.result import Measurement, Result, Statistic


@dataclass(frozen=True)
class Measured:
    """One measurement with the result that it stands in.

    Attributes:
        result: the result.
        measurement: the measurement.
        setting: what was measured; see `document.setting`.
        machines: digest of the environments.
    """

    result: Result
    measurement: Measurement
    setting: str
    machines: str

    @property
    def by(self) -> str:
        """Who handed it in."""
        return self.result.by or UNNAMED

    def differences(self, other: Measured) -> list[Difference]:
        """Return where two measurements of one setting differ by more than they may, the largest first."""
        same = self.machines == other.machines
        return differences(self.measurement, other.measurement, same_environment=same)


@dataclass(frozen=True)
class Row:
    """Measurements of one setting that agree: the statistics of the first are shown.

    Attributes:
        members: at least one, sorted by who handed them in.
        place: 0 for the one that most people confirm among rows that disagree, then 1, ...
    """

    members: tuple[Measured, ...]
    place: int

    @property
    def first(self) -> Measured:
        """The one that is shown."""
        return self.members[0]

    def key(self, statistic: Statistic) -> str:
        """Identify the entry of a statistic."""
        return digests.of([self.first.setting, statistic.slice, statistic.name, self.place])

    @property
    def keys(self) -> tuple[str, ...]:
        """Identify all its entries."""
        return tuple(self.key(statistic) for statistic in self.first.measurement.statistics)


def rows_of(results: Sequence[Result]) -> list[Row]:
    """Group measurements that are of one setting and agree."""
    groups: dict[str, list[Measured]] = {}
    for result in results:
        machines = digests.of_environments(result.environments)
        for one in result.measurements:
            groups.setdefault(setting(result, one), []).append(Measured(result, one, setting(result, one), machines))
    return [row for _, members in sorted(groups.items()) for row in _rows(members)]


def _rows(members: Sequence[Measured]) -> list[Row]:
    """Split measurements of one setting into rows in which each agrees with each.

    Not only with the first: two that agree with it within the tolerance between machines may be from one machine,
    where they must be the same.
    """
    split: list[list[Measured]] = []
    for one in _distinct(sorted(members, key=_rank)):
        for row in split:
            if not any(member.differences(one) for member in row):
                row.append(one)
                break
        else:
            split.append([one])
    split.sort(key=lambda row: -len(row))  # stable: rows of one size stay in the order of who handed them in
    return [Row(tuple(row), place) for place, row in enumerate(split)]


def _rank(one: Measured) -> tuple[str, ...]:
    return one.by, one.machines, one.measurement.scores, repr(one.measurement), one.result.file


def _distinct(members: Sequence[Measured]) -> list[Measured]:
    """Count what one person measured on one machine once: a copied file confirms nothing."""
    kept: list[Measured] = []
    for one in members:
        mine = [other for other in kept if (other.by, other.machines) == (one.by, one.machines)]
        if all(other.differences(one) for other in mine):
            kept.append(one)
    return kept
