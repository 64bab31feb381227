"""Scores of one benchmark with their recipes and ground truths: what is recorded, and what is held against it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zcbench.harness import options
from zcbench.harness.analysis.cube import Cube
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Outcome, Recipe

EXACT_KEYS = ("device", "processor", "threads", "torch")
"""Where these are the same, a deterministic score repeats to the last bit."""

EXACT_GPU_KEYS = ("deterministic", "tf32", "cuda", "cudnn")
"""What decides besides on a GPU; scores of a CPU have none of them."""

SEVERAL = "several"
"""Stands for a part of the environment in which the scores of one recording differ."""


def digest_of(lines: Iterable[str]) -> str:
    """Return the SHA-256 of lines of text, in hexadecimal digits."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """One metric as it was when its scores were made.

    Attributes:
        key: the name with parameters.
        version: its version.
        higher_is_better: whether a high score is meant to predict a high truth.
        code: digest of its code without comments; empty where unknown.
    """

    key: str
    version: int
    higher_is_better: bool
    code: str = ""


@dataclass(frozen=True, eq=False)
class TruthRecord:
    """One ground truth of A architectures.

    Attributes:
        name: what it is called: ``cifar10``.
        description: one sentence: dataset, split, epochs, seeds, source, kind.
        question: what chooses it again from the tables: ``dataset``, ``metric``, ``source``, ``split``, ``epochs``.
        values: float64[A]; NaN where an architecture has none.
    """

    name: str
    description: str
    question: Mapping[str, str]
    values: NDArray[np.float64]

    def digest(self, architectures: Sequence[str]) -> str:
        """Return a digest of the values by architecture."""
        return digest_of(f"{a} {v.hex()}" for a, v in zip(architectures, self.values.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Measured:
    """Scores of M metrics on A architectures of one benchmark, made alike but for S initialisation seeds.

    Attributes:
        benchmark: the benchmark's name.
        space: search space and version, ``name@version``.
        recipes: S recipes, by rising seed.
        architectures: A ids, sorted.
        metrics: M metrics, sorted by key.
        values: float64[A, M, S]; NaN where the outcome is not ok.
        outcome: str[A, M, S]: ok, undefined, failed, or empty where there is no row.
        reason: str[A, M, S].
        seconds: float64[A, M, S], standalone.
        truths: the ground truths, sorted by name.
        environment: where the scores were made; ``several`` where that is not one place.
        calibration: seconds of the fixed workload there, see ``calibration``; NaN where unknown.
    """

    benchmark: str
    space: str
    recipes: tuple[Recipe, ...]
    architectures: tuple[str, ...]
    metrics: tuple[MetricRecord, ...]
    values: NDArray[np.float64]
    outcome: NDArray[np.str_]
    reason: NDArray[np.str_]
    seconds: NDArray[np.float64]
    truths: tuple[TruthRecord, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    calibration: float = float("nan")

    def __post_init__(self) -> None:
        shape = (len(self.architectures), len(self.metrics), len(self.recipes))
        if any(part.shape != shape for part in (self.values, self.outcome, self.reason, self.seconds)):
            raise ZcbenchError(f"scores of {self.benchmark} have the shape {self.values.shape}, not {shape}")

    @classmethod
    def of(
        cls, rows: pd.DataFrame, *, benchmark: str, recipes: Sequence[Recipe], metrics: Sequence[MetricRecord],
        truths: Sequence[TruthRecord], architectures: Sequence[str], environment: Mapping[str, str],
        calibration: float = float("nan"),
    ) -> Measured:
        """Build it from the rows of a store.

        Args:
            rows: with the columns of an export, the digest of the recipe and the space among them; rows of other
                recipes, metrics, versions and architectures are left out.
            benchmark: the benchmark.
            recipes: one for each initialisation seed.
            metrics: the metrics, in the versions that are meant.
            truths: the ground truths, in the order of ``architectures``.
            architectures: ids, sorted.
            environment: where the scores were made.
            calibration: seconds of the fixed workload.

        Raises:
            ZcbenchError: if there are no such rows.
        """
        ordered = sorted(metrics, key=lambda m: m.key)
        versions = {m.key: m.version for m in ordered}
        wanted = rows["recipe"].isin([r.digest for r in recipes]) & rows["architecture"].isin(list(architectures))
        kept = rows[wanted & (rows["metric"].map(versions) == rows["version"]) & (rows["benchmark"] == benchmark)]
        if kept.empty:
            raise ZcbenchError(f"there are no scores of {benchmark} with these recipes and metrics")
        by_seed = tuple(sorted(recipes, key=lambda r: r.init_seed))
        cube = Cube(kept, list(architectures), list(versions), [r.init_seed for r in by_seed])
        outcome = cube.text("outcome")
        return cls(
            benchmark, str(kept["space"].iloc[0]), by_seed, tuple(architectures), tuple(ordered),
            np.where(outcome == Outcome.OK, cube.number("value"), np.nan), outcome, cube.text("reason"),
            cube.number("seconds_standalone"), tuple(sorted(truths, key=lambda t: t.name)), environment, calibration,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """What tells it from others of one baseline: the benchmark, with the task of its networks if they have one."""
        task = options.split(self.recipes[0].network).get("task", "")
        return f"{self.benchmark} {task}" if task else self.benchmark

    def metric(self, key: str) -> int | None:
        """Return the place of a metric, None if it is absent."""
        return next((place for place, m in enumerate(self.metrics) if m.key == key), None)

    def signed(self, place: int) -> NDArray[np.float64]:
        """Return a metric's mean score over the seeds, float64[A], negated where low is better.

        NaN where there is no row and where some seed has no value, as in ``ScoreTable.signed``.
        """
        sign = 1.0 if self.metrics[place].higher_is_better else -1.0
        return np.asarray(sign * self.values[:, place].mean(axis=1))

    def seconds_of(self, place: int) -> NDArray[np.float64]:
        """Return what a metric's scores cost, mean over the seeds that have one, float64[A]; NaN without any.

        An undefined or failed score has no cost: it was given up, or never begun.
        """
        known = (self.outcome[:, place] == Outcome.OK) & np.isfinite(self.seconds[:, place])
        total = np.where(known, self.seconds[:, place], 0.0).sum(axis=1)
        return np.asarray(np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan))

    def median_seconds(self, place: int) -> float:
        """Return the median over the architectures of what a score costs; NaN where none has a score."""
        seconds = self.seconds_of(place)
        known = seconds[np.isfinite(seconds)]
        return float(np.median(known)) if known.size else float("nan")

    def only(self, keys: Iterable[str]) -> Measured:
        """Return the same with these metrics alone."""
        wanted = set(keys)
        places = [place for place, m in enumerate(self.metrics) if m.key in wanted]
        cut = np.s_[:, places]
        return replace(
            self, metrics=tuple(self.metrics[p] for p in places), values=self.values[cut], outcome=self.outcome[cut],
            reason=self.reason[cut], seconds=self.seconds[cut],
        )  # fmt: skip

    def table(self, truth: TruthRecord) -> ScoreTable:
        """Return the architectures that have this truth as a table for the analysis."""
        known = ~np.isnan(truth.values)
        recipe = self.recipes[0]
        return ScoreTable(
            benchmark=self.benchmark, target=truth.name, source=truth.question.get("source", ""),
            truth_description=truth.description, population="all",
            recipe=f"{recipe.dataset} images, batch {recipe.batch_size}, {recipe.init}, {len(self.recipes)} seeds",
            architectures=tuple(np.array(self.architectures, dtype=object)[known]),
            metrics=tuple(m.key for m in self.metrics),
            higher_is_better=tuple(m.higher_is_better for m in self.metrics),
            values=self.values[known], outcome=self.outcome[known], reason=self.reason[known],
            seconds_standalone=self.seconds[known], seconds_marginal=np.full_like(self.seconds[known], np.nan),
            truth=truth.values[known], repeats=np.empty((int(known.sum()), 0)),
            versions=tuple(m.version for m in self.metrics), seeds=tuple(r.init_seed for r in self.recipes),
        )  # fmt: skip


def one_environment(environments: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return what all environments of some scores share, and ``several`` where they differ."""
    keys = sorted({key for one in environments for key in one if key != "rows"})
    values = {key: {one.get(key, "") for one in environments} for key in keys}
    return {key: found.pop() if len(found) == 1 else SEVERAL for key, found in values.items()}


def unlike(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return in which of the decisive parts two environments differ, or are not known to be the same."""
    differs = [key for key in EXACT_KEYS if then.get(key, SEVERAL) == SEVERAL or then[key] != now.get(key, SEVERAL)]
    on_gpu = [key for key in EXACT_GPU_KEYS if then.get(key, "") == SEVERAL or then.get(key, "") != now.get(key, "")]
    # Two runs with --fast are as unlike as two machines.
    fast = ["deterministic"] if "no" in (then.get("deterministic"), now.get("deterministic")) else []
    return tuple(dict.fromkeys([*differs, *on_gpu, *fast]))
