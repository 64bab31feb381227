"""The checks of correlations: the same architectures, then and now, against the same truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.loss import Loss, loss
from zcbench.harness.analysis.power import PROBABILITY, smallest_loss
from zcbench.harness.analysis.ranks import dense, tenth, top_slice
from zcbench.harness.gate.measured import TruthRecord
from zcbench.harness.gate.pairing import Pair, Places
from zcbench.harness.gate.result import Check, Kind, Power, Status
from zcbench.harness.gate.rules import Rule


@dataclass(frozen=True, eq=False)
class Comparison:
    """One correlation check that is subject to chance.

    Attributes:
        pair: the entry.
        places: the metric.
        truth: the ground truth.
        rule: the rule.
        rows: places of the architectures that both have a score of.
    """

    pair: Pair
    places: Places
    truth: TruthRecord
    rule: Rule
    rows: NDArray[np.int64]

    @property
    def key(self) -> str:
        """The metric with its parameters."""
        return self.pair.then.metrics[self.places[0]].key

    def loss(self, confidence: float) -> Loss:
        """Return the difference of the two correlations with its one-sided limit."""
        return loss(
            self.pair.then.signed(self.places[0])[self.rows], self.pair.now.signed(self.places[1])[self.rows],
            self.truth.values[self.rows], statistic=self.rule.statistic, confidence=confidence,
        )  # fmt: skip


def comparisons(pairs: Sequence[Pair], rules: Sequence[Rule]) -> tuple[list[Comparison], list[Check]]:
    """Return the correlation checks that are subject to chance, and what is to be said of the others."""
    made: list[Comparison] = []
    others: list[Check] = []
    for pair in pairs:
        present = {t.name: t for t in pair.now.truths}
        ids = pair.then.architectures
        for truth in pair.then.truths:
            if truth.name not in present or present[truth.name].digest(ids) != truth.digest(ids):
                continue
            for places in pair.common:
                for rule in rules:
                    one = Comparison(pair, places, truth, rule, _rows(pair, places, truth, rule))
                    check = _not_compared(one)
                    if check is None:
                        made.append(one)
                    else:
                        others.append(check)
    return made, others


def _rows(pair: Pair, places: Places, truth: TruthRecord, rule: Rule) -> NDArray[np.int64]:
    """Return the architectures of a slice with a truth and both scores; the slice is that of all with a truth."""
    codes = dense(truth.values)
    known = codes >= 0
    inside = top_slice(codes, tenth(int(known.sum()))) if rule.slice == "top10_truth" else known
    scored = np.isfinite(pair.then.signed(places[0])) & np.isfinite(pair.now.signed(places[1]))
    return np.flatnonzero(inside & scored)


def _not_compared(one: Comparison) -> Check | None:
    """Return what is to be said where there is no difference to be tested."""
    then = one.pair.then.signed(one.places[0])[one.rows]
    now = one.pair.now.signed(one.places[1])[one.rows]
    n = one.rows.size
    what, asked = f"{one.rule.name} with {one.truth.name}", one.rule.slice != "all"
    nothing = {"then": math.nan, "now": math.nan, "difference": math.nan, "upper": math.nan, "margin": one.rule.margin}
    if n < FEWEST:
        status = Status.MISSING if asked else Status.NOTE
        message = f"{what} not compared: {n} architectures have both scores, and it takes {FEWEST}"
        message += ": record more, or leave this rule out" if asked else ""
    elif then.min() == then.max():
        status, message = Status.NOTE, f"{what} not compared: the recorded score is the same for all {n} architectures"
    elif now.min() == now.max():
        status = Status.FAIL
        message = f"the score is the same for all {n} architectures now, so it orders none: {what} does not exist"
    elif (truth := one.truth.values[one.rows]).min() == truth.max():
        status, message = Status.NOTE, f"{what} not compared: the ground truth is the same for all {n} architectures"
    else:
        return None
    return _correlation_check(one, status, message, nothing)


def held(one: Comparison, confidence: float) -> Check:
    """Make the check: it fails where the upper limit of the difference lies below minus the margin."""
    found, margin = one.loss(confidence), one.rule.margin
    failed = found.upper < -margin
    change = f"{found.then:.3f} -> {found.now:.3f}"
    if found.error == 0 and found.difference == 0:
        message = f"{one.rule.name} with {one.truth.name} {change}: the ranking is the same"
    else:
        verdict = "a loss beyond the margin" if failed else "no loss beyond the margin is shown"
        message = (
            f"{one.rule.name} with {one.truth.name} {change}: {verdict} (difference {found.difference:+.3f}, upper "
            f"limit {found.upper:+.3f}, margin {margin:g}, n = {found.n})"
        )
    numbers = {
        "then": found.then, "now": found.now, "difference": found.difference, "upper": found.upper, "margin": margin,
    }  # fmt: skip
    return _correlation_check(one, Status.FAIL if failed else Status.PASS, message, numbers)


def _correlation_check(one: Comparison, status: Status, message: str, numbers: Mapping[str, float]) -> Check:
    return Check(
        Kind.CORRELATION, status, one.pair.then.name, one.truth.name, one.key, message, one.rule.name,
        one.rows.size, numbers,
    )  # fmt: skip


def power(one: Comparison, confidence: float) -> Power:
    """Say what loss the check could see."""
    metric = one.pair.then.metrics[one.places[0]]
    sign = 1.0 if metric.higher_is_better else -1.0
    scores = sign * one.pair.then.values[one.rows, one.places[0]]
    found = smallest_loss(
        scores, one.truth.values[one.rows], statistic=one.rule.statistic, margin=one.rule.margin, confidence=confidence
    )
    n = one.rows.size
    noise = f"noise of {found.seeds} seeds" if found.seeds else "noise of the seed unknown"
    what, often = f"loss of {one.rule.name} with {one.truth.name}", f"is seen with a probability of {PROBABILITY:.0%}"
    seen = (
        f"a {what} of {found.loss:.3f} or more {often}" if math.isfinite(found.loss)
        else f"no {what} {often}, not even that of scores in random order ({found.share:.0%})"
    )  # fmt: skip
    return Power(
        one.pair.then.name, one.truth.name, metric.key, one.rule.name, n, one.rule.margin, found.loss, PROBABILITY,
        found.seeds, f"{seen} (n = {n}, {noise})",
    )  # fmt: skip
