"""A gate's result as plain text, for the log of a CI job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zcbench.harness.gate import wording
from zcbench.harness.gate.result import Check, GateResult, Kind, Power, Status
from zcbench.harness.gate.wording import visible

ORDER = (Status.FAIL, Status.MISSING, Status.NOTE, Status.PASS)
"""What needs a person first."""

INDENT = "  "
NO_METRIC = "all metrics"


def text(result: GateResult) -> str:
    """Return the result as lines of text that end with a line break.

    First what failed, with details and what to do, then the correlations as a table, the other checks, the power and
    the notes. Equal results give equal texts; the provenance is left out. Every line begins with words of this module
    or is indented and begins with a dash, so that no name can pose as a command to the CI system that reads the log.

    Args:
        result: what the gate found.
    """
    lines = [result.headline, f"baseline {visible(result.baseline)}; {wording.rules(result)}"]
    lines += _attention(result)
    lines += _correlations([check for check in result.checks if check.kind is Kind.CORRELATION])
    lines += _others([check for check in result.checks if check.kind is not Kind.CORRELATION])
    lines += _listed("smallest losses that can be seen", (_power(one) for one in result.power))
    lines += _listed("notes", result.notes)
    return "\n".join(lines) + "\n"


def check_lines(check: Check) -> list[str]:
    """Return one check with its message, details and, if it failed, what to do.

    Args:
        check: the check.
    """
    lines = [f"{wording.OUTCOMES[check.status]}  {visible(check.name)}: {visible(check.message)}"]
    lines += [f"{INDENT}- {visible(detail)}" for detail in check.details]
    if check.status is Status.FAIL:
        lines.append(f"{INDENT}-> {wording.ADVICE[check.kind]}")
    return lines


def _attention(result: GateResult) -> list[str]:
    """What failed, what could not be made and what is to be known, each with its details."""
    lines: list[str] = []
    for status in ORDER[:-1]:
        for check in result.of(status):
            lines += ["", *check_lines(check)]
    return lines


def _correlations(checks: Sequence[Check]) -> list[str]:
    if not checks:
        return []
    head = ("", "metric", "benchmark", "target", "statistic", "n", *wording.CORRELATION_COLUMNS)
    rows: list[tuple[str, ...]] = [head]
    for check in checks:
        names = map(visible, (check.metric, check.benchmark, check.target, check.statistic))
        rows.append((wording.OUTCOMES[check.status], *names, str(check.n), *wording.correlation(check)))
    return ["", "correlation with the ground truth (fails where upper < limit)", *_aligned(rows, left=5)]


def _others(checks: Sequence[Check]) -> list[str]:
    """One line for each of the other checks that passed: those that did not are above."""
    rows = [
        (wording.OUTCOMES[check.status], str(check.kind), visible(check.metric) or NO_METRIC,
         wording.where(check), visible(check.message))
        for check in checks if check.status is Status.PASS
    ]  # fmt: skip
    return ["", "other checks that passed", *_aligned(rows, left=5)] if rows else []


def _power(one: Power) -> str:
    return f"{one.metric} on {one.benchmark}, {one.target}, {one.statistic}: {one.message}"


def _listed(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"{INDENT}- {visible(item)}" for item in items]
    return ["", title, *lines] if lines else []


def _aligned(rows: Sequence[tuple[str, ...]], *, left: int) -> list[str]:
    """Return the rows with columns of equal width, the first ``left`` of them aligned on the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (INDENT + INDENT.join(
            cell.ljust(width) if n < left else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )).rstrip()
        for row in rows
    ]  # fmt: skip
