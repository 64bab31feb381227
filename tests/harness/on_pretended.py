"""What the tests of the pretended GPU look at, in a process of its own: prints JSON.

The first argument is a folder to write to, each other one the name of a function of this file, or of a network.
"""
# ruff: noqa: E402 - the folder of the tests must be on the path first

import json
import os
import sys
import threading
import warnings
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

import pretended
import torch
from torch import nn

from networks import KEY, batch, make, origin, usable
from references import networks_of
from zcbench.datasets import images
from zcbench.datasets.nasbench201 import network as nasbench201_network
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness import candidate, device, runner
from zcbench.harness.candidate import Result, measure
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.executors.scorer import Scorer
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.registry import metrics, select
from zcbench.harness.runner import run
from zcbench.harness.store import Store

pretended.install()
FIRST, SECOND = torch.device("pretended:0"), torch.device("pretended:1")
CELLS = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|",
    "|nor_conv_1x1~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|",
    "|skip_connect~0|+|nor_conv_3x3~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|nor_conv_3x3~2|",
)


def there(data: MiniBatch, where: torch.device = FIRST) -> MiniBatch:
    further = tuple((inputs.to(where), targets.to(where)) for inputs, targets in data.further)
    return MiniBatch(data.inputs.to(where), data.targets.to(where), data.classes, data.task, further)


def shown(result: Result) -> list[object]:
    return [str(result.outcome), result.value, result.reason]


def scores(network: str, folder: Path) -> dict[str, object]:
    """Every metric alone, on the CPU and there, with what the program waited for; then all in one plan."""
    pretended.clear()
    data = batch(9, 16, torch.float32)
    far, found = there(data), {}
    chosen = [usable(name) for name in sorted(metrics()) if network in networks_of(name)]
    for metric in chosen:
        here = measure(make(network, torch.float32), data, [metric], key=KEY, origin=origin(network))
        built = make(network, torch.float32).to(FIRST)
        pretended.clear()
        result = measure(built, far, [metric], key=KEY, origin=origin(network))[metric.key]
        found[metric.name] = {
            "here": shown(here[metric.key]), "there": shown(result), "waits": dict(pretended.LOG.waits),
            "seconds": result.seconds.standalone, "unrepeatable": dict(pretended.LOG.unrepeatable),
        }
    built = make(network, torch.float32).to(FIRST)
    pretended.clear()
    together = measure(built, far, chosen, key=KEY, origin=origin(network))
    return {
        "alone": found, "together": {m.name: shown(together[m.key]) for m in chosen},
        "waits": dict(pretended.LOG.waits), "calls": list(pretended.LOG.calls), "events": dict(pretended.LOG.events),
    }


def job(*names: str, size: int = 8) -> Job:
    space = Space()
    return Job(
        "nasbench201", space, [space.parse(cell) for cell in CELLS], select(",".join(names)),
        images.load("digits", batch_size=size, resolution=8), initialisation("pytorch"), 1,
    )  # fmt: skip


def rows(store: Store) -> dict[str, list[object]]:
    return {f"{s.architecture} {s.metric}": [str(s.outcome), s.value, s.reason] for s in store.scores()}


def scored(path: Path, machine: Machine, *names: str) -> dict[str, object]:
    pretended.clear()
    with Store(path) as store:
        run(job(*names), store, machine)
        environment = store.environments()
        return {
            "rows": rows(store), "environment": environment, "waits": dict(pretended.LOG.waits),
            "events": dict(pretended.LOG.events), "calls": pretended.LOG.calls,
        }


def runs(folder: Path) -> dict[str, object]:
    """The same job on the CPU and there, another one on the second device, and fast; and who builds the networks."""
    names, builders = ("params", "snip", "nwot", "jacov"), set()
    build = Scorer.build

    def watched(self: Scorer, one: candidate.Candidate) -> nn.Module:
        network = build(self, one)
        held = all(p.untyped_storage().data_ptr() in pretended._pinned for p in network.parameters())
        builders.add((threading.current_thread() is threading.main_thread(), held))
        return network

    Scorer.build = watched  # type: ignore[method-assign]
    found: dict[str, object] = {"there": scored(folder / "there.sqlite", Machine(device="pretended:0"), *names)}
    Scorer.build = build  # type: ignore[method-assign]
    found["cpu"] = scored(folder / "cpu.sqlite", Machine(), *names)
    found["second"] = scored(folder / "second.sqlite", Machine(device="pretended:1"), "nwot")
    found["fast"] = scored(folder / "fast.sqlite", Machine(device="pretended:0", fast=True), "params")
    found["mixed"] = scored(folder / "fast.sqlite", Machine(device="pretended:0"), "params", "layers")
    try:
        device.usable_device("pretended:2")
    except ZcbenchError as error:
        found["ordinal"] = str(error)
    return {**found, "builders": [list(b) for b in builders]}


