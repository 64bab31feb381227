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
        UnsafeFileError: if a member is a link, a device, or would leave the folder.
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
        UnsafeFileError: if a member is a link, a device, or would leave its folder.
        ZcbenchError: if it is damaged or of another format.
    """
    return reading(str(archive), lambda: sum(_read(opener) for _, opener in _members(archive)))


def _read(opener: Opener) -> int:
    stream = opener()
    if stream is None:
        return 0
    with stream:
        while stream.read(CHUNK):
            pass
    return 1


def _extract(archive: Path, made: Path, inside: str, progress: Callable[[int], object]) -> int:
    number = 0
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
                file.write(chunk)
                progress(len(chunk))
        number += 1
    return number


def _members(archive: Path) -> Iterator[tuple[PurePosixPath, Opener]]:
    """Yield every member with its checked name; a folder opens as None."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as content:
            for entry in content.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise _unsafe(archive, entry.filename, "is a link or a device")
                yield _inner(archive, entry.filename), _zip_opener(content, entry)
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            if not (member.isfile() or member.isdir()):
                raise _unsafe(archive, member.name, "is a link or a device")
            yield _inner(archive, member.name), _tar_opener(packed, member)
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
    return UnsafeFileError(f"refused to unpack {archive}: its member {shown} {why}")
