"""The published form of a shared result: a JSON Schema that comes with zcbench, and what of a file breaks it."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MARKER = "zcbench_result"
"""The member that marks a JSON object as a shared result; its value is the version of the schema."""

VERSION = 1
"""The version of the schema that this zcbench writes and reads."""

FEW = 50
"""Errors of a file that are looked at; one is told, and a hostile file may hold a million."""

LONGEST = 300
"""Characters of a message about a file; beyond that it is cut, for the file may hold anything."""


def text() -> str:
    """Return the JSON Schema, as it is published."""
    return files("zcbench.harness.results").joinpath("result.schema.json").read_text(encoding="utf-8")


@cache
def _validator() -> Validator:
    from jsonschema import Draft202012Validator  # not needed by most verbs, and slow to import

    return Draft202012Validator(json.loads(text()))


def problem(document: dict[str, Any]) -> str:
    """Say what is wrong with the content of a file that has the marker; empty if nothing is.

    Args:
        document: what `json.loads` gave.
    """
    version = document[MARKER]
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        return f"it has schema {short(version)} of shared results, this zcbench knows {VERSION}: update zcbench"
    from jsonschema.exceptions import best_match

    error = best_match(islice(_validator().iter_errors(document), FEW))
    if error is None:
        return ""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    return f"{short(where) or 'the whole of it'}: {_said(error.message, error.validator, error.validator_value)}"


def _said(message: str, rule: object, wanted: object) -> str:
    """Say it in words where the library would print a whole value, or a pattern."""
    known = {
        "not": "holds a control character, one that changes the direction of writing, or half a surrogate pair",
        "maxLength": f"is longer than {wanted} characters",
        "maxItems": f"has more than {wanted} parts",
        "maxProperties": f"has more than {wanted} members",
    }
    return known.get(str(rule)) or short(message)


def short(value: object) -> str:
    """Return a value as one printable line of bounded length."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value)[: LONGEST + 1])
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
