"""The score store: one SQLite file, one transaction a chunk, resumed by an anti-join of the missing rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd

from zcbench.harness import evaluated, store_file, store_place
from zcbench.harness.described import Described
from zcbench.harness.environment import digest
from zcbench.harness.environment import from_json as environment_of
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.store_file import NoRoomError, explained, intact
from zcbench.harness.types import Outcome, Recipe, Score, Seconds

SCHEMA_VERSION = 1

EXPORT_COLUMNS = (
    "benchmark", "architecture", "metric", "version", "dataset", "batch_size", "init", "init_seed",
    "value", "outcome", "reason", "seconds_standalone", "seconds_marginal",
    "space", "recipe", "split", "preprocessing", "network", "resolution", "labels",
)  # fmt: skip
"""Columns of an export, in this order; scripts rely on them. ``recipe`` is its digest."""

TRUE_LABELS = "true"
"""What an export calls the labels of a dataset; those drawn at random are ``random``."""

_TYPES = {
    "version": "int64", "batch_size": "int64", "init_seed": "int64", "value": "float64",
    "seconds_standalone": "float64", "seconds_marginal": "float64", "resolution": "int64",
}  # fmt: skip
"""Types of the columns that hold numbers, also where there is no row."""

_NAMES = ("benchmark", "space", "architecture", "metric", "recipe", "outcome", "reason")
"""Columns of the scores that hold texts."""

MOST_SECONDS = 1e12
"""Of a score: thirty thousand years."""

_TABLES = """
CREATE TABLE IF NOT EXISTS recipes (digest TEXT PRIMARY KEY, recipe TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS environments (digest TEXT PRIMARY KEY, environment TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
    benchmark TEXT NOT NULL, space TEXT NOT NULL, architecture TEXT NOT NULL, metric TEXT NOT NULL,
    version INTEGER NOT NULL, recipe TEXT NOT NULL REFERENCES recipes (digest), value REAL,
    outcome TEXT NOT NULL, reason TEXT NOT NULL, seconds_standalone REAL NOT NULL,
    seconds_marginal REAL NOT NULL, environment TEXT NOT NULL REFERENCES environments (digest),
    PRIMARY KEY (space, architecture, metric, version, recipe)) WITHOUT ROWID;
"""

_METRICS = """
CREATE TABLE IF NOT EXISTS metrics (
    metric TEXT NOT NULL, version INTEGER NOT NULL, description TEXT NOT NULL, PRIMARY KEY (metric, version)
) WITHOUT ROWID
"""
"""Added later: of scores in a store without it nobody knows the code, unless the metric comes with zcbench."""

# A score that is final is never overwritten: of two processes that computed one row, the first one counts.
_INSERT = """
INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (space, architecture, metric, version, recipe) DO UPDATE SET
    value = excluded.value, outcome = excluded.outcome, reason = excluded.reason,
    seconds_standalone = excluded.seconds_standalone, seconds_marginal = excluded.seconds_marginal,
    environment = excluded.environment
WHERE scores.outcome = 'failed'
"""


@dataclass(frozen=True, slots=True)
class Row:
    """The key of one row: architecture, metric with version, recipe."""

    space: str
    architecture: str
    metric: str
    version: int
    recipe: str


class Store:
    """Scores in one SQLite file.

    Several processes may write to one store at a time; each waits up to a minute for the other's chunk.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open a store.

        Args:
            path: the file.
            create: make it if it does not exist; otherwise a missing file is an error.

        Raises:
            MissingFileError: if it does not exist and is not to be created, or its folder does not exist.
            ZcbenchError: if it is no store, of a newer schema, or cannot be written.
        """
        store_file.check_path(path, create=create)
        self.path = path
        self._place: store_place.Place | None = None
        with explained(path):
            self._connection = store_file.connect(path, writable=create)
            try:
                self._prepare(create=create)
                if create:  # only now: the file of another program must not be changed
                    store_file.use_wal(self._connection)
                    self._place = store_place.Place.of(path)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._check_place()
        finally:
            self._connection.close()

    def _check_place(self) -> None:
        if (before := self._place) is not None:
            self._place = None  # what is wrong is said once
            self._place = store_place.still_there(self._connection, self.path, before)

    @property
    def connection(self) -> sqlite3.Connection:
        """The open file, for the modules beside this one that read and write it."""
        return self._connection

    def _prepare(self, *, create: bool) -> None:
        # One transaction for the look and the change: two processes may be making the store at once.
        self._connection.execute("BEGIN IMMEDIATE" if create else "BEGIN")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master")}
        ours = tables >= {"recipes", "environments", "scores"}
        if version > SCHEMA_VERSION and ours:
            raise ZcbenchError(
                f"the store {self.path} has schema {version}, this zcbench knows {SCHEMA_VERSION}: update zcbench"
            )
        if not ours or version != SCHEMA_VERSION:
            if version > SCHEMA_VERSION:
                raise ZcbenchError(
                    f"{self.path} is not a score store that this zcbench can read (it says schema {version}, known "
                    f"is {SCHEMA_VERSION}): update zcbench, or name another file with --store"
                )
            if tables or version or not create:
                raise ZcbenchError(f"{self.path} is not a score store: name another file with --store")
            for statement in filter(str.strip, _TABLES.split(";")):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if create:
            for statement in (_METRICS, *evaluated.TABLES):
                self._connection.execute(statement)
            store_file.give_number(self._connection)
        self._connection.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is written inside is kept only if the block ends without an exception."""
        self._check_place()
        with explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def append(
        self, scores: Iterable[Score], environment: Mapping[str, str], record: evaluated.Record = evaluated.NOTHING
    ) -> None:
        """Write one chunk of scores in one transaction; on a full disk, wait a minute for room.

        Args:
            scores: the rows.
            environment: where they were computed.
            record: what their evaluations took.

        Raises:
            NoRoomError: if there is none; nothing of the chunk is in the store then.
            ZcbenchError: if another process holds the store for over a minute, or its file is gone.
        """
        scores = list(scores)
        for another in store_file.patiently():
            try:
                with self.transaction():
                    self._insert(scores, dict(environment))
                    evaluated.write(self._connection, record, environment)
                break
            except NoRoomError:
                if not another:
                    raise
        store_file.empty_log(self._connection)

    def _insert(self, scores: Sequence[Score], environment: dict[str, str]) -> None:
        recipes = {s.recipe.digest: s.recipe.to_json() for s in scores}
        where = digest(environment)
        self._connection.executemany("INSERT OR IGNORE INTO recipes VALUES (?, ?)", recipes.items())
        self._connection.execute(
            "INSERT OR IGNORE INTO environments VALUES (?, ?)", (where, json.dumps(environment, sort_keys=True))
        )
        self._connection.executemany(_INSERT, [
            (s.benchmark, s.space, s.architecture, s.metric, s.version, s.recipe.digest, s.value, str(s.outcome),
             s.reason, s.seconds.standalone, s.seconds.marginal, where) for s in scores
        ])  # fmt: skip

    def describe(self, metrics: Iterable[Described], *, rescore: bool = False) -> None:
        """Note what the metrics are that will be scored.

        Args:
            metrics: each with its version.
            rescore: remove the scores of a metric whose code changed without a new version.

        Raises:
            ZcbenchError: if there are scores of that version that other code made.
        """
        with self.transaction():
            known = self.described()
            for one in metrics:
                before = known.get((one.name, one.version))
                if (before.code if before is not None else "") != one.code and self.holds_scores_of(one):
                    if not rescore:
                        raise ZcbenchError(
                            f"the store {self.path} has scores of {one.name} version {one.version} that other code "
                            f"made: raise its version, or compute them anew with --rescore"
                        )
                    self._forget(one)
                self._connection.execute(
                    "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?)", (one.name, one.version, one.to_json())
                )

    def holds_scores_of(self, one: Described) -> bool:
        """Whether there are scores of a metric at this version, with whatever parameters."""
        # Rows that failed are no scores: mended code may go on at the same version.
        query = (
            "SELECT 1 FROM scores WHERE (metric = ? OR metric GLOB ?) AND version = ? AND outcome <> 'failed' LIMIT 1"
        )
        return bool(self._connection.execute(query, (one.name, f"{one.name}(*", one.version)).fetchall())

    def _forget(self, one: Described) -> None:
        query = "DELETE FROM scores WHERE (metric = ? OR metric GLOB ?) AND version = ?"
        self._connection.execute(query, (one.name, f"{one.name}(*", one.version))

    def described(self) -> dict[tuple[str, int], Described]:
        """Return what is known about the metrics, by name without parameters and version."""
        with explained(self.path), intact(self.path):
            if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'metrics'").fetchall():
                return {}
            rows = self._connection.execute("SELECT metric, version, description FROM metrics").fetchall()
            return {(name, version): Described.from_json(name, version, text) for name, version, text in rows}

    def missing(self, rows: Sequence[Row], *, retry_failed: bool = False) -> list[Row]:
        """Return those of the rows that the store does not hold, in the given order.

        Args:
            rows: the rows that are wanted.
            retry_failed: count rows whose outcome is ``failed`` as missing.
        """
        with explained(self.path):
            self._connection.execute("CREATE TEMP TABLE wanted (n INTEGER PRIMARY KEY, a, b, c, d, e)")
            try:
                self._connection.execute("BEGIN")
                self._connection.executemany(
                    "INSERT INTO wanted VALUES (?, ?, ?, ?, ?, ?)",
                    ((n, r.space, r.architecture, r.metric, r.version, r.recipe) for n, r in enumerate(rows)),
                )
                found = self._connection.execute(
                    "SELECT n FROM wanted LEFT JOIN scores ON space = a AND architecture = b AND metric = c "
                    "AND version = d AND recipe = e WHERE outcome IS NULL OR (outcome = 'failed' AND ?) ORDER BY n",
                    (retry_failed,),
                ).fetchall()
                self._connection.execute("COMMIT")
            finally:
                self._connection.execute("DROP TABLE IF EXISTS wanted")
        return [rows[n] for (n,) in found]

    def outcomes(
        self, space: str, metrics: Iterable[str], recipes: Iterable[str]
    ) -> Iterator[tuple[Row, Outcome, str]]:
        """Iterate over the rows of these metrics in a space, with what became of them and why.

        Args:
            space: ``name@version``.
            metrics: names with parameters.
            recipes: digests.
        """
        query = (
            "SELECT space, architecture, metric, version, recipe, outcome, reason FROM scores WHERE space = ? "
            "AND metric IN (SELECT value FROM json_each(?)) AND recipe IN (SELECT value FROM json_each(?))"
        )
        given = (space, json.dumps(list(metrics)), json.dumps(list(recipes)))
        with explained(self.path), intact(self.path):
            for *row, outcome, reason in self._connection.execute(query, given):
                yield Row(*row), Outcome(outcome), reason

    def scores(self) -> Iterator[Score]:
        """Iterate over all rows in the order of their keys."""
        # One statement sees one state of the store, whatever other processes add to it meanwhile.
        query = (
            "SELECT s.recipe, r.recipe, benchmark, space, architecture, metric, version, value, outcome, reason, "
            "seconds_standalone, seconds_marginal FROM scores s LEFT JOIN recipes r ON r.digest = s.recipe "
            "ORDER BY space, s.recipe, metric, version, architecture"
        )
        recipes: dict[str, Recipe] = {}
        with explained(self.path), intact(self.path):
            self._check_rows()
            for key, text, b, space, architecture, m, version, value, outcome, reason, *s in (
                self._connection.execute(query)
            ):
                recipe = recipes[key] if key in recipes else recipes.setdefault(key, Recipe.stored(key, text))
                yield Score(b, space, architecture, m, version, recipe, value, Outcome(outcome), reason, Seconds(*s))

    def _check_rows(self) -> None:
        """Refuse names that are no text and seconds that nobody measured; SQLite lets anybody write them."""
        other = [f"typeof({name}) <> 'text'" for name in _NAMES]
        other += [f"NOT {name} BETWEEN 0 AND {MOST_SECONDS}" for name in ("seconds_standalone", "seconds_marginal")]
        if self._connection.execute(f"SELECT 1 FROM scores WHERE {' OR '.join(other)} LIMIT 1").fetchall():
            raise ValueError("a name in a row is no text, or its seconds were never measured")

    def recipes(self) -> dict[str, Recipe]:
        """Return all recipes by digest."""
        with explained(self.path), intact(self.path):
            rows = self._connection.execute("SELECT digest, recipe FROM recipes").fetchall()
            return {key: Recipe.stored(key, text) for key, text in rows}

    def environments(
        self, benchmark: str | None = None, metrics: Mapping[str, int] | None = None,
        recipes: Iterable[str] | None = None,
    ) -> list[dict[str, str]]:  # fmt: skip
        """Return every environment that scores were computed in, the one with most rows first.

        Args:
            benchmark: only scores of this one.
            metrics: only scores of these: versions by name with parameters.
            recipes: only scores of these: digests.
        """
        query = (
            "SELECT e.environment, COUNT(*) FROM scores s JOIN environments e ON e.digest = s.environment "
            "WHERE (?1 IS NULL OR benchmark = ?1) "
            "AND (?2 IS NULL OR (metric, version) IN (SELECT key, value FROM json_each(?2))) "
            "AND (?3 IS NULL OR recipe IN (SELECT value FROM json_each(?3))) "
            "GROUP BY e.digest ORDER BY COUNT(*) DESC, e.digest"
        )
        given = (
            benchmark, None if metrics is None else json.dumps(dict(metrics)),
            None if recipes is None else json.dumps(list(recipes)),
        )  # fmt: skip
        with explained(self.path), intact(self.path):
            return [{**environment_of(text), "rows": str(n)} for text, n in self._connection.execute(query, given)]

    def frame(self) -> pd.DataFrame:
        """Return all rows as a table with the columns of an export."""
        rows = [
            (s.benchmark, s.architecture, s.metric, s.version, s.recipe.dataset, s.recipe.batch_size,
             s.recipe.init.split("@")[0], s.recipe.init_seed, s.value, str(s.outcome), s.reason,
             s.seconds.standalone, s.seconds.marginal, s.space, s.recipe.digest, s.recipe.split,
             s.recipe.preprocessing, s.recipe.network, s.recipe.resolution, s.recipe.labels or TRUE_LABELS)
            for s in self.scores()
        ]  # fmt: skip
        frame = pd.DataFrame(rows, columns=list(EXPORT_COLUMNS))
        with intact(self.path):
            return frame.astype(_TYPES)

    def metadata(self) -> dict[str, str]:
        """Return recipes and environments as JSON strings, to travel with an export."""
        return {
            "zcbench.recipes": json.dumps({k: asdict(r) for k, r in sorted(self.recipes().items())}),
            "zcbench.environments": json.dumps(self.environments()),
        }
