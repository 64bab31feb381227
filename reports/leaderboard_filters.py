"""What the leaderboard's rows can be filtered by, and how much there is of what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zcbench.harness.results.entry import Entry
from zcbench.reports.leaderboard_names import ArchitectureNames, slice_title, statistic_title
from zcbench.reports.names import benchmark_title
from zcbench.reports.text import plural


@dataclass(frozen=True, slots=True)
class Filter:
    """One choice: its name in the permalink, its label, its options (value and text), and what is chosen at first."""

    name: str
    title: str
    options: tuple[tuple[str, str], ...]
    default: str = ""


def filters(entries: Sequence[Entry]) -> tuple[Filter, ...]:
    """Return the choices; at first Spearman on all architectures is chosen, where there is such a row."""
    chosen = ("spearman", "all")
    usual = any((entry.statistic, entry.slice) == chosen for entry in entries)
    statistic, slice_ = chosen if usual else ("", "")
    return (
        Filter("benchmark", "Benchmark", _options((e.benchmark, benchmark_title(e.benchmark)) for e in entries)),
        Filter("target", "Target", _options((e.truth.target, e.truth.target) for e in entries)),
        Filter("population", "Architectures", ArchitectureNames(entries).options()),
        Filter("slice", "Slice", _options((e.slice, slice_title(e.slice)) for e in entries), slice_),
        Filter("statistic", "Statistic", _options((e.statistic, statistic_title(e.statistic)) for e in entries),
               statistic),
    )  # fmt: skip


def _options(found: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(set(found), key=lambda option: (option[1].casefold(), option[0])))


def counted(entries: Sequence[Entry]) -> str:
    """Return how much there is, in words: metrics, benchmarks, targets."""
    metrics = {(entry.metric.name, entry.metric.version, entry.metric.code) for entry in entries}
    benchmarks = {entry.benchmark for entry in entries}
    targets = {(entry.benchmark, entry.truth.target) for entry in entries}
    return (
        f"{plural(len(metrics), 'metric')} on {plural(len(benchmarks), 'benchmark')} and "
        f"{plural(len(targets), 'target')}"
    )
