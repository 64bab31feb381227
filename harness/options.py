"""What can be chosen about the networks of a search space: typed fields with their limits, as text and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field, fields, is_dataclass, replace
from typing import Any, TypeAlias, TypeVar, cast

from zcbench.harness.errors import ZcbenchError, shown, unknown

Value: TypeAlias = int | bool | str
"""What can be chosen: a count, a yes or no, a name."""

S = TypeVar("S")

_KEY = "zcbench.option"
_FLAGS = {"true": True, "false": False}


def option(default: Value, *, help: str, low: int = 1, choices: tuple[str, ...] = ()) -> Any:  # noqa: A002
    """Declare a field of a search space that users may choose.

    Args:
        default: what the benchmark itself trained; its type is the option's type.
        help: what it is, in a few words.
        low: smallest value of a count.
        choices: the names there are, for an option that is a name.
    """
    return field(default=default, metadata={_KEY: (help, low, choices)})


def _options(space: object) -> dict[str, Field[Any]]:
    return {f.name: f for f in fields(space) if _KEY in f.metadata} if is_dataclass(space) else {}


def values(space: object) -> dict[str, Value]:
    """Return what is chosen, by name, sorted."""
    return {name: getattr(space, name) for name in sorted(_options(space))}


def described(space: object) -> dict[str, str]:
    """Return what each option is, by name, sorted."""
    return {name: f.metadata[_KEY][0] for name, f in sorted(_options(space).items())}


def configured(space: S, chosen: Mapping[str, str]) -> S:
    """Return the space with other values.

    Raises:
        ZcbenchError: for a name or a value that there is not.
    """
    known = _options(space)
    if not chosen:
        return space
    for name in chosen:
        if name not in known:
            if not known:
                raise ZcbenchError(f'no network option "{name}": there is nothing to choose about these networks')
            raise unknown("network option", name, known)
    parsed = {name: _parse(known[name], text) for name, text in chosen.items()}
    return cast(S, replace(cast(Any, space), **parsed))


def _parse(declared: Field[Any], text: str) -> Value:
    _, low, choices = declared.metadata[_KEY]
    if isinstance(declared.default, bool):
        if text.lower() not in _FLAGS:
            raise ZcbenchError(f"network option {declared.name} is true or false, not {shown(text)}")
        return _FLAGS[text.lower()]
    if isinstance(declared.default, int):
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= low):
            raise ZcbenchError(f"network option {declared.name} is a whole number of {low} or more, not {shown(text)}")
        return int(text)
    if text not in choices:
        raise unknown(f"value of network option {declared.name}:", text, choices)
    return text


def split(text: str) -> dict[str, str]:
    """Read ``cells=8,channels=32``.

    Raises:
        ZcbenchError: if a part is no ``name=value``, or a name occurs twice.
    """
    chosen: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = (p.strip() for p in part.partition("="))
        if not (name and equals and value):
            raise ZcbenchError(f'network options are written "name=value,name=value", not {shown(text)}')
        if name in chosen:
            raise ZcbenchError(f"network option {name} is given twice")
        chosen[name] = value
    return chosen


def joined(chosen: Mapping[str, Value]) -> str:
    """Write ``cells=8,channels=32``: sorted, so that equal choices are equal texts; empty for no choice."""
    return ",".join(f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in sorted(chosen.items()))
