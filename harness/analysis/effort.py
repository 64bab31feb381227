"""What the evaluations behind a table of scores took, and how far that is from what the machine can do.

A architectures, M metrics, S initialisation seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.aggregate import aggregates
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.evaluated import Evaluated, Recorded
from zcbench.harness.types import Outcome


@dataclass(frozen=True)
class Counted:
    """One architecture whose operations were counted.

    Attributes:
        architecture: its id.
        flops: by ``float32`` and ``float64``, two for every multiply-accumulate.
        seconds: what its evaluations took.
        machine: where, in words: device, threads, workers.
        processor: its name; empty where nobody knows.
        rates: operations a second by type; empty where nobody measured them.
        sizes: rows of the matrices that the rates were measured with, by type.
    """

    architecture: str
    flops: Mapping[str, int]
    seconds: float
    machine: str
    processor: str
    rates: Mapping[str, float]
    sizes: Mapping[str, int]

    @property
    def limit(self) -> float | None:
        """Seconds that the operations alone would take at these rates; None where a rate is not known."""
        if not all(dtype in self.rates for dtype, number in self.flops.items() if number):
            return None
        return sum(number / self.rates[dtype] for dtype, number in self.flops.items() if number)


@dataclass(frozen=True)
class Effort:
    """What is known of the evaluations behind one table of scores.

    Attributes:
        seconds: float64[A, S]: what all metrics took in shared passes, summed over the evaluations; NaN where the
            store does not say it for every metric that has a row.
        evaluations: int[A, S]: how many these are; 0 where the seconds are not known.
        further: whether some of them computed metrics that are not in the table.
        counted: architectures whose operations were counted.
        uncounted: why there are no more of these; empty where nothing was in the way.
    """

    seconds: NDArray[np.float64]
    evaluations: NDArray[np.int64]
    further: bool = False
    counted: tuple[Counted, ...] = ()
    uncounted: str = ""


def own_metrics(table: ScoreTable) -> NDArray[np.bool_]:
    """Return which metrics were computed, bool[M]: not the aggregates, which only rank by others."""
    return np.array([name not in aggregates() for name in table.metrics], dtype=bool)


def idle(table: ScoreTable) -> NDArray[np.bool_]:
    """Return where no pass was run, bool[A, S].

    On a disconnected architecture some metric is undefined in no time; a network that cannot be built takes none.
    """
    took = table.seconds_standalone > 0
    hopeless = (table.outcome == Outcome.UNDEFINED) & (table.seconds_standalone == 0)
    return np.asarray(hopeless.any(axis=1) | ~took.any(axis=1))


class Evaluations:
    """The recorded evaluations behind a table of scores.

    Attributes:
        effort: what they took; nothing of it is counted yet.
    """

    def __init__(self, table: ScoreTable, recorded: Recorded, seeds: Mapping[str, int]) -> None:
        """Find them.

        Args:
            table: the scores.
            recorded: what the store knows of evaluations.
            seeds: initialisation seeds by digest of a recipe.
        """
        self._table = table
        self._found: dict[tuple[str, int], list[Evaluated]] = {}
        for one in recorded.evaluations:
            if one.recipe in seeds:
                self._found.setdefault((one.architecture, seeds[one.recipe]), []).append(one)
        self._metrics = [m for m, own in enumerate(own_metrics(table)) if own]
        shape = (len(table.architectures), table.outcome.shape[2])
        seconds, number, further = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64), False
        for a, s in np.ndindex(shape):
            if behind := self.behind(a, s):
                seconds[a, s], number[a, s] = sum(one.seconds for one in behind), len(behind)
                further = further or any(not self._rows(a, s).issuperset(one.metrics) for one in behind)
        self.effort = Effort(seconds, number, further)

    def _rows(self, a: int, s: int) -> set[tuple[str, int]]:
        table = self._table
        there = (m for m in self._metrics if table.outcome[a, m, s])
        return {(table.metrics[m], table.versions[m] if table.versions else 1) for m in there}

    def behind(self, a: int, s: int) -> Sequence[Evaluated]:
        """Return the evaluations of one architecture and seed; none where they do not explain every row."""
        seeds, rows = self._table.seeds, self._rows(a, s)
        found = self._found.get((self._table.architectures[a], seeds[s] if seeds else 0), [])
        mine = [one for one in found if rows.intersection(one.metrics)]
        return mine if rows and rows <= {pair for one in mine for pair in one.metrics} else []

    def chosen(self, number: int) -> list[tuple[int, int]]:
        """Choose architectures that stand for all, by place and seed: evenly spread over the times, the middle first.

        Those that needed no pass, or on which a metric failed, so that passes were repeated, stand for nothing.

        Args:
            number: how many; fewer where there are not so many.
        """
        usable = np.isfinite(self.effort.seconds) & ~idle(self._table)
        usable &= ~(self._table.outcome == Outcome.FAILED).any(axis=1)
        places = [(int(a), int(s)) for a, s in np.argwhere(usable)]
        places.sort(key=lambda place: (self.effort.seconds[place], place))
        number = min(number, len(places))
        ranks = [int((i + 0.5) / number * len(places)) for i in range(number)]
        ranks.sort(key=lambda rank: (abs(rank + 0.5 - len(places) / 2), rank))
        return [places[rank] for rank in ranks]
