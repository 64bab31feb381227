"""What changed files and options once did beyond one line; the search for more is `tests/fuzz`."""

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest
from gated import measured
from scores import ENVIRONMENT, recipe, score
from verbs import command

from zcbench.datasets import download, images, manifest
from zcbench.datasets.registry import benchmark
from zcbench.harness import evaluated
from zcbench.harness.described import Described
from zcbench.harness.errors import LONGEST, ZcbenchError, one_line, shown, unknown
from zcbench.harness.gate import files as gate_files
from zcbench.harness.gate.baseline import record
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.options import configured
from zcbench.harness.rate import Rate
from zcbench.harness.registry import select
from zcbench.harness.store import Store
from zcbench.harness.types import Recipe
from zcbench.reports import citations


def test_a_line_has_nothing_that_a_terminal_obeys_and_an_end() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("x\x1b[2J\u202e\ud800y") == r"x\x1b[2J\u202e\ud800y"
    assert one_line("é 😀") == "é 😀"
    long = one_line("a" * 9_000 + "\x00" * 9_000 + "the end")
    assert len(long) < LONGEST + 10
    assert long.endswith("the end")
    assert shown("x" * 100, 20) == repr("x" * 17 + "...")
    assert len(str(unknown("metric", "x" * 9_000, ["snip"]))) < 400


def test_the_command_line_writes_out_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("score", "--dataset", "\x1b[2J\u202e", "--sample", "1") == 2
    assert r"\x1b[2J\u202e" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("transfer", "--store", "a\0b"), ("export", "--store", "s", "--out", "a\0")])
def test_a_path_with_a_zero_byte_is_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*arguments) == 2
    assert "a path has no zero byte" in capsys.readouterr().err


def test_a_path_that_the_system_cannot_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("export", "--store", "s.sqlite", "--out", "a\ud800") == 2
    assert r"'a\ud800' cannot be the name of a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("report", "--store", "s", "--init", "x\udcff"), ("data", "verify", "\udcff"), ("check", "\udcff")]
)
def test_a_text_that_is_not_utf8_is_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*arguments) == 2
    assert r"\udcff' is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--seeds", "99999999999"), ("--first-seed", "9" * 30), ("--resamples", "9" * 30)]
)
def test_a_number_that_would_take_years_is_refused(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("run", option, value, "--out", str(tmp_path)) == 2
    assert f"{value} is not in the range" in capsys.readouterr().err


def test_a_job_of_more_scores_than_can_be_listed_is_refused() -> None:
    space = benchmark("nasbench201").space
    cell = next(iter(space))
    batch, init = images.load("gaussian", batch_size=2, resolution=8), initialisation("pytorch")
    with pytest.raises(ZcbenchError, match="are 50000001 scores, more than 50,000,000: take fewer at once"):
        Job("nasbench201", space, [cell], select("params"), batch, init, seeds=50_000_001)


def test_a_store_whose_own_tables_have_no_names_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as made:
        made.connection.execute("PRAGMA journal_mode = DELETE")
    whole = path.read_bytes()
    assert b"CREATE TABLE recipes" in whole
    path.write_bytes(whole.replace(b"CREATE TABLE recipes", b"CREATE TABLE r\xffcipes"))
    with pytest.raises(ZcbenchError, match="is not a score store, or it is damaged"):
        Store(path, create=False)


def test_scores_of_a_baseline_whose_columns_are_not_named_in_utf8_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    _, beside = gate_files.write(record([measured(20)]), path)
    content = beside.read_bytes().replace(b"architecture", b"architec\xffure")
    beside.write_bytes(content)
    document = json.loads(path.read_text())
    document["scores"]["sha256"] = hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(document))
    with pytest.raises(ZcbenchError, match=r"cannot be read .*record the baseline again"):
        gate_files.read(path)


def test_an_address_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("data", "fetch", "nasbench101", "--to", str(tmp_path), "--from", "http://[") == 2
    assert 'cannot fetch from "http://[": it is no address' in capsys.readouterr().err


