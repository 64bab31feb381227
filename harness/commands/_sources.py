"""Which of the stored scores are the sources of one transfer: made alike but for images, labels and task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import click
import pandas as pd

from zcbench.datasets import images
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.harness import options as named
from zcbench.harness.commands._family import Family, Stored, complete_seeds, unlike
from zcbench.harness.described import Described
from zcbench.harness.space import Benchmark
from zcbench.harness.types import Recipe


def families_of(stored: Stored) -> dict[str, Family]:
    """Return the sources of the largest group of scores that differ in nothing but images, labels and task."""
    found = find_benchmark(stored.benchmark)
    recipes = {digest: stored.recipes[digest] for digest in stored.frame["recipe"].unique()}
    groups: dict[str, list[str]] = {}
    for digest, recipe in recipes.items():
        groups.setdefault(_alike(recipe), []).append(digest)

    def size(digests: Sequence[str]) -> tuple[int, int]:
        return len({source_of(recipes[d]) for d in digests}), int(stored.frame["recipe"].isin(digests).sum())

    ranked = sorted(groups.values(), key=size, reverse=True)
    chosen = ranked[0]
    several = [group for group in ranked[1:] if size(group)[0] > 1]
    if several:
        one, other = recipes[chosen[0]], recipes[several[0][0]]
        click.echo(
            f"note: transfer is between scores that are otherwise made alike: taking batch {one.batch_size}, "
            f"{one.init}; the store also holds batch {other.batch_size}, {other.init}: choose with --batch-size, "
            "--init, --network and --resolution",
            err=True,
        )
    frame = stored.frame[stored.frame["recipe"].isin(chosen)]
    # One version of a metric for all sources: scores of two versions are not those of one metric.
    frame = frame[frame["version"] == frame.groupby("metric")["version"].transform("max")]
    parts = {
        source: _one_draw(frame[frame["recipe"].map(lambda d, s=source: source_of(recipes[d]) == s)])
        for source in sorted({source_of(recipes[d]) for d in chosen}, key=lambda s: _place(s, found))
    }
    kept = _same_seeds({source: part for source, part in parts.items() if not part.empty})
    return _named(kept, recipes, found, stored.described)


def _alike(recipe: Recipe) -> str:
    """Return a digest of everything that the sources of one transfer share."""
    network = {k: v for k, v in named.split(recipe.network).items() if k != "task"}
    return replace(
        recipe, init_seed=0, dataset="", split="", images="", preprocessing="", labels="", network=named.joined(network)
    ).digest


def source_of(recipe: Recipe) -> tuple[str, str, str]:
    """Return task, dataset and labels."""
    return task_of(recipe), recipe.dataset, recipe.labels


def task_of(recipe: Recipe) -> str:
    """Return the task of the networks; empty where they have none."""
    return named.split(recipe.network).get("task", "")


def _place(source: tuple[str, str, str], found: Benchmark) -> tuple[object, ...]:
    """Tasks as the benchmark lists them, true labels before random ones, datasets as we list them."""
    task, dataset, labels = source
    orders = (list(found.datasets), list(images.datasets()))
    places = (order.index(name) if name in order else len(order)
              for order, name in zip(orders, (task, dataset), strict=True))  # fmt: skip
    return next(places), labels, next(places), source


def _one_draw(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the mini-batch with most rows where a source has several, from other files or of another preprocessing."""
    if frame.empty:
        return frame
    sizes = frame["kin"].value_counts()
    if len(sizes) > 1:
        dataset = frame["dataset"].iloc[0]
        click.echo(
            f"note: the store holds {len(sizes)} mini-batches of {dataset}, from other files or of another "
            f"preprocessing: taking the one with {sizes.iloc[0]} rows",
            err=True,
        )
    return complete_seeds(frame[frame["kin"] == sizes.index[0]])


def _same_seeds(parts: Mapping[tuple[str, str, str], pd.DataFrame]) -> dict[tuple[str, str, str], pd.DataFrame]:
    """Keep the initialisation seeds that all sources have of a metric: a mean over more seeds is less noisy.

    And keep the metrics that at least two sources have.
    """
    kept = dict(parts)
    seeds: dict[str, list[set[int]]] = {}
    for part in parts.values():
        for metric, of in part.groupby("metric")["init_seed"]:
            seeds.setdefault(str(metric), []).append(set(of))
    alone = sorted(metric for metric, of in seeds.items() if len(of) < 2)
    if alone and len(parts) > 1:
        click.echo(f"note: scored on one source only, so left out of the transfer: {', '.join(alone)}", err=True)
    common = {(m, seed) for m, of in seeds.items() if len(of) > 1 for seed in set.intersection(*of)}
    if len(parts) > 1:
        for source, part in parts.items():
            pairs = zip(part["metric"], part["init_seed"], strict=True)
            kept[source] = part[[pair in common for pair in pairs]]
    return kept


def _named(
    parts: Mapping[tuple[str, str, str], pd.DataFrame], recipes: Mapping[str, Recipe], found: Benchmark,
    described: Mapping[tuple[str, int], Described],
) -> dict[str, Family]:
    """Make a family of each source, under a short name that no other has."""
    datasets = {dataset for _, dataset, _ in parts}
    families = {}
    for (task, dataset, labels), part in parts.items():
        if part.empty:
            continue
        name = dataset if not task else task if len(datasets) == 1 else f"{task} on {dataset}"
        recipe = recipes[part["recipe"].iloc[0]]
        frame = part.drop(columns=["space", "recipe", "kin"])
        families[f"{name} ({labels} labels)" if labels else name] = Family(
            frame, recipe, int(part["init_seed"].nunique()), unlike(found.space, recipe), described
        )
    return families
