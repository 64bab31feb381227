"""The architectures of TransNAS-Bench-101: parsing and printing, and which of them there are.

Both spaces stack modules of two blocks behind a stem of 64 channels. The code of a module says what its first
block does: 1 nothing, 2 doubles the channels, 3 halves height and width, 4 both.

- ``64-41414-1_02_333`` (micro): the modules are fixed, the block is one of 4^6 = 4,096 cells. The cell has
  four nodes; its parts are the operations of the edges into node 1, 2 and 3, each from node 0 upwards:
  0 none, 1 skip_connect, 2 conv1x1, 3 conv3x3.
- ``64-1234-basic`` (macro): the block is the basic block of ResNet, the modules vary. There are 4 to 6; 1 to 4
  of them halve the resolution (codes 3 and 4) and 1 to 3 double the channels (codes 2 and 4). That makes
  210 + 750 + 2,296 = 3,256 architectures.

Source: Duan et al., "TransNAS-Bench-101", CVPR 2021, section 3; the README of its repository for the codes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from zcbench.datasets.nasbench201.genotype import has_dead_edge, is_connected
from zcbench.harness.errors import ZcbenchError

Genotype: TypeAlias = tuple[int, ...]
"""Six operations in the order of `EDGES` (micro), or the codes of the modules (macro)."""

OPERATIONS: tuple[str, ...] = ("none", "skip_connect", "conv1x1", "conv3x3")
"""The operations of a cell, by their digit."""

EDGES: tuple[tuple[int, int], ...] = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Source and destination of the six edges, in the order of the printed cell (that of NAS-Bench-201)."""

WIDTH = 64
"""Channels behind the stem, in both spaces."""

MICRO_MODULES: Genotype = (4, 1, 4, 1, 4)
"""Modules of every micro architecture."""

DOUBLING, HALVING = (2, 4), (3, 4)
"""Codes of the modules that double the channels, and of those that halve height and width."""

MODULES, DOUBLINGS, HALVINGS = (4, 6), (1, 3), (1, 4)
"""Smallest and largest number of modules, of doublings and of halvings of a macro architecture."""

MICRO_FORM, MACRO_FORM = "64-41414-1_02_333", "64-1234-basic"

_NB201_NAMES = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")


def print_micro(genotype: Sequence[int]) -> str:
    """Return the string of a micro architecture.

    Args:
        genotype: six operations in the order of `EDGES`.
    """
    digits = "".join(map(str, genotype))
    return f"{WIDTH}-{_digits(MICRO_MODULES)}-{digits[:1]}_{digits[1:3]}_{digits[3:]}"


def print_macro(genotype: Sequence[int]) -> str:
    """Return the string of a macro architecture.

    Args:
        genotype: the codes of its modules.
    """
    return f"{WIDTH}-{_digits(genotype)}-basic"


def parse_micro(text: str) -> Genotype:
    """Return the six operations of a micro architecture, in the order of `EDGES`.

    Raises:
        ZcbenchError: with the first thing that is wrong with the string.
    """
    modules, cell = _parts(text, "micro", MICRO_FORM)
    if cell == "basic":
        raise _malformed(text, "micro", 'a cell of "basic" belongs to transnasbench101_macro', MICRO_FORM)
    if modules != _digits(MICRO_MODULES):
        raise _malformed(text, "micro", f"its modules must be {_digits(MICRO_MODULES)}, not {modules!r}", MICRO_FORM)
    nodes = cell.split("_")
    if len(nodes) != 3:
        raise _malformed(text, "micro", f'its cell has {len(nodes)} parts between "_" instead of 3', MICRO_FORM)
    for node, operations in enumerate(nodes, start=1):
        if len(operations) != node:
            what = f"{len(operations)} operation{'' if len(operations) == 1 else 's'} instead of {node}"
            raise _malformed(text, "micro", f"part {node} of its cell has {what}", MICRO_FORM)
        for digit in operations:
            if digit not in "0123":
                known = ", ".join(f"{n} {name}" for n, name in enumerate(OPERATIONS))
                raise _malformed(text, "micro", f"unknown operation {digit!r}; known: {known}", MICRO_FORM)
    return tuple(int(digit) for digit in "".join(nodes))


