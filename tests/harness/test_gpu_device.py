"""Scores on a real GPU (``tox -e gpu``); the same bodies run on the CPU, so that they are known to run at all."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pretended import WAITS

from networks import KEY, batch, make, origin, usable
from references import networks_of
from zcbench.datasets import images
from zcbench.datasets.nasbench201 import network as nasbench201
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness.candidate import Result, measure
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.metric import Metric
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.registry import metrics, select
from zcbench.harness.runner import run
from zcbench.harness.settings import fixed
from zcbench.harness.store import Store
from zcbench.harness.timing import Clock
from zcbench.harness.types import Outcome

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"
FEW = "params,snip,synflow,nwot,grasp"

COUNTS = ("az_", "gradsign", "meco", "ntk_", "swap", "t_cet", "te_nas", "zero_cost", "zeros_grasp", "dextr", "vkdnw")
"""Beginnings of the names of metrics that rounding moves further: counts of signs, and what eigenvalues decide."""


GPU = pytest.param("cuda", marks=pytest.mark.gpu)
LONG = pytest.mark.parametrize("where", [pytest.param("cpu", marks=pytest.mark.slow), GPU], indirect=True)
"""For tests of which the body on the CPU is only run with the slow ones."""


@pytest.fixture(params=["cpu", GPU])
def where(request: pytest.FixtureRequest) -> torch.device:
    device = torch.device(request.param)
    if device.type == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    return device


@pytest.fixture(autouse=True)
def one_cell_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nasbench201, "CELLS_PER_STAGE", 1)


def there(data: MiniBatch, where: torch.device) -> MiniBatch:
    further = tuple((inputs.to(where), targets.to(where)) for inputs, targets in data.further)
    return MiniBatch(data.inputs.to(where), data.targets.to(where), data.classes, data.task, further)


def found_on(where: torch.device, network: str, chosen: list[Metric]) -> dict[str, Result]:
    data = there(batch(9, 16, torch.float32), where)
    with fixed(Machine(device=str(where))):
        return measure(make(network, torch.float32).to(where), data, chosen, key=KEY, origin=origin(network))


@LONG
@pytest.mark.parametrize("network", ["plain", "nasbench201"])
def test_every_metric_agrees_with_the_cpu(where: torch.device, network: str) -> None:
    chosen = [usable(name) for name in sorted(metrics()) if network in networks_of(name)]
    here, far = found_on(torch.device("cpu"), network, chosen), found_on(where, network, chosen)
    for one in chosen:
        assert far[one.key].outcome is here[one.key].outcome is Outcome.OK, (one.key, far[one.key].reason)
        loose = one.name.startswith(COUNTS)
        assert far[one.key].value == pytest.approx(here[one.key].value, rel=0.05 if loose else 2e-3), one.key


def test_two_runs_are_equal_to_the_bit(where: torch.device) -> None:
    chosen = [usable(name) for name in sorted(metrics()) if "plain" in networks_of(name)]
    first, second = (found_on(where, "plain", chosen) for _ in range(2))
    assert {k: r.value for k, r in first.items()} == {k: r.value for k, r in second.items()}


@contextmanager
def nothing_waits(where: torch.device) -> Iterator[None]:
    """Let CUDA raise on any wait for the device."""
    if where.type != "cuda":
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_no_pass_and_no_metric_waits_for_the_device(where: torch.device) -> None:
    names = [n for n in sorted(metrics()) if "plain" in networks_of(n) and n not in WAITS]
    chosen, data = [usable(n) for n in names], there(batch(9, 16, torch.float32), where)
    network = make("plain", torch.float32).to(where)
    with fixed(Machine(device=str(where))), nothing_waits(where):
        values = evaluate(network, data, plan(q for m in chosen for q in m.needs.quantities()), key=KEY).values
        for one in chosen:
            one(values)


def job(names: str, size: int) -> Job:
    space = Space()
    data = images.load("gaussian", batch_size=size)
    return Job("nasbench201", space, [space.parse(CELL)], select(names), data, initialisation("pytorch"), 1)


def outcomes(path: Path, what: Job, where: torch.device) -> dict[str, tuple[str, str]]:
    with Store(path) as store:
        run(what, store, Machine(device=str(where)))
        return {s.metric: (str(s.outcome), s.reason) for s in store.scores()}


def test_a_batch_that_does_not_fit_is_out_of_memory_and_the_next_run_is_as_before(
    where: torch.device, tmp_path: Path
) -> None:
    small = outcomes(tmp_path / "before", job(FEW, 8), where)
    if where.type == "cuda":
        _, total = torch.cuda.mem_get_info(where)
        size = total // 400_000  # 12 KB of image each, and 65 KB for each of dozens of layers
        found = outcomes(tmp_path / "huge", job("params,snip", size), where)
        assert found["params"] == ("ok", "")
        assert found["snip"][0] == "failed"
        assert found["snip"][1].startswith("oom: tried to allocate ")
        assert " free, " in found["snip"][1]
    assert outcomes(tmp_path / "after", job(FEW, 8), where) == small == dict.fromkeys(FEW.split(","), ("ok", ""))


def test_the_clock_agrees_with_the_time_of_day(where: torch.device) -> None:
    matrix = torch.ones(700, 700, device=where)
    clock = Clock(where)
    (matrix @ matrix).sum().item()
    start = time.perf_counter()
    with clock.measure("products"):
        for _ in range(50):
            matrix = (matrix @ matrix).clamp(max=1)
    matrix.sum().item()
    wall = time.perf_counter() - start
    assert 0.1 * wall < clock.seconds()["products"] < 1.1 * wall


def test_the_second_device_computes_what_the_first_does(where: torch.device) -> None:
    if where.type == "cuda" and torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU here")
    second = torch.device("cuda:1") if where.type == "cuda" else where
    chosen = [usable(name) for name in FEW.split(",")]
    first, other = found_on(where, "plain", chosen), found_on(second, "plain", chosen)
    for key, result in first.items():
        assert other[key].value == pytest.approx(result.value, rel=2e-3)


@LONG
def test_processes_that_share_a_device_score_as_one_alone(where: torch.device, tmp_path: Path) -> None:
    def command(store: str) -> list[str]:
        options = {
            "--benchmark": "nasbench201", "--dataset": "gaussian", "--batch-size": "4", "--sample": "1",
            "--metrics": "params,nwot", "--device": str(where), "--store": str(tmp_path / store),
        }  # fmt: skip
        code = "import sys; from zcbench.harness.cli import main; main(sys.argv[1:])"
        return [sys.executable, "-c", code, "score", *(word for pair in options.items() for word in pair)]

    subprocess.run(command("alone"), check=True, capture_output=True, timeout=200)
    together = [subprocess.Popen(command(name), stderr=subprocess.PIPE) for name in ("one", "other")]
    assert [process.wait(200) for process in together] == [0, 0]
    for process in together:
        assert process.stderr is not None
        process.stderr.close()
    rows = []
    for name in ("alone", "one", "other"):
        with Store(tmp_path / name, create=False) as store:
            rows.append([replace(score, seconds=None) for score in store.scores()])
    assert rows[0] == rows[1] == rows[2]
    assert len(rows[0]) == 2
