"""Candidates x metrics x recipes -> rows: what is missing, in chunks, each in one transaction."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from zcbench.harness.described import Described
from zcbench.harness.device import check_fast, usable_device
from zcbench.harness.evaluated import Evaluated, Record
from zcbench.harness.executors import scored, useful
from zcbench.harness.executors.done import CHUNK, Conditions, Done, unheard
from zcbench.harness.job import Job, Valueless, missing_candidates, valueless
from zcbench.harness.machine import HERE, LOCAL, Machine
from zcbench.harness.rate import rates
from zcbench.harness.store import Store
from zcbench.harness.types import Outcome


@dataclass
class Summary:
    """What a run did.

    Attributes:
        wanted: rows that were asked for.
        present: rows that the store already held.
        outcomes: new rows by outcome.
        interrupted: whether Ctrl-C ended it early.
        valueless: metrics without a score on any architecture of the job; none after Ctrl-C.
    """

    wanted: int
    present: int
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    interrupted: bool = False
    valueless: tuple[Valueless, ...] = ()


def run(
    job: Job, store: Store, machine: Machine = HERE, *, chunk: int = CHUNK, retry_failed: bool = False,
    rescore: bool = False, progress: Callable[[int, int, bool], None] | None = None,
    notice: Callable[[str], None] = unheard,
) -> Summary:
    """Compute every missing row of a job.

    This process alone writes the store. Each chunk of candidates is written in one transaction as soon as it is
    done, in whatever order chunks are done, so a kill loses at most one chunk of every worker. After Ctrl-C the chunks
    under way are finished and written; a second Ctrl-C stops at once. An architecture that ends its worker process has
    failed, see ``executors.retrying``; this process itself is a worker where there is only one.

    Args:
        job: what to score.
        store: where rows go.
        machine: where to compute.
        chunk: candidates a transaction, at most.
        retry_failed: compute failed rows again.
        rescore: compute all rows again of a metric whose code changed without a new version.
        progress: called after every candidate with (candidates done, candidates in all, whether Ctrl-C
            was pressed).
        notice: takes a line for the user: how many workers of a cluster there are, or that there are none.

    Raises:
        ZcbenchError: for a device that is not there or cannot be fast, a cluster that cannot be reached, a store that
            cannot be written, or a metric whose code changed without a new version.
    """
    if machine.executor == LOCAL:
        usable_device(machine.device)
    check_fast(machine)
    store.describe((Described.of(metric) for metric in job.metrics), rescore=rescore)
    candidates, wanted = missing_candidates(job, store, retry_failed=retry_failed)
    summary = Summary(wanted, wanted - sum(len(c.metrics) for c in candidates))
    machine = useful(machine, len(candidates))
    speed = rates(machine) if candidates else ()  # before workers start: they would lower it
    unscored = {m.key for m in job.metrics}
    waiting: list[Done] = []
    with _interruptible() as interrupted:
        conditions = Conditions(chunk=chunk, stopped=interrupted.is_set, notice=notice)
        with scored(job, candidates, machine, conditions) as results:
            for done, one in enumerate(results, 1):
                waiting.append(one)
                if progress is not None:
                    progress(done, len(candidates), interrupted.is_set())
                if one.last:
                    _write(store, waiting, Record((), speed), summary, unscored)
                    waiting.clear()
        summary.interrupted = interrupted.is_set()
    if not summary.interrupted:
        summary.valueless = valueless(job, store, unscored)
    return summary


def _write(store: Store, chunk: list[Done], record: Record, summary: Summary, unscored: set[str]) -> None:
    """Write a chunk in one transaction, and count what came of it."""
    rows = [row for one in chunk for row in one.scored.rows]
    # What no worker survived was not evaluated, and took nobody knows how long.
    evaluations = (Evaluated.of(one.scored.rows, one.scored.seconds) for one in chunk if one.scored.seconds)
    store.append(rows, chunk[0].environment, replace(record, evaluations=tuple(evaluations)))
    for row in rows:
        summary.outcomes[row.outcome] += 1
        if row.outcome is Outcome.OK:
            unscored.discard(row.metric)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a flag; the second one interrupts as usual."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = signal.getsignal(signal.SIGINT)

    def handle(*_: object) -> None:
        flag.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)
