"""What the writers of a gate's result have in common: names made harmless, numbers, and what to do about a failure."""

from __future__ import annotations

import math
from collections.abc import Callable

from zcbench.harness.gate.result import Check, GateResult, Kind, Status

NONE = "-"
"""Shown where a number does not exist."""

COUNTS = ("changed",)
"""Numbers of a check that are counts whatever its kind."""

CORRELATION_COLUMNS = ("then", "now", "difference", "upper", "limit")
"""What is shown of a correlation check."""

SIGNED = ("difference", "upper", "limit")
"""Numbers of a check whose sign is the point."""

SMALL = ("largest", "tolerance")
"""Numbers of a check that span orders of magnitude."""

OUTCOMES = {Status.PASS: "pass", Status.FAIL: "FAIL", Status.NOTE: "note", Status.MISSING: "MISSING"}
"""How a status is printed: what ends with an exit code other than 0 stands out."""

RECORD_AGAIN = "record a new baseline (zcbench gate --record)"

ADVICE = {
    Kind.CORRELATION: "The ranking of the same architectures got worse. If that was not meant, look for the change "
    f"that did it, between the baseline's commit and this one; if the loss is accepted, {RECORD_AGAIN}.",
    Kind.VALUE: "Scores changed and the version of the metric did not rise. If the change was not meant, it is a bug: "
    "repeat it on one of the architectures named in the details; if it was meant, raise the version of the metric and "
    f"{RECORD_AGAIN}.",
    Kind.OUTCOME: "Architectures that had a score have none now. The reasons are in the details; if they are right "
    f"(the metric has no value there), {RECORD_AGAIN}.",
    Kind.COST: "The metric became dearer. Measure again on a machine without other work; if the cost is accepted, "
    f"raise the ratio that is allowed or {RECORD_AGAIN}.",
    Kind.VERSION: f"Metric and baseline are not of one version: check out the right one, or {RECORD_AGAIN}.",
    Kind.DATA: "Images or ground truth are not those of the baseline, so nothing can be compared: use the same files, "
    f"or {RECORD_AGAIN}.",
}
"""What to do about a failed check, by its kind."""


def visible(text: str) -> str:
    r"""Return a text in which every character is a visible one, on one line.

    Control characters, line breaks, lone surrogates (of file names that are no UTF-8), characters that reorder or
    join others, and what is not assigned are written as Python does: ``\n``, ``\x1b``, ``\u202e``. The rest may stand
    in XML 1.0 and on a terminal.

    Args:
        text: a name from a metric's file, a benchmark or a path: whatever its author wrote.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def number(name: str, value: float, kind: Kind) -> str:
    """Return one of a check's numbers as it is shown.

    Args:
        name: its name in `Check.numbers`.
        value: the number; NaN where there is none.
        kind: what the check looks at.
    """
    if math.isnan(value):
        return NONE
    if name in COUNTS or kind in (Kind.OUTCOME, Kind.VERSION):
        return f"{value:.0f}"
    if name in SMALL:
        return f"{value:.1e}" if value else "0"
    if kind is Kind.COST:
        return f"{value:.3g}"
    return f"{value:+.3f}" if name in SIGNED and value else f"{value:.3f}"


def correlation(check: Check) -> tuple[str, ...]:
    """Return the numbers of a correlation check, one for each of `CORRELATION_COLUMNS`.

    The limit is the negative margin: what the upper confidence limit of the difference must not be below.

    Args:
        check: of the kind ``correlation``.
    """
    numbers = dict.fromkeys(CORRELATION_COLUMNS, math.nan) | dict(check.numbers)
    numbers["limit"] = -numbers.get("margin", math.nan)
    return tuple(number(name, numbers[name], check.kind) for name in CORRELATION_COLUMNS)


def percent(fraction: float) -> str:
    """Return ``95 %`` or ``99.9 %``: a fraction with the digits that it has."""
    return f"{100 * fraction:.6g} %"


def rules(result: GateResult, *, shown: Callable[[str], str] = visible) -> str:
    """Return in words what makes a correlation check fail.

    Args:
        result: what the gate found.
        shown: makes a rule harmless where it is to be printed.
    """
    together = ", of all correlation checks together" if result.simultaneous else " of each check"
    asked = " or ".join(map(shown, result.rules))
    return f"fails for {asked or 'no correlation'}, at {percent(result.confidence)} confidence{together}"


def alarms(result: GateResult) -> str:
    """Return in words how often a gate of unchanged metrics fails; empty where chance has no part in any check."""
    if not result.false_alarms:
        return ""
    rate = percent(float(f"{result.false_alarms:.3g}"))
    return f"where nothing has changed but chance, this gate fails with a probability of at most {rate}"


def where(check: Check) -> str:
    """Return benchmark, target and statistic of a check, as far as it has them."""
    return ", ".join(filter(None, map(visible, (check.benchmark, check.target, check.statistic))))
