"""Several writers of one store: whole runs at once, one that is slow, one that is stopped in a transaction."""

import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from faulty import CHUNK_ROWS, SCORE, bits, finished, sound, start, wait_until
from scores import ENVIRONMENT, score

from zcbench.harness.store import Store
from zcbench.harness.store_file import BUSY_SECONDS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sqlite"


def test_a_store_that_another_process_holds_for_a_while_is_waited_for(path: Path) -> None:
    """What holds the lock stands for a slow file system too: there a commit keeps it until the disk has answered."""
    with Store(path) as store:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")

        def let_go() -> None:
            other.execute("COMMIT")
            other.close()

        timer = threading.Timer(0.5, let_go)
        begun = time.monotonic()  # before the timer, which may be over before the next line
        timer.start()
        store.append([score("a")], ENVIRONMENT)
        assert time.monotonic() - begun > 0.4
    assert sound(path) == 1


def test_commits_that_take_long_wait_for_each_other(path: Path) -> None:
    """Two writers whose commits take a while each, with the lock held as in a slow fsync: both write all they have."""

    class Slow(Store):
        def _insert(self, *arguments: object) -> None:
            super()._insert(*arguments)
            time.sleep(0.05)

    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            with Slow(path) as store:
                for n in range(8):
                    store.append([score(f"{name} {n}"), score(f"common {n}")], ENVIRONMENT)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sound(path) == 24


def test_a_reader_does_not_hold_up_a_writer(path: Path) -> None:
    with Store(path) as writer:
        writer.append([score(f"a{n}") for n in range(100)], ENVIRONMENT)
        with Store(path, create=False) as reader:
            rows = reader.scores()
            next(rows)
            begun = time.monotonic()
            writer.append([score("b")], ENVIRONMENT)
            assert time.monotonic() - begun < BUSY_SECONDS / 2  # it does not wait to empty the log
            assert len(list(rows)) == 99
        writer.append([score("c")], ENVIRONMENT)
    assert sound(path) == 102
    assert [file.name for file in path.parent.iterdir()] == [path.name]


# Whole runs


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kinds", [("--sample-seed", "0"), ("--sample-seed", "1")], ids=["same rows", "other rows"])
def test_two_runs_on_one_store_at_once(path: Path, tmp_path: Path, kinds: tuple[str, str]) -> None:
    """Together they write what one after the other would: every row once, with the same bits."""
    alone = tmp_path / "alone.sqlite"
    jobs = [[*SCORE, "--sample", 32, "--workers", 1, *seed] for seed in (("--sample-seed", "0"), kinds)]
    both = [start([*job, "--store", path]) for job in jobs]
    for process in both:
        code, said = finished(process)
        assert code == 0, said
    for job in jobs:
        assert finished(start([*job, "--store", alone]))[0] == 0
    assert sound(path) == len(bits(alone))
    assert bits(path) == bits(alone)
    assert [file.name for file in path.parent.iterdir() if file.name.startswith("s.")] == [path.name]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_waits_for_one_that_is_stopped_within_a_transaction(path: Path) -> None:
    stop = (
        "import os, signal; from zcbench.harness.store import Store\n"
        "whole = Store._insert\n"
        "def within(*a):\n    whole(*a)\n    os.kill(os.getpid(), signal.SIGSTOP)\n"
        "Store._insert = within"
    )
    first = start([*SCORE, "--sample", 8, "--workers", 1, "--store", path], setup=stop)
    assert wait_until(lambda: locked(path), first)
    second = start([*SCORE, "--sample", 8, "--workers", 1, "--store", path])
    time.sleep(15)
    assert second.poll() is None
    first.send_signal(signal.SIGCONT)
    for process in (first, second):
        code, said = finished(process)
        assert code == 0, said
    assert sound(path) == CHUNK_ROWS


def locked(path: Path) -> bool:
    """Whether somebody is writing to a store."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
    time.sleep(0.2)
    return False
