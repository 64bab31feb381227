"""One metric, the candidate, against the baselines on every benchmark and target: from score tables to a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import Policy, check_policy
from zcbench.harness.analysis.versus.additions import Additions
from zcbench.harness.analysis.versus.costs import costs
from zcbench.harness.analysis.versus.differences import adjusted, ask, differences, standings
from zcbench.harness.analysis.versus.parts import Addition, Difference, Stability, Standing, Twin, Variation
from zcbench.harness.analysis.versus.result import Comparison, Versus
from zcbench.harness.analysis.versus.samples import Resampled, restricted
from zcbench.harness.analysis.versus.stability import Draws, of_seeds, under_change
from zcbench.harness.analysis.versus.twins import alike
from zcbench.harness.analysis.versus.verdict import verdict
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Estimate

Key = tuple[str, str, str, str]
"""Benchmark, target, source, population."""


def compare(
    tables: Sequence[ScoreTable],
    candidate: str,
    baselines: Sequence[str],
    *,
    undefined: Policy,
    resamples: int = 1000,
    seed: int = 0,
    stability: Sequence[Variation] = (),
) -> Comparison:
    """Hold a candidate against baselines.

    Every number rests on the architectures that the candidate was tried on and that have a truth; a difference on those
    of them that have the baseline's score too. Neither the order of tables, architectures, metrics or baselines changes
    a bit of the result, nor do further metrics and architectures of the tables.

    Args:
        tables: one for each benchmark and target, with the scores of the candidate, of the baselines and, where they
            were scored, of ``params`` and ``flops``.
        candidate: its name.
        baselines: names; the candidate itself is left out. What a table lacks is reported as not tested.
        undefined: ``worst`` ranks undefined and failed scores tied below all others, ``drop`` leaves them out for that
            metric. Scores that are merely absent are always left out.
        resamples: bootstrap resamples.
        seed: of the resamples and shuffles.
        stability: scores of the candidate under changes of the recipe, each for one of the tables. Where a table has
            several initialisation seeds, a change of the seed is added for all but the first.

    Raises:
        ZcbenchError: an unknown policy, no resamples, a negative seed, no table or no baseline, two tables for the same
            target, a table without the candidate, or a change of the recipe that belongs to none of the tables.
    """
    check_policy(undefined)
    names = tuple(sorted(set(baselines) - {candidate}))
    by_key = _by_key(tables)
    if resamples < 1 or seed < 0:
        raise ZcbenchError(f"resamples must be at least 1 and seed at least 0, not {resamples} and {seed}")
    if not names:
        raise ZcbenchError(f"there is no baseline to hold {candidate} against: name at least one other metric")
    for one in stability:
        if _key(one.table) not in by_key:
            where = " ".join(_key(one.table))
            raise ZcbenchError(f"{one.kind} {one.value}: there are no reference scores of {where} to hold it against")
    draws = Draws(undefined, resamples, seed)
    parts = [
        _part(by_key[key], candidate, names, draws, [v for v in stability if _key(v.table) == key])
        for key in sorted(by_key)
    ]
    tested, families = adjusted([part.differences for part in parts])
    return Comparison(
        candidate, names, undefined, resamples, seed, families,
        tuple(_versus(part, mine, candidate, names) for part, mine in zip(parts, tested, strict=True)),
    )  # fmt: skip


def _key(table: ScoreTable) -> Key:
    return table.benchmark, table.target, table.source, table.population


def _by_key(tables: Sequence[ScoreTable]) -> dict[Key, ScoreTable]:
    found: dict[Key, ScoreTable] = {}
    for table in tables:
        if _key(table) in found:
            raise ZcbenchError(f"two tables for {' '.join(_key(table))}: a comparison takes one for each target")
        found[_key(table)] = table
    if not found:
        raise ZcbenchError("there are no scores to compare: score the candidate on a benchmark first")
    return found


@dataclass(frozen=True)
class _Part:
    """All of one benchmark and target that does not depend on the other tests."""

    table: ScoreTable
    samples: Resampled
    best: str
    lead: Estimate
    standings: tuple[Standing, ...]
    differences: tuple[Difference, ...]
    additions: tuple[Addition, ...]
    alike: tuple[Twin, ...]
    stability: tuple[Stability, ...]


def _part(
    whole: ScoreTable, candidate: str, baselines: tuple[str, ...], draws: Draws, given: Sequence[Variation]
) -> _Part:
    table = restricted(whole, candidate, baselines)
    population = Population.of(table, draws.undefined)
    at = population.metrics.index(candidate)
    samples = Resampled(population, at, resamples=draws.resamples, seed=draws.seed)
    ask(samples, baselines)
    beyond = Additions(samples, baselines, seed=draws.seed)
    beyond.ask()
    named = {(v.kind, v.value): v for v in (*of_seeds(table), *given)}
    return _Part(
        table, samples, beyond.best, beyond.lead(),
        tuple(standings(samples, candidate, baselines)),
        tuple(differences(samples, baselines)),
        tuple(beyond.additions()),
        alike(population, at),
        tuple(under_change(table, candidate, named[key], draws) for key in sorted(named)),
    )  # fmt: skip


def _versus(part: _Part, tested: tuple[Difference, ...], candidate: str, baselines: tuple[str, ...]) -> Versus:
    table = part.table
    twins = tuple(one for one in part.alike if one.beyond)
    return Versus(
        benchmark=table.benchmark, target=table.target, source=table.source, population=table.population,
        truth=table.truth_description, measure=table.measure, kind=table.kind, recipe=table.recipe,
        version=table.versions[table.metrics.index(candidate)] if table.versions else 0,
        seeds=table.seeds, best=part.best, lead=part.lead, standings=part.standings, differences=tested,
        additions=part.additions, nearest=part.alike[0] if part.alike else None, twins=twins,
        stability=part.stability, costs=tuple(costs(table, candidate, baselines)),
        verdict=verdict(part.samples, tested, twins, part.additions),
    )  # fmt: skip
