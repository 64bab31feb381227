"""What the candidate and the baselines cost."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.versus.parts import Cost
from zcbench.harness.types import Outcome


def costs(table: ScoreTable, candidate: str, baselines: Sequence[str]) -> Iterator[Cost]:
    """Yield what the candidate and each baseline cost, as medians over the architectures that have a score of both.

    An undefined or failed score has no cost: it was given up half-way, or never begun, as on a disconnected cell.

    Args:
        table: S initialisation seeds are averaged first.
        candidate: its name.
        baselines: their names.
    """
    ours = [_seconds(part, table, candidate) for part in (table.seconds_standalone, table.seconds_marginal)]
    for name in baselines:
        theirs = [_seconds(part, table, name) for part in (table.seconds_standalone, table.seconds_marginal)]
        both = np.isfinite([*ours, *theirs]).all(axis=0)
        a, b, c, d = (float(np.median(part[both])) if both.any() else math.nan for part in (*ours, *theirs))
        yield Cost(name, a, b, c, d, int(both.sum()))


def _seconds(part: NDArray[np.float64], table: ScoreTable, metric: str) -> NDArray[np.float64]:
    """Return the seconds of one metric, mean over the seeds that have a score and them, float64[A]; NaN without any."""
    if metric not in table.metrics:
        return np.full(len(table.architectures), np.nan)
    at = table.metrics.index(metric)
    seconds = part[:, at]
    known = np.isfinite(seconds) & (table.outcome[:, at] == Outcome.OK)
    total = np.where(known, seconds, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
