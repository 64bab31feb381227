"""What a worker keeps between candidates: the mini-batch on its device, and what all architectures share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zcbench.harness.candidate import Candidate, Scored, score_candidate
from zcbench.harness.device import is_gpu, pinned
from zcbench.harness.initialise import initialise, seeded
from zcbench.harness.job import Job
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.passes.state import like_images

AHEAD_OF_GPU = 2
"""Networks that are built while a GPU works, each on a thread: twelve took 47 ms each on one thread, 41 on two and on
three (two cores, the best of six rounds). On a CPU, where a pass keeps the cores busy, it is one."""


class Scorer:
    """Scores the candidates of one job on one device."""

    def __init__(self, job: Job, device: torch.device) -> None:
        self._job = job
        self._batch = _mini_batch(job, device)
        self._shared: dict[Hashable, Any] = {}

    def build(self, candidate: Candidate) -> nn.Module:
        """Return the initialised network of a candidate, on the CPU: for a GPU in pinned memory."""
        network = self._job.space.build(candidate.architecture, self._job.batch.classes)
        return pinned(initialise(network, self._job.init, seeded(*candidate.key, "initial")), self._batch.inputs.device)

    def score(self, candidate: Candidate, build: Callable[[], nn.Module] | None = None) -> Scored:
        """Score one candidate with all its metrics.

        Args:
            candidate: the candidate.
            build: returns its network; None builds it now.
        """
        return score_candidate(
            self._job.benchmark, self._job.space, candidate, build or (lambda: self.build(candidate)), self._batch,
            shared=self._shared,
        )  # fmt: skip

    def every(self, candidates: Sequence[Candidate]) -> Generator[Scored]:
        """Score candidates in their order; networks are built ahead, on CPU threads.

        But not beside code of somebody else's: what it sets for the whole program would reach the network being built.
        """
        ahead = _ahead(self._batch.inputs.device) if all(metric.ours for metric in self._job.metrics) else 0
        with ThreadPoolExecutor(max_workers=max(1, ahead)) as pool:
            building: deque[Future[nn.Module]] = deque(pool.submit(self.build, c) for c in candidates[:ahead])
            for n, candidate in enumerate(candidates):
                if n + ahead < len(candidates):
                    building.append(pool.submit(self.build, candidates[n + ahead]))
                yield self.score(candidate, building.popleft().result)


def _ahead(device: torch.device) -> int:
    return AHEAD_OF_GPU if is_gpu(device) else 1


def _mini_batch(job: Job, device: torch.device) -> MiniBatch:
    def moved(inputs: NDArray[np.float32], targets: NDArray[Any]) -> tuple[Tensor, Tensor]:
        return like_images(torch.from_numpy(inputs).to(device)), torch.from_numpy(targets).to(device)

    own = moved(job.batch.inputs, job.batch.targets)
    further = tuple(moved(inputs, targets) for inputs, targets in job.batch.further)
    return MiniBatch(*own, job.batch.classes, job.batch.task, further)
