"""What can be proved of scores on a GPU without one: on a device that pretends to be one; see docs/gpu.md."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pretended import WAITS
from torch import nn

from networks import KEY, batch, make
from zcbench.harness import device, settings
from zcbench.harness.candidate import measure
from zcbench.harness.device import check_fast, described, want_of_memory
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.gate.measured import one_environment, unlike
from zcbench.harness.machine import Machine
from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import ParameterCount
from zcbench.harness.types import Outcome, cause

ON_PRETENDED = Path(__file__).parent / "on_pretended.py"

SECOND = "|nor_conv_1x1~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"
"""The architecture with which a device stops working."""

CROSSES = {"to the host": 1}
ON_THE_HOST = {"flops", "layers", "params"}
"""Counts, which never were on the device."""


def pretend(folder: Path, *names: str) -> dict[str, Any]:
    """What functions of `on_pretended` say, in a process in which the device is registered."""
    done = subprocess.run(
        [sys.executable, str(ON_PRETENDED), str(folder), *names], capture_output=True, text=True, timeout=850
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    @cache
    def all_of_it() -> dict[str, Any]:
        return pretend(tmp_path_factory.mktemp("pretended"), "wrong", "runs", "memory", "lost", "plain")

    return lambda name: all_of_it()[name]


def test_the_pretended_device_notices_what_a_gpu_waits_for(said: Callable[[str], Any]) -> None:
    noticed = said("wrong")
    two = "Expected all tensors to be on the same device, but found at least two devices, pretended:0 and "
    assert noticed == {
        "nothing": [], "item": ["_local_scalar_dense"], "bool": ["_local_scalar_dense"], "cpu": ["to the host"],
        "numpy": ["to the host"], "nonzero": ["nonzero"], "mask": ["index"], "unique": ["_unique2"],
        "bincount": ["bincount"], "eigenvalues": ["_linalg_eigh"], "arrival": ["to the device"],
        "arrival of a page": ["to the device, not from pinned memory"], "host tensor": f"{two}cpu",
        "other device": f"{two}pretended:1", "index of the host": ["index"], "running sum": ["cumsum"],
        "running count": [], "loss of pixels": ["nll_loss2d_forward"], "loss of each pixel": [],
        "pooling to more than one": ["_adaptive_avg_pool2d_backward"], "pooling to one": [],
    }  # fmt: skip


def check_scores(found: dict[str, Any], network: str) -> None:
    """Every metric has its score of the CPU, and waits for the device once, at the end, but for what `WAITS` names."""
    for name, one in found["alone"].items():
        assert one["there"][0] == one["here"][0] == "ok", (name, one)
        # A few backends' operations are cut into others there, so bits are not asked for.
        assert one["there"][1] == pytest.approx(one["here"][1], rel=1e-5), name
        assert one["unrepeatable"] == {}, name
        crossings = {} if name in ON_THE_HOST else CROSSES
        assert one["waits"].keys() == crossings.keys() | WAITS.get(name, set()), (network, name)
        assert one["waits"].get("to the host", 0) == len(crossings), (network, name)
        assert found["together"][name] == one["there"], name
    assert found["waits"]["to the host"] == 1
    assert found["calls"] == ["synchronize pretended:0"]  # the clock's, after the crossing
    assert found["events"].keys() == {"stream of pretended:0"}


def test_every_metric_crosses_once_and_no_tensor_is_elsewhere(said: Callable[[str], Any]) -> None:
    check_scores(said("plain"), "plain")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("network", ["branchy", "nasbench201"])
def test_every_metric_crosses_once_and_no_tensor_is_elsewhere_in_other_networks(tmp_path: Path, network: str) -> None:
    check_scores(pretend(tmp_path, network)[network], network)


def test_a_run_on_the_device_has_the_scores_of_the_cpu(said: Callable[[str], Any]) -> None:
    runs = said("runs")
    there, here = runs["there"], runs["cpu"]
    assert len(here["rows"]) == 12
    assert {outcome for outcome, *_ in here["rows"].values()} == {"ok"}
    for key, (outcome, value, reason) in there["rows"].items():
        assert (outcome, reason) == ("ok", "")
        assert value == pytest.approx(here["rows"][key][1], rel=1e-6)


def test_a_run_waits_for_the_mini_batch_and_once_for_each_candidate(said: Callable[[str], Any]) -> None:
    runs = said("runs")
    # Images and labels arrive before anything runs; jacov, one of the four metrics, needs eigenvalues.
    assert runs["there"]["waits"] == {"to the device": 2, "to the host": 3, "_linalg_eigh": 3}
    assert runs["there"]["calls"] == ["synchronize pretended:0"] * 3
    assert runs["fast"]["waits"] == {"to the device": 2}


def test_networks_are_built_ahead_by_another_thread_in_pinned_memory(said: Callable[[str], Any]) -> None:
    assert said("runs")["builders"] == [[False, True]]


def test_the_clock_marks_the_stream_of_its_own_device(said: Callable[[str], Any]) -> None:
    runs = said("runs")
    assert runs["there"]["events"].keys() == {"stream of pretended:0"}
    assert runs["second"]["events"].keys() == {"stream of pretended:1"}
    assert all(one["seconds"] > 0 for name, one in said("plain")["alone"].items() if name not in ON_THE_HOST)


def test_another_device_of_the_machine_computes_alone(said: Callable[[str], Any]) -> None:
    second = said("runs")["second"]
    assert second["rows"] == {k: v for k, v in said("runs")["cpu"]["rows"].items() if k.endswith(" nwot")}
    assert second["environment"][0]["device"] == "pretended:1 (Pretended GPU)"


def test_a_wrong_number_of_a_device_is_one_line(said: Callable[[str], Any]) -> None:
    assert said("runs")["ordinal"] == (
        'device "pretended:2" cannot be used here (there are pretended:0 to pretended:1): try --device cpu'
    )


def test_how_exact_the_device_was_is_in_the_environment_of_a_score(said: Callable[[str], Any]) -> None:
    runs = said("runs")
    (exact,), (fast,), (cpu,) = (runs[name]["environment"] for name in ("there", "fast", "cpu"))
    assert (exact["deterministic"], exact["tf32"]) == ("yes", "no")
    assert (fast["deterministic"], fast["tf32"]) == ("no", "yes")
    assert {"cuda", "cudnn", "driver"} <= exact.keys()
    assert not {"deterministic", "tf32", "cuda", "cudnn", "driver"} & cpu.keys()
    assert unlike(exact, fast) == ("deterministic", "tf32")
    assert unlike(fast, fast) == ("deterministic",)
    assert unlike(exact, exact) == unlike(cpu, cpu) == ()


def test_scores_of_unlike_exactness_in_one_store_are_told_apart(said: Callable[[str], Any]) -> None:
    """The first are kept: params was computed fast, and only layers is computed now."""
    environments = said("runs")["mixed"]["environment"]
    assert {one["deterministic"]: one["rows"] for one in environments} == {"no": "3", "yes": "3"}
    assert unlike(one_environment(environments), environments[0]) == ("deterministic", "tf32")


def test_out_of_memory_is_failed_with_the_allocators_numbers_and_the_run_goes_on(said: Callable[[str], Any]) -> None:
    memory = said("memory")
    by_metric = {key.rpartition(" ")[2]: row for key, row in memory["rows"].items()}
    assert memory["outcomes"] == {"ok": 6, "undefined": 0, "failed": 3}
    assert (by_metric["params"][0], by_metric["synflow"][0]) == ("ok", "ok")
    assert by_metric["snip"] == ["failed", None, (
        "oom: tried to allocate 0.50 MiB, 1.06 GiB free, 7.79 GiB in all, 6.25 GiB held by PyTorch, 300.00 MiB "
        "reserved by it"
    )]  # fmt: skip
    assert memory["sizes"] == [128]  # never a smaller batch
    # For each candidate twice: after the shared passes, and after those of snip alone.
    assert [c for c in memory["calls"] if c == "empty_cache"] == ["empty_cache"] * 6
    assert memory["again"] == {"ok": 3, "undefined": 0, "failed": 0}


def test_a_device_that_stops_working_ends_the_run_and_what_was_written_is_kept(said: Callable[[str], Any]) -> None:
    lost = said("lost")
    assert lost["said"] == (
        'device "pretended:0" has stopped working for this process (CUDA error: an illegal memory access was '
        f"encountered) while it scored {SECOND}: run again, what was written is kept"
    )
    assert [row[0] for row in lost["rows"].values()] == ["ok"]


FORMS = {
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 8.00 GiB of which 1.10 GiB is free. "
    "Process 12 has 3.00 GiB memory in use. Including non-PyTorch memory, this process has 6.90 GiB memory in use. Of "
    "the allocated memory 5.00 GiB is allocated by PyTorch, and 300.00 MiB is reserved by PyTorch but unallocated.":
    "oom: tried to allocate 2.50 GiB, 1.10 GiB free, 8.00 GiB in all, 5.00 GiB held by PyTorch, 300.00 MiB reserved "
    "by it",
    "CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 7.79 GiB total capacity; 6.02 GiB already allocated; "
    "12.00 MiB free; 6.10 GiB reserved in total by PyTorch)":
    "oom: tried to allocate 20.00 MiB, 12.00 MiB free, 7.79 GiB in all, 6.02 GiB held by PyTorch",
    "CUDA error: out of memory": "oom",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED": "oom",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`": "oom",
    "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes. Error code 12":
    "oom: tried to allocate 4096 bytes",
}  # fmt: skip


@pytest.mark.parametrize("text", FORMS)
def test_every_form_of_out_of_memory_is_counted_by_one_word(text: str) -> None:
    reason = want_of_memory(RuntimeError(text))
    assert reason == FORMS[text]
    assert cause(reason) == "oom"


def test_numpys_want_of_memory_is_counted_too_and_no_other_error() -> None:
    with pytest.raises(MemoryError) as raised:
        np.empty(2**56)
    assert want_of_memory(raised.value) == "oom: tried to allocate 512. PiB"
    assert want_of_memory(RuntimeError("shapes do not fit")) is None
    assert cause("oomph: no such metric") == "oomph: no such metric"


def test_an_operation_without_a_deterministic_form_fails_with_its_name() -> None:
    @metric("scattering", version=1, cite="a test", caveats="none", higher_is_better=True, count=ParameterCount())
    def scattering(count: int) -> torch.Tensor:
        """Raise what PyTorch raises on CUDA."""
        raise RuntimeError(
            "put_ does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this operation"
        )

    result = measure(make("plain"), batch(4), [scattering], key=KEY)["scattering"]
    assert result.outcome is Outcome.FAILED
    assert result.reason == "put_ has no deterministic form on this GPU; with --fast it need not have one"


def exactness() -> dict[str, object]:
    cudnn = torch.backends.cudnn
    return {
        "deterministic": torch.are_deterministic_algorithms_enabled(), "of cuDNN": cudnn.deterministic,
        "tried out": cudnn.benchmark, "tf32": cudnn.allow_tf32, "products": torch.get_float32_matmul_precision(),
    }  # fmt: skip


def test_a_gpu_is_exact_unless_it_is_to_be_fast_and_all_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.WORKSPACE, "")
    before, threads = exactness(), torch.get_num_threads()
    with settings.fixed(Machine(device="cuda:1")):
        assert exactness() == {
            "deterministic": True, "of cuDNN": True, "tried out": False, "tf32": False, "products": "highest",
        }  # fmt: skip
        assert settings.os.environ[settings.WORKSPACE] == ":4096:8"
    assert exactness() == before
    with settings.fixed(Machine(device="cuda", fast=True)):
        assert exactness() == {
            "deterministic": False, "of cuDNN": False, "tried out": True, "tf32": True, "products": "high",
        }  # fmt: skip
    assert (exactness(), torch.get_num_threads()) == (before, threads)


def test_a_workspace_that_repeats_is_left_as_the_user_chose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.WORKSPACE, ":16:8")
    with settings.fixed(Machine(device="cuda")):
        assert settings.os.environ[settings.WORKSPACE] == ":16:8"


def test_on_a_cpu_only_the_threads_are_fixed() -> None:
    before = exactness()
    with settings.fixed(Machine()):
        assert exactness() == before


@pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="PyTorch before 2.9")
def test_a_program_that_mixes_both_interfaces_of_the_precision_does_not_stop_a_run() -> None:
    """PyTorch then refuses to say what holds; inside a run it is what the run says."""
    matmul = torch.backends.cuda.matmul
    matmul.allow_tf32 = False
    try:
        matmul.fp32_precision = "tf32"
        with pytest.raises(RuntimeError, match="mix"):
            torch.get_float32_matmul_precision()
        with settings.fixed(Machine(device="cuda")):
            assert torch.get_float32_matmul_precision() == "highest"
    finally:
        torch.set_float32_matmul_precision("highest")
    with settings.kept() as changed:
        matmul.fp32_precision = "tf32"
    assert (changed, torch.get_float32_matmul_precision()) == (["the precision of matrix products"], "highest")


def test_fast_is_refused_where_it_would_change_nothing() -> None:
    with pytest.raises(ZcbenchError, match=r"--fast is for a GPU: on a CPU it would change nothing"):
        check_fast(Machine(fast=True))
    check_fast(Machine(device="cuda", fast=True))


def test_an_environment_on_a_cpu_has_nothing_of_a_gpu() -> None:
    assert described(torch.device("cpu"), Machine()) == {}


def test_the_driver_is_read_where_the_kernel_says_it(tmp_path: Path) -> None:
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version: 12.2.0\n"
    )
    assert device._driver(tmp_path / "version") == "550.54.15"
    assert device._driver(tmp_path / "absent") == ""


def test_the_loss_of_pixels_is_the_same_where_its_reduction_has_no_deterministic_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from zcbench.harness.passes import run

    output, target = torch.randn(2, 5, 4, 4, dtype=torch.float64), torch.randint(0, 5, (2, 4, 4))
    plain = run._cross_entropy(output, target)
    assert plain == nn.functional.cross_entropy(output, target)
    monkeypatch.setattr(run, "is_gpu", lambda _: True)
    assert run._cross_entropy(output, target).item() == pytest.approx(plain.item(), rel=1e-14)
