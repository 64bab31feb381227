"""How a metric answers changes of its input, and what it costs: told, and neither right nor wrong."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from zcbench.harness.candidate import Result, measure
from zcbench.harness.checking.result import Behaviour
from zcbench.harness.checking.subjects import Subject, mini_batch
from zcbench.harness.checking.trial import Trial
from zcbench.harness.initialise import INITIALISATIONS
from zcbench.harness.metric import Metric
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.registry import metrics
from zcbench.harness.settings import kept
from zcbench.harness.types import Outcome

DOUBLE = torch.float64
SEEDS = 5
"""Initialisations that are compared."""


def behaviour(trial: Trial, ordinary: Mapping[Subject, Result]) -> tuple[Behaviour, ...]:
    """Report how the score changes with scale, order, duplicates, labels, precision and initialisation.

    Args:
        trial: the metric.
        ordinary: what it gave on networks with an ordinary mini-batch. The first one with a value stands for all
            where one is enough.
    """
    among = {subject: result for subject, result in ordinary.items() if result.value is not None}
    if not among:
        return ()
    one = next(iter(among))
    of_input = (*_of_scale(trial, one), *_of_images(trial, one))
    return (*of_input, _of_precision(trial, among), *_of_initialisation(trial, one))


def _of_scale(trial: Trial, subject: Subject) -> tuple[Behaviour, ...]:
    before = trial.on(subject, trial.batch(DOUBLE), network=subject.network(dtype=DOUBLE))
    scaled = subject.network(dtype=DOUBLE)
    with torch.no_grad():
        for layer in _normalised(scaled):
            layer.weight.mul_(3)
    of_weights = trial.on(subject, trial.batch(DOUBLE), network=scaled)
    doubled = replace(trial.batch(DOUBLE), inputs=2 * trial.batch(DOUBLE).inputs)
    of_inputs = trial.on(subject, doubled, network=subject.network(dtype=DOUBLE))
    return (
        _answer("weights of convolutions before a batch norm x 3 (the network computes the same)", before, of_weights),
        _answer("images x 2", before, of_inputs),
    )


def _normalised(network: nn.Module) -> list[nn.Conv2d]:
    """Return the convolutions that a batch norm follows, in the order in which modules are registered."""
    leaves = [m for m in network.modules() if not list(m.children())]
    return [a for a, b in itertools.pairwise(leaves) if isinstance(a, nn.Conv2d) and isinstance(b, nn.BatchNorm2d)]


def _of_images(trial: Trial, subject: Subject) -> tuple[Behaviour, ...]:
    whole = trial.batch(DOUBLE)
    half = len(whole.inputs) // 2
    same_two = whole.inputs.clone()
    same_two[half] = same_two[0]
    first_half = _part(whole, slice(half))
    changes: dict[str, tuple[MiniBatch, MiniBatch]] = {
        "images and labels in reversed order": (whole, replace(
            whole, inputs=whole.inputs.flip(0), targets=whole.targets.flip(0),
            further=tuple((x.flip(0), y.flip(0)) for x, y in whole.further))),
        "one image a copy of another": (whole, replace(whole, inputs=same_two)),
        "labels drawn at random": (whole, trial.edges()["random labels"]),
        f"{2 * half} images instead of {half}": (first_half, whole),
        f"the same {half} images twice": (first_half, _part(whole, [*range(half), *range(half)])),
    }  # fmt: skip

    def score(batch: MiniBatch) -> Result:
        further = tuple((x.to(DOUBLE), y) for x, y in batch.further)
        double = replace(batch, inputs=batch.inputs.to(DOUBLE), further=further)
        return trial.on(subject, double, network=subject.network(dtype=DOUBLE))

    return tuple(_answer(words, score(one), score(other)) for words, (one, other) in changes.items())


def _part(batch: MiniBatch, chosen: slice | list[int]) -> MiniBatch:
    more = tuple((x[chosen], y[chosen]) for x, y in batch.further)
    return replace(batch, inputs=batch.inputs[chosen], targets=batch.targets[chosen], further=more)


def _of_precision(trial: Trial, single: Mapping[Subject, Result]) -> Behaviour:
    words = f"float32 instead of float64, the largest change on {len(single)} networks"
    pairs = [
        (trial.on(s, trial.batch(DOUBLE), network=s.network(dtype=DOUBLE)), result) for s, result in single.items()
    ]
    return max((_answer(words, *pair) for pair in pairs), key=lambda b: abs(1 - b.factor) if b.factor else math.inf)


def _of_initialisation(trial: Trial, subject: Subject) -> tuple[Behaviour, ...]:
    def score(init: str, seed: int) -> Result:
        network = subject.network(dtype=DOUBLE, init=init, seed=seed)
        found = measure(
            network, trial.batch(DOUBLE), [trial.metric], key=subject.key(init=init, seed=seed),
            origin=subject.origin(init=init, seed=seed),
        )  # fmt: skip
        return found[trial.metric.key]

    drawn = [score("pytorch", seed) for seed in range(SEEDS)]
    values = [r.value for r in drawn if r.value is not None]
    words = f"{SEEDS} initialisations"
    if len(values) < 2:
        spread = Behaviour(words, "no two values")
    else:
        mean, deviation = statistics.fmean(values), statistics.stdev(values)
        share = f", {100 * deviation / abs(mean):.2g} % of the mean" if mean else ""
        ends = f"from {min(values):.4g} to {max(values):.4g}"
        spread = Behaviour(words, f"standard deviation {deviation:.3g}{share}; {ends}")
    others = tuple(
        _answer(f"initialisation {init} instead of pytorch", drawn[0], score(init, 0))
        for init in INITIALISATIONS if init != "pytorch"
    )  # fmt: skip
    return (spread, *others)


def _answer(change: str, before: Result, after: Result) -> Behaviour:
    """Say what a change did to a score."""
    if before.value is None or after.value is None:
        unlike = before.outcome is not after.outcome
        said = [f"{r.value:.6g}" if r.value is not None else f"{r.outcome} ({r.reason})" for r in (before, after)]
        return Behaviour(change, f"from {said[0]} to {said[1]}" if unlike else f"{said[0]} before and after")
    if before.value == after.value:
        return Behaviour(change, "the same bits", 1.0)
    if before.value == 0:
        return Behaviour(change, f"from 0 to {after.value:.6g}")
    factor = after.value / before.value
    if not math.isfinite(factor):
        return Behaviour(change, f"from {before.value:.6g} to {after.value:.6g}")
    if abs(factor - 1) < 1e-9:
        return Behaviour(change, f"the same up to rounding ({abs(factor - 1):.0e})", factor)
    size = f"{100 * (factor - 1):+.2g} %" if abs(factor - 1) < 0.5 else f"x {factor:.4g}"
    return Behaviour(change, f"{size}, from {before.value:.6g} to {after.value:.6g}", factor)


def cost(trial: Trial, subject: Subject) -> str:
    """Say how long the metric takes beside grad_norm, both alone: medians of three runs."""
    batch = mini_batch(trial.images, further=trial.further, side=16)
    network = subject.network()

    def run(metric: Metric) -> Result:
        return measure(network, batch, [metric], key=subject.key(), origin=subject.origin())[metric.key]

    if run(trial.metric).outcome is Outcome.FAILED:
        return "cost: it fails on images of 16x16, so nothing was timed"
    own, other = (
        statistics.median(run(metric).seconds.standalone for _ in range(3))
        for metric in (trial.metric, metrics()["grad_norm"])
    )
    return (
        f"cost: {own * 1000:.3g} ms alone on {subject.name} with {trial.images} images of 16x16, "
        f"{own / other:.2g} times grad_norm ({other * 1000:.3g} ms), on one thread"
    )


def waits(trial: Trial, subject: Subject) -> str:
    """Say whether the metric waits for the device, which on a GPU holds up everything that follows.

    On the meta device every transfer to the host raises.
    """
    if trial.plain is not None:
        return "on a GPU: a plain function gives a number back, so each call waits for the device"
    data = mini_batch(trial.images, further=trial.further)
    further = tuple((x.to("meta"), y.to("meta")) for x, y in data.further)
    batch = MiniBatch(data.inputs.to("meta"), data.targets.to("meta"), data.classes, further=further)
    network = subject.network().to("meta")
    try:
        needed = plan(trial.metric.needs.quantities())
        with kept():
            found = evaluate(network, batch, needed, key=subject.key(), origin=subject.origin())
            trial.metric(found.values)
    except Exception as error:  # only one kind of it is meant
        if "meta" in str(error) or isinstance(error, NotImplementedError):
            at = trial.where(error)
            return f"on a GPU: it waits for the device{at}; without .item(), float(), if and .tolist() it need not"
        return f"on a GPU: not known, on the meta device it raises {type(error).__name__}{trial.where(error)}"
    return "on a GPU: nothing in it waits for the device"

