"""What a score costs in memory, on the largest cell."""

import json
import subprocess
import sys

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
