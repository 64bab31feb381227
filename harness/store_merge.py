"""Rows of one store joined with those of another: each once, and a difference is named, never hidden."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zcbench.harness import evaluated, store_file, store_place
from zcbench.harness.described import Described
from zcbench.harness.environment import from_json as environment_of
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.store import MOST_SECONDS, Store
from zcbench.harness.store_file import explained, intact
from zcbench.harness.types import Outcome, Recipe

AT_ONCE = 1000
"""Rows that are held in memory at a time."""

_READ = """
SELECT s.benchmark, s.space, s.architecture, s.metric, s.version, s.recipe, s.value, s.outcome, s.reason,
    s.seconds_standalone, s.seconds_marginal, s.environment, r.recipe, e.environment
FROM scores s LEFT JOIN recipes r ON r.digest = s.recipe LEFT JOIN environments e ON e.digest = s.environment
ORDER BY s.space, s.architecture, s.metric, s.version, s.recipe
"""
_PRESENT = """
SELECT value, outcome, e.environment FROM scores s LEFT JOIN environments e ON e.digest = s.environment
WHERE space = ? AND architecture = ? AND metric = ? AND version = ? AND recipe = ?
"""
_HOLDS = "SELECT 1 FROM scores WHERE space = ? AND architecture = ? AND metric = ? AND version = ? AND recipe = ?"
# What failed gives way to a score; a score gives way to nothing.
_INSERT = """
INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (space, architecture, metric, version, recipe) DO UPDATE SET
    benchmark = excluded.benchmark, value = excluded.value, outcome = excluded.outcome, reason = excluded.reason,
    seconds_standalone = excluded.seconds_standalone, seconds_marginal = excluded.seconds_marginal,
    environment = excluded.environment
