"""From stored recipes back to what was scored: the same images, networks and initialisations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zcbench.datasets import images
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.harness import options
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.metric import Metric
from zcbench.harness.passes.spec import further_batches
from zcbench.harness.types import Recipe


def rebuilt(
    benchmark: str, recipes: Sequence[Recipe], ids: Sequence[str], metrics: Sequence[Metric], *,
    folder: Path | None = None,
) -> Job:
    """Return the job whose recipes these are.

    Args:
        benchmark: its name.
        recipes: equal but for the initialisation seeds, which follow one another.
        ids: the architectures.
        metrics: what is to be computed of them.
        folder: where the images are; None for ``$ZCBENCH_DATA/images``.

    Raises:
        MissingFileError: if the images are not here, or are others than those that were scored on.
        ZcbenchError: if the recipes do not belong together, or an architecture, option or initialisation is unknown.
    """
    first = min(recipes, key=lambda recipe: recipe.init_seed)
    seeds = [recipe.init_seed for recipe in recipes]
    if {replace(r, init_seed=0) for r in recipes} != {replace(first, init_seed=0)}:
        raise ZcbenchError(f"the scores of {benchmark} were made by recipes that differ in more than the seed")
    if sorted(seeds) != list(range(first.init_seed, first.init_seed + len(seeds))):
        raise ZcbenchError(f"the initialisation seeds of {benchmark} do not follow one another: {sorted(seeds)}")
    found = find_benchmark(benchmark)
    space = found.space.configured(options.split(first.network))
    batch = images.load(
        first.dataset, batch_size=first.batch_size, seed=first.batch_seed, folder=folder,
        resolution=first.resolution or space.resolution, labels=first.labels,
        further=further_batches(q for metric in metrics for q in metric.needs.quantities()),
    )  # fmt: skip
    job = Job(
        benchmark=benchmark, space=space, architectures=[space.parse(text) for text in ids], metrics=metrics,
        batch=images.for_task(batch, space.task), init=initialisation(first.init.partition("@")[0]),
        seeds=len(seeds), first_seed=first.init_seed,
    )  # fmt: skip
    now = job.recipes()[0]
    if now.images != first.images:
        raise MissingFileError(
            f"the {first.dataset} images here are not those that {benchmark} was scored on (digest {now.images}, not "
            f"{first.images}): name the folder of the same files with --images"
        )
    if now != first:
        raise ZcbenchError(
            f"the recipe of {benchmark} cannot be had again with this zcbench: {_differences(now, first)}"
        )
    return job


def _differences(now: Recipe, then: Recipe) -> str:
    names = [name for name in Recipe.__dataclass_fields__ if getattr(now, name) != getattr(then, name)]
    return ", ".join(f"{name} is {getattr(now, name)!r}, was {getattr(then, name)!r}" for name in names)
