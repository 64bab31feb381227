"""Candidates scored one after the other, in this process or in several; always in their order."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import wait
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zcbench.harness.candidate import Candidate, score_candidate
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.initialise import initialise, seeded
from zcbench.harness.job import Job
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.passes.state import like_images
from zcbench.harness.signals import ctrl_c_held_back
from zcbench.harness.types import Score

FEWEST = 4
"""Candidates that a worker must have to be worth the seconds of its start."""


def useful_workers(workers: int, candidates: int, device: torch.device) -> int:
    """Return how many of the workers there is work for; a GPU has one, this process."""
    return 1 if device.type != "cpu" else max(1, min(workers, candidates // FEWEST))


def scored(
    job: Job, candidates: Sequence[Candidate], device: torch.device, threads: int, workers: int
) -> AbstractContextManager[Iterator[list[Score]]]:
    """Give the rows of one candidate after the other.

    Args:
        job: what the candidates belong to.
        candidates: the work.
        device: where the passes run.
        threads: threads of a CPU operation, in each worker.
        workers: 1 works in this process.
    """
    if workers == 1:
        return _here(job, candidates, device, threads)
    return _in_processes(job, candidates, threads, workers)


@contextmanager
def _here(
    job: Job, candidates: Sequence[Candidate], device: torch.device, threads: int
) -> Iterator[Iterator[list[Score]]]:
    """Score in this process; networks are built one candidate ahead, on a CPU thread.

    But not beside code of somebody else's: what it sets for the whole program would reach the network being built.
    """
    ahead = 1 if all(metric.ours for metric in job.metrics) else 0
    with settings(threads), ThreadPoolExecutor(max_workers=1) as pool:
        batch = _mini_batch(job, device)
        shared: dict[Hashable, Any] = {}

        def results() -> Iterator[list[Score]]:
            building: deque[Future[nn.Module]] = deque(pool.submit(_build, job, c) for c in candidates[:ahead])
            for n, candidate in enumerate(candidates):
                if n + ahead < len(candidates):
                    building.append(pool.submit(_build, job, candidates[n + ahead]))
                yield score_candidate(
                    job.benchmark, job.space, candidate, building.popleft().result, batch, shared=shared
                )

        yield results()


@contextmanager
def _in_processes(
    job: Job, candidates: Sequence[Candidate], threads: int, workers: int
) -> Iterator[Iterator[list[Score]]]:
    """Score in worker processes, each with its own copy of the mini-batch.

    They are spawned, not forked: a fork of a process whose threads hold locks may hang.
    """
    _check_portable(job)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(job, threads))

    def results() -> Iterator[list[Score]]:
        waiting: deque[Future[list[Score]]] = deque()
        rest = iter(candidates)
        for _ in candidates:
            while len(waiting) < 2 * workers and (candidate := next(rest, None)) is not None:
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


def _check_portable(job: Job) -> None:
    for metric in job.metrics:
        try:
            pickle.loads(pickle.dumps(metric))
        except (pickle.PicklingError, AttributeError, ImportError, TypeError) as error:
            raise ZcbenchError(
                f"metric {metric.name} cannot be sent to a worker process: define it at the top of a module, "
                "or use --workers 1"
            ) from error


@contextmanager
def settings(threads: int) -> Iterator[None]:
    """Fix what changes the last bits of a score: the threads, and on CUDA TensorFloat-32 and autotuning."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(before)


def _mini_batch(job: Job, device: torch.device) -> MiniBatch:
    def moved(inputs: NDArray[np.float32], targets: NDArray[Any]) -> tuple[Tensor, Tensor]:
        return like_images(torch.from_numpy(inputs).to(device)), torch.from_numpy(targets).to(device)

    own = moved(job.batch.inputs, job.batch.targets)
    further = tuple(moved(inputs, targets) for inputs, targets in job.batch.further)
    return MiniBatch(*own, job.batch.classes, job.batch.task, further)


def _build(job: Job, candidate: Candidate) -> nn.Module:
    network = job.space.build(candidate.architecture, job.batch.classes)
    return initialise(network, job.init, seeded(*candidate.key, "initial"))


_worker: Callable[[Candidate], list[Score]] | None = None
"""What this process scores candidates with, if it is a worker."""


def _start(job: Job, threads: int) -> None:
    """Make this process a worker: Ctrl-C is for the parent alone, and a dead parent ends it."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    batch = _mini_batch(job, torch.device("cpu"))
    shared: dict[Hashable, Any] = {}

    def score(candidate: Candidate) -> list[Score]:
        return score_candidate(
            job.benchmark, job.space, candidate, lambda: _build(job, candidate), batch, shared=shared
        )

    _worker = score


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _score(candidate: Candidate) -> list[Score]:
    assert _worker is not None
    return _worker(candidate)
