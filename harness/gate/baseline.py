"""A baseline: what is recorded of metrics whose quality is to be kept, and how it is made from scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.result import SLICES
from zcbench.harness.analysis.study import analyse
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.gate.measured import Measured
from zcbench.harness.types import Estimate

SCHEMA_VERSION = 1
"""Rises when a baseline of an earlier version can no longer be read as it is."""

STATISTICS = ("spearman", "kendall")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One estimate of a baseline."""

    metric: str
    target: str
    statistic: str
    slice: str
    estimate: Estimate


@dataclass(frozen=True, eq=False)
class Baseline:
    """Scores with their estimates.

    Attributes:
        entries: one for each benchmark, or for each task of a benchmark whose networks have one.
        estimates: for each entry, by metric, target, statistic and slice.
        provenance: when, where and with what it was recorded.
        name: the file it was read from; empty for one that was just made.
    """

    entries: tuple[Measured, ...]
    estimates: tuple[tuple[Recorded, ...], ...]
    provenance: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric of any entry, sorted."""
        return tuple(sorted({m.key for entry in self.entries for m in entry.metrics}))

    def only(self, keys: Sequence[str]) -> Baseline:
        """Return the baseline of these metrics alone.

        Raises:
            ZcbenchError: if it has none of one of these names.
        """
        for key in keys:
            if key not in self.metrics:
                raise unknown("metric in the baseline", key, self.metrics)
        kept = [(entry.only(keys), rows) for entry, rows in zip(self.entries, self.estimates, strict=True)]
        kept = [(entry, rows) for entry, rows in kept if entry.metrics]
        return replace(
            self, entries=tuple(entry for entry, _ in kept),
            estimates=tuple(tuple(row for row in rows if row.metric in keys) for _, rows in kept),
        )  # fmt: skip


def record(measured: Sequence[Measured], *, provenance: Mapping[str, str] | None = None) -> Baseline:
    """Make a baseline of scores.

    Architectures without any ground truth are left out. Estimates are Spearman's rho and Kendall's tau-b with their
    95 % intervals, on all architectures and the top tenths, as in every analysis.

    Args:
        measured: one for each benchmark, with at least one ground truth.
        provenance: when, where and with what.

    Raises:
        ZcbenchError: if there are no scores, fewer than ten architectures with a ground truth, or two entries that
            cannot be told apart.
    """
    if not measured:
        raise ZcbenchError("a baseline needs scores: name a benchmark and metrics, or a store that holds some")
    entries = tuple(_with_truth(one) for one in sorted(measured, key=lambda one: one.name))
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ZcbenchError(f"there are two sets of scores of {name}: record them in baselines of their own")
    return Baseline(entries, tuple(_estimates(entry) for entry in entries), provenance or {})


def _with_truth(one: Measured) -> Measured:
    """Leave out what has no ground truth, and refuse too few architectures."""
    if not one.truths:
        raise ZcbenchError(f"the scores of {one.name} have no ground truth to be held against")
    known = ~np.isnan(np.stack([truth.values for truth in one.truths]))
    for truth, has in zip(one.truths, known, strict=True):
        if has.sum() < FEWEST:
            raise ZcbenchError(
                f"{int(has.sum())} of {len(one.architectures)} architectures of {one.name} have a ground truth in "
                f"{truth.description}; a baseline needs at least {FEWEST}: score more, with --sample or --architectures"
            )
    kept = np.flatnonzero(known.any(axis=0))
    truths = tuple(replace(truth, values=truth.values[kept]) for truth in one.truths)
    return replace(
        one, architectures=tuple(one.architectures[a] for a in kept), values=one.values[kept], truths=truths,
        outcome=one.outcome[kept], reason=one.reason[kept], seconds=one.seconds[kept],
    )  # fmt: skip


def _estimates(entry: Measured) -> tuple[Recorded, ...]:
    found = []
    for truth in entry.truths:
        analysis = analyse(entry.table(truth), undefined="drop")
        found += [
            Recorded(m.key, truth.name, statistic, slice_, analysis.estimate(m.key, statistic, slice_))
            for m in entry.metrics for statistic in STATISTICS for slice_ in SLICES
        ]  # fmt: skip
    return tuple(found)
