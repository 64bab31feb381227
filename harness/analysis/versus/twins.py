"""Is the candidate a known metric on another scale?"""

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.correlation import pearson_of_codes
from zcbench.harness.analysis.intervals import FEWEST, no_estimate
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.versus.parts import TWIN, Twin
from zcbench.harness.analysis.versus.samples import own_scores
from zcbench.harness.types import Estimate


def alike(population: Population, candidate: int) -> tuple[Twin, ...]:
    """Return how alike the candidate and every other metric are, the most alike first.

    Only architectures where both have a score of their own count, whatever the policy for undefined scores: with
    ``worst``, a single architecture on which one of two equal metrics is undefined would move its rank from one end to
    the other, and hide that they are one. What is alike is what they compute, and not where they compute nothing.

    Metrics that have a score on fewer than half of the candidate's architectures come last and are never beyond the
    limit, and those without any correlation are left out.

    Args:
        population: the scores of the candidate, the baselines and the counts.
        candidate: its index.
    """
    found = []
    scored = own_scores(population)
    for metric, name in enumerate(population.metrics):
        both = scored[candidate] & scored[metric]
        estimate = _correlation(population, candidate, metric, both)
        if metric == candidate or np.isnan(estimate.value):
            continue
        enough = bool(2 * both.sum() >= scored[candidate].sum())
        beyond = enough and estimate.n >= FEWEST and abs(estimate.value) > TWIN
        found.append((not enough, -abs(estimate.value), name, Twin(name, estimate, beyond, estimate.value < 0)))
    return tuple(one[-1] for one in sorted(found, key=lambda one: one[:-1]))


def _correlation(population: Population, first: int, second: int, both: NDArray[np.bool_]) -> Estimate:
    x, y = population.scores[first][both], population.scores[second][both]
    if x.size < 3 or x.min() == x.max() or y.min() == y.max():
        return no_estimate("undefined: too few architectures or a constant score", n=x.size)
    return pearson_of_codes(x, y)
