"""One candidate through all its metrics: values cross from the device once, and outcomes are decided."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zcbench.harness.device import LostDeviceError, is_gpu, release, want_of_memory
from zcbench.harness.metric import Checked, Metric, Undefined
from zcbench.harness.passes.evaluate import Evaluation, evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.passes.spec import Differentiated, MultiplyAccumulates, Quantity, Recorded
from zcbench.harness.settings import kept
from zcbench.harness.space import SearchSpace
from zcbench.harness.types import OUT_OF_MEMORY, Architecture, Outcome, Recipe, Score, Seconds


@dataclass(frozen=True)
class Candidate:
    """One unit of work: an architecture under a recipe, with the metrics whose rows are missing."""

    architecture: Architecture
    recipe: Recipe
    metrics: tuple[Metric, ...]

    @property
    def key(self) -> tuple[str, int, str]:
        """What random draws are seeded with: initialisation, its seed and the architecture."""
        return (self.recipe.init, self.recipe.init_seed, self.architecture.id)


@dataclass(frozen=True)
class Result:
    """The outcome of one metric, before it becomes a row.

    Attributes:
        value: the number; None unless the outcome is ok.
        outcome: ok, undefined or failed.
        reason: why there is no number.
        seconds: what it cost.
    """

    value: float | None
    outcome: Outcome
    reason: str
    seconds: Seconds


@dataclass(frozen=True)
class Scored:
    """What came of a candidate.

    Attributes:
        rows: one score for each of its metrics.
        seconds: what all of them took together, with building the network unless that was done ahead.
    """

    rows: tuple[Score, ...]
    seconds: float


NO_TIME = Seconds(0.0, 0.0)


def score_candidate(
    benchmark: str, space: SearchSpace, candidate: Candidate, build: Callable[[], nn.Module], batch: MiniBatch, *,
    shared: dict[Hashable, Any] | None = None,
) -> Scored:
    """Score one candidate with all its metrics, in shared passes.

    Args:
        benchmark: the benchmark's name.
        space: the search space.
        candidate: architecture, recipe and metrics.
        build: returns the initialised network on the CPU.
        batch: the mini-batch on the device.
        shared: keeps what does not depend on the architecture, for the candidates of one space and mini-batch.

    Raises:
        LostDeviceError: if a GPU has stopped working.
    """
    recipe, architecture, start = candidate.recipe, candidate.architecture, time.perf_counter()
    reason = space.disconnected(architecture)
    hopeless = {m.key for m in candidate.metrics if reason and m.needs_pass}
    results = {key: Result(None, Outcome.UNDEFINED, reason or "", NO_TIME) for key in hopeless}
    metrics = [m for m in candidate.metrics if m.key not in hopeless]
    origin = Origin(
        space, architecture, batch.classes, recipe.init, recipe.init_seed, {} if shared is None else shared
    )
    try:
        results |= _build_and_measure(build, batch, metrics, candidate.key, origin)
    except LostDeviceError as error:
        raise LostDeviceError(
            f"{error} while it scored {architecture.id}: run again, what was written is kept"
        ) from error
    version = f"{space.name}@{space.version}"
    rows = tuple(
        Score(benchmark, version, architecture.id, m.key, m.version, recipe, r.value, r.outcome, r.reason, r.seconds)
        for m in candidate.metrics
        if (r := results[m.key])
    )
    return Scored(rows, time.perf_counter() - start)


def _build_and_measure(
    build: Callable[[], nn.Module], batch: MiniBatch, metrics: Sequence[Metric], key: tuple[object, ...],
    origin: Origin,
) -> dict[str, Result]:
    device = batch.inputs.device
    try:
        network = build().to(device, non_blocking=True)
    except Exception as error:  # a faulty space is the outcome of its architecture, not the end of the run
        why = _reason(error)
    else:
        return measure(network, batch, metrics, key=key, origin=origin)
    release(device)
    reason = why if why.startswith(OUT_OF_MEMORY) else f"the network cannot be built: {why}"
    return {m.key: Result(None, Outcome.FAILED, reason, NO_TIME) for m in metrics}


def measure(
    network: nn.Module, batch: MiniBatch, metrics: Sequence[Metric], *, key: tuple[object, ...],
    origin: Origin | None = None,
) -> dict[str, Result]:
    """Compute metrics on one network.

    If the shared passes raise, every metric is tried alone: only those whose own passes raise have
    failed. The mini-batch is never made smaller.

    Args:
        network: on the device of the mini-batch; it is not changed.
        batch: the mini-batch.
        metrics: the metrics.
        key: what random draws are seeded with, e.g. (initialisation, seed, architecture).
        origin: where the network comes from; without it, metrics that look at the search space are undefined.

    Returns:
        A result by metric key.
    """
    try:
        return _together(network, batch, metrics, key, origin)
    except Exception as error:  # any failure of a metric is an outcome
        why = _reason(error)
    # Here, where the error and the frames that hold tensors of its passes are gone.
    release(batch.inputs.device)
    if len(metrics) == 1:
        return {metrics[0].key: Result(None, Outcome.FAILED, why, NO_TIME)}
    return {k: r for m in metrics for k, r in measure(network, batch, [m], key=key, origin=origin).items()}


def _together(
    network: nn.Module, batch: MiniBatch, metrics: Sequence[Metric], key: tuple[object, ...], origin: Origin | None
) -> dict[str, Result]:
    shared = plan(q for m in metrics for q in m.needs.quantities())
    evaluation = evaluate(network, batch, shared, key=key, origin=origin)
    computed: dict[str, Checked] = {}
    reasons: dict[str, str] = {}
    for metric in metrics:
        # What one metric changes or sets must not reach the next; ours are tested not to.
        values = evaluation.values if metric.ours else _copied(metric, evaluation.values)
        with evaluation.clock.measure(metric.key):
            try:
                with kept():
                    value = metric(values)
                computed[metric.key] = value if isinstance(value, Checked) else Checked(value, ())
            except Undefined as reason:
                reasons[metric.key] = str(reason)
    decided = _cross(computed) | {k: (None, Outcome.UNDEFINED, reason) for k, reason in reasons.items()}
    seconds = _seconds(evaluation, metrics)
    return {m.key: Result(*decided[m.key], seconds[m.key]) for m in metrics}


def _copied(metric: Metric, values: Mapping[Quantity, Any]) -> dict[Quantity, Any]:
    """Return copies of what a metric needs, which it may write into."""
    return {quantity: _copy(values[quantity]) for quantity in metric.needs.quantities()}


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_copy, value))
    return copy.deepcopy(value)


def _cross(computed: dict[str, Checked]) -> dict[str, tuple[float | None, Outcome, str]]:
    """Bring all values and conditions of a candidate to the host in one transfer, and decide the outcomes."""
    flat: list[Tensor] = []
    for checked in computed.values():
        flat += [checked.value, *(condition for condition, _ in checked.conditions)]
    # What is on the host already, a count of parameters, stays there: the way to the device is a transfer as well.
    away = [is_gpu(t.device) for t in flat]
    numbers_away = _numbers([t for t, far in zip(flat, away, strict=True) if far])
    numbers_here = _numbers([t for t, far in zip(flat, away, strict=True) if not far])
    numbers = (next(numbers_away if far else numbers_here) for far in away)
    decided: dict[str, tuple[float | None, Outcome, str]] = {}
    for key, checked in computed.items():
        value = next(numbers)
        held = [reason for _, reason in checked.conditions if next(numbers)]
        if not held and not math.isfinite(value):
            held = [f"the value is {value}"]
        decided[key] = (None, Outcome.UNDEFINED, held[0]) if held else (value, Outcome.OK, "")
    return decided


def _numbers(scalars: list[Tensor]) -> Iterator[float]:
    return iter(torch.stack([t.detach().double() for t in scalars]).cpu().tolist() if scalars else ())


def _seconds(evaluation: Evaluation, metrics: Sequence[Metric]) -> dict[str, Seconds]:
    spent = evaluation.clock.seconds()
    costs = {}
    for metric in metrics:
        steps: set[object] = set()
        for quantity in metric.needs.quantities():
            steps.add(quantity)
            if isinstance(quantity, Recorded | Differentiated | MultiplyAccumulates):
                steps.add(quantity.forward)
            if isinstance(quantity, Differentiated):
                steps.add((quantity.forward, quantity.target))
        own = spent.get(metric.key, 0.0)
        costs[metric.key] = Seconds(own + sum(spent.get(step, 0.0) for step in steps), own)
    return costs


def _reason(error: BaseException) -> str:
    """Say in one line why a metric failed; out of memory begins with one word, so that it can be counted."""
    text = " ".join(str(error).split())
    operation, found, _ = text.partition(" does not have a deterministic implementation")
    if found:
        return f"{operation} has no deterministic form on this GPU; with --fast it need not have one"[:300]
    return want_of_memory(error) or f"{type(error).__name__}: {text}"[:300]
