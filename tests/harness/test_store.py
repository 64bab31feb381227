"""The store: what is final, what is missing, what is said of a bad file, and two processes at once."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from scores import ENVIRONMENT, recipe, row, score

from zcbench.harness import export
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.store import EXPORT_COLUMNS, SCHEMA_VERSION, Store
from zcbench.harness.store_file import log_bytes
from zcbench.harness.types import Outcome, Score

TESTS = Path(__file__).parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sqlite"


def fill(path: Path, *scores: Score) -> None:
    with Store(path) as store:
        store.append(scores, ENVIRONMENT)


def read(path: Path) -> list[Score]:
    with Store(path, create=False) as store:
        return list(store.scores())


def message(path: Path, *, create: bool) -> str:
    """What opening and reading a bad store says: one line."""
    with pytest.raises(ZcbenchError) as caught, Store(path, create=create) as store:
        store.frame()
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def in_a_process(code: str, *arguments: object, **options: object) -> "subprocess.Popen[str]":
    """Start Python on some lines that may use the helpers of the tests."""
    head = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return out


# What is final, what is missing


def test_returns_what_was_appended(path: Path) -> None:
    scores = [score("a"), score("b", value=-0.1), score("c", outcome="undefined", reason="disconnected")]
    fill(path, *scores)
    assert read(path) == scores


def test_keeps_every_bit_of_a_value(path: Path) -> None:
    values = [0.1 + 0.2, 5e-324, -1.7976931348623157e308, 0.0, 1 / 3]
    fill(path, *(score(str(n), value=v) for n, v in enumerate(values)))
    assert [s.value for s in read(path)] == values


def test_missing_keeps_the_order_of_the_question(path: Path) -> None:
    names = [f"{n * 7 % 20}" for n in range(20)]
    fill(path, *(score(n) for n in names[::3]))
    with Store(path) as store:
        missing = store.missing([row(score(n)) for n in names])
    assert [r.architecture for r in missing] == [n for i, n in enumerate(names) if i % 3]


def test_every_part_of_the_key_makes_another_row(path: Path) -> None:
    fill(path, score("a"))
    other = row(score("a"))
    keys = [
        other,
        row(score("b")),
        row(score("a", "snip(x=1)")),
        row(score("a", recipe=recipe(init_seed=1))),
        row(score("a", recipe=recipe(batch_size=8))),
        type(other)("toy@2", other.architecture, other.metric, other.version, other.recipe),
        type(other)(other.space, other.architecture, other.metric, 2, other.recipe),
    ]
    with Store(path) as store:
        assert store.missing(keys) == keys[1:]


def test_missing_may_be_asked_again_and_again(path: Path) -> None:
    with Store(path) as store:
        for _ in range(3):
            assert store.missing([row(score("a"))]) == [row(score("a"))]
        assert store.missing([]) == []


def test_failed_is_missing_only_on_request(path: Path) -> None:
    outcomes = {"a": "ok", "b": "undefined", "c": "failed"}
    fill(path, *(score(n, outcome=o, reason="x" if o != "ok" else "") for n, o in outcomes.items()))
    rows = [row(score(n)) for n in outcomes]
    with Store(path) as store:
        assert store.missing(rows) == []
        assert store.missing(rows, retry_failed=True) == rows[2:]


@pytest.mark.parametrize("final", ["ok", "undefined"])
@pytest.mark.parametrize("later", ["ok", "undefined", "failed"])
def test_final_rows_are_never_overwritten(path: Path, final: str, later: str) -> None:
    first = score("a", outcome=final, reason="" if final == "ok" else "first")
    fill(path, first)
    fill(path, score("a", value=99.0, outcome=later, reason="" if later == "ok" else "second"))
    assert read(path) == [first]


@pytest.mark.parametrize("later", ["ok", "undefined", "failed"])
def test_failed_rows_are_replaced(path: Path, later: str) -> None:
    fill(path, score("a", outcome="failed", reason="oom"))
    second = score("a", value=2.0, outcome=later, reason="" if later == "ok" else "second")
    fill(path, second)
    assert read(path) == [second]


def test_a_chunk_is_written_as_a_whole_or_not_at_all(path: Path) -> None:
    bad = score("b")
    object.__setattr__(bad, "version", None)  # refused by the table: the third row of the chunk
    with Store(path) as store:
        store.append([score("z")], ENVIRONMENT)
        with pytest.raises(ZcbenchError):
            store.append([score("a"), score("c"), bad], ENVIRONMENT)
        store.append([score("d")], ENVIRONMENT)
    assert [s.architecture for s in read(path)] == ["d", "z"]


def test_environments_are_kept_with_the_number_of_their_rows(path: Path) -> None:
    with Store(path) as store:
        store.append([score("a")], {"threads": "2"})
        store.append([score("b"), score("c")], {"threads": "1"})
        assert store.environments() == [{"threads": "1", "rows": "2"}, {"threads": "2", "rows": "1"}]


def test_environments_can_be_asked_of_some_scores(path: Path) -> None:
    later = recipe(init_seed=1)
    with Store(path) as store:
        store.append([score("a"), score("b"), score("a", "grasp"), score("a", recipe=later)], {"threads": "1"})
        store.append([score("c"), replace(score("a"), version=2)], {"threads": "2"})
        for question, rows in (
            ({"benchmark": "toy"}, ["4", "2"]), ({"benchmark": "other"}, []), ({"metrics": {"snip": 1}}, ["3", "1"]),
            ({"metrics": {"snip": 2}}, ["1"]), ({"metrics": {"snip": 1, "grasp": 1}}, ["4", "1"]),
            ({"metrics": {}}, []),
            ({"recipes": [later.digest]}, ["1"]), ({"recipes": [recipe().digest]}, ["3", "2"]), ({"recipes": []}, []),
            ({"benchmark": "toy", "metrics": {"snip": 1}, "recipes": [recipe().digest]}, ["2", "1"]),
        ):  # fmt: skip
            assert [one["rows"] for one in store.environments(**question)] == rows, question


# Bad files


def test_a_missing_store_is_a_missing_file(path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"there is no score store at .*: make one with"):
        Store(path, create=False)
    assert not path.exists()


def test_a_missing_folder_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"folder .* does not exist"):
        Store(tmp_path / "no" / "s.sqlite")


@pytest.mark.parametrize("create", [True, False])
def test_a_newer_schema_is_refused_and_left_alone(path: Path, create: bool) -> None:
    fill(path, score("a"))
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    assert f"schema {SCHEMA_VERSION + 1}" in message(path, create=create)
    assert "update zcbench" in message(path, create=create)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("version", [0, SCHEMA_VERSION, 7, -1])
def test_the_database_of_another_program_is_refused_and_left_alone(
    path: Path, version: int, create: bool
) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE moz_places (id INTEGER)")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = path.read_bytes()
    assert "is not a score store" in message(path, create=create)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("content", [b"architecture,value\n" * 100, b"\x00" * 5000, b"SQLite format 3\x00junk"])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes, create: bool) -> None:
    path.write_bytes(content)
    assert "is not a score store" in message(path, create=create)
    assert path.read_bytes() == content


def test_an_empty_file_becomes_a_store_only_for_writing(path: Path) -> None:
    path.touch()
    assert "is not a score store" in message(path, create=False)
    fill(path, score("a"))
    assert len(read(path)) == 1


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_truncated_store_is_refused(path: Path, kept: float, create: bool) -> None:
    fill(path, *(score(f"{n:05d}", "m" * 50) for n in range(500)))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert "damaged" in message(path, create=create)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE recipes SET recipe = '{'",
        "UPDATE recipes SET recipe = '{}'",
        "UPDATE recipes SET recipe = '[]'",
        "DELETE FROM recipes",
        "UPDATE scores SET outcome = 'great'",
        "UPDATE scores SET value = NULL",
        "UPDATE scores SET value = 'seven'",
        "UPDATE scores SET seconds_marginal = 'long'",
    ],
)
def test_rows_that_make_no_sense_are_called_damaged(path: Path, change: str) -> None:
    fill(path, score("a"))
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    assert "damaged" in message(path, create=False)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    assert "is a folder" in message(tmp_path, create=True)
    with pytest.raises(MissingFileError):
        Store(tmp_path, create=False)


def test_a_name_that_sqlite_would_keep_in_memory_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(Path(":memory:"), score("a"))
    assert len(read(Path(":memory:"))) == 1


@pytest.mark.parametrize("name", ["50%.sqlite", "a?mode=memory.sqlite", "größer #1.sqlite", "'quoted'.sqlite"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    fill(tmp_path / name, score("a"))
    assert len(read(tmp_path / name)) == 1
    assert name in {p.name for p in tmp_path.iterdir()}


# Read-only places: as another user, because root may write everywhere

OPEN_AND_COUNT = """
import os, tempfile
from pathlib import Path
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.store import Store
with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s") as store:
    store.frame()  # whatever is imported late is imported now
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with Store(Path(sys.argv[1]), create=sys.argv[2] == "write") as store:
        print(len(store.frame()), store.metadata() != {})
