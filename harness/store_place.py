"""Where the file of an open score store is, and what becomes of its rows when it is there no more."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.replace import replacing
from zcbench.harness.store_file import empty_log


@dataclass(frozen=True, slots=True)
class Place:
    """What tells the file at a path from any other.

    Attributes:
        device: number of the file system.
        number: of the file in it.
        size: bytes; a store never becomes smaller.
    """

    device: int
    number: int
    size: int

    @classmethod
    def of(cls, path: Path) -> Place | None:
        """Return it, or None if there is no file."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(status.st_dev, status.st_ino, status.st_size)

    def same(self, other: Place | None) -> bool:
        """Whether it is the same file, of whatever size."""
        return other is not None and (self.device, self.number) == (other.device, other.number)


def still_there(connection: sqlite3.Connection, path: Path, before: Place) -> Place:
    """Notice that a file was moved, deleted, replaced or cut off: SQLite would go on writing to it.

    Returns:
        The place as it is now.

    Raises:
        ZcbenchError: if it was; what a store held that was moved, deleted or replaced is saved, see ``gone``.
    """
    now = Place.of(path)
    if now is None or not before.same(now):
        raise gone(connection, path)
    if now.size < before.size:
        raise ZcbenchError(f"the store {path} was cut off while this run wrote to it: name another file with --store")
    return now


def gone(connection: sqlite3.Connection, path: Path) -> ZcbenchError:
    """Save what an open store holds whose file was moved, deleted or replaced, and return what to say.

    It is still readable through the connection, and goes back to its place, or beside it if something else is there
    now. The connection is closed.
    """
    empty_log(connection)  # where the file was moved, what is in the log reaches it there
    places = [path, *(path.with_name(f"{path.name}.saved{n}") for n in ("", *range(1, 100)))]
    place = next((p for p in places if not os.path.lexists(p)), None)
    what = f"the store {path} was moved, deleted or replaced while this run wrote to it"
    try:
        if place is None:
            raise ZcbenchError("there is no free name")
        with replacing(place) as temporary:
            connection.execute("VACUUM INTO ?", (str(temporary),))
            connection.close()
    except (ZcbenchError, sqlite3.DatabaseError) as error:
        return ZcbenchError(f"{what}, and what it held cannot be saved ({error}): it is only where it was moved to")
    if place == path:
        return ZcbenchError(f"{what}: all that was written is there again, run the same command again to go on")
    return ZcbenchError(f"{what}: all that was written is in {place}, go on with --store {place}")
