"""NATS-Bench files against the list of architectures beside them, and files that decompress to far too much."""

import bz2
import os
import pickle
import shutil
import subprocess
import sys

import pytest

from zcbench.datasets import nats_files
from zcbench.datasets.nasbench201.convert import convert as convert_topology
from zcbench.datasets.natsbench_size.convert import convert as convert_size
from zcbench.harness.errors import UnsafeFileError, ZcbenchError

FOLDERS = {"NATS-tss-v1_0-3ffb9-simple": convert_topology, "NATS-sss-v1_0-50262-simple": convert_size}
META = "meta.pickle.pbz2"


@pytest.fixture(params=FOLDERS)
def real(request, data_folder, tmp_path):
    """A copy of the real records of one space, and what converts it."""
    folder = tmp_path / request.param
    shutil.copytree(data_folder / "fixtures" / "nats_bench" / request.param, folder)
    return folder, FOLDERS[request.param]


def packed(path, content):
    path.write_bytes(bz2.compress(pickle.dumps(content, 4)))


def refused(folder, convert, kind=ZcbenchError):
    out = folder.parent / "out.parquet"
    with pytest.raises(kind) as caught:
        convert(folder, out)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert not out.exists()
    return message


def test_the_real_list_agrees_with_the_real_records(real):
    folder, convert = real
    out = folder.parent / "out.parquet"
    with_list = convert(folder, out)
    assert with_list.architectures == 3
    (folder / META).unlink()
    assert convert(folder, out) == with_list


def test_a_record_that_is_not_the_one_of_its_number_is_refused(real):
    folder, convert = real
    listed = nats_files.load(folder / META)["meta_archs"]
    first, second = folder / "000000.pickle.pbz2", folder / "000011.pickle.pbz2"
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)
    message = refused(folder, convert)
    assert message == (
        f"cannot use {first}: its architecture is {listed[11]!r}, but {META} lists {listed[0]!r} there"
    )
    second.rename(folder / "99999999999.pickle.pbz2")
    first.unlink()
    (folder / "000284.pickle.pbz2").unlink()
    assert f"its name is no number of the {len(listed)} architectures in {META}" in refused(folder, convert)


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_list_of_another_form_is_refused(real):
    folder, convert = real
    path = folder / META
    packed(path, {"meta_archs": Hostile()})
    assert f"refused to load {path}: it asks for posix.system" in refused(folder, convert, UnsafeFileError)
    for content in (None, [], {}, {"meta_archs": None}, {"meta_archs": "abc"}, {"meta_archs": ["a", 1]}):
        packed(path, content)
        assert refused(folder, convert) == f'cannot use {path}: it has no list of architectures in "meta_archs"'
    for content in (b"", b"BZh9", bz2.compress(b"no pickle")):
        path.write_bytes(content)
        assert f"cannot read {path}: truncated, damaged" in refused(folder, convert)


# ---------------------------------------------------------------- what decompresses to far too much


def compressed(path, head, unit, number, tail):
    """Write a bz2 file of many equal parts without having them in memory."""
    compressor = bz2.BZ2Compressor()
    with path.open("wb") as stream:
        stream.write(compressor.compress(head))
        for _ in range(number):
            stream.write(compressor.compress(unit))
        stream.write(compressor.compress(tail) + compressor.flush())
    return path


MEGABYTES = 300
ZEROS = bytes(1_000_000)
SIZE = (MEGABYTES * len(ZEROS)).to_bytes(8, "little")
BOMBS = {
    "bytes": (b"\x80\x04\x8e" + SIZE, ZEROS, b"."),
    "text": (b"\x80\x04\x8d" + SIZE, ZEROS, b"."),
    "frame": (b"\x80\x04\x95" + SIZE, ZEROS, b"."),
    "line": (b"I", b"1" * 1_000_000, b"\n."),
    "lists": (b"\x80\x04(", b"]" * 1_000_000, b"l."),
    "small pieces": (b"\x80\x04(", (b"B" + (999_995).to_bytes(4, "little") + bytes(999_995)), b"l."),
}
FRESH = """
import re, resource, sys
from pathlib import Path
from zcbench.datasets import nats_files
from zcbench.harness.errors import ZcbenchError
def peak():  # not getrusage: its peak begins with that of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
before = peak()
try:
    list(nats_files.read_file(Path(sys.argv[1])))
except ZcbenchError as error:
    print((peak() - before) // 1024, error)
"""


@pytest.mark.parametrize("bomb", ["bytes", "small pieces"])
def test_a_small_file_never_becomes_gigabytes_of_memory(bomb, tmp_path):
    head, unit, tail = BOMBS[bomb]
    path = compressed(tmp_path / "000000.pickle.pbz2", head, unit, MEGABYTES, tail)
    assert path.stat().st_size < 10_000
    done = subprocess.run([sys.executable, "-c", FRESH, str(path)], capture_output=True, text=True, check=True)
    megabytes, _, message = done.stdout.partition(" ")
    assert f"cannot read {path}: it decompresses to more than 64,000,000 bytes" in message
    assert int(megabytes) < 150  # the limit of 64 MB, and the interpreter's own


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("name", ["000000.pickle.pbz2", "NATS-tss-v1_0-3ffb9.pickle.pbz2"])
def test_every_kind_of_piece_has_an_end(bomb, name, tmp_path, monkeypatch):
    monkeypatch.setattr(nats_files, "PIECE", 3_000_000)
    head, unit, tail = BOMBS[bomb]
    path = compressed(tmp_path / name, head, unit, 9, tail)
    with pytest.raises(ZcbenchError, match=r"it decompresses to more than [0-9,]+ bytes, as no file of NATS-Bench"):
        list(nats_files.read_file(path))


def test_a_single_file_may_be_large_in_proportion_to_its_own_size(tmp_path, monkeypatch):
    cells = {str(n): [os.urandom(300).hex() * 2] for n in range(400)}
    path = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    packed(path, {"arch2infos": cells})
    monkeypatch.setattr(nats_files, "PIECE", 100_000)
    assert nats_files.load(path, ratio=nats_files.RATIO) == {"arch2infos": cells}
    with pytest.raises(ZcbenchError, match="it decompresses to more than 100,000 bytes"):
        nats_files.load(path)
