"""Hostile pickles, torch files and archives, made here: each is refused by the name of what it asks for, in one line.

Everything is loaded in this process: a file that got through would leave the file `trace` behind, or end the process.
"""

import builtins
import bz2
import io
import lzma
import os
import pickle
import struct
import subprocess
import tarfile
import tracemalloc
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zcbench.datasets import nats_files, torch_file, unpickle
from zcbench.datasets.images.files import read_pickle
from zcbench.datasets.nasbench201 import hardware_pickle
from zcbench.datasets.nasbench301 import lightgbm_file, xgboost_file
from zcbench.datasets.opcodes import DEEPEST, look_through
from zcbench.datasets.unpack import check, unpack
from zcbench.harness.errors import UnsafeFileError, ZcbenchError

PROTO = b"\x80\x04"


class Calls:
    """Pickles to a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class WithState:
    """Pickles to a harmless call, and then a state that runs code."""

    def __reduce__(self) -> Any:
        return OrderedDict, (), {"__setstate__": Calls(os.system, "touch trace")}


def named(module: str, name: str) -> bytes:
    """Push a global."""
    return b"\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93"


CALLS: dict[str, tuple[Any, str]] = {
    "os.system": (Calls(os.system, "touch trace"), "posix.system"),
    "eval": (Calls(builtins.eval, "open('trace', 'w')"), "builtins.eval"),
    "exec": (Calls(builtins.exec, "open('trace', 'w')"), "builtins.exec"),
    "getattr": (Calls(getattr, Calls(builtins.__import__, "os"), "system"), "builtins.getattr"),
    "import": (Calls(builtins.__import__, "os"), "builtins.__import__"),
    "subprocess": (Calls(subprocess.Popen, ["touch", "trace"]), "subprocess.Popen"),
    "deep inside": ({"a": [({"b": (1, Calls(os.system, "touch trace"))},)]}, "posix.system"),
    "an argument that is a call": (Calls(sorted, [1], Calls(os.system, "touch trace")), "builtins.sorted"),
    "a state that runs code": (WithState(), "posix.system"),
    "open": (Calls(open, "trace", "w"), "io.open"),
    "numpy.load": (Calls(np.load, "trace", None, True), "numpy.load"),
    "torch.load": (Calls(torch.load, "trace"), "torch.serialization.load"),
    "a tensor of numpy": (Calls(np.frombuffer, b"x"), "numpy.frombuffer"),
}


def refused(load: Callable[[], object], *, unsafe: bool = True) -> str:
    """Return the line; nothing was executed."""
    with pytest.raises(UnsafeFileError if unsafe else ZcbenchError) as caught:
        load()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert not Path("trace").exists()
    return line


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_pickle(content: bytes) -> object:
    return unpickle.load(io.BytesIO(content), allowed=unpickle.NUMPY_ARRAYS, name="a file")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", CALLS)
def test_what_a_pickle_would_call_is_named(name: str, protocol: int) -> None:
    value, called = CALLS[name]
    content = pickle.dumps(value, protocol)
    line = refused(lambda: unpickle.load(io.BytesIO(content), allowed=torch_file.GLOBALS, name="a file"))
    names = {called, called.replace("builtins", "__builtin__"), called.replace("subprocess", "commands")}  # Python 2's
    assert line.removeprefix("refused to load a file: it asks for ").partition(", which")[0] in names


READERS: dict[str, Callable[[Path], object]] = {
    "x.pbz2": lambda path: list(nats_files.read_file(path)),
    "x.pickle": hardware_pickle.read,
    "data_batch_1": lambda path: read_pickle(path, "labels", 32),
    "xgb.model": xgboost_file.read,
    "lgb.model": lightgbm_file.read,
    "x.pth": torch_file.load,
    "legacy.pth": torch_file.load,
}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_names_what_a_file_would_call(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    hostile = {"data": Calls(os.system, "touch trace")}
    if name.endswith(".pth"):
        torch.save(hostile, path, _use_new_zipfile_serialization=name == "x.pth")
    else:
        content = pickle.dumps(hostile)
        path.write_bytes(bz2.compress(content) if name == "x.pbz2" else content)
    line = refused(lambda: READERS[name](path))
    assert line == f"refused to load {path}: it asks for posix.system, which this format never contains"


# ---------------------------------------------------------------- without any name


def laughs(opening: bytes, closing: bytes, levels: int = 40) -> bytes:
    """A container of ten references to a container of ten references to ..."""
    content = PROTO + opening + closing + b"\x94" if opening == b"(" else PROTO + opening + b"\x94"
    for level in range(levels):
        inner = b"h" + bytes([level])
        content += (b"(" + inner * 10 + closing if opening == b"(" else opening + b"(" + inner * 10 + closing) + b"\x94"
    return content + b"."


def memo_of(level: int) -> bytes:
    return b"h" + bytes([level])


def pairs(levels: int) -> bytes:
    """A dict whose key is a tuple of two equal tuples of two equal tuples ...: its hash takes 2^levels steps."""
    content = PROTO + b"}" + b"K\x01\x85\x94"
    for level in range(levels):
        content += memo_of(level) * 2 + b"\x86\x94"
    return content + b"K\x00s."


WITHOUT_NAMES: dict[str, tuple[bytes, str]] = {
    "ten lists of ten lists of ...": (laughs(b"]", b"e"), "containers in containers with"),
    "ten tuples of ten tuples of ...": (laughs(b"(", b"t"), "tuples of tuples with more than"),
    "a key that takes years to hash": (pairs(60), "tuples of tuples with more than"),
    "tuples in tuples": (PROTO + b"}" + b")" + b"\x85" * 50_000 + b"K\x00s.", f"tuples in tuples, more than {DEEPEST}"),
    "frozen sets in frozen sets": (
        PROTO + b"(" * 20_001 + b"K\x01" + b"\x91" * 20_001 + b".", f"tuples in tuples, more than {DEEPEST} deep"
    ),
    "a list in itself": (PROTO + b"]\x94h\x00a.", "a container that is in itself"),
    "a dict in its list": (PROTO + b"}\x94K\x01]\x94h\x00as.", "a container that is in itself"),
    "copies of copies": (PROTO + b"](K\x01e" + b"2\x86" * 600 + b".", "tuples of tuples with more than"),
    "a far place": (PROTO + b"Nr\xff\xff\xff\x7f.", "a place numbered 2147483647 to remember a value"),
    "a far place in digits": (b"Np99999999999\n.", "a place numbered 99999999999 to remember a value"),
    "a persistent id": (PROTO + b"K\x01Q.", "a persistent id"),
    "a persistent id in letters": (b"Pfile:///etc/passwd\n.", "a persistent id"),
    "a registered extension": (PROTO + b"\x82\x01.", "a registered extension"),
    "a buffer outside": (b"\x80\x05\x97.", "a buffer outside of the file"),
    "a read-only buffer outside": (b"\x80\x05\x97\x98.", "a buffer outside of the file"),
}


@pytest.mark.parametrize("name", WITHOUT_NAMES)
def test_what_a_pickle_asks_for_without_a_name_is_named(name: str) -> None:
    content, asked = WITHOUT_NAMES[name]
    tracemalloc.start()
    line = refused(lambda: of_pickle(content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert line.startswith(f"refused to load a file: it asks for {asked}")
    assert peak < 100 << 20


LENGTHS = {
    "bytes": b"\x8e" + struct.pack("<Q", 1 << 40), "text": b"\x8d" + struct.pack("<Q", 1 << 40),
    "a bytearray": b"\x96" + struct.pack("<Q", 1 << 40), "a number": b"\x8b" + struct.pack("<i", (1 << 31) - 1),
    "a frame": b"\x95" + struct.pack("<Q", 1 << 62), "short bytes": b"B\xff\xff\xff\xff",
}  # fmt: skip


@pytest.mark.parametrize("name", LENGTHS)
def test_a_length_that_is_not_there_is_no_memory(name: str) -> None:
    assert "it breaks off" in refused(lambda: of_pickle(PROTO + LENGTHS[name] + b"x."), unsafe=False)


SHAPES = [(1 << 40,), (1 << 62, 4), (-1, 7), (0, 1 << 62), ((),), ("x",)]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_array_of_another_size_than_its_bytes_is_refused(shape: Any) -> None:
    stand_in = unpickle.ArrayStandIn()
    try:
        stand_in.__setstate__((1, shape, unpickle.DTypeStandIn("u1"), False, b"abcdefgh"))
    except (TypeError, ValueError, OverflowError):
        return
    raise AssertionError(stand_in.array.shape)


def test_an_array_of_objects_is_refused() -> None:
    content = pickle.dumps(np.array([{"a": 1}], dtype=object))
    assert "dtype 'O8' is not a plain number" in refused(lambda: of_pickle(content), unsafe=False)


def test_what_real_files_have_gets_in() -> None:
    """One list twice, as an object in memory may have it, and a text again and again."""
    shared = [{"arch_str": "a"}] * 500
    content = pickle.dumps({"cifar10": shared, "cifar100": shared, "ImageNet16-120": shared, "x": ["text"] * 9_000})
    assert look_through(content, "a file") == len(content)
    assert of_pickle(content)["cifar100"] == shared  # type: ignore[index]


def setting(name: tuple[str, str], state: bytes) -> bytes:
    """Set attributes of what a name stands for."""
    return PROTO + named(*name) + b"N" + state + b"\x86b."


KNOWN = {"torch": torch_file.GLOBALS, "numpy": unpickle.NUMPY_ARRAYS, "xgboost": xgboost_file.GLOBALS,
         "lightgbm": lightgbm_file.GLOBALS}  # fmt: skip


@pytest.mark.parametrize("form", KNOWN)
def test_a_pickle_changes_nothing_of_what_reads_the_next_one(form: str) -> None:
    allowed = KNOWN[form]
    for name in allowed:
        for attribute, value in (("__defaults__", b"N"), ("array", b"K\x01"), ("__setstate__", b"N"), ("x", b"K\x01")):
            state = b"}\x8c" + bytes([len(attribute)]) + attribute.encode() + value + b"s"
            content = setting(name, state)

            def load(content: bytes = content) -> object:
                return unpickle.load(io.BytesIO(content), allowed=allowed, name="a file")

            with pytest.raises(ZcbenchError):
                load()


# ---------------------------------------------------------------- torch files


def twice(path: Path, name: str, *contents: bytes) -> None:
    """A zip file with one name for several files."""
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for content in contents:
            archive.writestr(name, content)


def torch_pickle(content: bytes, folder: Path, **parts: bytes) -> Path:
    path = folder / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", content)
        archive.writestr("a/data/0", b"\0" * 16)
        for name, part in parts.items():
            archive.writestr(f"a/{name}", part)
    return path


def tensor(size: bytes, stride: bytes, offset: bytes = b"K\x00", key: bytes = b"0") -> bytes:
    """A tensor of the storage 0 with four numbers."""
    storage = b"(\x8c\x07storage" + named("torch", "FloatStorage") + b"\x8c" + bytes([len(key)]) + key + \
        b"\x8c\x03cpuK\x04tQ"  # fmt: skip
    return PROTO + named("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + offset + size + stride + b"\x89}tR."


BIG = b"\x8a\x06\x00\x00\x00\x00\x00\x01"
TENSORS = {
    "absurd size": (tensor(BIG + b"\x85", b"K\x01\x85"), "without storage, place or shape"),
    "a large size": (tensor(b"J\xff\xff\xff\x7f\x85", b"K\x01\x85"), "in a storage of 4"),
    "no stride": (tensor(b"J\x00\x00\x00\x40\x85", b"K\x00\x85"), "not stored one number after the other"),
    "a negative offset": (tensor(b"K\x04\x85", b"K\x01\x85", b"J\xff\xff\xff\xff"), "without storage, place or shape"),
    "beyond its storage": (tensor(b"K\x04\x85", b"K\x01\x85", b"K\x01"), "in a storage of 4"),
    "a negative size": (tensor(b"J\xff\xff\xff\xff\x85", b"K\x01\x85"), "without storage, place or shape"),
    "a storage that is not there": (tensor(b"K\x04\x85", b"K\x01\x85", key=b"7"), "it lacks the numbers of storage 7"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_that_is_not_there_is_no_memory(name: str, tmp_path: Path) -> None:
    content, said = TENSORS[name]
    found = torch_file.load(torch_pickle(content, tmp_path))
    assert isinstance(found, torch_file.Tensor)
    with pytest.raises(ValueError, match=said):
        found.array()


def test_a_storage_is_no_path(tmp_path: Path) -> None:
    path = torch_pickle(tensor(b"K\x04\x85", b"K\x01\x85", key=b"../../etc"), tmp_path)
    assert "a storage without a key" in refused(lambda: torch_file.load(path), unsafe=False)


@pytest.mark.parametrize(
    ("module", "name"),
    [("builtins", "bytearray"), ("torch._utils", "_rebuild_sparse_tensor"), ("torch._tensor", "_rebuild_from_type_v2"),
     ("torch._utils", "_rebuild_meta_tensor_no_storage"), ("collections", "Counter"),
     ("torch.storage", "_load_from_bytes"),
     ("torch._utils", "_rebuild_wrapper_subclass"), ("torch", "Size"), ("functools", "partial")],
)  # fmt: skip
def test_what_torchs_safe_loading_knows_beyond_the_format_is_refused(module: str, name: str, tmp_path: Path) -> None:
    path = torch_pickle(PROTO + named(module, name) + b"J\xff\xff\xff\x7f\x85R.", tmp_path)
    assert f"it asks for {module}.{name}, which" in refused(lambda: torch_file.load(path))


def test_torch_files_that_are_compressed_or_double_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", PROTO + b"\x8e" + struct.pack("<Q", 10 << 20) + bytes(10 << 20) + b".")
    assert path.stat().st_size < 200_000
    assert "its part 'a/data.pkl' is compressed, as none is" in refused(lambda: torch_file.load(path), unsafe=False)
    twice(path, "a/data.pkl", PROTO + b"N.", PROTO + b"K\x01.")
    assert "it has the part 'a/data.pkl' twice" in refused(lambda: torch_file.load(path), unsafe=False)
    path = torch_pickle(PROTO + b"N.", tmp_path, byteorder=b"big")
    assert "most significant byte first" in refused(lambda: torch_file.load(path), unsafe=False)


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_of_real_torch_files_come_back(legacy: bool, tmp_path: Path) -> None:
    whole = torch.arange(24.0)
    content = {"a": whole.view(2, 3, 4), "b": whole[5:9], "c": torch.tensor(3), "d": torch.ones(0, 2),
               "e": torch.nn.Parameter(torch.ones(2).double()), "f": {1, 2}, "g": [np.float64(0.5)]}  # fmt: skip
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=not legacy)
    found = torch_file.load(tmp_path / "x.pth")
    assert isinstance(found, dict)
    assert (found["f"], found["g"]) == ({1, 2}, [0.5])
    for name in "abcde":
        np.testing.assert_array_equal(found[name].array(), content[name].detach().numpy())  # type: ignore[attr-defined]


# ---------------------------------------------------------------- archives


def tar(path: Path, *members: tuple[str, dict[str, Any], bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, fields, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for field, value in fields.items():
                setattr(entry, field, value)
            archive.addfile(entry, io.BytesIO(content))
    return path


SYMLINK, HARDLINK = {"type": tarfile.SYMTYPE, "linkname": "/tmp"}, {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}
MEMBERS: dict[str, tuple[tuple[tuple[str, dict[str, Any], bytes], ...], str]] = {
    "up and out": ((("top/../../trace", {}, b"x"),), "top/../../trace would leave the folder"),
    "absolute": ((("/top/trace", {}, b"x"),), "/top/trace would leave the folder"),
    "a link and a file through it": (
        (("top/out", SYMLINK, b""), ("top/out/trace", {}, b"x")), "top/out is a link or a device",
    ),
    "a hard link": ((("top/passwd", HARDLINK, b""),), "top/passwd is a link or a device"),
    "a device": ((("top/null", {"type": tarfile.CHRTYPE}, b""),), "top/null is a link or a device"),
    "a disk": ((("top/disk", {"type": tarfile.BLKTYPE}, b""),), "top/disk is a link or a device"),
    "a pipe": ((("top/pipe", {"type": tarfile.FIFOTYPE}, b""),), "top/pipe is a link or a device"),
    "a drive of Windows": ((("C:/top/trace", {}, b"x"),), "C:/top/trace would leave the folder"),
    "a name of Windows": ((("top\\..\\..\\trace", {}, b"x"),), "would leave the folder"),
    "a stream of Windows": ((("top/a.txt:trace", {}, b"x"),), "top/a.txt:trace would leave the folder"),
    "a share of Windows": ((("\\\\host\\top\\trace", {}, b"x"),), "would leave the folder"),
    "a name that hides its end": ((("top/../\u202etxt.exe", {}, b"x"),), r"'top/../\u202etxt.exe' would leave"),
    "a name that clears the screen": ((("/\x1b[2Jtop", {}, b"x"),), r"'/\x1b[2Jtop' would leave the folder"),
    "beside the folder": ((("top/a", {}, b"x"), ("other/../../trace", {}, b"x")), "other/../../trace would leave"),
}  # fmt: skip


@pytest.mark.parametrize("name", MEMBERS)
def test_a_hostile_member_is_named(name: str, tmp_path: Path) -> None:
    members, said = MEMBERS[name]
    path = tar(tmp_path / "x.tar", *members)
    line = refused(lambda: unpack(path, tmp_path / "in" / "top", inside="top", progress=lambda _: None))
    assert line.startswith(f"refused to unpack {path}: its member ")
    assert said in line
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["in", "x.tar"]


def test_members_twice_are_refused_by_name(tmp_path: Path) -> None:
    twice(tmp_path / "x.zip", "top/a", b"1", b"2")
    line = refused(lambda: unpack(tmp_path / "x.zip", tmp_path / "top", inside="top", progress=lambda _: None))
    assert "its member top/a is there twice" in line


def zeros(path: Path, megabytes: int) -> Path:
    """A small archive of one large file of zeros."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        entry = tarfile.TarInfo("top/zeros")
        entry.size = megabytes << 20
        archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    press = {".bz2": bz2.compress, ".xz": lzma.compress}[path.suffix]
    path.write_bytes(press(content.getvalue()))
    return path