WHERE scores.outcome = 'failed' AND excluded.outcome <> 'failed'
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of one store.

    Attributes:
        path: the store that was read.
        rows: its rows.
        new: how many of them were not there, or only as failed.
        differing: how many were there with another value, and were left out.
    """

    path: Path
    rows: int
    new: int
    differing: int


@dataclass(frozen=True, slots=True)
class _Difference:
    """A row that two stores hold with another value or outcome."""

    key: tuple[Any, ...]
    there: tuple[Any, ...]
    here: tuple[Any, ...]


def merge(target: Store, sources: Sequence[Path], *, keep_first: bool = False) -> list[Merged]:
    """Add the rows of other stores to one, all of them or none; the other stores are only read.

    A row that is there already must have the same bits, and the scores of a metric must be those of the same code,
    as for ``Store.describe``. What failed gives way to a score. Merging twice changes nothing.

    Args:
        target: the store that is written, open for writing.
        sources: the other stores, in the order in which they count.
        keep_first: where a row differs, keep the one that came first instead of refusing.

    Raises:
        MissingFileError: if a store is not there.
        ZcbenchError: for a row that differs, scores by other code, or a file that is no store.
    """
    place = store_place.Place.of(target.path)
    for path in sources:
        if place is not None and place.same(store_place.Place.of(path)):
            raise ZcbenchError(f"{path} is the store that is merged into: name it once")
    merged: list[Merged] = []
    with target.transaction():
        for path in sources:
            with Store(path, create=False) as source:
                _take_descriptions(target, source)
                merged.append(_take_rows(target, source, sources[: len(merged)], keep_first=keep_first))
    store_file.empty_log(target.connection)
    return merged


def _take_descriptions(target: Store, source: Store) -> None:
    """Note what the metrics of a store are, and refuse to mix scores that different code made."""
    with explained(source.path), intact(source.path):
        pairs = source.connection.execute("SELECT DISTINCT metric, version FROM scores").fetchall()
        named = sorted({(metric.partition("(")[0], version) for metric, version in pairs})
    known, theirs = target.described(), source.described()
    for name, version in named:
        stated, before = theirs.get((name, version)), known.get((name, version))
        one = stated or Described(name, version, higher_is_better=True)
        if not source.holds_scores_of(one):
            continue
        there = target.holds_scores_of(one)
        if there and (before.code if before is not None else "") != one.code:
            raise ZcbenchError(
                f"the scores of {name} version {version} in {source.path} were made by other code than those in "
                f"{target.path}: nothing was merged; raise its version, or leave one of the stores out"
            )
        if stated is not None and (before is None or not there):
            row = (name, version, stated.to_json())
            target.connection.execute("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?)", row)


def _take_rows(target: Store, source: Store, earlier: Sequence[Path], *, keep_first: bool) -> Merged:
    rows, new, differing = 0, 0, list[_Difference]()
    with explained(source.path), intact(source.path):
        for some in _read(source.connection):
            with explained(target.path):
                added, found = _insert(target.connection, some)
            rows, new = rows + len(some), new + added
            differing += found
        with explained(target.path):
            evaluated.copy(target.connection, source)
    if differing and not keep_first:
        first = differing[0]
        there = next((path for path in earlier if _holds(path, first.key)), target.path)
        raise _refusal(first, len(differing) - 1, there, source.path)
    return Merged(source.path, rows, new, len(differing))


def _read(source: sqlite3.Connection) -> Iterator[list[tuple[Any, ...]]]:
    """Iterate over the rows of a store in the order of their keys, many at a time.

    Raises:
        ValueError: if a row makes no sense.
    """
    cursor, known = source.execute(_READ), set[tuple[str, str, str]]()
    while rows := cursor.fetchmany(AT_ONCE):
        for row in rows:
            value, outcome, numbers, texts = row[6], Outcome(row[7]), row[9:11], row[12:]
            if (value is not None) != (outcome is Outcome.OK):
                raise ValueError(f"a row is {outcome} with the value {value}")
            if not all(isinstance(number, float) for number in (*numbers, *([] if value is None else [value]))):
                raise ValueError("a value or its seconds are no number")
            if not all(0 <= number <= MOST_SECONDS for number in numbers):
                raise ValueError("seconds that were never measured")
            if not all(isinstance(text, str) for text in (*row[:4], row[5], row[8], row[11])):
                raise ValueError("a name in a row is no text")
            if not isinstance(row[4], int):
                raise ValueError("a version is no number")
            if (row[5], *texts) not in known:
                Recipe.stored(row[5], texts[0])
                environment_of(texts[1])
                known.add((row[5], *texts))
        yield rows


def _insert(target: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> tuple[int, list[_Difference]]:
    """Write rows that are not there yet, within a transaction.

    Returns:
        How many were written, and which are there with another value or outcome; those are left as they are.
    """
    new, differing = [], []
    for row in rows:
        present = target.execute(_PRESENT, row[1:6]).fetchone()
        here = (row[6], row[7], row[13])
        if present is None or (present[1] == Outcome.FAILED and row[7] != Outcome.FAILED):
            new.append(row[:12])
        elif row[7] != Outcome.FAILED and _bits(present) != _bits(here):
            differing.append(_Difference(row[1:6], present, here))
    target.executemany("INSERT OR IGNORE INTO recipes VALUES (?, ?)", {(row[5], row[12]) for row in rows})
    target.executemany("INSERT OR IGNORE INTO environments VALUES (?, ?)", {(row[11], row[13]) for row in rows})
    target.executemany(_INSERT, new)
    return len(new), differing


def _bits(one: tuple[Any, ...]) -> tuple[str | None, str]:
    return None if one[0] is None else one[0].hex(), one[1]


def _holds(path: Path, key: tuple[Any, ...]) -> bool:
    with Store(path, create=False) as store, explained(path):
        return store.connection.execute(_HOLDS, key).fetchone() is not None


def _refusal(one: _Difference, more: int, there: Path, here: Path) -> ZcbenchError:
    """Say which row two stores hold differently, and what else differs between the machines that computed it."""
    _, architecture, metric, version, recipe = one.key
    others = f", and so do {more:,} more rows" if more else ""
    before, after = json.loads(one.there[2]), json.loads(one.here[2])
    apart = [
        f"{key} {before.get(key, 'not stated')} and {after.get(key, 'not stated')}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key) and key != "workers"
    ]
    why = f"; they were computed with {', '.join(apart[:4])}" if apart else ""
    return ZcbenchError(
        f"the score of {metric} (version {version}, recipe {recipe}) for {architecture} is {_said(one.there)} in "
        f"{there} and {_said(one.here)} in {here}{others}{why}: nothing was merged; leave one of the stores out, or "
        "keep what comes first with --keep-first"
    )


def _said(one: tuple[Any, ...]) -> str:
    return str(one[1]) if one[0] is None else repr(one[0])
