"""The frames of a TFRecord file: both checksums of every record checked, one block in memory at a time.

===============  =======  ===================================
bytes            type     content
===============  =======  ===================================
0 to 7           uint64   length L of the payload
8 to 11          uint32   masked CRC-32C of the bytes 0 to 7
12 to 12+L-1              payload
12+L to 12+L+3   uint32   masked CRC-32C of the payload
===============  =======  ===================================

All numbers are little-endian.

Source: ``tensorflow/core/lib/io/record_writer.h``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from zcbench.datasets.nasbench101.crc32c import checksum, checksums, masked, masked_all
from zcbench.harness.errors import ZcbenchError

BLOCK = 1 << 22
"""Bytes that are read at a time."""

LONGEST = 1 << 16
"""Bytes of a payload beyond which a file is not of this benchmark, whose records have about 400."""

_HEADER, _FOOTER = 12, 4


def payloads(stream: IO[bytes], name: str, *, advance: Callable[[int], object] = lambda _: None) -> Iterator[bytes]:
    """Yield the payload of every record.

    No length is believed before its checksum and `LONGEST` have been, so that nothing is allocated for one.

    Args:
        stream: the file.
        name: what to call it in an error.
        advance: called with the number of bytes of every block that has been read.

    Raises:
        ZcbenchError: at the first record that is damaged, cut off or too long.
    """
    lengths: dict[bytes, int] = {}  # of headers that have been checked: there are some hundreds of different ones
    rest, number = b"", 1
    while chunk := stream.read(BLOCK):
        advance(len(chunk))
        block = rest + chunk
        starts, stops, end = _frames(block, number, name, lengths)
        _check(block, starts, stops, number, name)
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            yield block[start:stop]
        rest, number = block[end:], number + len(starts)
    if rest:
        raise ZcbenchError(f"cannot use {name}, record {number}: it is cut off: get the file anew")


def _frames(
    block: bytes, number: int, name: str, lengths: dict[bytes, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return where the payloads of all whole records begin and end, and where the first cut-off one begins."""
    starts: list[int] = []
    stops: list[int] = []
    at = 0
    while at + _HEADER <= len(block):
        header = block[at : at + _HEADER]
        length = lengths.get(header)
        if length is None:
            length = lengths[header] = _length(header, number + len(starts), name)
        stop = at + _HEADER + length
        if stop + _FOOTER > len(block):
            break
        starts.append(at + _HEADER)
        stops.append(stop)
        at = stop + _FOOTER
    return np.array(starts, np.int64), np.array(stops, np.int64), at


def _length(header: bytes, number: int, name: str) -> int:
    length, stored = struct.unpack("<QI", header)
    if masked(checksum(header[:8])) != stored:
        what = "it is no TFRecord file" if number == 1 else "the file is damaged"
        raise ZcbenchError(f"cannot use {name}, record {number}: wrong checksum of its length: {what}")
    if not 0 < length <= LONGEST:
        raise ZcbenchError(
            f"cannot use {name}, record {number}: {length} bytes are no record of NAS-Bench-101 (1 to {LONGEST})"
        )
    return int(length)


def _check(block: bytes, starts: NDArray[np.int64], stops: NDArray[np.int64], number: int, name: str) -> None:
    if not len(starts):
        return
    footers = np.frombuffer(block, np.uint8)[stops[:, None] + np.arange(_FOOTER)]  # [n, 4]
    stored = np.ascontiguousarray(footers).view("<u4")[:, 0]
    wrong = np.flatnonzero(masked_all(checksums(block, starts, stops)) != stored)
    if len(wrong):
        raise ZcbenchError(
            f"cannot use {name}, record {number + int(wrong[0])}: wrong checksum: the file is damaged, get it anew"
        )
