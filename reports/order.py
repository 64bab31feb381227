"""What the sections share: the order of the metrics, their roles, and how intervals were made."""

import math
import re

from zcbench.harness.analysis.ceiling import Ceiling
from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.paired import COUNTS
from zcbench.harness.analysis.result import Analysis
from zcbench.reports.text import listed

BASELINES = COUNTS
"""Counts that need no theory: what every metric has to pass."""

FEW_ARCHITECTURES = 30
"""On fewer than so many the head of the report says that there are only so many, and no precision is given."""

_LOST = re.compile(r" \((\d+) undefined\)")
"""What ``intervals.percentile`` says of resamples in which the statistic does not exist."""

_WORD_OF_FEWEST = {10: "ten"}.get(FEWEST, str(FEWEST))

_TITLES = {
    "spearman": "Spearman",
    "kendall": "Kendall",
    "weighted_tau": "weighted τ",
    "precision_at_10": "precision",
    "regret_top1": "regret",
    "partial_spearman_params": "partial Spearman",
    "partial_spearman_flops": "partial Spearman",
}


def ordered(analysis: Analysis) -> tuple[str, ...]:
    """Return the metrics from the highest Spearman to the lowest; those without one come last."""

    def key(metric: str) -> tuple[bool, float, str]:
        value = analysis.estimate(metric, "spearman").value
        return math.isnan(value), 0.0 if math.isnan(value) else -value, metric

    return tuple(sorted(analysis.table.metrics, key=key))


def role(metric: str) -> str:
    """Return ``baseline`` for the trivial counts, else ``metric``."""
    return "baseline" if metric in BASELINES else "metric"


def known_ceiling(analysis: Analysis) -> Ceiling | None:
    """Return the noise ceiling where it could be estimated."""
    ceiling = analysis.ceiling
    return None if ceiling is None or math.isnan(ceiling.all.value) else ceiling


def without_interval(analysis: Analysis, statistics: tuple[str, ...]) -> tuple[str, ...]:
    """Return notes that say which estimates have no interval, and why.

    Args:
        analysis: where the estimates are.
        statistics: names of statistics over all architectures.
    """
    found = {
        (statistic, metric): e
        for statistic in statistics
        for metric in ordered(analysis)
        if not math.isnan((e := analysis.estimate(metric, statistic)).value) and math.isnan(e.low)
    }
    few = {key for key, e in found.items() if e.n < FEWEST}
    notes = []
    for why, keys in (
        (f"fewer than {_WORD_OF_FEWEST} architectures", few),
        ("too few resamples have a value", set(found) - few),
    ):
        if keys:
            titles = list(dict.fromkeys(_TITLES[s] for s in statistics if any(key[0] == s for key in keys)))
            names = [m for m in ordered(analysis) if any(key[1] == m for key in keys)]
            whose = "" if len(names) == len(analysis.table.metrics) else f" of {listed(names)}"
            notes.append(f"{listed(titles)}{whose}: no interval: {why}.")
    return tuple(notes)


def methods(analysis: Analysis, statistics: tuple[str, ...]) -> tuple[str, ...]:
    """Return one note that names how the intervals of some statistics were made.

    Args:
        analysis: where the estimates are.
        statistics: names of statistics over all architectures.
    """
    words: dict[str, list[str]] = {}
    missing = 0
    for statistic in statistics:
        for metric in analysis.table.metrics:
            estimate = analysis.estimate(metric, statistic)
            if math.isnan(estimate.low):
                continue
            lost = _LOST.search(estimate.method)
            missing = max(missing, int(lost.group(1)) if lost else 0)
            names = words.setdefault(_LOST.sub("", estimate.method), [])
            if _TITLES[statistic] not in names:
                names.append(_TITLES[statistic])
    said = [f"{listed(names)} by {method}" for method, names in words.items()]
    lost_most = f" Of some metrics up to {missing} resamples have no value." if missing else ""
    return (f"95 % intervals: {'; '.join(said)}.{lost_most}",) if said else ()