except ZcbenchError as error:
    print(error)
"""


def as_nobody(path: Path, how: str) -> str:
    """Open a store as a user who has no rights of their own here."""
    return finish(in_a_process(OPEN_AND_COUNT, path, how))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        Path(name).chmod(0o755)


def test_a_read_only_folder_can_be_read_and_not_written(open_folder: Path) -> None:
    path = open_folder / "s.sqlite"
    fill(path, score("a"))
    open_folder.chmod(0o555)
    path.chmod(0o444)
    assert as_nobody(path, "read") == "1 True\n"
    assert as_nobody(path, "write").startswith(f"the store {path} cannot be written: ")
    assert as_nobody(open_folder / "new.sqlite", "write").count("\n") == 1


def test_rows_that_a_killed_run_left_in_the_log_are_read_from_a_read_only_folder(open_folder: Path) -> None:
    path = open_folder / "s.sqlite"
    kill_after_writing = (
        "import os, signal; from pathlib import Path; from scores import *\n"
        "from zcbench.harness import store_file\n"
        "from zcbench.harness.store import Store\n"
        "store_file.empty_log = lambda connection: None  # the kill comes between commit and this\n"
        "store = Store(Path(sys.argv[1])); store.append([score('a')], ENVIRONMENT)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = in_a_process(kill_after_writing, path)
    process.communicate(timeout=200)
    assert process.returncode == -signal.SIGKILL
    assert log_bytes(path) > 0
    for file in open_folder.iterdir():
        file.chmod(0o444)
    open_folder.chmod(0o555)
    assert as_nobody(path, "read") == "1 True\n"


def test_a_read_only_file_cannot_be_written(open_folder: Path) -> None:
    path = open_folder / "s.sqlite"
    fill(path, score("a"))
    path.chmod(0o444)
    open_folder.chmod(0o777)
    assert as_nobody(path, "write").startswith(f"the store {path} cannot be written: ")


# A full disk


def test_a_full_disk_is_one_line_and_loses_nothing(path: Path) -> None:
    code = """
