"""What is to be scored, and what of it a store does not hold yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zcbench.datasets.images import Batch
from zcbench.harness.candidate import Candidate
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.initialise import Initialisation
from zcbench.harness.metric import Metric
from zcbench.harness.options import joined
from zcbench.harness.space import SearchSpace
from zcbench.harness.store import Row, Store
from zcbench.harness.types import Architecture, Outcome, Recipe

MOST_ROWS = 50_000_000
"""Of one job: every metric on every architecture of the largest space that can be listed is half of it."""


@dataclass(frozen=True)
class Job:
    """What is to be scored.

    Attributes:
        benchmark: the benchmark's name.
        space: its search space.
        architectures: the candidates.
        metrics: the metrics.
        batch: the mini-batch of images.
        init: the initialisation.
        seeds: number of initialisation seeds.
        first_seed: the first of them; the others follow.
    """

    benchmark: str
    space: SearchSpace
    architectures: Sequence[Architecture]
    metrics: Sequence[Metric]
    batch: Batch
    init: Initialisation
    seeds: int
    first_seed: int = 0

    def __post_init__(self) -> None:
        rows = len(self.architectures) * len(self.metrics) * self.seeds
        if rows > MOST_ROWS:
            raise ZcbenchError(
                f"{len(self.architectures)} architectures, {len(self.metrics)} metrics and {self.seeds} seeds are "
                f"{rows} scores, more than {MOST_ROWS:,}: take fewer at once"
            )

    @property
    def space_version(self) -> str:
        """Search space and version, as in the rows."""
        return f"{self.space.name}@{self.space.version}"

    def recipes(self) -> list[Recipe]:
        """One recipe for each initialisation seed."""
        return [
            Recipe(
                dataset=self.batch.dataset, split=self.batch.split, images=self.batch.digest,
                preprocessing=self.batch.preprocessing, batch_size=len(self.batch.inputs),
                batch_seed=self.batch.seed, init=str(self.init), init_seed=seed,
                network=joined(self.space.network), resolution=self.batch.resolution, labels=self.batch.labels,
            )
            for seed in range(self.first_seed, self.first_seed + self.seeds)
        ]  # fmt: skip


def missing_candidates(job: Job, store: Store, *, retry_failed: bool = False) -> tuple[list[Candidate], int]:
    """Find the work that is left.

    Returns:
        Candidates in the order of seeds and architectures, and the number of rows that were asked for.
    """
    by_key = {(m.key, m.version): m for m in job.metrics}
    recipes = {r.digest: r for r in job.recipes()}
    architectures = {a.id: a for a in job.architectures}
    rows = [
        Row(job.space_version, architecture, key, version, recipe)
        for recipe in recipes
        for architecture in architectures
        for key, version in by_key
    ]
    grouped: dict[tuple[str, str], list[Metric]] = {}
    for row in store.missing(rows, retry_failed=retry_failed):
        grouped.setdefault((row.recipe, row.architecture), []).append(by_key[row.metric, row.version])
    candidates = [
        Candidate(architectures[architecture], recipes[recipe], tuple(metrics))
        for (recipe, architecture), metrics in grouped.items()
    ]
    return candidates, len(rows)


@dataclass(frozen=True, slots=True)
class Valueless:
    """A metric that has no score on any architecture of a job.

    Attributes:
        metric: its name with parameters.
        outcomes: what became of it: undefined, failed, or both; the most frequent one first.
        reason: why, most often.
        reasons: number of different reasons.
    """

    metric: str
    outcomes: tuple[Outcome, ...]
    reason: str
    reasons: int


def valueless(job: Job, store: Store, metrics: Iterable[str]) -> tuple[Valueless, ...]:
    """Return which of these metrics were tried on all of the job and have no score anywhere, in the job's order.

    Args:
        job: the job.
        store: where its rows are, those of this run and of earlier ones.
        metrics: names with parameters, of metrics of the job.
    """
    asked = set(metrics)
    versions = {m.key: m.version for m in job.metrics if m.key in asked}
    recipes, architectures = {r.digest for r in job.recipes()}, {a.id for a in job.architectures}
    if not versions:
        return ()
    whys: dict[str, Counter[tuple[Outcome, str]]] = {key: Counter() for key in versions}
    for row, outcome, reason in store.outcomes(job.space_version, versions, recipes):
        if row.architecture in architectures and row.version == versions[row.metric]:
            whys[row.metric][outcome, reason] += 1
    whole, found = len(recipes) * len(architectures), []
    for key, why in whys.items():
        outcomes = tuple(dict.fromkeys(outcome for (outcome, _), _ in why.most_common()))
        if why.total() == whole > 0 and Outcome.OK not in outcomes:
            found.append(Valueless(key, outcomes, why.most_common(1)[0][0][1], len({reason for _, reason in why})))
    return tuple(found)
