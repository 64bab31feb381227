"""Single things, timed by pytest-benchmark: save them with ``--benchmark-autosave`` and compare two versions.

No opponent and no mark: what a network, a score, a plan and a row cost here, on one thread.
"""

from __future__ import annotations

from itertools import count, islice

import numpy as np
import pytest

from bench import scoring
from bench.paired import quiet
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes.plan import plan
from zcbench.harness.registry import select
from zcbench.harness.store import Row, Store
from zcbench.harness.types import Outcome, Recipe, Score, Seconds

pytestmark = pytest.mark.bench
ROWS = 1000


@pytest.fixture(scope="module")
def cell():
    return scoring.Cells(1)[0]


@pytest.mark.parametrize("metrics", ["nas_bench_suite_zero", "grasp", "snip", "jacov", "synflow", "zen", "nwot"])
def test_scoring_one_cell(benchmark, cell, metrics):
    """Batch 32, on a network that is built already."""
    chosen = select(metrics)
    with quiet(1):
        benchmark.pedantic(lambda: scoring.zcbench(chosen, cell), rounds=3, warmup_rounds=1)


def test_building_one_network(benchmark):
    """On the meta device, then its weights."""
    space = BENCHMARK.space
    chosen = space.parse("|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|")

    def build():
        return initialise(space.build(chosen, 10), INITIALISATIONS["pytorch"], seeded("bench"))

    assert sum(p.numel() for p in benchmark(build).parameters()) > 0


def test_planning_the_suite(benchmark):
    metrics = select("nas_bench_suite_zero")
    found = benchmark(lambda: plan(q for m in metrics for q in m.needs.quantities()))
    assert found.totals["forwards"] <= 5
    assert found.totals["backwards"] <= 4


def rows(number):
    """Scores as one run writes them."""
    recipe = Recipe(
        dataset="digits", split="train", images="0" * 16, preprocessing="none", batch_size=32, batch_seed=0,
        init="pytorch@1", init_seed=0,
    )  # fmt: skip
    values = np.random.default_rng(0).normal(size=number)
    cells = islice(BENCHMARK.space, number)
    return [
        Score("nasbench201", "nasbench201@1", a.id, "snip", 1, recipe, float(v), Outcome.OK, "", Seconds(1.0, 0.1))
        for a, v in zip(cells, values, strict=True)
    ]


def test_writing_rows(benchmark, tmp_path):
    """A thousand scores into a new store, in one transaction."""
    scores, numbers = rows(ROWS), count()

    def write():
        with Store(tmp_path / f"{next(numbers)}.sqlite") as store:
            store.append(scores, {"host": "here"})

    benchmark.pedantic(write, rounds=5)


def test_finding_what_is_missing(benchmark, tmp_path):
    """All 15,625 cells asked for, a thousand of them there."""
    scores = rows(ROWS)
    asked = [Row("nasbench201@1", a.id, "snip", 1, scores[0].recipe.digest) for a in BENCHMARK.space]
    with Store(tmp_path / "store.sqlite") as store:
        store.append(scores, {"host": "here"})
        missing = benchmark.pedantic(lambda: store.missing(asked), rounds=3)
    assert len(list(missing)) == len(asked) - ROWS
