"""The cells of NAS-Bench-201: parsing, printing, sampling, and which of them count as the same.

A cell has four nodes; node 0 is its input and node 3 its output. Each of the six edges i -> j (i < j)
carries one of five operations, so that there are 5^6 = 15,625 cells. Printed, the nodes 1, 2, 3 follow
one another with the operations of their incoming edges, ``op~source``::

    |op~0|+|op~0|op~1|+|op~0|op~1|op~2|

Source: Dong and Yang, "NAS-Bench-201", ICLR 2020.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from zcbench.harness.errors import ZcbenchError, did_you_mean, shown
from zcbench.harness.space import SearchSpace
from zcbench.harness.types import Architecture

if TYPE_CHECKING:
    from torch import nn

    from zcbench.harness.supernet import Supernet

Genotype: TypeAlias = tuple[str, ...]

OPERATIONS: tuple[str, ...] = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The operations, in the benchmark's own order."""

EDGES: tuple[tuple[int, int], ...] = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Source and destination of the six edges, in the order of the printed cell."""

INPUT, OUTPUT = 0, 3
FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"


def print_cell(genotype: Sequence[str]) -> str:
    """Return the cell's string.

    Args:
        genotype: six operations in the order of `EDGES`.
    """
    nodes = []
    for node in (1, 2, 3):
        incoming = [f"{op}~{source}|" for op, (source, to) in zip(genotype, EDGES, strict=True) if to == node]
        nodes.append("|" + "".join(incoming))
    return "+".join(nodes)


def parse_cell(text: str) -> Genotype:
    """Return the six operations of a printed cell, in the order of `EDGES`.

    Only the one canonical spelling is accepted, so that every accepted string prints unchanged.

    Raises:
        ZcbenchError: with the first thing that is wrong with the string.
    """
    nodes = text.split("+")
    if len(nodes) != 3:
        raise _malformed(text, f'it has {len(nodes)} parts between "+" instead of 3')
    genotype: list[str] = []
    for node, part in enumerate(nodes, start=1):
        if len(part) < 2 or not (part.startswith("|") and part.endswith("|")):
            raise _malformed(text, f'part {node} does not begin and end with "|"')
        edges = part[1:-1].split("|")
        if len(edges) != node:
            raise _malformed(text, f"part {node} has {len(edges)} edges instead of {node}")
        genotype.extend(_parse_edge(edge, source, text) for source, edge in enumerate(edges))
    return tuple(genotype)


def _parse_edge(edge: str, source: int, text: str) -> str:
    operation, tilde, index = edge.partition("~")
    if not tilde:
        raise _malformed(text, f'the edge {shown(edge)} lacks "~{source}"')
    if operation not in OPERATIONS:
        raise _malformed(text, f"unknown operation {shown(operation)}", did_you_mean(operation, OPERATIONS))
    if index != str(source):
        raise _malformed(text, f'the edge {shown(edge)} must end in "~{source}"')
    return operation


def _malformed(text: str, reason: str, hint: str = "") -> ZcbenchError:
    return ZcbenchError(f"malformed NAS-Bench-201 cell {shown(text, 120)}: {reason}.{hint or f' Form: {FORM}'}")


def unique_string(genotype: Sequence[str], *, zero_rule: bool) -> str:
    """Return the benchmark's own string for "the same cell, as far as its inventors tell cells apart".

    Each node gets a string: the sorted terms of its incoming edges joined by ``+``. An edge with
    operation o from a node with string s gives ``(s)@o``, a ``skip_connect`` gives s itself. Under the
    zero rule an edge gives ``#`` if its operation is ``none`` or its source's string is exactly ``#``.
    The string of node 3 names the class: 6,466 classes with the zero rule, 12,751 without.

    This is not graph isomorphism: ``#`` terms stay in a sum, so that a node whose two or three inputs are
    all zero (``#+#``) is not itself recognised as zero. Nor does a class fix the network: a node's string
    may stand for one convolution that is used twice or for two that are each used once, and
    convolutions behind a ``#`` vanish. With the zero rule 578 of the 6,466 classes hold cells of
    different parameter count (230 of the 12,751 without).

    Nor is it stable under renaming the nodes 1 and 2, which gives a cell again where the edge 1 -> 2 is
    ``none``: node 2 has a term of that edge, and node 1 has no such edge. Of these 3,125 cells 125 are
    their own mirror image. Of the other 3,000, 2,872 get another string than their mirror image under
    the zero rule (all 3,000 without it), though both compute the same function. It stays as it is all
    the same: published counts rest on the benchmark's own string.

    Args:
        genotype: six operations in the order of `EDGES`.
        zero_rule: whether ``none`` turns its edge into zero.

    Source: ``Structure.to_unique_str(consider_zero)`` of AutoDL-Projects, the benchmark's code.
    """
    strings = ["0"]
    for node in (1, 2, 3):
        terms = []
        for operation, (source, to) in zip(genotype, EDGES, strict=True):
            if to != node:
                continue
            if zero_rule and (operation == "none" or strings[source] == "#"):
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(strings[source])
            else:
                terms.append(f"({strings[source]})@{operation}")
        strings.append("+".join(sorted(terms)))
    return strings[OUTPUT]


def _live_edges(genotype: Sequence[str]) -> list[bool]:
    """Say of each edge whether it is part of a path of non-``none`` operations from node 0 to node 3."""
    fed, useful = {INPUT}, {OUTPUT}
    edges = list(zip(genotype, EDGES, strict=True))
    for operation, (source, to) in edges:  # every edge into a node precedes the edges out of it
        if operation != "none" and source in fed:
            fed.add(to)
    for operation, (source, to) in reversed(edges):
        if operation != "none" and to in useful:
            useful.add(source)
    return [op != "none" and source in fed and to in useful for op, (source, to) in edges]


def is_connected(genotype: Sequence[str]) -> bool:
    """Say whether some path of non-``none`` operations leads from node 0 to node 3 (15,284 cells)."""
    return any(_live_edges(genotype))


def has_dead_edge(genotype: Sequence[str]) -> bool:
    """Say whether an operation other than ``none`` is wasted.

    An edge is dead if its operation is not ``none`` and no path of non-``none`` operations from node 0
    to node 3 runs through it: its source gets no signal, or nobody uses its destination. 9,445 cells
    have no dead edge. One of them is the cell of six ``none``, which has nothing to waste; the other
    9,444 are connected. This is the population of VKDNW's table 1 (recomputed from the accuracies).
    """
    live = _live_edges(genotype)
    return any(op != "none" and not alive for op, alive in zip(genotype, live, strict=True))


@dataclass(frozen=True, slots=True)
class Space(SearchSpace):
    """The search space of NAS-Bench-201; see `zcbench.harness.space.SearchSpace`.

    Attributes:
        name: the name of the space.
        version: version of the built network.
    """

    name: str = "nasbench201"
    version: int = 1

    def __len__(self) -> int:
        return int(len(OPERATIONS) ** len(EDGES))

    def __iter__(self) -> Iterator[Architecture]:
        """Yield every cell: `OPERATIONS` counted up like digits, the last edge of `EDGES` fastest."""
        return (self.architecture(genotype) for genotype in itertools.product(OPERATIONS, repeat=len(EDGES)))

    def architecture(self, genotype: Sequence[str]) -> Architecture:
        """Return the architecture with these six operations, in the order of `EDGES`.

        Raises:
            ZcbenchError: unless they are six known operations.
        """
        text = print_cell(genotype) if len(genotype) == len(EDGES) else "+".join(genotype)
        return self.parse(text)

    def parse(self, text: str) -> Architecture:
        """Parse a printed cell; the result prints unchanged.

        Raises:
            ZcbenchError: with what is wrong with the string.
        """
        return Architecture(self.name, text, parse_cell(text))

    def unique_id(self, architecture: Architecture) -> str:
        """Return the official unique string under the zero rule: 6,466 classes, see `unique_string`."""
        return unique_string(parse_cell(architecture.id), zero_rule=True)

    def disconnected(self, architecture: Architecture) -> str | None:
        """Say why the network's output cannot depend on its input, or None where it does."""
        if is_connected(parse_cell(architecture.id)):
            return None
        return "disconnected cell: every path from its input to its output has a none operation"

    def build(self, architecture: Architecture, classes: int) -> nn.Module:
        """Build the benchmark's network on the meta device; see `zcbench.datasets.nasbench201.network`.

        Args:
            architecture: the cell.
            classes: number of classes of the dataset.

        Raises:
            ZcbenchError: if classes is less than 1.
        """
        from zcbench.datasets.nasbench201.network import build  # torch only when a network is needed

        if classes < 1:
            raise ZcbenchError(f"a network needs at least one class, not {classes}")
        return build(parse_cell(architecture.id), classes)

    def thin(self, architecture: Architecture) -> nn.Module:
        """Build the cell with one channel on the meta device; see `zcbench.datasets.nasbench201.thin`."""
        from zcbench.datasets.nasbench201.thin import build_thin  # torch only when a network is needed

        return build_thin(parse_cell(architecture.id))

    def supernet(self, classes: int) -> Supernet:
        """Build the supernet on the meta device; see `zcbench.datasets.nasbench201.supernet`.

        Raises:
            ZcbenchError: if classes is less than 1.
        """
        from zcbench.datasets.nasbench201.supernet import build  # torch only when a network is needed

        if classes < 1:
            raise ZcbenchError(f"a network needs at least one class, not {classes}")
        return build(classes)

    def operations(self, architecture: Architecture) -> tuple[tuple[str, str], ...]:
        """Return six pairs of an edge, ``0->1``, and its operation, in the order of `EDGES`."""
        chosen = zip(EDGES, parse_cell(architecture.id), strict=True)
        return tuple((f"{source}->{to}", operation) for (source, to), operation in chosen)
