"""What becomes of the file of a store and of the files beside it: gone, replaced, damaged, somebody else's."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from faulty import CHUNK_ROWS, SCORE, bits, finished, sound, start, wait_until, written
from scores import ENVIRONMENT, score

from zcbench.harness import store_file
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.store import Store

Harm = Callable[[Path], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "s.sqlite"


def fill(path: Path, *names: str) -> None:
    with Store(path) as store:
        store.append([score(name) for name in names], ENVIRONMENT)


def names(path: Path) -> set[str]:
    with Store(path, create=False) as store:
        return {s.architecture for s in store.scores()}


def disturbed(path: Path, between: Callable[[], object], *rest: str) -> str:
    """Write row a, let something happen, write the rest a chunk each, and return the one line that is said."""

    def run() -> None:
        with Store(path) as store:
            store.append([score("a")], ENVIRONMENT)
            between()
            for name in rest:
                store.append([score(name)], ENVIRONMENT)

    with pytest.raises(ZcbenchError) as caught:
        run()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Gone while a run writes


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("moved.sqlite"))


@pytest.mark.parametrize("harm", [delete, delete_all, move])
def test_a_store_that_goes_away_during_a_run_is_put_back(path: Path, harm: Harm) -> None:
    said = disturbed(path, lambda: harm(path), "b")
    assert said.startswith(f"the store {path} was moved, deleted or replaced while this run wrote to it")
    assert "run the same command again to go on" in said
    assert sound(path) == 1
    if harm is move:
        assert names(path.with_name("moved.sqlite")) == {"a"}
    fill(path, "b")
    assert names(path) == {"a", "b"}


def test_a_store_that_goes_away_after_the_last_chunk_is_put_back(path: Path) -> None:
    assert "run the same command again to go on" in disturbed(path, lambda: delete_all(path))
    assert names(path) == {"a"}


def test_a_store_that_goes_away_while_ctrl_c_is_pressed_is_put_back(path: Path) -> None:
    def both() -> None:
        delete_all(path)
        raise KeyboardInterrupt

    assert "run the same command again to go on" in disturbed(path, both)
    assert names(path) == {"a"}


def folder_instead(path: Path) -> None:
    delete_all(path)
    path.mkdir()


def another_store_instead(path: Path) -> None:
    delete_all(path)
    fill(path, "of another one")


def text_instead(path: Path) -> None:
    delete_all(path)
    path.write_text("something else")


@pytest.mark.parametrize("harm", [folder_instead, another_store_instead, text_instead])
def test_a_store_that_is_replaced_during_a_run_is_saved_beside(path: Path, harm: Harm) -> None:
    saved = path.with_name("s.sqlite.saved")
    assert f"go on with --store {saved}" in disturbed(path, lambda: harm(path), "b")
    assert names(saved) == {"a"}
    if harm is another_store_instead:
        assert names(path) == {"of another one"}
    if harm is text_instead:
        assert path.read_text() == "something else"
    fill(saved, "b")
    assert names(saved) == {"a", "b"}


def test_a_folder_that_is_moved_during_a_run_takes_its_rows_along(path: Path) -> None:
    elsewhere = path.parent.with_name("elsewhere")
    assert "only where it was moved to" in disturbed(path, lambda: path.parent.rename(elsewhere), "b")
    assert names(elsewhere / path.name) == {"a"}


def test_a_store_that_is_only_read_may_go_away(path: Path) -> None:
    fill(path, "a", "b")
    with Store(path, create=False) as store:
        rows = store.scores()
        next(rows)
        delete_all(path)
        assert len(list(rows)) == 1
    assert not path.exists()


@pytest.mark.parametrize("size", [0, 100, 8192])
def test_a_store_that_is_cut_off_during_a_run_is_called_damaged(path: Path, size: int) -> None:
    said = disturbed(path, lambda: os.truncate(path, size), "b")
    assert said == f"the store {path} was cut off while this run wrote to it: name another file with --store"


# The files beside it


@pytest.fixture
def hot(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store as a kill leaves it between two commits and the moment when the log is emptied: rows a, log b and c."""
    origin = path.with_name("origin")
    fill(origin, "a")
    with monkeypatch.context() as patch:
        patch.setattr(store_file, "empty_log", lambda connection: None)
        with Store(origin) as store:
            for name in "bc":
                store.append([score(name)], ENVIRONMENT)
            for end in ("", "-wal", "-shm"):
                shutil.copy(f"{origin}{end}", f"{path}{end}")
    origin.unlink()
    assert store_file.log_bytes(path) > 0
    return path


def beside(path: Path, end: str) -> Path:
    return path.with_name(f"{path.name}-{end}")


def test_a_log_that_a_kill_left_is_read_and_goes_with_the_next_run(hot: Path) -> None:
    assert names(hot) == {"a", "b", "c"}
    fill(hot, "d")
    assert names(hot) == {"a", "b", "c", "d"}
    assert [file.name for file in hot.parent.iterdir()] == [hot.name]


def test_without_its_log_a_store_has_what_was_emptied_into_it(hot: Path) -> None:
    beside(hot, "wal").unlink()
    assert names(hot) == {"a"}
    fill(hot, "b")
    assert sound(hot) == 2


def truncated(log: Path) -> None:
    os.truncate(log, log.stat().st_size - 5000)


def of_no_bytes(log: Path) -> None:
    os.truncate(log, 0)