OTHERS = [("network", 5), ("batch_size", "8"), ("init_seed", 1.0), ("resolution", None), ("labels", True), ("new", 1)]


@pytest.mark.parametrize(("name", "value"), OTHERS)
def test_a_stored_recipe_of_other_types_is_one_line(name: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as made:
        made.append([score("a")], ENVIRONMENT)
    text = json.dumps(json.loads(recipe().to_json()) | {name: value})
    with pytest.raises(TypeError):
        Recipe.from_json(text)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE recipes SET recipe = ?", (text,))
    connection.commit()
    connection.close()
    with Store(path, create=False) as opened, pytest.raises(ZcbenchError, match="is damaged"):
        opened.frame()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE scores SET architecture = x'00'",
        "UPDATE scores SET reason = x'00'",
        "UPDATE scores SET seconds_standalone = 1e308",
        "UPDATE scores SET seconds_marginal = 'long'",
        "UPDATE recipes SET recipe = replace(recipe, 'digits', 'nan')",
        "UPDATE evaluations SET seconds = 0",
        "UPDATE evaluations SET seconds = 1e-320",
        "UPDATE rates SET flops = 0",
        "UPDATE metrics SET description = '{\"higher_is_better\": true, \"cite\": 1}'",
        "UPDATE environments SET environment = '{\"threads\": []}'",
    ],
)
def test_a_store_that_nobody_can_have_written_is_one_line(change: str, tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    took = evaluated.Record((evaluated.Evaluated.of([score("a")], 0.5),), (Rate("float32", 1e10, 512),))
    with Store(path) as made:
        made.describe([Described("snip", 1, higher_is_better=True)])
        made.append([score("a")], ENVIRONMENT, took)
    connection = sqlite3.connect(path)
    connection.execute(change)
    connection.commit()
    connection.close()
    with Store(path, create=False) as opened:

        def read() -> object:
            found = opened.frame(), opened.environments(), opened.described()
            return found, evaluated.read(opened, "toy", opened.recipes())

        with pytest.raises(ZcbenchError, match="is damaged"):
            read()


def test_a_number_that_no_table_has_room_for_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as made:
        made.append([score("a")], ENVIRONMENT)
    connection = sqlite3.connect(path)
    text = json.dumps(json.loads(recipe().to_json()) | {"init_seed": 10**30})
    connection.execute("UPDATE recipes SET recipe = ?", (text,))
    connection.commit()
    connection.close()
    with Store(path, create=False) as opened, pytest.raises(ZcbenchError, match="is damaged"):
        opened.frame()


LONG = (b"x = " + b"9" * 5_000, b"x = " + b"[" * 5_000)


@pytest.mark.parametrize("content", [b"\xff", *LONG, b"[files]", b"files = 1", b'title = "x"'])
def test_a_damaged_manifest_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ZcbenchError, match="is damaged"):
        manifest._read(path)


@pytest.mark.parametrize("content", [b"\xff", b"", b"columns = 1", b"= 1", *LONG])
def test_a_damaged_table_of_a_publication_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ZcbenchError, match="is damaged"):
        citations._read(path)


@pytest.mark.parametrize("change", [{"etag": 5}, {"modified": None}, {"total": "9"}, {"total": 1.5}, {"url": []}])
def test_a_damaged_note_of_a_download_begins_anew(change: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(b"abc")
    file = manifest.OfficialFile(name="x", kind="file", page="p", licence="l")
    one = download.ResumableDownload(file=file, part=tmp_path / "x.part")
    note = {"url": "u", "etag": '"a"', "modified": "", "total": 9}
    (tmp_path / "x.part.json").write_text(json.dumps(note))
    assert one._known("u") is not None
    (tmp_path / "x.part.json").write_text(json.dumps(note | change))
    assert one._known("u") is None


def test_a_count_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(ZcbenchError, match="is a whole number of 1 or more"):
        configured(benchmark("darts").space, {"channels": "9" * 5_000})
