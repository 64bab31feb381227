"""Whole runs as processes: ``zcbench score`` beside a script with the loop, and how much a second worker brings.

Scaling is measured once every worker has reported its first chunk, so that it says nothing of how long Python, PyTorch
and Ray take to start; the time of the whole run is printed beside it. The wait for the last worker at the end counts.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.paired import Limits, Ratio, in_turn
from bench.scoring import SCALES, SINGLE
from bench.summary import Line, seconds
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.store import Store

HERE = Path(__file__).parent
CELLS = 16
SCALED = 32


def program(*arguments):
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_zcbench_score_beside_a_script_with_the_loop(tmp_path, report):
    """Both as a user runs them, with all cores, from the start of Python to the last score."""
    space = BENCHMARK.space
    chosen = [a.id for a in space.sample(3 * CELLS, seed=2) if not space.disconnected(a)][:CELLS]
    file = tmp_path / "cells.txt"
    file.write_text("\n".join(chosen))
    stores = []

    def score(_):
        stores.append(tmp_path / f"{len(stores)}.sqlite")
        program(
            "-c", "from zcbench.harness.cli import main; main()",
            "score", "--benchmark", "nasbench201", "--dataset", "gaussian",
            "--architectures", file, "--metrics", "nas_bench_suite_zero", "--batch-size", 32, "--store", stores[-1],
        )  # fmt: skip
        return stores[-1]

    def agree(cell, values):
        theirs = json.loads(values["loop"])
        with Store(values["zcbench"]) as store:
            ours = store.frame().set_index(["architecture", "metric"]).value
        assert len(ours) == 13 * len(chosen)
        for architecture, scores in theirs.items():
            for name, value in scores.items():
                if name not in SCALES:  # what cancels is compared in test_scoring, in float64 and with a scale
                    assert ours[architecture, name] == pytest.approx(value, rel=SINGLE[name]), (architecture, name)

    turns = in_turn(
        ["run"], {"zcbench": score, "loop": lambda _: program(HERE / "whole_loop.py", file, "gaussian")},
        Limits(rounds=2, seconds=140), check=agree,
    )  # fmt: skip
    report(Line(
        what=f"whole process, {len(chosen)} cells, 13 metrics: zcbench score against a script with the loop, all cores",
        ours=seconds(turns.typical("zcbench")), theirs=seconds(turns.typical("loop")),
        ratio=turns.ratio(["loop"], ["zcbench"]),
    ))  # fmt: skip


@pytest.mark.bench
@pytest.mark.timeout(900)
@pytest.mark.parametrize("executor", ["local", "ray"])
def test_a_second_worker(executor, tmp_path, report):
    """Cells a second with two workers of one thread against one."""
    if executor == "ray" and find_spec("ray") is None:
        pytest.skip("ray is not installed: pip install zcbench[ray]")
    rates, wholes = {1: [], 2: []}, {1: [], 2: []}
    begin = time.perf_counter()
    for turn in range(2):
        for workers in (1, 2) if turn % 2 == 0 else (2, 1):
            store = tmp_path / f"{turn}_{workers}.sqlite"
            found = json.loads(program(HERE / "scaling.py", store, executor, workers, SCALED).splitlines()[-1])
            assert found["outcomes"] == {"ok": 13 * SCALED, "undefined": 0, "failed": 0}
            rates[workers].append(found["steady"])
            wholes[workers].append(found["whole"])
        if time.perf_counter() - begin > 45:
            break
    one, two = statistics.median(wholes[1]), statistics.median(wholes[2])
    print(f"\n{executor}: whole runs of {SCALED} cells, starts included: {seconds(one)} with 1 worker, "
          f"{seconds(two)} with 2, {one / two:.2f} times as fast")  # fmt: skip
    report(Line(
        what=f"{executor} executor, 2 workers against 1, one thread each",
        ours=f"{statistics.median(rates[2]):.2f} cells/s", theirs=f"{statistics.median(rates[1]):.2f} cells/s",
        ratio=Ratio.between([rates[2]], [rates[1]]), mark=1.7,
    ))  # fmt: skip
