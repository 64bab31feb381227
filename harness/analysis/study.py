"""The analysis of one score table: every statistic, with its interval, on every slice."""

from collections.abc import Callable
from dataclasses import replace

from zcbench.harness.analysis.ceiling import Ceiling
from zcbench.harness.analysis.correlation import kendall_of_codes, pearson_of_codes, weighted_tau_of_codes
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.intervals import no_estimate
from zcbench.harness.analysis.paired import bootstrap_estimates
from zcbench.harness.analysis.pairwise import metric_matrix, stability
from zcbench.harness.analysis.picks import precision_of_codes
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import Codes, Policy, check_policy, why_undefined
from zcbench.harness.analysis.result import CORRELATIONS, OVER_COUNTS, PICKS, SLICES, Analysis, Row
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Estimate

_ANALYTIC: dict[str, Callable[[Codes, Codes], Estimate]] = {
    "kendall": kendall_of_codes,
    "weighted_tau": weighted_tau_of_codes,
    "pearson_of_ranks": pearson_of_codes,
}
_PRECISIONS: dict[str, int | None] = {"precision_at_10": 10, "precision_at_10pct": None}


def analyse(
    table: ScoreTable,
    *,
    undefined: Policy,
    resamples: int = 1000,
    seed: int = 0,
    ceiling: Ceiling | None = None,
) -> Analysis:
    """Compute every statistic of every metric in a table.

    The statistics are those of ``correlation`` (for the slices ``all``, ``top10_truth`` and ``top10_score``)
    and ``picks`` (for ``all``). A slice is a population of its own: it is drawn once, and the intervals
    describe the statistic within it. All bootstrap intervals come from the same resamples of architectures.
    Neither the order of architectures or metrics nor the presence of other metrics changes a result; the
    same seed gives the same bits.

    Args:
        table: scores and truth.
        undefined: ``worst`` ranks undefined and failed scores tied below all others, ``drop`` leaves them out
            for that metric. Scores that are merely absent are always left out.
        resamples: number of bootstrap resamples.
        seed: of the resamples.
        ceiling: the noise ceiling of the truth, see ``ceiling.noise_ceiling``.

    Raises:
        ZcbenchError: an unknown policy, no resamples, or a negative seed.
    """
    check_policy(undefined)
    if resamples < 1 or seed < 0:
        raise ZcbenchError(f"resamples must be at least 1 and seed at least 0, not {resamples} and {seed}")
    population = Population.of(table, undefined)
    found = bootstrap_estimates(population, resamples=resamples, seed=seed)
    for slice_ in SLICES:
        for metric, name in enumerate(population.metrics):
            for statistic, estimate in _direct(population, metric, slice_).items():
                found[slice_, name, statistic] = estimate
    rows = [
        Row(table.benchmark, table.target, table.source, table.population, slice_, name, statistic,
            found[slice_, name, statistic])
        for slice_ in SLICES for name in population.metrics for statistic in (*CORRELATIONS, *PICKS, OVER_COUNTS)
        if (slice_, name, statistic) in found
    ]  # fmt: skip
    return Analysis(
        table, undefined, resamples, seed, tuple(rows), metric_matrix(population), ceiling,
        tuple(stability(table, undefined)),
    )  # fmt: skip


def _direct(population: Population, metric: int, slice_: str) -> dict[str, Estimate]:
    """Return the statistics that need no resampling."""
    members = population.members(metric, slice_)
    n_undefined = population.n_undefined(metric, slice_)
    x, y = population.scores[metric][members], population.truth_codes[members]
    why = why_undefined(x, y)
    out = {
        name: no_estimate(why, n=x.size, n_undefined=n_undefined)
        if why
        else replace(statistic(x, y), n_undefined=n_undefined)
        for name, statistic in _ANALYTIC.items()
    }
    if slice_ == "all":
        for name, k in _PRECISIONS.items():
            out[name] = precision_of_codes(x, y, k=k, n_undefined=n_undefined)
    return out
