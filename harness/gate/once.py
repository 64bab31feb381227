"""One value for all processes of a test session: the first that needs it makes it, the others wait for it."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from zcbench.harness.errors import ZcbenchError

TABLE = "CREATE TABLE IF NOT EXISTS made (n INTEGER PRIMARY KEY, key TEXT UNIQUE, value BLOB)"
PATIENCE = 7 * 86_400.0
"""Seconds to wait for another process; a process that dies gives the lock back at once."""


class Once:
    """Values by key in a folder of one's own.

    SQLite serves as the lock, because it works on every system and is released by the death of its holder.
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder that nobody else can write to.

        Args:
            folder: it exists, and is the same for all processes.
        """
        self.path = folder / "once.sqlite"

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the value of a key, made by ``make`` in one of the processes.

        Args:
            key: identifies the value.
            make: makes it; a ``ZcbenchError`` that it raises is kept, and raised for everybody.
        """
        with closing(sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute(TABLE)
            row = connection.execute("SELECT value FROM made WHERE key = ?", (key,)).fetchone()
            if row is None:
                try:
                    value = make()
                except ZcbenchError as error:
                    value = error
                row = (pickle.dumps(value),)
                connection.execute("INSERT INTO made (key, value) VALUES (?, ?)", (key, *row))
            connection.execute("COMMIT")
        found = pickle.loads(row[0])
        if isinstance(found, ZcbenchError):
            raise found
        return found

    def made(self) -> list[Any]:
        """Return all values and errors so far, in the order in which they were made."""
        if not self.path.is_file():
            return []
        with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as connection:
            connection.execute(TABLE)  # it is not there where the first one was interrupted
            return [pickle.loads(value) for (value,) in connection.execute("SELECT value FROM made ORDER BY n")]