def short_of_a_header(log: Path) -> None:
    os.truncate(log, 20)


def flipped(log: Path) -> None:
    content = bytearray(log.read_bytes())
    content[-3000] ^= 0xFF
    log.write_bytes(content)


def noise(log: Path) -> None:
    log.write_bytes(bytes(range(256)) * 100)


@pytest.mark.parametrize("harm", [truncated, of_no_bytes, short_of_a_header, flipped, noise])
def test_a_damaged_log_costs_at_most_what_was_only_in_it(hot: Path, harm: Harm) -> None:
    harm(beside(hot, "wal"))
    left = names(hot)
    assert {"a"} <= left < {"a", "b", "c"}  # whole chunks, in their order
    assert "c" not in left
    fill(hot, "b", "c")
    assert names(hot) == {"a", "b", "c"}
    assert sound(hot) == 3
    assert [file.name for file in hot.parent.iterdir()] == [hot.name]


@pytest.mark.parametrize("harm", [delete, of_no_bytes, truncated, flipped, noise])
def test_a_damaged_index_of_the_log_costs_nothing(hot: Path, harm: Harm) -> None:
    harm(beside(hot, "shm"))
    assert names(hot) == {"a", "b", "c"}
    fill(hot, "d")
    assert sound(hot) == 4
    assert [file.name for file in hot.parent.iterdir()] == [hot.name]


@pytest.mark.parametrize("create", [True, False])
def test_the_log_of_another_store_is_refused_and_changes_nothing(hot: Path, tmp_path: Path, create: bool) -> None:
    mine = tmp_path / "mine.sqlite"
    fill(mine, *(f"mine {n}" for n in range(100)))
    content = mine.read_bytes()
    shutil.copy(beside(hot, "wal"), beside(mine, "wal"))
    with pytest.raises(ZcbenchError, match=r"the log .*mine.sqlite-wal does not belong to the store"):
        Store(mine, create=create)
    assert mine.read_bytes() == content
    beside(mine, "wal").unlink()
    assert len(names(mine)) == 100
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("mine")] == [mine.name]


def test_the_log_of_another_store_that_replaces_every_page_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the number of the store, SQLite would give out the rows of the other one, and nothing would be wrong."""
    mine, other = tmp_path / "mine.sqlite", tmp_path / "other.sqlite"
    fill(mine, "mine")
    fill(other, "other")
    monkeypatch.setattr(store_file, "empty_log", lambda connection: None)
    with Store(other) as store:
        store.connection.execute("VACUUM")  # writes every page to the log
        shutil.copy(beside(other, "wal"), beside(mine, "wal"))
    with closing(sqlite3.connect(f"{mine.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("SELECT architecture FROM scores").fetchall() == [("other",)]
    beside(mine, "shm").unlink(missing_ok=True)
    with pytest.raises(ZcbenchError, match="does not belong to the store"):
        Store(mine)


def test_each_store_has_a_number_of_its_own_that_does_not_change(tmp_path: Path) -> None:
    numbers = []
    for name in ("a", "b", "a"):
        with Store(tmp_path / name) as store:
            numbers.append(store.connection.execute("PRAGMA application_id").fetchone()[0])
    assert numbers[0] == numbers[2] != numbers[1]
    assert 0 not in numbers


def test_what_was_written_is_in_the_file_alone_after_every_chunk(path: Path, tmp_path: Path) -> None:
    with Store(path) as store:
        for n in range(3):
            store.append([score(str(n))], ENVIRONMENT)
            assert store_file.log_bytes(path) == 0
            shutil.copy(path, tmp_path / "copy")
            assert len(names(tmp_path / "copy")) == n + 1


# What is no store


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full", "pipe"])
@pytest.mark.parametrize("create", [True, False])
def test_a_device_or_a_pipe_is_no_store(tmp_path: Path, name: str, create: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ZcbenchError, match="is a device or a pipe"):
        Store(tmp_path / name, create=create)


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere/s.sqlite")
    with pytest.raises(MissingFileError, match=r"it is a link to nothing, nowhere/s\.sqlite"):
        Store(tmp_path / "link")


def test_a_link_to_a_store_is_that_store(path: Path, tmp_path: Path) -> None:
    fill(path, "a")
    (tmp_path / "link").symlink_to(path)
    fill(tmp_path / "link", "b")
    assert names(path) == {"a", "b"}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


# Whole runs


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("harm", [delete_all, move, folder_instead])
def test_a_real_run_whose_store_goes_away_says_so_and_goes_on_afterwards(
    path: Path, tmp_path: Path, harm: Harm
) -> None:
    job = [*SCORE, "--sample", 40, "--workers", 1, "--store"]
    process = start([*job, path])
    assert wait_until(lambda: written(path), process)
    process.send_signal(signal.SIGSTOP)
    kept = sound(path)
    harm(path)
    process.send_signal(signal.SIGCONT)
    code, said = finished(process)
    assert code == 2, said
    assert "was moved, deleted or replaced while this run wrote to it" in said.splitlines()[-1]
    assert "Traceback" not in said
    there = path.with_name("s.sqlite.saved") if path.is_dir() else path
    assert sound(there) >= kept >= CHUNK_ROWS
    code, said = finished(start([*job, there]))
    assert code == 0, said
    assert finished(start([*job, tmp_path / "undisturbed.sqlite"]))[0] == 0
    assert bits(there) == bits(tmp_path / "undisturbed.sqlite")
