"""How long analyses take; the mark: 30 metrics on all of NAS-Bench-201 and three accuracies within 60 s on two cores.

Tables are invented in the form of NAS-Bench-201's: size counts with ties, metrics that are undefined here and there.
"""

import time

import numpy as np
import pytest

from bench.summary import Line, seconds
from zcbench.harness.analysis.combined import combine
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.study import analyse
from zcbench.harness.analysis.versus.compare import compare

ARCHITECTURES, METRICS, TARGETS = 15_625, 30, 3
MARK = 60
"""Seconds."""


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
@pytest.mark.timeout(600)
@pytest.mark.parametrize("undefined", ["worst", "drop"])
def test_a_whole_benchmark(undefined, report):
    made = tables(ARCHITECTURES, METRICS, TARGETS)
    start, processor = time.perf_counter(), time.process_time()
    for table in made:
        analyse(table, undefined=undefined, resamples=1000)
    taken, processor = time.perf_counter() - start, time.process_time() - processor
    print(f"\n{processor:.1f} s of the processor")
    report(Line(
        what=f"analyse {METRICS} metrics x {ARCHITECTURES:,} cells x {TARGETS} accuracies, 1,000 resamples, "
        f"undefined: {undefined}",
        ours=seconds(taken), limit=f"<= {MARK} s", within=taken <= MARK,
    ))  # fmt: skip


@pytest.mark.bench
def test_combined_metrics(benchmark):
    """1,000 architectures, 30 metrics, 1,000 resamples."""
    table = tables(1000, METRICS, 1)[0]
    found = benchmark.pedantic(lambda: combine(table, undefined="drop"), rounds=1)
    assert found.comparisons
    assert found.gains


@pytest.mark.bench
@pytest.mark.parametrize("undefined", ["worst", "drop"])
def test_a_comparison(undefined, benchmark):
    """A metric against 15 others on 725 architectures, 1,000 resamples."""
    table = tables(725, 16, 1)[0]
    found = benchmark.pedantic(lambda: compare([table], "metric03", table.metrics, undefined=undefined), rounds=3)
    assert found.candidate == "metric03"
