"""Write a file so that it is either whole or not there."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zcbench.harness.errors import MissingFileError, ZcbenchError

try:
    import fcntl
except ImportError:  # Windows: a temporary file that a killed program left stays there
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside the path, and rename it to the path when the block has succeeded.

    A block that fails, or is interrupted, leaves what was at the path untouched and no temporary file. One that is
    killed leaves a temporary file, which goes when the same path is written the next time.

    Raises:
        MissingFileError: if the folder is not there.
        ZcbenchError: if the folder is read-only or the disk is full.
    """
    if not path.parent.is_dir():
        raise MissingFileError(f"cannot write {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ZcbenchError(f"cannot write {path}: it is a folder")
    temporary: Path | None = None
    handle = -1
    try:
        _remove_abandoned(path)
        handle, temporary = _make_locked(path)
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 would lock out colleagues
        os.fsync(handle)  # or, without power, the new name might stand for no content
        temporary.replace(path)
    except OSError as error:
        raise ZcbenchError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if handle >= 0:
            os.close(handle)


def _make_locked(path: Path) -> tuple[int, Path]:
    """Make a temporary file beside a path, locked for as long as it is written."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with contextlib.suppress(OSError):  # not every file system has locks
            _lock(handle)
        if os.path.exists(name):  # noqa: PTH110 - else another writer took it for abandoned before it was locked
            return handle, Path(name)
        os.close(handle)


def _lock(handle: int) -> None:
    """Lock a file for as long as it is open.

    Raises:
        OSError: if another process has, or there are no locks here.
    """
    if fcntl is None:
        raise OSError("no locks")
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of this path that nobody holds locked: their writers were killed."""
    ours = re.compile(re.escape(f".{path.name}.") + r"[a-z0-9_]{8}")
    for one in path.parent.iterdir():
        if ours.fullmatch(one.name):
            with contextlib.suppress(OSError):
                handle = os.open(one, os.O_RDWR)
                try:
                    _lock(handle)
                    one.unlink()
                finally:
                    os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all; its folder is made where it does not exist.

    Raises:
        ZcbenchError: if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ZcbenchError(f"cannot make the folder {path.parent}: {reason}; choose another place") from error
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
