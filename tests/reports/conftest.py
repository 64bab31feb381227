"""Small analyses of made-up scores: every report test starts from one of these."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from zcbench.harness.analysis.ceiling import noise_ceiling
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.study import analyse
from zcbench.reports.comparison import measure, requests
from zcbench.reports.section import ReportInput

METRICS = ("flops", "grad_norm", "jacov", "layers", "nwot", "params", "plain")


def _outcomes(shape: tuple[int, int, int], undefined: str) -> np.ndarray:
    outcome = np.full(shape, "ok", dtype="<U9")
    if undefined == "all":
        outcome[:] = "undefined"
    elif undefined == "some":
        outcome[:, 4] = "undefined"
        outcome[0, 1], outcome[1, 1] = "failed", ""
    return outcome


@pytest.fixture(scope="session")
def make_table() -> Callable[..., ScoreTable]:
    def make(
        n=40, *, undefined="none", seeds=1, repeats=2, target="cifar10", names=METRICS,
        benchmark="nasbench201", measure="accuracy", kind="trained",
    ) -> ScoreTable:
        random = np.random.default_rng(7)
        shape = (n, len(names), seeds)
        truth = 0.94 - 0.3 * random.random(n) ** 3
        values = np.log(truth)[:, None, None] * 10 + random.normal(0, [[[0.5]]], shape)
        if len(names) > 1:
            values[:, 1] = np.exp(3 * values[:, 1])
        outcome = _outcomes(shape, undefined)
        values[outcome != "ok"] = np.nan
        seconds = np.where(outcome == "", np.nan, 0.5)
        reasons = np.where(outcome == "ok", "", "the output is not connected | to <the> input")
        return ScoreTable(
            benchmark=benchmark, target=target, source="robot", measure=measure, kind=kind,
            truth_description=f"{target} test accuracy after 200 epochs",
            recipe="digits, batch 32, pytorch@1",
            population="all", architectures=tuple(f"|none~0|+|x~{i}|" for i in range(n)), metrics=names,
            higher_is_better=(True,) * (len(names) - 1) + (False,), values=values, outcome=outcome,
            reason=reasons,
            seconds_standalone=seconds, seconds_marginal=seconds / 10, truth=truth,
            repeats=truth[:, None] + random.normal(0, 0.002, (n, repeats)), seeds=tuple(range(seeds)),
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def make_input(make_table: Callable[..., ScoreTable]) -> Callable[..., ReportInput]:
    def make(
        n=40, *, targets=("cifar10",), title="A report", policy="drop", benchmarks=("nasbench201",), costs=(), **options
    ) -> ReportInput:
        analyses = []
        for benchmark, target in [(b, t) for b in benchmarks for t in targets]:
            table = make_table(n, benchmark=benchmark, target=target, **options)
            frame = pd.DataFrame(table.repeats, index=list(table.architectures))
            ceiling = noise_ceiling(frame, seeds_in_mean=2, source="meco", resamples=20) if n > 5 else None
            analyses.append(analyse(table, undefined=policy, resamples=20, ceiling=ceiling))
        measured = [
            measure(request, analysis, images="digits", batch_size=32, init="pytorch@1", truth=None)
            for analysis in analyses
            for request in requests(analysis.table.benchmark, analysis.table.target)
        ]
        priced = [make_table(n, target=f"cifar10/{c}", **{**options, "measure": c}) for c in costs]
        costly = tuple(analyse(table, undefined=policy, resamples=20) for table in priced)
        provenance = {"zcbench": {"version": "0.1.0"}, "store": "scores.sqlite"}
        return ReportInput(title, tuple(analyses), provenance, measured, costly)

    return make
