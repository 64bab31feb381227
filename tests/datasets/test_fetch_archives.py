"""Archives become the folders that readers look for, whole or not at all, and nothing leaves that folder."""

import gzip
import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zcbench.datasets import images
from zcbench.datasets.fetch import Fetched, Options, fetch
from zcbench.datasets.manifest import Manifest, OfficialFile
from zcbench.datasets.unpack import check, unpack
from zcbench.harness.errors import MissingFileError, UnsafeFileError, ZcbenchError

FILES = {"top/a.bin": b"a" * 100_000, "top/sub/b.bin": b"b", "top/empty.bin": b"", "README": b"beside it"}
MAKERS: dict[str, Callable[[Path, dict[str, bytes]], None]] = {}


def _maker(name: str, mode: str) -> None:
    def make(path: Path, files: dict[str, bytes]) -> None:
        with tarfile.open(path, mode) as archive:
            for member, content in files.items():
                entry = tarfile.TarInfo(member)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

    MAKERS[name] = make


for name, mode in {"x.tar": "w", "x.tar.gz": "w:gz", "x.tar.bz2": "w:bz2", "x.tar.xz": "w:xz"}.items():
    _maker(name, mode)


def make_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(member, content)


MAKERS["x.zip"] = make_zip


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def official(name: str, content: bytes, *, known: bool = True, **more: Any) -> Manifest:
    file = OfficialFile(
        name=name, kind="archive", page="https://example.org/page", licence="MIT",
        sha256=hashlib.sha256(content).hexdigest() if known else "", **({"unpacks": "top"} | more),
    )  # fmt: skip
    return Manifest(name="bench", title="Bench", paper="A paper", files=(file,))


def quiet(number: int) -> None:
    """Show no progress."""


def get(manifest: Manifest, to: Path, origin: Path | str = "") -> Fetched:
    return fetch(manifest, manifest.files[0].name, to, Options(origin=str(origin), progress=False))


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    (tmp_path / "origin").mkdir()
    return tmp_path / "origin"


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("known", [True, False])
def test_an_archive_becomes_a_folder(name: str, known: bool, origin: Path, tmp_path: Path) -> None:
    MAKERS[name](origin / name, FILES)
    manifest, to = official(name, (origin / name).read_bytes(), known=known), tmp_path / "to"
    found = get(manifest, to, origin)
    assert found == Fetched(to / "top", True, manifest.files[0].checksum)
    assert tree(to / "top") == {"a.bin": FILES["top/a.bin"], "sub/b.bin": b"b", "empty.bin": b""}
    assert sorted(path.name for path in to.iterdir()) == ["top", name]
    assert get(manifest, to) == replace(found, new=False, verified="")
    assert check(to / name) == len(FILES)


def test_a_folder_of_another_name_in_the_archive_gets_the_right_one(origin: Path, tmp_path: Path) -> None:
    MAKERS["x.zip"](origin / "x.zip", FILES)
    manifest = official("x.zip", (origin / "x.zip").read_bytes(), unpacks="top_1.0", inside="top")
    assert get(manifest, tmp_path / "to", origin).path == tmp_path / "to" / "top_1.0"


def test_an_archive_without_a_folder_around_its_files_gets_one(origin: Path, tmp_path: Path) -> None:
    MAKERS["x.zip"](origin / "x.zip", FILES)
    manifest = official("x.zip", (origin / "x.zip").read_bytes(), unpacks="all", inside="*")
    assert tree(get(manifest, tmp_path / "to", origin).path) == FILES
    MAKERS["x.zip"](origin / "x.zip", {})
    with pytest.raises(ZcbenchError, match="it holds no file"):
        unpack(origin / "x.zip", tmp_path / "none", inside="*", progress=quiet)


def test_an_archive_from_a_browser_is_unpacked_where_it_lies(tmp_path: Path) -> None:
    MAKERS["x.tar"](tmp_path / "x.tar", FILES)
    assert get(official("x.tar", b"", known=False), tmp_path) == Fetched(tmp_path / "top", True, "")


def test_an_archive_that_is_not_the_right_one_is_not_unpacked(tmp_path: Path) -> None:
    MAKERS["x.tar"](tmp_path / "x.tar", FILES)
    with pytest.raises(MissingFileError, match="is not the official one"):
        get(official("x.tar", b"another"), tmp_path)
    assert not (tmp_path / "top").exists()


def test_a_folder_that_is_there_is_held_against_its_sums(tmp_path: Path) -> None:
    MAKERS["x.tar"](tmp_path / "x.tar", FILES)
    sums = {"sub/b.bin": f"md5:{hashlib.md5(b'b').hexdigest()}"}
    manifest = official("x.tar", b"", known=False, members=sums)
    assert get(manifest, tmp_path).new
    assert get(manifest, tmp_path) == Fetched(tmp_path / "top", False, "its files")
    (tmp_path / "top/sub/b.bin").write_bytes(b"c")
    with pytest.raises(ZcbenchError, match=r"b\.bin is not the official one: its md5 is .* remove"):
        get(manifest, tmp_path)
    (tmp_path / "top/sub/b.bin").unlink()
    with pytest.raises(MissingFileError, match=r"has no sub/b\.bin: remove it"):
        get(manifest, tmp_path)


# Hostile and broken archives


def tar_of(path: Path, kind: bytes, name: str = "top/link", target: str = "../../secret") -> None:
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("top/first")
        archive.addfile(entry, io.BytesIO())
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        archive.addfile(entry)