import resource, signal
from pathlib import Path
from scores import ENVIRONMENT, score
from zcbench.harness import store_file
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.store import Store
with Store(Path(sys.argv[1])) as store:
    store.append([score(f"kept {n}") for n in range(50)], ENVIRONMENT)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    store_file.BUSY_SECONDS = 0.1  # it waits no longer for room
    try:
        for chunk in range(100):
            store.append([score(f"{chunk} {n} " + "x" * 200) for n in range(50)], ENVIRONMENT)
            print(chunk)
    except ZcbenchError as error:
        print(error)
"""
    *written, last = finish(in_a_process(code, path)).splitlines()
    assert last.startswith(f"no room to write the store {path} (")
    assert len(read(path)) == 50 + 50 * len(written)
    assert 0 < len(written) < 99
    fill(path, score("and on it goes"))
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_full_database_is_rolled_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zcbench.harness.store_file.BUSY_SECONDS", 0.1)
    with Store(path) as store:
        store.append([score("a")], ENVIRONMENT)
        store._connection.execute("PRAGMA max_page_count = 8")
        with pytest.raises(ZcbenchError, match="no room to write the store"):
            store.append([score(str(n), "m" * 100) for n in range(1000)], ENVIRONMENT)
        assert [s.architecture for s in store.scores()] == ["a"]
    assert [s.architecture for s in read(path)] == ["a"]


# Two processes at once

WRITE = """
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from scores import ENVIRONMENT, row, score
from zcbench.harness.store import Store
time.sleep(max(0, float(sys.argv[3]) - time.time()))
with Store(Path(sys.argv[1])) as store:
    for chunk in range(20):
        rows = [score(f"{sys.argv[2]} {chunk} {n}") for n in range(5)] + [score(f"common {chunk}")]
        assert len(store.missing([row(s) for s in rows])) >= 5
        store.append(rows, ENVIRONMENT)
