"""Measurements of one setting with different numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zcbench.harness.results.compare import Difference
from zcbench.harness.results.entry import Disagreement, DisagreementKind, Side
from zcbench.harness.results.result import Statistic
from zcbench.harness.results.rows import Measured, Row
from zcbench.harness.results.sides import files_of, key_of, side_of

UNCOMPARED = ("rows",)
"""What is recorded with an environment and says nothing about it."""

_NAMES = {"spearman": "Spearman's rho", "kendall": "Kendall's tau"}
_SLICES = {"all": "all of them", "top10_truth": "the best 10 % by truth"}


@dataclass(frozen=True)
class Conflict:
    """Rows of one setting.

    Attributes:
        rows: two or more, of which none agrees with another.
        shown: of each row the member whose numbers are told.
        worst: where the first row and some other differ most.
    """

    rows: tuple[Row, ...]
    shown: tuple[Measured, ...]
    worst: Difference

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Conflict:
        """Hold the rows of one setting against the first of them."""
        pairs = [_worst(rows[0], row) for row in rows[1:]]
        first, _, worst = max(pairs, key=lambda pair: pair[2].excess)
        return cls(tuple(rows), (first, *(other for _, other, _ in pairs)), worst)

    @property
    def about(self) -> tuple[object, ...]:
        """The metric, the benchmark, the recipe and the files of the sides.

        Scores that differ do so against every target, so conflicts that are equal in this are one disagreement.
        """
        one = self.rows[0].first
        files = tuple(files_of([row]) for row in self.rows)
        return one.result.metric, one.result.benchmark, one.measurement.recipe.digest, files

    @property
    def target(self) -> str:
        """The target."""
        return self.rows[0].first.measurement.truth.target


def of_estimates(settings: Sequence[Sequence[Row]]) -> list[Disagreement]:
    """Name every disagreement about numbers.

    Args:
        settings: rows of one setting, those with more than one.
    """
    groups: dict[object, list[Conflict]] = {}
    for rows in settings:
        conflict = Conflict.of(rows)
        groups.setdefault(conflict.about, []).append(conflict)
    return [_named(group) for group in groups.values()]


def _named(conflicts: Sequence[Conflict]) -> Disagreement:
    """Name the conflicts of one metric, benchmark and recipe between the same files by the worst of them."""
    worst = max(conflicts, key=lambda one: (one.worst.excess, one.target))
    first = worst.rows[0].first
    metric, truth = first.result.metric, first.measurement.truth
    others = sorted({one.target for one in conflicts} - {worst.target})
    likewise = ", ".join(others)
    what = (
        f"{metric.name} v{metric.version} on {first.result.benchmark}, {truth.target}, "
        f"{first.measurement.architectures.number} architectures: {_differs(worst.worst)}"
        f"{f'; likewise against {likewise}' if others else ''}"
    )
    settings = sorted(one.rows[0].first.setting for one in conflicts)
    return Disagreement(
        key_of(DisagreementKind.ESTIMATES, settings), DisagreementKind.ESTIMATES, metric.name, metric.version,
        first.result.benchmark, truth.target, what, _sides(worst, conflicts), _causes(worst.shown),
    )  # fmt: skip


def _sides(worst: Conflict, conflicts: Sequence[Conflict]) -> tuple[Side, ...]:
    """Return a side for each row of the worst conflict, with the rows of the same files in the others."""
    return tuple(
        side_of([conflict.rows[place] for conflict in conflicts], _numbers(one, worst.worst))
        for place, one in enumerate(worst.shown)
    )


def _worst(first: Row, second: Row) -> tuple[Measured, Measured, Difference]:
    """Return the members of two rows that differ most, and in what; some do, else the rows would be one."""
    found = [
        (a, b, differing[0]) for a in first.members for b in second.members if (differing := a.differences(b))
    ]  # fmt: skip
    return max(found, key=lambda pair: pair[2].excess)


def _differs(one: Difference) -> str:
    a, b = one.first.estimate, one.second.estimate
    name = _NAMES.get(one.first.name, one.first.name.replace("_", " "))
    shown = f"{name} on {_SLICES.get(one.first.slice, one.first.slice)}"
    if (a.n, a.n_undefined) != (b.n, b.n_undefined):
        return f"{shown} rests on another number of architectures with a score"
    if math.isinf(one.size):
        return f"{shown} exists on one side only"
    return f"{shown} differs by {one.size:.2g}, where {one.tolerance:.2g} is allowed"


def _numbers(one: Measured, worst: Difference) -> str:
    """Say what a measurement gives for the statistic that differs most."""
    name, slice_ = worst.first.name, worst.first.slice
    found = [s for s in one.measurement.statistics if (s.name, s.slice) == (name, slice_)]
    return _said(found[0]) if found else f"no {name}"


def _said(one: Statistic) -> str:
    e = one.estimate
    value = "undefined" if math.isnan(e.value) else f"{e.value:.4f}"
    interval = "" if math.isnan(e.low) or math.isnan(e.high) else f" [{e.low:.4f}, {e.high:.4f}]"
    return f"{one.name} {value}{interval}, {e.n} with a score, {e.n_undefined} without"


def _causes(shown: Sequence[Measured]) -> tuple[str, ...]:
    """Say in what the environments of the sides differ."""
    recorded = [one.result.environments for one in shown]
    names = sorted({name for each in recorded for one in each for name in one} - set(UNCOMPARED))
    found = []
    for name in names:
        values = [_values(each, name) for each in recorded]
        if len(set(values)) > 1:
            found.append(f"{name}: {' / '.join(value or 'not recorded' for value in values)}")
    if found:
        return tuple(found)
    return (
        "nothing recorded of the environments differs, in which scores repeat bit for bit: so the code of the metric "
        "changed without a higher version, or a file was changed by hand",
    )


def _values(environments: Sequence[Mapping[str, str]], name: str) -> str:
    return ", ".join(dict.fromkeys(value for one in environments if (value := one.get(name, ""))))
