"""Workers that take so long over a chunk that they may hang: the run waits for them, and says so."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

TIMES_AS_LONG = 20
"""A chunk is overdue when its candidates take so many times as long as any others did."""

AT_LEAST_SECONDS = 60.0
"""No chunk is overdue before that."""

FIRST_SECONDS = 600.0
"""As long as no chunk is done there is nothing to compare with, and one is overdue after that."""


@dataclass
class _Begun:
    when: float
    candidates: int
    said: bool = False


class Overdue:
    """Knows what every worker has begun, and which ones to speak of; each chunk once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[int, _Begun] = {}
        self._longest = math.nan

    def begin(self, worker: object, candidates: int) -> None:
        """Take note that a worker begins with a chunk."""
        self._begun[id(worker)] = _Begun(self._clock(), candidates)

    def end(self, worker: object, *, scored: bool) -> None:
        """Take note that a worker has nothing to do any more.

        Args:
            worker: the worker.
            scored: whether it has scored its chunk, and not died over it.
        """
        begun = self._begun.pop(id(worker), None)
        if begun is not None and scored:
            self._longest = max((self._clock() - begun.when) / begun.candidates, self._longest)  # in this order for NaN

    def of(self, worker: object) -> str | None:
        """Say how long a worker has been at its chunk, if that is worth a line and was not said before."""
        begun = self._begun.get(id(worker))
        if begun is None or begun.said:
            return None
        taken = self._clock() - begun.when
        alone = math.isnan(self._longest)
        usual = begun.candidates * self._longest
        if taken <= (FIRST_SECONDS if alone else max(AT_LEAST_SECONDS, TIMES_AS_LONG * usual)):
            return None
        begun.said = True
        number = f"{begun.candidates} architecture{'s' * (begun.candidates != 1)}"
        longest = f"{self._longest:.0f}" if self._longest > 10 else f"{self._longest:.2g}"
        others = "" if alone else f", where others took {longest} s each at most"
        return f"has been at {number} for {taken:.0f} s{others}: waiting for it"
