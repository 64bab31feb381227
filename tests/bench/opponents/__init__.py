"""Other ways to compute the same scores, to be timed beside zcbench on the same network and mini-batch.

- ``loop``: the thirteen metrics of NAS-Bench-Suite-Zero one by one, each with its own copy and passes, as
  zero-cost-nas and NASLib work.
- ``alethiometer_tool``: the installable tool alethiometer, through its own entry point.

Both are called with a ``Subject``. From a script, with ``tests`` on ``sys.path``::

    from bench.opponents import Subject, loop
    values = {name: loop.METRICS[name](subject) for name in loop.METRICS}
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Subject:
    """One network, initialised and laid out as PyTorch does by default, and one mini-batch.

    Attributes:
        network: in training mode; no opponent changes it.
        inputs: [N, c, h, w].
        targets: int64 [N].
        key: what zcbench seeds its draws with, so that zen sees the same weights and images.
    """

    network: nn.Module
    inputs: Tensor
    targets: Tensor
    key: tuple[object, ...]

    def copy(self) -> nn.Module:
        """What the tools work on: a deep copy of the network for every metric."""
        return copy.deepcopy(self.network).train()
