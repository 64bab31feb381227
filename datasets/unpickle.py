"""Read pickles from strangers: no code runs, and only what a format really contains gets in.

A pickle names the classes and functions that it wants called. Here each format states the few names
that its real files contain; every other name is refused before anything is called. The names of numpy
are answered by plain stand-ins, because numpy's own ``__setstate__`` trusts its input (a forged dtype
may carry flags that turn bytes into pointers). What else a pickle can do without any name is refused by
`zcbench.datasets.opcodes` before it is loaded.
"""

import io
import pickle
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import IO, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from zcbench.datasets.opcodes import look_through, unsafe
from zcbench.harness.errors import ZcbenchError

Globals: TypeAlias = Mapping[tuple[str, str], object]
T = TypeVar("T")

_PLAIN_DTYPE = re.compile(r"[biuf][1248]")


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows only the names of one format.

    Args:
        stream: the pickle.
        allowed: what stands for each (module, name) that the format contains.
        name: what to call the file in an error.
        encoding: how Python 2 strings are decoded; ``bytes`` leaves them as they are.
    """

    def __init__(self, stream: IO[bytes], *, allowed: Globals, name: str, encoding: str) -> None:
        super().__init__(stream, encoding=encoding)
        self._allowed = allowed
        self._name = name

    def find_class(self, module: str, name: str, /) -> Any:
        """Return what stands for the name.

        Raises:
            UnsafeFileError: if the format does not contain it.
        """
        try:
            return self._allowed[module, name]
        except KeyError:
            raise unsafe(self._name, f"{module}.{name}") from None


def load(
    stream: IO[bytes], *, allowed: Globals, name: str, encoding: str = "ASCII", whole: bool = False,
    installed: bool = False,
) -> object:
    """Read one pickle.

    Args:
        stream: the pickle.
        allowed: what stands for each (module, name) that the format contains. What stands there must not be open to
            changes, since a pickle can set attributes of it.
        name: what to call the file in an error.
        encoding: how Python 2 strings are decoded.
        whole: refuse bytes after its end.
        installed: the file is part of an installed package, so that it costs what it is known to cost.

    Raises:
        UnsafeFileError: if it asks for any other name, or for what no file of a benchmark asks for.
        ZcbenchError: if it is truncated, damaged or no pickle at all.
    """

    def read() -> object:
        data = stream.read()
        end = len(data) if installed else look_through(data, name)
        if whole and end < len(data):
            raise ValueError("there is more after its end")
        return RestrictedUnpickler(io.BytesIO(data), allowed=allowed, name=name, encoding=encoding).load()

    return reading(name, read)


def reading(name: str, read: Callable[[], T]) -> T:
    """Call a parser on a file that may be anything, so that a bad file becomes one line.

    Args:
        name: what to call the file in an error.
        read: the parser. It may raise anything: a damaged file reaches parsers in states that they do
            not foresee.

    Raises:
        ZcbenchError: if the parser failed.
    """
    try:
        return read()
    except ZcbenchError:
        raise
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise ZcbenchError(f"cannot read {name}: truncated, damaged or of another format ({why})") from error


class Fixed(type):
    """A class whose own attributes a pickle cannot set; those of its objects it can."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise AttributeError(f"{cls.__name__}.{name} cannot be set")


class ArrayStandIn(metaclass=Fixed):
    """What a pickled numpy array becomes: read ``array`` after loading.

    Attributes:
        array: the values; empty until the pickle has delivered them.
    """

    array: NDArray[Any]

    def __init__(self, *_: object) -> None:
        self.array = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[int, tuple[int, ...], "DTypeStandIn", bool, bytes]) -> None:
        _, shape, dtype, fortran, raw = state
        values = np.frombuffer(raw, dtype.dtype)
        self.array = values.reshape(shape, order="F" if fortran else "C")


class DTypeStandIn(metaclass=Fixed):
    """What a pickled ``numpy.dtype`` becomes; only plain booleans, integers and floats are accepted.

    Attributes:
        dtype: the real dtype.
    """

    dtype: np.dtype[Any]

    def __init__(self, code: str | bytes, *_: object) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else code
        if not _PLAIN_DTYPE.fullmatch(text):
            raise ValueError(f"dtype {text!r} is not a plain number")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


def scalar(dtype: DTypeStandIn, raw: bytes) -> float:
    """Stand in for ``numpy.core.multiarray.scalar``: one number, as a Python number."""
    return np.frombuffer(raw, dtype.dtype, count=1)[0].item()  # type: ignore[no-any-return]


def _latin1(text: str, encoding: str) -> bytes:
    """Stand in for ``_codecs.encode``, with which protocol 2 writes bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"encoding {encoding!r} instead of latin1")
    return text.encode("latin1")


def fixed(function: Callable[..., object]) -> object:
    """Return a function without attributes that a pickle could set, its defaults for one."""
    return function.__call__  # type: ignore[operator]


_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")  # numpy 1 and numpy 2

NUMPY_SCALARS: Globals = MappingProxyType(
    {("numpy", "dtype"): DTypeStandIn, **{(module, "scalar"): fixed(scalar) for module in _MULTIARRAY}}
)
"""Names in a pickle that contains numpy numbers, but no arrays."""

NUMPY_ARRAYS: Globals = MappingProxyType(
    {
        ("numpy", "dtype"): DTypeStandIn,
        ("numpy", "ndarray"): None,  # only ever an argument of _reconstruct, never called
        ("_codecs", "encode"): fixed(_latin1),
        **{(module, "_reconstruct"): ArrayStandIn for module in _MULTIARRAY},
    }
)
"""Names in a pickle that contains numpy arrays of plain numbers."""
