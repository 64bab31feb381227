"""What ``zcbench data status`` says: of every file whether it is here, and of a missing one how to get it."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zcbench.datasets.inventory import Found, look, size
from zcbench.datasets.manifest import Manifest, OfficialFile
from zcbench.harness.commands._data_folder import Entry, conversion
from zcbench.harness.space import Available

WIDTH = 100


def as_data(entry: Entry, folder: Path | None, *, checksums: bool) -> dict[str, Any]:
    """Return everything that is known of an entry, in types that JSON has."""
    files = look(entry.manifest, folder) if entry.manifest else []
    return {
        "name": entry.name,
        "title": entry.manifest.title if entry.manifest else entry.name,
        "paper": entry.manifest.paper if entry.manifest else "",
        "benchmarks": [
            {"name": found.name, "trained_on": list(found.datasets), "sources": _sources(entry, index)}
            for index, found in enumerate(entry.benchmarks)
        ],
        "files": [_file(entry, found, folder, checksums=checksums) for found in files],
    }


def _sources(entry: Entry, index: int) -> list[dict[str, Any]]:
    return [
        {"source": source.source, "present": True, "path": str(source.path)}
        if isinstance(source, Available)
        else {"source": source.source, "present": False, "reason": source.reason}
        for source in entry.benchmarks[index].availability()
    ]


def _file(entry: Entry, found: Found, folder: Path | None, *, checksums: bool) -> dict[str, Any]:
    file, path = found.file, found.anything
    verified: bool | None = None
    if checksums and found.original is not None and file.checksum:
        from zcbench.datasets.checksum import mismatch  # pooch, needed for this alone

        verified = not mismatch(found.original, file.checksum)
    embedded = _embedded(entry, file)
    return {
        "name": file.name,
        "kind": file.kind,
        "present": path is not None or embedded is not None,
        "path": str(path or embedded or "") or None,
        "unpacked": found.unpacked is not None,
        "bytes": size(path) if path else None,
        "expected_bytes": file.bytes,
        "about": file.about or None,
        "sha256": file.sha256 or None,
        "md5": file.md5 or None,
        "members": dict(file.members) or None,
        "matches": verified,
        "page": file.page,
        "urls": list(file.urls),
        "licence": file.licence,
        "source": file.source or None,
        "recommended": file.recommended,
        "embedded": file.embedded,
        "get": None if path or embedded else _get(entry.manifest, file, folder),
        "then": _then(entry, found, folder),
    }


def _embedded(entry: Entry, file: OfficialFile) -> Path | None:
    if not file.embedded:
        return None
    sources = (source for found in entry.benchmarks for source in found.availability())
    return next((s.path for s in sources if isinstance(s, Available) and s.source == file.source), None)


def _get(manifest: Manifest | None, file: OfficialFile, folder: Path | None) -> str:
    if manifest is None or file.embedded:
        return "install zcbench again: it comes with the installation"
    if file.urls:
        to = "" if folder else " --to FOLDER"
        return f"zcbench data fetch {manifest.name} {shlex.quote(file.name)}{to}"
    place = manifest.place(folder) if folder else manifest.place(Path("FOLDER"))
    then = f"; zcbench data fetch {manifest.name} {shlex.quote(file.name)} then unpacks it" if file.unpacks else ""
    return f"{file.how or 'open that page in a browser'} and put it into {place}{then}"


def _then(entry: Entry, found: Found, folder: Path | None) -> list[str]:
    """Return the commands that make a table of it, one for each benchmark that reads it."""
    if entry.manifest is None or not found.file.convert:
        return []
    path = found.path or (entry.manifest.place(folder) if folder else Path()) / found.file.ready
    return [conversion(name, found.file, path, folder) for name in entry.manifest.converters(entry.name)]


def as_text(entry: Entry, data: dict[str, Any]) -> Iterator[str]:
    """Yield the lines for one entry, at most `WIDTH` columns wide unless a path, address or command is longer."""
    yield f"{entry.name}: {data['title']}"
    for benchmark in data["benchmarks"]:
        alone = "" if benchmark["name"] == entry.name else f"{benchmark['name']}: "
        yield from _wrapped(f"{alone}trained on {', '.join(benchmark['trained_on'])}", 2)
        for source in benchmark["sources"]:
            mark, rest = ("+", source["path"]) if source["present"] else ("-", source["reason"])
            yield from _wrapped(f"{mark} {source['source']}: {rest}", 4, hanging=2)
    if data["files"]:
        yield "  official files" if data["benchmarks"] else "  files"
    for file in data["files"]:
        yield from _file_lines(file)


def _file_lines(file: dict[str, Any]) -> Iterator[str]:
    yield f"    {'+' if file['present'] else '-'} {file['name']}: {_presence(file)}"
    if file["path"] and not file["embedded"]:
        yield f"        {file['path']}"
    yield f"        {_checksum(file)}"
    yield f"        {file['page']}"
    yield from _wrapped(f"licence: {file['licence']}", 8)
    if file["get"]:
        yield from _wrapped(f"get it: {file['get']}", 8, hanging=2)
    for line in file["then"]:
        yield from _command(f"then: {line}", 8)


def _presence(file: dict[str, Any]) -> str:
    if file["embedded"]:
        return "comes with the installation"
    expected = f"{file['expected_bytes']:,} bytes" if file["expected_bytes"] else ""
    if not file["present"]:
        return f"missing, {expected or (file['about'] and 'about ' + file['about']) or 'size not known'}"
    if file["unpacked"]:
        return f"unpacked, {file['bytes']:,} bytes"
    differs = expected and file["kind"] == "file" and file["expected_bytes"] != file["bytes"]
    return f"{file['bytes']:,} bytes" + (f" instead of {expected}: another file, or a part of it" if differs else "")


def _checksum(file: dict[str, Any]) -> str:
    known = f"sha256 {file['sha256']}" if file["sha256"] else f"md5 {file['md5']}" if file["md5"] else ""
    if file["matches"] is not None:
        return f"{known}: {'matches' if file['matches'] else 'DOES NOT MATCH'}"
    if not known and file["members"]:
        return f"md5 of its {len(file['members'])} files known"
    return known or "checksum not known"


def _command(line: str, indent: int) -> list[str]:
    """Return a command on one line, or on two that a shell reads as one."""
    if len(line) + indent <= WIDTH:
        return [" " * indent + line]
    first, option, rest = line.partition(" --out ")
    return [f"{' ' * indent}{first} \\", f"{' ' * (indent + 4)}{option.strip()} {rest}"]


def _wrapped(text: str, indent: int, *, hanging: int = 0) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + hanging),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
