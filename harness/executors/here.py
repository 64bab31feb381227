"""Candidates scored in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import torch

from zcbench.harness.candidate import Candidate
from zcbench.harness.executors.done import Conditions, Done
from zcbench.harness.executors.place import environment_of
from zcbench.harness.executors.scorer import Scorer
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.settings import fixed


@contextmanager
def here(
    job: Job, candidates: Sequence[Candidate], machine: Machine, conditions: Conditions
) -> Iterator[Iterator[Done]]:
    """Score in this process, in the order of the candidates."""
    environment = environment_of(machine)
    with fixed(machine), closing(Scorer(job, torch.device(machine.device)).every(candidates)) as every:

        def results() -> Iterator[Done]:
            for n, one in enumerate(every, 1):
                last = n % conditions.chunk == 0 or n == len(candidates)
                yield Done(one, environment, last)
                if last and conditions.stopped():
                    return

        yield results()
