"""What of the official files is in a data folder, and how big it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zcbench.datasets.manifest import Manifest, OfficialFile


@dataclass(frozen=True, slots=True)
class Found:
    """What is on disk of one official file.

    Attributes:
        file: the entry of the manifest.
        original: the file, archive or folder as it is published; None if it is not there.
        unpacked: the folder that the archive became; None if it is not there or there is none.
    """

    file: OfficialFile
    original: Path | None
    unpacked: Path | None

    @property
    def path(self) -> Path | None:
        """What a reader takes: the unpacked folder of an archive, else the file or folder itself."""
        return self.unpacked or (None if self.file.unpacks else self.original)

    @property
    def anything(self) -> Path | None:
        """What is there in any form."""
        return self.unpacked or self.original


def look(manifest: Manifest, folder: Path | None) -> list[Found]:
    """Look for every file of a manifest.

    A file is looked for where `Manifest.place` says it belongs, in the folder itself and in a sub-folder that
    is named as the manifest; images also in ``images/``, as their readers do.

    Args:
        manifest: the files to look for.
        folder: the data folder; None: nothing is there.
    """
    if folder is None:
        return [Found(file, None, None) for file in manifest.files]
    places = [manifest.place(folder), *([folder / "images"] if manifest.images else [])]
    places = list(dict.fromkeys([*places, folder, folder / manifest.name]))
    return [_look(file, places, loose=manifest.place(folder) != folder) for file in manifest.files]


def _look(file: OfficialFile, places: Iterable[Path], *, loose: bool) -> Found:
    original = next((place / file.name for place in places if _is_there(place / file.name, file)), None)
    unpacked = None
    if file.unpacks:
        unpacked = next((place / file.unpacks for place in places if (place / file.unpacks).is_dir()), None)
    elif original is None and loose and file.kind == "folder":
        # the members may lie in the place of the dataset without the folder around them
        first = next(iter(places))
        original = first if any((first / member).is_file() for member in file.members) else None
    return Found(file, original, unpacked)


def _is_there(path: Path, file: OfficialFile) -> bool:
    return path.is_dir() if file.kind == "folder" else path.is_file()


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size


def in_words(number: int) -> str:
    """Return a number of bytes in decimal units, e.g. ``523 MB``."""
    amount, units = float(number), ("bytes", "kB", "MB", "GB", "TB")
    for unit in units:
        if amount < 999.5 or unit == units[-1]:
            break
        amount /= 1000
    return f"{number} bytes" if unit == "bytes" else f"{amount:.3g} {unit}"