def parse_macro(text: str) -> Genotype:
    """Return the codes of the modules of a macro architecture.

    Raises:
        ZcbenchError: with the first thing that is wrong with the string.
    """
    codes, block = _parts(text, "macro", MACRO_FORM)
    if block != "basic":
        belongs = " (a cell belongs to transnasbench101_micro)" if "_" in block else ""
        raise _malformed(text, "macro", f'its last part must be "basic", not {block!r}{belongs}', MACRO_FORM)
    for digit in codes:
        if digit not in "1234":
            known = "1 normal, 2 doubles the channels, 3 halves the resolution, 4 both"
            raise _malformed(text, "macro", f"unknown module {digit!r}; known: {known}", MACRO_FORM)
    genotype = tuple(int(digit) for digit in codes)
    for number, (low, high), what in _counts(genotype):
        if not low <= number <= high:
            raise _malformed(text, "macro", f"it has {number} {what} instead of {low} to {high}", MACRO_FORM)
    return genotype


def all_micro() -> Iterator[Genotype]:
    """Yield the 4,096 cells: digits counted up, the last edge fastest."""
    return itertools.product(range(len(OPERATIONS)), repeat=len(EDGES))


def all_macro() -> Iterator[Genotype]:
    """Yield the 3,256 macro architectures: by number of modules, then their codes counted up."""
    for length in range(MODULES[0], MODULES[1] + 1):
        for genotype in itertools.product((1, 2, 3, 4), repeat=length):
            if all(low <= number <= high for number, (low, high), _ in _counts(genotype)):
                yield genotype


def is_connected_cell(genotype: Sequence[int]) -> bool:
    """Say whether some path of operations other than none leads from node 0 to node 3."""
    return is_connected(_as_nasbench201(genotype))


def has_dead_cell_edge(genotype: Sequence[int]) -> bool:
    """Say whether an operation other than none is wasted: no such path runs through it."""
    return has_dead_edge(_as_nasbench201(genotype))


def _as_nasbench201(genotype: Sequence[int]) -> tuple[str, ...]:
    """Name the operations as NAS-Bench-201 does, whose cells have the same nodes and edges."""
    return tuple(_NB201_NAMES[operation] for operation in genotype)


def _counts(genotype: Sequence[int]) -> tuple[tuple[int, tuple[int, int], str], ...]:
    doublings, halvings = (sum(code in codes for code in genotype) for codes in (DOUBLING, HALVING))
    return (
        (len(genotype), MODULES, "modules"),
        (doublings, DOUBLINGS, "modules that double the channels (2 and 4)"),
        (halvings, HALVINGS, "modules that halve the resolution (3 and 4)"),
    )


def _digits(codes: Sequence[int]) -> str:
    return "".join(map(str, codes))


def _parts(text: str, space: str, form: str) -> tuple[str, str]:
    """Return what stands after the width."""
    parts = text.split("-")
    if len(parts) != 3:
        raise _malformed(text, space, f'it has {len(parts)} parts between "-" instead of 3', form)
    if parts[0] != str(WIDTH):
        raise _malformed(text, space, f"it must begin with {WIDTH}, not {parts[0]!r}", form)
    return parts[1], parts[2]


def _malformed(text: str, space: str, reason: str, form: str) -> ZcbenchError:
    shown = repr(text if len(text) <= 80 else text[:77] + "...")
    reason = reason if len(reason) <= 160 else reason[:157] + "..."
    return ZcbenchError(f"malformed architecture {shown} of transnasbench101_{space}: {reason}. Form: {form}")