"""


def test_several_processes_may_create_and_fill_one_store(path: Path) -> None:
    start = time.time() + 3
    for process in [in_a_process(WRITE, path, n, start) for n in range(4)]:
        finish(process)
    names = [s.architecture for s in read(path)]
    assert len(names) == len(set(names)) == 4 * 100 + 20


def test_threads_may_create_one_store_at_the_same_moment(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def create(path: Path, name: str, barrier: threading.Barrier) -> None:
        try:
            barrier.wait()
            fill(path, score(name))
        except BaseException as error:
            failures.append(error)

    for attempt in range(10):
        path, barrier = tmp_path / f"{attempt}.sqlite", threading.Barrier(4)
        threads = [threading.Thread(target=create, args=(path, str(n), barrier)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(read(path)) == 4


def test_a_store_that_stays_locked_is_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zcbench.harness.store_file.BUSY_SECONDS", 0.1)
    with (
        Store(path) as holder,
        holder.transaction(),
        pytest.raises(ZcbenchError, match="another process holds the store"),
    ):
        fill(path, score("a"))


def test_rows_of_a_recipe_that_arrives_meanwhile_do_not_disturb_a_reader(path: Path) -> None:
    fill(path, *(score(f"a{n:04d}") for n in range(300)))
    with Store(path, create=False) as reader:
        rows = reader.scores()
        next(rows)
        fill(path, *(score(f"b{n:04d}", recipe=recipe(init_seed=1)) for n in range(300)))
        assert len(list(rows)) == 299
        assert len(reader.frame()) == 600


# Export


def make_mixed(path: Path) -> None:
    fill(
        path,
        score("a", "swap(repeats=32)", value=0.1 + 0.2),
        score("b", "swap(repeats=32)", outcome="undefined", reason="disconnected, and so on"),
        score("c", "swap(repeats=32)", outcome="failed", reason="oom"),
    )


@pytest.mark.parametrize("name", ["a\udcff.csv", "a\udcff.parquet"])
def test_an_export_may_have_a_name_that_is_not_utf8(path: Path, name: str) -> None:
    make_mixed(path)
    with Store(path, create=False) as store:
        assert export.write(store, path.with_name(name)) == 3
    assert path.with_name(name).stat().st_size


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_export_has_exactly_its_columns(path: Path, suffix: str) -> None:
    make_mixed(path)
    out = path.with_suffix(f".{suffix}")
    with Store(path, create=False) as store:
        assert export.write(store, out) == 3
    frame = pd.read_csv(out, keep_default_na=False) if suffix == "csv" else pd.read_parquet(out)
    assert tuple(frame.columns) == EXPORT_COLUMNS
    assert list(frame["architecture"]) == ["a", "b", "c"]
    assert set(frame["benchmark"]) == {"toy"}
    assert set(frame["metric"]) == {"swap(repeats=32)"}
    assert set(frame["init"]) == {"pytorch"}
    assert list(frame["outcome"]) == ["ok", "undefined", "failed"]
    assert list(frame["reason"]) == ["", "disconnected, and so on", "oom"]
    assert set(frame["seconds_standalone"]) == {0.25}
    assert set(frame["seconds_marginal"]) == {0.125}


def test_a_value_is_empty_unless_ok_and_keeps_every_bit(path: Path) -> None:
    make_mixed(path)
    with Store(path, create=False) as store:
        export.write(store, path.with_suffix(".csv"))
        export.write(store, path.with_suffix(".parquet"))
    lines = path.with_suffix(".csv").read_text().splitlines()
    place = lines[0].split(",").index("value")
    assert [line.split(",")[place] for line in lines[1:]] == [repr(0.1 + 0.2), "", ""]
    assert pq.read_table(path.with_suffix(".parquet"))["value"].to_pylist() == [0.1 + 0.2, None, None]


def test_an_exported_parquet_says_how_its_scores_were_made(path: Path) -> None:
    make_mixed(path)
    with Store(path, create=False) as store:
        export.write(store, path.with_suffix(".parquet"))
    metadata = pq.read_schema(path.with_suffix(".parquet")).metadata
    assert json.loads(metadata[b"zcbench.recipes"])[recipe().digest]["preprocessing"] == "none"
    assert json.loads(metadata[b"zcbench.environments"]) == [{**ENVIRONMENT, "rows": "3"}]


def test_an_empty_store_exports_the_same_types(path: Path) -> None:
    with Store(path) as store:
        export.write(store, path.with_suffix(".empty.parquet"))
        store.append([score("a")], ENVIRONMENT)
        export.write(store, path.with_suffix(".full.parquet"))
    empty, full = (pq.read_schema(path.with_suffix(f".{n}.parquet")) for n in ("empty", "full"))
    numbers = {"version", "batch_size", "init_seed", "value", "seconds_standalone", "seconds_marginal"}
    assert {n: empty.field(n).type for n in numbers} == {n: full.field(n).type for n in numbers}
    assert empty.names == full.names == list(EXPORT_COLUMNS)


def test_an_export_replaces_a_file_and_leaves_nothing_else(path: Path) -> None:
    make_mixed(path)
    out = path.with_suffix(".csv")
    out.write_text("old")
    with Store(path, create=False) as store:
        export.write(store, out)
    assert out.read_text() != "old"
    assert {p.name for p in path.parent.iterdir() if p.name.startswith(".")} == set()


def test_an_export_that_fails_keeps_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_mixed(path)
    out = path.with_suffix(".csv")
    out.write_text("old")

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with Store(path, create=False) as store, pytest.raises(ZcbenchError, match="No space left"):
        export.write(store, out)
    assert out.read_text() == "old"
    assert {p.name for p in path.parent.iterdir() if p.name.startswith(".")} == set()


def test_an_export_into_a_missing_folder_is_a_missing_file(path: Path) -> None:
    make_mixed(path)
    with Store(path, create=False) as store, pytest.raises(MissingFileError, match="there is no folder"):
        export.write(store, path.parent / "no" / "scores.csv")


def test_an_export_over_a_folder_is_one_line(path: Path) -> None:
    make_mixed(path)
    (path.parent / "taken.csv").mkdir()
    with Store(path, create=False) as store, pytest.raises(ZcbenchError, match="cannot write"):
        export.write(store, path.parent / "taken.csv")


def test_outcomes_are_plain_text_in_the_file(path: Path) -> None:
    make_mixed(path)
    connection = sqlite3.connect(path)
    found = {o for (o,) in connection.execute("SELECT outcome FROM scores")}
    connection.close()
    assert found == {str(o) for o in Outcome}
