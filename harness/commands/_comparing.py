"""What ``compare`` scores beyond a run: the stored setting again, and the candidate under changes of the recipe."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from zcbench.datasets import images
from zcbench.datasets.truth import Target
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.versus.parts import CONTROLS, Variation
from zcbench.harness.commands._family import Wanted, benchmarks_in, read_stored, wanted_of
from zcbench.harness.commands._rebuilding import rebuilt
from zcbench.harness.commands._reporting import Studied, pair
from zcbench.harness.commands._studying import Statistics, score_table
from zcbench.harness.commands._targets import TruthOptions
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.initialise import INITIALISATIONS
from zcbench.harness.job import Job
from zcbench.harness.metric import Metric
from zcbench.harness.passes.spec import further_batches
from zcbench.harness.space import Benchmark
from zcbench.harness.store import Store
from zcbench.harness.types import Architecture

SMALLEST = 2
"""Images in the smallest mini-batch."""


@dataclass(frozen=True)
class Change:
    """One change of the recipe, with what is to be scored for it.

    Attributes:
        kind: ``seed``, ``batch size`` or ``initialisation``.
        value: what it is changed to.
        reference: what it is otherwise.
        job: a few architectures of the reference job.
    """

    kind: str
    value: str
    reference: str
    job: Job


def scored(candidates: Sequence[str], against: str) -> str:
    """Return the list of what a comparison scores: candidates, baselines, and the counts that are controlled for."""
    return ",".join(filter(None, [*candidates, against, *CONTROLS]))


def stored_jobs(
    path: Path, benchmarks: Sequence[str], wanted: Wanted, options: TruthOptions, metrics: Sequence[Metric],
    folder: Path | None,
) -> list[Job]:
    """Return what brings metrics to the architectures and recipes that a store holds scores of.

    Args:
        path: the store.
        benchmarks: those that are asked for; none: all.
        wanted: which of its scores.
        options: which ground truth they will be held against.
        metrics: what is to be there afterwards.
        folder: where the images are.

    Raises:
        MissingFileError: if there is no such store, or its images are not here.
        ZcbenchError: if the store holds no such scores.
    """
    jobs = []
    with Store(path, create=False) as store:
        for name in benchmarks_in(store, benchmarks):
            studied = pair(store, name, wanted, options)
            families = {family.recipe.digest: family for _, family in studied.pairs}
            for family in families.values():
                recipes = [replace(family.recipe, init_seed=int(s)) for s in sorted(family.frame["init_seed"].unique())]
                ids = sorted(family.frame["architecture"].unique())
                jobs.append(rebuilt(name, recipes, ids, metrics, folder=folder))
    return jobs


def changes(job: Job, candidates: Sequence[Metric], *, number: int, folder: Path | None) -> Iterator[Change]:
    """Yield changes of seed, batch size and initialisation, each for a few architectures of a job.

    Two further seeds; half and twice the mini-batch; and two other initialisations, as far as there are.

    Args:
        job: the reference.
        candidates: the metrics to score.
        number: how many architectures; the same for every change, drawn with a seed of its own.
        folder: where the images are.
    """
    few = _few(job, number)
    if not few:
        return
    base = replace(job, metrics=candidates, architectures=few, seeds=1)
    seed = job.first_seed
    for further in (seed + job.seeds, seed + job.seeds + 1):
        yield Change("seed", str(further), str(seed), replace(base, first_seed=further))
    size = len(job.batch.inputs)
    for other in (size // 2, size * 2):
        if (batch := _batch(job, candidates, other, folder)) is not None:
            yield Change("batch size", str(other), str(size), replace(base, batch=batch))
    own = job.init.name
    for name in [name for name in ("pytorch", "kaiming_normal", "fan_out") if name != own][:2]:
        yield Change("initialisation", name, own, replace(base, init=INITIALISATIONS[name]))


def jobs_of(changed: Sequence[Change]) -> list[Job]:
    """Return what is to be scored for the changes; further seeds of one setting are one job."""
    jobs: list[Job] = []
    for change in changed:
        last = jobs[-1] if jobs else None
        follows = last is not None and change.job.first_seed == last.first_seed + last.seeds
        if last is not None and follows and replace(last, first_seed=0, seeds=1) == replace(change.job, first_seed=0):
            jobs[-1] = replace(last, seeds=last.seeds + 1)
        else:
            jobs.append(change.job)
    return jobs


def _few(job: Job, number: int) -> list[Architecture]:
    generator = random.Random("stability")
    keys = [generator.random() for _ in job.architectures]
    chosen = sorted(sorted(range(len(keys)), key=keys.__getitem__)[:number])
    return [job.architectures[n] for n in chosen]


def _batch(job: Job, candidates: Sequence[Metric], size: int, folder: Path | None) -> images.Batch | None:
    """Draw a mini-batch of another size; None, and a note, where there is none."""
    if size < SMALLEST:
        return None
    own = job.batch
    try:
        batch = images.load(
            own.dataset, batch_size=size, seed=own.seed, folder=folder, resolution=own.resolution or None,
            labels=own.labels, further=further_batches(q for m in candidates for q in m.needs.quantities()),
        )  # fmt: skip
        return images.for_task(batch, job.space.task)
    except ZcbenchError as error:
        click.echo(f"note: stability is not measured with a batch of {size}: {error}", err=True)
        return None


@dataclass(frozen=True)
class Compared:
    """Everything that the statistics of a comparison start from.

    Attributes:
        studied: benchmarks with targets and scores.
        tables: scores beside the truth, one for every benchmark and target, in the order of a ``Comparison``.
        variations: the candidates' scores under changes of the recipe.
    """

    studied: tuple[Studied, ...]
    tables: tuple[ScoreTable, ...]
    variations: tuple[Variation, ...]


def read(
    store: Store, jobs: Sequence[Job], changed: Sequence[Change], options: TruthOptions, how: Statistics, *,
    whole: bool = False,
) -> Compared:
    """Read what was scored.

    Args:
        store: the store.
        jobs: the reference.
        changed: the changes that were scored.
        options: which ground truth.
        how: policy, population and resamples.
        whole: read all metrics that the store holds of these architectures and recipes, not those of the jobs alone.

    Raises:
        MissingFileError: if the ground truth is not there.
        ZcbenchError: if no architecture has both.
    """
    wanted = wanted_of(jobs, options.datasets)
    wanted = {name: replace(one, metrics=None) for name, one in wanted.items()} if whole else wanted
    studied = tuple(pair(store, name, chosen, options) for name, chosen in wanted.items())
    tables: list[ScoreTable] = []
    variations: list[Variation] = []
    for one in studied:
        for target, family in one.pairs:
            tables.append(score_table(family, one.found, target, how))
            variations += _variations(store, one.found, target, changed, options, how)
    tables.sort(key=lambda table: (table.benchmark, table.target, table.source, table.population))
    return Compared(studied, tuple(tables), tuple(variations))


def _variations(
    store: Store, found: Benchmark, target: Target, changed: Sequence[Change], options: TruthOptions, how: Statistics
) -> Iterator[Variation]:
    for change in changed:
        if change.job.benchmark == found.name:
            (wanted,) = wanted_of([change.job], options.datasets).values()
            try:
                family = read_stored(store, found.name, wanted).family(target.dataset)
                table = score_table(family, found, target, how)
            except ZcbenchError as error:
                click.echo(f"note: no stability of {target.name} under {change.kind} {change.value}: {error}", err=True)
                continue
            yield Variation(change.kind, change.value, change.reference, table)
