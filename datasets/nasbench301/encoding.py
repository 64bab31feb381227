"""A genotype as the 56 numbers that the surrogates of NAS-Bench-301 were trained on, and back.

The benchmark describes a training by 56 hyperparameters; 34 of them are the architecture, the other 22 say
how it was trained and are the same for every prediction. The vector is what ConfigSpace 0.4 makes of them:

- Order: hyperparameters that are always active first, those that depend on others after them, each of the
  two groups by name (``edge_normal_10`` before ``edge_normal_2``). ``configspace.json`` of the package
  nasbench301 has them in the same order.
- A choice becomes its index; a constant 0; a number of a range its place between the ends, 0..1, on a
  logarithmic scale where the range says so (the ends of an integer range lie 0.49999 outside); a
  log-normal number its logarithm.
- What is not active becomes -1 (NaN there, replaced before the model sees it).

``edge_{cell}_{k}``, k = 0..13, is the operation on the k-th possible edge: nodes 2 to 5 follow one another,
and the edges of a node by its inputs. Node 2 always has the inputs 0 and 1; the two inputs of a later node
are ``inputs_node_{cell}_{node}``, e.g. ``0_2``, and only the edges from them are active.

Four ranges are those that the package's ``ConfigLoader`` puts in the place of what ``configspace.json``
says: ``layers``, ``init_channels``, ``T_max`` (1 to 10,000) and ``eta_min`` (0 to 10,000).

Source: package nasbench301 0.3 (BSD-3): ``configspace.json``, ``api.py``, ``representations.py``,
``surrogate_models/utils.py``; ConfigSpace 0.4 (``hyperparameters.pyx``, ``configuration_space.pyx``).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zcbench.datasets.nasbench301.genotype import NODES, OPERATIONS, Cell, Edge, Genotype, pairs, parse_genotype
from zcbench.harness.errors import ZcbenchError, did_you_mean

Value: TypeAlias = str | int | float | bool

CELLS = ("normal", "reduce")
ARCHITECTURE = "NetworkSelectorDatasetInfo:darts:"
"""What the names of the hyperparameters of the architecture begin with."""

_INSIDE = 0.49999  # how far the ends of an integer range lie outside it


@dataclass(frozen=True, slots=True)
class Setting:
    """One of the 22 hyperparameters that do not describe the architecture.

    Attributes:
        name: its name.
        value: what NAS-Bench-301 trained with, and predicts for.
        low: lower end of its range; None for choices, constants and log-normal numbers.
        high: upper end.
        log: whether its scale is logarithmic.
        choices: what can be chosen; empty for numbers and constants.
    """

    name: str
    value: Value
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()

    @property
    def encoded(self) -> float:
        """Return the number that stands for its value."""
        if self.choices:
            return float(self.choices.index(self.value))
        if isinstance(self.value, str):
            return 0.0
        if self.low is None or self.high is None:
            return math.log(self.value) if self.log else 0.0
        outside = _INSIDE if isinstance(self.value, int) else 0.0
        low, high = self.low - outside, self.high + outside
        if self.log:
            return (math.log(self.value) - math.log(low)) / (math.log(high) - math.log(low))
        return (self.value - low) / (high - low)


SETTINGS: tuple[Setting, ...] = (
    Setting("CreateImageDataLoader:batch_size", 96, 64, 128, log=True),
    Setting("ImageAugmentation:augment", True, choices=(True,)),
    Setting("ImageAugmentation:autoaugment", False, choices=(False, True)),
    Setting("ImageAugmentation:cutout", True, choices=(True,)),
    Setting("ImageAugmentation:cutout_holes", 1, 1, 3),
    Setting("ImageAugmentation:cutout_length", 16, 1, 50),
    Setting("ImageAugmentation:fastautoaugment", False, choices=(False, True)),
    Setting("LossModuleSelectorIndices:loss_module", "cross_entropy", choices=("cross_entropy",)),
    Setting(ARCHITECTURE + "auxiliary", True, choices=(True,)),
    Setting(ARCHITECTURE + "drop_path_prob", 0.2),
    Setting(ARCHITECTURE + "init_channels", 32, 1, 10_000),
    Setting(ARCHITECTURE + "layers", 8, 1, 10_000),
    Setting("NetworkSelectorDatasetInfo:network", "darts", choices=("darts",)),
    Setting("OptimizerSelector:optimizer", "sgd", choices=("sgd",)),
    Setting("OptimizerSelector:sgd:learning_rate", 0.025, log=True),
    Setting("OptimizerSelector:sgd:momentum", 0.9, 0.1, 0.99),
    Setting("OptimizerSelector:sgd:weight_decay", 0.0003, log=True),
    Setting("SimpleLearningrateSchedulerSelector:cosine_annealing:T_max", 100, 1, 10_000),
    Setting("SimpleLearningrateSchedulerSelector:cosine_annealing:eta_min", 1e-8, 0.0, 10_000.0),
    Setting(
        "SimpleLearningrateSchedulerSelector:lr_scheduler", "cosine_annealing", choices=("cosine_annealing",)
    ),
    Setting("SimpleTrainNode:batch_loss_computation_technique", "mixup", choices=("mixup",)),
    Setting("SimpleTrainNode:mixup:alpha", 0.2, 0.01, 0.7, log=True),
)
"""The hyperparameters of the training."""


def edge_name(cell: str, node: int, source: int) -> str:
    """Return the name of the hyperparameter that holds the operation on an edge of a cell."""
    first = sum(n for n in NODES if n < node)
    return f"{ARCHITECTURE}edge_{cell}_{first + source}"


def inputs_name(cell: str, node: int) -> str:
    """Return the name of the hyperparameter that holds the inputs of one of the nodes 3, 4, 5."""
    return f"{ARCHITECTURE}inputs_node_{cell}_{node}"


def inputs_choices(node: int) -> tuple[str, ...]:
    """Return the pairs of inputs that a node may have, ``0_1``, ``0_2``, ..."""
    return tuple(f"{a}_{b}" for a, b in itertools.combinations(range(node), 2))


def _names() -> Iterator[str]:
    """Yield the 56 names: always active ones, then dependent ones, each group sorted."""
    always = [setting.name for setting in SETTINGS]
    always += [edge_name(cell, 2, source) for cell in CELLS for source in (0, 1)]
    always += [inputs_name(cell, node) for cell in CELLS for node in NODES[1:]]
    dependent = [edge_name(cell, n, source) for cell in CELLS for n in NODES[1:] for source in range(n)]
    yield from sorted(always)
    yield from sorted(dependent)


NAMES: tuple[str, ...] = tuple(_names())
"""Names of the 56 hyperparameters, in the order of the vector."""

_PLACES = {name: place for place, name in enumerate(NAMES)}


def to_config(genotype: Genotype) -> dict[str, str]:
    """Return the active hyperparameters of the architecture, by name."""
    config: dict[str, str] = {}
    for cell, edges in zip(CELLS, (genotype.normal, genotype.reduce), strict=True):
        for node, both in zip(NODES, pairs(edges), strict=True):
            config |= {edge_name(cell, node, source): operation for operation, source in both}
            if node > NODES[0]:
                config[inputs_name(cell, node)] = "_".join(map(str, sorted(source for _, source in both)))
    return config


def encode(genotype: Genotype) -> NDArray[np.float64]:
    """Return the vector [56] of a genotype; the order of a node's inputs makes no difference."""
    vector = np.full(len(NAMES), -1.0)
    for setting in SETTINGS:
        vector[_PLACES[setting.name]] = setting.encoded
    for name, value in to_config(genotype).items():
        choices = OPERATIONS if "edge_" in name else inputs_choices(int(name[-1]))
        vector[_PLACES[name]] = choices.index(value)
    return vector


def from_config(config: Mapping[str, object]) -> Genotype:
    """Return the genotype that the hyperparameters of a training describe, inputs in order.

    Args:
        config: hyperparameters by name, as in a ``results.json``; others than those of the architecture
            are not looked at.

    Raises:
        ZcbenchError: if one is missing or has a value that it cannot have.
    """
    normal, reduce = (_cell(config, cell) for cell in CELLS)
    return parse_genotype(str(Genotype(normal, reduce)))


def _cell(config: Mapping[str, object], cell: str) -> Cell:
    edges: list[Edge] = []
    for node in NODES:
        inputs = "0_1" if node == NODES[0] else _choice(config, inputs_name(cell, node), inputs_choices(node))
        for source in map(int, inputs.split("_")):
            edges.append((_choice(config, edge_name(cell, node, source), OPERATIONS), source))
    return tuple(edges)


def _choice(config: Mapping[str, object], name: str, choices: tuple[str, ...]) -> str:
    if name not in config:
        raise ZcbenchError(f"its hyperparameters lack {name}")
    value = config[name]
    if not isinstance(value, str) or value not in choices:
        raise ZcbenchError(f"its {name} is {str(value)[:40]!r}.{did_you_mean(str(value)[:40], choices)}")
    return value
