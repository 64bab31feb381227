"""Small networks that tests score: plain, with a dead branch and in-place layers, and a real NB201 cell."""

import importlib

import pytest
import torch
from torch import Tensor, nn

from zcbench.datasets.nasbench201 import network as nasbench201_network
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.metric import Metric
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.registry import metrics
from zcbench.harness.space import SearchSpace
from zcbench.harness.supernet import Supernet
from zcbench.harness.types import Architecture


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.BatchNorm2d(5), nn.ReLU(),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.body(x)).flatten(1))


class Branchy(nn.Module):
    """A convolution whose output nobody uses, one that never runs, a layer that runs twice, in-place ReLUs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.twice = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(4)
        self.dead = nn.Conv2d(4, 2, 1)
        self.never = nn.Conv2d(4, 2, 1)
        self.last = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.twice(self.stem(x))
        self.dead(x)
        x = x + self.twice(self.norm(self.last(x)))
        return self.head(self.pool(x).flatten(1))


class Shallow(Space):
    """NAS-Bench-201 with one cell a stage instead of five: the same layers, edges and passes for a quarter of the work.

    Nothing that tests of passes and metrics ask depends on how often a stage repeats its cell.
    """

    def build(self, architecture: Architecture, classes: int) -> nn.Module:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nasbench201_network, "CELLS_PER_STAGE", 1)
            return super().build(architecture, classes)

    def supernet(self, classes: int) -> Supernet:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nasbench201_network, "CELLS_PER_STAGE", 1)
            return super().supernet(classes)


SPACES: dict[str, SearchSpace] = {"nasbench201": Shallow(), "whole nasbench201": Space()}
CELL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
KEY = ("test@1", 0, "network")


def make(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    if name in SPACES:
        space = SPACES[name]
        network = space.build(space.parse(CELL), 3)
    else:
        with torch.device("meta"):
            network = {"plain": Plain, "branchy": Branchy}[name]()
    return initialise(network, INITIALISATIONS["pytorch"], seeded(*KEY, "initial")).to(dtype)


def batch(n: int = 12, side: int = 8, dtype: torch.dtype = torch.float64) -> MiniBatch:
    def images(number: int) -> Tensor:
        name = ("images", number) if number else ("images",)
        return torch.randn(n, 3, side, side, generator=seeded(*name)).to(dtype)

    labels = torch.arange(n) % 3
    further = tuple((images(number), labels.roll(number)) for number in (1, 2, 3))
    return MiniBatch(images(0), labels, 3, further=further)


def origin(name: str) -> Origin | None:
    """Where the real cell comes from; the small networks come from no search space."""
    space = SPACES.get(name)
    return Origin(space, space.parse(CELL), 3, "pytorch@1", 0) if space is not None else None


def usable(name: str) -> Metric:
    """The metric, with values for its required parameters and parameters that fit a small batch.

    A metric that takes a pass for every image and output says in its reference that it wants fewer images.
    """
    values = {"mu": 0.4, "nu": 0.01, "sigma": 2.0, "samples": 9, "repeats": 2, "images": 64}
    values |= getattr(importlib.import_module(f"references.{name}"), "PARAMETERS", {})
    metric = metrics()[name]
    return metric.with_parameters(**{k: v for k, v in values.items() if k in metric.parameters})