def nothing_left(folder: Path, archive: str) -> None:
    assert [path.name for path in folder.iterdir()] == [archive]


KINDS_OF_LINKS = {"symlink": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE,
                  "pipe": tarfile.FIFOTYPE}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS_OF_LINKS)
def test_links_and_devices_in_a_tar_are_refused(kind: str, tmp_path: Path) -> None:
    tar_of(tmp_path / "x.tar.gz", KINDS_OF_LINKS[kind])
    with pytest.raises(UnsafeFileError, match="top/link is a link or a device"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "top", inside="top", progress=quiet)
    nothing_left(tmp_path, "x.tar.gz")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("top/first", b"1")
        entry = zipfile.ZipInfo("top/link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "../../secret")
    with pytest.raises(UnsafeFileError, match="top/link is a link or a device"):
        unpack(tmp_path / "x.zip", tmp_path / "top", inside="top", progress=quiet)
    nothing_left(tmp_path, "x.zip")


OUTSIDE = ["top/../../out", "/top/out", "../out", "top/..", "top\\..\\out", "C:/out", "top/a:b"]


@pytest.mark.parametrize("member", OUTSIDE)
@pytest.mark.parametrize("name", ["x.tar.gz", "x.zip"])
def test_a_name_that_leaves_the_folder_is_refused(name: str, member: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    MAKERS[name](place / name, {"top/first": b"1", member: b"out"})
    with pytest.raises(UnsafeFileError, match="would leave the folder"):
        unpack(place / name, place / "top", inside="top", progress=quiet)
    nothing_left(place, name)
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_member_twice_and_a_file_as_folder_are_one_line(tmp_path: Path) -> None:
    for files in ([("top/a", b"1"), ("top/a", b"2")], [("top/a", b"1"), ("top/a/b", b"2")], [("top", b"1")]):
        with tarfile.open(tmp_path / "x.tar", "w") as archive:
            for member, content in files:
                entry = tarfile.TarInfo(member)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        with pytest.raises(ZcbenchError) as caught:
            unpack(tmp_path / "x.tar", tmp_path / "top", inside="top", progress=quiet)
        assert len(str(caught.value).splitlines()) == 1
        nothing_left(tmp_path, "x.tar")


def test_what_lacks_the_folder_or_is_no_archive_is_one_line(tmp_path: Path) -> None:
    MAKERS["x.zip"](tmp_path / "x.zip", {"other/a": b"1"})
    with pytest.raises(ZcbenchError, match="it holds no folder top"):
        get(official("x.zip", b"", known=False), tmp_path)
    (tmp_path / "x.zip").write_bytes(b"no archive at all")
    with pytest.raises(ZcbenchError, match=r"truncated, damaged or of another format .*; remove .* to get it anew"):
        get(official("x.zip", b"", known=False), tmp_path)
    nothing_left(tmp_path, "x.zip")
    (tmp_path / "top").mkdir()
    with pytest.raises(ZcbenchError, match="is there already"):
        unpack(tmp_path / "x.zip", tmp_path / "top", inside="top", progress=quiet)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_that_is_cut_between_two_members_is_not_taken_for_whole(mode: str, tmp_path: Path) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for member in ("top/a", "top/b"):
            archive.addfile(tarfile.TarInfo(member), io.BytesIO())
    cut = whole.getvalue()[: tarfile.BLOCKSIZE]
    (tmp_path / "x.tar").write_bytes(gzip.compress(cut) if mode == "w:gz" else cut)
    with pytest.raises(ZcbenchError, match="truncated, it lacks the end mark"):
        unpack(tmp_path / "x.tar", tmp_path / "top", inside="top", progress=quiet)
    nothing_left(tmp_path, "x.tar")


def outcome(archive: Path, folder: Path) -> ZcbenchError | None:
    try:
        unpack(archive, folder, inside="top", progress=quiet)
    except ZcbenchError as error:
        return error
    return None


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.zip"])
def test_a_broken_archive_is_one_line_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    files = {"top/a": bytes(range(200)) * 3, "top/b": b"b" * 50}
    MAKERS[name](tmp_path / name, files)
    whole = (tmp_path / name).read_bytes()
    refused = 0
    for seed in range(150):
        generator = np.random.default_rng(seed)
        content = bytearray(whole)
        for place in generator.integers(0, len(content), generator.integers(1, 5)):
            content[place] ^= int(generator.integers(1, 256))
        place = tmp_path / str(seed)
        place.mkdir()
        (place / name).write_bytes(content[: generator.integers(0, 2 * len(content))])
        error = outcome(place / name, place / "top")
        if error is None:
            assert (place / "top").is_dir()
        else:
            refused += 1
            assert len(str(error).splitlines()) == 1
            nothing_left(place, name)
    assert refused > 20


# The real layout


def test_cifar_images_arrive_where_their_reader_looks(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    records = generator.integers(0, 256, (20, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(20) % 10
    MAKERS["x.tar.gz"](origin / "c.tar.gz", {"cifar-10-batches-bin/data_batch_1.bin": records.tobytes()})
    manifest = official("c.tar.gz", (origin / "c.tar.gz").read_bytes(), unpacks="cifar-10-batches-bin")
    get(replace(manifest, images="cifar10"), tmp_path, origin)
    monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    assert len(images.load("cifar10", batch_size=10)) == 10
