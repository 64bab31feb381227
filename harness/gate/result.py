"""What the gate found: frozen values that writers turn into text, JSON, JUnit XML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Kind(StrEnum):
    """What a check looks at."""

    CORRELATION = "correlation"
    VALUE = "value"
    OUTCOME = "outcome"
    COST = "cost"
    VERSION = "version"
    DATA = "data"

    @property
    def heading(self) -> str:
        """What it is called in a heading."""
        return {
            Kind.CORRELATION: "correlation with the ground truth",
            Kind.VALUE: "values of the scores",
            Kind.OUTCOME: "failed and undefined scores",
            Kind.COST: "cost",
            Kind.VERSION: "metric and version",
            Kind.DATA: "images and ground truth",
        }[self]


class Status(StrEnum):
    """What became of a check.

    ``note`` is something to know that does not fail: a check that could not be made and was not expected to be,
    or a change that the version of the metric announces. ``missing`` is a check that was to be made and for
    which something is not there.
    """

    PASS = "pass"
    FAIL = "fail"
    NOTE = "note"
    MISSING = "missing"


class ExitCode(IntEnum):
    """How the process ends; 2 (bad usage) never comes from a result but from an error."""

    PASS = 0
    REGRESSION = 1
    USAGE = 2
    MISSING = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was held against the baseline.

    Attributes:
        kind: what it looks at.
        status: what became of it.
        benchmark: the benchmark.
        target: name of the ground truth, for ``correlation`` and ``data``; empty where none is involved.
        metric: the metric with its parameters, e.g. ``swap(repeats=32)``; empty for ``data``.
        message: one line that says what was found; it can stand alone, beside the metric's name.
        statistic: ``spearman``, ``kendall[top10_truth]``, ... for ``correlation``; else empty.
        n: architectures that entered; 0 where that means nothing.
        numbers: what the message rests on, in the order in which to show it. For ``correlation``: ``then``,
            ``now``, ``difference`` (now - then), ``upper`` (one-sided upper confidence limit of the difference) and
            ``margin`` (it fails where upper < -margin). For ``value``: ``changed`` (scores), ``largest`` (the largest
            relative difference) and ``tolerance``. For ``outcome``: ``then`` and ``now`` (scores without a value).
            For ``cost``: ``then``, ``now`` (median seconds an architecture; now in seconds of the machine of the
            record), ``ratio`` and ``limit``. For ``version``: ``then`` and ``now``. NaN where a number does not
            exist.
        details: further lines, such as the architectures concerned; may be left out where there is no room.
    """

    kind: Kind
    status: Status
    benchmark: str
    target: str
    metric: str
    message: str
    statistic: str = ""
    n: int = 0
    numbers: Mapping[str, float] = field(default_factory=dict)
    details: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What identifies the check in a result: ``correlation nasbench201 cifar10 snip spearman``."""
        return " ".join(filter(None, (self.kind, self.benchmark, self.target, self.metric, self.statistic)))


@dataclass(frozen=True, slots=True)
class Power:
    """The smallest loss that one correlation check can see.

    Attributes:
        benchmark: the benchmark.
        target: name of the ground truth.
        metric: the metric with its parameters.
        statistic: ``spearman``, ...
        n: architectures.
        margin: of the check.
        smallest: the mean loss of the statistic at which the check fails with ``probability``; NaN where no loss
            down to a score without information is seen so often.
        probability: 0.8.
        seeds: initialisation seeds of the record whose noise entered; 0 where there was a single one.
        message: one line.
    """

    benchmark: str
    target: str
    metric: str
    statistic: str
    n: int
    margin: float
    smallest: float
    probability: float
    seeds: int
    message: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """Everything that one run of the gate found.

    Attributes:
        baseline: the file of the baseline, as it was named.
        checks: sorted by benchmark, target, metric, kind and statistic.
        power: one for each correlation check that could be made.
        confidence: level of each one-sided limit.
        simultaneous: whether the level is that of all checks together that are subject to chance (Bonferroni).
        correlation_checks: how many correlation checks could have raised a false alarm.
        false_alarms: at most this is the probability that an unchanged quality makes any check fail, those of outcomes
            with other seeds among them.
        rules: what fails, as it was asked for: ``spearman < -0.02``.
        notes: what holds for the whole run, each one line: rates of false alarms, what the ground truths are, fresh
            seeds, tolerance, ...
        provenance: when, where and with what it was made; the only part that differs between equal runs.
    """

    baseline: str
    checks: tuple[Check, ...]
    power: tuple[Power, ...]
    confidence: float
    simultaneous: bool
    correlation_checks: int
    false_alarms: float
    rules: tuple[str, ...]
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    def of(self, status: Status) -> tuple[Check, ...]:
        """Return the checks with this status."""
        return tuple(check for check in self.checks if check.status is status)

    @property
    def exit_code(self) -> ExitCode:
        """A regression that was found counts even where something else is missing."""
        if self.of(Status.FAIL):
            return ExitCode.REGRESSION
        return ExitCode.MISSING if self.of(Status.MISSING) else ExitCode.PASS

    @property
    def headline(self) -> str:
        """One line: what came of it."""
        counts = {status: len(self.of(status)) for status in Status}
        said = {
            Status.FAIL: "failed", Status.MISSING: "could not be made", Status.PASS: "passed", Status.NOTE: "noted",
        }  # fmt: skip
        parts = ", ".join(f"{counts[status]} {text}" for status, text in said.items() if counts[status])
        outcome = {ExitCode.PASS: "passed", ExitCode.REGRESSION: "failed", ExitCode.MISSING: "is incomplete"}
        total = len(self.checks)
        return f"the gate {outcome[self.exit_code]}: of {total} check{'' if total == 1 else 's'}, {parts or 'none'}"
