"""The part of a Ray worker that scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from zcbench.harness.candidate import Scored
from zcbench.harness.device import usable_device
from zcbench.harness.errors import ZcbenchError as ZcbenchError
from zcbench.harness.executors.parcel import Sent, opened, received
from zcbench.harness.executors.place import environment_of
from zcbench.harness.executors.scorer import Scorer
from zcbench.harness.machine import Machine
from zcbench.harness.settings import fix


class Scoring:
    """A job, opened on this machine."""

    def __init__(self, parcel: bytes, settings: Mapping[str, Any]) -> None:
        """Open it and fix the settings of this process.

        Raises:
            ZcbenchError: if the device is not there, or something of the job is not installed.
        """
        machine = Machine(**settings)
        usable_device(machine.device)
        fix(machine)
        self._job = opened(parcel)
        self._scorer = Scorer(self._job, torch.device(machine.device))
        self.environment = environment_of(machine)

    def score(self, chunk: Sequence[Sent]) -> list[Scored]:
        """Score candidates in their order."""
        return list(self._scorer.every([received(self._job, one) for one in chunk]))
