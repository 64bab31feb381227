"""A plain function of network, images and labels, run on a copy of its own outside of the shared passes."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zcbench.harness.initialise import seeded
from zcbench.harness.metric import Undefined
from zcbench.harness.passes.spec import Passes, Procedure

if TYPE_CHECKING:
    from torch import Tensor

    from zcbench.harness.passes.run import Run


@dataclass(frozen=True)
class OnCopy(Procedure):
    """What a function ``f(network, inputs, targets) -> float`` returns: float64 [].

    The function gets a deep copy of the network in training mode, its parameters without gradients, and copies of
    the mini-batch, inputs [N, c, h, w] laid out channels first. It may change all of them. The global random
    generators are seeded from initialisation, its seed and the architecture before the call, and are afterwards what
    they were, so what the function draws repeats. So are the settings of PyTorch.

    Attributes:
        name: the metric's name, which its draws are seeded with.
        function: the function.
    """

    name: str
    function: Callable[..., Any] = field(repr=False)

    @property
    def passes(self) -> Passes:
        """What it takes: nobody can say."""
        return Passes(words="a function that runs on a copy of the network, outside of the shared passes")

    def compute(self, run: Run) -> Tensor:
        """Call the function.

        Raises:
            Undefined: for a task in which images have no class: the function could not use the targets.
            TypeError: if it returns anything but one number.
        """
        task = run.batch.task
        if task is not None and not task.classifies:
            raise Undefined(f"images have no class in the task {task.name}")
        network = copy.deepcopy(run.network)
        for parameter in network.parameters():
            parameter.grad = None
        inputs = run.batch.inputs.clone(memory_format=torch.contiguous_format)
        with reproducible(*run.key, "on copy", self.name):
            returned = self.function(network, inputs, run.batch.targets.clone())
        return _number(self.name, returned).to(run.batch.inputs.device, torch.float64)


def _number(name: str, returned: Any) -> Tensor:
    """Return one number as a tensor [] without waiting for its device."""
    if isinstance(returned, torch.Tensor) and returned.numel() == 1 and not returned.is_complex():
        return returned.detach().reshape(())
    if isinstance(returned, int | float | np.number) and not isinstance(returned, bool):
        return torch.tensor(float(returned), dtype=torch.float64, device="cpu")
    what = f"a tensor of shape {tuple(returned.shape)}" if isinstance(returned, torch.Tensor) else repr(returned)[:60]
    raise TypeError(f"{name} must return one number, not {what}")


@contextmanager
def reproducible(*key: object) -> Iterator[None]:
    """Seed the global generators of Python, NumPy and PyTorch from a key, and put them back afterwards."""
    seed = seeded(*key).initial_seed()
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)
