"""What a test session knows of a baseline: the groups of checks it has, and what the gate found, once.

Importing it imports nothing that scores or compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.gate import wording
from zcbench.harness.gate.once import Once
from zcbench.harness.gate.result import Check, GateResult, Kind
from zcbench.harness.gate.wording import visible


@dataclass(frozen=True, slots=True)
class Asked:
    """What is a regression.

    Attributes:
        rules: texts like ``spearman < -0.02``; empty for the gate's default.
        confidence: level of the one-sided limits; None for the gate's default.
        max_cost_ratio: largest growth of a cost; None for the gate's default.
    """

    rules: tuple[str, ...] = ()
    confidence: float | None = None
    max_cost_ratio: float | None = None

    @classmethod
    def of_marker(cls, given: Mapping[str, Any], default: Asked) -> Asked:
        """Read the keyword arguments of a marker; what it does not say is as in the session.

        Args:
            given: ``fail_on``, a rule or several, and ``confidence``.
            default: what the options say.

        Raises:
            ZcbenchError: for another argument, or a value of another type.
        """
        for name in given:
            if name not in ("fail_on", "confidence"):
                raise unknown("argument", name, ("fail_on", "confidence"))
        rules, confidence = given.get("fail_on"), given.get("confidence")
        texts = [rules] if isinstance(rules, str) else [] if rules is None else rules
        if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
            raise ZcbenchError(f'fail_on is a text like "spearman < -0.02" or a list of such texts, not {rules!r}')
        if confidence is not None and not isinstance(confidence, float):
            raise ZcbenchError(f"confidence is a number like 0.95, not {confidence!r}")
        asked = replace(default, confidence=default.confidence if confidence is None else confidence)
        return replace(asked, rules=tuple(texts) or default.rules)

    @property
    def key(self) -> str:
        """What identifies the result."""
        return json.dumps(astuple(self))


@dataclass(frozen=True, slots=True)
class Group:
    """The checks that one test stands for.

    Attributes:
        kind: ``correlation``, ``value``, ``outcome`` or ``cost``; ``data`` for all that concerns no single metric.
        benchmark: the benchmark; empty for ``data``.
        target: the ground truth, for ``correlation``; else empty.
        metric: the metric; empty for ``data``.
    """

    kind: Kind
    benchmark: str = ""
    target: str = ""
    metric: str = ""

    @property
    def name(self) -> str:
        """The name of the test: ``correlation[nasbench201-cifar10-snip]``."""
        parts = "-".join(filter(None, (self.benchmark, self.target, self.metric)))
        return f"{self.kind}[{parts}]" if parts else str(self.kind)

    @classmethod
    def owner(cls, check: Check) -> Group:
        """Return the group of a check; that of a version is the group of the values."""
        if not check.metric:
            return cls(Kind.DATA)
        kind = Kind.VALUE if check.kind in (Kind.VERSION, Kind.DATA) else check.kind
        return cls(kind, check.benchmark, check.target if kind is Kind.CORRELATION else "", check.metric)


@dataclass
class Suite:
    """One session of tests.

    Attributes:
        baseline: the file, absolute.
        include: files and folders with metrics, absolute.
        asked: what the options say.
        folder: where results are kept for the processes of the session.
        contents: for each benchmark its name, its targets and its metrics.
    """

    baseline: Path
    include: tuple[Path, ...]
    asked: Asked
    folder: Path
    contents: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    _known: dict[str, GateResult] = field(default_factory=dict)

    @classmethod
    def open(cls, baseline: Path, include: Sequence[Path], asked: Asked, folder: Path) -> Suite:
        """Check what the options name.

        Raises:
            ZcbenchError: for whatever is wrong with them.
        """
        from zcbench.harness.gate.suite_scoring import checked_options

        contents = checked_options(baseline, include, asked)
        return cls(baseline.absolute(), tuple(path.absolute() for path in include), asked, folder, contents)

    @classmethod
    def from_plain(cls, given: Mapping[str, Any]) -> Suite:
        """Make it of what `to_plain` returned, in another process."""
        contents = tuple((name, tuple(targets), tuple(metrics)) for name, targets, metrics in given["contents"])
        rules, *numbers = given["asked"]
        include = tuple(map(Path, given["include"]))
        return cls(Path(given["baseline"]), include, Asked(tuple(rules), *numbers), Path(given["folder"]), contents)

    def to_plain(self) -> dict[str, Any]:
        """Return it in lists, texts and numbers."""
        return {
            "baseline": str(self.baseline), "include": [str(path) for path in self.include],
            "asked": list(astuple(self.asked)), "folder": str(self.folder),
            "contents": [[name, list(targets), list(metrics)] for name, targets, metrics in self.contents],
        }  # fmt: skip

    def groups(self) -> tuple[Group, ...]:
        """Return one group for each test, in the order of the baseline; known before anything is scored."""
        found = []
        for benchmark, targets, metrics in self.contents:
            for metric in metrics:
                found += [Group(Kind.CORRELATION, benchmark, target, metric) for target in targets]
                found += [Group(kind, benchmark, "", metric) for kind in (Kind.VALUE, Kind.OUTCOME, Kind.COST)]
        return (*found, Group(Kind.DATA))

    def result(self, asked: Asked) -> GateResult:
        """Return what the gate found; it is made once in a session, whatever the number of processes."""
        if asked.key not in self._known:
            self._known[asked.key] = Once(self.folder).get(asked.key, lambda: self._run(asked))
        return self._known[asked.key]

    def _run(self, asked: Asked) -> GateResult:
        from zcbench.harness.gate.suite_scoring import gated

        return gated(self.baseline, self.include, asked, store=self.folder / "scores.sqlite")

    def of(self, group: Group) -> tuple[Check, ...]:
        """Return the checks of a group; a check that no group has belongs to ``data``, so that none is lost."""
        known = set(self.groups())
        owners = ((Group.owner(check), check) for check in self.result(self.asked).checks)
        return tuple(c for owner, c in owners if (owner if owner in known else Group(Kind.DATA)) == group)

    def of_metrics(self, names: Sequence[object], asked: Asked) -> tuple[Check, ...]:
        """Return the checks of some metrics, of all if none is named, and those that concern no single metric.

        Args:
            names: as in the baseline: ``swap(repeats=32)``.
            asked: what is a regression.

        Raises:
            ZcbenchError: if the baseline has none of a name.
        """
        known = {metric for _, _, metrics in self.contents for metric in metrics}
        for name in names:
            if name not in known:
                raise unknown("metric in the baseline", str(name), known)
        chosen = {*names, ""} if names else {*known, ""}
        return tuple(check for check in self.result(asked).checks if check.metric in chosen)

    def summary(self) -> list[str]:
        """Return lines for the end of the session; none where nothing was compared."""
        made = [one for one in Once(self.folder).made() if isinstance(one, GateResult)]
        lines = []
        for result in made:
            lines += [f"{result.headline} ({wording.rules(result)})"]
            lines += [f"  - {visible(one.metric)}: {visible(one.message)}" for one in result.power]
        return list(dict.fromkeys(lines))
