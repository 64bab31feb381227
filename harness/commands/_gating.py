"""What the metrics of a baseline give now, held against it; shared by ``gate`` and the plug-in for pytest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.truth import split_target
from zcbench.harness.commands import _scoring, _targets
from zcbench.harness.commands._rebuilding import rebuilt
from zcbench.harness.commands._recording import Stopwatch, provenance, store_at, truth_record
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.gate.baseline import Baseline
from zcbench.harness.gate.judge import NORMAL, Limits, judge
from zcbench.harness.gate.measured import Measured, MetricRecord, TruthRecord, one_environment
from zcbench.harness.gate.result import GateResult
from zcbench.harness.metric import Metric
from zcbench.harness.metric_file import digest_of
from zcbench.harness.registry import select
from zcbench.harness.store import Store
from zcbench.harness.types import Recipe

NOT_COMPUTED = "not computed again"
"""Key of the provenance under which stands what was taken from a store."""


@dataclass(frozen=True)
class Again:
    """How to score anew what a baseline holds.

    Attributes:
        computing: where to compute.
        images: the folder of the images; None for the default one.
        truth: a table to use instead of the default ones.
        recorded_truth: judge by the ground truth of the baseline, without any table.
        first_seed: first of other initialisation seeds; None for those of the baseline.
        store: a store to take scores from and add to; None for one that is thrown away.
    """

    computing: _scoring.Computing
    images: Path | None = None
    truth: Path | None = None
    recorded_truth: bool = False
    first_seed: int | None = None
    store: Path | None = None


def judged(
    baseline: Baseline, again: Again, *, limits: Limits = NORMAL, metrics: Sequence[Metric] | None = None
) -> GateResult:
    """Score what a baseline holds with the metrics as they are now, and hold it against the baseline.

    Args:
        baseline: the baseline.
        again: how to score.
        limits: what fails.
        metrics: only these; None for all that the baseline has.

    Raises:
        ZcbenchError: if none of the metrics is in the baseline.
    """
    present, unknown = _now(baseline, metrics)
    if metrics is not None:
        known = [m.key for m in metrics if m.key in baseline.metrics]
        if not known:
            asked = ", ".join(m.key for m in metrics)
            raise ZcbenchError(f"none of {asked} is in the baseline, which has {', '.join(baseline.metrics)}")
        baseline = baseline.only(known)
    watch = Stopwatch(again.computing.machine)
    absent: dict[str, str] = {}
    notes = [f"{key} is not in the baseline, so it is not judged: record it" for key in unknown]
    watch.look()
    with store_at(again.store) as store:
        kept: list[str] = []
        jobs = [_again(entry, present, again, store, absent, kept) for entry in baseline.entries]
        watch.look()
        frame, environment = store.frame(), one_environment(store.environments())
    found = [
        _measured_now(entry, recipes, present, frame, environment, again, watch, absent)
        for entry, recipes in zip(baseline.entries, jobs, strict=True) if recipes
    ]  # fmt: skip
    told = provenance() | {f"scored on: {key}": value for key, value in sorted(environment.items())}
    if kept:  # no note: what a store held before is not a finding, and differs where nothing else does
        told[NOT_COMPUTED] = "; ".join(kept)
    return judge(baseline, found, limits=limits, absent=absent, notes=notes, provenance=told)


def _now(baseline: Baseline, metrics: Sequence[Metric] | None) -> tuple[dict[str, Metric], list[str]]:
    """Return the metrics as they are now, and those that were asked for and are not in the baseline."""
    if metrics is not None:
        return {m.key: m for m in metrics}, [m.key for m in metrics if m.key not in baseline.metrics]
    found = {}
    for key in baseline.metrics:
        try:
            (found[key],) = select(key)
        except (ValueError, ZcbenchError):  # gone, or with other parameters: the result says so
            continue
    return found, []


def _again(
    entry: Measured, present: Mapping[str, Metric], again: Again, store: Store, absent: dict[str, str],
    kept: list[str],
) -> list[Recipe]:
    """Score an entry, and return its recipes now; none where that cannot be, with the reason in ``absent``.

    What was taken from the store is said in ``kept``.
    """
    metrics = [present[m.key] for m in entry.metrics if m.key in present]
    if not metrics:
        return list(entry.recipes)
    try:
        job = rebuilt(entry.benchmark, entry.recipes, entry.architectures, metrics, folder=again.images)
    except ZcbenchError as error:
        absent[entry.name] = str(error)
        return []
    if again.first_seed is not None:
        job = replace(job, first_seed=again.first_seed)
    summary = _scoring.run_with_progress(job, store, again.computing)
    if summary.interrupted:
        raise KeyboardInterrupt
    if summary.present:
        kept.append(f"{entry.name}: {summary.present} scores of {store.path} were not computed again")
    return job.recipes()


def _measured_now(
    entry: Measured, recipes: Sequence[Recipe], present: Mapping[str, Metric], frame: pd.DataFrame,
    environment: Mapping[str, str], again: Again, watch: Stopwatch, absent: dict[str, str],
) -> Measured:
    metrics = [
        MetricRecord(m.key, present[m.key].version, present[m.key].higher_is_better, digest_of(present[m.key]))
        for m in entry.metrics if m.key in present
    ]  # fmt: skip
    truths = entry.truths if again.recorded_truth else _truths_now(entry, again, absent)
    if not metrics:
        return replace(entry.only(()), truths=truths)
    return Measured.of(
        frame, benchmark=entry.benchmark, recipes=recipes, metrics=metrics, truths=truths,
        architectures=entry.architectures, environment=environment, calibration=watch.seconds_for(environment),
    )  # fmt: skip


def _truths_now(entry: Measured, again: Again, absent: dict[str, str]) -> tuple[TruthRecord, ...]:
    """Load the ground truths of an entry; of one that is not there ``absent`` says why."""
    found = []
    benchmark = find_benchmark(entry.benchmark)
    for truth in entry.truths:
        asked = truth.question
        dataset, _ = split_target(truth.name)
        options = _targets.TruthOptions(
            (dataset,), {"": asked["source"]}, {"": asked["split"]}, {"": asked["epochs"]}, again.truth
        )
        try:
            table = _targets.load(benchmark, options, entry.architectures)
            target = table.select(
                asked["dataset"], metric=asked["metric"], source=asked["source"], split=asked["split"],
                epochs=int(asked["epochs"]),
            )  # fmt: skip
        except ZcbenchError as error:
            absent[f"{entry.name} {truth.name}"] = str(error)
            continue
        found.append(replace(truth_record(target, entry.architectures), name=truth.name))
    return tuple(found)
