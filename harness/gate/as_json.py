"""A gate's result as JSON: the same findings give the same bytes, apart from the provenance."""

from __future__ import annotations

import json
from typing import Any

from zcbench.harness.analysis.output import plain
from zcbench.harness.gate.result import Check, GateResult, Kind, Power, Status

FORMAT = "zcbench-gate-result"
VERSION = 1

_COST = {
    Status.PASS: "the median cost is within the limit",
    Status.FAIL: "the median cost grew beyond the limit",
    Status.NOTE: "the cost is not compared",
}
"""What is said of a cost outside of the provenance: its seconds are another number in every run."""


def as_json(result: GateResult) -> str:
    """Return the result as JSON.

    Whatever was measured with a clock stands in ``provenance`` (``costs``): seconds differ from run to run where
    nothing else does. A cost close to its limit may still fall on either side of it.

    Args:
        result: what the gate found.
    """
    document = {
        "format": FORMAT,
        "schema": VERSION,
        "baseline": result.baseline,
        "exit_code": int(result.exit_code),
        "headline": result.headline,
        "rules": list(result.rules),
        "confidence": result.confidence,
        "simultaneous": result.simultaneous,
        "correlation_checks": result.correlation_checks,
        "false_alarms_at_most": result.false_alarms,
        "checks": [_check(check) for check in result.checks],
        "power": [_power(one) for one in result.power],
        "notes": list(result.notes),
        "provenance": {
            **dict(sorted(result.provenance.items())),
            "costs": [
                {"benchmark": c.benchmark, "metric": c.metric, "message": c.message, "numbers": dict(c.numbers)}
                for c in result.checks if c.kind is Kind.COST
            ],
        },
    }  # fmt: skip
    return json.dumps(plain(document), indent=1, allow_nan=False) + "\n"


def _check(check: Check) -> dict[str, Any]:
    timed = check.kind is Kind.COST
    numbers = {name: value for name, value in check.numbers.items() if not timed or name == "limit"}
    return {
        "kind": str(check.kind), "status": str(check.status), "benchmark": check.benchmark, "target": check.target,
        "metric": check.metric, "statistic": check.statistic, "n": check.n,
        "message": _COST.get(check.status, check.message) if timed else check.message,
        "numbers": numbers, "details": list(check.details),
    }  # fmt: skip


def _power(one: Power) -> dict[str, Any]:
    return {
        "benchmark": one.benchmark, "target": one.target, "metric": one.metric, "statistic": one.statistic,
        "n": one.n, "margin": one.margin, "smallest_loss": one.smallest, "probability": one.probability,
        "seeds": one.seeds, "message": one.message,
    }  # fmt: skip
