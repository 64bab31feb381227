"""Get one official file: from its official place, a mirror or a folder; verified, and unpacked where it is an archive.

The work is pooch's (`pooch.retrieve`: is the right file there already? else fetch into a temporary file, check
it, rename it); only how the bytes are got is ours (`zcbench.datasets.download`), because pooch starts a broken
download from the beginning.
"""

from __future__ import annotations

import logging
import shutil
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pooch
from tqdm import tqdm

from zcbench.datasets.checksum import mismatch
from zcbench.datasets.download import ResumableDownload
from zcbench.datasets.inventory import Found, look
from zcbench.datasets.manifest import Manifest, OfficialFile
from zcbench.datasets.unpack import unpack
from zcbench.harness.errors import MissingFileError, UnsafeFileError, ZcbenchError
from zcbench.harness.replace import replacing


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to fetch.

    Attributes:
        origin: address or folder of a mirror; empty for the official place.
        timeout: seconds without a byte after which a connection counts as dead.
        retries: how many attempts in a row may bring nothing new before it is given up.
        pause: seconds before the second attempt; doubled for each further one.
        progress: show a progress bar on stderr; None: only on a terminal.
    """

    origin: str = ""
    timeout: float = 30.0
    retries: int = 5
    pause: float = 1.0
    progress: bool | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is there now.

    Attributes:
        path: what a reader takes: the file, or the folder that the archive became.
        new: whether anything was fetched, copied or unpacked.
        verified: the checksum that it was held against; empty where none is known.
    """

    path: Path
    new: bool
    verified: str


def fetch(manifest: Manifest, name: str, to: Path, options: Options) -> Fetched:
    """Get one file of a manifest into a data folder, if it is not there already.

    Args:
        manifest: the files.
        name: the file.
        to: the data folder; the file goes to `Manifest.place` in it.
        options: where from and how.

    Raises:
        MissingFileError: if there is no plain way to get it, or it is not where it should be.
        ZcbenchError: if it cannot be had, or is not what the manifest says.
    """
    file = manifest.file(name)
    if file.embedded:
        raise ZcbenchError(f"{file.name} comes with the installation: there is nothing to fetch")
    there = next(found for found in look(manifest, to) if found.file is file)
    if file.kind == "folder":
        return _folder(manifest, there, to)
    if there.unpacked is not None:
        _check_members(file, there.unpacked)
        return Fetched(there.unpacked, False, "its files" if file.members else "")
    place = manifest.place(to)
    _make(place)
    target = there.original or place / file.name
    new = _get(manifest, file, target, to, options)
    if file.kind == "archive":
        return Fetched(_unpacked(file, target, options.progress), True, file.checksum)
    return Fetched(target, new, file.checksum)


def wanted(manifest: Manifest, names: tuple[str, ...]) -> list[OfficialFile]:
    """Return the files that are meant: those named, else the recommended one.

    Raises:
        ZcbenchError: if one is unknown, or nothing is recommended.
    """
    if names:
        return list({manifest.file(name).name: manifest.file(name) for name in names}.values())
    recommended = [file for file in manifest.files if file.recommended]
    if not recommended:
        known = ", ".join(file.name for file in manifest.files if not file.embedded)
        raise ZcbenchError(f"say which file of {manifest.name} to fetch: {known}")
    return recommended


def _get(manifest: Manifest, file: OfficialFile, target: Path, to: Path, options: Options) -> bool:
    """See to it that the right file is at the target; return whether it was not there before."""
    if target.is_file() and _right(file, target):
        return False
    if not options.origin:
        if not file.urls:
            raise _by_hand(manifest, file, to, damaged=target.is_file())
        _first_that_works(file, target, list(file.urls), options)
    elif (folder := _as_folder(options.origin)) is not None:
        _copy(file, _in_folder(folder, file.name), target)
    else:
        _first_that_works(file, target, [_below(options.origin, file.name)], options)
    return True


def _right(file: OfficialFile, path: Path) -> bool:
    """Whether a file that is there is the right one, as far as that is known."""
    size = path.stat().st_size
    return file.bytes in (None, size) and size > 0 and not mismatch(path, file.checksum)


def _first_that_works(file: OfficialFile, target: Path, urls: list[str], options: Options) -> None:
    for place, url in enumerate(urls, start=1):
        try:
            return _retrieve(file, target, url, options)
        except ZcbenchError:
            if place == len(urls):
                raise
    return None


