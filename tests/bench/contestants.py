"""Who is timed in turn at scoring, what their times are held against, and whether their scores agree.

The marks: the thirteen metrics of NAS-Bench-Suite-Zero at least 5 times as fast as the loop, the twelve without grasp
7 times, and alethiometer's grad_norm, snip, grasp, synflow and nwot_relu 3.5 times.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping

from bench import scoring
from bench.scoring import ALETHIOMETER, SINGLE, SUITE, WITHOUT_GRASP, Scored

GRASP = tuple(m for m in SUITE if m.name == "grasp")

CONTESTANTS: Mapping[str, Callable[[Scored], dict[str, float]]] = {
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
"""What is compared, the other side, ours, and how many times as long the other side is to take."""


BARE = """
import gc, torch
x = torch.ones(1, requires_grad=True)
(2 * x).backward(torch.ones(1))
print(len(gc.get_objects()))
"""


def alive_with_pytorch_alone() -> int:
    """How many objects a collection of garbage walks over in a process that has nothing but PyTorch.

    One that has done what jacov does: where ``backward`` is given a gradient, PyTorch imports sympy.
    """
    return int(subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=True).stdout)


class Agreement:
    """Asserts that all ways give the same scores, and keeps the largest differences."""

    def __init__(self, allowed: Mapping[str, float]) -> None:
        self.allowed = allowed
        self.largest: dict[str, float] = {}

    def __call__(self, cell: Scored, values: Mapping[str, Mapping[str, float]]) -> None:
        """Compare the scores of one cell."""
        loop = {**values["loop 12"], **values["loop grasp"]}
        scale = {name: loop[name] for name in scoring.SCALES.values()}
        for ours, theirs in (
            ("zcbench 13", loop), ("zcbench 12", loop), ("zcbench 5", {**scale, **values["alethiometer"]}),
        ):  # fmt: skip
            found = scoring.differences(values[ours], theirs, unsigned=self.allowed is SINGLE)
            assert found.keys() == values[ours].keys()
            for name, difference in found.items():
                assert difference <= self.allowed[name], (name, cell.architecture, ours, values[ours], theirs)
                self.largest[name] = max(difference, self.largest.get(name, 0.0))

    def describe(self) -> str:
        """The largest relative difference of every metric."""
        return ", ".join(f"{name} {self.largest[name]:.0e}" for name in sorted(self.largest))
