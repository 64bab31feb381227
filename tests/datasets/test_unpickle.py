import io
import os
import pickle

import numpy as np
import pytest

from zcbench.datasets import unpickle
from zcbench.harness.errors import UnsafeFileError, ZcbenchError


class Hostile:
    """Pickles to a call of os.system."""

    def __reduce__(self):
        return os.system, ("touch /tmp/zcbench-was-here",)


def load(value, allowed=unpickle.NUMPY_ARRAYS, protocol=4):
    return unpickle.load(io.BytesIO(pickle.dumps(value, protocol)), allowed=allowed, name="a file")


@pytest.mark.parametrize("protocol", range(5))
def test_a_pickle_that_would_run_code_is_refused_and_named(protocol):
    with pytest.raises(UnsafeFileError, match=r"refused to load a file: it asks for posix\.system, which"):
        load([1, Hostile()], protocol=protocol)


@pytest.mark.parametrize("name", ["builtins eval", "numpy load", "numpy.core.multiarray scalar.__class__"])
def test_names_outside_the_list_are_refused(name):
    module, attribute = name.split()
    content = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode()
    content += b"\x8c" + bytes([len(attribute)]) + attribute.encode() + b"\x93."
    with pytest.raises(UnsafeFileError, match=f"it asks for {module}.{attribute}"):
        unpickle.load(io.BytesIO(content), allowed=unpickle.NUMPY_ARRAYS, name="a file")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(5, dtype=">i4"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_arrays_come_back(array, protocol):
    loaded = load(array, protocol=protocol)
    np.testing.assert_array_equal(loaded.array, array)


@pytest.mark.parametrize("number", [np.float64(1.5), np.float32(0.25), np.int64(-3), np.dtype(">f8").type(2)])
def test_scalars_become_python_numbers(number):
    loaded = load({"x": number}, unpickle.NUMPY_SCALARS)["x"]
    assert loaded == number
    assert type(loaded) in (int, float)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        b"garbage",
        b"<html>404</html>",
        pickle.dumps(list(range(1000)))[:-20],
        b"cos\n",
        b"\x80\x04(((((.",
        b"\x80\x04\x93.",
        b"\x80\x04K\x01R.",
    ],
)
def test_damaged_pickles_give_one_line(content):
    with pytest.raises(ZcbenchError) as caught:
        unpickle.load(io.BytesIO(content), allowed={}, name="a file")
    assert len(str(caught.value).splitlines()) == 1
    assert "a file" in str(caught.value)


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["text"]), np.zeros(1, "i4,f4")])
def test_arrays_of_anything_but_numbers_are_refused(array):
    with pytest.raises(ZcbenchError):
        load(array)


def test_a_forged_array_is_refused():
    forged = unpickle.ArrayStandIn()
    with pytest.raises(ValueError, match="reshape"):
        forged.__setstate__((1, (1_000_000,), unpickle.DTypeStandIn("u1"), False, b"abc"))


def test_a_python_2_dtype_has_bytes_where_python_3_has_text():
    dtype = unpickle.DTypeStandIn(b"i4", 0, 1)
    dtype.__setstate__((3, b">", None, None, None, -1, -1, 0))
    assert dtype.dtype == np.dtype(">i4")
