"""Is the candidate a known metric on another scale? And what do both cost?"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.correlation import pearson_of_codes
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.intervals import FEWEST, no_estimate
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import LEFT_OUT
from zcbench.harness.analysis.versus.parts import TWIN, Cost, Twin
from zcbench.harness.types import Estimate


def alike(population: Population, candidate: int) -> tuple[Twin, ...]:
    """Return how alike the candidate and every other metric are, the most alike first.

    Metrics that have a score on fewer than half of the candidate's architectures come last and are never beyond the
    limit, and those without any correlation are left out.

    Args:
        population: the scores of the candidate, the baselines and the counts.
        candidate: its index.
    """
    found = []
    ours = population.scores[candidate]
    for metric, name in enumerate(population.metrics):
        both = (ours != LEFT_OUT) & (population.scores[metric] != LEFT_OUT)
        estimate = _correlation(population, candidate, metric, both)
        if metric == candidate or np.isnan(estimate.value):
            continue
        enough = bool(2 * both.sum() >= (ours != LEFT_OUT).sum())
        beyond = enough and estimate.n >= FEWEST and abs(estimate.value) > TWIN
        found.append((not enough, -abs(estimate.value), name, Twin(name, estimate, beyond, estimate.value < 0)))
    return tuple(one[-1] for one in sorted(found, key=lambda one: one[:-1]))


def _correlation(population: Population, first: int, second: int, both: NDArray[np.bool_]) -> Estimate:
    x, y = population.scores[first][both], population.scores[second][both]
    if x.size < 3 or x.min() == x.max() or y.min() == y.max():
        return no_estimate("undefined: too few architectures or a constant score", n=x.size)
    return pearson_of_codes(x, y)


def costs(table: ScoreTable, candidate: str, baselines: Sequence[str]) -> Iterator[Cost]:
    """Yield what the candidate and each baseline cost, as medians over the architectures that have both.

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
    """Return the seconds of one metric, mean over the seeds that have them, float64[A]; NaN without any."""
    if metric not in table.metrics:
        return np.full(len(table.architectures), np.nan)
    seconds = part[:, table.metrics.index(metric)]
    known = np.isfinite(seconds)
    total = np.where(known, seconds, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
