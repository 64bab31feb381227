"""Results that cannot both be right: of one setting, of one truth's name, of one metric's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from zcbench.harness.results.entry import Disagreement, DisagreementKind
from zcbench.harness.results.estimates import of_estimates
from zcbench.harness.results.result import MetricIdentity
from zcbench.harness.results.rows import Row
from zcbench.harness.results.sides import key_of, sides_of


def disagreements(rows: Sequence[Row]) -> list[Disagreement]:
    """Return every disagreement, sorted by metric, benchmark and target.

    Args:
        rows: measurements, those of one setting that agree put together.
    """
    found = [
        *of_estimates(_split(rows, lambda row: row.first.setting)),
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


def _of_truths(rows: Sequence[Row]) -> Disagreement:
    """Name truths of one name with different values on the same architectures."""
    first = rows[0].first
    truth, architectures = first.measurement.truth, first.measurement.architectures
    after = f" after {truth.epochs} epochs" if truth.epochs >= 0 else ""
    what = (
        f"the truth {truth.target} ({truth.split}{after}, source {truth.source}) of {first.result.benchmark} has other "
        f"values on the same {architectures.number} architectures"
    )
    sides = sides_of(rows, _truth, lambda one: f"values {_truth(one)} ({one.first.measurement.truth.description})")
    name = [*map(str, _truth_name(rows[0]))]
    return Disagreement(
        key_of(DisagreementKind.TRUTH, name), DisagreementKind.TRUTH, "", 0, first.result.benchmark, truth.target, what,
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
    sides = sides_of(rows, _identity, lambda row: ", ".join(part[2](_identity(row)) for part in differing))
    return Disagreement(
        key_of(DisagreementKind.METRIC, [metric.name, str(metric.version)]), DisagreementKind.METRIC, metric.name,
        metric.version, "", "", what, sides, ("a change without a higher version, or two metrics of one name",),
    )  # fmt: skip
