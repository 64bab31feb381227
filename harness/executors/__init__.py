"""Candidates scored here, in processes of this machine or on a cluster, one chunk at a time for each worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from zcbench.harness.candidate import Candidate
from zcbench.harness.executors.done import Conditions, Done
from zcbench.harness.executors.here import here
from zcbench.harness.executors.processes import in_processes
from zcbench.harness.job import Job
from zcbench.harness.machine import RAY, Machine

FEWEST = 4
"""Candidates that a worker must have to be worth the seconds of its start."""


def useful_workers(workers: int, candidates: int) -> int:
    """Return how many of the workers there is work for."""
    return max(1, min(workers, candidates // FEWEST))


def useful(machine: Machine, candidates: int) -> Machine:
    """Return the machine with as many workers as there is work for; a GPU of this machine has one, this process."""
    if machine.workers is None:
        return machine
    single = machine.executor != RAY and machine.device != "cpu"
    return replace(machine, workers=1 if single else useful_workers(machine.workers, candidates))


@contextmanager
def session(machine: Machine) -> Iterator[None]:
    """Stay connected to the cluster from one job to the next; for scores of this machine nothing is needed.

    Raises:
        ZcbenchError: if there is no cluster, or Ray is not installed.
    """
    if machine.executor != RAY:
        yield
        return
    from zcbench.harness.executors.cluster import connected  # what few need is imported by them alone

    with connected(machine):
        yield


def scored(
    job: Job, candidates: Sequence[Candidate], machine: Machine, conditions: Conditions
) -> AbstractContextManager[Iterator[Done]]:
    """Give one candidate after the other, those of a chunk together, chunks in the order in which they are done.

    Args:
        job: what the candidates belong to.
        candidates: the work.
        machine: where the passes run; one worker of this machine is this process.
        conditions: the size of a chunk, and when to stop.
    """
    if machine.executor == RAY:
        from zcbench.harness.executors.on_ray import on_ray

        return on_ray(job, candidates, machine, conditions)
    execute = here if machine.workers == 1 else in_processes
    return execute(job, candidates, machine, conditions)
