"""How long the analysis of a whole benchmark takes: printed, never asserted."""

import time

import numpy as np
import pytest

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.study import analyse

ARCHITECTURES, METRICS, TARGETS = 15_625, 30, 3


def tables(n: int, metrics: int, targets: int) -> list[ScoreTable]:
    """Tables like NAS-Bench-201's: size counts with ties, and metrics that are undefined here and there."""
    rng = np.random.default_rng(0)
    worth = rng.normal(size=n)
    scores = worth[:, None] + rng.uniform(0.3, 3.0, size=metrics) * rng.normal(size=(n, metrics))
    scores[:, :3] = np.round(scores[:, :3] * 20)
    for m in range(metrics // 2, metrics):
        scores[rng.integers(0, n, size=[1, 30, 700][m % 3]), m] = np.nan
    scores = scores[:, :, None]
    names = ("params", "flops", "layers", *(f"metric{m:02d}" for m in range(3, metrics)))
    empty = np.full(scores.shape, "")
    return [
        ScoreTable(
            benchmark="nasbench201", target=f"target{t}", source="made", truth_description="made", recipe="",
            population="all", architectures=tuple(f"a{i:05d}" for i in range(n)), metrics=names,
            higher_is_better=(True,) * metrics, values=scores,
            outcome=np.where(np.isnan(scores), "undefined", "ok"), reason=empty,
            seconds_standalone=scores, seconds_marginal=scores,
            truth=np.round(0.9 + 0.02 * (worth + 0.3 * rng.normal(size=n)), 4), repeats=np.empty((n, 0)),
        )
        for t in range(targets)
    ]  # fmt: skip


@pytest.mark.bench
@pytest.mark.parametrize("undefined", ["worst", "drop"])
def test_a_whole_benchmark(undefined, capsys):
    made = tables(ARCHITECTURES, METRICS, TARGETS)
    start, processor = time.perf_counter(), time.process_time()
    for table in made:
        analyse(table, undefined=undefined, resamples=1000)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    with capsys.disabled():
        print(f"\n{METRICS} metrics x {ARCHITECTURES} architectures x {TARGETS} targets, "
              f"1,000 resamples, {undefined}: {seconds:.1f} s, {processor:.1f} s of processor")  # fmt: skip
