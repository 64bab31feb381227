"""Write a file so that it is either whole or not there."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zcbench.harness.errors import MissingFileError, ZcbenchError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside the path, and rename it to the path when the block has succeeded.

    A block that fails, or is interrupted, leaves what was at the path untouched and no temporary file.

    Raises:
        MissingFileError: if the folder is not there.
        ZcbenchError: if the folder is read-only or the disk is full.
    """
    if not path.parent.is_dir():
        raise MissingFileError(f"cannot write {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ZcbenchError(f"cannot write {path}: it is a folder")
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 would lock out colleagues
        temporary.replace(path)
    except OSError as error:
        raise ZcbenchError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


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
