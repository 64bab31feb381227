"""Folders of results from strangers: what is bad is refused in one line, what is not ours is left alone."""

import json
import os
import sys
from pathlib import Path

import pytest
from shared_results import measurement, result

from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.results import schema
from zcbench.harness.results.document import file_name, to_text
from zcbench.harness.results.read import LARGEST, parse, read

GOOD = to_text(result())


def folder(tmp_path: Path, **files: str | bytes) -> Path:
    """A folder with these files; two underscores stand for a slash."""
    for name, content in files.items():
        path = tmp_path / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def test_results_are_found_in_folders_of_folders_and_sorted(tmp_path: Path) -> None:
    ada, bob = result(by="ada"), result(measurement(0.7), by="bob")
    for one in (bob, ada):
        path = tmp_path / one.by / file_name(one)
        path.parent.mkdir(parents=True)
        path.write_text(to_text(one))
    (tmp_path / "readme.md").write_text(GOOD)
    found = read([tmp_path])
    assert [one.by for one in found.results] == ["ada", "bob"]
    assert found.results[0].file == f"ada/{file_name(ada)}"
    assert (found.refused, found.ignored) == ((), ())
    # named twice, or with a folder in it, a file counts once
    assert len(read([tmp_path, tmp_path / "ada", tmp_path / found.results[0].file]).results) == 2


def test_other_json_is_left_out_and_named(tmp_path: Path) -> None:
    made = folder(tmp_path, good=GOOD, a='{"format": 1}', b="[1, 2]", c="not json", d="", e=b"\xff\xfe", f="NaN", g="3")
    found = read([made])
    assert len(found.results) == 1
    assert found.refused == ()
    assert [one.partition(":")[0] for one in found.ignored] == [f"{n}.json" for n in "abcdefg"]
    assert found.ignored[0] == "a.json: not a shared result (it has no member zcbench_result)"


def with_statistic(text: str) -> str:
    """The good file with another value of its first statistic, as it is written."""
    assert GOOD.count('"value": 0.6,') == 1
    return GOOD.replace('"value": 0.6,', f'"value": {text},')


HOSTILE = {
    "nan": (with_statistic("NaN"), "it holds NaN, which is not JSON"),
    "infinity": (with_statistic("-Infinity"), "it holds -Infinity, which is not JSON"),
    "overflow": (with_statistic("1e999"), "it holds 1e999, which is no finite number"),
    "long_number": (with_statistic("9" * 10_000), "it holds a number that is too long"),
    "text": (with_statistic('"0.9"'), "measurements[0].statistics[0].value: '0.9' is not of type"),
    "twice": (GOOD.replace('"by": "ada"', '"by": "ada", "by": "eve"'), 'it names the member "by" twice'),
    "deep": (GOOD.replace('"by": "ada"', '"by": ' + "[" * 100_000 + "]" * 100_000), "it is nested too deeply"),
    "deep_and_more": (GOOD.replace('"by": "ada"', '"by": "ada", "x": ' + "[" * 900 + "]" * 900), "'x' was unexpected"),
    "cut": (GOOD[: len(GOOD) // 2], "it is not JSON: "),
    "not_utf8": (GOOD.encode().replace(b"ada", b"\xff\xfe"), "it is not UTF-8 at byte"),
    "many": (GOOD.replace('"by": "ada"', '"by": "ada", "x": [' + "1," * 300_000 + "1]"), "more than 200,000 values"),
    "many_errors": (GOOD.replace('"measurements": [', '"measurements": [' + "{}," * 199_000), "measurements: has more"),
    "many_kinds": (GOOD.replace('"seeds": [', '"seeds": [' + '1,"a",' * 99_000), "seeds: has more than 10000 parts"),
    "large": (GOOD + " " * LARGEST, "it is larger than 4 MiB"),
    "surrogate": (GOOD.replace('"ada"', '"\\ud83d"'), "half a surrogate pair"),
    "escape": (GOOD.replace('"ada"', '"\\u001b[2J"'), "by: holds a control character"),
    "newer": (GOOD.replace('"zcbench_result": 1', '"zcbench_result": 2'), "it has schema 2 of shared results"),
    "python": (GOOD.replace('"ada"', '{"__reduce__": ["os.system", "true"]}'), "by: {'__reduce__'"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_result_is_refused_in_one_line_that_names_it(tmp_path: Path, name: str) -> None:
    content, says = HOSTILE[name]
    found = read([folder(tmp_path, **{name: content}, other=GOOD)])
    assert len(found.results) == 1
    (line,) = found.refused
    if name == "deep_and_more" and "nested" in line:
        says = "it is nested too deeply"  # where printing the value takes more of the stack than parsing it
    assert line.startswith(f"{name}.json is no valid result: ")
    assert says in line
    assert line.isprintable()
    assert len(line) < 800


def test_text_that_looks_like_a_page_stays_text(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>&\"'"
    found = read([folder(tmp_path, a=to_text(result(by=name, name=name)))])
    assert (found.results[0].by, found.results[0].metric.name) == (name, name)


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert len(read([folder(tmp_path, a=b"\xef\xbb\xbf" + GOOD.encode())]).results) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
def test_links_that_lead_around_and_pipes_do_not_hang(tmp_path: Path) -> None:
    made = folder(tmp_path, a__good=GOOD)
    (tmp_path / "a" / "around").symlink_to(tmp_path)
    (tmp_path / "nowhere.json").symlink_to(tmp_path / "missing")
    (tmp_path / "same.json").symlink_to(tmp_path / "a" / "good.json")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    found = read([made])
    assert [one.file for one in found.results] == ["a/good.json"]
    assert (found.refused, found.ignored) == ((), ("same.json: a link, which is not followed",))
    (tmp_path / "way").symlink_to(tmp_path / "a")
    for named in ("way", "same.json"):  # by the user, who knows where they lead
        assert len(read([tmp_path / named]).results) == 1


def test_a_name_of_a_file_is_shown_without_what_a_terminal_obeys(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J\n.json"
    path.write_text("{}")
    (line,) = read([tmp_path]).ignored
    assert line.isprintable()


def test_a_missing_folder_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="there is no folder"):
        read([tmp_path / "nowhere"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(ZcbenchError, match="cannot read the folder"):
        read([tmp_path])


def test_parsing_keeps_whole_numbers_and_fractions_apart() -> None:
    assert parse(b'{"a": 1, "b": 1.0}') == {"a": 1, "b": 1.0}
    assert isinstance(parse(b"1"), int)
    assert json.loads(GOOD)[schema.MARKER] == schema.VERSION
