"""Candidates scored in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import nn

from zcbench.harness.candidate import Candidate, Scored
from zcbench.harness.executors.scorer import Scorer
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.settings import fixed


@contextmanager
def here(job: Job, candidates: Sequence[Candidate], machine: Machine) -> Iterator[Iterator[Scored]]:
    """Score in this process; networks are built one candidate ahead, on a CPU thread.

    But not beside code of somebody else's: what it sets for the whole program would reach the network being built.
    """
    ahead = 1 if all(metric.ours for metric in job.metrics) else 0
    with fixed(machine), ThreadPoolExecutor(max_workers=1) as pool:
        scorer = Scorer(job, torch.device(machine.device))

        def results() -> Iterator[Scored]:
            building: deque[Future[nn.Module]] = deque(pool.submit(scorer.build, c) for c in candidates[:ahead])
            for n, candidate in enumerate(candidates):
                if n + ahead < len(candidates):
                    building.append(pool.submit(scorer.build, candidates[n + ahead]))
                yield scorer.score(candidate, building.popleft().result)

        yield results()
