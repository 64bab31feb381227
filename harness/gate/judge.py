"""Scores now against a baseline: every check, the rates of false alarms, and what the gate can see at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.gate import checks, correlations
from zcbench.harness.gate.baseline import Baseline
from zcbench.harness.gate.measured import Measured
from zcbench.harness.gate.pairing import Pair, Places
from zcbench.harness.gate.result import Check, GateResult, Kind, Status
from zcbench.harness.gate.rules import DEFAULT, Rule, parse
from zcbench.harness.types import Recipe

TOLERANCE = 0.1
"""Relative difference that counts as none where the environment is not that of the record.

On one and on two threads of one machine, 52 cells of NAS-Bench-201 with images of 32 x 32 (batch 32): of all scores
of a metric three quarters differed by at most 0.038 (plain), 0.019 (grasp), 0.015 (epe_nas), 0.013 (zico), 0.004
(fisher) and less for others; the largest differences were 2.4 (grasp), 0.29 (plain), 0.07 (epe_nas), 0.03 (fisher).
"""

MAX_COST_RATIO = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What fails.

    Attributes:
        rules: which losses of correlation.
        confidence: of each one-sided limit, or of all together.
        simultaneous: whether the confidence is that of all checks together (Bonferroni).
        tolerance: relative difference of single scores in another environment.
        max_cost_ratio: largest ratio of costs.
    """

    rules: tuple[Rule, ...] = (parse(DEFAULT),)
    confidence: float = 0.95
    simultaneous: bool = False
    tolerance: float = TOLERANCE
    max_cost_ratio: float = MAX_COST_RATIO

    def __post_init__(self) -> None:
        if not 0.5 <= self.confidence < 1:
            raise ZcbenchError(f"--confidence lies between 0.5 and 1, not at {self.confidence:g}")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ZcbenchError(f"--tolerance is zero or more, not {self.tolerance:g}")
        if not self.max_cost_ratio >= 1:
            raise ZcbenchError(f"--max-cost-ratio is at least 1, not {self.max_cost_ratio:g}")


NORMAL = Limits()
"""What fails where nobody says anything else."""


def judge(
    baseline: Baseline, now: Sequence[Measured], *, limits: Limits = NORMAL,
    absent: Mapping[str, str] | None = None, notes: Sequence[str] = (), provenance: Mapping[str, str] | None = None,
    power: bool = True,
) -> GateResult:
    """Hold scores against a baseline.

    Args:
        baseline: what was recorded.
        now: the same benchmarks measured now, found by their ``name``.
        limits: what fails.
        absent: why an entry of the baseline could not be measured, by its name; and why one of its ground truths is
            not there, by the names of both.
        notes: what else is to be said of the run.
        provenance: when, where and with what it was made.
        power: whether to work out the smallest loss that each correlation check can see.
    """
    found: list[Check] = []
    pairs: list[Pair] = []
    measured = {one.name: one for one in now}
    level = 1 - limits.confidence
    for entry in baseline.entries:
        why, other = _incomparable(entry, measured.get(entry.name), (absent or {}).get(entry.name, ""))
        if other is None:
            found.append(Check(Kind.DATA, Status.MISSING, entry.name, "", "", why))
        else:
            pairs.append(Pair(entry, other, level, limits.tolerance, limits.max_cost_ratio))
            found += _gone(pairs[-1], absent or {})
    comparisons, unmade = correlations.comparisons(pairs, limits.rules)
    found += unmade
    chance = len(comparisons) + sum(len(pair.common) for pair in pairs if pair.fresh)
    each = level / max(1, chance) if limits.simultaneous else level
    for pair in pairs:
        found += _single_checks(replace(pair, level=each))
    found += [correlations.held(one, 1 - each) for one in comparisons]
    bound = min(1.0, chance * each)
    return GateResult(
        baseline=baseline.name, checks=tuple(sorted(found, key=_order)),
        power=tuple(correlations.power(one, 1 - each) for one in comparisons) if power else (),
        confidence=limits.confidence, simultaneous=limits.simultaneous, correlation_checks=len(comparisons),
        false_alarms=bound, rules=tuple(map(str, limits.rules)),
        notes=(*notes, *_notes(pairs, limits, len(comparisons), chance, bound)), provenance=provenance or {},
    )  # fmt: skip


def _order(check: Check) -> tuple[str, ...]:
    return (check.benchmark, check.target, check.metric, check.kind, check.statistic)


