"""Results that cannot both be right: of one setting, of one truth's name, of one metric's name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from zcbench.harness.results import digests
from zcbench.harness.results.compare import Difference
from zcbench.harness.results.entry import Disagreement, DisagreementKind, MetricIdentity, Side, Statistic
from zcbench.harness.results.rows import Measured, Row

UNCOMPARED = ("rows",)
"""What is recorded with an environment and says nothing about it."""

_NAMES = {"spearman": "Spearman's rho", "kendall": "Kendall's tau"}
_SLICES = {"all": "all of them", "top10_truth": "the best 10 % by truth"}


def disagreements(rows: Sequence[Row]) -> list[Disagreement]:
    """Return every disagreement, sorted by metric, benchmark and target.

    Args:
        rows: measurements, those of one setting that agree put together.
    """
    found = [
        *(_of_estimates(group) for group in _split(rows, lambda row: row.first.setting)),
        *(_of_truths(group) for group in _split(rows, _truth_name) if _several(group, _truth)),
        *(_of_metrics(group) for group in _split(rows, _metric_name) if _several(group, _identity)),
    ]
    return sorted(found, key=lambda one: (one.metric, one.version, one.benchmark, one.target, one.kind, one.key))


def _split(rows: Sequence[Row], key: Callable[[Row], object]) -> list[list[Row]]:
    """Return the groups of rows with equal keys that have two members or more."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def _several(rows: Iterable[Row], key: Callable[[Row], object]) -> bool:
    return len({key(row) for row in rows}) > 1


def _truth_name(row: Row) -> tuple[object, ...]:
    """What a truth is called, and on which architectures its values are compared."""
    t, one = row.first.measurement.truth, row.first
    return one.result.benchmark, t.target, t.source, t.split, t.epochs, one.measurement.architectures.digest


def _truth(row: Row) -> str:
    return row.first.measurement.truth.digest


def _metric_name(row: Row) -> tuple[str, int]:
    return row.first.result.metric.name, row.first.result.metric.version


def _identity(row: Row) -> MetricIdentity:
    return row.first.result.metric


def _of_estimates(rows: Sequence[Row]) -> Disagreement:
    """Name rows of one setting, of which none agrees with another."""
    first, metric = rows[0].first, rows[0].first.result.metric
    pairs = [_worst(rows[0], row) for row in rows[1:]]
    left, _, worst = max(pairs, key=lambda pair: pair[2].size)
    what = (
        f"{metric.name} v{metric.version} on {first.result.benchmark}, {first.measurement.truth.target}, "
        f"{first.measurement.architectures.number} architectures: {_differs(worst)}"
    )
    shown = [left, *(right for _, right, _ in pairs)]
    sides = tuple(_side([row], _numbers(one, worst)) for row, one in zip(rows, shown, strict=True))
    return Disagreement(
        _key(DisagreementKind.ESTIMATES, [first.setting]), DisagreementKind.ESTIMATES, metric.name, metric.version,
        first.result.benchmark, first.measurement.truth.target, what, sides, _causes(shown),
    )  # fmt: skip


def _worst(first: Row, second: Row) -> tuple[Measured, Measured, Difference]:
    """Return the members of two rows that differ most, and in what; some do, else the rows would be one."""
    found = [
        (a, b, differing[0]) for a in first.members for b in second.members if (differing := a.differences(b))
    ]  # fmt: skip
    return max(found, key=lambda pair: pair[2].size)


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


def _of_truths(rows: Sequence[Row]) -> Disagreement:
    """Name truths of one name with different values on the same architectures."""
    first = rows[0].first
    truth, architectures = first.measurement.truth, first.measurement.architectures
    after = f" after {truth.epochs} epochs" if truth.epochs >= 0 else ""
    what = (
        f"the truth {truth.target} ({truth.split}{after}, source {truth.source}) of {first.result.benchmark} has other "
        f"values on the same {architectures.number} architectures"
    )
    sides = _sides(rows, _truth, lambda one: f"values {_truth(one)} ({one.first.measurement.truth.description})")
    name = [*map(str, _truth_name(rows[0]))]
    return Disagreement(
        _key(DisagreementKind.TRUTH, name), DisagreementKind.TRUTH, "", 0, first.result.benchmark, truth.target, what,
        sides, ("another release of the table, or a table of somebody's own under the name of that source",),
    )  # fmt: skip


_PARTS: tuple[tuple[str, str, Callable[[MetricIdentity], str]], ...] = (
    ("code", "other code", lambda m: f"code {m.code or 'as it comes with zcbench'}"),
    ("higher_is_better", "another direction", lambda m: f"{'higher' if m.higher_is_better else 'lower'} is better"),
    ("components", "other components", lambda m: f"made of {', '.join(m.components) or 'nothing else'}"),
    ("cite", "another citation", lambda m: f"cites {m.cite or 'nothing'}"),
)
"""What identifies a metric besides name and version: the attribute, how a difference is called, what a side says."""


def _of_metrics(rows: Sequence[Row]) -> Disagreement:
    """Name metrics of one name and version that are not the same."""
    metric = _identity(rows[0])
    differing = [part for part in _PARTS if len({getattr(_identity(row), part[0]) for row in rows}) > 1]
    what = f"{metric.name} v{metric.version} is not one metric: it has {' and '.join(part[1] for part in differing)}"
    sides = _sides(rows, _identity, lambda row: ", ".join(part[2](_identity(row)) for part in differing))
    return Disagreement(
        _key(DisagreementKind.METRIC, [metric.name, str(metric.version)]), DisagreementKind.METRIC, metric.name,
        metric.version, "", "", what, sides, ("a change without a higher version, or two metrics of one name",),
    )  # fmt: skip


def _sides(rows: Sequence[Row], key: Callable[[Row], object], says: Callable[[Row], str]) -> tuple[Side, ...]:
    """Put rows together that are on one side."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    sides = [_side(group, says(group[0])) for group in groups.values()]
    return tuple(sorted(sides, key=lambda side: (-len(side.by), side.by, side.says)))


def _side(rows: Sequence[Row], says: str) -> Side:
    members = [member for row in rows for member in row.members]
    return Side(
        by=tuple(sorted({member.by for member in members})), files=tuple(sorted({m.result.file for m in members})),
        says=says, entries=tuple(key for row in rows for key in row.keys),
    )  # fmt: skip


def _key(kind: DisagreementKind, about: Sequence[str]) -> str:
    return digests.of([kind, *about])
