"""A run with so many workers in a fresh process: ``python scaling.py STORE EXECUTOR WORKERS CELLS`` prints its times.

Scores cells of NAS-Bench-201 that cost about the same (two 3 x 3 convolutions, two skips, two poolings each, on any
edges), with the thirteen metrics of NAS-Bench-Suite-Zero, batch 32 and one thread, through the runner and a store.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path

from zcbench.datasets import images
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.registry import select
from zcbench.harness.runner import run
from zcbench.harness.store import Store

EQUAL = Counter({"nor_conv_3x3": 2, "skip_connect": 2, "avg_pool_3x3": 2})


def job(cells: int) -> Job:
    """So many of the 90 cells of equal cost."""
    space = BENCHMARK.space
    return Job(
        benchmark=BENCHMARK.name, space=space,
        architectures=list(islice((a for a in space if Counter(a.genotype) == EQUAL), cells)),
        metrics=select("nas_bench_suite_zero"), batch=images.load("gaussian", batch_size=32),
        init=initialisation("pytorch"), seeds=1,
    )  # fmt: skip


def steady(done: list[tuple[float, int]], workers: int) -> float:
    """Cells a second while every worker was busy, with as much work begun at the start of that time as at its end.

    From the moment at which every worker may have reported to one a whole number of rounds later, before the first
    worker can be without work: at both the others are in the middle of their cells.

    Args:
        done: for every cell that was written, the seconds since the start and the cells done until then.
        workers: their number.
    """
    begin, before = next((moment, cells) for moment, cells in done if cells >= workers)
    busy = [(moment, cells) for moment, cells in done if before < cells <= done[-1][1] - workers]
    rounds = [(moment, cells) for moment, cells in busy if (cells - before) % workers == 0]
    if not rounds:
        raise ValueError(f"{done[-1][1]} cells are too few for {workers} workers")
    end, after = rounds[-1]
    return (after - before) / (end - begin)


def main(store: Path, executor: str, workers: int, cells: int) -> dict[str, object]:
    """Score, and say when what was done."""
    asked = job(cells)
    done: list[tuple[float, int]] = []
    start = time.perf_counter()

    def note(finished: int, total: int, interrupted: bool) -> None:
        now = time.perf_counter() - start
        if done and now - done[-1][0] < 0.01:  # two that came together
            done.pop()
        done.append((now, finished))

    with Store(store) as opened:
        # One by one, so that many moments are known.
        summary = run(asked, opened, Machine(executor=executor, workers=workers), chunk=1, progress=note)
    whole = time.perf_counter() - start
    return {
        "executor": executor, "workers": workers, "cells": len(asked.architectures), "whole": whole, "done": done,
        "steady": steady(done, workers),
        "outcomes": {str(outcome): count for outcome, count in summary.outcomes.items()},
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
