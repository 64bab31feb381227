"""Scoring beside the tools of today: the same metrics, networks and mini-batch, in one process and in turn.

Cells are drawn from NAS-Bench-201 and scored with batch 32, on one thread and on two; what is compared, and the marks,
are in `bench.contestants`. Building a network is on nobody's clock: all sides get it built.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from bench import scoring
from bench.contestants import CONTESTANTS, MARKS, Agreement, alive_with_pytorch_alone
from bench.paired import Turns, quiet
from bench.scoring import DOUBLE
from bench.summary import Line, seconds

PROGRAM = Path(__file__).with_name("scoring_in_turn.py")


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_equal_values(number_of_cells):
    """In float64, where every way has digits enough: the whole suite and alethiometer, on a quarter of the cells."""
    chosen = scoring.Cells(max(1, number_of_cells // 4))
    agreement = Agreement(DOUBLE)
    with quiet(1):
        for cell in chosen:
            double = cell.in_double()
            agreement(cell, {name: score(double) for name, score in CONTESTANTS.items()})
    print(f"\nlargest relative differences in float64 on {len(chosen)} cells: {agreement.describe()}")


@pytest.mark.bench
@pytest.mark.timeout(900)
@pytest.mark.parametrize("threads", [1, 2])
def test_in_turn(threads, limits, number_of_cells, report):
    """In a process that holds no more than a script with these tools, see `bench.scoring_in_turn`."""
    asked = map(str, (threads, number_of_cells, limits.rounds, limits.seconds))
    done = subprocess.run([sys.executable, str(PROGRAM), *asked], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, "what the program printed says why"
    found = json.loads(done.stdout.splitlines()[-1])
    turns = Turns(**found["turns"])
    print(f"\nlargest relative differences in float32: {found['agreement']}")
    print(f"a collection of garbage walks over {found['alive']:,} objects; in a process with PyTorch alone it would be "
          f"{alive_with_pytorch_alone():,}")  # fmt: skip
    for what, theirs, ours, mark in MARKS:
        show(turns, found["cells"], theirs, ours)
        on = f"{threads} thread{'s' if threads > 1 else ''}"
        for measured, how in (
            (turns, ""), (turns.without_collections, ", without the collections of garbage"),
        ):  # fmt: skip
            report(Line(
                what=f"{what}, {on}{how}",
                ours=seconds(measured.typical(ours)), theirs=seconds(measured.typical(*theirs)),
                ratio=measured.ratio(theirs, (ours,)), mark=mark,
            ))  # fmt: skip


def show(turns: Turns, cells: list[str], theirs: tuple[str, ...], ours: str) -> None:
    """Print every cell."""
    ratio = turns.ratio(theirs, (ours,))
    print(f"\n{ours} beside {' + '.join(theirs)}, {turns.rounds} turns a cell: all seconds of theirs over all of ours "
          f"{ratio.whole:.2f}; median by time of the processor {turns.busy.ratio(theirs, (ours,)).median:.2f}")
    print("  ratio  ours     theirs   (medians over the turns)")
    for cell, one, mine, others in zip(cells, ratio.cells, turns.of(ours), turns.of(*theirs), strict=True):
        print(f"  {one:5.2f}  {median(mine):6.3f} s {median(others):6.3f} s  {cell}")