@pytest.mark.parametrize("name", ["x.tar.bz2", "x.zip"])
def test_a_bomb_is_refused_by_its_member(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zcbench.datasets.unpack.MOST", 8 << 20)
    monkeypatch.setattr("zcbench.datasets.unpack.RATIO", 0)
    path = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("top/zeros", bytes(20 << 20))
    else:
        zeros(path, 20)
    assert path.stat().st_size < 100_000
    for use in (lambda: check(path), lambda: unpack(path, tmp_path / "top", inside="top", progress=lambda _: None)):
        line = refused(use)
        assert "its member top/zeros unpacks to more than 8,388,608 bytes" in line
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_zip_that_lies_about_sizes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/a", bytes(100_000))
    content = path.read_bytes().replace(struct.pack("<I", 100_000), struct.pack("<I", 10))
    path.write_bytes(content)
    refused(lambda: unpack(path, tmp_path / "top", inside="top", progress=lambda _: None), unsafe=False)


def test_a_sparse_tar_is_refused_by_name(tmp_path: Path) -> None:
    """A header that says that 512 bytes are a file of a terabyte."""
    path = tar(tmp_path / "x.tar", ("top/sparse", {"type": tarfile.GNUTYPE_SPARSE}, b"x" * 512))
    line = refused(lambda: unpack(path, tmp_path / "top", inside="top", progress=lambda _: None), unsafe=False)
    assert "top/sparse" in line
