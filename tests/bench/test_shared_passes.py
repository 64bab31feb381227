"""What sharing passes brings by itself: metrics together beside the same metrics one at a time, all by zcbench."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import Any

import pytest
import torch

from bench.paired import Limits, in_turn, quiet
from bench.scoring import SUITE
from bench.summary import Line, seconds
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.candidate import measure
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.registry import groups, select

LARGEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"

ONCE = "zeros_snip,zeros_grasp,zeros_synflow"
"""Metrics whose passes on the supernet are run once for all architectures that a process measures."""

DRAWS = [(torch.randn(32, 3, 32, 32, generator=seeded("bench", n)), torch.arange(32) % 10) for n in range(3)]
BATCH = MiniBatch(*DRAWS[0], 10, further=tuple(DRAWS[1:]))


def networks(chosen):
    """Architectures with their networks."""
    space = BENCHMARK.space
    return [(a, initialise(space.build(a, 10), INITIALISATIONS["pytorch"], seeded(a.id))) for a in chosen]


def connected(number):
    space = BENCHMARK.space
    return [a for a in space.sample(3 * number, seed=1) if not space.disconnected(a)][:number]


def scored(metrics, cell, *, together, shared=None):
    """Score one cell, with all metrics in one evaluation or each in its own."""
    architecture, network = cell
    origin = None if shared is None else Origin(BENCHMARK.space, architecture, 10, "pytorch@1", 0, shared)
    for chosen in [metrics] if together else [[one] for one in metrics]:
        measure(network, BATCH, chosen, key=("bench",), origin=origin)


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_shared_passes_against_one_metric_at_a_time(limits, report):
    chosen = select("standard")
    with quiet(1):
        turns = in_turn(
            networks(connected(5)),
            {"shared": partial(scored, chosen, together=True), "apart": partial(scored, chosen, together=False)},
            Limits(limits.rounds, 40),
        )
    report(Line(
        what=f"{len(chosen)} metrics of the group standard in shared passes, against zcbench one at a time, 1 thread",
        ours=seconds(turns.typical("shared")), theirs=seconds(turns.typical("apart")),
        ratio=turns.ratio(["apart"], ["shared"]),
    ))  # fmt: skip


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_the_metrics_of_the_literature_against_those_of_the_suite_one_at_a_time(report):
    """The promise: all of the literature takes at most three times as long as the suite one metric at a time."""
    literature = select(",".join(n for n in groups()["literature"] if n != "swap") + ",swap(repeats=1)")
    chosen = networks([BENCHMARK.space.parse(LARGEST), *connected(3)])
    shared: dict[Hashable, Any] = {}
    with quiet(1):
        once = in_turn(
            chosen[:1], {"once": partial(scored, select(ONCE), together=True, shared=shared)}, Limits(rounds=1)
        )
        turns = in_turn(
            chosen,
            {
                "literature": partial(scored, literature, together=True, shared=shared),
                "suite": partial(scored, SUITE, together=False, shared=shared),
            },
            Limits(rounds=1),
        )
    print(f"\nbesides, once for all architectures, {once.typical('once'):.1f} s on the supernet")
    report(Line(
        what=f"{len(literature)} metrics of the literature in shared passes, against 13 of the suite one at a time",
        ours=seconds(turns.typical("literature")), theirs=seconds(turns.typical("suite")),
        ratio=turns.ratio(["suite"], ["literature"]), mark=1 / 3,
    ))  # fmt: skip
