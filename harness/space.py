"""The protocols that a benchmark implements: a search space, its ground truth and their availability."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from zcbench.harness.types import Architecture

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from zcbench.datasets.truth import TruthTable


class SearchSpace(Protocol):
    """A finite set of architectures that can be printed, parsed, sampled and built."""

    @property
    def name(self) -> str:
        """The name of the space, e.g. ``nasbench201``."""

    @property
    def version(self) -> int:
        """Rises whenever the built network changes, so that old scores are not mixed with new ones."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Architecture]: ...

    def parse(self, text: str) -> Architecture:
        """Parse the space's own string; the result prints unchanged.

        Raises:
            ZcbenchError: with what is wrong with the string.
        """

    def sample(self, n: int, seed: int) -> list[Architecture]:
        """Return n different architectures, drawn uniformly by a generator with this seed."""

    def unique_id(self, architecture: Architecture) -> str:
        """Name the class of architectures that the benchmark regards as the same; never a key."""

    def disconnected(self, architecture: Architecture) -> str | None:
        """Say why the network's output cannot depend on its input, or None where it does."""

    def build(self, architecture: Architecture, classes: int) -> nn.Module:
        """Build the network on the meta device: shapes without weights, to be initialised afterwards.

        Args:
            architecture: the candidate.
            classes: number of classes of the dataset.
        """


@dataclass(frozen=True, slots=True)
class Available:
    """A source of ground truth that can be read now."""

    source: str
    path: Path


@dataclass(frozen=True, slots=True)
class Missing:
    """A source of ground truth that is not there, and what to do about it."""

    source: str
    reason: str


Availability = Available | Missing


class Conversion(Protocol):
    """What a conversion of official files wrote."""

    def describe(self) -> str:
        """Say it in one line."""


class Benchmark(Protocol):
    """A search space together with the accuracies of its trained architectures."""

    @property
    def name(self) -> str:
        """The benchmark's name on the command line."""

    @property
    def space(self) -> SearchSpace:
        """Its search space."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets that its architectures were trained on."""

    @property
    def default_sources(self) -> tuple[str, ...]:
        """Ground-truth sources in the order in which they are taken where several remain."""

    @property
    def populations(self) -> Mapping[str, Callable[[Architecture], bool]]:
        """Named subsets of the space that published tables use, e.g. ``no_dead_edge``."""

    def availability(self) -> list[Availability]:
        """List every known source of ground truth, present or not; never opens a socket."""

    def truth(self, *, source: str | None = None, path: Path | None = None) -> TruthTable:
        """Load the ground-truth table.

        Args:
            source: only this source.
            path: a tidy Parquet file to read instead of the default tables.

        Raises:
            MissingFileError: where the table is not there.
        """

    def convert(self, path: Path, out: Path, *, curves: bool = False, progress: bool | None = False) -> Conversion:
        """Convert official files to one tidy Parquet table, which appears whole or not at all.

        Args:
            path: an official file or folder.
            out: the table to write.
            curves: also keep the accuracy of every epoch before the last.
            progress: show a progress bar on standard error; None: only on a terminal.

        Raises:
            MissingFileError: if there is nothing at the path.
            UnsafeFileError: if a file asks to run code.
            ZcbenchError: if a file is damaged or of another form, or the table cannot be written.
        """
