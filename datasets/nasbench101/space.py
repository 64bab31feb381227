"""The search space of NAS-Bench-101: the cells with what can be chosen about the network around them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zcbench.datasets.nasbench101.genotype import (
    INPUT,
    MAX_EDGES,
    MAX_VERTICES,
    OPERATIONS,
    OUTPUT,
    Cell,
    module_hash,
    parse_cell,
    print_cell,
    pruned,
)
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.options import option
from zcbench.harness.space import SearchSpace
from zcbench.harness.types import Architecture

if TYPE_CHECKING:
    from torch import nn

CELLS = 423_624
"""Different cells of the benchmark, as its authors counted them by the hash of the pruned graph."""


def is_bare(cell: Cell) -> bool:
    """Say whether nothing but the edge input -> output is left of a cell after pruning."""
    return not pruned(cell).inner


@dataclass(frozen=True, slots=True)
class Space(SearchSpace):
    """The search space of NAS-Bench-101; see `zcbench.harness.space.SearchSpace`.

    Attributes:
        name: the name of the space.
        version: version of the built network.
        stem_channels: channels of the first stack; every further stack doubles them. At least as many as
            inner vertices, among which the output of a cell is split.
        stacks: stacks of cells, with a pooling between one and the next.
        modules: cells in every stack.
    """

    name: str = "nasbench101"
    version: int = 1
    stem_channels: int = option(128, help="channels of the first stack, doubled by every further one", low=5)
    stacks: int = option(3, help="stacks of cells, with a max pooling between them")
    modules: int = option(3, help="cells in every stack")

    @property
    def listed(self) -> bool:
        """The different cells are known only to the benchmark's own file."""
        return False

    def __len__(self) -> int:
        return CELLS

    def __iter__(self) -> Iterator[Architecture]:
        """Refuse: which of the matrices stand for the 423,624 cells is known only to the benchmark's table.

        Raises:
            ZcbenchError: always.
        """
        raise ZcbenchError(
            f"the {CELLS:,} cells of {self.name} are not listed without its table: draw some (--sample N), "
            "or name a file of cells (--architectures FILE)"
        )

    def parse(self, text: str) -> Architecture:
        """Parse a printed cell, with its dead vertices; the result prints unchanged.

        Raises:
            ZcbenchError: with what is wrong with the string.
        """
        return Architecture(self.name, text, parse_cell(text))

    def sample(self, n: int, seed: int) -> list[Architecture]:
        """Return n different matrices, drawn as the benchmark's own example does it.

        All 21 bits above the diagonal of a 7 x 7 matrix are drawn with probability 1/2, all five operations
        uniformly, and the draw is repeated until the cell is valid after pruning. So large graphs are more
        frequent than among the 423,624 different cells, several matrices may be the same cell, and about one
        in ten is a bare input -> output. Only ``random.Random.random`` is used, whose sequence Python
        promises to keep.

        Raises:
            ZcbenchError: unless 1 <= n <= 423,624.

        Source: ``random_spec`` in the example notebook of google-research/nasbench.
        """
        if not 1 <= n <= CELLS:
            raise ZcbenchError(f"cannot sample {n} architectures: {self.name} has 1 to {CELLS} to give")
        generator = random.Random(str(seed))  # as text: as a number, -1 and 1 would be the same seed
        drawn: dict[str, Architecture] = {}
        while len(drawn) < n:
            cell = _draw(generator)
            if 1 <= len(pruned(cell).edges) <= MAX_EDGES:
                text = print_cell(cell)
                drawn.setdefault(text, Architecture(self.name, text, cell))
        return list(drawn.values())

    def unique_id(self, architecture: Architecture) -> str:
        """Return the official hash of the pruned graph, the key of the benchmark's own file."""
        return module_hash(pruned(parse_cell(architecture.id)))

    def build(self, architecture: Architecture, classes: int) -> nn.Module:
        """Build the benchmark's network on the meta device; see `zcbench.datasets.nasbench101.network`.

        Args:
            architecture: the cell.
            classes: number of classes of the dataset.

        Raises:
            ZcbenchError: if classes is less than 1.
        """
        from zcbench.datasets.nasbench101.network import Size, build  # torch only when a network is needed

        if classes < 1:
            raise ZcbenchError(f"a network needs at least one class, not {classes}")
        size = Size(self.stem_channels, self.stacks, self.modules)
        return build(pruned(parse_cell(architecture.id)), size, classes)


def _draw(generator: random.Random) -> Cell:
    """Draw a matrix of `MAX_VERTICES` vertices and its operations; it need not be valid."""
    pairs = [(i, j) for i in range(MAX_VERTICES) for j in range(i + 1, MAX_VERTICES)]
    edges = tuple(pair for pair in pairs if generator.random() < 0.5)
    inner = (OPERATIONS[int(generator.random() * len(OPERATIONS))] for _ in range(MAX_VERTICES - 2))
    return Cell((INPUT, *inner, OUTPUT), edges)
