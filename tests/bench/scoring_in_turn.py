"""Scoring in turn, as a program: ``python scoring_in_turn.py THREADS CELLS ROUNDS SECONDS`` prints the times as JSON.

In a process of its own, because zcbench's opponents collect the garbage after every metric, and a collection walks over
everything that is alive: beside pytest and all that the other benchmarks import it would take longer than in a script
with such a tool. So nothing is imported here but what the contestants take, one network is alive at a time, and what
only zcbench's readers import (pandas, and with it numpy and parts of the standard library) is hidden from the
collector. What is left is no more than in a process with PyTorch alone, see
`bench.contestants.alive_with_pytorch_alone`.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import pandas  # noqa: F401

gc.collect()
gc.freeze()

import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.contestants import CONTESTANTS, Agreement  # noqa: E402
from bench.paired import Limits, in_turn  # noqa: E402
from bench.scoring import SINGLE, Cells  # noqa: E402


def main(threads: int, number: int, limits: Limits) -> dict[str, object]:
    """Time all contestants on so many cells, and check that they agree."""
    torch.set_num_threads(threads)
    chosen, agreement = Cells(number), Agreement(SINGLE)
    first = chosen[0]
    for score in CONTESTANTS.values():
        score(first)  # first calls load code and choose kernels
    gc.collect()
    alive = len(gc.get_objects())
    del first
    turns = in_turn(chosen, CONTESTANTS, limits, check=agreement)
    return {
        "turns": {"seconds": turns.seconds, "processor": turns.processor, "collecting": turns.collecting},
        "cells": [str(architecture) for architecture in chosen.architectures],
        "agreement": agreement.describe(), "alive": alive,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), Limits(int(sys.argv[3]), float(sys.argv[4])))))
