"""CRC-32C (Castagnoli) of many short byte strings at once, and the masked form that TFRecord files use.

The checksum is linear over bits, so that a byte contributes to it by its value and its distance from the end
alone. With those contributions in a table, the checksums of all records of a block are one look-up for each
byte and one exclusive-or over each record, which numpy does for the whole block.

Source: RFC 3720, appendix B.4 (polynomial 0x1EDC6F41, here with its bits reversed), and
``tensorflow/core/lib/hash/crc32c.h`` for the mask.
"""

from __future__ import annotations

import functools
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Checksums: TypeAlias = NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78
_ONES = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8

_LONGEST_IN_TABLE = 2_048  # bytes; 2 MB of table. Records of the benchmark have about 400
_SLICE = 1 << 18  # bytes that are looked up at a time, so that the intermediate arrays stay in the cache


@functools.cache
def _byte_table() -> tuple[int, ...]:
    """The checksum's state after one byte from the state 0, [256]."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


def checksum(data: bytes) -> int:
    """Return the CRC-32C of one byte string, byte by byte."""
    table, state = _byte_table(), _ONES
    for byte in data:
        state = table[(state ^ byte) & 0xFF] ^ state >> 8
    return state ^ _ONES


def masked(value: int) -> int:
    """Return the form in which TFRecord files store a checksum: rotated by 15 bits, plus a constant."""
    return ((value >> 15 | value << 17) + _MASK_DELTA) & _ONES


def masked_all(values: Checksums) -> Checksums:
    """Return `masked` of many, [n]."""
    return (values >> np.uint32(15) | values << np.uint32(17)) + np.uint32(_MASK_DELTA)  # wraps as uint32


@functools.cache
def _contributions() -> tuple[Checksums, Checksums]:
    """What a byte adds, by its distance from the end and its value, and what the start adds by length.

    Returns:
        Uint32 [L, 256] flattened, and [L + 1], with L the longest string that the table serves.
    """
    first = np.array(_byte_table(), np.uint32)
    bytes_at = np.empty((_LONGEST_IN_TABLE, 256), np.uint32)
    start = np.empty(_LONGEST_IN_TABLE + 1, np.uint32)
    bytes_at[0], start[0] = first, _ONES
    for distance in range(1, _LONGEST_IN_TABLE + 1):  # one more zero byte at the end
        previous = start[distance - 1]
        start[distance] = first[previous & 0xFF] ^ previous >> 8
        if distance < _LONGEST_IN_TABLE:
            row = bytes_at[distance - 1]
            bytes_at[distance] = first[row & 0xFF] ^ row >> np.uint32(8)
    return bytes_at.ravel(), start


def checksums(block: bytes, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Checksums:
    """Return the CRC-32C of many parts of a block.

    Args:
        block: the bytes.
        starts: where each part begins, [n]; ascending.
        stops: where it ends, exclusive, [n]; no part reaches into the next one, none is empty.

    Returns:
        Uint32 [n].
    """
    found = np.empty(len(starts), np.uint32)
    long = stops - starts > _LONGEST_IN_TABLE
    for place in np.flatnonzero(long):
        found[place] = checksum(block[starts[place] : stops[place]])
    data = np.frombuffer(block, np.uint8)
    short = np.flatnonzero(~long)
    first = 0
    while first < len(short):
        limit = starts[short[first]] + _SLICE
        last = max(first + 1, int(np.searchsorted(stops[short], limit, side="right")))
        places = short[first:last]
        found[places] = _in_slice(data, starts[places], stops[places])
        first = last
    return found


def _in_slice(data: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Checksums:
    bytes_at, start = _contributions()
    lengths = stops - starts
    begins = np.cumsum(lengths) - lengths  # of each part, where all parts follow one another without gaps
    position = np.arange(int(lengths.sum()))
    bytes_ = data[position + np.repeat(starts - begins, lengths)]
    distance = np.repeat(begins + lengths - 1, lengths) - position
    parts = np.bitwise_xor.reduceat(bytes_at[distance << 8 | bytes_], begins)
    return parts ^ start[lengths] ^ np.uint32(_ONES)  # type: ignore[no-any-return]
