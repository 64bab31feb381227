"""Universal Binary JSON (draft 12), as far as xgboost writes it; its version 1.7.6 already pickles in this form.

Values are objects, arrays, strings and numbers; an array of numbers of one type is written as ``[$`` type
``#`` count and then the bare numbers, most significant byte first.

Source: ubjson.org, and xgboost's ``include/xgboost/json_io.h`` for which of it is used.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

_NUMBERS = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f", "D": "d"}
_PLAIN = {"Z": None, "T": True, "F": False}
_DEEPEST = 64


def loads(data: bytes) -> Any:
    """Return the value that the bytes hold; arrays of numbers are numpy arrays.

    Raises:
        ValueError: if they are not of this form.
    """
    reader = _Reader(data)
    value = reader.value(reader.sign(), 0)
    if not reader.ended:
        raise ValueError("bytes after the end")
    return value


class _Reader:
    """Reads values one after the other.

    Args:
        data: the bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""
        return self._place == len(self._data)

    def sign(self) -> str:
        """Read the one character that says what follows; ``N`` stands for nothing."""
        found = "N"
        while found == "N":
            found = chr(self._take(1)[0])
        return found

    def value(self, sign: str, depth: int) -> Any:
        """Read the value that a sign announces."""
        if depth > _DEEPEST:
            raise ValueError(f"nested more than {_DEEPEST} deep")
        if sign in _PLAIN:
            return _PLAIN[sign]
        if sign in _NUMBERS:
            return self._number(sign)
        if sign == "S":
            return self._text()
        if sign == "C":
            return self._take(1).decode("ascii")
        if sign == "[":
            return self._array(depth)
        if sign == "{":
            return self._object(depth)
        raise ValueError(f"unknown sign {sign!r}")

    def _array(self, depth: int) -> Any:
        sign = self.sign()
        if sign == "$":
            kind = self.sign()
            if kind not in _NUMBERS or self.sign() != "#":
                raise ValueError("an array of a type that xgboost does not write")
            dtype = np.dtype(">" + np.dtype(_NUMBERS[kind]).str[1:])
            raw = self._take(self._count() * dtype.itemsize)
            return np.frombuffer(raw, dtype)
        if sign == "#":
            count = self._count()
            return [self.value(self.sign(), depth + 1) for _ in range(count)]
        values = []
        while sign != "]":
            values.append(self.value(sign, depth + 1))
            sign = self.sign()
        return values

    def _object(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while (sign := self.sign()) != "}":
            name = self._text(sign)
            values[name] = self.value(self.sign(), depth + 1)
        return values

    def _text(self, sign: str | None = None) -> str:
        return self._take(self._count(sign)).decode("utf-8")

    def _count(self, sign: str | None = None) -> int:
        sign = sign or self.sign()
        if sign not in "iUIlL":
            raise ValueError(f"a count that begins with {sign!r}")
        count = int(self._number(sign))
        if not 0 <= count <= len(self._data):
            raise ValueError(f"a count of {count} in {len(self._data)} bytes")
        return count

    def _number(self, sign: str) -> int | float:
        form = ">" + _NUMBERS[sign]
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]  # type: ignore[no-any-return]

    def _take(self, count: int) -> bytes:
        part = self._data[self._place : self._place + count]
        if len(part) != count:
            raise ValueError("it breaks off")
        self._place += count
        return part
