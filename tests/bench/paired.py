"""Ratios of times: contestants measured in one process and in turn, and what their ratios say.

On a machine that other programs use too, a time says little and a ratio of two times that were taken one right after
the other says much. So every round visits every cell, and on every cell all contestants run one after the other, in
the reverse order every other turn. The median over all turns is given with its quartiles, and with a 95 % interval
from a bootstrap that draws cells first and rounds within them.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

Cell = TypeVar("Cell")
RESAMPLES = 2000


@dataclass(frozen=True)
class Turns:
    """What was measured.

    Attributes:
        seconds: for every contestant, for every cell, the seconds of every round.
        processor: the same in seconds of the processor, all threads of this process together.
        collecting: the part of the seconds that was spent in collecting garbage, asked for or not.
    """

    seconds: Mapping[str, Sequence[Sequence[float]]]
    processor: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    collecting: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """Rounds that all cells had."""
        return min(len(of_cell) for of_cells in self.seconds.values() for of_cell in of_cells)

    def of(self, *names: str) -> list[list[float]]:
        """Seconds of some contestants together, for every cell and round."""
        columns = [self.seconds[name] for name in names]
        return [
            [sum(parts) for parts in zip(*of_cell, strict=True)] for of_cell in zip(*columns, strict=True)
        ]

    def typical(self, *names: str) -> float:
        """Median seconds over all turns."""
        return statistics.median(second for of_cell in self.of(*names) for second in of_cell)

    def ratio(self, theirs: Sequence[str], ours: Sequence[str]) -> Ratio:
        """How many times as long some contestants take as others, turn by turn."""
        return Ratio.between(self.of(*theirs), self.of(*ours))

    @property
    def busy(self) -> Turns:
        """The same by time of the processor, which other programs on the machine disturb less."""
        return Turns(self.processor)

    @property
    def without_collections(self) -> Turns:
        """The same without the time in which garbage was collected, on all sides."""
        return Turns({
            name: [
                [all_of_it - part for all_of_it, part in zip(*of_cell, strict=True)]
                for of_cell in zip(of_cells, self.collecting[name], strict=True)
            ]
            for name, of_cells in self.seconds.items()
        })  # fmt: skip


@dataclass(frozen=True)
class Ratio:
    """How many times as long one side takes.

    Attributes:
        cells: the median over rounds, for every cell.
        median: over all turns.
        quartiles: over all turns.
        interval: of the median, 95 %.
        whole: all seconds of one side over all of the other.
        turns: so many ratios.
    """

    cells: tuple[float, ...]
    median: float
    quartiles: tuple[float, float]
    interval: tuple[float, float]
    whole: float
    turns: int = 1

    @classmethod
    def between(cls, theirs: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> Ratio:
        """Compare seconds by cell and round."""
        turns = [
            [t / o for t, o in zip(*of_cell, strict=True)] for of_cell in zip(theirs, ours, strict=True)
        ]
        flat = np.concatenate([np.asarray(of_cell) for of_cell in turns])
        low, high = np.quantile(flat, [0.25, 0.75])
        return cls(
            cells=tuple(statistics.median(of_cell) for of_cell in turns),
            median=float(np.median(flat)),
            quartiles=(float(low), float(high)),
            interval=_interval(turns),
            whole=sum(map(sum, theirs)) / sum(map(sum, ours)),
            turns=len(flat),
        )


def _interval(turns: Sequence[Sequence[float]]) -> tuple[float, float]:
    """95 % of the median: cells are drawn with replacement, then turns of each."""
    draw = np.random.default_rng(0)
    medians = []
    for _ in range(RESAMPLES):
        chosen = draw.integers(len(turns), size=len(turns))
        medians.append(np.median(np.concatenate([draw.choice(turns[cell], len(turns[cell])) for cell in chosen])))
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Limits:
    """When to stop.

    Attributes:
        rounds: at most so many.
        seconds: no round begins after that if the last one would not fit; the first always runs.
    """

    rounds: int = 3
    seconds: float = 120.0


def in_turn(
    cells: Sequence[Cell],
    contestants: Mapping[str, Callable[[Cell], Any]],
    limits: Limits,
    *,
    reverse: bool = True,
    check: Callable[[Cell, Mapping[str, Any]], None] = lambda cell, values: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Turns:
    """Time contestants in turn.

    Args:
        cells: what they are given, one after the other; asked for once a round.
        contestants: by name; each returns something, e.g. scores.
        limits: when to stop.
        reverse: whether every other turn has the contestants in reverse order: cells take turns, and rounds.
        check: is given what all contestants returned for one cell, after each turn; raises if they disagree.
        clock: seconds.
    """
    seconds, processor, collecting = ({name: [[] for _ in range(len(cells))] for name in contestants} for _ in range(3))
    begin = last = clock()
    for number in range(limits.rounds):
        if number and clock() + (clock() - last) > begin + limits.seconds:
            break
        last = clock()
        for position, cell in enumerate(cells):
            values = {}
            for name in list(contestants)[:: -1 if reverse and (number + position) % 2 else 1]:
                with collections() as garbage:
                    spent, start = time.process_time(), clock()
                    values[name] = contestants[name](cell)
                    seconds[name][position].append(clock() - start)
                    processor[name][position].append(time.process_time() - spent)
                collecting[name][position].append(garbage.seconds)
            check(cell, values)
    return Turns(seconds, processor, collecting)


@dataclass
class Garbage:
    """How long garbage was collected, and how often.

    Attributes:
        seconds: of all collections together.
        full: collections that walked over everything that is alive and not hidden by ``gc.freeze``.
    """

    seconds: float = 0.0
    full: int = 0


@contextmanager
def collections() -> Iterator[Garbage]:
    """Take the time of all collections of garbage meanwhile."""
    garbage, begun = Garbage(), 0.0

    def watch(phase: str, about: Mapping[str, int]) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.perf_counter()
        else:
            garbage.seconds += time.perf_counter() - begun
            garbage.full += about["generation"] == 2

    gc.callbacks.append(watch)
    try:
        yield garbage
    finally:
        gc.callbacks.remove(watch)


@contextmanager
def quiet(threads: int) -> Iterator[None]:
    """So many threads for an operation, and no garbage collection that walks over what was alive before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        torch.set_num_threads(before)
