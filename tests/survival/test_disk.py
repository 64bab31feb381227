"""A disk that is full, read-only or gone: one line or a wait, and what was written is kept.

A tmpfs of some KiB is a real file system that really returns ENOSPC; where none may be mounted, the limit of a file's
size does (``tests/harness/test_store.py``), and the largest number of pages of SQLite.
"""

import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from disks import Disk
from faulty import CHUNK_ROWS, SCORE, bits, finished, sound, start, wait_until, written
from scores import ENVIRONMENT, score

from zcbench.harness import store_file
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.store import Store
from zcbench.harness.types import Score

MakeDisk = Callable[[int], Disk]


def chunk(name: object, rows: int = 50) -> list[Score]:
    return [score(f"{name} {n} " + "x" * 100) for n in range(rows)]


def stored(path: Path) -> int:
    with Store(path, create=False) as store:
        return len(store.frame())


def fill_until_refused(store: Store, most: int = 200) -> tuple[int, str]:
    """Append chunks until one is refused; gives the number that was written, and what was said."""
    for n in range(most):
        try:
            store.append(chunk(n), ENVIRONMENT)
        except ZcbenchError as error:
            return n, str(error)
    raise AssertionError("the disk is never full")


def test_a_disk_that_is_full_from_the_start(small_disk: MakeDisk, impatient: None) -> None:
    disk = small_disk(400)
    path = disk.folder / "s.sqlite"
    disk.fill()
    with pytest.raises(ZcbenchError, match=r"no room to write the store .*: free some and run again"), Store(path):
        pass
    disk.empty()
    with Store(path) as store:
        store.append(chunk(0), ENVIRONMENT)
    assert sound(path) == 50


def test_a_disk_that_fills_up_in_the_middle(small_disk: MakeDisk, impatient: None) -> None:
    disk = small_disk(600)
    path = disk.folder / "s.sqlite"
    with Store(path) as store:
        written, said = fill_until_refused(store)
        assert said.startswith(f"no room to write the store {path} (")
        assert "all that was written before is kept" in said
        assert len(store.frame()) == 50 * written > 0
        with pytest.raises(ZcbenchError, match="no room"):
            store.append(chunk("again"), ENVIRONMENT)
    assert stored(path) == 50 * written  # it can be read while the disk is full
    with pytest.raises(ZcbenchError, match="no room"), Store(path) as store:
        store.append(chunk("another process"), ENVIRONMENT)
    larger = disk.folder.parent / "larger.sqlite"
    shutil.copy(path, larger)
    with Store(larger) as store:
        store.append(chunk("here there is room"), ENVIRONMENT)
    assert sound(larger) == 50 * (written + 1)
    assert sound(path) == 50 * written


