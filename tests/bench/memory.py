"""Peak memory of a run in a fresh process: ``python memory.py STORE ARCHITECTURES WORKERS`` prints it as JSON.

Scores architectures of NAS-Bench-201 through the runner and a store, with the thirteen metrics of NAS-Bench-Suite-Zero
on 12 images of 8 x 8. The architectures are small and of about equal cost, so that the peak says how many there were
and not which: one cell a stage instead of five, with at most one 3 x 3 convolution. A worker's peak is read while it
lives, every 50 ms.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from itertools import islice
from pathlib import Path

from zcbench.datasets import images
from zcbench.datasets.nasbench201 import BENCHMARK, network
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.registry import select
from zcbench.harness.runner import run
from zcbench.harness.store import Store

PERIOD = 0.05

if __name__ in ("__main__", "__mp_main__"):  # the run and its workers, not whoever imports this file
    network.CELLS_PER_STAGE = 1


def peak(process: int | str = "self") -> int:
    """Bytes that a process had resident at most; 0 once it is gone.

    Not getrusage: its peak begins with that of the process that started this one.
    """
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found.group(1)) * 1024 if found else 0


def children() -> list[int]:
    """Process numbers of all processes that this one started, and of those that they did."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it ended in between
    found = {os.getpid()}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


class Watch(threading.Thread):
    """Keeps the largest peak of every process that this one started."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks: dict[int, int] = {}
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(PERIOD):
            for one in children():
                self.peaks[one] = max(self.peaks.get(one, 0), peak(one))


def job(architectures: int) -> Job:
    """So many small cells, the first ones of the space without a dead edge."""
    space = BENCHMARK.space
    small = (a for a in space if a.genotype.count("nor_conv_3x3") <= 1 and "none" not in a.genotype)
    return Job(
        benchmark=BENCHMARK.name, space=space, architectures=list(islice(small, architectures)),
        metrics=select("nas_bench_suite_zero"), batch=images.load("digits", batch_size=12, resolution=8),
        init=initialisation("pytorch"), seeds=1,
    )  # fmt: skip


def main(store: Path, architectures: int, workers: int) -> dict[str, object]:
    """Score, and say what it took."""
    watch = Watch()
    watch.start()
    asked = job(architectures)
    before = peak()
    with Store(store) as opened:
        done = run(asked, opened, Machine(workers=workers))
    watch.over.set()
    watch.join()
    return {
        "architectures": len(asked.architectures), "workers": workers, "before": before, "process": peak(),
        "workers_peaks": sorted(value for value in watch.peaks.values() if value > 100e6),
        "outcomes": {str(outcome): count for outcome, count in done.outcomes.items()},
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
