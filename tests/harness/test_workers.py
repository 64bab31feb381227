"""Worker processes: the same bits as one process, no row lost when one dies, and none that outlives its parent."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from poisonous import after_all_others, calls, deadly, once, pause

from zcbench.datasets import images
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.executors import overdue, useful
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.metric import Metric, metric
from zcbench.harness.passes.spec import ParameterCount
from zcbench.harness.registry import select
from zcbench.harness.runner import CHUNK, run
from zcbench.harness.store import Store
from zcbench.harness.types import Outcome


def job(metrics: list[Metric], number: int = 8) -> Job:
    space, batch = Space(), images.load("gaussian", batch_size=4)
    return Job("nasbench201", space, space.sample(number, 0), metrics, batch, initialisation("pytorch"), 1)


def test_the_number_of_workers_does_not_change_a_bit(tmp_path: Path) -> None:
    rows = []
    for workers in (1, 2):
        with Store(tmp_path / f"{workers}.sqlite") as store:
            summary = run(job(select("params,synflow,swap(repeats=1,samples=4)")), store, Machine(workers=workers))
            assert sum(summary.outcomes.values()) == 24
            rows.append([(s.architecture, s.metric, s.value, s.outcome, s.reason) for s in store.scores()])
            assert store.environments()[0]["workers"] == str(workers)
    assert rows[0] == rows[1]


def test_there_are_no_more_workers_than_there_is_work_for() -> None:
    assert [useful(Machine(workers=2), n).workers for n in (0, 3, 7, 8, 100)] == [1, 1, 1, 2, 2]
    assert useful(Machine(device="cuda", workers=8), 100).workers == 1
    assert useful(Machine(device="cuda", workers=8, executor="ray"), 100).workers == 8
    assert useful(Machine(workers=None, executor="ray"), 100).workers is None


def test_a_metric_of_a_function_cannot_be_sent(tmp_path: Path) -> None:
    @metric("local", version=1, cite="-", caveats="-", higher_is_better=True, count=ParameterCount())
    def local(count: int) -> torch.Tensor:
        return torch.tensor(1.0)

    with Store(tmp_path / "s.sqlite") as store, pytest.raises(ZcbenchError, match="--workers 1"):
        run(job([local]), store, Machine(workers=2))


def test_an_architecture_that_kills_its_worker_has_failed_and_the_run_goes_on(tmp_path: Path) -> None:
    what = job([*select("params"), deadly(tmp_path, job([], 10), poisonous=2)], 10)
    poisonous = what.architectures[2]
    with Store(tmp_path / "s.sqlite") as store:
        summary = run(what, store, Machine(workers=2))
        failed = {(s.architecture, s.metric, s.reason) for s in store.scores() if s.outcome is Outcome.FAILED}
    assert summary.outcomes == {Outcome.OK: 18, Outcome.UNDEFINED: 0, Outcome.FAILED: 2}
    assert failed == {(poisonous.id, "params", "worker died"), (poisonous.id, "deadly", "worker died")}


def test_a_worker_that_is_killed_once_costs_no_row(tmp_path: Path) -> None:
    metric = deadly(tmp_path, job([], 10), poisonous=3, end=once(tmp_path))
    with Store(tmp_path / "s.sqlite") as store:
        summary = run(job([metric], 10), store, Machine(workers=2), chunk=2)
        assert summary.outcomes[Outcome.OK] == len(list(store.scores())) == 10
    assert len(calls(tmp_path)) == 12  # the chunk of two that the dead worker had begun was done again
    assert len(set(calls(tmp_path))) >= 2


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see whether a process is stopped")
@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGKILL])
def test_a_worker_that_stands_still_is_waited_for(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one goes on meanwhile; what stood still goes on when it can, or is done again when it is killed."""
    monkeypatch.setattr(overdue, "AT_LEAST_SECONDS", 1.0)
    monkeypatch.setattr(overdue, "TIMES_AS_LONG", 2)
    said: list[str] = []
    metric, path = deadly(tmp_path, job([], 10), poisonous=3, end=pause(tmp_path)), tmp_path / "s.sqlite"
    with Store(path) as store, after_all_others(tmp_path, path, 8, number, until=lambda: said):
        summary = run(job([metric], 10), store, Machine(workers=2), chunk=2, notice=said.append)
        assert summary.outcomes[Outcome.OK] == len(list(store.scores())) == 10
    assert len(calls(tmp_path)) == (10 if number == signal.SIGCONT else 12)
    (line,) = said
    assert re.fullmatch(
        r"worker process \d+ has been at 2 architectures for \d+ s, where others took \S+ s each at most: "
        r"waiting for it; if it hangs, kill it, and they are scored again", line,
    )  # fmt: skip
    assert int(line.split()[2]) in calls(tmp_path)


def children(pid: int) -> set[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return {int(c) for c in path.read_text().split()} if path.exists() else set()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find child processes")
def test_no_worker_outlives_its_parent(tmp_path: Path) -> None:
    command = ["score", "--dataset", "gaussian", "--batch-size", "8", "--sample", "200", "--metrics", "snip"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from zcbench.harness.cli import main; main()", *command, "--workers", "2",
         "--store", str(tmp_path / "s.sqlite")],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    found: set[int] = set()
    try:
        deadline = time.monotonic() + 120
        while len(found) < 2 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.2)
            found |= children(process.pid)
        assert len(found) >= 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 120  # on a busy machine they are still importing torch, and look for it behind that
    while any(alive(pid) for pid in found) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(alive(pid) for pid in found)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find child processes")
def test_ctrl_c_while_workers_start_is_left_to_the_parent(tmp_path: Path) -> None:
    command = ["score", "--dataset", "gaussian", "--batch-size", "4", "--sample", "2000", "--metrics", "params"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from zcbench.harness.cli import main; main()", *command, "--workers", "2",
         "--store", str(tmp_path / "s.sqlite")],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(children(process.pid)) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.2)  # they import torch by now
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=200)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    with Store(tmp_path / "s.sqlite", create=False) as store:
        assert len(list(store.scores())) in range(0, 2000, CHUNK)  # whole chunks of workers that had begun one


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")  # noqa: PTH110