def test_room_that_comes_within_a_minute_is_waited_for(small_disk: MakeDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zcbench.harness.store_file.BUSY_SECONDS", 20.0)
    disk = small_disk(600)
    with Store(disk.folder / "s.sqlite") as store:
        disk.fill()
        freed = threading.Timer(0.3, disk.empty)
        begun = time.monotonic()  # before the timer, which may be over before the next line
        freed.start()
        store.append(chunk(0), ENVIRONMENT)
        assert time.monotonic() - begun > 0.25
        freed.join()
    assert sound(disk.folder / "s.sqlite") == 50


def test_a_disk_that_is_full_when_the_log_is_emptied(
    small_disk: MakeDisk, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk(600)
    path, empty_log = disk.folder / "s.sqlite", store_file.empty_log

    def full(connection: sqlite3.Connection) -> None:
        disk.fill()
        empty_log(connection)

    with Store(path) as store:
        monkeypatch.setattr(store_file, "empty_log", full)
        store.append(chunk(0), ENVIRONMENT)  # it is in the log, and so it is written
        assert store_file.log_bytes(path) > 0
        assert len(store.frame()) == 50
        with pytest.raises(ZcbenchError, match="no room"):
            store.append(chunk(1, 500), ENVIRONMENT)
    assert stored(path) == 50
    monkeypatch.undo()
    disk.empty()
    with Store(path) as store:
        store.append(chunk(1), ENVIRONMENT)
    assert sound(path) == 100
    assert {file.name for file in disk.folder.iterdir()} == {"s.sqlite"}


def test_a_full_disk_can_be_read_and_copied_from(small_disk: MakeDisk, impatient: None) -> None:
    disk = small_disk(400)
    path = disk.folder / "s.sqlite"
    with Store(path) as store:
        store.append(chunk(0), ENVIRONMENT)
    disk.fill()
    assert stored(path) == 50
    disk.empty()
    assert {file.name for file in disk.folder.iterdir()} == {"s.sqlite"}


def test_a_read_only_disk_can_be_read_and_not_written(small_disk: MakeDisk) -> None:
    disk = small_disk(400)
    path = disk.folder / "s.sqlite"
    with Store(path) as store:
        store.append(chunk(0), ENVIRONMENT)
    content = path.read_bytes()
    disk.mount("-o", "remount,ro")
    assert stored(path) == 50
    with pytest.raises(ZcbenchError, match=r"cannot be written: name another file with --store"), Store(path):
        pass
    new = disk.folder / "new.sqlite"
    with pytest.raises(ZcbenchError, match=f"the store {new} cannot be written: choose a folder"), Store(new):
        pass
    assert path.read_bytes() == content


def test_a_log_that_a_kill_left_on_a_disk_that_is_read_only_now(
    small_disk: MakeDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk(800)
    path = disk.folder / "s.sqlite"
    monkeypatch.setattr(store_file, "empty_log", lambda connection: None)
    with Store(disk.folder / "of the killed") as store:
        store.append(chunk(0), ENVIRONMENT)
        for end in ("", "-wal"):  # as a kill leaves them
            shutil.copy(f"{store.path}{end}", f"{path}{end}")
    assert store_file.log_bytes(path) > 0
    disk.mount("-o", "remount,ro")
    with pytest.raises(ZcbenchError, match=r"rows of a killed run are in its log .*; copy both"):
        stored(path)
    elsewhere = disk.folder.parent / "copy.sqlite"
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{elsewhere}{end}")
    assert stored(elsewhere) == 50


# Whole runs


IMPATIENT = "from zcbench.harness import store_file; store_file.BUSY_SECONDS = 0.5"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_on_a_disk_that_fills_up_says_so_and_goes_on_afterwards(small_disk: MakeDisk, tmp_path: Path) -> None:
    disk = small_disk(2000)
    path, other = disk.folder / "s.sqlite", tmp_path / "undisturbed.sqlite"
    job = [*SCORE, "--sample", 40, "--workers", 1, "--store"]
    process = start([*job, path], setup=IMPATIENT)
    assert wait_until(lambda: written(path), process)
    disk.fill()
    code, said = finished(process)
    assert code == 2
    assert said.splitlines()[-1].startswith(f"zcbench: no room to write the store {path} (")
    assert "Traceback" not in said
    kept = sound(path)
    assert kept >= CHUNK_ROWS
    code, said = finished(start([*job, path], setup=IMPATIENT))
    assert code == 2
    assert "no room" in said.splitlines()[-1]
    disk.empty()
    code, said = finished(start([*job, path]))
    assert code == 0
    assert f"{kept} were there before" in said
    assert finished(start([*job, other]))[0] == 0
    assert bits(path) == bits(other)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_waits_for_room_and_finishes(small_disk: MakeDisk) -> None:
    disk = small_disk(2000)
    path = disk.folder / "s.sqlite"
    process = start([*SCORE, "--sample", 40, "--workers", 2, "--store", path])
    assert wait_until(lambda: written(path), process)
    disk.fill()
    time.sleep(5)
    assert process.poll() is None
    disk.empty()
    code, said = finished(process)
    assert code == 0, said
    assert sound(path) == 40 * CHUNK_ROWS / 8


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_disk_whose_every_write_is_slow(tmp_path: Path) -> None:
    """strace delays every write and every sync of two runs on one store, as a busy network file system does."""
    strace = shutil.which("strace")
    if strace is None or subprocess.run([strace, "-o", os.devnull, "true"], capture_output=True).returncode:
        pytest.skip("needs strace, and the right to trace processes")
    path = tmp_path / "s.sqlite"
    slow = [strace, "-f", "-qq", "-o", os.devnull, "-e", "trace=pwrite64,fsync,fdatasync",
            "-e", "inject=pwrite64:delay_exit=20000", "-e", "inject=fsync,fdatasync:delay_exit=500000"]  # fmt: skip
    job = [*SCORE, "--sample", 24, "--workers", 1, "--store", path]
    processes = [start(job, before=slow) for _ in range(2)]
    for process in processes:
        code, said = finished(process, 800)
        assert code == 0, said
    assert sound(path) == 24 * CHUNK_ROWS / 8
