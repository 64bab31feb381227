"""Read what ``torch.save`` wrote without torch: plain containers, numbers, and tensors as numpy arrays.

`torch.load` with ``weights_only`` knows many more names than a benchmark's file contains (a bytearray of any
length, sparse and nested tensors, subclasses), and reserves memory for whatever sizes a file states. Here the names
are those of `GLOBALS`, and an array is made only of bytes that are there.

Both forms are read. A zip file has ``NAME/data.pkl``, the pickle, and ``NAME/data/KEY`` for the numbers of each
storage, neither compressed. The older form is a row of pickles: a magic number, a version, a description of the
machine, the content and the keys of its storages; and then for each key the number of its elements (8 bytes) and
these.

Source: ``torch/serialization.py`` and ``torch/_utils.py`` of PyTorch 2.6.
"""

from __future__ import annotations

import io
import itertools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from zcbench.datasets import unpickle
from zcbench.datasets.opcodes import look_through
from zcbench.harness.errors import ZcbenchError

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001

_STORAGES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1", "BoolStorage": "?",
}  # fmt: skip
_LARGEST_DIMENSION = 1 << 40


class _Kind(str):
    """The type of a storage, as its numpy dtype."""

    __slots__ = ()


class Tensor(metaclass=unpickle.Fixed):
    """What a tensor becomes: ``array()`` has its numbers.

    Args:
        storage: how to get all numbers of its storage.
        offset: where in them it begins.
        size: its shape.
        stride: elements between neighbours, by dimension.
    """

    __slots__ = ("_offset", "_size", "_storage", "_stride")

    def __init__(self, storage: object, offset: object, size: object, stride: object, *_: object) -> None:
        self._storage, self._offset, self._size, self._stride = storage, offset, size, stride

    def array(self) -> NDArray[Any]:
        """Return the numbers.

        Raises:
            ValueError: if they are not stored one after the other, or not all there.
        """
        size, storage = self._size, self._storage
        whole = (self._offset, *size) if isinstance(size, tuple) else (None,)
        if not isinstance(storage, _Storage) or not all(
            type(number) is int and 0 <= number < _LARGEST_DIMENSION for number in whole
        ):
            raise ValueError("a tensor without storage, place or shape")
        count = 1
        expected: list[int] = []
        for length in reversed(whole[1:]):
            expected.insert(0, count)
            count *= max(1, length)
        if tuple(expected) != self._stride and count > 1:
            raise ValueError(f"a tensor of shape {size!r:.60} that is not stored one number after the other")
        numbers = storage.numbers()
        if any(length == 0 for length in whole[1:]):
            return numbers[:0].reshape(whole[1:])
        begin = whole[0]
        if begin + count > len(numbers):
            raise ValueError(f"a tensor of {count:,} numbers in a storage of {len(numbers):,}")
        return numbers[begin : begin + count].reshape(whole[1:])


class _Storage:
    """The numbers of some tensors."""

    __slots__ = ("_dtype", "_raw")

    def __init__(self, dtype: str, raw: Callable[[], bytes]) -> None:
        self._dtype, self._raw = dtype, raw

    def numbers(self) -> NDArray[Any]:
        """Return all of them, [n]."""
        raw, dtype = self._raw(), np.dtype(self._dtype)
        return np.frombuffer(raw, dtype, len(raw) // dtype.itemsize)


def _as_it_is(value: object, *_: object) -> object:
    """Stand in for what makes a parameter of a tensor."""
    return value


GLOBALS: unpickle.Globals = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    ("torch._utils", "_rebuild_tensor_v2"): Tensor,
    ("torch._utils", "_rebuild_parameter"): unpickle.fixed(_as_it_is),
    ("_codecs", "encode"): unpickle.NUMPY_ARRAYS["_codecs", "encode"],
    **unpickle.NUMPY_SCALARS,
    **{("torch", name): _Kind(dtype) for name, dtype in _STORAGES.items()},
}
"""Names in a file of records, or of the state of a network."""


