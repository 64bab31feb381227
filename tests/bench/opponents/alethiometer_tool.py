"""alethiometer 1.1.2 (Apache-2.0), called as its documentation says, for the five metrics that zcbench has as well.

It copies the network for every metric and forces a garbage collection after each, which walks over everything that is
alive: whoever times it should do so in a process that holds no more than a script would.
"""

from __future__ import annotations

import importlib
import math
import sys
import types
import warnings
from functools import cache
from typing import Any

import torch

from bench.opponents import Subject

METRICS = ("grad_norm", "snip", "grasp", "synflow", "nwot_relu")
"""nwot_relu runs in evaluation mode, with the running statistics of an untrained network."""

UNDECLARED = ("torchvision", "torchvision.datasets", "torchvision.transforms")
MEMBERS = ("MNIST", "CIFAR10", "CIFAR100", "SVHN", "Compose", "ToTensor", "Normalize", "transforms")


@cache
def tool() -> Any:
    """Import its entry module; torchvision, which it needs for readers of images only, is stubbed where missing."""
    for name in UNDECLARED:
        stub = types.ModuleType(name)
        for member in MEMBERS:
            setattr(stub, member, object)
        sys.modules.setdefault(name, stub)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("alethiometer.zc_proxy")


def scores(subject: Subject, names: tuple[str, ...] = METRICS) -> dict[str, float]:
    """Return its scores; synflow as its logarithm, as zcbench and NASLib have it."""
    loader = [(subject.inputs, subject.targets)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = tool().calc_zc_metrics(list(names), subject.network, loader, torch.device("cpu"))
    vars(subject.network).pop("get_prunable_copy", None)  # what it leaves there, a circle
    return {name: math.log(value) if name == "synflow" else float(value) for name, value in found.items()}
