"""Signals, a terminal that is gone, a machine that sleeps and a clock that jumps: runs end in order, or go on."""

import io
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faulty import CELL_ROWS, SCORE, bits, finished, left_behind, sound, start, wait_until, written

from zcbench.datasets import images
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness.commands._progress import Progress
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.registry import select
from zcbench.harness.runner import Summary, run
from zcbench.harness.signals import ctrl_c_held_back, endings_as_ctrl_c
from zcbench.harness.standard_error import heard_or_not
from zcbench.harness.store import Store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

ENDINGS = [signal.SIGTERM, signal.SIGHUP]


def job(cells: int = 6) -> Job:
    """A job that takes no pass, and so no time."""
    space, batch = Space(), images.load("gaussian", batch_size=4)
    return Job(
        "nasbench201", space, space.sample(cells, 0), select("params,layers"), batch, initialisation("pytorch"), 1
    )


def scored(path: Path, progress: Callable[[int, int, bool], None]) -> Summary:
    with Store(path) as store:
        return run(job(), store, machine=Machine(), chunk=2, progress=progress)


def at(candidate: int, *numbers: int) -> Callable[[int, int, bool], None]:
    def progress(done: int, total: int, interrupted: bool) -> None:
        if done == candidate:
            for number in numbers:
                signal.raise_signal(number)

    return progress


@contextmanager
def handled(number: int, how: signal.Handlers) -> Iterator[None]:
    before = signal.signal(number, how)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", ENDINGS)
def test_a_request_to_end_finishes_the_chunk(tmp_path: Path, number: signal.Signals) -> None:
    with handled(number, signal.SIG_DFL), endings_as_ctrl_c():
        summary = scored(tmp_path / "s", at(3, number))
    assert summary.interrupted
    assert sound(tmp_path / "s") == 4 * 2
    assert scored(tmp_path / "s", at(0)).present == 4 * 2


@pytest.mark.parametrize("number", ENDINGS)
def test_a_second_request_to_end_stops_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with handled(number, signal.SIG_DFL), pytest.raises(KeyboardInterrupt), endings_as_ctrl_c():
        scored(tmp_path / "s", at(3, number, number))
    assert sound(tmp_path / "s") == 2 * 2


def test_what_nohup_ignores_stays_ignored() -> None:
    with handled(signal.SIGHUP, signal.SIG_IGN), endings_as_ctrl_c():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_run_in_the_background_hears_a_request_to_end() -> None:
    with handled(signal.SIGINT, signal.SIG_IGN), pytest.raises(KeyboardInterrupt), endings_as_ctrl_c():
        signal.raise_signal(signal.SIGTERM)


def test_a_request_to_end_during_an_import_waits_for_its_end() -> None:
    imported = []

    def importing() -> None:
        with endings_as_ctrl_c(), ctrl_c_held_back():
            signal.raise_signal(signal.SIGTERM)
            imported.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        importing()
    assert imported


