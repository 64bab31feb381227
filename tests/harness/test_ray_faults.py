"""Clusters that lose their nodes or their head, that grow, that claim GPUs, and one that is started for a run."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install zcbench[ray]")
psutil = pytest.importorskip("psutil", reason="psutil, of the extra zcbench[test], is not installed")
import raying  # noqa: E402
from poisonous import deadly  # noqa: E402
from raying import SMALL, job, on, rows, score  # noqa: E402

from zcbench.harness.errors import ZcbenchError  # noqa: E402
from zcbench.harness.executors import on_ray  # noqa: E402
from zcbench.harness.machine import Machine  # noqa: E402
from zcbench.harness.registry import select  # noqa: E402
from zcbench.harness.types import Outcome  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray"), pytest.mark.timeout(240)]


@pytest.fixture
def head() -> Iterator[Any]:
    """A head without a processor, to which tests add nodes."""
    with raying.cluster(num_cpus=0) as made:
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "LOOK_SECONDS", 1.0)
    monkeypatch.setattr(on_ray, "GONE_SECONDS", 8.0)


@pytest.mark.usefixtures("impatient")
def test_without_any_node_left_it_waits_a_while_and_ends_with_what_was_written(tmp_path: Path, head: Any) -> None:
    node = head.add_node(**SMALL)
    metric = deadly(tmp_path, job([]), seconds=0.2)
    removed: list[float] = []

    def remove(*_: object) -> None:
        if not removed:
            head.remove_node(node, allow_graceful=False)
            removed.append(time.monotonic())

    said: list[str] = []
    with pytest.raises(ZcbenchError, match="gave up after 8 s; what was written is kept"):
        score(tmp_path / "ray", job([metric], 12), on(head, workers=1), said, chunk=2, progress=remove)
    assert time.monotonic() - removed[0] < 60  # Ray takes a quarter of a minute to notice
    assert said == [
        "1 Ray worker on 1 node", "no node of the Ray cluster has 1 CPU for a worker: waiting up to 8 s"
    ]  # fmt: skip
    kept = len(rows(tmp_path / "ray"))
    assert 2 <= kept < 12
    head.add_node(**SMALL)
    assert score(tmp_path / "ray", job([metric], 12), on(head, workers=1))[0].present == kept
    assert len(rows(tmp_path / "ray")) == 12


@pytest.mark.usefixtures("impatient")
def test_a_cluster_whose_head_is_gone_ends_the_run_in_one_line(tmp_path: Path, head: Any) -> None:
    head.add_node(**SMALL)
    metric = deadly(tmp_path, job([]), seconds=0.5)
    killed: list[float] = []

    def kill(*_: object) -> None:
        if not killed:
            head.head_node.kill_gcs_server()
            killed.append(time.monotonic())

    with pytest.raises(ZcbenchError, match="has not answered for 8 s; what was written is kept") as caught:
        score(tmp_path / "ray", job([metric], 60), on(head, workers=1), chunk=2, progress=kill)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - killed[0] < 40
    assert len(rows(tmp_path / "ray")) >= 2


@pytest.mark.usefixtures("impatient")
def test_a_node_that_joins_gets_a_worker(tmp_path: Path, head: Any) -> None:
    head.add_node(**SMALL)
    metric = deadly(tmp_path, job([]), seconds=0.4)
    joined: list[object] = []

    def join(*_: object) -> None:
        if not joined:
            joined.append(head.add_node(**SMALL))

    summary, said = score(tmp_path / "ray", job([metric], 50), on(head, workers=None), progress=join)
    assert [line for line in said if "Ray workers" in line or "1 Ray worker" in line] == [
        "1 Ray worker on 1 node", "2 Ray workers on 2 nodes"
    ]  # fmt: skip
    assert summary.outcomes[Outcome.OK] == 50


def test_four_workers_share_a_gpu_and_one_that_cannot_be_used_is_named(tmp_path: Path, head: Any) -> None:
    head.add_node(**{**SMALL, "num_cpus": 4, "num_gpus": 1})
    machine = on(head, workers=None, device="auto", gpus_per_worker=0.25)
    with pytest.raises(ZcbenchError, match=r'node .* cannot take part: device "cuda" cannot be used here'):
        score(tmp_path / "ray", job(select("params"), 20), machine)


def test_a_worker_that_the_memory_monitor_kills_died_for_want_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = psutil.virtual_memory()
    allowed, eaten = 0.08 * memory.total, int(0.16 * memory.total)
    if memory.available < 2 * eaten:
        pytest.skip("too little memory is free")
    monkeypatch.setenv("RAY_memory_usage_threshold", str((memory.total - memory.available + allowed) / memory.total))
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    with raying.cluster() as made:
        eat = f"hoard = bytearray(b'x') * {eaten}; time.sleep(30)"
        what = job([deadly(tmp_path, job([], 4), poisonous=1, end=eat)], 4)
        summary, _ = score(tmp_path / "ray", what, on(made, workers=1))
    assert summary.outcomes == {Outcome.OK: 3, Outcome.UNDEFINED: 0, Outcome.FAILED: 1}
    (failed,) = (s for s in rows(tmp_path / "ray") if s.outcome is Outcome.FAILED)
    assert (failed.architecture, failed.reason) == (what.architectures[1].id, "worker died (out of memory)")


def test_without_an_address_a_cluster_is_started_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    summary, said = score(tmp_path / "ray", job(select("params")), Machine(executor="ray", workers=2))
    assert summary.outcomes[Outcome.OK] == 12
    assert said == ["2 Ray workers on 1 node"]
    import ray

    assert not ray.is_initialized()
