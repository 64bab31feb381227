"""``zcbench data``: what it says, to people and to programs, and its exit codes; no test opens a connection."""

import hashlib
import json
import re
import tarfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from zcbench.datasets import manifest, verification
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.datasets.registry import benchmarks
from zcbench.harness.cli import main

CELLS = [cell.id for cell in BENCHMARK.space.sample(20, seed=0)]
FILE = b"an official file"
TOML = f'''
title = "Tiny"
paper = "Nobody, 2024"
benchmarks = ["nasbench201"]

[[files]]
name = "tiny.bin"
kind = "file"
recommended = true
bytes = {len(FILE)}
sha256 = "{hashlib.sha256(FILE).hexdigest()}"
urls = ["http://127.0.0.1:9/tiny.bin"]
page = "https://example.org/tiny"
licence = "MIT"
source = "robot"
convert = true

[[files]]
name = "tiny.tar.gz"
kind = "archive"
unpacks = "tiny"
page = "https://example.org/tiny"
licence = "not stated"
source = "meco"
convert = true
'''


class Said(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


class Call:
    """Runs a command line in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Said:
        with pytest.raises(SystemExit) as left:
            main(["data", *(str(a) for a in arguments)])
        assert isinstance(left.value.code, int)
        return Said(left.value.code, *self._capsys.readouterr())


@pytest.fixture
def data(capsys: pytest.CaptureFixture[str]) -> Call:
    return Call(capsys)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    return tmp_path


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only one small manifest, called tiny, which belongs to nasbench201; returns an empty data folder."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "tiny.toml").write_text(TOML)
    monkeypatch.setattr(manifest, "FOLDER", tmp_path / "manifests")
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def one_line(said: Said, code: int, *parts: str) -> None:
    assert said.code == code, said
    assert said.err.startswith("zcbench: ")
    assert said.err.count("\n") == 1, said.err
    for part in parts:
        assert part in said.err


def write_table(path: Path, cells: list[str] = CELLS, **columns: object) -> Path:
    rows = {"architecture": cells, "dataset": "cifar10", "split": "test", "epochs": 200, "seed": -1,
            "metric": "accuracy", "value": 0.9, "source": "robot", "kind": "trained"}  # fmt: skip
    pd.DataFrame(rows | columns).to_parquet(path)
    return path


def write_archive(path: Path, name: str = "tiny/a.txt") -> Path:
    (path.parent / "a.txt").write_bytes(b"content")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(path.parent / "a.txt", name)
    (path.parent / "a.txt").unlink()
    return path


# Status


def test_without_a_command_everything_is_shown(data: Call) -> None:
    said = data()
    assert (said.code, said.err) == (0, "")
    assert data("status").out == data("list").out == said.out
    for name in [*benchmarks(), "cifar10", "cifar100", "imagenet16_120", "hwnasbench"]:
        assert re.search(rf"^( *)\b{name}: ", said.out, flags=re.MULTILINE), name
    assert "ZCBENCH_DATA is not set" in said.out


@pytest.mark.parametrize("name", [None, *benchmarks(), *manifest.manifests()])
def test_the_text_reads_well_in_100_columns(name: str | None, data: Call) -> None:
    said = data("status", *([name] if name else []))
    assert said.code == 0
    for line in said.out.splitlines():
        assert line == line.rstrip()
        assert len(line) <= 100 or len(line.split()) == 1 or str(Path.cwd()) in line or "site-packages" in line, line


def test_status_says_everything_about_a_missing_file(data: Call, tiny: Path) -> None:
    said = data("status", "tiny", "--folder", tiny).out
    for part in (
        f"- tiny.bin: missing, {len(FILE)} bytes", f"sha256 {hashlib.sha256(FILE).hexdigest()}", "licence: MIT",
        "https://example.org/tiny", "get it: zcbench data fetch tiny tiny.bin\n", "checksum not known",
        "- tiny.tar.gz: missing, size not known", "get it: open that page in a browser", "then unpacks it",
    ):  # fmt: skip
        assert part in said, part
    joined = " ".join(said.replace("\\\n", " ").split())
    assert f"then: zcbench data convert nasbench201 {tiny}/tiny.bin --out {tiny}/nasbench201.parquet" in joined
    assert f"zcbench data convert nasbench201 {tiny}/tiny --out {tiny}/nasbench201.parquet" in joined
    assert "zcbench data fetch tiny tiny.bin --to FOLDER" in data("status", "tiny").out


def test_status_says_what_is_there(data: Call, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tiny / "tiny.bin").write_bytes(FILE)
    write_archive(tiny / "tiny.tar.gz")
    (tiny / "tiny").mkdir()
    (tiny / "tiny" / "a.txt").write_bytes(b"content")
    write_table(tiny / "nasbench201.parquet")
    monkeypatch.setenv("ZCBENCH_DATA", str(tiny))
    said = data("status", "tiny").out
    assert f"+ robot: {tiny}/nasbench201.parquet" in " ".join(said.split())
    assert f"+ tiny.bin: {len(FILE)} bytes\n        {tiny}/tiny.bin\n" in said
    assert f"+ tiny.tar.gz: unpacked, 7 bytes\n        {tiny}/tiny\n" in said
    assert "get it" not in said
    # a table that is there is not to be written over
    assert f"--out {tiny}/nasbench201-robot.parquet" in said
    assert f"--out {tiny}/nasbench201.parquet" not in said


def test_status_sees_a_part_of_a_file(data: Call, tiny: Path) -> None:
    (tiny / "tiny.bin").write_bytes(FILE[:-1])
    said = data("status", "tiny", "--folder", tiny).out
    assert f"{len(FILE) - 1} bytes instead of {len(FILE)} bytes" in said


@pytest.mark.parametrize(("content", "verdict"), [(FILE, "matches"), (FILE[::-1], "DOES NOT MATCH")])
def test_status_computes_checksums_only_when_asked(data: Call, tiny: Path, content: bytes, verdict: str) -> None:
    (tiny / "tiny.bin").write_bytes(content)
    assert verdict not in data("status", "tiny", "--folder", tiny).out
    assert verdict in data("status", "tiny", "--folder", tiny, "--checksums").out
    found = json.loads(data("status", "tiny", "--folder", tiny, "--checksums", "--json").out)
    assert found["entries"][0]["files"][0]["matches"] is (verdict == "matches")


def test_status_for_programs(data: Call, tiny: Path) -> None:
    (tiny / "tiny.bin").write_bytes(FILE)
    found = json.loads(data("status", "tiny", "--folder", tiny, "--json").out)
    assert found["folder"] == str(tiny)
    (entry,) = found["entries"]
    assert (entry["name"], entry["title"], entry["paper"]) == ("tiny", "Tiny", "Nobody, 2024")
    here, missing = entry["files"]
    assert (here["present"], here["bytes"], here["path"], here["get"]) == (True, 16, str(tiny / "tiny.bin"), None)
    assert (missing["present"], missing["bytes"], missing["path"]) == (False, None, None)
    assert here["sha256"] == hashlib.sha256(FILE).hexdigest()
    assert (missing["sha256"], missing["licence"]) == (None, "not stated")
    sources = {source["source"]: source for source in entry["benchmarks"][0]["sources"]}
    assert sources["analognasbench"]["present"]
    assert sources["robot"]["reason"]


def test_a_name_of_a_benchmark_means_its_files(data: Call, tiny: Path) -> None:
    said = data("status", "nasbench201").out
    assert said.startswith("nasbench201: Tiny\n")
    assert "zcbench data convert nasbench201 tiny.bin --out nasbench201.parquet" in said
    twice = data("status", "nasbench201", "nasbench201", "--json")
    assert len(json.loads(twice.out)["entries"]) == 1


def test_the_embedded_file_is_there(data: Call) -> None:
    found = json.loads(data("status", "nasbench201", "--json").out)["entries"][0]["files"]
    (embedded,) = (file for file in found if file["embedded"])
    assert embedded["present"]
    assert Path(embedded["path"]).is_file()


@pytest.mark.parametrize("verb", ["status", "verify", "fetch"])
def test_an_unknown_name_gets_a_suggestion(verb: str, data: Call, place: Path) -> None:
    said = data(verb, "nasbench20", *([] if verb == "fetch" else ["--folder", place]))
    one_line(said, 2, 'unknown benchmark or image dataset "nasbench20"', 'Did you mean "nasbench201"')


# Fetch


def test_fetch_from_a_folder(data: Call, tiny: Path, place: Path) -> None:
    (place / "tiny.bin").write_bytes(FILE)
    said = data("fetch", "tiny", "--to", tiny, "--from", place)
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        f"tiny.bin: fetched, sha256 as published; {tiny}/tiny.bin\n"
        f"  next: zcbench data convert nasbench201 {tiny}/tiny.bin --out {tiny}/nasbench201.parquet\n"
    )
    assert (tiny / "tiny.bin").read_bytes() == FILE
    assert data("fetch", "tiny", "--to", tiny).out.startswith("tiny.bin: is there already, sha256 as published; ")


def test_fetch_puts_it_where_zcbench_data_says(
    data: Call, tiny: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(place / "tiny.tar.gz")
    monkeypatch.setenv("ZCBENCH_DATA", str(tiny))
    said = data("fetch", "nasbench201", "tiny.tar.gz", "--from", place)
    assert said.out.startswith(f"tiny.tar.gz: fetched, no checksum of it is known; {tiny}/tiny\n")
    assert (tiny / "tiny" / "a.txt").read_bytes() == b"content"


def test_fetch_gets_no_more_than_it_was_asked_for(data: Call, tiny: Path, place: Path) -> None:
    (place / "tiny.bin").write_bytes(FILE)
    write_archive(place / "tiny.tar.gz")
    assert data("fetch", "tiny", "--to", tiny, "--from", place).code == 0
    assert [path.name for path in tiny.iterdir()] == ["tiny.bin"]


def test_fetch_without_a_folder_says_so(data: Call, tiny: Path) -> None:
    one_line(data("fetch", "tiny"), 3, "--to FOLDER", "ZCBENCH_DATA")


def test_fetch_of_the_wrong_file_is_one_line_and_leaves_nothing(data: Call, tiny: Path, place: Path) -> None:
    (place / "tiny.bin").write_bytes(FILE[::-1])
    got, expected = (hashlib.sha256(content).hexdigest() for content in (FILE[::-1], FILE))
    one_line(data("fetch", "tiny", "--to", tiny, "--from", place), 2, got, expected)
    assert list(tiny.iterdir()) == []


def test_fetch_of_what_needs_a_browser_names_the_page(data: Call, tiny: Path) -> None:
    one_line(data("fetch", "tiny", "tiny.tar.gz", "--to", tiny), 3, "https://example.org/tiny", "--from", str(tiny))


def test_fetch_of_an_unknown_file_gets_a_suggestion(data: Call, tiny: Path) -> None:
    one_line(data("fetch", "tiny", "tyni.bin", "--to", tiny), 2, 'unknown file of tiny "tyni.bin"', '"tiny.bin"')


@pytest.mark.parametrize("option", [("--timeout", "0"), ("--timeout", "x"), ("--retries", "-1")])
def test_fetch_refuses_senseless_options(data: Call, tiny: Path, option: tuple[str, str]) -> None:
    one_line(data("fetch", "tiny", "--to", tiny, *option), 2, option[0])


@pytest.mark.parametrize("verb", ["", "status", "fetch", "convert", "verify"])
def test_help_shows_an_example(verb: str, data: Call) -> None:
    said = data(*([verb] if verb else []), "--help")
    assert said.code == 0
    assert f"\n      zcbench data {verb}".rstrip() in said.out
    assert "list" not in [line.split()[0] for line in said.out.partition("Commands:")[2].splitlines() if line.strip()]


def test_the_help_of_convert_lists_the_files_of_every_benchmark(data: Call) -> None:
    said = data("convert", "--help").out
    for found in manifest.manifests().values():
        for file in found.files:
            for name in found.converters():
                assert bool(re.search(rf"^  {name} +{re.escape(file.ready)}$", said, re.MULTILINE)) is file.convert


# Verify


def test_verify_reads_tables_whole_and_files_to_their_checksum(data: Call, tiny: Path) -> None:
    (tiny / "tiny.bin").write_bytes(FILE)
    write_archive(tiny / "tiny.tar.gz")
    write_table(tiny / "nasbench201.parquet")
    said = data("verify", "--folder", tiny)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[:3] == [
        f"good   {tiny}/tiny.bin: sha256 as published",
        f"good   {tiny}/tiny.tar.gz: 1 files can be read; no checksum of it is known",
        f"good   {tiny}/nasbench201.parquet: 20 rows, all 20 architectures parse; sources robot",
    ]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "tiny.bin").write_bytes(FILE[::-1]), "its sha256 is "),
        (lambda folder: (folder / "tiny.bin").write_bytes(FILE[:3]), "it has 3 bytes instead of 16"),
        (lambda folder: (folder / "tiny.bin").write_bytes(b""), "it is empty"),
        (lambda folder: (folder / "tiny.tar.gz").write_bytes(b"no archive"), "damaged"),
        (lambda folder: write_archive(folder / "tiny.tar.gz", "../out"), "would leave the folder"),
        (lambda folder: (folder / "tiny").mkdir(), "it is empty"),
        (lambda folder: (folder / "nasbench201.parquet").write_bytes(b"no table"), "damaged"),
        (lambda folder: write_table(folder / "nasbench201.parquet", value=90.0), "outside [0, 1]"),
        (lambda folder: write_table(folder / "nasbench201.parquet", [*CELLS, "no cell"]), "1 of 21 architectures"),
        (lambda folder: write_table(folder / "nasbench201.parquet", [*CELLS, CELLS[0]]), "twice"),
        (lambda folder: write_table(folder / "nasbench201.parquet", value=float("nan")), "empty cells"),
    ],
)
def test_verify_finds_what_is_wrong(data: Call, tiny: Path, spoil: object, said: str) -> None:
    spoil(tiny)  # type: ignore[operator]
    found = data("verify", "tiny", "--folder", tiny)
    one_line(found, 2, "1 of 1 files and tables")
    (line,) = found.out.splitlines()
    assert line.startswith("WRONG  ")
    assert said in line


def test_verify_holds_a_folder_against_the_sums_of_its_files(data: Call, place: Path) -> None:
    folder = place / "images" / "imagenet16_120"
    folder.mkdir(parents=True)
    (folder / "val_data").write_bytes(b"no image")
    said = data("verify", "imagenet16_120", "--folder", place)
    one_line(said, 2)
    assert "WRONG" in said.out
    assert "not the official file: val_data; cannot read" in said.out
    (place / "images" / "imagenet16_120" / "val_data").unlink()
    one_line(data("verify", "imagenet16_120", "--folder", place), 3)


def test_verify_makes_do_with_a_part_of_a_folder(place: Path) -> None:
    (place / "a").write_bytes(b"content")
    sums = {"a": f"md5:{hashlib.md5(b'content').hexdigest()}", "b": f"md5:{'0' * 32}"}
    file = manifest.OfficialFile(name=place.name, kind="folder", page="https://x", licence="-", members=sums)
    found = manifest.Manifest(name="x", title="X", paper="-", files=(file,))
    (finding,) = verification.verify_files(found, place.parent)
    assert (finding.good, finding.text) == (True, "1 of 2 files are here, as published")
    (place / "b").write_bytes(b"other")
    assert next(verification.verify_files(found, place.parent)).text == "not the official file: b"


def test_verify_of_nothing(data: Call, tiny: Path, place: Path) -> None:
    one_line(data("verify", "tiny", "--folder", tiny), 3, "nothing of tiny to check", "zcbench data status")
    one_line(data("verify"), 3, "--folder FOLDER", "ZCBENCH_DATA")
    one_line(data("verify", "--folder", place / "nowhere"), 3, "there is no folder")
    one_line(data("status", "--folder", place / "nowhere"), 3, "there is no folder")


def test_the_folder_of_an_option_does_not_outlive_the_command(
    data: Call, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    data("status", "tiny", "--folder", tiny)
    assert "ZCBENCH_DATA" not in os.environ
    monkeypatch.setenv("ZCBENCH_DATA", "elsewhere")
    data("status", "tiny", "--folder", tiny)
    assert os.environ["ZCBENCH_DATA"] == "elsewhere"


def test_further_targets_become_a_table_of_their_own(data: Call, place: Path) -> None:
    (place / "HW-NAS-Bench-v1_0.pickle").write_bytes(b"nobody opens it")
    said = " ".join(data("status", "hwnasbench", "--folder", place).out.replace("\\\n", " ").split())
    out = place / "hw_nas_bench_nasbench201.parquet"
    assert f"then: zcbench data convert nasbench201 {place}/HW-NAS-Bench-v1_0.pickle --out {out}" in said
    write_table(out, ["no cell"], metric="fpga_latency")
    said = data("verify", "hwnasbench", "--folder", place).out
    assert "good   " in said
    assert "WRONG" in said
    assert "1 of 1 architectures are none of nasbench201" in said


def test_verify_of_the_real_tables(data: Call, data_folder: Path) -> None:
    said = data("verify", "nasbench201", "--folder", data_folder)
    assert (said.code, said.err) == (0, "")
    assert "all 15,625 architectures parse" in said.out
