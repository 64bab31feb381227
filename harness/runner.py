"""Candidates x metrics x recipes -> rows: what is missing, in chunks, each in one transaction."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from zcbench.harness.described import Described
from zcbench.harness.device import check_fast, described, device_name, usable_device
from zcbench.harness.environment import describe
from zcbench.harness.evaluated import Evaluated, Record
from zcbench.harness.executors import scored, useful_workers
from zcbench.harness.job import Job, Valueless, missing_candidates, valueless
from zcbench.harness.machine import HERE, Machine
from zcbench.harness.rate import rates
from zcbench.harness.store import Store
from zcbench.harness.types import Outcome, Score

CHUNK = 8
"""Candidates a transaction: what a kill can cost."""


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
) -> Summary:
    """Compute every missing row of a job.

    Each chunk of candidates is written in one transaction, so a kill loses at most one chunk. After
    Ctrl-C the current chunk is finished and written; a second Ctrl-C stops at once.

    Args:
        job: what to score.
        store: where rows go.
        machine: where to compute.
        chunk: candidates a transaction.
        retry_failed: compute failed rows again.
        rescore: compute all rows again of a metric whose code changed without a new version.
        progress: called after every candidate with (candidates done, candidates in all, whether Ctrl-C
            was pressed).

    Raises:
        ZcbenchError: for a device that is not there or cannot be fast, a store that cannot be written, a worker that
            died, or a metric whose code changed without a new version.
    """
    where = usable_device(machine.device)
    check_fast(machine)
    store.describe((Described.of(metric) for metric in job.metrics), rescore=rescore)
    candidates, wanted = missing_candidates(job, store, retry_failed=retry_failed)
    summary = Summary(wanted, wanted - sum(len(c.metrics) for c in candidates))
    machine = replace(machine, workers=useful_workers(machine, len(candidates)))
    environment = {
        **describe(device=device_name(where), threads=machine.threads), "workers": str(machine.workers),
        **described(where, machine),
    }  # fmt: skip
    speed = rates(machine) if candidates else ()  # before workers start: they would lower it
    done = 0
    unscored = {m.key for m in job.metrics}
    with _interruptible() as interrupted, scored(job, candidates, machine) as results:
        for start in range(0, len(candidates), chunk):
            rows: list[Score] = []
            evaluations: list[Evaluated] = []
            for _ in candidates[start : start + chunk]:
                one = next(results)
                rows += one.rows
                evaluations.append(Evaluated.of(one.rows, one.seconds))
                done += 1
                if progress is not None:
                    progress(done, len(candidates), interrupted.is_set())
            store.append(rows, environment, Record(tuple(evaluations), speed))
            for row in rows:
                summary.outcomes[row.outcome] += 1
                if row.outcome is Outcome.OK:
                    unscored.discard(row.metric)
            if interrupted.is_set():
                break
        summary.interrupted = interrupted.is_set()
    if not summary.interrupted:
        summary.valueless = valueless(job, store, unscored)
    return summary


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