class _Unpickler(unpickle.RestrictedUnpickler):
    """Knows the storages of a file by their persistent ids."""

    def __init__(self, data: bytes, name: str, raw: Callable[[str], bytes]) -> None:
        super().__init__(io.BytesIO(data), allowed=GLOBALS, name=name, encoding="utf-8")
        self._raw = raw
        self.kinds: dict[str, _Kind] = {}

    def persistent_load(self, pid: Any, /) -> _Storage:
        """Return the storage of an id ``("storage", type, key, device, number of elements, ...)``."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], _Kind):
            raise ValueError("a persistent id that names no storage")
        key = pid[2]
        if not isinstance(key, str) or not key.isalnum():
            raise ValueError("a storage without a key")
        self.kinds[key] = pid[1]
        return _Storage(pid[1], lambda: self._raw(key))


def load(path: Path) -> object:
    """Read a file that ``torch.save`` wrote.

    Returns:
        Its content; a tensor is a `Tensor`.

    Raises:
        UnsafeFileError: if it asks for anything but the names of `GLOBALS`.
        ZcbenchError: if it is truncated, damaged or no torch file.
    """
    return unpickle.reading(str(path), lambda: _load(path))


def _load(path: Path) -> object:
    with path.open("rb") as stream:
        if stream.read(2) == b"PK":
            return _of_zip(path)
        stream.seek(0)
        return _of_pickles(stream, str(path))


def _of_zip(path: Path) -> object:
    with zipfile.ZipFile(path) as archive:
        entries: dict[str, zipfile.ZipInfo] = {}
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > path.stat().st_size:
                raise ZcbenchError(f"cannot read {path}: its part {entry.filename!a:.80} is compressed, as none is")
            if entry.filename in entries:
                raise ZcbenchError(f"cannot read {path}: it has the part {entry.filename!a:.80} twice")
            entries[entry.filename] = entry
        pickles = [name for name in entries if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError(f"{len(pickles)} parts are called data.pkl")
        (pickled,) = pickles
        folder = pickled.removesuffix("data.pkl")
        if f"{folder}byteorder" in entries and archive.read(f"{folder}byteorder") != b"little":
            raise ValueError("its numbers are stored with the most significant byte first")
        wanted = {name.removeprefix(f"{folder}data/"): entry for name, entry in entries.items()}
        data = archive.read(pickled)
        look_through(data, str(path), persistent=True)

    def raw(key: str) -> bytes:
        if key not in wanted:
            raise ValueError(f"it lacks the numbers of storage {key:.40}")
        with zipfile.ZipFile(path) as again:
            return again.read(wanted[key])

    return _Unpickler(data, str(path), raw).load()


def _of_pickles(stream: IO[bytes], name: str) -> object:
    data = stream.read()
    starts = [0]
    for _ in range(5):
        starts.append(look_through(data, name, start=starts[-1], persistent=True))
    stored: dict[str, bytes] = {}
    readers = [_Unpickler(data[begin:end], name, stored.__getitem__) for begin, end in itertools.pairwise(starts)]
    magic, version, machine, content, keys = (reader.load() for reader in readers)
    if magic != MAGIC or version != VERSION:
        raise ValueError("it does not begin as a file of torch does")
    if isinstance(machine, dict) and machine.get("little_endian") is False:
        raise ValueError("its numbers are stored with the most significant byte first")
    if not isinstance(keys, list):
        raise ValueError("it has no list of storages")
    at = starts[-1]
    for key in keys:
        if at + 8 > len(data):
            raise ValueError("it breaks off")
        end = at + 8 + int.from_bytes(data[at : at + 8], "little") * np.dtype(readers[3].kinds[key]).itemsize
        if end > len(data):
            raise ValueError("it breaks off")
        stored[key], at = data[at + 8 : end], end
    return content
