"""A gate's result as Markdown, for the summary of a CI job or a comment on a pull request."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence

from zcbench.harness.gate import wording
from zcbench.harness.gate.result import Check, ExitCode, GateResult, Kind, Power, Status
from zcbench.harness.gate.wording import visible

LIMIT = 60_000
"""Characters: GitHub takes 65,536 in a comment and 1 MiB in the summary of a step."""

MOST_ROWS = 60
MOST_DETAILS = 12
LONGEST = 300
"""Characters of a name or a message; the text and JSON outputs have all of it."""

VERDICTS = {ExitCode.PASS: "passed", ExitCode.REGRESSION: "failed", ExitCode.MISSING: "incomplete"}
RESULTS = {Status.PASS: "pass", Status.FAIL: "**fail**", Status.NOTE: "note", Status.MISSING: "**missing**"}
URGENCY = (Status.FAIL, Status.MISSING, Status.NOTE, Status.PASS)
LEFT_OUT = "*Left out for length: what else was found is in the JSON and text outputs of this run.*\n"


def markdown(result: GateResult) -> str:
    """Return the result as GitHub-flavoured Markdown that ends with a line break.

    The verdict, what failed with what to do about it, the correlations then and now, the power, and folded: details,
    the other checks and notes. Equal results give equal texts; the provenance is left out. Never longer than
    `LIMIT`: parts that do not fit are left out from the end, with a line that says so.

    Args:
        result: what the gate found.
    """
    parts: list[str] = []
    room = LIMIT - len(LEFT_OUT) - 1
    for part in _parts(result):
        room -= len(part) + 1
        if room < 0:
            return "\n".join([*parts, LEFT_OUT])
        parts.append(part)
    return "\n".join(parts)


def prose(text: str) -> str:
    """Return a text for the running Markdown: nothing in it is markup, mentions a person or refers to an issue.

    Args:
        text: a message, or a name.
    """
    # GitHub looks for mentions in the HTML, after the entities: an element around the sign keeps them apart.
    return re.sub(r"&#(64|35);", r"<span>&#\1;</span>", _escaped(text))


def code(text: str) -> str:
    """Return a name in the type of code; an element and not backticks, in which nothing could be escaped.

    Args:
        text: the name.
    """
    return f"<code>{_escaped(text)}</code>" if text else ""


def _escaped(text: str) -> str:
    shown = visible(text)
    if len(shown) > LONGEST:
        shown = shown[: LONGEST - 3] + "..."
    return re.sub(r"[^\w .,;:()%=+/-]|(?<![^\W_])_|_(?![^\W_])", lambda found: f"&#{ord(found.group())};", shown)


def _parts(result: GateResult) -> Iterator[str]:
    """The parts in the order of their importance, each ending with a line break."""
    yield f"## zcbench gate: {VERDICTS[result.exit_code]}\n"
    rules = f"{wording.rules(result, shown=prose)}"
    yield f"{_sentence(prose(result.headline))} Baseline {code(result.baseline)}; it {rules}.\n"
    yield from _urgent(result)
    yield from _correlations([check for check in result.checks if check.kind is Kind.CORRELATION])
    if result.power:
        yield _sentence(_power(result.power)) + "\n"
    if alarms := wording.alarms(result):
        yield _sentence(prose(alarms)) + "\n"
    yield from _details(result)
    others = [check for check in result.checks if check.kind is not Kind.CORRELATION]
    if others:
        yield _folded(f"The {len(others)} other checks" if len(others) > 1 else "The other check", _table(others))
    messages = [f"- {code(p.metric)} on {_where(p.benchmark, p.target, p.statistic)}: {prose(p.message)}"
                for p in result.power]  # fmt: skip
    if messages:
        yield _folded("The smallest losses that can be seen", "\n".join(_first(messages, MOST_ROWS)))
    if result.notes:
        yield _folded("Notes", "\n".join(f"- {_sentence(prose(note))}" for note in result.notes))


def _urgent(result: GateResult) -> Iterator[str]:
    """What failed or could not be made, kind by kind, with what to do."""
    titles = {Status.FAIL: "Failed", Status.MISSING: "Could not be made"}
    for status, title in titles.items():
        for kind in Kind:
            checks = [check for check in result.of(status) if check.kind is kind]
            if not checks:
                continue
            lines = [f"- {_named(check)}: {_sentence(prose(check.message))}" for check in checks]
            advice = f"\n\n{wording.ADVICE[kind]}" if status is Status.FAIL else ""
            yield f"### {title}: {kind.heading}\n\n" + "\n".join(_first(lines, MOST_ROWS)) + advice + "\n"


def _correlations(checks: Sequence[Check]) -> Iterator[str]:
    if not checks:
        return
    head = ("", "metric", "benchmark", "target", "statistic", "n", *wording.CORRELATION_COLUMNS)
    rows = [
        (RESULTS[c.status], code(c.metric), code(c.benchmark), code(c.target), code(c.statistic), str(c.n),
         *(cell.replace("-", "−") if len(cell) > 1 else cell for cell in wording.correlation(c)))
        for c in sorted(checks, key=lambda c: URGENCY.index(c.status))
    ]  # fmt: skip
    rule = ("---",) * 5 + ("--:",) * (len(head) - 5)
    lines = [_row(head), _row(rule), *(_row(row) for row in rows[:MOST_ROWS])]
    more = len(rows) - MOST_ROWS
    yield "\n".join(lines) + (f"\n\nAnd {more} more.\n" if more > 0 else "\n")


def _table(checks: Sequence[Check]) -> str:
    ordered = sorted(checks, key=lambda c: URGENCY.index(c.status))
    rows = [
        (RESULTS[c.status], str(c.kind), code(c.metric), _where(c.benchmark, c.target), prose(c.message))
        for c in ordered[:MOST_ROWS]
    ]
    more = len(ordered) - MOST_ROWS
    lines = [_row(("", "check", "metric", "where", "what was found")), _row(("---",) * 5), *map(_row, rows)]
    return "\n".join(lines) + (f"\n\nAnd {more} more." if more > 0 else "")


def _details(result: GateResult) -> Iterator[str]:
    """What belongs to the checks that did not pass, such as architectures, folded."""
    for status in URGENCY[:-1]:
        for check in result.of(status):
            if check.details:
                lines = [f"- {prose(detail)}" for detail in check.details]
                yield _folded(f"Details: {_named(check)}", "\n".join(_first(lines, MOST_DETAILS)))


def _power(power: Sequence[Power]) -> str:
    """Say from which to which loss the checks see, or that none sees any."""
    seen = sorted((one for one in power if not math.isnan(one.smallest)), key=lambda one: one.smallest)
    blind = len(power) - len(seen)
    without = f"{blind} of {len(power)} correlation checks would miss any loss so often" if blind else ""
    if not seen:
        return f"too few architectures: {without}"
    shown = [f"{one.smallest:.3f} ({code(one.metric)} on {_where(one.benchmark, one.target, one.statistic)})"
             for one in dict.fromkeys((seen[0], seen[-1]))]  # fmt: skip
    lies = f"lies between {shown[0]} and {shown[1]}" if len(shown) > 1 else f"is {shown[0]}"
    loss = f"the smallest loss of correlation that is seen with a probability of {wording.percent(seen[0].probability)}"
    return f"{loss} {lies}" + (f"; {without}" if without else "")


def _named(check: Check) -> str:
    place = _where(check.benchmark, check.target, check.statistic)
    if not check.metric:
        return f"{check.kind} of {place}"
    return f"{code(check.metric)} on {place}"


def _where(*names: str) -> str:
    return ", ".join(code(name) for name in names if name)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>\n"


def _first(lines: Sequence[str], most: int) -> list[str]:
    more = len(lines) - most
    return [*lines[:most], f"- and {more} more"] if more > 0 else list(lines)


def _sentence(text: str) -> str:
    """Return the text with a capital letter at its beginning and a full stop at its end."""
    first = text[:1].upper() if text[:1].isalpha() else text[:1]
    return first + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
