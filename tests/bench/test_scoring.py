"""Scoring beside the tools of today: the same metrics, networks and mini-batch, in one process and in turn.

The marks: the thirteen metrics of NAS-Bench-Suite-Zero at least 5 times as fast as the loop, the twelve without grasp
7 times, and alethiometer's grad_norm, snip, grasp, synflow and nwot_relu 3.5 times. Cells are drawn from NAS-Bench-201
and scored with batch 32, on one thread and on two. Building a network is on nobody's clock: all sides get it built.
"""

from __future__ import annotations

from statistics import median

import pytest

from bench import scoring
from bench.paired import Turns, in_turn, quiet
from bench.scoring import ALETHIOMETER, DOUBLE, SINGLE, SUITE, WITHOUT_GRASP
from bench.summary import Line, seconds

GRASP = tuple(m for m in SUITE if m.name == "grasp")

CONTESTANTS = {
    "zcbench 13": lambda cell: scoring.zcbench(SUITE, cell),
    "loop 12": lambda cell: scoring.looped(WITHOUT_GRASP, cell),
    "loop grasp": lambda cell: scoring.looped(GRASP, cell),
    "zcbench 12": lambda cell: scoring.zcbench(WITHOUT_GRASP, cell),
    "alethiometer": scoring.alethiometer,
    "zcbench 5": lambda cell: scoring.zcbench(ALETHIOMETER, cell),
}

MARKS = (
    ("13 metrics of NAS-Bench-Suite-Zero against the loop", ("loop 12", "loop grasp"), "zcbench 13", 5.0),
    ("12 of them, without grasp, against the loop", ("loop 12",), "zcbench 12", 7.0),
    ("grad_norm, snip, grasp, synflow, nwot_relu against alethiometer", ("alethiometer",), "zcbench 5", 3.5),
)


class Agreement:
    """Asserts that all ways give the same scores, and keeps the largest differences."""

    def __init__(self, allowed):
        self.allowed = allowed
        self.largest = {}

    def __call__(self, cell, values):
        loop = values["loop 12"] | values["loop grasp"]
        scale = {name: loop[name] for name in scoring.SCALES.values()}
        for ours, theirs in (
            ("zcbench 13", loop), ("zcbench 12", loop), ("zcbench 5", scale | values["alethiometer"]),
        ):  # fmt: skip
            found = scoring.differences(values[ours], theirs, unsigned=self.allowed is SINGLE)
            assert found.keys() == values[ours].keys()
            for name, difference in found.items():
                assert difference <= self.allowed[name], (name, cell.architecture, ours, values[ours], theirs)
                self.largest[name] = max(difference, self.largest.get(name, 0.0))

    def describe(self):
        return ", ".join(f"{name} {self.largest[name]:.0e}" for name in sorted(self.largest))


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_equal_values(number_of_cells):
    """In float64, where every way has digits enough: the whole suite and alethiometer, on a quarter of the cells."""
    chosen = scoring.cells(max(1, number_of_cells // 4))
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
    chosen = scoring.cells(number_of_cells)
    agreement = Agreement(SINGLE)
    with quiet(threads):
        for score in CONTESTANTS.values():
            score(chosen[0])  # first calls load code and choose kernels
        turns = in_turn(chosen, CONTESTANTS, limits, check=agreement)
    print(f"\nlargest relative differences in float32: {agreement.describe()}")
    for what, theirs, ours, mark in MARKS:
        show(turns, chosen, theirs, ours)
        report(Line(
            what=f"{what}, {threads} thread{'s' if threads > 1 else ''}",
            ours=seconds(turns.typical(ours)), theirs=seconds(turns.typical(*theirs)),
            ratio=turns.ratio(theirs, (ours,)), mark=mark,
        ))  # fmt: skip


def show(turns: Turns, chosen: list[scoring.Scored], theirs: tuple[str, ...], ours: str) -> None:
    """Print every cell."""
    ratio = turns.ratio(theirs, (ours,))
    print(f"\n{ours} beside {' + '.join(theirs)}, {turns.rounds} turns a cell: all seconds of theirs over all of ours "
          f"{ratio.whole:.2f}; median by time of the processor {turns.busy.ratio(theirs, (ours,)).median:.2f}")
    print("  ratio  ours     theirs   (medians over the turns)")
    for cell, one, mine, others in zip(chosen, ratio.cells, turns.of(ours), turns.of(*theirs), strict=True):
        print(f"  {one:5.2f}  {median(mine):6.3f} s {median(others):6.3f} s  {cell.architecture}")
