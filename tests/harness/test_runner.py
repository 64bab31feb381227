"""The runner: what is computed, what becomes of failures, and what an interruption or a kill leaves behind."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import verbs
from torch import Tensor, nn

from networks import Branchy, Plain, usable
from zcbench.datasets import images
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness import candidate as candidate_module
from zcbench.harness import runner
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.executors import scorer
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.metric import Metric, metric, undefined_where
from zcbench.harness.passes.evaluate import Evaluation, evaluate
from zcbench.harness.passes.plan import Plan
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.passes.spec import Parameters, ParamGradient, Target
from zcbench.harness.registry import metrics, select
from zcbench.harness.runner import Summary, run
from zcbench.harness.space import SearchSpace
from zcbench.harness.store import Store
from zcbench.harness.types import Architecture, Outcome, Score

TESTS = Path(__file__).parent.parent
FEW = "params,layers,l2_norm,snip,synflow"


@dataclass(frozen=True)
class Toy(SearchSpace):
    """A space of small networks; ``broken`` cannot be built, ``huge`` does not fit into memory."""

    name: str = "toy"
    version: int = 1

    def architectures(self, n: int) -> list[Architecture]:
        return [self.parse(f"{'plain' if i % 2 else 'branchy'} {i}") for i in range(n)]

    def parse(self, text: str) -> Architecture:
        return Architecture(self.name, text, text)

    def disconnected(self, architecture: Architecture) -> str | None:
        return "disconnected toy" if architecture.id.startswith("cut") else None

    def build(self, architecture: Architecture, classes: int) -> nn.Module:
        kind = architecture.id.split()[0]
        if kind == "broken":
            raise ValueError("no such\noperation")
        if kind == "huge":
            raise MemoryError
        with torch.device("meta"):
            return Branchy() if kind == "branchy" else Plain()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sqlite"


def toy_batch(n: int = 4) -> images.Batch:
    batch = images.load("gaussian", batch_size=n)
    return replace(batch, inputs=np.ascontiguousarray(batch.inputs[:, :, :8, :8]), targets=batch.targets % 3, classes=3)


def job(*architectures: str, chosen: list[Metric] | None = None, number: int = 6, seeds: int = 1) -> Job:
    space = Toy()
    named = [space.parse(a) for a in architectures] or space.architectures(number)
    return Job("toy", space, named, chosen or select(FEW), toy_batch(), initialisation("pytorch"), seeds)


def cells(*texts: str, chosen: list[Metric]) -> Job:
    """A job on real cells of NAS-Bench-201."""
    space = Space()
    batch = images.load("gaussian", batch_size=4)
    return Job("nasbench201", space, [space.parse(t) for t in texts], chosen, batch, initialisation("pytorch"), 1)


def rows(path: Path) -> dict[tuple[str, str, int], Score]:
    """Everything in a store but the seconds, by architecture, metric and seed."""
    with Store(path, create=False) as store:
        scores = [replace(s, seconds=candidate_module.NO_TIME) for s in store.scores()]
    return {(s.architecture, s.metric, s.recipe.init_seed): s for s in scores}


def score(path: Path, what: Job, **options: object) -> Summary:
    with Store(path) as store:
        machine = Machine(**{f.name: options.pop(f.name) for f in fields(Machine) if f.name in options})
        return run(what, store, machine, **options)


def outcomes(path: Path) -> dict[str, tuple[str, str]]:
    return {key[1]: (str(s.outcome), s.reason) for key, s in rows(path).items()}


# What is computed


def test_computes_every_row_once(path: Path) -> None:
    summary = score(path, job(number=3, seeds=2))
    assert (summary.wanted, summary.present, summary.interrupted) == (30, 0, False)
    assert summary.outcomes == {Outcome.OK: 30, Outcome.UNDEFINED: 0, Outcome.FAILED: 0}
    assert len(rows(path)) == 30


def test_computes_exactly_the_missing_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str, int]] = []

    def spy(
        benchmark: str, space: Toy, candidate: candidate_module.Candidate, *rest: object, **named: object
    ) -> candidate_module.Scored:
        seen.extend((candidate.architecture.id, m.key, candidate.recipe.init_seed) for m in candidate.metrics)
        return candidate_module.score_candidate(benchmark, space, candidate, *rest, **named)

    score(path, job(number=2, chosen=select("snip,params")))
    before = set(rows(path))
    monkeypatch.setattr(scorer, "score_candidate", spy)
    wider = job(number=4, seeds=2)
    summary = score(path, wider)
    assert sorted(seen) == sorted(set(rows(path)) - before)
    assert (summary.wanted, summary.present) == (40, 4)
    seen.clear()
    score(path, wider)
    assert seen == []


def test_twice_the_same_architecture_is_one_row(path: Path) -> None:
    summary = score(path, job("plain 1", "plain 1"))
    assert summary.wanted == 5
    assert len(rows(path)) == 5


@pytest.mark.parametrize("chunk", [1, 2, 5, 100])
def test_rows_do_not_depend_on_the_chunks(tmp_path: Path, chunk: int) -> None:
    score(tmp_path / "a", job())
    score(tmp_path / "b", job(), chunk=chunk)
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_rows_do_not_depend_on_their_company(tmp_path: Path) -> None:
    chosen = [usable(name) for name in metrics()]
    score(tmp_path / "together", job(chosen=chosen, number=4))
    for one in reversed(chosen):
        score(tmp_path / "alone", job("branchy 2", chosen=[one]))
    alone, together = rows(tmp_path / "alone"), rows(tmp_path / "together")
    assert alone == {key: together[key] for key in alone}
    assert len(alone) == len(chosen)


def test_rows_do_not_depend_on_the_order_of_the_architectures(tmp_path: Path) -> None:
    forwards = job()
    score(tmp_path / "a", forwards)
    score(tmp_path / "b", replace(forwards, architectures=forwards.architectures[::-1]))
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_seeds_differ_and_architectures_differ(path: Path) -> None:
    score(path, job("plain 1", "plain 2", seeds=2, chosen=select("l2_norm")))
    assert len({s.value for s in rows(path).values()}) == 4


def test_nothing_to_do_is_no_error(path: Path) -> None:
    empty = replace(job(), architectures=[])
    assert score(path, empty).wanted == 0


def test_progress_counts_every_candidate(path: Path) -> None:
    seen: list[tuple[int, int, bool]] = []
    score(path, job(number=5), chunk=2, progress=lambda *state: seen.append(state))
    assert seen == [(n, 5, False) for n in range(1, 6)]


def test_the_environment_is_recorded(path: Path) -> None:
    score(path, job(number=1))
    with Store(path) as store:
        (environment,) = store.environments()
    assert environment["device"] == "cpu"
    assert environment["threads"] == "1"
    assert environment["torch"] == torch.__version__
    assert environment["rows"] == "5"


def test_seconds_are_measured_and_standalone_covers_marginal(path: Path) -> None:
    score(path, job(number=2))
    with Store(path) as store:
        for s in store.scores():
            assert 0 < s.seconds.marginal <= s.seconds.standalone < 60


# What is left as it was


def test_global_random_states_are_untouched(path: Path) -> None:
    torch.manual_seed(3), np.random.seed(3), random.seed(3)

    def states() -> tuple[object, ...]:
        legacy = np.random.get_state()
        return torch.get_rng_state().tolist(), legacy[1].tolist(), legacy[2:], random.getstate()

    before = states()
    chosen = [usable(name) for name in metrics()]
    score(path, job("plain 1", "branchy 1", chosen=chosen))
    score(path, cells(CONNECTED, chosen=select("snip,swap(repeats=1)")))
    assert states() == before


def test_rows_do_not_depend_on_global_random_states(tmp_path: Path) -> None:
    chosen = [usable(name) for name in metrics()]
    for n in (1, 2):
        torch.manual_seed(n), np.random.seed(n), random.seed(n)
        score(tmp_path / str(n), job("plain 1", chosen=chosen))
    assert rows(tmp_path / "1") == rows(tmp_path / "2")


@pytest.fixture
def threads() -> Iterator[int]:
    """A number of threads that the runner has to bring back."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def test_the_number_of_threads_is_set_and_brought_back(path: Path, threads: int) -> None:
    seen: list[int] = []
    score(path, job(number=1), threads=2, progress=lambda *_: seen.append(torch.get_num_threads()))
    assert seen == [2]
    assert torch.get_num_threads() == threads


