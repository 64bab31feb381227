"""Memory: the peak of a run does not grow with the number of architectures.

50 and 500 small networks in fresh processes, through the runner and a store: in one process, and with two workers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.summary import Line

PROGRAM = Path(__file__).with_name("memory.py")
FEW, MANY = 50, 500
MEGABYTE = 1e6
ALLOWED = 1.05
"""What ten times as many architectures may take: allocators never give everything back, and lists of names grow."""


def measured(folder, architectures, workers):
    store = folder / f"{architectures}_{workers}.sqlite"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(store), str(architectures), str(workers)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["architectures"] == architectures
    assert found["outcomes"] == {"ok": 13 * architectures, "undefined": 0, "failed": 0}
    if workers > 1:
        assert len(found["workers_peaks"]) == workers
    return found


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("workers", [1, 2])
def test_the_peak_does_not_grow_with_the_number_of_architectures(workers, tmp_path, report):
    few, many = (measured(tmp_path, number, workers) for number in (FEW, MANY))
    sides = [("process", few["process"], many["process"])]
    if workers > 1:
        sides.append(("worker", max(few["workers_peaks"]), max(many["workers_peaks"])))
    for which, before, after in sides:
        named = "the only process" if workers == 1 else f"the {'parent' if which == 'process' else which}"
        report(Line(
            what=f"peak memory of {named}, {MANY} architectures beside {FEW}, {workers} worker{'s' * (workers > 1)}",
            ours=f"{after / MEGABYTE:.0f} MB beside {before / MEGABYTE:.0f} MB",
            limit=f"<= {ALLOWED:g} x", within=after <= ALLOWED * before,
        ))  # fmt: skip
        # A bound on memory, not on time: it holds on a busy machine too.
        assert after <= ALLOWED * before, f"{named}: {before} bytes for {FEW} architectures, {after} for {MANY}"
