"""What a worker keeps between candidates: the mini-batch on its device, and what all architectures share."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zcbench.harness.candidate import Candidate, Scored, score_candidate
from zcbench.harness.device import pinned
from zcbench.harness.initialise import initialise, seeded
from zcbench.harness.job import Job
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.passes.state import like_images


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


def _mini_batch(job: Job, device: torch.device) -> MiniBatch:
    def moved(inputs: NDArray[np.float32], targets: NDArray[Any]) -> tuple[Tensor, Tensor]:
        return like_images(torch.from_numpy(inputs).to(device)), torch.from_numpy(targets).to(device)

    own = moved(job.batch.inputs, job.batch.targets)
    further = tuple(moved(inputs, targets) for inputs, targets in job.batch.further)
    return MiniBatch(*own, job.batch.classes, job.batch.task, further)
