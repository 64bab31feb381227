"""Scores from a Ray cluster of two nodes: the same bits as here, and no row lost or doubled whatever dies."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import verbs
from poisonous import after_all_others, calls, deadly, once, pause

from networks import Shallow
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.executors import cluster as connection
from zcbench.harness.executors import on_ray, overdue, parcel, ray_worker
from zcbench.harness.executors.nodes import cluster_device, fitting
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.metric import Metric
from zcbench.harness.registry import select
from zcbench.harness.runner import CHUNK
from zcbench.harness.store import Store
from zcbench.harness.types import Outcome

pytest.importorskip("ray", reason="Ray is not installed: pip install zcbench[ray]")
psutil = pytest.importorskip("psutil", reason="psutil, of the extra zcbench[test], is not installed")
import raying  # noqa: E402
from raying import SMALL, job, on, rows, score  # noqa: E402

pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with one processor each."""
    with raying.cluster() as made:
        made.add_node(**SMALL)
        made.wait_for_nodes()
        yield made


def environments(path: Path) -> list[dict[str, str]]:
    with Store(path, create=False) as store:
        return store.environments()


# The same rows


def test_the_bits_are_those_of_this_process(tmp_path: Path, cluster: Any) -> None:
    both = tmp_path / "both"
    # On the cluster no candidate is done before both workers have begun one, after this process.
    wait = f"os.path.exists({str(both)!r}) and len(set(begun)) < 3"
    what = job([*select("standard"), deadly(tmp_path, job([]), wait=wait)], 8)
    score(tmp_path / "here", what, Machine())
    both.touch()
    summary, said = score(tmp_path / "ray", what, on(cluster, workers=None, device="auto"))
    assert "2 Ray workers on 2 nodes" in said
    assert summary.outcomes[Outcome.FAILED] == 0
    assert rows(tmp_path / "ray") == rows(tmp_path / "here")
    (environment,) = environments(tmp_path / "ray")
    assert (environment["device"], environment["threads"], environment["workers"]) == ("cpu", "1", "2")
    assert environment["processor"] == environments(tmp_path / "here")[0]["processor"]
    assert score(tmp_path / "ray", what, on(cluster))[0].present == summary.wanted


# Deaths


@pytest.mark.slow
def test_an_architecture_that_kills_its_worker_has_failed_and_the_run_goes_on(tmp_path: Path, cluster: Any) -> None:
    what = job([*select("params"), deadly(tmp_path, job([]), poisonous=2)])
    summary, _ = score(tmp_path / "ray", what, on(cluster))
    assert summary.outcomes == {Outcome.OK: 22, Outcome.UNDEFINED: 0, Outcome.FAILED: 2}
    failed = {(s.architecture, s.metric, s.reason) for s in rows(tmp_path / "ray") if s.outcome is Outcome.FAILED}
    poisonous = what.architectures[2].id
    assert failed == {(poisonous, "params", "worker died"), (poisonous, "deadly", "worker died")}


def test_a_killed_worker_and_a_lost_node_cost_no_row(tmp_path: Path, cluster: Any) -> None:
    """The node goes under one worker after its first chunk; later the other one dies within a call."""
    # No call ends before both have begun one: the node of a worker that is still starting would be no loss.
    metric = deadly(
        tmp_path, job([], 20), poisonous=12, end=once(tmp_path), seconds=0.25, wait="len(set(begun)) < 2"
    )
    lost: list[Any] = []

    def strike(*_: object) -> None:
        if not lost:
            lost.append(next(iter(cluster.worker_nodes)))
            cluster.remove_node(lost[0], allow_graceful=False)

    try:
        summary, said = score(tmp_path / "ray", job([metric], 20), on(cluster), chunk=2, progress=strike)
    finally:
        cluster.add_node(**SMALL)
        cluster.wait_for_nodes()
    assert lost
    assert "2 Ray workers on 2 nodes" in said
    assert summary.outcomes == {Outcome.OK: 20, Outcome.UNDEFINED: 0, Outcome.FAILED: 0}
    assert len(rows(tmp_path / "ray")) == 20
    assert len(calls(tmp_path)) > 20  # what the dead had begun was done again
    assert len(set(calls(tmp_path))) >= 3  # by others


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGKILL])
def test_a_worker_that_stands_still_is_waited_for(
    number: int, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue, "AT_LEAST_SECONDS", 1.0)
    monkeypatch.setattr(overdue, "TIMES_AS_LONG", 2)
    said: list[str] = []
    metric, path = deadly(tmp_path, job([], 10), poisonous=3, end=pause(tmp_path)), tmp_path / "ray"

    def told() -> bool:
        return any("has been at 2 architectures" in line for line in said)

    with Store(path), after_all_others(tmp_path, path, 8, number, until=told):
        summary, _ = score(path, job([metric], 10), on(cluster), said, chunk=2)
    assert summary.outcomes == {Outcome.OK: 10, Outcome.UNDEFINED: 0, Outcome.FAILED: 0}
    assert len(rows(path)) == 10
    (line,) = (s for s in said if "has been" in s)
    assert line.startswith("the Ray worker with process ")
    assert line.endswith("waiting for it; if it hangs, kill that process, and they are scored again")
    assert int(line.split()[5]) in calls(tmp_path)


