"""Shared results made by hand, for tests that need no store."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from zcbench.harness.results.result import (
    Architectures,
    Coverage,
    Measurement,
    MetricIdentity,
    RecipeIdentity,
    Result,
    Statistic,
    Truth,
)
from zcbench.harness.types import Estimate, Seconds

ADA = {"processor": "A-1000", "device": "cpu", "threads": "1", "torch": "2.13.0", "zcbench": "0.3.0", "rows": "100"}
BOB = {**ADA, "processor": "B-2000", "torch": "2.6.0"}
"""Two machines that differ in processor and torch."""


def statistics(spearman: float = 0.6, *, n: int = 100, n_undefined: int = 0) -> tuple[Statistic, ...]:
    """Two that are compared between machines, and two that are not."""
    values = {"spearman": spearman, "kendall": spearman * 0.7, "weighted_tau": spearman * 0.8, "regret_top1": 0.01}
    found = [
        Statistic("all", name, Estimate(value, value - 0.01, value + 0.01, n, n_undefined, "bootstrap"))
        for name, value in values.items()
    ]
    none = Estimate(math.nan, math.nan, math.nan, n // 10, 0, "undefined: tied")
    return (*found, Statistic("top10_truth", "spearman", none))


def measurement(spearman: float = 0.6, **changes: Any) -> Measurement:
    """A measurement on 100 architectures; changes replace fields of it, ``truth_``... fields of its parts."""
    parts: dict[str, Any] = {
        "truth": Truth("cifar10", "accuracy", "trained", "robot", "test", 200, "cifar10 test accuracy", "aa" * 8),
        "architectures": Architectures(100, "bb" * 8, "all", 3),
        "recipe": RecipeIdentity("cc" * 8, "digits, batch 8", "digits", 8, "pytorch@1", (0,)),
    }
    for name in list(changes):
        part, _, of = name.partition("_")
        if part in parts and of:
            parts[part] = dataclasses.replace(parts[part], **{of: changes.pop(name)})
    made = Measurement(
        **parts, scores="dd" * 8, undefined="drop", resamples=1000, coverage=Coverage(100, 0, 0),
        seconds=Seconds(0.02, 0.001), statistics=statistics(spearman),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def result(
    *measurements: Measurement, by: str = "ada", machine: Mapping[str, str] = ADA, file: str = "", **metric: Any
) -> Result:
    """A result of snip; further arguments replace fields of the metric's identity."""
    identity = MetricIdentity("snip", 1, True, "Lee et al. 2019")
    return Result(
        dataclasses.replace(identity, **metric), "nasbench201", "nasbench201@1", by,
        measurements or (measurement(),), (machine,), {"written": "2026-11-22T12:00:00+00:00"},
        file or f"{by}/snip.json",
    )  # fmt: skip
