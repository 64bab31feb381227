"""A gate's result as JUnit XML, the form in which CI systems read what a test run found.

There is no standard; the file keeps to what readers agree on (Jenkins' ``junit-10.xsd``, the Ant task's ``JUnit.xsd``
but for host name and time of day, which would make equal results differ, GitLab, Azure Pipelines, the Actions that
annotate pull requests): ``testsuites`` > ``testsuite`` > ``properties``, then ``testcase`` with at most one of
``skipped``, ``error`` and ``failure``, then ``system-out``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from zcbench.harness.gate import wording
from zcbench.harness.gate.result import Check, GateResult, Status
from zcbench.harness.gate.text import check_lines
from zcbench.harness.gate.wording import visible

NAME = "zcbench gate"
NO_TIME = "0"
"""All checks share one scoring, so none of them has a time of its own; readers ask for the attribute."""


def junit(result: GateResult) -> str:
    """Return the result as an XML document, one suite a benchmark and one test case a check.

    A failed check has a ``failure`` with its message, its kind as type, and the details as text. A check that could
    not be made has an ``error``, so that a reader of the file sees red where the exit code is 3. One that only has
    something to tell is ``skipped`` with its message. Powers and notes are in ``system-out``. Equal results give equal
    documents; the provenance is left out.

    Args:
        result: what the gate found.
    """
    root = Element("testsuites", {"name": NAME, **_counts(result.checks)})
    for benchmark in dict.fromkeys(check.benchmark for check in result.checks):
        _suite(root, benchmark, result)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, benchmark: str, result: GateResult) -> None:
    checks = [check for check in result.checks if check.benchmark == benchmark]
    name = visible(benchmark) or NAME
    suite = SubElement(root, "testsuite", {"name": name, **_counts(checks), "skipped": _count(checks, Status.NOTE)})
    properties = SubElement(suite, "properties")
    for key, value in _facts(result):
        SubElement(properties, "property", {"name": key, "value": visible(value)})
    for check in checks:
        _case(suite, name, check)
    lines = [one.message for one in result.power if one.benchmark == benchmark] + list(result.notes)
    if lines:
        SubElement(suite, "system-out").text = "\n".join(map(visible, lines))


def _counts(checks: Sequence[Check]) -> dict[str, str]:
    failures, errors = _count(checks, Status.FAIL), _count(checks, Status.MISSING)
    return {"tests": str(len(checks)), "failures": failures, "errors": errors, "time": NO_TIME}


def _count(checks: Sequence[Check], status: Status) -> str:
    return str(sum(check.status is status for check in checks))


def _facts(result: GateResult) -> tuple[tuple[str, str], ...]:
    return (
        ("baseline", result.baseline),
        ("rules", " or ".join(result.rules)),
        ("confidence", f"{result.confidence:.6g}"),
        ("simultaneous", str(result.simultaneous).lower()),
        ("correlation_checks", str(result.correlation_checks)),
        ("false_alarms", f"{result.false_alarms:.6g}"),
    )


def _case(suite: Element, name: str, check: Check) -> None:
    # Readers take what is before the last dot of a class name for its package, so the metric is not part of it.
    attributes = {"name": visible(check.name), "classname": f"zcbench.gate.{name.replace('.', '_')}", "time": NO_TIME}
    case = SubElement(suite, "testcase", attributes)
    message = visible(check.message)
    if check.status is Status.FAIL:
        failure = SubElement(case, "failure", {"message": message, "type": str(check.kind)})
        failure.text = "\n".join(filter(None, (*check_lines(check), _numbers(check))))
    elif check.status is Status.MISSING:
        error = {"message": f"could not be made: {message}", "type": str(check.kind)}
        SubElement(case, "error", error).text = "\n".join(check_lines(check))
    elif check.status is Status.NOTE:
        SubElement(case, "skipped", {"message": f"note: {message}"})
    else:
        SubElement(case, "system-out").text = "\n".join(filter(None, (message, _numbers(check))))


def _numbers(check: Check) -> str:
    return ", ".join(f"{visible(k)} {wording.number(k, v, check.kind)}" for k, v in check.numbers.items())
