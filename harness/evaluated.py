"""What an evaluation took, all its metrics together, and how fast the machine could be: beside the rows of a store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

from zcbench.harness.environment import digest
from zcbench.harness.environment import from_json as environment_of
from zcbench.harness.store_file import explained, intact
from zcbench.harness.types import Recipe, Score

if TYPE_CHECKING:
    from zcbench.harness.rate import Rate  # imports torch, which a store does not need
    from zcbench.harness.store import Store

TABLES = (
    """
CREATE TABLE IF NOT EXISTS metric_sets (digest TEXT PRIMARY KEY, metrics TEXT NOT NULL) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS evaluations (
    space TEXT NOT NULL, architecture TEXT NOT NULL, recipe TEXT NOT NULL REFERENCES recipes (digest),
    metrics TEXT NOT NULL REFERENCES metric_sets (digest), seconds REAL NOT NULL,
    environment TEXT NOT NULL REFERENCES environments (digest),
    PRIMARY KEY (space, architecture, recipe, metrics)) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS rates (
    environment TEXT NOT NULL REFERENCES environments (digest), dtype TEXT NOT NULL, flops REAL NOT NULL,
    size INTEGER NOT NULL, PRIMARY KEY (environment, dtype)) WITHOUT ROWID
""",
)
"""Added later: a store without them is read as one in which nothing of it was recorded."""

LEAST = 1e-20
"""Seconds, or operations a second, that are too few; one over it is too many."""

# The same metrics evaluated again have replaced their rows, or another process wrote the same meanwhile.
_EVALUATION = "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?, ?)"
_METRIC_SET = "INSERT OR IGNORE INTO metric_sets VALUES (?, ?)"
# Whatever else a machine did while it was measured only lowered the rate.
_RATE = """
INSERT INTO rates VALUES (?, ?, ?, ?) ON CONFLICT (environment, dtype) DO UPDATE SET
    flops = excluded.flops, size = excluded.size
WHERE excluded.flops > rates.flops
"""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One evaluation of one architecture.

    Attributes:
        space: ``name@version``.
        architecture: its id.
        recipe: digest.
        metrics: pairs of name with parameters and version, those that were evaluated together; sorted.
        seconds: what they took together, with building the network unless that was done ahead.
        environment: digest; empty until it is stored.
    """

    space: str
    architecture: str
    recipe: str
    metrics: tuple[tuple[str, int], ...]
    seconds: float
    environment: str = ""

    @classmethod
    def of(cls, rows: Sequence[Score], seconds: float) -> Self:
        """Return the evaluation that gave these rows, of one architecture under one recipe."""
        first = rows[0]
        together = tuple(sorted((row.metric, row.version) for row in rows))
        return cls(first.space, first.architecture, first.recipe.digest, together, seconds)


@dataclass(frozen=True, slots=True)
class Record:
    """What a chunk of a run leaves beside its rows.

    Attributes:
        evaluations: one for every candidate.
        rates: of the machine, where they were measured.
    """

    evaluations: tuple[Evaluated, ...] = ()
    rates: tuple[Rate, ...] = ()


NOTHING = Record()
"""Of rows of which nobody knows how they were evaluated."""


@dataclass(frozen=True)
class Recorded:
    """What a store knows of evaluations.

    Attributes:
        evaluations: in the order of their keys.
        rates: floating-point operations a second by type, and the size of the matrices, by digest of an environment.
        environments: by digest.
    """

    evaluations: tuple[Evaluated, ...] = ()
    rates: Mapping[str, Mapping[str, tuple[float, int]]] = field(default_factory=dict)
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def write(connection: sqlite3.Connection, record: Record, environment: Mapping[str, str]) -> None:
    """Write a record, within the transaction of its rows; recipes and environment are there already."""
    where = digest(dict(environment))
    sets = {e.metrics: _digest(e.metrics) for e in record.evaluations}
    connection.executemany(_METRIC_SET, ((key, _text(metrics)) for metrics, key in sets.items()))
    connection.executemany(_EVALUATION, (
        (e.space, e.architecture, e.recipe, sets[e.metrics], e.seconds, where) for e in record.evaluations
    ))  # fmt: skip
    connection.executemany(_RATE, ((where, rate.dtype, rate.flops, rate.size) for rate in record.rates))


