"""Unpack a tar or zip archive of strangers: plain files and folders only, inside one folder, whole or not at all."""

from __future__ import annotations

import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from zcbench.datasets.unpickle import reading
from zcbench.harness.errors import UnsafeFileError, ZcbenchError

Opener = Callable[[], IO[bytes] | None]

CHUNK = 1 << 20

MOST = 1 << 28
"""Bytes that any archive may unpack to."""

RATIO = 100
"""Bytes beyond `MOST` that an archive may unpack to for each of its own: a bomb has a thousand and more."""


def unpack(archive: Path, folder: Path, *, inside: str, progress: Callable[[int], object]) -> None:
    """Unpack one folder of an archive; it appears under its name when all of it is there.

    Nothing but plain files and folders is accepted (no links, devices or owners, so nothing can point out of
    the folder), and every name must stay inside: stricter than the ``data`` filter of `tarfile`, and the same
    for both formats. What the archive holds beside the folder is left out.

    Args:
        archive: a tar (plain, gzip, bzip2, xz) or zip file.
        folder: the folder to make; it must not exist.
        inside: name of the folder in the archive that becomes it; ``*``: all that the archive holds does.
        progress: called with the number of bytes of each piece that was written.

    Raises:
        UnsafeFileError: if a member is a link, a device, sparse, there twice, or would leave the folder, or unpacks to
            far more than the archive can hold.
        ZcbenchError: if the archive is damaged, of another format or has no such folder.
    """
    if folder.exists():
        raise ZcbenchError(f"cannot unpack {archive.name}: {folder} is there already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        number = reading(str(archive), lambda: _extract(archive, made, inside, progress))
        if not number or not made.is_dir():
            lacking = "file" if inside == "*" else f"folder {inside}"
            raise ZcbenchError(f"cannot unpack {archive}: it holds no {lacking}")
        made.rename(folder)


def check(archive: Path) -> int:
    """Read an archive through, which checks the sums that zip and gzip files carry; return its number of files.

    Raises:
        UnsafeFileError: as `unpack`.
        ZcbenchError: if it is damaged or of another format.
    """
    left = _Left(archive)
    return reading(str(archive), lambda: sum(_read(name, opener, left) for name, opener in _members(archive)))


class _Left:
    """How many bytes an archive may still unpack to.

    Args:
        archive: the file.
    """

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._most = self._left = MOST + RATIO * (archive.stat().st_size if archive.is_file() else 0)

    def take(self, number: int, name: PurePosixPath) -> None:
        """Count the bytes of a piece.

        Raises:
            UnsafeFileError: if they are too many in all.
        """
        self._left -= number
        if self._left < 0:
            raise _unsafe(self._archive, str(name), f"unpacks to more than {self._most:,} bytes with those before it")


def _read(name: PurePosixPath, opener: Opener, left: _Left) -> int:
    stream = opener()
    if stream is None:
        return 0
    with stream:
        while chunk := stream.read(CHUNK):
            left.take(len(chunk), name)
    return 1


def _extract(archive: Path, made: Path, inside: str, progress: Callable[[int], object]) -> int:
    number, left = 0, _Left(archive)
    for name, opener in _members(archive):
        if inside not in ("*", *name.parts[:1]):
            continue
        target = made.joinpath(*(name.parts if inside == "*" else name.parts[1:]))
        stream = opener()
        if stream is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with stream, target.open("xb") as file:
            while chunk := stream.read(CHUNK):
                left.take(len(chunk), name)
                file.write(chunk)
                progress(len(chunk))
        number += 1
    return number


def _members(archive: Path) -> Iterator[tuple[PurePosixPath, Opener]]:
    """Yield every member, each file once, with its checked name; a folder opens as None."""
    seen: set[PurePosixPath] = set()
    for name, folder, opener in _entries(archive):
        if name in seen and not folder:
            raise _unsafe(archive, str(name), "is there twice")
        seen.add(name)
        yield name, opener


def _entries(archive: Path) -> Iterator[tuple[PurePosixPath, bool, Opener]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as content:
            for entry in content.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise _unsafe(archive, entry.filename, "is a link or a device")
                yield _inner(archive, entry.filename), entry.is_dir(), _zip_opener(content, entry)
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            if not (member.isfile() or member.isdir()):
                raise _unsafe(archive, member.name, "is a link or a device")
            if member.issparse():
                raise _unsafe(archive, member.name, "is a sparse file")
            yield _inner(archive, member.name), member.isdir(), _tar_opener(packed, member)
        stream = packed.fileobj
        if stream is not None:  # a tar that was cut between two members differs from a whole one by its end alone
            stream.seek(packed.offset)
            if len(stream.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE:
                raise ZcbenchError(f"cannot read {archive}: truncated, it lacks the end mark of a tar archive")


def _zip_opener(content: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Opener:
    return lambda: None if entry.is_dir() else content.open(entry)


def _tar_opener(packed: tarfile.TarFile, member: tarfile.TarInfo) -> Opener:
    return lambda: None if member.isdir() else packed.extractfile(member)


def _inner(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        raise _unsafe(archive, name, "would leave the folder")
    return path


def _unsafe(archive: Path, name: str, why: str) -> UnsafeFileError:
    shown = name if name.isprintable() else ascii(name)
    shown = shown if len(shown) <= 200 else shown[:197] + "..."
    return UnsafeFileError(f"refused to unpack {archive}: its member {shown} {why}")
