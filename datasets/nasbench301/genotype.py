"""The genotypes of the DARTS search space: parsing, printing, and which of them are the same network.

A genotype describes two cells, normal and reduce. A cell has the inputs 0 and 1 (the outputs of the two
cells before it) and the nodes 2, 3, 4, 5; a node is the sum of two operations, each applied to another,
earlier node, and the cell's output is the concatenation of the nodes 2 to 5. Printed::

    Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ...], normal_concat=[2, 3, 4, 5],
             reduce=[...], reduce_concat=[2, 3, 4, 5])

with eight pairs (operation, input) in each list, two for each node. The pairs of a node come in any order:
the authors' own code writes the stronger one first. The concatenation is also written ``range(2, 6)``.

Source: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, section 2 and its
code (quark0/darts, ``cnn/genotypes.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from zcbench.harness.errors import ZcbenchError, did_you_mean, shown

Edge: TypeAlias = tuple[str, int]
Cell: TypeAlias = tuple[Edge, ...]

OPERATIONS: tuple[str, ...] = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The operations of a genotype, in the authors' order. The search also has ``none``, which it never keeps."""

NODES: tuple[int, ...] = (2, 3, 4, 5)
"""The nodes that a cell computes."""

LONGEST = 2_000
"""Characters of a genotype; the longest printed one has about 500."""

FORM = (
    "Genotype(normal=[('skip_connect', 0), ...], normal_concat=[2, 3, 4, 5], reduce=[...], "
    "reduce_concat=[2, 3, 4, 5])"
)

_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
_TOKEN = re.compile(r"\s*(?:([A-Za-z_]\w*)|([0-9]{1,9})(?![\w.])|'(\w*)'|\"(\w*)\"|([()\[\],=]))", re.ASCII)


@dataclass(frozen=True, slots=True)
class Genotype:
    """A parsed genotype.

    Attributes:
        normal: eight pairs (operation, input), two for each of the nodes 2 to 5, in the order given.
        reduce: the same for the reduction cell.
    """

    normal: Cell
    reduce: Cell

    def sorted(self) -> Genotype:
        """Return the same network with the pairs of each node ordered by their input."""
        return Genotype(_sorted(self.normal), _sorted(self.reduce))

    def __str__(self) -> str:
        nodes = list(NODES)
        return (
            f"Genotype(normal={list(self.normal)}, normal_concat={nodes}, "
            f"reduce={list(self.reduce)}, reduce_concat={nodes})"
        )


def _sorted(cell: Cell) -> Cell:
    return tuple(edge for node in range(len(NODES)) for edge in sorted(pairs(cell)[node], key=lambda e: e[1]))


def pairs(cell: Cell) -> tuple[tuple[Edge, Edge], ...]:
    """Return the two edges of each of the nodes 2 to 5."""
    return tuple((cell[2 * n], cell[2 * n + 1]) for n in range(len(NODES)))


def parse_genotype(text: str) -> Genotype:
    """Return the genotype that a string describes; nothing in the string is evaluated.

    Raises:
        ZcbenchError: with the first thing that is wrong with the string.
    """
    if len(text) > LONGEST:
        raise _malformed(text, f"it has {len(text)} characters, more than the {LONGEST} that are read")
    fields = _Reader(text).genotype()
    for name in _FIELDS:
        if name not in fields:
            raise _malformed(text, f"it lacks {name}=")
    for name in ("normal_concat", "reduce_concat"):
        if fields[name] != NODES:
            raise _malformed(text, f"{name} must be the nodes [2, 3, 4, 5], as everywhere in this search space")
    return Genotype(_cell(text, "normal", fields["normal"]), _cell(text, "reduce", fields["reduce"]))


