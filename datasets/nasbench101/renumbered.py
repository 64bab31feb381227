"""The truth of a cell whose table spells it with its vertices in another order.

The benchmark's own query goes by the hash of the pruned graph. A table has one string for each cell, so that a
matrix drawn at random, with dead vertices or in another order, is not among its strings although its cell is.
Here the strings of all orders are looked up; no hash of the 423,624 cells of a table is needed for that.

A network may differ in a few parameters from that of another order of its vertices, because the first ones get
the remainder when channels are split. The benchmark trained one order of each cell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from zcbench.datasets.nasbench101.genotype import Cell, parse_cell, print_cell, pruned
from zcbench.datasets.rows import Choice, Rows, Values
from zcbench.datasets.truth import TruthTable


def numberings(cell: Cell) -> set[str]:
    """Return the strings of a pruned cell with its vertices in every order in which all edges lead upwards.

    There are at most 5! = 120.
    """
    last = len(cell.operations) - 1
    before = {vertex: {i for i, j in cell.edges if j == vertex} for vertex in range(last + 1)}

    def orders(order: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(order) == last:
            yield (*order, last)
        for vertex in cell.inner:
            if vertex not in order and before[vertex] <= set(order):
                yield from orders((*order, vertex))

    found = set()
    for order in orders((0,)):
        number = {vertex: place for place, vertex in enumerate(order)}
        edges = tuple(sorted((number[i], number[j]) for i, j in cell.edges))
        found.add(print_cell(Cell(tuple(cell.operations[vertex] for vertex in order), edges)))
    return found


class RenumberedTable(TruthTable):
    """A table that also answers for other strings of its cells; see the module."""

    @classmethod
    def over(cls, table: TruthTable, asked: Collection[str]) -> TruthTable:
        """Return the table with answers for these architectures, wherever it has their cell.

        Its `frame` keeps the rows of the table alone.

        Args:
            table: the table.
            asked: strings of architectures.

        Raises:
            ZcbenchError: if one of them is malformed.
        """
        wanted = {text: numberings(pruned(parse_cell(text))) for text in asked}
        parts: Sequence[Rows] = [_Renumbered(part, wanted) for part in table._parts]
        return cls._of(parts, table._name, table._remarks, table._source)


class _Renumbered:
    """Rows of a table, and of each wanted architecture that has none the rows of its cell."""

    def __init__(self, rows: Rows, wanted: dict[str, set[str]]) -> None:
        self._rows = rows
        self._wanted = wanted

    @property
    def counts(self) -> dict[Choice, int]:
        """See `zcbench.datasets.rows.Rows`."""
        return self._rows.counts

    def seeds(self, choice: Choice) -> frozenset[int]:
        """See `zcbench.datasets.rows.Rows`."""
        return self._rows.seeds(choice)

    def frame(self, choices: Collection[Choice]) -> pd.DataFrame:
        """See `zcbench.datasets.rows.Rows`."""
        return self._rows.frame(choices)

    def read(self, choice: Choice) -> Values:
        """See `zcbench.datasets.rows.Rows`."""
        values = self._rows.read(choice)
        there = set(values.names[values.names.isin(list(self._wanted))])
        absent = {text: strings for text, strings in self._wanted.items() if text not in there}
        if not absent:
            return values
        candidates = set().union(*absent.values())
        code = {values.names[n]: int(n) for n in np.flatnonzero(values.names.isin(list(candidates)))}
        found = {text: sorted(code[string] for string in strings & code.keys()) for text, strings in absent.items()}
        return _copied(values, {text: codes[0] for text, codes in found.items() if codes})


def _copied(values: Values, cells: dict[str, int]) -> Values:
    """Return the values with those of some of their names once more under other names.

    Args:
        values: the values.
        cells: number of the name to copy, by the other name.
    """
    if not cells:
        return values
    order = np.argsort(values.places, kind="stable")
    codes = np.fromiter(cells.values(), np.intp, len(cells))
    starts, stops = (np.searchsorted(values.places[order], codes, side=side) for side in ("left", "right"))
    rows = np.concatenate([order[start:stop] for start, stop in zip(starts, stops, strict=True)])
    places = np.repeat(np.arange(len(cells)) + len(values.names), stops - starts)
    return Values.of(
        values.names.append(pd.Index(list(cells))),
        np.concatenate([values.places, places]),
        np.concatenate([values.seeds, values.seeds[rows]]),
        np.concatenate([values.values, values.values[rows]]),
    )
