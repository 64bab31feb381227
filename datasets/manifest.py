"""Where official files come from, how to know them and what to do with them: one TOML file a benchmark.

A manifest states what is known for certain and leaves out what is not: a checksum that the authors did not
publish, a size that nobody measured, a download location where the official one is a page to click on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zcbench.harness.errors import ZcbenchError, unknown

# Not importlib.resources: it does not find files of a namespace package that is installed editable.
FOLDER = Path(__file__).parent / "manifests"

KINDS = ("file", "folder", "archive")
"""What is published: one file, a folder of files, or an archive that is unpacked before use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialFile:
    """One official file, folder or archive.

    Attributes:
        name: its name as it is published.
        kind: one of `KINDS`.
        page: the page that says where to get it.
        licence: under which terms, as far as they are stated.
        source: the source that its accuracies get in a table; empty for images.
        urls: direct download locations; none where a page has to be clicked on.
        bytes: its exact size; None where it is not known.
        about: its size in words, where the exact one is not known.
        sha256: its SHA-256 in hexadecimal digits; empty where it is not known.
        md5: its MD5 in hexadecimal digits; empty where it is not known.
        unpacks: the folder that an archive becomes.
        inside: the folder in the archive that becomes it, where its name is another; ``*`` for all it holds.
        how: how to get it, where that is more than to open the page.
        members: files of a folder, or of the folder that an archive becomes, and their checksums.
        recommended: whether it is the one to get where nobody says which.
        convert: whether ``zcbench data convert`` makes a table from it.
        table: name of that table, where it is not the benchmark's own.
        embedded: whether it comes with the installation.
    """

    name: str
    kind: str
    page: str
    licence: str
    source: str = ""
    urls: tuple[str, ...] = ()
    bytes: int | None = None
    about: str = ""
    sha256: str = ""
    md5: str = ""
    unpacks: str = ""
    inside: str = ""
    how: str = ""
    members: Mapping[str, str] = field(default_factory=dict)
    recommended: bool = False
    convert: bool = False
    table: str = ""
    embedded: bool = False

    @property
    def checksum(self) -> str:
        """The best checksum that is known, as ``sha256:...`` or ``md5:...``; empty if there is none."""
        if self.sha256:
            return f"sha256:{self.sha256}"
        return f"md5:{self.md5}" if self.md5 else ""

    @property
    def ready(self) -> str:
        """Name of what a reader takes: the folder that an archive becomes, else the file itself."""
        return self.unpacks or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The official files of one publication.

    Attributes:
        name: the name that the command line knows it by.
        title: its name in words.
        paper: the publication.
        benchmarks: the benchmarks whose ground truth comes from these files.
        readers: benchmarks that convert these files, but have their ground truth elsewhere.
        images: the image dataset that they are; empty where they are none.
        files: the files, the recommended one first or not.
    """

    name: str
    title: str
    paper: str
    files: tuple[OfficialFile, ...]
    benchmarks: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    images: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that means this manifest: its own, and those of its benchmarks."""
        return tuple(dict.fromkeys((self.name, *self.benchmarks)))

    def converters(self, name: str = "") -> tuple[str, ...]:
        """Return the benchmarks that convert its files; the one that is named, where it is one of its own."""
        return (name,) if name in self.benchmarks else (*self.benchmarks, *self.readers)

    def place(self, folder: Path) -> Path:
        """Return where its files belong in a data folder: images where their readers look for them."""
        return folder / "images" / self.images if self.images else folder

    def file(self, name: str) -> OfficialFile:
        """Return the file of this name; the folder that an archive becomes means the archive.

        Raises:
            ZcbenchError: if there is none, with the nearest names.
        """
        for file in self.files:
            if name in (file.name, file.ready):
                return file
        raise unknown(f"file of {self.name}", name, [file.name for file in self.files if not file.embedded])


def manifests() -> dict[str, Manifest]:
    """Return every manifest by its own name, sorted.

    Raises:
        ZcbenchError: if a manifest is damaged.
    """
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.toml"))}


def manifest(name: str) -> Manifest:
    """Return the manifest of a benchmark or image dataset.

    Raises:
        ZcbenchError: if there is none, with the nearest names.
    """
    known = {alias: found for found in manifests().values() for alias in found.names}
    if name not in known:
        raise unknown("benchmark or image dataset", name, known)
    return known[name]


def _read(path: Path) -> Manifest:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        files = tuple(_file(entry) for entry in content.pop("files"))
        for name in ("benchmarks", "readers"):
            content[name] = tuple(content.get(name, ()))
        return Manifest(name=path.stem, files=files, **content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:  # TOML's and UTF-8's are ValueErrors
        raise ZcbenchError(f"the manifest {path} is damaged: {error}; install zcbench again") from error


def _file(entry: dict[str, Any]) -> OfficialFile:
    return OfficialFile(**{**entry, "urls": tuple(entry.get("urls", ()))})