def _cell(text: str, name: str, edges: Sequence[object]) -> Cell:
    """Check the edges of one cell."""
    checked: list[Edge] = []
    if len(edges) != 2 * len(NODES):
        raise _malformed(text, f"{name} has {len(edges)} edges instead of 8, two for each of the nodes 2 to 5")
    for place, edge in enumerate(edges):
        if not (isinstance(edge, tuple) and isinstance(edge[0], str)):
            raise _malformed(text, f"{name} must list pairs ('operation', input)")
        operation, source = edge
        node = NODES[place // 2]
        if operation == "none":
            raise _malformed(text, f"{name} has the operation none, which only the search knows")
        if operation not in OPERATIONS:
            hint = did_you_mean(operation, OPERATIONS)
            raise _malformed(text, f"{name} has the unknown operation {operation!r}.{hint}".rstrip("."))
        if source >= node:
            raise _malformed(text, f"{name}: node {node} has the input {source}, but only earlier nodes can be inputs")
        if place % 2 and source == checked[-1][1]:
            raise _malformed(text, f"{name}: both inputs of node {node} are {source}; they must be two different nodes")
        checked.append((operation, source))
    return tuple(checked)


def _malformed(text: str, reason: str) -> ZcbenchError:
    reason = reason if len(reason) <= 200 else reason[:197] + "..."
    end = "" if reason.endswith("?") else "."
    return ZcbenchError(f"malformed DARTS genotype {shown(text, 80)}: {reason}{end} Form: {FORM}")


class _Reader:
    """Reads one genotype token by token.

    Args:
        text: the printed genotype.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    def genotype(self) -> dict[str, tuple[object, ...]]:
        """Read ``Genotype(name=value, ...)`` to the end of the text."""
        self._expect("Genotype")
        self._expect("(")
        fields: dict[str, tuple[object, ...]] = {}
        while True:
            name = self._next()
            if not isinstance(name, str) or name not in _FIELDS:
                raise self._wrong(f"{name!r} is none of {', '.join(_FIELDS)}")
            if name in fields:
                raise self._wrong(f"{name}= occurs twice")
            self._expect("=")
            fields[name] = self._range() if self._at("range") else self._list()
            if not self._at(","):
                break
            self._expect(",")
            if self._at(")"):
                break
        self._expect(")")
        if rest := self._text[self._place :].strip():
            raise self._wrong(f"{rest[:20]!r} follows its end")
        return fields

    def _range(self) -> tuple[int, ...]:
        self._expect("range")
        self._expect("(")
        start = self._number()
        self._expect(",")
        stop = self._number()
        self._expect(")")
        return tuple(range(start, min(stop, start + LONGEST)))

    def _list(self) -> tuple[object, ...]:
        self._expect("[")
        values: list[object] = []
        while not self._at("]"):
            if values:
                self._expect(",")
                if self._at("]"):
                    break
            values.append(self._pair() if self._at("(") else self._number())
        self._expect("]")
        return tuple(values)

    def _pair(self) -> tuple[object, int]:
        self._expect("(")
        quoted = self._next(quoted=True)
        self._expect(",")
        source = self._number()
        self._expect(")")
        return quoted, source

    def _number(self) -> int:
        value = self._next()
        if not isinstance(value, int):
            raise self._wrong(f"{value!r} stands where a node's number must be")
        return value

    def _at(self, wanted: str) -> bool:
        match = _TOKEN.match(self._text, self._place)
        return match is not None and wanted in (match[1], match[5])

    def _expect(self, wanted: str) -> None:
        if not self._at(wanted):
            found = self._text[self._place :].strip()[:12]
            raise self._wrong(f"{found!r} stands where {wanted!r} must be" if found else f"it ends before {wanted!r}")
        self._next()

    def _next(self, *, quoted: bool = False) -> str | int:
        match = _TOKEN.match(self._text, self._place)
        found = self._text[self._place :].strip()[:12]
        if match is None:
            raise self._wrong(f"it breaks off or has a strange character at {found!r}")
        self._place = match.end()
        name, number, single, double, sign = match.groups()
        string = single if single is not None else double
        if quoted != (string is not None):
            raise self._wrong(f"{found!r} stands where {'a quoted operation' if quoted else 'no quotes'} must be")
        if string is not None:
            return str(string)
        return int(number) if number else str(name or sign)

    def _wrong(self, reason: str) -> ZcbenchError:
        return _malformed(self._text, reason)
