"""Candidates scored in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from zcbench.harness.candidate import Candidate, Scored
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.executors.done import Conditions, Done, given_up, in_one_chunk
from zcbench.harness.executors.overdue import Overdue
from zcbench.harness.executors.place import environment_of
from zcbench.harness.executors.retrying import WORKER_DIED, Chunk, Work
from zcbench.harness.executors.scorer import Scorer
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.settings import fix
from zcbench.harness.signals import ctrl_c_held_back

STARTS = 3
"""So many workers in a row may die before they are ready."""


@contextmanager
def in_processes(
    job: Job, candidates: Sequence[Candidate], machine: Machine, conditions: Conditions
) -> Iterator[Iterator[Done]]:
    """Score in worker processes, each with its own copy of the mini-batch.

    They are spawned, not forked: a fork of a process whose threads hold locks may hang.
    """
    check_portable(job)
    crew = _Crew(job, candidates, machine, conditions)
    try:
        yield crew.results()
    finally:
        crew.dismiss()


def check_portable(job: Job, otherwise: str = ", or use --workers 1") -> None:
    """Check that every metric can be sent to another process.

    Raises:
        ZcbenchError: naming the first that cannot.
    """
    for metric in job.metrics:
        try:
            pickle.loads(pickle.dumps(metric))
        except (pickle.PicklingError, AttributeError, ImportError, TypeError) as error:
            raise ZcbenchError(
                f"metric {metric.name} cannot be sent to a worker process: define it at the top of a module{otherwise}"
            ) from error


@dataclass
class _Worker:
    """One process, and what it is doing.

    Attributes:
        process: the process.
        pipe: chunks go into it, rows come back.
        chunk: what it scores; empty while it starts or waits.
        ready: whether it has said so.
    """

    process: BaseProcess
    pipe: Connection
    chunk: Chunk = ()
    ready: bool = False


class _Crew:
    """The workers of a run: each has one chunk at a time, and one that dies is replaced."""

    def __init__(self, job: Job, candidates: Sequence[Candidate], machine: Machine, conditions: Conditions) -> None:
        self._job = replace(job, architectures=())  # candidates come with each chunk
        self._candidates, self._machine, self._conditions = candidates, machine, conditions
        self._environment = environment_of(machine)
        self._work = Work(len(candidates), chunk=conditions.chunk)
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._overdue = Overdue()

    def results(self) -> Iterator[Done]:
        """Give what is done until nothing is left, or the run was stopped and nothing is under way."""
        while self._employ():
            ends: dict[Any, _Worker] = {
                end: worker for worker in self._workers for end in (worker.pipe, worker.process.sentinel)
            }
            # Not for ever: a Ctrl-C is noticed between two waits.
            for worker in {id(ends[end]): ends[end] for end in wait(list(ends), timeout=1)}.values():
                yield from self._heard(worker)
            self._speak_of_overdue()

    def dismiss(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers = []

    def _employ(self) -> bool:
        """Give work to those who wait for some, start those who are missing, and say whether anything is under way."""
        stopped = self._conditions.stopped()
        assert self._machine.workers is not None
        for worker in self._workers:
            if worker.ready and not worker.chunk and not stopped:
                self._hand_out(worker)
        idle = sum(not worker.chunk for worker in self._workers)
        missing = 0 if stopped else min(self._machine.workers - len(self._workers), self._work.left - idle)
        self._workers += [self._start() for _ in range(missing)]
        return any(worker.chunk for worker in self._workers) or (not stopped and self._work.left > 0)

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._job, self._machine), daemon=True)
        resource_tracker.ensure_running()  # with the first process it would let Ctrl-C through again
        with ctrl_c_held_back():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _hand_out(self, worker: _Worker) -> None:
        worker.chunk = self._work.take(len(self._workers))
        if worker.chunk:
            with suppress(OSError):  # it is dead, which is noticed next
                worker.pipe.send([self._candidates[n] for n in worker.chunk])
            self._overdue.begin(worker, len(worker.chunk))

    def _heard(self, worker: _Worker) -> Iterator[Done]:
        try:
            said: list[Scored] | None = worker.pipe.recv() if worker.pipe.poll() else None
        except (EOFError, OSError):
            said = None
        if said is None:
            yield from self._died(worker)
            return
        worker.ready, worker.chunk, self._failed_starts = True, (), 0
        self._overdue.end(worker, scored=True)
        if not self._conditions.stopped():
            self._hand_out(worker)  # before its rows are written, so that it does not wait for the disk
        yield from in_one_chunk(said, self._environment)

    def _died(self, worker: _Worker) -> Iterator[Done]:
        self._workers.remove(worker)
        self._overdue.end(worker, scored=False)
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS:
                raise ZcbenchError(
                    f"worker processes end as soon as they start (exit code {worker.process.exitcode}), perhaps for "
                    "want of memory: run again with fewer --workers; what was written is kept"
                )
        for n in self._work.died(worker.chunk, alone=True):
            yield from in_one_chunk([given_up(self._job, self._candidates[n], WORKER_DIED)], self._environment)

    def _speak_of_overdue(self) -> None:
        for worker in self._workers:
            if long := self._overdue.of(worker):
                self._conditions.notice(
                    f"worker process {worker.process.pid} {long}; if it hangs, kill it, and they are scored again"
                )


def _serve(pipe: Connection, job: Job, machine: Machine) -> None:
    """Be a worker: Ctrl-C is for the parent alone, and a dead parent ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    fix(machine)
    scorer = Scorer(job, torch.device("cpu"))
    with suppress(EOFError, OSError):  # the parent is gone
        pipe.send([])
        while True:
            chunk: list[Candidate] = pipe.recv()
            pipe.send([scorer.score(candidate) for candidate in chunk])


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
