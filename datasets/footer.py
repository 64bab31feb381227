"""What the footer of a Parquet file says of its row groups, read without pyarrow.

pyarrow gives the same through ``metadata.row_group(n).column(n).statistics``, but where a footer is damaged its C++
raises there through code that expects nothing, which ends the process (seen with pyarrow 26: "terminate called after
throwing an instance of 'parquet::ParquetException'"). Reading rows is safe.

A footer is a struct in Thrift's compact protocol; fields are known by their numbers, see ``parquet.thrift`` of
apache/parquet-format.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

MAGIC = b"PAR1"
DEEPEST = 16
"""Structs and lists in one another; a footer has 6."""

_Struct: TypeAlias = dict[int, Any]
_NUMBERS = {1: struct.Struct("<i"), 2: struct.Struct("<q"), 4: struct.Struct("<f"), 5: struct.Struct("<d")}
"""By number of the physical type: how a smallest or largest value is written."""

_TEXT = 6


@dataclass(frozen=True, slots=True)
class Extent:
    """What a footer says of one column of one row group.

    Attributes:
        least: its smallest value.
        most: its largest value.
        nulls: number of empty cells.
    """

    least: Any
    most: Any
    nulls: int


@dataclass(frozen=True, slots=True)
class RowGroup:
    """What a footer says of one row group.

    Attributes:
        rows: number of rows.
        columns: by name; None where the footer does not say enough.
    """

    rows: int
    columns: dict[str, Extent | None]


def row_groups(path: Path) -> list[RowGroup]:
    """Read the row groups of a Parquet file.

    Raises:
        ValueError: if there is no footer, or it makes no sense; what else a damaged one raises is an ``Exception``.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if end[4:] != MAGIC or length + 8 > size:
            raise ValueError("it has no footer")
        file.seek(size - 8 - length)
        content = file.read(length)
    found: list[RowGroup] = []
    for group in _Compact(content).struct().get(4, ()):
        columns: dict[str, Extent | None] = {}
        for column in group[1]:
            said = column[3]
            columns[".".join(part.decode() for part in said[3])] = _extent(said)
        found.append(RowGroup(group[3], columns))
    return found


def _extent(column: _Struct) -> Extent | None:
    said = column.get(12, {})
    if not {3, 5, 6} <= said.keys() or said.get(7) is False or said.get(8) is False:  # missing, or shortened
        return None
    kind, least, most = column[1], said[6], said[5]
    if kind == _TEXT:
        return Extent(least.decode(), most.decode(), said[3])
    if kind not in _NUMBERS:
        return None
    (low,), (high,) = _NUMBERS[kind].unpack(least), _NUMBERS[kind].unpack(most)
    return Extent(low, high, said[3]) if low == low and high == high else None  # NaN is neither


class _Compact:
    """Thrift's compact protocol: structs as dicts by field number.

    Args:
        content: the bytes of one struct.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def struct(self, depth: int = 0) -> _Struct:
        """Read a struct from here on.

        Raises:
            ValueError: if it makes no sense.
            IndexError: if it is cut off.
        """
        if depth > DEEPEST:
            raise ValueError("its footer is nested too deep")
        found: _Struct = {}
        field = 0
        content = self._content
        while head := content[self._at]:
            self._at += 1
            field = field + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            if 3 < kind < 7:
                number = content[self._at]
                if number < 128:  # in one byte: most are, and thousands are read
                    self._at += 1
                    found[field] = number >> 1 ^ -(number & 1)
                else:
                    found[field] = self._signed()
            else:
                found[field] = kind == 1 if kind <= 2 else self._value(kind, depth)
        self._at += 1
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind == 8:
            return self._take(self._unsigned())
        if 3 < kind < 7:
            return self._signed()
        if kind in (9, 10):
            return self._list(depth)
        if kind == 12:
            return self.struct(depth + 1)
        if kind in (1, 2, 3):  # in a list, where each is a byte
            return self._byte()
        if kind == 7:
            return self._take(8)
        raise ValueError(f"its footer has a value of kind {kind}")

    def _list(self, depth: int) -> list[Any]:
        if depth > DEEPEST:
            raise ValueError("its footer is nested too deep")
        head = self._byte()
        n = head >> 4 if head >> 4 < 15 else self._unsigned()
        if n > len(self._content) - self._at:  # each takes a byte or more
            raise ValueError(f"its footer has a list of {n}")
        return [self._value(head & 15, depth + 1) for _ in range(n)]

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _take(self, n: int) -> bytes:
        begin, self._at = self._at, self._at + n
        if self._at > len(self._content):
            raise ValueError("its footer is cut off")
        return self._content[begin : self._at]

    def _unsigned(self) -> int:
        number, shift = 0, 0
        while shift < 70:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
        raise ValueError("its footer has a number without an end")

    def _signed(self) -> int:
        number = self._unsigned()
        return number >> 1 ^ -(number & 1)
