"""The networks and mini-batches that a metric is checked on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from zcbench.datasets.registry import benchmark
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.space import SearchSpace
from zcbench.harness.types import Architecture

CLASSES = 4
SIDE = 8
"""Height and width of the images."""

CELLS = {
    "a NAS-Bench-201 cell of convolutions":
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|",
    "a NAS-Bench-201 cell with a dead node":
        "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|",
    "a NAS-Bench-201 cell without weights":
        "|skip_connect~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|",
}  # fmt: skip
"""Cells of NAS-Bench-201: dense, with two of three inner edges cut off, and without a weight of its own."""

TRUNCATED = "input,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,output|0111000101000010000100000"
"""A cell of NAS-Bench-101 with projections, concatenation and max pooling."""


class Chain(nn.Module):
    """Two convolutions with batch norm and ReLU, one after the other, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, C] of images [N, 3, h, w]."""
        logits: Tensor = self.head(self.pool(self.body(x)).flatten(1))
        return logits


class Branched(nn.Module):
    """A convolution whose output nobody uses, one that never runs, a ReLU that runs twice and works in place."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.twice = nn.ReLU(inplace=True)
        self.unused = nn.Conv2d(4, 2, 1)
        self.never = nn.Conv2d(4, 2, 1)
        self.last = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, C] of images [N, 3, h, w]."""
        x = self.twice(self.stem(x))
        self.unused(x)
        x = x + self.twice(self.norm(self.last(x)))
        logits: Tensor = self.head(self.pool(x).flatten(1))
        return logits


@dataclass(frozen=True)
class Subject:
    """A network that a metric is checked on.

    Attributes:
        name: what it is, in words that continue "on".
        build: returns it on the meta device.
        space: its search space; None for a network of no space.
        architecture: the architecture there.
    """

    name: str
    build: Callable[[], nn.Module]
    space: SearchSpace | None = None
    architecture: Architecture | None = None

    def network(
        self, *, dtype: torch.dtype = torch.float32, init: str = "pytorch", seed: int = 0
    ) -> nn.Module:
        """Return a new one with the weights of an initialisation, on the CPU."""
        return copy.deepcopy(_initialised(self, init, seed)).to(dtype)

    def key(self, *, init: str = "pytorch", seed: int = 0) -> tuple[str, int, str]:
        """Return what random draws are seeded with."""
        return str(INITIALISATIONS[init]), seed, self.name if self.architecture is None else self.architecture.id

    def origin(self, *, init: str = "pytorch", seed: int = 0) -> Origin | None:
        """Return where it comes from, anew: nothing that was computed before is kept in it."""
        if self.space is None or self.architecture is None:
            return None
        return Origin(self.space, self.architecture, CLASSES, str(INITIALISATIONS[init]), seed)


@cache
def _initialised(subject: Subject, init: str, seed: int) -> nn.Module:
    """Return a network to be copied: a copy takes less time than drawing the weights of every layer again."""
    weights = seeded(*subject.key(init=init, seed=seed), "initial")
    return initialise(subject.build(), INITIALISATIONS[init], weights)


def _on_meta(kind: type[nn.Module]) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        with torch.device("meta"):
            return kind()

    return build


def _of_space(name: str, space: SearchSpace, text: str) -> Subject:
    architecture = space.parse(text)
    return Subject(name, lambda: space.build(architecture, CLASSES), space, architecture)


CHAIN = Subject("a plain chain", _on_meta(Chain))
BRANCHED = Subject("a network with a dead branch and in-place layers", _on_meta(Branched))


@cache
def subjects() -> tuple[Subject, ...]:
    """Return all of them: two small networks, cells of NAS-Bench-201, and a network of NAS-Bench-101."""
    cells = benchmark("nasbench201").space
    other = benchmark("nasbench101").space.configured({"stem_channels": "8", "stacks": "2", "modules": "1"})
    return (
        CHAIN, BRANCHED, *(_of_space(name, cells, text) for name, text in CELLS.items()),
        _of_space("a NAS-Bench-101 network", other, TRUNCATED),
    )  # fmt: skip


def images(n: int, *, number: int = 0, dtype: torch.dtype = torch.float32, side: int = SIDE) -> Tensor:
    """Return Gaussian noise in the place of images: [n, 3, side, side]."""
    return torch.randn(n, 3, side, side, generator=seeded("checking", "images", number)).to(dtype)


def mini_batch(
    n: int, *, further: int = 0, dtype: torch.dtype = torch.float32, targets: Tensor | None = None, side: int = SIDE
) -> MiniBatch:
    """Return a mini-batch, of balanced classes unless somebody says which.

    Args:
        n: images in it.
        further: number of further mini-batches.
        dtype: floating-point type of the images.
        targets: classes, int64 [n].
        side: height and width of the images.
    """
    chosen = torch.arange(n) % CLASSES if targets is None else targets
    more = tuple((images(n, number=k, dtype=dtype, side=side), chosen.roll(k)) for k in range(1, further + 1))
    return MiniBatch(images(n, dtype=dtype, side=side), chosen, CLASSES, further=more)


def edge_batches(n: int, further: int) -> dict[str, MiniBatch]:
    """Return mini-batches that a metric meets seldom, by what they are in words that continue "on"."""
    random = torch.randint(CLASSES, (n,), generator=seeded("checking", "labels"))
    return {
        "images of one class only": mini_batch(n, further=further, targets=torch.zeros(n, dtype=torch.int64)),
        "one image": mini_batch(1, further=further),
        "two images": mini_batch(2, further=further),
        "a batch of odd size": mini_batch(7, further=further),
        "random labels": mini_batch(n, further=further, targets=random),
    }
