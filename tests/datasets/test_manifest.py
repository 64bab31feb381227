"""The manifests: well-formed, in step with the benchmarks and readers, and found by every name."""

import re
import tomllib
from pathlib import Path

import pytest

from zcbench.datasets import images, manifest
from zcbench.datasets.images import cifar, imagenet16
from zcbench.datasets.inventory import in_words, look, size
from zcbench.datasets.manifest import FOLDER, KINDS, Manifest, OfficialFile, manifests
from zcbench.datasets.registry import benchmarks
from zcbench.harness.errors import ZcbenchError

EVERY = [
    pytest.param(found, file, id=f"{name}-{file.name}") for name, found in manifests().items() for file in found.files
]
HEXADECIMAL = {"sha256": r"[0-9a-f]{64}", "md5": r"[0-9a-f]{32}"}


def of_package(name: str) -> bool:
    """Whether a benchmark comes with zcbench, not from a plug-in or a test."""
    return type(benchmarks()[name].space).__module__.startswith("zcbench.datasets.")


def test_every_benchmark_has_a_manifest_of_its_sources() -> None:
    for name, benchmark in benchmarks().items():
        if not of_package(name):
            continue
        files = manifest.manifest(name).files
        assert files, name
        for file in files:
            assert file.source in benchmark.default_sources, (name, file.source)


def test_every_image_dataset_that_needs_files_has_a_manifest() -> None:
    needed = {name for name, info in images.datasets().items() if info.needs_files}
    assert needed == {found.images for found in manifests().values() if found.images}


def test_a_manifest_is_found_by_every_name_and_no_name_twice() -> None:
    names = [name for found in manifests().values() for name in found.names]
    assert len(names) == len(set(names))
    assert manifest.manifest("transnasbench101_micro") == manifest.manifest("transnasbench101_macro")
    assert manifest.manifest("cifar10").place(Path("data")) == Path("data/images/cifar10")
    assert manifest.manifest("nasbench101").place(Path("data")) == Path("data")
    with pytest.raises(ZcbenchError, match=r'Did you mean "nasbench101"'):
        manifest.manifest("nasbench11")


@pytest.mark.parametrize(("found", "file"), EVERY)
def test_every_entry_is_whole(found: Manifest, file: OfficialFile) -> None:
    assert found.title
    assert re.search(r", .*(19|20)\d\d$", found.paper)
    assert file.kind in KINDS
    assert all(address.startswith("https://") for address in (file.page, *file.urls))
    assert file.licence
    assert (file.kind == "archive") == bool(file.unpacks)
    assert not file.sha256 or re.fullmatch(HEXADECIMAL["sha256"], file.sha256)
    assert not file.md5 or re.fullmatch(HEXADECIMAL["md5"], file.md5)
    for checksum in file.members.values():
        algorithm, _, digits = checksum.partition(":")
        assert re.fullmatch(HEXADECIMAL[algorithm], digits)
    assert not (file.bytes and file.about)
    assert bool(file.source) != bool(found.images)
    assert not (file.convert and found.images)
    assert found.file(file.name) is file
    assert found.file(file.ready) is file


def test_one_file_of_each_is_recommended() -> None:
    for found in manifests().values():
        assert sum(file.recommended for file in found.files) == 1, found.name


def test_archives_of_images_become_what_the_readers_look_for() -> None:
    layouts = {f"cifar{classes}": cifar._LAYOUTS[classes] for classes in (10, 100)}
    layouts["imagenet16_120"] = imagenet16._LAYOUTS
    for name, expected in layouts.items():
        assert {file.ready for file in manifests()[name].files} == {layout.folder for layout in expected}
        for file in manifests()[name].files:
            patterns = next(layout.patterns for layout in expected if layout.folder == file.ready)
            if file.members:
                assert any(Path(member).match(pattern) for member in file.members for pattern in patterns)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = ", "Invalid value"),
        ('title = "T"\npaper = "P"', "'files'"),
        ('title = "T"\npaper = "P"\n[[files]]\nname = "x"', "missing 3 required"),
        ('title = "T"\npaper = "P"\ntypo = 1\nfiles = []', "typo"),
    ],
)
def test_a_damaged_manifest_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    (tmp_path / "bench.toml").write_text(text)
    monkeypatch.setattr(manifest, "FOLDER", tmp_path)
    with pytest.raises(ZcbenchError, match=r"bench\.toml is damaged") as caught:
        manifests()
    assert said in str(caught.value)


def test_a_key_of_a_manifest_is_a_field() -> None:
    fields = set(OfficialFile.__dataclass_fields__)
    for path in FOLDER.glob("*.toml"):
        for entry in tomllib.loads(path.read_text())["files"]:
            assert set(entry) <= fields


# What is there


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * 10)
    return folder


@pytest.mark.parametrize("place", ["", "nasbench101/"])
def test_a_file_is_found_where_it_belongs_or_in_a_folder_of_its_name(tmp_path: Path, place: str) -> None:
    found = manifest.manifest("nasbench101")
    only, full = look(found, files(tmp_path, f"{place}nasbench_only108.tfrecord"))
    assert (only.path, full.path) == (tmp_path / f"{place}nasbench_only108.tfrecord", None)
    assert all(entry.anything is None for entry in look(found, None))


@pytest.mark.parametrize("place", ["images/cifar10/", "images/", ""])
def test_an_archive_is_there_packed_unpacked_or_both(tmp_path: Path, place: str) -> None:
    found = manifest.manifest("cifar10")
    packed = look(found, files(tmp_path, f"{place}cifar-10-binary.tar.gz"))[0]
    assert (packed.path, packed.anything) == (None, tmp_path / f"{place}cifar-10-binary.tar.gz")
    both = look(found, files(tmp_path, f"{place}cifar-10-batches-bin/data_batch_1.bin"))[0]
    assert both.path == both.anything == tmp_path / f"{place}cifar-10-batches-bin"
    assert size(tmp_path / place / "cifar-10-batches-bin") == 10


@pytest.mark.parametrize("place", ["images/imagenet16_120/ImageNet16", "images/ImageNet16", "images/imagenet16_120"])
def test_members_may_lie_where_their_reader_finds_them(tmp_path: Path, place: str) -> None:
    found = look(manifest.manifest("imagenet16_120"), files(tmp_path, f"{place}/val_data"))[0]
    assert found.path == tmp_path / place


def test_a_folder_is_not_taken_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "nasbench_full.tfrecord").mkdir()
    assert all(entry.anything is None for entry in look(manifest.manifest("nasbench101"), tmp_path))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (999_499, "999 kB"), (999_999, "1 MB"),
     (522_767_376, "523 MB"), (2_085_986_016, "2.09 GB"), (7 * 10**15, "7e+03 TB")],
)  # fmt: skip
def test_bytes_in_words(number: int, text: str) -> None:
    assert in_words(number) == text
