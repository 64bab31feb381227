"""What a check of a metric found, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Whether one contract holds.

    Attributes:
        contract: what every metric promises, in a few words.
        holds: whether it does; None where it could not be judged.
        done: what was done.
        came_out: what came out.
        expected: what should have; this and the next two are empty where the contract holds.
        cause: what likely is behind it.
        mend: what to do.
    """

    contract: str
    holds: bool | None
    done: str
    came_out: str
    expected: str = ""
    cause: str = ""
    mend: str = ""


@dataclass(frozen=True)
class Behaviour:
    """How the score answers a change; reported, and neither right nor wrong.

    Attributes:
        change: what was changed.
        answer: what the score did, in words.
        factor: the score after over the score before; None where one of them is not there or the first is 0.
    """

    change: str
    answer: str
    factor: float | None = None


@dataclass(frozen=True)
class Examination:
    """What a check of one metric found.

    Attributes:
        metric: its key.
        version: its version.
        file: where its function is.
        description: what it is, in a sentence.
        findings: one for each contract.
        behaviour: how the score answers changes.
        notes: what else is worth knowing.
    """

    metric: str
    version: int
    file: str
    description: str
    findings: tuple[Finding, ...]
    behaviour: tuple[Behaviour, ...]
    notes: tuple[str, ...]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The contracts that do not hold."""
        return tuple(finding for finding in self.findings if finding.holds is False)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for ``zcbench check --json``."""
        return {**asdict(self), "holds": not self.broken}
