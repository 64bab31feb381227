"""Runs that something happens to: started as users start them, hit at a chosen moment, and looked at afterwards."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
METRICS = "params,layers,l2_norm,snip,synflow"
SCORE = (
    "score", "--benchmark", "nasbench201", "--dataset", "digits", "--resolution", "8", "--batch-size", "8",
    "--metrics", METRICS, "--threads", "1",
)  # fmt: skip
CELL_ROWS = len(METRICS.split(","))
CHUNK_ROWS = 8 * CELL_ROWS
TAG = "ZCBENCH_TEST_RUN"
"""An environment variable by which every process is known that a run started, whoever its parent is by now."""

Bits = dict[tuple[Any, ...], tuple[Any, ...]]
"""Outcome, value to the last bit and reason of every row, by its key."""


# In the process that something happens to


@dataclass(frozen=True)
class Moment:
    """When a process is killed, or one of its workers.

    Attributes:
        stage: ``start`` (so long after the process began), ``building`` (after it knew what is missing), ``scoring``
            (after a chunk was written), ``begin``, ``rows``, ``commit``, ``log`` (within a transaction: before its
            rows, behind them, during the commit, while the log is emptied), ``shutdown`` (after an interrupted run
            has written its last chunk), ``worker``, ``daemon`` (one of the processes that score, or Ray's own that
            watches them, after a chunk was written).
        chunk: how many chunks are written before.
        seconds: how long after that.
    """

    stage: str
    chunk: int
    seconds: float

    @classmethod
    def drawn(cls, stage: str, generator: random.Random) -> "Moment":
        most = {"start": 4.0, "building": 0.6, "scoring": 1.0, "commit": 0.004, "log": 0.004, "shutdown": 0.4}
        chunk = 0 if stage in ("start", "building") else generator.randint(1, 2)
        return cls(stage, chunk, generator.uniform(0, most.get(stage, 0.5)))


def kill(seconds: float = 0.0, victim: Callable[[], int] = os.getpid) -> None:
    """Send SIGKILL after a while, from a thread, so that it comes in the middle of something."""

    def strike() -> None:
        time.sleep(seconds)
        os.kill(victim(), signal.SIGKILL)

    threading.Thread(target=strike, daemon=True).start()


def a_worker() -> int:
    """A process that scores for this one, on this machine or below a cluster that it started."""
    return below("spawn_main", "ray::RayWorker")


def a_daemon() -> int:
    """The process of Ray that starts and watches the workers of this machine."""
    return below("raylet/raylet")


def below(*names: str) -> int:
    """A process below this one with one of these names in its command line; waits until there is one."""
    import psutil

    while True:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if any(name in " ".join(process.cmdline()[:3]) for name in names):
                    return int(process.pid)
        time.sleep(0.01)


def arrange(moment: Moment, journal: Path) -> None:
    """Prepare this process to be killed, and to note in a file every chunk that was written, when it was."""
    from zcbench.harness import store_file
    from zcbench.harness.store import Store

    begun = 0
    append, insert, missing, empty_log = Store.append, Store._insert, Store.missing, store_file.empty_log

    def noted(store: Store, scores: Any, *rest: Any) -> None:
        nonlocal begun
        begun += 1
        append(store, scores := list(scores), *rest)
        with journal.open("a") as file:
            file.write(f"{len(scores)}\n")
        if begun == moment.chunk and moment.stage == "scoring":
            kill(moment.seconds)
        if begun == moment.chunk and moment.stage == "worker":
            kill(moment.seconds, a_worker)
        if begun == moment.chunk and moment.stage == "daemon":
            kill(moment.seconds, a_daemon)
        if begun == moment.chunk and moment.stage == "shutdown":
            signal.raise_signal(signal.SIGINT)  # the run ends behind its next chunk
        if begun == moment.chunk + 1 and moment.stage == "shutdown":
            kill(moment.seconds)

    def within(store: Store, scores: Any, environment: Any) -> None:
        now = begun == moment.chunk
        if now and moment.stage == "begin":
            os.kill(os.getpid(), signal.SIGKILL)
        insert(store, scores, environment)
        if now and moment.stage == "rows":
            os.kill(os.getpid(), signal.SIGKILL)
        if now and moment.stage == "commit":
            kill(moment.seconds)

    def emptied(connection: sqlite3.Connection) -> None:
        if begun == moment.chunk and moment.stage == "log":
            kill(moment.seconds)
        empty_log(connection)

    def known(store: Store, *arguments: Any, **options: Any) -> Any:
        found = missing(store, *arguments, **options)
        if moment.stage == "building":
            kill(moment.seconds)
        return found

    Store.append, Store._insert, Store.missing = noted, within, known  # type: ignore[method-assign]
    store_file.empty_log = emptied


# Around it


def program(setup: str = "") -> list[str]:
    """The command line of zcbench in a process of its own, behind some lines of Python.

    It hears signals as in a terminal, also where the tests run in the background.
    """
    head = f"import signal, sys; sys.path.insert(0, {str(TESTS)!r})\n"
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
    return [sys.executable, "-c", f"{head}{heard}{setup}\nfrom zcbench.harness.cli import main; main()"]


def start(
    arguments: Sequence[object], *, setup: str = "", tag: str | None = None, before: Sequence[str] = (), **options: Any
) -> "subprocess.Popen[str]":
    """Start zcbench, behind another command where one is given; what it says on standard error can be read."""
    environment = {**os.environ, TAG: tag or uuid.uuid4().hex, **options.pop("env", {})}
    chosen = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen([*before, *program(setup), *map(str, arguments)], env=environment, **chosen)


def finished(process: "subprocess.Popen[str]", seconds: float = 400) -> tuple[int, str]:
    """Exit code and standard error of a process that ends by itself."""
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, said or ""


def left_behind(tag: str, seconds: float = 20) -> list[str]:
    """Command lines of the processes of a run that are still there after a while."""
    import psutil

    def there() -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(TAG) == tag and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline())[:200])
            except psutil.Error:
                continue
        return found

    end = time.monotonic() + seconds
    while (left := there()) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def sound(path: Path) -> int:
    """Check a store with SQLite's own means, and return the number of its rows."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'scores'").fetchone():
            return 0
        keys = "space, architecture, metric, version, recipe"
        (rows,) = connection.execute("SELECT COUNT(*) FROM scores").fetchone()
        (different,) = connection.execute(f"SELECT COUNT(*) FROM (SELECT DISTINCT {keys} FROM scores)").fetchone()
        assert rows == different
        return int(rows)


def bits(path: Path) -> Bits:
    """What a store says of every row, without what depends on the machine and the day."""
    query = "SELECT space, architecture, metric, version, recipe, outcome, value, reason FROM scores"
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'scores'").fetchone():
            return {}
        return {
            tuple(key): (outcome, None if value is None else value.hex(), reason)
            for *key, outcome, value, reason in connection.execute(query)
        }


def written(path: Path) -> int:
    """The rows of a store that a run is just writing; none before it is one."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM scores").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait_until(true: Callable[[], Any], process: "subprocess.Popen[str] | None" = None, seconds: float = 240) -> bool:
    """Wait until something is so, or the process has ended, or the time is over."""
    end = time.monotonic() + seconds
    while not (so := true()) and time.monotonic() < end and (process is None or process.poll() is None):
        time.sleep(0.02)
    return bool(so or true())