def memory(folder: Path) -> dict[str, object]:
    """A device on which only small networks fit: what is asked of it, and what comes of it."""
    sizes, evaluate = set(), candidate.evaluate

    def watched(network, data, shared, **options):  # type: ignore[no-untyped-def]
        sizes.add(len(data.inputs))
        return evaluate(network, data, shared, **options)

    candidate.evaluate = watched
    narrow = job("params", "snip", "synflow", size=128)
    # Bytes: more than any weight takes, less than what a convolution makes of the mini-batch.
    pretended.clear().limit = 400_000
    with Store(folder / "memory.sqlite") as store:
        summary = run(narrow, store, Machine(device="pretended"))
        said = {"rows": rows(store), "calls": list(pretended.LOG.calls), "sizes": sorted(sizes)}
        said["outcomes"] = {str(outcome): n for outcome, n in summary.outcomes.items()}
        pretended.clear()
        again = run(narrow, store, Machine(device="pretended"), retry_failed=True)
        said["again"] = {str(outcome): n for outcome, n in again.outcomes.items()}
    return said


def lost(folder: Path) -> dict[str, object]:
    """A device that stops working with the second network."""
    score = Scorer.score

    def watched(self: Scorer, one: candidate.Candidate, *args: object) -> object:
        pretended.LOG.lost = one.architecture.id == CELLS[1]
        return score(self, one, *args)  # type: ignore[arg-type]

    Scorer.score = watched  # type: ignore[method-assign, assignment]
    what, said = job("snip"), ""
    pretended.clear()
    with Store(folder / "lost.sqlite") as store:
        try:
            run(what, store, Machine(device="pretended"), chunk=1)
        except ZcbenchError as error:
            said = str(error)
        Scorer.score = score  # type: ignore[method-assign]
        pretended.clear()
        return {"said": said, "rows": rows(store)}


def wrong(folder: Path) -> dict[str, object]:
    """What the pretended device itself must notice, for what passes on it to mean anything."""
    far, noticed = torch.ones(3, 3).pin_memory().to(FIRST, non_blocking=True), {}

    def attempt(name: str, call: object) -> None:
        pretended.clear()
        try:
            call()  # type: ignore[operator]
            noticed[name] = sorted(pretended.LOG.waits + pretended.LOG.unrepeatable)
        except RuntimeError as error:
            noticed[name] = str(error).partition("!")[0]

    attempt("nothing", lambda: (far @ far).sum())
    attempt("item", lambda: far.sum().item())
    attempt("bool", lambda: bool(far.sum() > 0))
    attempt("cpu", lambda: far.cpu())
    attempt("numpy", lambda: far.cpu().numpy())
    attempt("nonzero", lambda: far.nonzero())
    attempt("mask", lambda: far[far > 0])
    attempt("unique", lambda: torch.unique(far))
    attempt("bincount", lambda: torch.bincount(far.long().flatten()))
    attempt("eigenvalues", lambda: torch.linalg.eigvalsh(far))
    attempt("arrival", lambda: torch.ones(3).to(FIRST))
    attempt("arrival of a page", lambda: torch.ones(3).to(FIRST, non_blocking=True))
    attempt("host tensor", lambda: far + torch.ones(3))
    attempt("other device", lambda: far + torch.ones(3).pin_memory().to(SECOND, non_blocking=True))
    attempt("index of the host", lambda: far[torch.tensor([0, 1])])
    pixels = far.reshape(1, 3, 1, 3), torch.zeros(1, 1, 3, dtype=torch.int64).pin_memory().to(FIRST, non_blocking=True)
    attempt("running sum", lambda: far.cumsum(0))
    attempt("running count", lambda: far.long().cumsum(0))
    attempt("loss of pixels", lambda: nn.functional.cross_entropy(*pixels))
    attempt("loss of each pixel", lambda: nn.functional.cross_entropy(*pixels, reduction="none").mean())
    attempt("pooling to more than one", lambda: _pooled(far, 2))
    attempt("pooling to one", lambda: _pooled(far, 1))
    return noticed


def _pooled(image: torch.Tensor, side: int) -> None:
    image = image.reshape(1, 1, 3, 3).detach().requires_grad_()
    torch.autograd.grad(nn.functional.adaptive_avg_pool2d(image, side).sum(), image)


if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    device.DEVICES = (*device.DEVICES, pretended.NAME)
    nasbench201_network.CELLS_PER_STAGE = 1
    runner.rates = lambda _: ()  # they move matrices of their own
    asked = {name: globals()[name] if name in globals() else partial(scores, name) for name in sys.argv[2:]}
    print(json.dumps({name: call(Path(sys.argv[1])) for name, call in asked.items()}), flush=True)
    os._exit(0)  # the threads of the device's backward passes cannot be ended
