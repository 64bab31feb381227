"""Reading shared results from folders, as data of which nothing is trusted and nothing executed."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.results import schema
from zcbench.harness.results.document import from_document, read_as
from zcbench.harness.results.result import Result

LARGEST = 4 * 2**20
"""Bytes of a result; a file of ours has some ten thousand."""

MOST = 200_000
"""Values in a result; a file of ours has some hundred, and checking one against the schema takes microseconds."""

_SIGN = f'"{schema.MARKER}"'.encode()


@dataclass(frozen=True)
class Found:
    """What folders hold.

    Attributes:
        results: sorted by file.
        refused: of every file that is a shared result but a bad one, its name and what is wrong, in one line.
        ignored: of every other JSON file, its name and why it was left out.
    """

    results: tuple[Result, ...]
    refused: tuple[str, ...]
    ignored: tuple[str, ...]


def read(paths: Sequence[Path]) -> Found:
    """Read every shared result in some folders and the folders in them.

    Args:
        paths: folders, or single files. A file that several of them hold is read once.

    Raises:
        MissingFileError: if one of them is not there.
        ZcbenchError: if a folder cannot be listed.
    """
    results: list[Result] = []
    refused: list[str] = []
    ignored: list[str] = []
    seen: set[Path] = set()
    for path, shown in ((path, shown) for given in paths for path, shown in _files(given)):
        name = schema.short(shown)
        if path.is_symlink() and path not in paths:
            ignored.append(f"{name}: a link, which is not followed")
            continue
        if (real := path.resolve()) in seen:
            continue
        seen.add(real)
        try:
            found = _read_file(path)
        except ZcbenchError as error:
            refused.append(f"{name} is no valid result: {error}")
            continue
        if isinstance(found, Result):
            results.append(read_as(found, name))
        else:
            ignored.append(f"{name}: {found}")
    return Found(tuple(results), tuple(refused), tuple(ignored))


def _files(given: Path) -> Iterator[tuple[Path, str]]:
    """Iterate over the JSON files of a folder, sorted, each with its name relative to it; links are not followed."""
    if given.is_file():
        yield given, given.name
        return
    if not given.is_dir():
        raise MissingFileError(f"there is no folder {given}: write results with zcbench results --out {given}")

    def refuse(error: OSError) -> None:
        raise ZcbenchError(f"cannot read the folder {error.filename}: {error.strerror}") from error

    found = [
        Path(folder, name)
        for folder, _, names in os.walk(given, onerror=refuse) for name in names if name.lower().endswith(".json")
    ]  # fmt: skip
    for path in sorted(found, key=lambda path: path.relative_to(given).parts):
        if path.is_file():
            yield path, path.relative_to(given).as_posix()


def _read_file(path: Path) -> Result | str:
    """Return the result, or why the file is none of ours.

    Raises:
        ZcbenchError: if it is one of ours and something is wrong with it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ZcbenchError(f"it cannot be read: {error.strerror or error}") from error
    ours = _SIGN in content
    try:
        if len(content) > LARGEST:
            raise ZcbenchError(f"it is larger than {LARGEST // 2**20} MiB")
        if content.count(b",") > MOST:
            raise ZcbenchError(f"it holds more than {MOST:,} values")
        document = parse(content)
    except ZcbenchError as error:
        if ours:
            raise
        return f"not a shared result ({error})"
    if not isinstance(document, dict) or schema.MARKER not in document:
        return f"not a shared result (it has no member {schema.MARKER})"
    try:
        wrong = schema.problem(document)
    except RecursionError as error:  # in an unknown member, which the schema would print
        raise ZcbenchError("it is nested too deeply") from error
    if wrong:
        raise ZcbenchError(wrong)
    return from_document(document)


def parse(content: bytes) -> Any:
    """Parse JSON strictly: UTF-8, no NaN or infinity, no member twice, no nesting beyond what the stack takes.

    Raises:
        ZcbenchError: saying which of these it is.
    """
    try:
        return json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_members, parse_constant=_refuse, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise ZcbenchError(f"it is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ZcbenchError(f"it is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ZcbenchError("it is nested too deeply") from error
    except ValueError as error:  # a whole number of more digits than Python reads
        raise ZcbenchError("it holds a number that is too long") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ZcbenchError(f'it names the member "{schema.short(name)}" twice')
        found[name] = value
    return found


def _refuse(text: str) -> float:
    raise ZcbenchError(f"it holds {text}, which is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ZcbenchError(f"it holds {schema.short(text)}, which is no finite number")
    return value
