"""The checks of single scores: values, outcomes, versions and cost."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from zcbench.harness.gate.pairing import Pair, Places
from zcbench.harness.gate.result import Check, Kind, Status
from zcbench.harness.types import Outcome

SMALLEST_GROWTH = 0.01
"""Seconds an architecture: a cost that grew by less never fails, whatever the ratio."""

EXCUSED = 0.25
"""Share of the scores that may differ by more than the tolerance in another environment."""

NAMED = 5
"""Of so many architectures a check gives the details."""

_RANK = {"": 0, Outcome.OK: 0, Outcome.UNDEFINED: 1, Outcome.FAILED: 2}
"""Outcomes, the worse the higher."""


def version(pair: Pair, places: Places) -> Check:
    """Hold the version and the declared direction of a metric against the record."""
    then, now = pair.of(places)
    turned = then.higher_is_better != now.higher_is_better
    direction = f"; a {'high' if now.higher_is_better else 'low'} score is the better one now" if turned else ""
    if now.version < then.version:
        status = Status.FAIL
        message = f"version fell from {then.version} to {now.version}: a version only rises"
    elif now.version > then.version:
        status = Status.NOTE
        message = f"version {then.version} -> {now.version}: its values may differ{direction}; record them anew"
    elif turned:
        status = Status.FAIL
        message = (
            f"a {'high' if now.higher_is_better else 'low'} score is declared the better one now, and the version is "
            f"still {now.version}: raise it if that is meant"
        )
    else:
        status, message = Status.PASS, f"version {now.version}, as recorded"
    return _check(pair, places, Kind.VERSION, status, message, {"then": then.version, "now": now.version})


def values(pair: Pair, places: Places) -> Check | None:
    """Hold every single score against the record; None where other seeds give other scores.

    In the environment of the record every score must be the same to the last bit. Elsewhere float32 sums come out
    otherwise, and scores in which large terms cancel (plain, grasp) differ without bound on some architecture: there
    the check fails where more than a quarter of the scores differ by more than the tolerance, relative to max(|then|,
    median absolute deviation of the metric's recorded scores), or have a value where there was none.
    """
    if pair.fresh:
        return None
    then, now = pair.of(places)
    before, after = pair.then.values[:, places[0]], pair.now.values[:, places[1]]
    both = np.isfinite(before) & np.isfinite(after)
    appeared = (pair.then.outcome[:, places[0]] != "") & ~np.isfinite(before) & np.isfinite(after)
    relative = np.zeros(before.shape)
    relative[both] = np.abs(after - before)[both] / _scale(before)[both]
    tolerance = pair.tolerance if pair.moved else 0.0
    changed = (both & (before != after) if not pair.moved else relative > tolerance) | appeared
    n = int((pair.then.outcome[:, places[0]] != "").sum())
    few = bool(pair.moved) and int(changed.sum()) <= EXCUSED * n
    count, largest = int(changed.sum()), float(relative.max(initial=0.0))
    numbers = {"changed": float(count), "largest": largest, "tolerance": tolerance}
    if few or not count:
        moved = ", ".join(pair.moved)
        equal = f"equal within {tolerance:g} (another {moved})" if moved else "equal to the last bit"
        but = f"all but {count} of {n}" if count else f"all {n}"
        return _check(pair, places, Kind.VALUE, Status.PASS, f"{but} scores are {equal}", numbers, n=n)
    by = f"largest relative difference {largest:.2g}" if both[changed].any() else "they had no value before"
    raised = now.version > then.version
    status = Status.NOTE if raised or now.version < then.version else Status.FAIL
    why = (
        f"as version {now.version} may" if raised else f"under version {now.version}" if status is Status.NOTE
        else f"though the version is still {now.version}: raise it if that is meant"
    )  # fmt: skip
    of = f"{count} of {n} score{'s' if n > 1 else ''} changed"
    lines = _differences(pair, changed, relative, before, after)
    return _check(pair, places, Kind.VALUE, status, f"{of} ({by}), {why}", numbers, n=n, details=lines)


def _scale(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a difference is relative to: the value, or the spread of the values where that is larger."""
    known = values[np.isfinite(values)]
    spread = float(np.median(np.abs(known - np.median(known)))) if known.size else 0.0
    scale = np.maximum(np.abs(values), spread)
    return np.where(scale > 0, scale, 1.0)


def _differences(
    pair: Pair, changed: NDArray[np.bool_], relative: NDArray[np.float64], before: NDArray[np.float64],
    after: NDArray[np.float64],
) -> tuple[str, ...]:
    """Name the cells that changed most."""
    cells = sorted(zip(*np.nonzero(changed), strict=True), key=lambda cell: -relative[cell])
    seeds = pair.seeds(pair.then)
    return _some(
        [f"{pair.then.architectures[a]}, seed {seeds[s]}: {_text(before[a, s])} -> {_text(after[a, s])}"
         for a, s in cells]
    )  # fmt: skip


def _text(value: float) -> str:
    return "no value" if math.isnan(value) else f"{value:.9g}"


def _some(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - NAMED
    return (*lines[:NAMED], *([f"and {more} more"] if more > 0 else []))


def outcomes(pair: Pair, places: Places) -> Check:
    """Look for scores that have no value and had one, and for failures where the record has none.

    With other seeds a metric may be undefined by the luck of the draw. There the architectures that became undefined
    are held against those that no longer are, which is as likely where nothing but the seeds has changed (sign test).
    A failure is an exception in the code, and no luck: a new one always fails.
    """
    before, after = pair.then.outcome[:, places[0]], pair.now.outcome[:, places[1]]
    worse_then, worse_now = (np.vectorize(_RANK.__getitem__, otypes=[np.int64])(part) for part in (before, after))
    tried = before != ""
    worse_then, worse_now = np.where(tried, worse_then, 0), np.where(tried, worse_now, 0)
    numbers = {"then": float((worse_then > 0).sum()), "now": float((worse_now > 0).sum())}
    n = int(tried.sum())
    if pair.fresh:
        return _fresh_outcomes(pair, places, worse_then.max(axis=1), worse_now.max(axis=1), numbers)
    new = worse_now > worse_then
    if not new.any():
        message = f"no new undefined or failed score among {n}"
        return _check(pair, places, Kind.OUTCOME, Status.PASS, message, numbers, n=n)
    seeds, reasons = pair.seeds(pair.now), pair.now.reason[:, places[1]]
    lines = [f"{pair.now.architectures[a]}, seed {seeds[s]}: {after[a, s]}, {reasons[a, s]}"
             for a, s in zip(*np.nonzero(new), strict=True)]  # fmt: skip
    message = f"{int(new.sum())} of {n} score{'s' if n > 1 else ''} newly undefined or failed: {lines[0]}"
    return _check(pair, places, Kind.OUTCOME, Status.FAIL, message, numbers, n=n, details=_some(lines))


def _fresh_outcomes(
    pair: Pair, places: Places, then: NDArray[np.int64], now: NDArray[np.int64], numbers: dict[str, float]
) -> Check:
    broken, lost = (now > then) & (now == _RANK[Outcome.FAILED]), (now > then) & (now == _RANK[Outcome.UNDEFINED])
    count, gained = int(lost.sum()), int(((then == _RANK[Outcome.UNDEFINED]) & (now == 0)).sum())
    chance = float(stats.binom.sf(count - 1, count + gained, 0.5)) if count else 1.0
    status = Status.FAIL if broken.any() or chance <= pair.level else Status.NOTE if count else Status.PASS
    message = f"with other seeds {count} of {len(then)} architectures are newly undefined, {gained} no longer"
    if count:
        message += f" (by chance with a probability of {chance:.2g}); {_first(pair, places, lost, Outcome.UNDEFINED)}"
    if broken.any():
        failed = f"{int(broken.sum())} of {len(then)} architectures newly failed, which no seed excuses: "
        message = f"{failed}{_first(pair, places, broken, Outcome.FAILED)}; {message}"
    return _check(pair, places, Kind.OUTCOME, status, message, numbers, n=len(then))


def _first(pair: Pair, places: Places, rows: NDArray[np.bool_], outcome: Outcome) -> str:
    """Return the first of some architectures with the reason of its outcome now."""
    at = int(np.flatnonzero(rows)[0])
    here = pair.now.outcome[at, places[1]] == outcome
    return f"{pair.now.architectures[at]}: {pair.now.reason[at, places[1]][here][0]}"


def cost(pair: Pair, places: Places) -> Check:
    """Hold the median cost of a score against the record, both in units of the fixed workload of their machine.

    It fails where the median grew beyond the ratio and three quarters of the architectures did: work of others on the
    machine makes some scores slow, a dearer metric makes all of them slow. What was given up, or never begun as on a
    disconnected cell, says nothing of the cost of a score: only architectures that have one then and now count.
    """
    each_then, each_now = pair.then.seconds_of(places[0]), pair.now.seconds_of(places[1])
    both = np.isfinite(each_then) & np.isfinite(each_now)
    before, after = (float(np.median(each[both])) if both.any() else math.nan for each in (each_then, each_now))
    kinds = {one.environment.get("device", "").partition(":")[0].partition(" ")[0] for one in (pair.then, pair.now)}
    speed = pair.then.calibration / pair.now.calibration
    now = after * speed
    ratio = now / before if before > 0 else math.nan
    numbers = {"then": before, "now": now, "ratio": ratio, "limit": pair.max_cost_ratio}
    if len(kinds) > 1 or not math.isfinite(speed) or not math.isfinite(now) or not math.isfinite(before):
        why = (
            "on another kind of device" if len(kinds) > 1 else "for want of a time of the fixed workload" if both.any()
            else "no architecture has a score then and now"
        )  # fmt: skip
        return _check(pair, places, Kind.COST, Status.NOTE, f"cost not compared, {why}", numbers)
    with np.errstate(divide="ignore", invalid="ignore"):  # a clock may be too coarse, and say 0 s
        of_each = each_now[both] * speed / each_then[both]
    most = float(np.nanquantile(of_each, 0.25)) if np.isfinite(of_each).any() else math.inf
    large = not ratio <= pair.max_cost_ratio and most > pair.max_cost_ratio
    grew = now - before > SMALLEST_GROWTH and large
    message = f"median cost {_milliseconds(before)} -> {_milliseconds(now)} an architecture"
    if math.isfinite(ratio):
        message += f", {ratio:.2g} times"
    if grew or ratio <= pair.max_cost_ratio:
        message += f" (limit {pair.max_cost_ratio:g})"
    elif large:
        message += f"; growth of less than {SMALLEST_GROWTH * 1000:g} ms does not fail"
    else:
        message += f"; three quarters of the architectures grew less than {pair.max_cost_ratio:g} times: no failure"
    status = Status.FAIL if grew else Status.PASS
    return _check(pair, places, Kind.COST, status, message, numbers, n=int(both.sum()))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"


def _check(
    pair: Pair, places: Places, kind: Kind, status: Status, message: str, numbers: dict[str, float], *, n: int = 0,
    details: tuple[str, ...] = (),
) -> Check:
    key = pair.then.metrics[places[0]].key
    return Check(kind, status, pair.then.name, "", key, message, n=n, numbers=numbers, details=details)
