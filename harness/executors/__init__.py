"""Candidates scored one after the other, here, in processes of this machine or on a cluster; always in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from zcbench.harness.candidate import Candidate, Scored
from zcbench.harness.executors.here import here
from zcbench.harness.executors.processes import in_processes
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine

FEWEST = 4
"""Candidates that a worker must have to be worth the seconds of its start."""


def useful_workers(machine: Machine, candidates: int) -> int:
    """Return how many of the workers there is work for; a GPU of this machine has one, this process."""
    return 1 if machine.device != "cpu" else max(1, min(machine.workers, candidates // FEWEST))


def scored(
    job: Job, candidates: Sequence[Candidate], machine: Machine
) -> AbstractContextManager[Iterator[Scored]]:
    """Give the rows of one candidate after the other.

    Args:
        job: what the candidates belong to.
        candidates: the work.
        machine: where the passes run; one worker is this process.
    """
    if machine.workers == 1:
        return here(job, candidates, machine)
    return in_processes(job, candidates, machine)
