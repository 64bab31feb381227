"""Candidates scored in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait

import torch

from zcbench.harness.candidate import Candidate, Scored
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.executors.scorer import Scorer
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.settings import fix
from zcbench.harness.signals import ctrl_c_held_back


@contextmanager
def in_processes(job: Job, candidates: Sequence[Candidate], machine: Machine) -> Iterator[Iterator[Scored]]:
    """Score in worker processes, each with its own copy of the mini-batch.

    They are spawned, not forked: a fork of a process whose threads hold locks may hang.
    """
    check_portable(job)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(machine.workers, mp_context=context, initializer=_start, initargs=(job, machine))

    def results() -> Iterator[Scored]:
        waiting: deque[Future[Scored]] = deque()
        rest = iter(candidates)
        for _ in candidates:
            while len(waiting) < 2 * machine.workers and (candidate := next(rest, None)) is not None:
                with ctrl_c_held_back():
                    waiting.append(pool.submit(_score, candidate))
            try:
                yield waiting.popleft().result()
            except BrokenProcessPool as error:
                raise ZcbenchError(
                    "a worker process was killed, perhaps for want of memory: run again with fewer --workers; "
                    "what was written is kept"
                ) from error

    try:
        yield results()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def check_portable(job: Job) -> None:
    """Check that every metric can be sent to another process.

    Raises:
        ZcbenchError: naming the first that cannot.
    """
    for metric in job.metrics:
        try:
            pickle.loads(pickle.dumps(metric))
        except (pickle.PicklingError, AttributeError, ImportError, TypeError) as error:
            raise ZcbenchError(
                f"metric {metric.name} cannot be sent to a worker process: define it at the top of a module, "
                "or use --workers 1"
            ) from error


_scorer: Scorer | None = None
"""What this process scores candidates with, if it is a worker."""


def _start(job: Job, machine: Machine) -> None:
    """Make this process a worker: Ctrl-C is for the parent alone, and a dead parent ends it."""
    global _scorer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    fix(machine)
    _scorer = Scorer(job, torch.device("cpu"))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _score(candidate: Candidate) -> Scored:
    assert _scorer is not None
    return _scorer.score(candidate)