def read(store: Store, space: str, recipes: Iterable[str]) -> Recorded:
    """Return what is recorded of the architectures of a space under some recipes; nothing in a store without it.

    Args:
        store: the store.
        space: name of the search space; all its versions are read.
        recipes: digests.

    Raises:
        ZcbenchError: if the store cannot be read, or what it says makes no sense.
    """
    with explained(store.path), intact(store.path):
        return _read(store.connection, space, list(recipes))


def _read(connection: sqlite3.Connection, space: str, recipes: list[str]) -> Recorded:
    if not _recorded(connection):
        return Recorded()
    sets = dict(connection.execute("SELECT digest, metrics FROM metric_sets"))
    together = {key: _metric_set(text) for key, text in sets.items()}
    query = (
        "SELECT space, architecture, recipe, metrics, seconds, environment FROM evaluations "
        "WHERE substr(space, 1, instr(space, '@') - 1) = ? AND recipe IN (SELECT value FROM json_each(?))"
    )
    rates: dict[str, dict[str, tuple[float, int]]] = {}
    for environment, dtype, flops, size in connection.execute("SELECT * FROM rates"):
        rates.setdefault(environment, {})[dtype] = _some(flops), int(size)
    return Recorded(
        tuple(
            Evaluated(where, architecture, recipe, together[metrics], _some(seconds), environment)
            for where, architecture, recipe, metrics, seconds, environment
            in connection.execute(query, (space, json.dumps(recipes)))
        ),
        rates,
        {key: environment_of(text) for key, text in connection.execute("SELECT digest, environment FROM environments")},
    )  # fmt: skip


def copy(target: sqlite3.Connection, source: Store) -> None:
    """Add what another store recorded, within a transaction; what is there already is kept.

    Raises:
        ZcbenchError: if the other store cannot be read, or what it says makes no sense.
    """
    if not _recorded(source.connection):
        return
    for table, names in _COLUMNS.items():
        insert = f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(names))})"
        target.executemany(_RATE if table == "rates" else insert, _sound(source, table))


def _sound(source: Store, table: str) -> Iterator[Sequence[Any]]:
    """Iterate over the rows of a table that can be read again where they are written."""
    numbers = _NUMBERS.get(table, ())
    with explained(source.path), intact(source.path):
        sets = {key for (key,) in source.connection.execute("SELECT digest FROM metric_sets")}
        for row in source.connection.execute(f"SELECT {', '.join(_COLUMNS[table])} FROM {table}"):
            for name, cell in zip(_COLUMNS[table], row, strict=True):
                if not isinstance(cell, int | float if name in numbers else str):
                    raise TypeError(f"{name} in {table} holds {type(cell).__name__}")
                if name in numbers:
                    _some(cell)
            if table in _READ:
                _READ[table](*row)
            if table == "evaluations" and row[3] not in sets:
                raise ValueError("an evaluation of unknown metrics")
            yield row


def _recorded(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'rates'").fetchall())


def _some(number: Any) -> float:
    """Return what was measured, which is more than nothing and less than everything.

    Raises:
        ValueError: for any other number.
    """
    if not LEAST < (found := float(number)) < 1 / LEAST:
        raise ValueError(f"{number} was never measured")
    return found


def _metric_set(text: str) -> tuple[tuple[str, int], ...]:
    return tuple((str(name), int(version)) for name, version in json.loads(text))


def _text(metrics: Sequence[tuple[str, int]]) -> str:
    return json.dumps([list(pair) for pair in metrics])


def _digest(metrics: Sequence[tuple[str, int]]) -> str:
    return sha256(_text(metrics).encode()).hexdigest()[:16]


_COLUMNS = {
    "recipes": ("digest", "recipe"), "environments": ("digest", "environment"), "metric_sets": ("digest", "metrics"),
    "evaluations": ("space", "architecture", "recipe", "metrics", "seconds", "environment"),
    "rates": ("environment", "dtype", "flops", "size"),
}  # fmt: skip
_NUMBERS = {"evaluations": ("seconds",), "rates": ("flops", "size")}
_READ: dict[str, Callable[[str, str], object]] = {
    "recipes": Recipe.stored,
    "environments": lambda _, text: environment_of(text),
    "metric_sets": lambda _, text: _metric_set(text),
}
