"""What every benchmark promises, whoever wrote it: checked on all that the registry finds."""

import contextlib
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from zcbench.datasets import images, registry
from zcbench.harness.candidate import measure
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.metric import Undefined
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.registry import select
from zcbench.harness.space import Benchmark, Missing, SearchSpace
from zcbench.harness.types import Outcome

NAMES = sorted(registry.benchmarks())
SIDE = 64


def small(space: SearchSpace) -> SearchSpace:
    """The space with its smallest networks, so that a test may run one."""
    sizes = {"channels": "4", "cells": "3", "stem_channels": "8"}
    return space.configured({k: v for k, v in sizes.items() if k in space.network})


STANDARD = [m if m.name != "swap" else m.with_parameters(repeats=1) for m in select("standard")]
"""One of the four draws of swap, all of which take the same passes."""


def variants(space: SearchSpace) -> list[SearchSpace]:
    """The space with each of its tasks; itself where there is none."""
    tasks = dict.fromkeys([*registry.benchmark(space.name).datasets])
    return [space.configured({"task": t}) for t in tasks] if "task" in space.network else [space]


def kinds(space: SearchSpace) -> list[SearchSpace]:
    """Of the variants one for each form of output and loss: the others differ in the number of outputs only."""
    first = {(v.task and (v.task.loss, v.task.dense)): v for v in reversed(variants(space))}
    every = list(first.values())
    return every[:1] if space.name == "transnasbench101_macro" else every  # its heads are those of _micro


@pytest.fixture(params=NAMES)
def found(request: pytest.FixtureRequest) -> Benchmark:
    return registry.benchmark(request.param)


def test_the_five_families_are_there() -> None:
    assert {"nasbench101", "nasbench201", "nasbench301", "darts", "natsbench_size", "transnasbench101_micro",
            "transnasbench101_macro"} <= set(NAMES)  # fmt: skip


def test_it_describes_itself(found: Benchmark) -> None:
    assert found.name == found.space.name
    assert found.space.version >= 1
    assert len(found.space) > 1000
    assert found.datasets
    assert found.default_sources
    assert found.default_split in ("test", "valid")
    everything = found.populations["all"]
    assert all(everything(a) for a in found.space.sample(3, seed=0))


def test_a_sample_is_different_architectures_and_begins_with_the_smaller_one(found: Benchmark) -> None:
    space = found.space
    chosen = space.sample(30, seed=3)
    assert len({a.id for a in chosen}) == 30
    assert space.sample(10, seed=3) == chosen[:10]
    assert space.sample(10, seed=4) != chosen[:10]
    with pytest.raises(ZcbenchError, match="cannot sample 0"):
        space.sample(0, seed=0)


def test_what_it_prints_it_parses_unchanged(found: Benchmark) -> None:
    space = found.space
    for architecture in space.sample(30, seed=1):
        assert architecture.space == found.name
        assert str(space.parse(str(architecture))) == str(architecture)
        assert space.parse(str(architecture)) == architecture
        assert hash(architecture) == hash(space.parse(str(architecture)))
        assert space.unique_id(architecture) == space.unique_id(space.parse(str(architecture)))


@pytest.mark.parametrize("text", ["", " ", "nonsense", "|", "[" * 5000, "(" * 5000, "\x00", "é" * 50, "64-", "a|b"])
def test_nonsense_is_one_line(found: Benchmark, text: str) -> None:
    with pytest.raises(ZcbenchError) as caught:
        found.space.parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_space_is_listed_or_says_why_not(found: Benchmark) -> None:
    space = found.space
    if space.listed:
        ids = [a.id for a in space]
        assert len(ids) == len(set(ids)) == len(space)
    else:
        with pytest.raises(ZcbenchError, match="table"):
            list(space)


def test_its_networks_run_and_are_built_without_memory(found: Benchmark) -> None:
    for space in variants(small(found.space)):
        architecture = next(a for a in space.sample(20, seed=0) if space.disconnected(a) is None)
        network = space.build(architecture, classes=7)
        assert all(p.is_meta for p in network.parameters())
        initialise(network, INITIALISATIONS["pytorch"], seeded("contract"))
        with torch.no_grad():
            output = network(torch.randn(2, 3, SIDE, SIDE))
        task = space.task
        if task is None:
            assert output.shape == (2, 7)
        else:
            assert output.shape == ((2, task.outputs, SIDE, SIDE) if task.dense else (2, task.outputs))