def test_an_exception_brings_threads_and_signals_back(path: Path, threads: int) -> None:
    def stop(*state: object) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        score(path, job(), progress=stop)
    assert torch.get_num_threads() == threads
    assert signal.getsignal(signal.SIGINT) is before
    assert rows(path) == {}


# What becomes of failures


def faulty(name: str, error: Exception) -> Metric:
    @metric(
        name, version=1, cite="", caveats="", higher_is_better=True, grads=ParamGradient(target=Target.LOSS)
    )
    def raises(grads: dict[str, Tensor]) -> Tensor:
        raise error

    return raises


def test_a_metric_that_raises_has_failed_and_the_others_are_ok(tmp_path: Path) -> None:
    bad = faulty("bad", ZeroDivisionError("by\n  nought"))
    score(tmp_path / "with", job("plain 1", chosen=[*select(FEW), bad]))
    score(tmp_path / "without", job("plain 1"))
    found = rows(tmp_path / "with")
    failed = found.pop(("plain 1", "bad", 0))
    assert (failed.outcome, failed.value) == (Outcome.FAILED, None)
    assert failed.reason == "ZeroDivisionError: by nought"
    assert found == rows(tmp_path / "without")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
            "oom: tried to allocate 20.00 GiB",
        ),
        (MemoryError(), "oom"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
                "to allocate 4096 bytes. Error code 12 (Cannot allocate memory)"
            ),
            "oom: tried to allocate 4096 bytes",
        ),
    ],
)
def test_out_of_memory_is_failed_with_the_numbers_of_the_allocator(path: Path, error: Exception, reason: str) -> None:
    score(path, job("plain 1", chosen=[*select("params,snip"), faulty("bad", error)]))
    assert outcomes(path) == {"params": ("ok", ""), "snip": ("ok", ""), "bad": ("failed", reason)}


