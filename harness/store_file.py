"""The file under a score store: how it is opened, and what is said when it cannot be."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from zcbench.harness.errors import MissingFileError, ZcbenchError

BUSY_SECONDS = 60.0
"""How long a process waits for another one that writes, and for room on a full disk."""

LITTLE_ROOM = 1 << 16
"""Bytes left on a disk below which a file that cannot be made is put down to the want of room: SQLite takes 32 KiB."""


class NoRoomError(ZcbenchError):
    """The disk is full, or fails: what was to be written is not in the store, and may be tried again."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say what is wrong in one line where SQLite or the disk refuses.

    Raises:
        NoRoomError: if there is no room.
        ZcbenchError: for everything else.
    """
    try:
        yield
    except UnicodeDecodeError as error:  # sqlite3 reads what SQLite says of a damaged file, which quotes its bytes
        raise ZcbenchError(_no_store(path)) from error
    except sqlite3.DatabaseError as error:
        text, name = str(error), getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise ZcbenchError(_no_store(path)) from error
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")) or (name.startswith("SQLITE_CANTOPEN") and _full(path)):
            raise NoRoomError(
                f"no room to write the store {path} ({text}): free some and run again; all that was written before "
                "is kept"
            ) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
            raise ZcbenchError(
                f"the store {path} cannot be written: choose a folder that can be, with --store"
            ) from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise ZcbenchError(
                f"another process holds the store {path} for over {BUSY_SECONDS:.0f} s: run again later; all that "
                "was written before is kept"
            ) from error
        raise ZcbenchError(f"the store {path} cannot be used: {text}") from error


def _no_store(path: Path) -> str:
    return f"{path} is not a score store, or it is damaged: name another file with --store"


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Say in one line that what was read makes no sense.

    Raises:
        ZcbenchError: instead of what reading it raised.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ZcbenchError(f"the store {path} is damaged ({error}): name another file with --store") from error


def _full(path: Path) -> bool:
    if not os.access(path.parent, os.W_OK):
        return False
    try:
        return shutil.disk_usage(path.parent).free < LITTLE_ROOM
    except OSError:
        return False


def patiently() -> Iterator[bool]:
    """Give one attempt after the other for a minute, and with each whether there will be another."""
    end = time.monotonic() + BUSY_SECONDS
    while (now := time.monotonic()) < end:
        yield True
        time.sleep(min(1.0, max(0.0, end - now)))
    yield False


def check_path(path: Path, *, create: bool) -> None:
    """Refuse what cannot be a store, before SQLite looks at it.

    Raises:
        MissingFileError: if it does not exist and is not to be created, or its folder does not exist.
        ZcbenchError: if it is no file, or cannot be written.
    """
    if path.is_dir() and create:
        raise ZcbenchError(f"{path} is a folder: name a file with --store, such as {path / 'scores.sqlite'}")
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ZcbenchError(f"{path} is a device or a pipe, not a file: name another one with --store")
    if not create and not path.is_file():
        raise MissingFileError(f"there is no score store at {path}: make one with zcbench score --store {path}")
    if not path.parent.is_dir():
        raise MissingFileError(f"cannot make the store {path}: the folder {path.parent} does not exist")
    if path.is_symlink() and not path.exists():
        raise MissingFileError(f"cannot make the store {path}: it is a link to nothing, {path.readlink()}")
    if create and path.exists() and not os.access(path, os.W_OK):
        raise ZcbenchError(f"the store {path} cannot be written: name another file with --store")


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Open a file that ``check_path`` has let pass.

    Raises:
        ZcbenchError: if the log beside it is not its own.
    """
    path = path.absolute()  # SQLite would take the name :memory: for no file at all
    writable_folder = os.access(path.parent, os.W_OK)
    shared = _beside(path, "shm").is_file()
    if log_bytes(path):
        if not shared and not writable_folder:
            raise ZcbenchError(
                f"the store {path} cannot be read here: rows of a killed run are in its log {_beside(path, 'wal')}, "
                "which SQLite reads only where it may make files; copy both to a folder that can be written"
            )
        _check_log(path)
    elif not writable and not (writable_folder and (shared or not _full(path))):
        # Beside a store in WAL mode SQLite wants to make files. Where it cannot, nobody else has made them and writes.
        # Rows that a killed run left in the log are not lost: with the log there, SQLite reads it by itself.
        return _on_its_own(path)
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(f"{path.name}-{end}")


def _on_its_own(path: Path) -> sqlite3.Connection:
    """Open a file as it is, without log, locks and other processes."""
    return sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True, isolation_level=None)


def log_bytes(path: Path) -> int:
    """Return the size of the write-ahead log beside a store: what was committed and is not yet in the file itself."""
    with suppress(OSError):
        return _beside(path, "wal").stat().st_size
    return 0


def _check_log(path: Path) -> None:
    """Refuse a log that belongs to another store, which SQLite would write into this one.

    The log of SQLite does not say whose it is. It is read here without being written into the file: through it the
    store must have the same number as without it, and hang together. Without it, the file need not hang together:
    a kill may have come while the log was brought into it.
    """
    uri = f"{path.as_uri()}?mode=ro"
    with (
        closing(_on_its_own(path)) as alone,
        closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as through,
    ):
        whole = _hangs_together(alone)
        own = _number(alone) if whole else 0
        if _hangs_together(through) and own in (0, _number(through)):
            return
        if whole:
            raise ZcbenchError(
                f"the log {_beside(path, 'wal')} does not belong to the store {path}, or is damaged: move it away and "
                "run again; what is only in the log is computed anew"
            )
        raise ZcbenchError(f"{path} is not a score store, or it is damaged: name another file with --store")


def _hangs_together(connection: sqlite3.Connection) -> bool:
    try:
        return connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return False
        raise


def _number(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def give_number(connection: sqlite3.Connection) -> None:
    """Give a store a number of its own, within a transaction, by which the log of another one is told."""
    if not _number(connection):
        connection.execute(f"PRAGMA application_id = {1 + secrets.randbelow(2**31 - 1)}")


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; the switch itself does not wait for other processes, so try again."""
    for attempt in range(50):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == 49:
                raise
            time.sleep(0.1)


def empty_log(connection: sqlite3.Connection) -> None:
    """Bring what was committed from the log into the file, so that the file alone holds it.

    It was committed already: where another process reads just now, or the disk is full, it stays in the log.
    """
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
