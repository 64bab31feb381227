"""What counts as a loss: ``spearman < -0.02``, ``kendall[top10_truth] < -0.05``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from zcbench.harness.analysis.loss import STATISTICS
from zcbench.harness.errors import ZcbenchError, unknown

SLICES = ("all", "top10_truth")
"""All architectures, or the top tenth by truth. The top tenth by the recorded score is none of them: a score that
was high by the luck of its seed comes out lower with another one, and the two orders would not be on a par."""

DEFAULT = "spearman < -0.02"
"""What fails where nobody says anything else."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A statistic, the architectures that it is taken over, and the loss that is let pass.

    Attributes:
        statistic: ``spearman`` or ``kendall``.
        slice: ``all`` or ``top10_truth``.
        margin: zero or more.
    """

    statistic: str
    slice: str
    margin: float

    @property
    def name(self) -> str:
        """The statistic, with the slice in brackets where that is not all."""
        return self.statistic if self.slice == "all" else f"{self.statistic}[{self.slice}]"

    def __str__(self) -> str:
        return f"{self.name} < {-self.margin if self.margin else 0:g}"


def parse(text: str) -> Rule:
    """Read one rule.

    Raises:
        ZcbenchError: if it is none, with what is wrong.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\[\s*(\w+)\s*\])?\s*<\s*(\S+)\s*", text)
    if match is None:
        raise ZcbenchError(f'cannot read "{text}" in --fail-on: write it like "{DEFAULT}"')
    statistic, slice_, number = match.groups()
    if statistic not in STATISTICS:
        raise unknown("statistic in --fail-on", statistic, STATISTICS)
    if slice_ is not None and slice_ not in SLICES:
        raise unknown("slice in --fail-on", slice_, SLICES)
    try:
        limit = float(number)
    except ValueError as error:
        raise ZcbenchError(f'"{number}" in --fail-on "{text}" is no number: write it like "{DEFAULT}"') from error
    if not (math.isfinite(limit) and -2 <= limit <= 0):
        raise ZcbenchError(
            f'--fail-on "{text}": the limit is that of the difference now - then, between -2 and 0; a loss is negative'
        )
    return Rule(statistic, slice_ or "all", abs(limit))


def parse_all(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Read several rules; each statistic on each slice has one margin.

    Raises:
        ZcbenchError: if one of them is none, or two are about the same.
    """
    rules = tuple(parse(text) for text in texts) or (parse(DEFAULT),)
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise ZcbenchError(f"--fail-on gives two limits for {name}: keep one")
    return rules
