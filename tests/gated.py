"""Made-up and real measurements for tests of the gate that score nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from zcbench.harness.gate.measured import Measured, MetricRecord, TruthRecord
from zcbench.harness.types import Recipe

SCORES = Path(__file__).parent / "golden" / "gate_scores.csv"
ENVIRONMENT = {"device": "cpu", "processor": "made up", "threads": "1", "torch": "2.6"}
QUESTION = {"dataset": "cifar10", "metric": "accuracy", "source": "made", "split": "test", "epochs": "200"}


def recipe(seed: int = 0, **other: object) -> Recipe:
    made = Recipe("digits", "all", "0123456789abcdef", "none", 8, 0, "pytorch@1", seed)
    return replace(made, **other)  # type: ignore[arg-type]


def measured(
    n: int = 40, *, metrics: tuple[str, ...] = ("good", "plain"), seeds: tuple[int, ...] = (0, 1), seed: int = 0,
    targets: tuple[str, ...] = ("cifar10",), benchmark: str = "toy",
) -> Measured:
    """Scores that follow the truth with noise, and are larger for a low truth where the metric is ``plain``."""
    rng = np.random.default_rng(seed)
    worth = rng.normal(size=n)
    sign = np.array([-1.0 if m == "plain" else 1.0 for m in metrics])
    common = worth[:, None, None] * sign[None, :, None] + 0.3 * rng.normal(size=(n, len(metrics), 1))
    values = common + 0.1 * rng.normal(size=(n, len(metrics), len(seeds)))
    truths = tuple(
        TruthRecord(name, f"{name} test accuracy", QUESTION, worth + 0.5 * rng.normal(size=n)) for name in targets
    )
    return Measured(
        benchmark, "toy@1", tuple(recipe(s) for s in seeds), tuple(f"a{i:03d}" for i in range(n)),
        tuple(MetricRecord(m, 1, m != "plain") for m in metrics), values, np.full(values.shape, "ok", dtype="<U9"),
        np.full(values.shape, "", dtype="<U40"), np.full(values.shape, 0.1), truths, ENVIRONMENT, 0.05,
    )  # fmt: skip


def edited(one: Measured, metric: str, **change: object) -> Measured:
    """Return the same with another version or direction of a metric."""
    return replace(
        one, metrics=tuple(replace(m, **change) if m.key == metric else m for m in one.metrics)  # type: ignore[arg-type]
    )


def with_values(one: Measured, metric: str, values: np.ndarray) -> Measured:
    """Return the same with other scores of a metric, float64[A, S]; NaN is undefined."""
    place = one.metric(metric)
    every, outcome, reason = one.values.copy(), one.outcome.copy(), one.reason.copy()
    every[:, place] = values
    outcome[:, place] = np.where(np.isnan(values), "undefined", "ok")
    reason[:, place] = np.where(np.isnan(values), "no path from input to output", "")
    return replace(one, values=every, outcome=outcome, reason=reason)


def values_of(one: Measured, metric: str) -> np.ndarray:
    return one.values[:, one.metric(metric)].copy()


def real(metrics: tuple[str, ...] = ("nwot", "snip")) -> Measured:
    """59 cells of NAS-Bench-201 with ten initialisation seeds; see the head of the file."""
    frame = pd.read_csv(SCORES, comment="#", index_col="architecture")
    values = np.stack([frame[[f"{m}_{s}" for s in range(10)]].to_numpy() for m in metrics], axis=1)
    return Measured(
        "nasbench201", "nasbench201@1", tuple(recipe(s) for s in range(10)), tuple(frame.index),
        tuple(MetricRecord(m, 1, True) for m in metrics), values, np.full(values.shape, "ok"),
        np.full(values.shape, ""), np.full(values.shape, 0.1),
        (TruthRecord("cifar10", "cifar10 test accuracy", QUESTION, frame["cifar10"].to_numpy()),), ENVIRONMENT, 0.05,
    )  # fmt: skip


def of_seeds(one: Measured, chosen: np.ndarray, numbers: tuple[int, ...]) -> Measured:
    """Return the same with other seeds of every architecture, int64[A, S], called by these numbers."""
    rows = np.arange(len(one.architectures))[:, None]

    def cut(part: np.ndarray) -> np.ndarray:
        return part.transpose(0, 2, 1)[rows, chosen].transpose(0, 2, 1)

    return replace(
        one, recipes=tuple(recipe(s) for s in numbers), values=cut(one.values), outcome=cut(one.outcome),
        reason=cut(one.reason), seconds=cut(one.seconds),
    )  # fmt: skip