def test_every_metric_has_an_outcome_on_every_task(found: Benchmark) -> None:
    chosen = [m for m in STANDARD if m.name not in ("grasp", "swap")]  # the slowest, and 16 images
    for space in kinds(small(found.space)):
        architecture = next(a for a in space.sample(20, seed=0) if space.disconnected(a) is None)
        network = initialise(space.build(architecture, 10), INITIALISATIONS["pytorch"], seeded("contract"))
        loaded = images.for_task(images.load("gaussian", batch_size=12, resolution=16), space.task)
        data = MiniBatch(torch.from_numpy(loaded.inputs), torch.from_numpy(loaded.targets), loaded.classes, loaded.task)
        results = measure(network, data, chosen, key=("contract", architecture.id))
        failed = {k: r.reason for k, r in results.items() if r.outcome is Outcome.FAILED}
        assert not failed
        undefined = {k for k, r in results.items() if r.outcome is Outcome.UNDEFINED}
        if space.task is None:
            assert not undefined
        else:
            assert "epe_nas" in undefined  # 12 images have no two of one of 47 classes, or none at all
            assert ("synflow" in undefined) == space.task.dense
        assert {"params", "flops", "snip", "grad_norm", "fisher", "nwot"} <= set(results) - undefined


def test_no_pass_waits_for_the_host(found: Benchmark) -> None:
    """On the meta device every transfer to the host raises; passes and metrics get through all the same."""
    for space in kinds(small(found.space)):
        architecture = next(a for a in space.sample(20, seed=0) if space.disconnected(a) is None)
        network = space.build(architecture, 10)
        loaded = images.for_task(images.load("gaussian", batch_size=16, resolution=32), space.task)
        inputs, targets = (torch.from_numpy(a).to("meta") for a in (loaded.inputs, loaded.targets))
        data = MiniBatch(inputs, targets, loaded.classes, loaded.task)
        evaluation = evaluate(network, data, plan(q for m in STANDARD for q in m.needs.quantities()), key=("meta",))
        for one in STANDARD:
            with contextlib.suppress(Undefined):
                one(evaluation.values)


def test_missing_tables_are_missing_and_never_made_up(found: Benchmark, no_data: None) -> None:
    if found.name == "nasbench201":  # its table is embedded
        return
    assert all(isinstance(entry, Missing) for entry in found.availability())
    with pytest.raises(MissingFileError, match="ZCBENCH_DATA"):
        found.truth()


def test_converting_what_is_not_there(found: Benchmark, tmp_path) -> None:
    with pytest.raises(MissingFileError):
        found.convert(tmp_path / "nowhere", tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"x", b"PAR1", b"PK\x03\x04", b"BZh9", b"\x80\x04.", b"{", b"\x00" * 64])
def test_converting_nonsense(found: Benchmark, tmp_path, content: bytes) -> None:
    path = tmp_path / "official.bin"
    path.write_bytes(content)
    with pytest.raises(ZcbenchError) as caught:
        found.convert(path, tmp_path / "out.parquet")
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["official.bin"]


def test_it_never_opens_a_socket(found: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    for name in ("connect", "connect_ex", "__init__"):
        monkeypatch.setattr(socket.socket, name, refuse)
    assert found.availability()
    space = small(found.space)
    assert space.build(space.sample(1, seed=0)[0], classes=10)


def test_finding_the_benchmarks_loads_no_torch() -> None:
    program = "import sys; from zcbench.datasets import registry; registry.benchmarks(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_random_targets_are_drawn_by_the_seed_and_said_in_the_recipe() -> None:
    space = registry.benchmark("transnasbench101_micro").space
    batch = images.load("gaussian", batch_size=8, resolution=16)
    for one in variants(space):
        first, again = images.for_task(batch, one.task), images.for_task(batch, one.task)
        assert first.digest == again.digest
        other = images.for_task(replace(batch, seed=5), one.task)
        own = one.task is not None and one.task.name == "autoencoder"
        assert own == (other.digest == first.digest)
        assert one.task is not None
        assert f"targets of {one.task.name}" in first.preprocessing
        assert "16x16" in first.preprocessing
