"""Several seeds of one architecture: one by one as zcbench evaluates them, beside one stacked evaluation.

A ratio is the time of the stacked way over that of one by one: above 1, one by one is faster. On one thread times are
those of the processor, so that other programs on the machine count for less; on two those of the clock on the wall,
because a thread that waits keeps its processor busy.
"""

from __future__ import annotations

import time
from functools import partial

import pytest
import torch

from bench.paired import Limits, in_turn, quiet
from bench.stacked import PASSES, WAYS, one_by_one, stacked
from bench.summary import Line, seconds
from zcbench.datasets.registry import benchmark
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes.run import MiniBatch

CELL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
ALIKE = {"nasbench201": CELL, "transnasbench101_macro": "64-41141-basic"}
"""Architectures of spaces whose networks neither join nor cut channels; of others the first that is drawn is taken."""

CASES = [
    ("nasbench201", 4, 32, 32, 1), ("nasbench201", 4, 8, 32, 1), ("nasbench201", 4, 1, 32, 1),
    ("nasbench201", 2, 8, 8, 1), ("nasbench201", 4, 8, 8, 1), ("nasbench201", 8, 8, 8, 1),
    ("nasbench301", 4, 8, 8, 1), ("nasbench101", 2, 8, 32, 1), ("transnasbench101_macro", 4, 8, 8, 1),
    ("nasbench201", 4, 8, 32, 2),
]  # fmt: skip
"""Space, seeds, images, their side, threads."""


def built(name, count, dtype):
    space = benchmark(name).space
    chosen = space.parse(ALIKE[name]) if name in ALIKE else space.sample(1, seed=1)[0]
    return [
        initialise(space.build(chosen, 10), INITIALISATIONS["pytorch"], seeded("seeds", seed)).to(dtype)
        for seed in range(count)
    ]


def images(number, side, dtype):
    inputs = torch.randn(number, 3, side, side, generator=seeded("seeds")).to(dtype)
    return MiniBatch(inputs, torch.arange(number) % 10, 10)


def ways(name):
    return [way for way in WAYS if way != "grouped" or name in ALIKE]


@pytest.mark.bench
@pytest.mark.parametrize("name", ["nasbench201", "nasbench301"])
def test_stacked_values_are_those_of_one_by_one(name):
    """In float64. Not on TransNAS-Bench-101, where the gradient of the logits' sum is zero but for rounding."""
    networks, batch = built(name, 2, torch.float64), images(4, 16, torch.float64)
    for quantities in PASSES.values():
        expected = one_by_one(networks, batch, quantities)
        for way in ways(name):
            found = stacked(WAYS[way], networks, batch, quantities)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-9, check_stride=False)


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "count", "number", "side", "threads"), CASES)
def test_stacked_beside_one_by_one(name, count, number, side, threads, limits, report):
    batch, networks = images(number, side, torch.float32), built(name, count, torch.float32)
    contestants = {
        f"{kind}, {way}": partial(_run, way, batch=batch, quantities=quantities)
        for kind, quantities in PASSES.items()
        for way in ["one by one", *ways(name)]
    }
    with quiet(threads):
        for run in contestants.values():
            run(networks)  # the first call of a layer of a new shape prepares its kernels
        turns = in_turn(
            [networks], contestants, Limits(limits.rounds, limits.seconds / 4),
            clock=time.process_time if threads == 1 else time.perf_counter,
        )  # fmt: skip
    what = f"{count} seeds of {name} stacked, {number} images {side}x{side}, {threads} thread{'s' * (threads > 1)}"
    for way in ways(name):
        theirs, ours = ([f"{kind}, {which}" for kind in PASSES] for which in (way, "one by one"))
        each = (f"{kind} {turns.ratio([t], [o]).median:.2f}" for kind, t, o in zip(PASSES, theirs, ours, strict=True))
        print(f"\n{what}, {way}: {', '.join(each)}")
        report(Line(
            what=f"{what}: {way} / one by one", ours=seconds(turns.typical(*ours)),
            theirs=seconds(turns.typical(*theirs)), ratio=turns.ratio(theirs, ours),
        ))  # fmt: skip


def _run(way, networks, *, batch, quantities):
    if way == "one by one":
        return one_by_one(networks, batch, quantities)
    return stacked(WAYS[way], networks, batch, quantities)
