"""What the scoring benchmarks score: cells of NAS-Bench-201, one mini-batch, and the three ways to do it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch

from bench.opponents import Subject, alethiometer_tool, loop
from zcbench.datasets import images
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.candidate import measure
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.metric import Checked, Metric, metric
from zcbench.harness.metrics.nwot import nwot
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.passes.spec import Forward, Norm, ReluGram
from zcbench.harness.registry import select
from zcbench.harness.types import Architecture, Outcome

CLASSES = 10


@metric(
    "nwot_running",
    version=1,
    cite="as alethiometer's nwot_relu",
    caveats="nwot with the running statistics of an untrained network: one forward more.",
    higher_is_better=True,
    gram=ReluGram(Forward(norm=Norm.RUNNING)),
)
def nwot_running(gram: torch.Tensor) -> Checked:
    """Score the kernel of binary ReLU codes in evaluation mode, log |det K|."""
    return nwot.function(gram)


SUITE: tuple[Metric, ...] = tuple(select("nas_bench_suite_zero"))
WITHOUT_GRASP = tuple(m for m in SUITE if m.name != "grasp")
ALETHIOMETER: tuple[Metric, ...] = (*select("grad_norm,snip,grasp,synflow"), nwot_running)


@dataclass(frozen=True)
class Scored:
    """One cell with its network, for every contestant."""

    architecture: Architecture
    subject: Subject

    @property
    def batch(self) -> MiniBatch:
        """The mini-batch as zcbench takes it."""
        return MiniBatch(self.subject.inputs, self.subject.targets, CLASSES)

    def in_double(self) -> Scored:
        """The same network and mini-batch in float64, where all ways agree to many digits."""
        subject = self.subject
        return replace(self, subject=replace(subject, network=subject.copy().double(), inputs=subject.inputs.double()))


class Cells(Sequence[Scored]):
    """Connected cells, with CIFAR-10 images where there are some, else noise.

    Each network is built when it is asked for, initialised as PyTorch does. So no more are alive than somebody keeps:
    what collects garbage walks over all of them.
    """

    def __init__(self, number: int, *, batch_size: int = 32) -> None:
        dataset = "cifar10" if os.environ.get("ZCBENCH_DATA") else "gaussian"
        drawn = images.load(dataset, batch_size=batch_size)
        self._batch = torch.from_numpy(drawn.inputs), torch.from_numpy(drawn.targets)
        space = BENCHMARK.space
        connected = (a for a in space.sample(2 * number + 8, seed=1) if not space.disconnected(a))
        self.architectures = tuple(islice(connected, number))

    def __len__(self) -> int:
        return len(self.architectures)

    def __getitem__(self, place: int) -> Scored:  # type: ignore[override]
        a = self.architectures[place]
        network = initialise(BENCHMARK.space.build(a, CLASSES), INITIALISATIONS["pytorch"], seeded("bench", a.id))
        return Scored(a, Subject(network, *self._batch, ("bench", 0, a.id)))


def zcbench(metrics: Sequence[Metric], scored: Scored) -> dict[str, float]:
    """Our scores in shared passes; every one of them must be a number."""
    found = measure(scored.subject.network, scored.batch, metrics, key=scored.subject.key)
    assert {r.outcome for r in found.values()} == {Outcome.OK}, {k: r.reason for k, r in found.items()}
    return {key: result.value for key, result in found.items() if result.value is not None}


def looped(metrics: Sequence[Metric], scored: Scored) -> dict[str, float]:
    """The loop's scores; with that of grasp comes the same sum without signs, as a scale for its rounding."""
    found = {}
    for one in metrics:
        if one.name == "grasp":
            terms = loop.grasp_terms(scored.subject)
            found |= {"grasp": loop.total(terms), UNSIGNED: loop.total(term.abs() for term in terms)}
        else:
            found[one.name] = loop.METRICS[one.name](scored.subject)
    return found


def alethiometer(scored: Scored) -> dict[str, float]:
    """alethiometer's scores, under our names."""
    found = alethiometer_tool.scores(scored.subject)
    return {"nwot_running" if name == "nwot_relu" else name: value for name, value in found.items()}


UNSIGNED = "grasp without signs"
"""The sum of the absolute values of grasp's terms."""

DOUBLE = dict.fromkeys((m.name for m in (*SUITE, nwot_running)), 1e-6) | {"grasp": 1e-4}
"""Relative differences allowed in float64; that of grasp is what its Hessian-vector product promises."""

SINGLE = {
    "params": 1e-12, "flops": 1e-12, "l2_norm": 1e-5, "synflow": 1e-9, "zen": 1e-4, "nwot": 1e-4, "nwot_running": 1e-4,
    "jacov": 1e-2, "fisher": 3e-2, "grad_norm": 2e-2, "snip": 2e-2, "epe_nas": 0.1, "grasp": 1e-3, "plain": 1e-4,
}  # fmt: skip
"""Relative differences allowed in float32, where sums have fewer digits the more of their terms cancel.

Gradients of a deep cell change in their third digit with the order of additions alone, e.g. between one and two
threads of the same tool. The terms of grasp and plain cancel almost completely, so these two are held against the same
sums without signs (that of plain is snip).
"""

SCALES = {"plain": "snip", "grasp": UNSIGNED}


def differences(
    ours: Mapping[str, float], theirs: Mapping[str, float], *, unsigned: bool
) -> dict[str, float]:
    """Return the relative difference of every score that both have.

    Args:
        ours: scores.
        theirs: scores, and for ``unsigned`` those that `SCALES` names.
        unsigned: whether plain and grasp are held against the sums without signs.
    """
    found = {}
    for name in sorted(ours.keys() & theirs.keys()):
        scale = theirs[SCALES.get(name, name) if unsigned else name]
        found[name] = abs(ours[name] - theirs[name]) / abs(scale)
    return found