def _retrieve(file: OfficialFile, target: Path, url: str, options: Options) -> None:
    """Let pooch fetch the address, with our downloader and our words."""
    downloader = ResumableDownload(
        file=file,
        part=target.with_name(f"{target.name}.part"),
        timeout=options.timeout,
        retries=options.retries,
        pause=options.pause,
        progress=options.progress,
    )
    log = pooch.get_logger()
    level = log.level
    log.setLevel(logging.ERROR)  # what it would say, the caller says in the words of this program
    try:
        if target.is_file() and not file.checksum:  # of the wrong size, which pooch cannot know
            return downloader(url, str(target), None)
        pooch.retrieve(
            url, known_hash=file.checksum or None, fname=target.name, path=target.parent, downloader=downloader
        )
    finally:
        log.setLevel(level)
    return None


def _by_hand(manifest: Manifest, file: OfficialFile, to: Path, *, damaged: bool) -> MissingFileError:
    state = "is not the official one, and the right one " if damaged else ""
    how = f"{file.how}; see {file.page}, and" if file.how else f"open {file.page} in a browser,"
    return MissingFileError(
        f"{file.name} {state}cannot be fetched plainly: {how} put the file into {manifest.place(to)} and run the "
        "same command again, or name a mirror or folder that has it (--from)"
    )


def _as_folder(origin: str) -> Path | None:
    """Return the folder or file of this machine that an origin names, also as ``file://``; None for an address.

    Only what the user names is taken so: an address that leads on to ``file://`` is refused when it does.
    """
    scheme, separator, _ = origin.partition("://")
    if not separator:
        return Path(origin)
    try:
        parts = urllib.parse.urlsplit(origin)
    except ValueError as error:  # http://[ for one
        raise ZcbenchError(f'cannot fetch from "{origin}": it is no address ({error})') from error
    if scheme in ("http", "https"):
        return None
    if scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return Path(urllib.request.url2pathname(parts.path))
    raise ZcbenchError(
        f'cannot fetch from "{origin}": give an address with http:// or https://, or a folder (also file:///FOLDER)'
    )


def _below(origin: str, name: str) -> str:
    """Return the address of a file on a mirror; an address of the file itself is taken as it is."""
    parts = urllib.parse.urlsplit(origin)
    if parts.query or parts.path.rpartition("/")[2] == urllib.parse.quote(name):
        return origin
    return f"{origin.rstrip('/')}/{urllib.parse.quote(name)}"


def _in_folder(origin: Path, name: str) -> Path:
    path = origin if origin.is_file() else origin / name
    if not path.is_file():
        raise MissingFileError(f"there is no {name} in {origin}")
    return path


def _copy(file: OfficialFile, origin: Path, target: Path) -> None:
    if target.exists() and origin.samefile(target):
        raise ZcbenchError(f"{origin} is not the official {file.name}: {_difference(file, origin)}; name another place")
    if not _right(file, origin):
        raise ZcbenchError(f"{origin} is not the official {file.name}: {_difference(file, origin)}; nothing was copied")
    with replacing(target) as temporary:
        shutil.copyfile(origin, temporary)
        if wrong := mismatch(temporary, file.checksum):
            raise ZcbenchError(f"the copy of {origin} is damaged: {wrong}; nothing of it was kept")


def _difference(file: OfficialFile, path: Path) -> str:
    size = path.stat().st_size
    if not size:
        return "it is empty"
    if file.bytes not in (None, size):
        return f"it has {size:,} bytes instead of {file.bytes:,}"
    return mismatch(path, file.checksum)


def _unpacked(file: OfficialFile, archive: Path, progress: bool | None) -> Path:
    folder = archive.parent / file.unpacks
    disable = None if progress is None else not progress
    with tqdm(desc=f"unpacking {file.name}", unit="B", unit_scale=True, disable=disable, leave=False) as bar:
        try:
            unpack(archive, folder, inside=file.inside or file.unpacks, progress=bar.update)
        except UnsafeFileError:
            raise
        except ZcbenchError as error:
            advice = "" if file.checksum else f"; remove {archive} to get it anew"
            raise ZcbenchError(f"{error}{advice}") from error
    return folder


def _folder(manifest: Manifest, there: Found, to: Path) -> Fetched:
    if there.original is None:
        raise _by_hand(manifest, there.file, to, damaged=False)
    _check_members(there.file, there.original)
    return Fetched(there.original, False, "its files" if there.file.members else "")


def _check_members(file: OfficialFile, folder: Path) -> None:
    for member, checksum in file.members.items():
        path = folder / member
        if not path.is_file():
            raise MissingFileError(f"{folder} is there, but has no {member}: remove it to get {file.name} anew")
        if wrong := mismatch(path, checksum):
            raise ZcbenchError(f"{path} is not the official one: {wrong}; remove {folder} to get {file.name} anew")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ZcbenchError(f"cannot make the folder {folder}: {reason}; choose another (--to)") from error
