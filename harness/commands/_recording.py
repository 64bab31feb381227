"""From a store to a baseline."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from zcbench.datasets.truth import Target
from zcbench.harness.commands import _targets
from zcbench.harness.commands._family import Family, Wanted
from zcbench.harness.commands._reporting import pair
from zcbench.harness.environment import describe
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.gate import calibration
from zcbench.harness.gate.baseline import Baseline, record
from zcbench.harness.gate.measured import Measured, MetricRecord, TruthRecord, one_environment, unlike
from zcbench.harness.machine import Machine
from zcbench.harness.store import Store
from zcbench.harness.types import Recipe


@contextmanager
def store_at(path: Path | None, *, create: bool = True) -> Iterator[Store]:
    """Open a store, or one that is thrown away at the end."""
    if path is not None:
        with Store(path, create=create) as store:
            yield store
        return
    with tempfile.TemporaryDirectory(prefix="zcbench-gate-") as folder, Store(Path(folder) / "scores.sqlite") as store:
        yield store


def provenance() -> dict[str, str]:
    """Say when and with what something is made."""
    here = describe(device="", threads=0)
    kept = ("zcbench", "revision", "source", "python", "platform", "processor", "torch", "numpy")
    return {"time": datetime.now(UTC).isoformat(timespec="seconds"), **{key: here[key] for key in kept}}


class Stopwatch:
    """The time of the fixed workload on a device, before and after the scoring.

    Attributes:
        environment: where it runs, as a store describes it.
    """

    def __init__(self, machine: Machine) -> None:
        self._device, self._threads = machine.device, machine.threads
        model = f" ({torch.cuda.get_device_name(self._device)})" if self._device.startswith("cuda") else ""
        self.environment = describe(device=f"{torch.device(self._device)}{model}", threads=machine.threads)
        self._rounds: list[float] = []

    def look(self) -> None:
        """Run the workload."""
        self._rounds += calibration.seconds(device=self._device, threads=self._threads)

    def seconds_for(self, environment: Mapping[str, str]) -> float:
        """Return the median of the rounds if the scores were made in this environment, else NaN."""
        return float("nan") if unlike(environment, self.environment) else calibration.median(self._rounds)


def recorded(
    store: Store, wanted: Mapping[str, Wanted], truth: _targets.TruthOptions, watch: Stopwatch
) -> Baseline:
    """Make a baseline of the scores of a store.

    Args:
        store: the store.
        wanted: which of its scores, by benchmark.
        truth: which ground truth.
        watch: the time of the fixed workload.

    Raises:
        MissingFileError: if the ground truth is not there.
        ZcbenchError: if there are no such scores, or they are no use as a baseline.
    """
    frame, recipes = store.frame(), store.recipes()
    environment = one_environment(store.environments())
    found = []
    for name, asked in wanted.items():
        studied = pair(store, name, asked, truth)
        kinds: dict[Recipe, list[tuple[Target, Family]]] = {}
        for target, family in studied.pairs:
            if _targets.is_cost(target):
                raise ZcbenchError(f"{target.name} is a cost and no accuracy: a baseline takes accuracies only")
            kinds.setdefault(replace(family.recipe, init_seed=0), []).append((target, family))
        for kind, pairs in kinds.items():
            alike = {digest: r for digest, r in recipes.items() if replace(r, init_seed=0) == kind}
            rows = frame[(frame["benchmark"] == name) & frame["recipe"].isin(alike)]
            found.append(_measured(rows, pairs, name, tuple(alike.values()), environment, watch))
    return record(found, provenance=provenance())


def _measured(
    rows: pd.DataFrame, pairs: Sequence[tuple[Target, Family]], benchmark: str, recipes: Sequence[Recipe],
    environment: Mapping[str, str], watch: Stopwatch,
) -> Measured:
    family = pairs[0][1]
    seeds = _common_seeds(family.frame, benchmark)
    ids = sorted(family.frame["architecture"].unique())
    versions = family.frame.groupby("metric")["version"].max()
    metrics = []
    for key, version in versions.items():
        described = family.described.get((str(key).partition("(")[0], int(version)))
        directions = family.directions
        higher = described.higher_is_better if described else directions[str(key).partition("(")[0]]
        metrics.append(MetricRecord(str(key), int(version), higher, described.code if described else ""))
    return Measured.of(
        rows, benchmark=benchmark, recipes=[r for r in recipes if r.init_seed in seeds], metrics=metrics,
        truths=[truth_record(target, ids) for target, _ in pairs], architectures=ids, environment=environment,
        calibration=watch.seconds_for(environment),
    )  # fmt: skip


def _common_seeds(frame: pd.DataFrame, benchmark: str) -> set[int]:
    """Return the seeds that all metrics have.

    Raises:
        ZcbenchError: if they do not follow one another, so that nobody could score them again in one go.
    """
    seeds = sorted(set.intersection(*(set(of) for _, of in frame.groupby("metric")["init_seed"])))
    if not seeds or seeds[-1] - seeds[0] != len(seeds) - 1:
        raise ZcbenchError(
            f"the metrics of {benchmark} in this store have no row of initialisation seeds in common: complete them "
            "with zcbench score --seeds, or record fewer metrics with --metrics"
        )
    return set(seeds)


def truth_record(target: Target, ids: Sequence[str]) -> TruthRecord:
    """Return what is kept of a ground truth."""
    question = {
        "dataset": target.dataset, "metric": target.metric, "source": target.source, "split": target.split,
        "epochs": str(target.epochs),
    }  # fmt: skip
    values = target.mean.reindex(list(ids)).to_numpy(dtype=np.float64)
    return TruthRecord(target.name, target.describe(), question, values)