def _incomparable(then: Measured, now: Measured | None, why: str) -> tuple[str, Measured | None]:
    """Return why an entry cannot be compared, or what it is compared with."""
    if now is None:
        return why or "there are no scores of it to compare", None
    for field in fields(Recipe):
        before, after = (getattr(one.recipes[0], field.name) for one in (then, now))
        if field.name != "init_seed" and before != after:
            what = "images" if field.name == "images" else f"{field.name} (now {after!r}, recorded {before!r})"
            return f"the scores now have other {what} than those recorded: use the same, or record anew", None
    if then.space != now.space:
        return f"the search space is {now.space}, recorded was {then.space}: record the baseline anew", None
    if then.architectures != now.architectures or len(then.recipes) != len(now.recipes):
        return "the scores now are of other architectures or another number of seeds than those recorded", None
    return "", now


def _gone(pair: Pair, absent: Mapping[str, str]) -> Iterator[Check]:
    """Say which metrics and ground truths of the record there are no more, or are others."""
    for metric in pair.then.metrics:
        if pair.now.metric(metric.key) is None:
            message = (
                f"the metric is gone: bring version {metric.version} or a later one back (--include-path), leave it "
                "out with --metrics, or record the baseline anew"
            )
            yield Check(Kind.VERSION, Status.MISSING, pair.then.name, "", metric.key, message)
    for metric in pair.now.metrics:
        if pair.then.metric(metric.key) is None:
            message = "not in the baseline, so not judged: record it"
            yield Check(Kind.VERSION, Status.NOTE, pair.then.name, "", metric.key, message)
    truths = {truth.name: truth for truth in pair.now.truths}
    ids = pair.then.architectures
    for truth in pair.then.truths:
        same = truths.get(truth.name)
        if same is None:
            why = absent.get(f"{pair.then.name} {truth.name}", truth.description)
            message = f"the recorded ground truth is not there: {why}"
            yield Check(Kind.DATA, Status.MISSING, pair.then.name, truth.name, "", message)
        elif same.digest(ids) != truth.digest(ids):
            differ = int((~((same.values == truth.values) | (np.isnan(same.values) & np.isnan(truth.values)))).sum())
            message = (
                f"the ground truth of {differ} of {len(ids)} architectures is not the recorded one: use the same table "
                f"({truth.description}), or record the baseline anew"
            )
            yield Check(Kind.DATA, Status.MISSING, pair.then.name, truth.name, "", message)


def _single_checks(pair: Pair) -> Iterator[Check]:
    made: tuple[Callable[[Pair, Places], Check | None], ...] = (
        checks.version, checks.values, checks.outcomes, checks.cost,
    )  # fmt: skip
    for places in pair.common:
        yield from (found for make in made if (found := make(pair, places)) is not None)


def _notes(pairs: Sequence[Pair], limits: Limits, comparisons: int, chance: int, bound: float) -> Iterator[str]:
    """Say what holds for all checks together."""
    some = f"{comparisons} correlation check{'' if comparisons == 1 else 's'}"
    if chance > comparisons:
        some += f" and {chance - comparisons} of outcomes with other seeds"
    if chance:
        how = "together" if limits.simultaneous else "each"
        yield (
            f"{some}, {how} at {limits.confidence:.4g}: where nothing has changed but chance, some check fails with a "
            f"probability of at most {bound:.3g}; equal scores never fail"
        )
    for pair in pairs:
        for truth in pair.then.truths:
            yield f"{pair.then.name} {truth.name}: {truth.description}"
        if pair.fresh:
            yield (
                f"{pair.then.name}: scored with the initialisation seeds {_listed(pair.seeds(pair.now))} instead of "
                f"{_listed(pair.seeds(pair.then))}, so single values are not compared"
            )
        elif pair.moved:
            there = ", ".join(
                f"{key} {pair.now.environment.get(key) or 'unknown'} instead of "
                f"{pair.then.environment.get(key) or 'unknown'}" for key in pair.moved
            )  # fmt: skip
            yield (
                f"{pair.then.name}: scored with {there}, so values count as equal within {limits.tolerance:g}, and a "
                "quarter of them may differ by more"
            )
    if pairs:
        yield (
            f"a cost fails where it grew more than {limits.max_cost_ratio:g} times, in units of a fixed workload "
            f"measured in both runs, by more than {checks.SMALLEST_GROWTH * 1000:g} ms an architecture, and on three "
            "quarters of them"
        )


def _listed(seeds: Sequence[int]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
