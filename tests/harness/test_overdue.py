"""Which workers a run speaks of, because they may hang."""

import pytest

from zcbench.harness.executors.overdue import AT_LEAST_SECONDS, FIRST_SECONDS, TIMES_AS_LONG, Overdue


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def after(clock: Clock, overdue: Overdue, worker: object, seconds: float) -> str | None:
    """What is said of a worker so much later."""
    clock.now += seconds
    return overdue.of(worker)


def scored(clock: Clock, overdue: Overdue, candidates: int, seconds: float) -> None:
    """Let a worker score a chunk."""
    other = object()
    overdue.begin(other, candidates)
    clock.now += seconds
    overdue.end(other, scored=True)


def test_the_first_chunk_may_take_long(clock: Clock) -> None:
    overdue, worker = Overdue(clock), object()
    overdue.begin(worker, 8)
    assert after(clock, overdue, worker, FIRST_SECONDS) is None
    assert after(clock, overdue, worker, 1) == "has been at 8 architectures for 601 s: waiting for it"
    assert after(clock, overdue, worker, 1e6) is None  # said once


def test_a_chunk_that_takes_many_times_as_long_as_any_is_spoken_of(clock: Clock) -> None:
    overdue, worker = Overdue(clock), object()
    scored(clock, overdue, 4, 60.0)
    scored(clock, overdue, 8, 8.0)  # a faster one does not count
    overdue.begin(worker, 2)
    assert after(clock, overdue, worker, 2 * 15 * TIMES_AS_LONG) is None
    assert after(clock, overdue, worker, 1) == (
        "has been at 2 architectures for 601 s, where others took 15 s each at most: waiting for it"
    )


def test_nothing_is_said_of_the_first_minute(clock: Clock) -> None:
    overdue, worker = Overdue(clock), object()
    scored(clock, overdue, 8, 0.16)
    overdue.begin(worker, 1)
    assert after(clock, overdue, worker, AT_LEAST_SECONDS) is None
    assert after(clock, overdue, worker, 1) == (
        "has been at 1 architecture for 61 s, where others took 0.02 s each at most: waiting for it"
    )


def test_a_worker_that_died_is_no_measure_and_the_next_chunk_is_another(clock: Clock) -> None:
    overdue, worker = Overdue(clock), object()
    overdue.begin(worker, 1)
    clock.now += 1e4
    overdue.end(worker, scored=False)
    assert after(clock, overdue, worker, 1e6) is None
    overdue.end(worker, scored=False)  # it had nothing to do
    scored(clock, overdue, 1, 0.1)
    overdue.begin(worker, 1)
    assert after(clock, overdue, worker, 61)
    overdue.end(worker, scored=True)
    overdue.begin(worker, 1)
    assert after(clock, overdue, worker, 61) is None  # the last one took as long
    assert after(clock, overdue, worker, 61 * TIMES_AS_LONG)
