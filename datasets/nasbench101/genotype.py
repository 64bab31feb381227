"""The cells of NAS-Bench-101: parsing, printing, pruning, and which of them count as the same.

A cell is a directed acyclic graph whose vertices are numbered so that every edge leads from a smaller to a
larger number. Vertex 0 is its input, the last one its output, and every other vertex carries one of three
operations. Printed, the operations come first and then the V x V adjacency matrix, row by row::

    input,conv3x3-bn-relu,output|011001000

A vertex that is on no path from input to output is dead: the benchmark drops it together with its edges
before it does anything else. Of what is left it demands at most `MAX_VERTICES` vertices and `MAX_EDGES`
edges; the matrix before pruning may have more edges.

Source: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from zcbench.harness.errors import ZcbenchError, did_you_mean

INPUT, OUTPUT = "input", "output"

OPERATIONS: tuple[str, ...] = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""The operations of the inner vertices, in the benchmark's own order (which the hash depends on)."""

MAX_VERTICES = 7
MAX_EDGES = 9
FORM = "input,operation,...,output|adjacency bits, row by row; e.g. input,conv3x3-bn-relu,output|011001000"


@dataclass(frozen=True, slots=True)
class Cell:
    """A labelled graph.

    Attributes:
        operations: one name for each vertex, ``input`` first and ``output`` last.
        edges: source and destination of every edge, sorted; source < destination.
    """

    operations: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]

    @property
    def inner(self) -> range:
        """The vertices between input and output."""
        return range(1, len(self.operations) - 1)


def print_cell(cell: Cell) -> str:
    """Return the cell's string."""
    size, edges = len(cell.operations), set(cell.edges)
    bits = "".join("01"[(i, j) in edges] for i in range(size) for j in range(size))
    return f"{','.join(cell.operations)}|{bits}"


def parse_cell(text: str) -> Cell:
    """Return the graph of a printed cell as it was given, with its dead vertices.

    What the benchmark's own ``is_valid`` refuses is refused: a graph without a path from input to output, or
    with more than `MAX_EDGES` edges after pruning. Two things are asked for besides: no more than
    `MAX_VERTICES` vertices, and known operations at dead vertices too.

    Raises:
        ZcbenchError: with the first thing that is wrong with the string.
    """
    names, bar, bits = text.partition("|")
    operations = tuple(names.split(","))
    size = len(operations)
    _check_operations(operations, text)
    if not bar:
        raise _malformed(text, 'it has no "|" between operations and adjacency bits')
    if set(bits) - {"0", "1"}:
        raise _malformed(text, "the adjacency matrix may only have the digits 0 and 1")
    if len(bits) != size**2:
        raise _malformed(text, f"{size} vertices need {size}x{size} = {size**2} adjacency bits, it has {len(bits)}")
    edges = tuple(divmod(place, size) for place, bit in enumerate(bits) if bit == "1")
    for source, to in edges:
        if source >= to:
            raise _malformed(text, f"the matrix is not upper triangular: it has an edge {source} -> {to}")
    cell = Cell(operations, edges)
    alive = pruned(cell)
    if not alive.edges:
        raise _malformed(text, "no path leads from input to output, which the benchmark calls an invalid cell")
    if len(alive.edges) > MAX_EDGES:
        kept = len(alive.edges)
        raise _malformed(text, f"{kept} edges are left after pruning, the benchmark has at most {MAX_EDGES}")
    return cell


def _check_operations(operations: Sequence[str], text: str) -> None:
    if operations[0] != INPUT:
        raise _malformed(text, f"the first operation is {_shown(operations[0])} instead of {INPUT!r}")
    if len(operations) < 2 or operations[-1] != OUTPUT:
        raise _malformed(text, f"the last operation is {_shown(operations[-1])} instead of {OUTPUT!r}")
    if len(operations) > MAX_VERTICES:
        raise _malformed(text, f"it has {len(operations)} vertices, the benchmark at most {MAX_VERTICES}")
    for name in operations[1:-1]:
        if name not in OPERATIONS:
            raise _malformed(text, f"unknown operation {_shown(name)}", did_you_mean(name[:40], OPERATIONS))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _malformed(text: str, reason: str, hint: str = "") -> ZcbenchError:
    shown = repr(text if len(text) <= 200 else text[:197] + "...")
    return ZcbenchError(f"malformed NAS-Bench-101 cell {shown}: {reason}.{hint} Form: {FORM}")


def pruned(cell: Cell) -> Cell:
    """Return the cell without the vertices that are on no path from input to output.

    A cell without any such path comes back as input and output without an edge.
    """
    last = len(cell.operations) - 1
    fed, useful = {0}, {last}
    for source, to in cell.edges:  # sorted by source, so that the edges into a vertex precede those out of it
        if source in fed:
            fed.add(to)
    for source, to in reversed(cell.edges):
        if to in useful:
            useful.add(source)
    kept = sorted(fed & useful | {0, last})
    number = {vertex: place for place, vertex in enumerate(kept)}
    edges = [(i, j) for i, j in cell.edges if i in fed and i in useful and j in fed and j in useful]
    return Cell(
        tuple(cell.operations[vertex] for vertex in kept), tuple((number[i], number[j]) for i, j in edges)
    )


def module_hash(cell: Cell) -> str:
    """Return the benchmark's hash of a graph; prune first: dead vertices count here.

    With labels -1 for the input, -2 for the output and the place in `OPERATIONS` else, every vertex starts
    with MD5 of ``str((outgoing edges, incoming edges, label))``. In V rounds it becomes MD5 of: the sorted
    hashes of its predecessors, ``|``, those of its successors, ``|``, its own. MD5 of the sorted list of all
    is the hash of the cell. Renumbering the vertices does not change it.

    Source: ``graph_util.hash_module`` of google-research/nasbench, after Ying, "Enumerating Unique
    Computational Graphs via an Iterative Graph Invariant", arXiv:1902.06192.
    """
    vertices = range(len(cell.operations))
    labels = [-1, *(OPERATIONS.index(cell.operations[vertex]) for vertex in cell.inner), -2]
    into = [[i for i, j in cell.edges if j == vertex] for vertex in vertices]
    out_of = [[j for i, j in cell.edges if i == vertex] for vertex in vertices]
    hashes = [_md5(str((len(out_of[v]), len(into[v]), labels[v]))) for v in vertices]
    for _ in vertices:
        hashes = [
            _md5("|".join([*("".join(sorted(hashes[w] for w in near[v])) for near in (into, out_of)), hashes[v]]))
            for v in vertices
        ]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
