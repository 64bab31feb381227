"""What a score costs: memory on the largest cell, and shared passes against one metric at a time."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Hashable, Sequence
from typing import Any

import pytest
import torch
from torch import nn

from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.candidate import measure
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.metric import Metric
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.registry import groups, select

LARGEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"

PROGRAM = f"""
import json, re, torch
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.candidate import measure
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.registry import select
space = BENCHMARK.space
network = initialise(space.build(space.parse("{LARGEST}"), 10), INITIALISATIONS["pytorch"], seeded(0))
data = MiniBatch(torch.randn(64, 3, 32, 32), torch.arange(64) % 10, 10)
torch.set_num_threads(1)
chosen = [m if m.name != "swap" else m.with_parameters(repeats=1) for m in select("standard")]  # draws take turns
found = measure(network, data, chosen, key=("memory",))
# Not getrusage: its peak begins with that of the process that started this one.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1)) * 1024
print(json.dumps({{"peak": peak, "outcomes": sorted({{str(r.outcome) for r in found.values()}})}}))
"""


def test_the_largest_cell_at_batch_64_takes_less_than_three_gigabytes() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["outcomes"] == ["ok"]
    assert result["peak"] < 3e9


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_shared_passes_against_one_metric_at_a_time() -> None:
    """Prints both times in pairs, on the same cells in one process, on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    space, chosen = BENCHMARK.space, select("standard")
    data = MiniBatch(torch.randn(32, 3, 32, 32, generator=seeded("bench")), torch.arange(32) % 10, 10)
    ratios, shared, apart = [], [], []
    for architecture in space.sample(12, seed=1):
        if space.disconnected(architecture):
            continue
        network = initialise(space.build(architecture, 10), INITIALISATIONS["pytorch"], seeded(architecture.id))
        start = time.perf_counter()
        measure(network, data, chosen, key=("bench",))
        shared.append(time.perf_counter() - start)
        start = time.perf_counter()
        for one in chosen:
            measure(network, data, [one], key=("bench",))
        apart.append(time.perf_counter() - start)
        ratios.append(apart[-1] / shared[-1])
    torch.set_num_threads(before)
    print(
        f"\n{len(chosen)} metrics, batch 32, one thread, median of {len(ratios)} cells: shared "
        f"{statistics.median(shared):.2f} s, one at a time {statistics.median(apart):.2f} s, "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


ONCE = "zeros_snip,zeros_grasp,zeros_synflow"
"""Metrics whose passes on the supernet are run once for all architectures that a process measures."""


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_the_metrics_of_the_literature_against_those_of_the_suite_one_at_a_time() -> None:
    """Prints the ratio that the promise of 3 is about, on several cells, and what the supernet costs once."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    space, suite = BENCHMARK.space, select("nas_bench_suite_zero")
    literature = select(",".join(n for n in groups()["literature"] if n != "swap") + ",swap(repeats=1)")
    draws = [(torch.randn(32, 3, 32, 32, generator=seeded("bench", n)), torch.arange(32) % 10) for n in range(3)]
    data = MiniBatch(*draws[0], 10, further=tuple(draws[1:]))
    chosen = [space.parse(LARGEST), *(a for a in space.sample(7, seed=1) if not space.disconnected(a))]
    shared: dict[Hashable, Any] = {}
    ratios, together, once = [], [], 0.0
    for number, architecture in enumerate(chosen):
        network = initialise(space.build(architecture, 10), INITIALISATIONS["pytorch"], seeded(architecture.id))
        origin = Origin(space, architecture, 10, "pytorch@1", 0, shared)
        if number == 0:
            once = _seconds(network, data, select(ONCE), origin)
        together.append(_seconds(network, data, literature, origin))
        apart = sum(_seconds(network, data, [one], origin) for one in suite)
        ratios.append(together[-1] / apart)
    torch.set_num_threads(before)
    print(
        f"\n{len(literature)} metrics of the literature together against {len(suite)} of the suite one at a time, "
        f"batch 32, one thread, {len(ratios)} cells: median {statistics.median(together):.2f} s, ratio "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}, largest cell {ratios[0]:.2f}); "
        f"besides, once for all architectures, {once:.1f} s on the supernet"
    )


def _seconds(network: nn.Module, data: MiniBatch, chosen: Sequence[Metric], origin: Origin) -> float:
    start = time.perf_counter()
    measure(network, data, chosen, key=("bench",), origin=origin)
    return time.perf_counter() - start