def test_a_pass_out_of_memory_never_makes_the_batch_smaller(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def greedy(network: nn.Module, batch: MiniBatch, plan: Plan, **key: object) -> Evaluation:
        sizes.append(len(batch.inputs))
        if any(isinstance(q, ParamGradient) for p in plan.passes for q in p.quantities):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return evaluate(network, batch, plan, **key)

    monkeypatch.setattr(candidate_module, "evaluate", greedy)
    score(path, job("plain 1"))
    found = outcomes(path)
    assert found.pop("snip") == found.pop("synflow") == ("failed", "oom")
    assert set(found.values()) == {("ok", "")}
    assert set(sizes) == {4}


def test_memory_that_really_runs_out_is_failed_and_not_the_end_of_the_run(path: Path) -> None:
    code = f"""
import resource, sys
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / "harness")!r}]
from pathlib import Path
from test_runner import *
largest = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
what = replace(cells(largest, chosen=select("params,snip")), batch=images.load("gaussian", batch_size=64))
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 400_000_000, resource.RLIM_INFINITY))
score(Path(sys.argv[1]), what)
"""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = outcomes(path)
    assert (found["params"], found["snip"][0]) == (("ok", ""), "failed")
    assert re.fullmatch(r"oom: tried to allocate [1-9]\d+ bytes", found["snip"][1])


def test_a_network_that_cannot_be_built_has_failed_and_the_run_goes_on(path: Path) -> None:
    score(path, job("plain 1", "broken", "huge", "plain 2", chosen=select("params,snip")))
    found = {key[0]: (str(s.outcome), s.reason) for key, s in rows(path).items()}
    why = "the network cannot be built: ValueError: no such operation"
    assert found == {"plain 1": ("ok", ""), "plain 2": ("ok", ""), "broken": ("failed", why), "huge": ("failed", "oom")}


def test_failed_rows_are_computed_again_only_on_request(path: Path) -> None:
    good = select("snip")[0]
    bad = replace(faulty("snip", ValueError("once")), version=good.version)
    score(path, job("plain 1", chosen=[bad]))
    assert score(path, job("plain 1", chosen=[good])).present == 1
    assert outcomes(path)["snip"][0] == "failed"
    assert score(path, job("plain 1", chosen=[good]), retry_failed=True).present == 0
    assert outcomes(path)["snip"][0] == "ok"


def test_a_value_that_is_no_number_is_undefined(path: Path) -> None:
    @metric("root", version=1, cite="", caveats="", higher_is_better=True, params=Parameters())
    def root(params: dict[str, Tensor]) -> Tensor:
        return torch.tensor(-1.0).sqrt()

    @metric("checked", version=1, cite="", caveats="", higher_is_better=True, params=Parameters())
    def checked(params: dict[str, Tensor]) -> object:
        return undefined_where(torch.tensor(1.0), (torch.tensor(False), "no"), (torch.tensor(True), "this is why"))

    score(path, job("plain 1", chosen=[root, checked]))
    assert outcomes(path) == {"root": ("undefined", "the value is nan"), "checked": ("undefined", "this is why")}


CONNECTED = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
CUT = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|none~1|none~2|"
NO_PASS = {"parameter_norm", "params", "flops", "layers", "l2_norm"}


@pytest.mark.parametrize("cell", [NONE, CUT])
def test_a_disconnected_cell_is_undefined_for_every_metric_that_needs_a_pass(path: Path, cell: str) -> None:
    score(path, cells(cell, chosen=[usable(name) for name in metrics()]))
    found = {key[1].partition("(")[0]: s for key, s in rows(path).items()}
    assert {name for name, s in found.items() if s.outcome is Outcome.OK} == NO_PASS
    assert {s.outcome for name, s in found.items() if name not in NO_PASS} == {Outcome.UNDEFINED}
    assert all("disconnected" in s.reason for name, s in found.items() if name not in NO_PASS)


def test_a_cell_with_one_path_has_numbers_for_the_usual_metrics(path: Path) -> None:
    score(path, cells(CONNECTED, chosen=select(f"{FEW},flops")))
    assert {outcome for outcome, _ in outcomes(path).values()} == {"ok"}


# Devices


@pytest.mark.parametrize("name", ["meta", "hpu", "mkldnn", "", "cpu:x", "cpu:99999999999", "cuda:77", "cup"])
def test_a_device_that_is_not_there_is_one_line(path: Path, name: str) -> None:
    with pytest.raises(ZcbenchError, match="device") as caught:
        score(path, job(number=1), device=name)
    assert "\n" not in str(caught.value)


# Interruptions


def stopper(after: int, times: int = 1) -> Callable[[int, int, bool], None]:
    def progress(done: int, total: int, interrupted: bool) -> None:
        if done == after:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    return progress


def test_ctrl_c_finishes_the_chunk_and_the_next_run_the_rest(tmp_path: Path) -> None:
    summary = score(tmp_path / "a", job(number=7), chunk=3, progress=stopper(4))
    assert summary.interrupted
    assert sum(summary.outcomes.values()) == len(rows(tmp_path / "a")) == 6 * 5
    again = score(tmp_path / "a", job(number=7), chunk=3)
    assert (again.present, again.interrupted) == (6 * 5, False)
    score(tmp_path / "b", job(number=7))
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_ctrl_c_in_the_last_chunk_is_not_forgotten(path: Path) -> None:
    assert score(path, job(number=2), progress=stopper(2)).interrupted
    assert len(rows(path)) == 10


def test_a_second_ctrl_c_stops_at_once_and_loses_one_chunk(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        score(path, job(number=6), chunk=2, progress=stopper(3, times=2))
    assert len(rows(path)) == 2 * 5
    assert score(path, job(number=6)).present == 2 * 5


@pytest.fixture(scope="module")
def command() -> list[str]:
    program = "from zcbench.harness.cli import main; main()"
    return [
        sys.executable, "-c", program, "score", "--dataset", "gaussian", "--sample", "28", "--metrics", FEW,
        "--batch-size", "4", "--threads", "1", "--store",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, command: list[str]) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("undisturbed") / "s.sqlite"
    resume(command, path)
    return table(path)


def resume(command: list[str], path: Path) -> None:
    """Run the command to its end, in this process: what it writes is the same in any other."""
    arguments = command[command.index("score") :]
    assert verbs.command(*arguments, str(path), "--workers", "1") == 0


def table(path: Path) -> pd.DataFrame:
    with Store(path, create=False) as store:
        frame = store.frame().drop(columns=["seconds_standalone", "seconds_marginal"])
    return frame.assign(value=frame["value"].map(float.hex))  # bit for bit


def stored(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        with Store(path, create=False) as store:
            return len(store.frame())
    except ZcbenchError:  # being created just now
        return 0


def wait_for_rows(path: Path, process: "subprocess.Popen[str]", number: int) -> None:
    while stored(path) < number and process.poll() is None:
        time.sleep(0.05)


STOPS = """
import os, signal
from zcbench.harness.store import Store
append = Store.append
def then_stop(*arguments):
    Store.append = append
    append(*arguments)
    os.kill(os.getpid(), signal.SIGSTOP)
Store.append = then_stop
"""
"""Lets a process stop when it has written a chunk: what it is sent then comes in time, on a busy machine too."""


def test_sigint_ends_a_real_process_after_its_chunk(
    path: Path, command: list[str], undisturbed: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    python, option, program, *arguments = command
    process = subprocess.Popen(
        [python, option, STOPS + program, *arguments, path, "--workers", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED
    assert stored(path) > 0
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=200)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "run the same command again" in said
    done = stored(path)
    left = len(undisturbed) - done
    assert 0 < left < len(undisturbed)
    assert done % (len(FEW.split(",")) * runner.CHUNK) == 0
    resume(command, path)
    assert f"{left} new rows" in capsys.readouterr().err
    pd.testing.assert_frame_equal(table(path), undisturbed)


@pytest.mark.parametrize("kills", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_killed_at_random_moments_and_resumed_equals_an_undisturbed_run(
    path: Path, command: list[str], undisturbed: pd.DataFrame, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = random.Random()
    kept = 0
    for kill in range(kills):
        process = subprocess.Popen([*command, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_rows(path, process, kept + kill % 2)  # every other time while it starts
        time.sleep(generator.uniform(0, 0.9 if kill % 2 else 4))
        process.kill()
        process.wait(timeout=200)
        assert stored(path) >= kept
        kept = stored(path)
    resume(command, path)
    assert f"{len(undisturbed) - kept} new rows" in capsys.readouterr().err
    pd.testing.assert_frame_equal(table(path), undisturbed)