class Gone(io.StringIO):
    """A standard error whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_run_goes_on_when_nobody_reads_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Gone())
    with heard_or_not():
        print("nobody", file=sys.stderr, flush=True)
        with Progress() as progress:
            summary = scored(tmp_path / "s", lambda *how_far: progress(*how_far[:2], True))
    assert not summary.interrupted
    assert sound(tmp_path / "s") == 6 * 2


def test_what_is_said_is_heard_where_somebody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stderr
    with heard_or_not():
        print("somebody", file=sys.stderr)
        assert sys.stderr.isatty() is False
    assert sys.stderr is before
    assert capsys.readouterr().err == "somebody\n"


# A clock that jumps


def jumping() -> Callable[[], float]:
    """A time of day that is set back and forward by a day again and again."""
    real, jumps = time.time, itertools.cycle((0.0, -86400.0, 86400.0, 3600.0, -7200.0))
    return lambda: real() + next(jumps)


def test_a_clock_that_jumps_changes_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored(tmp_path / "steady", at(0))
    clock = jumping()
    monkeypatch.setattr(time, "time", clock)
    monkeypatch.setattr(time, "time_ns", lambda: int(clock() * 1e9))
    with Progress() as progress:
        scored(tmp_path / "s", progress)
    assert bits(tmp_path / "s") == bits(tmp_path / "steady")
    with Store(tmp_path / "s", create=False) as store:
        frame = store.frame()
    for seconds in ("seconds_standalone", "seconds_marginal"):
        assert frame[seconds].between(0, 60).all()


class Terminal(io.StringIO):
    """A standard error that somebody watches."""

    def isatty(self) -> bool:
        return True


def test_the_bar_goes_on_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, now = Terminal(), time.time()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    with Progress() as progress:
        monkeypatch.setattr("tqdm.std.time", lambda: now - 86400)
        for done in (1, 2, 3):
            time.sleep(0.12)
            progress(done, 4, False)
        assert "3/4" in screen.getvalue()


# Whole runs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sqlite"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", ENDINGS)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_real_run_ends_in_order_on_request(path: Path, number: signal.Signals, workers: int) -> None:
    process = start([*SCORE, "--sample", 80, "--workers", workers, "--store", path], tag=str(path))
    assert wait_until(lambda: written(path), process)
    process.send_signal(number)
    code, said = finished(process)
    assert code == 130
    assert "run the same command again to go on" in said
    assert "Traceback" not in said
    assert 0 < sound(path) < 80 * CELL_ROWS
    assert sound(path) % CELL_ROWS == 0
    assert left_behind(str(path)) == []
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [signal.SIGINT, *ENDINGS])
def test_a_signal_to_a_run_and_its_workers_ends_it_in_order(path: Path, number: signal.Signals) -> None:
    """A terminal, and a scheduler, send it to all processes at once; workers may die of it."""
    process = start([*SCORE, "--sample", 80, "--workers", 2, "--store", path], tag=str(path), start_new_session=True)
    assert wait_until(lambda: written(path), process)
    os.killpg(process.pid, number)
    code, said = finished(process)
    assert code == 130, said
    assert "Traceback" not in said
    assert 0 < sound(path) < 80 * CELL_ROWS
    assert sound(path) % CELL_ROWS == 0
    assert left_behind(str(path)) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_twice_on_a_real_run_stops_at_once(path: Path, workers: int) -> None:
    process = start([*SCORE, "--sample", 80, "--workers", workers, "--store", path], tag=str(path))
    assert wait_until(lambda: written(path), process)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    code, said = finished(process, 30)
    assert code == 130
    assert "Traceback" not in said
    assert sound(path) % CELL_ROWS == 0
    assert left_behind(str(path)) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_run_whose_standard_error_is_closed_goes_on(path: Path) -> None:
    process = start([*SCORE, "--sample", 24, "--workers", 1, "--store", path])
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.close()  # as head -1 does
    assert process.wait(timeout=400) == 0
    assert sound(path) == 24 * CELL_ROWS


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_machine_that_sleeps_goes_on(path: Path, workers: int) -> None:
    import psutil

    process = start([*SCORE, "--sample", 40, "--workers", workers, "--store", path])
    assert wait_until(lambda: written(path), process)
    everything = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for one in everything:
        one.suspend()
    time.sleep(5)
    assert sound(path) % CELL_ROWS == 0
    for one in everything:
        one.resume()
    code, said = finished(process)
    assert code == 0, said
    assert sound(path) == 40 * CELL_ROWS


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_run_with_a_clock_that_jumps_has_the_same_bits(path: Path, tmp_path: Path) -> None:
    jumps = (
        "import itertools, time; real, jumps = time.time, itertools.cycle((0, -86400, 86400, 3600, -7200))\n"
        "time.time = lambda: real() + next(jumps); time.time_ns = lambda: int(time.time() * 1e9)"
    )
    job = [*SCORE, "--sample", 24, "--workers", 2, "--store"]
    for where, setup in ((path, jumps), (tmp_path / "steady.sqlite", "")):
        code, said = finished(start([*job, where], setup=setup))
        assert code == 0, said
    assert bits(path) == bits(tmp_path / "steady.sqlite")
