"""Metrics against metrics, and metrics against themselves under another initialisation seed."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.correlation import bonett_wright, pearson_of_codes
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.intervals import no_estimate
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import LEFT_OUT, Codes, Policy, why_undefined
from zcbench.harness.analysis.result import MetricMatrix, Stability
from zcbench.harness.types import Estimate


def metric_matrix(population: Population) -> MetricMatrix:
    """Return Spearman's rho of every pair of metrics on the architectures that have both scores."""
    size = len(population.metrics)
    value, low, high = (np.full((size, size), np.nan) for _ in range(3))
    n = np.zeros((size, size), dtype=np.int64)
    for i, j in itertools.combinations_with_replacement(range(size), 2):
        found = _pair(population.scores[i], population.scores[j])
        for at in ((i, j), (j, i)):
            value[at], low[at], high[at], n[at] = found.value, found.low, found.high, found.n
    return MetricMatrix(population.metrics, value, low, high, n)


def stability(table: ScoreTable, undefined: Policy) -> Iterator[Stability]:
    """Yield, for every metric, how much it depends on the initialisation seed; nothing for one seed."""
    seeds = table.seeds or tuple(range(table.values.shape[2]))
    if len(seeds) < 2:
        return
    views = [Population.of(table.of_seed(s), undefined) for s in range(len(seeds))]
    for metric, name in enumerate(views[0].metrics):
        with_truth = tuple(
            _pair(view.scores[metric], view.truth_codes, int(view.failed[metric].sum())) for view in views
        )
        yield Stability(name, seeds, with_truth, _agreement([view.scores[metric] for view in views]))


def _agreement(seeds: list[Codes]) -> Estimate:
    """Return the mean Spearman over pairs of seeds, with the interval of one pair."""
    pairs = [_pair(a, b) for a, b in itertools.combinations(seeds, 2)]
    n = min(pair.n for pair in pairs)
    undefined = [pair for pair in pairs if np.isnan(pair.value)]
    if undefined:
        return no_estimate(undefined[0].method, n=n)
    return bonett_wright(float(np.mean([pair.value for pair in pairs])), n)


def _pair(x: Codes, y: Codes, n_undefined: int = 0) -> Estimate:
    both: NDArray[np.bool_] = (x != LEFT_OUT) & (y != LEFT_OUT)
    x, y = x[both], y[both]
    why = why_undefined(x, y)
    if why:
        return no_estimate(why, n=x.size, n_undefined=n_undefined)
    found = pearson_of_codes(x, y)
    return Estimate(found.value, found.low, found.high, found.n, n_undefined, found.method)
