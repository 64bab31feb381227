"""The gate for a session of tests: options checked, metrics scored, results judged. Imports torch when it scores."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from zcbench.harness.errors import MissingFileError
from zcbench.harness.gate import files
from zcbench.harness.gate.judge import NORMAL, Limits
from zcbench.harness.gate.result import GateResult
from zcbench.harness.gate.rules import parse_all
from zcbench.harness.gate.suite import Asked
from zcbench.harness.machine import Machine

Contents = tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
"""For each entry of a baseline its name, its targets and its metrics."""


def limits(asked: Asked) -> Limits:
    """Return what fails; what is not said is as in ``zcbench gate``.

    Raises:
        ZcbenchError: for a rule that is none, or a number that makes no sense.
    """
    confidence = NORMAL.confidence if asked.confidence is None else asked.confidence
    ratio = NORMAL.max_cost_ratio if asked.max_cost_ratio is None else asked.max_cost_ratio
    return replace(NORMAL, rules=parse_all(asked.rules), confidence=confidence, max_cost_ratio=ratio)


def checked_options(baseline: Path, include: Sequence[Path], asked: Asked) -> Contents:
    """Check what the options name, before any test runs, and return what the baseline has.

    Args:
        baseline: the file.
        include: files and folders with metrics.
        asked: what fails.

    Raises:
        MissingFileError: if a file is not there.
        ZcbenchError: for whatever else is wrong.
    """
    limits(asked)
    for path in include:
        if not path.exists():
            raise MissingFileError(f"there is no file or folder {path}: name metrics with --zcbench-include-path")
    return tuple(
        (entry.name, tuple(truth.name for truth in entry.truths), tuple(m.key for m in entry.metrics))
        for entry in files.read(baseline).entries
    )


def gated(baseline: Path, include: Sequence[Path], asked: Asked, *, store: Path) -> GateResult:
    """Score the metrics of a baseline as they are now, in this process, and judge them by its own ground truth.

    So a suite needs no tables. Its filters of warnings do not apply meanwhile: a warning that they turn into an error
    would make a score fail here that does not fail elsewhere.

    Args:
        baseline: the file.
        include: files and folders with metrics; they are known to this process until it ends.
        asked: what fails.
        store: where the scores of the session are kept, so that other rules take no new scores.

    Raises:
        ZcbenchError: for whatever is wrong with the baseline, the metrics or the rules.
    """
    from zcbench.harness.commands import _gating, _scoring
    from zcbench.harness.registry import include as add

    with _plain_warnings():
        for path in include:
            add(path)
        machine = Machine(device=_scoring.find_device("auto"))
        again = _gating.Again(_scoring.Computing(machine), recorded_truth=True, store=store)
        return _gating.judged(files.read(baseline), again, limits=limits(asked))


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield
