"""The two search spaces of TransNAS-Bench-101."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from zcbench.datasets.transnasbench101 import genotype as strings
from zcbench.datasets.transnasbench101.genotype import Genotype
from zcbench.datasets.transnasbench101.tasks import TASKS
from zcbench.harness import options
from zcbench.harness.options import option
from zcbench.harness.space import SearchSpace
from zcbench.harness.types import Architecture, Task

if TYPE_CHECKING:
    from torch import nn

TRAINED_SIDE = 256


_TASK = option("class_scene", help="what the networks predict", choices=tuple(TASKS))


@dataclass(frozen=True)
class TransNasSpace(SearchSpace):
    """What the two spaces share; see `zcbench.harness.space.SearchSpace`.

    Attributes:
        task: what the networks predict, one of seven tasks; chosen by its name.
    """

    task: Task = field(default=TASKS[_TASK.default], metadata=_TASK.metadata)

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the space."""

    @property
    def version(self) -> int:
        """Version of the built network."""
        return 1

    @property
    def resolution(self) -> int:
        """Height and width of the images that the benchmark trained on (255 for jigsaw)."""
        return TRAINED_SIDE

    @property
    def network(self) -> Mapping[str, options.Value]:
        """The name of the task, under ``task``."""
        return {"task": self.task.name}

    def configured(self, chosen: Mapping[str, str]) -> Self:
        """Return the same space with networks for another task.

        Args:
            chosen: ``task`` to the name of a task, or nothing.

        Raises:
            ZcbenchError: for a name or a task that there is not.
        """
        options.configured(self, chosen)  # refuses what there is not
        return replace(self, task=TASKS[chosen["task"]]) if chosen else self

    @abstractmethod
    def genotypes(self) -> Iterator[Genotype]:
        """Yield every genotype, in a fixed order."""

    @abstractmethod
    def print(self, genotype: Sequence[int]) -> str:
        """Return the string of a genotype."""

    @abstractmethod
    def genotype(self, text: str) -> Genotype:
        """Return the genotype of a string.

        Raises:
            ZcbenchError: with what is wrong with it.
        """

    @abstractmethod
    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Architecture]:
        """Yield every architecture, in the order of `genotypes`."""
        return (self.architecture(genotype) for genotype in self.genotypes())

    def architecture(self, genotype: Sequence[int]) -> Architecture:
        """Return the architecture of a genotype.

        Raises:
            ZcbenchError: if there is none in the space.
        """
        return self.parse(self.print(genotype))

    def parse(self, text: str) -> Architecture:
        """Parse the benchmark's own string; the result prints unchanged.

        Raises:
            ZcbenchError: with what is wrong with the string.
        """
        return Architecture(self.name, text, self.genotype(text))

    def unique_id(self, architecture: Architecture) -> str:
        """Return the architecture's own string.

        The benchmark tells all 7,352 architectures apart: it defines no classes, and trained each of the
        micro cells by itself, also those that compute the same function.
        """
        return architecture.id


@dataclass(frozen=True)
class MicroSpace(TransNasSpace):
    """The cell-level space: 4,096 cells in one skeleton."""

    @property
    def name(self) -> str:
        """The name of the space."""
        return "transnasbench101_micro"

    def __len__(self) -> int:
        return int(len(strings.OPERATIONS) ** len(strings.EDGES))

    def genotypes(self) -> Iterator[Genotype]:
        """Yield every cell: digits counted up, the last edge fastest."""
        return strings.all_micro()

    def print(self, genotype: Sequence[int]) -> str:
        """Return the string of six operations."""
        return strings.print_micro(genotype)

    def genotype(self, text: str) -> Genotype:
        """Return the six operations, in the order of `zcbench.datasets.transnasbench101.genotype.EDGES`."""
        return strings.parse_micro(text)

    def disconnected(self, architecture: Architecture) -> str | None:
        """Say why the network's output cannot depend on its input, or None where it does."""
        if strings.is_connected_cell(self.genotype(architecture.id)):
            return None
        return "disconnected cell: every path from its input to its output has a none operation"

    def build(self, architecture: Architecture, classes: int) -> nn.Module:  # noqa: ARG002
        """Build the network of the chosen task on the meta device; the task fixes the number of outputs."""
        from zcbench.datasets.transnasbench101.network import build  # torch only when a network is needed

        return build(strings.MICRO_MODULES, self.genotype(architecture.id), self.task)


@dataclass(frozen=True)
class MacroSpace(TransNasSpace):
    """The macro-level space: 3,256 sequences of modules of basic residual blocks."""

    @property
    def name(self) -> str:
        """The name of the space."""
        return "transnasbench101_macro"

    def __len__(self) -> int:
        return sum(1 for _ in self.genotypes())

    def genotypes(self) -> Iterator[Genotype]:
        """Yield every sequence: by number of modules, then their codes counted up."""
        return strings.all_macro()

    def print(self, genotype: Sequence[int]) -> str:
        """Return the string of some module codes."""
        return strings.print_macro(genotype)

    def genotype(self, text: str) -> Genotype:
        """Return the codes of the modules."""
        return strings.parse_macro(text)

    def build(self, architecture: Architecture, classes: int) -> nn.Module:  # noqa: ARG002
        """Build the network of the chosen task on the meta device; the task fixes the number of outputs."""
        from zcbench.datasets.transnasbench101.network import build  # torch only when a network is needed

        return build(self.genotype(architecture.id), None, self.task)
