"""Starts the workers, waits for each case, and collects what they may not do."""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")
PATIENCE = 20
"""Seconds without an answer after which a worker hangs in code that no signal reaches."""

STARTING = 120
HUNG = f"hang: over {PATIENCE} seconds without an answer"


@dataclass
class Found:
    """What came of the cases of one format or command.

    Attributes:
        cases: how many were run.
        accepted: how many of them were read, or ran, without an error.
        faults: by what they have in common: the first case with its text.
        lines: how often each error line came, without its numbers.
    """

    cases: int = 0
    accepted: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)


def run(kind: str, name: str, count: int, *, first: int = 0) -> Found:
    """Run cases of a format (``formats``) or command (``commands``) in processes of their own."""
    found = Found()
    folder = Path(tempfile.mkdtemp(prefix="zcbench-fuzz-"))
    try:
        at, hung, starts = first, -1, 0
        while at < first + count:
            starts += 1
            at, why = _one_worker(kind, name, at, first + count, folder / f"start{starts}", found)
            if why == HUNG and hung != at:
                hung = at  # once more: the whole machine may have stood still
            elif why:
                found.cases += 1
                found.faults.setdefault(why[:60], f"case {at}: {why}")
                at += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _one_worker(kind: str, name: str, at: int, end: int, folder: Path, found: Found) -> tuple[int, str]:
    """Run one process until it is done or has to be ended.

    Returns:
        The next case, and what was wrong with it; empty where all are done.
    """
    command = [sys.executable, str(WORKER), kind, name, str(at), str(end - at), str(folder)]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "COLUMNS": "100",
                   "TMPDIR": str(folder.parent)}  # fmt: skip
    for other in ("ZCBENCH_DATA", "ZCBENCH_DEBUG", "GITHUB_STEP_SUMMARY"):
        environment.pop(other, None)
    with tempfile.TemporaryFile() as errors:
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment, cwd=folder.parent)
        assert worker.stdout is not None
        selector = selectors.DefaultSelector()
        selector.register(worker.stdout, selectors.EVENT_READ)
        begun, done = False, at
        while selector.select(PATIENCE if begun else STARTING):
            line = worker.stdout.readline()
            if not line:
                break
            begun, said = True, json.loads(line)
            if "said" in said:
                done = said["case"] + 1
                _note(said, found)
        hung = worker.poll() is None and done < end and not _ended(worker)
        worker.kill()
        code = worker.wait()
        selector.close()
        worker.stdout.close()
        if done >= end:
            return end, ""
        errors.seek(0)
        why = errors.read().decode(errors="replace")[-1_500:]
    if not begun:
        raise AssertionError(f"the worker of {name} did not start ({code}): {why}")
    return done, HUNG if hung else f"crash: {_signal(code)}: {why[-300:]}"


def _ended(worker: subprocess.Popen[bytes]) -> bool:
    try:
        worker.wait(1)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _note(said: dict[str, str], found: Found) -> None:
    found.cases += 1
    if "fault" in said:
        found.faults.setdefault(said["place"], f"case {said['case']}: {said['fault']}: {said['text'][:500]}")
        return
    found.accepted += said["said"] in ("ok", "0 ")
    found.lines["".join("N" if c.isdigit() else c for c in said["said"])[:60]] += 1
