"""tinychains: 27 chains of three convolutions, with accuracies that ``train.py`` measured."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from zcbench.datasets.conversion import convert_tidy
from zcbench.datasets.tables import TableBenchmark
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.space import Availability, Available, Conversion, SearchSpace
from zcbench.harness.types import Architecture

if TYPE_CHECKING:
    from torch import nn

WIDTHS = ("2", "4", "8")


@dataclass(frozen=True)
class Chains(SearchSpace):
    """Three convolutions with stride 2, printed as their widths: ``2-8-4``."""

    name: str = "tinychains"
    version: int = 1

    def __len__(self) -> int:
        return len(WIDTHS) ** 3

    def __iter__(self) -> Iterator[Architecture]:
        return (self.parse("-".join(widths)) for widths in itertools.product(WIDTHS, repeat=3))

    def parse(self, text: str) -> Architecture:
        widths = text.split("-")
        if len(widths) != 3 or not set(widths) <= set(WIDTHS):
            raise ZcbenchError(f"malformed chain {text!r}: give three of {', '.join(WIDTHS)}, joined by -")
        return Architecture(self.name, text, tuple(map(int, widths)))

    def unique_id(self, architecture: Architecture) -> str:
        return architecture.id

    def build(self, architecture: Architecture, classes: int) -> nn.Module:
        import torch
        from torch import nn

        widths = tuple(map(int, architecture.id.split("-")))
        with torch.device("meta"):
            layers: list[nn.Module] = []
            for before, width in itertools.pairwise((3, *widths)):
                layers += [nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width),
                           nn.ReLU()]  # fmt: skip
            return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))


SPACE = Chains()


class Benchmark(TableBenchmark):
    """Brings its ground truth along; another table is read with ``--truth``."""

    def availability(self) -> list[Availability]:
        return [Available(self.default_sources[0], Path(str(resources.files("zcbench_chains") / "accuracies.csv")))]

    def truth(
        self, *, source: str | None = None, path: Path | None = None, architectures: Sequence[str] | None = None
    ) -> TruthTable:
        if path is not None:
            return super().truth(source=source, path=path, architectures=architectures)
        file = resources.files("zcbench_chains") / "accuracies.csv"
        with file.open(encoding="utf-8") as stream:
            table = TruthTable(pd.read_csv(stream), "the accuracies of tinychains", remarks=self.known)
        return table if source is None else table.only(source)


def convert(path: Path, out: Path, *, curves: bool, progress: bool | None) -> Conversion:
    return convert_tidy(path, out, check=SPACE.parse, space=len(SPACE))


BENCHMARK = Benchmark(
    name="tinychains", space=SPACE, datasets=("digits",), default_sources=("zcbench-chains",),
    tables=("tinychains.parquet",), converter=convert,
)  # fmt: skip
