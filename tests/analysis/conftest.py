from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from zcbench.harness.analysis.frame import ScoreTable


def build(truth, scores, *, outcome=None, higher=None, names=None, repeats=None, **more):
    """A score table from float64[A] truth and {metric: float64[A] or float64[A, S]} scores."""
    truth = np.asarray(truth, dtype=float)
    columns = [np.asarray(v, dtype=float) for v in scores.values()]
    values = np.stack([c if c.ndim == 2 else c[:, None] for c in columns], axis=1)
    if outcome is None:
        outcome = np.where(np.isnan(values), "undefined", "ok")
    names = names or [f"a{i:04d}" for i in range(truth.size)]
    return ScoreTable(
        benchmark="toy", target="cifar10", source="made", truth_description="made up", recipe="none",
        population="all", architectures=tuple(names), metrics=tuple(scores),
        higher_is_better=tuple((higher or {}).get(m, True) for m in scores),
        values=values, outcome=outcome, reason=np.full(values.shape, ""),
        seconds_standalone=np.ones(values.shape), seconds_marginal=np.ones(values.shape),
        truth=truth, repeats=np.empty((truth.size, 0)) if repeats is None else repeats, **more,
    )  # fmt: skip


@pytest.fixture
def table():
    return build


@pytest.fixture
def noisy(table):
    """120 architectures: size counts with ties, a good, a bad and a patchy metric, a constant one."""
    rng = np.random.default_rng(3)
    worth = rng.normal(size=120)
    scores = {
        "params": np.round(worth + rng.normal(size=120), 1),
        "flops": np.round(worth + rng.normal(size=120), 0),
        "good": worth + 0.5 * rng.normal(size=120),
        "bad": -worth + rng.normal(size=120),
        "patchy": np.where(rng.random(120) < 0.2, np.nan, worth + rng.normal(size=120)),
        "constant": np.ones(120),
    }
    return table(np.round(0.9 + 0.02 * worth, 3), scores)


def export(rows):
    """A frame with the columns of an export from (architecture, metric, seed, value or outcome)."""
    lines = []
    for architecture, metric, seed, value in rows:
        ok = not isinstance(value, str)
        lines.append(
            {"benchmark": "toy", "architecture": architecture, "metric": metric, "version": 1,
             "dataset": "cifar10", "batch_size": 32, "init": "pytorch@1", "init_seed": seed,
             "value": value if ok else None, "outcome": "ok" if ok else value, "reason": "" if ok else "why",
             "seconds_standalone": 2.0, "seconds_marginal": 1.0}
        )  # fmt: skip
    return pd.DataFrame(lines)


@pytest.fixture
def rows():
    return export


@pytest.fixture
def target():
    def make(mean, repeats=None, metric="accuracy", kind="trained"):
        name = "cifar10" if metric == "accuracy" else f"cifar10/{metric}"
        return SimpleNamespace(
            name=name, metric=metric, kind=kind, source="made", mean=pd.Series(mean, dtype=float),
            repeats=pd.DataFrame() if repeats is None else repeats, describe=lambda: "made-up truth",
        )  # fmt: skip

    return make