def actors(folder: Path) -> set[int]:
    return {pid for pid in calls(folder) if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"}


def program(folder: Path, cluster: Any, number: int, *more: str) -> list[str]:
    return [
        sys.executable, "-c", "from zcbench.harness.cli import main; main()", "score", "--dataset", "digits",
        "--resolution", "8", "--batch-size", "8", "--sample", str(number), "--metrics",
        f"{folder / 'deadly_metric.py'}", "--executor", "ray", "--address", cluster.address, "--store",
        str(folder / "ray"), *more,
    ]  # fmt: skip


def test_a_killed_driver_leaves_no_actor_and_the_next_one_computes_the_rest(tmp_path: Path, cluster: Any) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    # Two chunks and a half are done, and then nothing until the driver is dead.
    metric = deadly(tmp_path, job([]), wait=f"len(begun) > 20 and os.path.exists({str(hold)!r})")
    process = subprocess.Popen(program(tmp_path, cluster, 30), stderr=subprocess.DEVNULL)
    wait_for(lambda: written(tmp_path / "ray") >= 4)
    process.kill()
    process.wait()
    left = written(tmp_path / "ray")
    assert 4 <= left < 30
    assert len(calls(tmp_path)) - left <= 2 * CHUNK
    wait_for(lambda: not actors(tmp_path))
    hold.unlink()
    before = len(calls(tmp_path))
    summary, _ = score(tmp_path / "ray", job([metric], 30), on(cluster, workers=1))
    assert (summary.present, summary.outcomes[Outcome.OK]) == (left, 30 - left)
    assert len(calls(tmp_path)) - before == 30 - left


def written(path: Path) -> int:
    try:
        with Store(path, create=False) as store:
            return len(list(store.scores()))
    except ZcbenchError:
        return 0


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


# Ctrl-C


def test_ctrl_c_finishes_what_is_under_way(tmp_path: Path, cluster: Any) -> None:
    metric = deadly(tmp_path, job([]), seconds=0.1)
    pressed: list[int] = []

    def press(done: int, *_: object) -> None:
        if not pressed:
            pressed.append(done)
            signal.raise_signal(signal.SIGINT)

    summary, _ = score(tmp_path / "ray", job([metric], 40), on(cluster), chunk=4, progress=press)
    assert summary.interrupted
    done = len(rows(tmp_path / "ray"))
    assert done == len(calls(tmp_path)) <= 3 * 4  # what was written when it was pressed, and a chunk of each worker
    with pytest.raises(KeyboardInterrupt):
        score(tmp_path / "ray", job([metric], 40), on(cluster, workers=1), chunk=4, progress=press_twice)
    assert len(rows(tmp_path / "ray")) == done
    wait_for(lambda: not actors(tmp_path))


def press_twice(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


# What is refused


def test_other_code_on_a_node_is_refused(tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = {**ray_worker.identity(), "code of zcbench": "another"}
    monkeypatch.setattr(on_ray, "identity", lambda: identity)
    with pytest.raises(ZcbenchError, match=r"has code of zcbench [0-9a-f]{12}, this machine has another") as caught:
        score(tmp_path / "ray", job(select("params")), on(cluster))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ({"torch": "1.0"}, "node n has torch 1.0, this machine has 2.0"),
        ({"Python": "3.9"}, "node n has Python 3.9, this machine has 3.11"),
        ({"zcbench": "none (ImportError: No module named 'zcbench')"}, "node n has zcbench none"),
    ],
)
def test_what_differs_is_named(theirs: dict[str, str], said: str) -> None:
    ours = {"Python": "3.11", "torch": "2.0", "zcbench": "1", "code of zcbench": "a"}
    found = theirs if "none" in str(theirs) else {**ours, **theirs}
    assert on_ray.difference(ours, found, "n").startswith(said)


@pytest.mark.slow
def test_a_metric_of_a_module_that_a_node_lacks_is_named(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = replace(job([*select("params")]), space=Shallow())
    monkeypatch.setattr(Shallow, "__module__", "networks_elsewhere")
    monkeypatch.setitem(sys.modules, "networks_elsewhere", sys.modules["networks"])
    with pytest.raises(ZcbenchError, match=r"node .* cannot take part: .*networks_elsewhere.*: install it there too"):
        score(tmp_path / "ray", what, on(cluster))


@pytest.fixture
def tripled(tmp_path: Path) -> tuple[Metric, Path]:
    """A metric in a file that imports its neighbour, and their folder."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "neighbour.py").write_text("FACTOR = 3.0\n")
    (folder / "tripled.py").write_text(
        "from neighbour import FACTOR\n\n\ndef tripled(network, inputs, targets):\n"
        "    return FACTOR * sum(p.numel() for p in network.parameters())\n"
    )
    (metric,) = select(str(folder / "tripled.py"))
    return metric, folder


def test_a_parcel_holds_the_text_of_metrics_from_files(tripled: tuple[Metric, Path]) -> None:
    metric, folder = tripled
    sent = parcel.packed(job([metric.with_parameters(), *select("swap(repeats=2)")]))
    near = parcel.opened(sent)
    assert [m.key for m in near.metrics] == ["tripled", "swap(repeats=2)"]
    assert near.metrics[0].source == metric.source
    shutil.rmtree(folder)
    far = parcel.opened(sent)
    assert [m.key for m in far.metrics] == ["tripled", "swap(repeats=2)"]
    assert far.metrics[0].source.digest == metric.source.digest  # type: ignore[union-attr]
    assert far.metrics[0].source.path.parent != folder  # type: ignore[union-attr]
    assert list(far.architectures) == []


@pytest.mark.slow
def test_a_metric_from_a_file_needs_no_shared_file_system(
    tmp_path: Path, cluster: Any, tripled: tuple[Metric, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    metric, folder = tripled

    def packed(what: Job) -> bytes:
        sent = parcel.packed(what)
        shutil.rmtree(folder)  # before any node can look for it
        return sent

    what = job([metric, *select("params")])
    monkeypatch.setattr(on_ray, "packed", packed)
    summary, _ = score(tmp_path / "ray", what, on(cluster))
    assert summary.outcomes[Outcome.OK] == 24
    values = {(s.architecture, s.metric): s.value for s in rows(tmp_path / "ray")}
    for a in what.architectures:  # params counts millions
        assert values[a.id, "tripled"] == pytest.approx(3e6 * values[a.id, "params"])  # type: ignore[operator]


ARGUMENTS = ("score", "--dataset", "digits", "--sample", "4", "--metrics", "params", "--executor", "ray")


def test_without_the_extra_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert verbs.command(*ARGUMENTS, "--store", str(tmp_path / "s")) == 2
    assert capsys.readouterr().err.splitlines()[-1] == 'zcbench: --executor ray needs Ray: pip install "zcbench[ray]"'


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1"),
        ("nonsense", 'cannot read the address "nonsense"'),
        ("127.0.0.1", 'cannot read the address "127.0.0.1"'),
        ("ray://127.0.0.1:10001", "run zcbench on a node of the cluster"),
    ],
)
def test_a_wrong_address_is_one_line_within_seconds(
    tmp_path: Path, address: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = time.monotonic()
    assert verbs.command(*ARGUMENTS, "--store", str(tmp_path / "s"), "--address", address) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert time.monotonic() - start < 60  # Ray itself would try for two minutes


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_what_is_no_cluster_is_not_taken_for_one(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve() -> None:
            with server.accept()[0] as caller:
                caller.sendall(answer)
                time.sleep(0.5)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            assert not connection.answers(f"127.0.0.1:{server.getsockname()[1]}", 0.3)
        finally:
            thread.join()


def test_a_cluster_is_taken_for_one(cluster: Any) -> None:
    assert connection.answers(cluster.address)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "cuda:1"), "write --device cuda instead of cuda:1"),
        (("--executor", "local", "--address", "auto"), "--address is for a cluster: add --executor ray"),
        (("--executor", "local", "--gpus-per-worker", "0.5"), "--gpus-per-worker is for a cluster"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    tmp_path: Path, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verbs.command(*ARGUMENTS, *options, "--store", str(tmp_path / "s")) == 2
    assert said in capsys.readouterr().err


# Where workers go


@pytest.mark.parametrize(
    ("resources", "threads", "gpus", "number"),
    [
        ({"CPU": 4.0}, 1, 0.0, 4), ({"CPU": 4.0}, 3, 0.0, 1), ({}, 1, 0.0, 0), ({"CPU": 8.0, "GPU": 1.0}, 1, 0.25, 4),
        ({"CPU": 2.0, "GPU": 1.0}, 1, 0.25, 2), ({"CPU": 8.0, "GPU": 2.0}, 1, 0.3, 6),
        ({"CPU": 8.0, "GPU": 3.0}, 1, 2.0, 1), ({"CPU": 8.0}, 1, 1.0, 0),
    ],
)  # fmt: skip
def test_how_many_workers_fit_on_a_node(resources: dict[str, float], threads: int, gpus: float, number: int) -> None:
    assert fitting(resources, threads, gpus) == number


def test_the_device_of_a_cluster() -> None:
    assert [cluster_device(*asked) for asked in (("auto", 0), ("auto", 1), ("cpu", 4), ("cuda", 1))] == [
        "cpu", "cuda", "cpu", "cuda"
    ]  # fmt: skip
    for asked, gpus, fast in (("cuda", 0, False), ("cuda:0", 4, False), ("auto", 0, True), ("cpu", 1, True)):
        with pytest.raises(ZcbenchError):
            cluster_device(asked, gpus, fast=fast)
