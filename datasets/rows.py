"""The rows of a ground-truth table by what they are of, so that a query touches only its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zcbench.datasets.columns import check_whole, not_finite
from zcbench.datasets.tidy import measured_twice, no_fractions, validated


class Choice(NamedTuple):
    """Everything but architecture and seed that a value is of: a target is one such choice."""

    dataset: str
    split: str
    epochs: int
    metric: str
    source: str
    kind: str


@dataclass(frozen=True, eq=False)
class Values:
    """All values of one choice; n of them, of A architectures.

    Attributes:
        names: the architectures in the order in which they appear, [A].
        places: which of the architectures a value is of, [n].
        seeds: its training seed, [n]; -1 for a published mean.
        values: float64 [n].
    """

    names: pd.Index
    places: NDArray[np.intp]
    seeds: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(
        cls, names: pd.Index, codes: NDArray[np.integer], seeds: NDArray[np.integer], values: NDArray[np.floating]
    ) -> Values:
        """Bring the names into the order of appearance, and leave out those that do not appear.

        Args:
            names: architectures, each once, in any order.
            codes: which of the names a value is of.
            seeds: training seeds.
            values: the values.
        """
        order = pd.unique(codes)
        if len(order) == len(names) and (order[1:] > order[:-1]).all():  # as it is where a file was read
            return cls(
                names.rename("architecture"), codes.astype(np.intp),
                np.asarray(seeds, np.int64), np.asarray(values, np.float64),
            )  # fmt: skip
        places = np.empty(len(names), np.intp)
        places[order] = np.arange(len(order))
        return cls(
            names.take(order).rename("architecture"), places[codes],
            np.asarray(seeds, np.int64), np.asarray(values, np.float64),
        )  # fmt: skip

    def of_seed(self, seed: int) -> Values:
        """Return the values of one training seed."""
        kept = self.seeds == seed
        return Values.of(self.names, self.places[kept], self.seeds[kept], self.values[kept])

    def check(self, choice: Choice, name: str) -> None:
        """Refuse what is no measurement.

        Args:
            choice: what the values are of.
            name: what to call their origin in an error.

        Raises:
            ZcbenchError: if a seed is none, a value is not finite, an accuracy is no fraction, or a measurement
                occurs twice.
        """
        if len(self.seeds):
            check_whole("seed", int(self.seeds.min()), int(self.seeds.max()), name)
        if not (finite := np.isfinite(self.values)).all():
            raise not_finite(name, self.values[~finite][0])
        if choice.metric.startswith("accuracy"):
            bad = np.flatnonzero((self.values < 0) | (self.values > 1))
            if len(bad):
                raise no_fractions(name, len(bad), self.values[bad[0]], self.names[self.places[bad[0]]])
        _, columns = np.unique(self.seeds, return_inverse=True)
        keys = self.places * (columns.max(initial=0) + 1) + columns
        if len(keys) and np.bincount(keys).max() > 1:
            twice = np.flatnonzero(pd.Series(keys).duplicated())
            row = int(twice[0])
            raise measured_twice(
                name, len(twice), architecture=self.names[self.places[row]], dataset=choice.dataset,
                split=choice.split, epochs=choice.epochs, seed=int(self.seeds[row]), source=choice.source,
            )  # fmt: skip


def joined(parts: Sequence[Values]) -> Values:
    """Return the values of several parts as one, in their order."""
    if len(parts) == 1:
        return parts[0]
    names = parts[0].names
    for part in parts[1:]:
        names = names.append(part.names[~part.names.isin(names)])
    codes = [names.get_indexer(part.names)[part.places] for part in parts]
    return Values.of(
        names, np.concatenate(codes), np.concatenate([p.seeds for p in parts]),
        np.concatenate([p.values for p in parts]),
    )  # fmt: skip


class Rows(Protocol):
    """Rows of a table, in memory or in a file."""

    @property
    def counts(self) -> dict[Choice, int]:
        """How many rows there are of each choice, in the order in which the choices appear."""

    def read(self, choice: Choice) -> Values:
        """Return the values of a choice that there is.

        Raises:
            ZcbenchError: if they are damaged, or no measurements.
        """

    def seeds(self, choice: Choice) -> frozenset[int]:
        """Return the training seeds of a choice that there is."""

    def frame(self, choices: Collection[Choice]) -> pd.DataFrame:
        """Return the rows of several choices as a validated table, in their order.

        Raises:
            ZcbenchError: if they are damaged, or no measurements.
        """


class RowsInMemory:
    """Rows of a table that has been read and validated as a whole.

    Args:
        frame: the table; see `zcbench.datasets.tidy.validated`.
        name: what to call it in an error.

    Raises:
        ZcbenchError: if it is not of the tidy form.
    """

    def __init__(self, frame: pd.DataFrame, name: str) -> None:
        self._frame = validated(frame, name)

    @cached_property
    def _rows(self) -> dict[Choice, NDArray[np.intp]]:
        """Positions of the rows of each choice."""
        groups = self._frame.groupby(list(Choice._fields), observed=True, sort=False).ngroup().to_numpy()
        order = np.argsort(groups, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(order) else []
        first = self._frame.iloc[[part[0] for part in parts]][list(Choice._fields)]
        return {
            Choice(str(d), str(s), int(e), str(m), str(source), str(kind)): part
            for (d, s, e, m, source, kind), part in zip(first.itertuples(index=False), parts, strict=True)
        }

    @property
    def counts(self) -> dict[Choice, int]:
        """See `Rows`."""
        return {choice: len(rows) for choice, rows in self._rows.items()}

    def read(self, choice: Choice) -> Values:
        """See `Rows`."""
        rows = self._rows[choice]
        names = self._frame["architecture"].cat
        codes = names.codes.to_numpy()[rows]
        seeds, values = (self._frame[column].to_numpy()[rows] for column in ("seed", "value"))
        return Values.of(names.categories, codes, seeds, values)

    def seeds(self, choice: Choice) -> frozenset[int]:
        """See `Rows`."""
        return frozenset(np.unique(self._frame["seed"].to_numpy()[self._rows[choice]]).tolist())

    def frame(self, choices: Collection[Choice]) -> pd.DataFrame:
        """See `Rows`."""
        if len(choices) == len(self._rows):
            return self._frame.copy()
        rows = np.sort(np.concatenate([self._rows[choice] for choice in choices]))
        return self._frame.iloc[rows].reset_index(drop=True)


def check_apart(parts: Iterable[Rows], name: str) -> None:
    """Refuse tables that hold the same measurement; only what could be the same is read.

    Args:
        parts: the rows of each table.
        name: what to call them in an error.

    Raises:
        ZcbenchError: with the first such measurement.
    """
    holders: dict[Choice, list[tuple[Rows, Choice]]] = {}
    for part in parts:
        for choice in part.counts:
            holders.setdefault(choice._replace(kind=""), []).append((part, choice))
    for choice, found in holders.items():
        if len({id(part) for part, _ in found}) > 1:
            joined([part.read(held) for part, held in found]).check(choice, name)
