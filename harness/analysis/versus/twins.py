"""Is the candidate a known metric on another scale?"""

from dataclasses import replace

from zcbench.harness.analysis.correlation import pearson_of_codes
from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import why_undefined
from zcbench.harness.analysis.versus.parts import TWIN, Twin
from zcbench.harness.analysis.versus.samples import own_scores


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
        x, y = population.scores[candidate][both], population.scores[metric][both]
        if metric == candidate or why_undefined(x, y):
            continue
        lost = int((population.failed[candidate] | population.failed[metric]).sum())
        estimate = replace(pearson_of_codes(x, y), n_undefined=lost)
        enough = bool(2 * both.sum() >= scored[candidate].sum())
        beyond = enough and estimate.n >= FEWEST and abs(estimate.value) > TWIN
        found.append((not enough, -abs(estimate.value), name, Twin(name, estimate, beyond, estimate.value < 0)))
    return tuple(one[-1] for one in sorted(found, key=lambda one: one[:-1]))
