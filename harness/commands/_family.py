"""Which of the stored scores belong together, and which of them were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pandas as pd

from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.harness import options
from zcbench.harness.described import Described, directions
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.registry import metrics
from zcbench.harness.space import SearchSpace
from zcbench.harness.store import TRUE_LABELS, Store
from zcbench.harness.types import Recipe

if TYPE_CHECKING:
    from zcbench.harness.job import Job  # imports torch, which an analysis does not need

KEY = ["dataset", "labels", "batch_size", "init", "kin", "network", "resolution"]


@dataclass(frozen=True)
class Wanted:
    """Which scores are asked for; None asks for any.

    Attributes:
        dataset: images of the mini-batch.
        batch_size: N.
        init: name of the initialisation.
        network: options of the networks, ``name=value,...``.
        resolution: height and width of the images.
        labels: ``true`` or ``random``.
        architectures: ids.
        metrics: names with their parameters.
        recipes: digests.
        prefer: targets of the analysis; scores on the images of one of them go before others.
    """

    dataset: str | None = None
    batch_size: int | None = None
    init: str | None = None
    network: str | None = None
    resolution: int | None = None
    labels: str | None = None
    architectures: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    recipes: frozenset[str] | None = None
    prefer: tuple[str, ...] = ()


def wanted_of(jobs: Sequence[Job], prefer: tuple[str, ...]) -> dict[str, Wanted]:
    """Ask for what jobs made, by benchmark: the store may hold more, from another run.

    Args:
        jobs: what was scored.
        prefer: targets of the analysis; scores on the images of one of them go before others.
    """
    wanted = {}
    for name in dict.fromkeys(job.benchmark for job in jobs):
        mine = [job for job in jobs if job.benchmark == name]
        wanted[name] = Wanted(
            architectures=frozenset(a.id for job in mine for a in job.architectures),
            metrics=frozenset(m.key for job in mine for m in job.metrics),
            recipes=frozenset(recipe.digest for job in mine for recipe in job.recipes()), prefer=prefer,
        )  # fmt: skip
    return wanted


@dataclass(frozen=True)
class Family:
    """Scores that were made alike but for the initialisation seed.

    Attributes:
        frame: the rows, with the columns of an export.
        recipe: the recipe of one of its seeds.
        seeds: number of initialisation seeds.
        unlike: in what the scored networks and images differ from those that the benchmark trained, in words.
        described: what the store knows about the metrics, by name and version.
    """

    frame: pd.DataFrame
    recipe: Recipe
    seeds: int
    unlike: tuple[str, ...] = ()
    described: Mapping[tuple[str, int], Described] = field(default_factory=dict)

    @property
    def directions(self) -> dict[str, bool]:
        """Whether a high score is meant to be good, by name: as the store says, else as the metric here says."""
        return {name: m.higher_is_better for name, m in metrics().items()} | directions(self.described)

    def describe(self) -> str:
        """Say in one sentence how the scores were made."""
        r = self.recipe
        balanced = "" if "at random" in r.preprocessing and not r.labels else "class-balanced "
        sized = f", {r.resolution}x{r.resolution}" if r.resolution else ""
        differs = f"; unlike what the benchmark trained: {'; '.join(self.unlike)}" if self.unlike else ""
        return (
            f"{r.dataset} images ({r.split} split{sized}), one {balanced}mini-batch of {r.batch_size}, "
            f"initialisation {r.init}, {self.seeds} seed{'s' if self.seeds > 1 else ''}, {r.dtype}; {r.preprocessing}"
            f"{f'; networks with {r.network}' if r.network else ''}{differs}"
        )


@dataclass(frozen=True)
class Stored:
    """What a store holds of one benchmark, and of what was asked for.

    Attributes:
        path: the store.
        benchmark: the benchmark's name.
        frame: the rows of all kinds, with the columns of an export and the recipe.
        recipes: by digest.
        prefer: targets of the analysis; scores on the images of one of them go before others.
        described: what the store knows about the metrics, by name and version.
    """

    path: Path
    benchmark: str
    frame: pd.DataFrame
    recipes: Mapping[str, Recipe]
    prefer: tuple[str, ...]
    described: Mapping[tuple[str, int], Described] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """What the scored networks predict, sorted; empty for networks without a task."""
        return tuple(sorted({task for digest in self.frame["recipe"].unique() if (task := self._task(digest))}))

    @property
    def dataset(self) -> str:
        """The images of the family that is taken where no task says which."""
        return str(_sizes(self.frame, self.prefer).index[0][0])

    @property
    def architectures(self) -> list[str]:
        """The scored architectures, sorted."""
        return sorted(self.frame["architecture"].unique())

    def family(self, target: str) -> Family:
        """Return the scores to hold against a target; where several kinds remain, say which one is taken.

        Taken are scores of networks with the target as their task where there are any, then those on the images
        of a target, and of these the kind with most rows.

        Args:
            target: dataset or task of the ground truth.
        """
        frame = self.frame
        if target in self.tasks:
            frame = frame[frame["recipe"].map(self._task) == target]
        elif self.tasks:
            raise ZcbenchError(
                f"no networks of {self.benchmark} were scored for the task {target}, but for {', '.join(self.tasks)}: "
                f"score some (zcbench score --task {target}), or take another --target"
            )
        frame = complete_seeds(_one_kind(frame, self.prefer))
        recipe = self.recipes[frame["recipe"].iloc[0]]
        seeds = int(frame["init_seed"].nunique())
        space = find_benchmark(self.benchmark).space
        rows = frame.drop(columns=["space", "recipe", "kin"])
        return Family(rows, recipe, seeds, unlike(space, recipe), self.described)

    def _task(self, digest: str) -> str:
        return options.split(self.recipes[digest].network).get("task", "")


def unlike(space: SearchSpace, recipe: Recipe) -> tuple[str, ...]:
    """Say in what scored networks and images differ from those that the benchmark trained.

    Args:
        space: the search space, as the benchmark trained it.
        recipe: how the scores were made.
    """
    own = options.split(options.joined(space.network))
    chosen = {k: v for k, v in options.split(recipe.network).items() if k != "task" and v != own.get(k, v)}
    found = []
    if chosen:
        before = options.joined({k: own[k] for k in chosen})
        found.append(f"networks with {options.joined(chosen)} instead of {before}")
    if space.resolution is not None and recipe.resolution != space.resolution:
        found.append(f"{recipe.resolution}x{recipe.resolution} instead of {space.resolution}x{space.resolution} pixels")
    return tuple(found)


def benchmarks_in(store: Store, asked: Sequence[str]) -> list[str]:
    """Return the benchmarks that a store holds, or those of them that are asked for.

    Raises:
        ZcbenchError: if it holds none, or not one that is asked for.
    """
    known = sorted(store.frame()["benchmark"].unique())
    if not known:
        raise _nothing(store)
    for name in asked:
        if name not in known:
            raise unknown("benchmark in this store", name, known)
    return list(dict.fromkeys(asked)) or known


def read_stored(store: Store, benchmark: str, wanted: Wanted) -> Stored:
    """Return what a store holds of a benchmark.

    Raises:
        ZcbenchError: if the store holds no such scores.
    """
    frame = store.frame()
    recipes = store.recipes()
    frame["kin"] = frame["recipe"].map({k: replace(r, init_seed=0).digest for k, r in recipes.items()})
    frame = _only(frame[frame["benchmark"] == benchmark], wanted, recipes)
    if frame.empty:
        raise _nothing(store)
    return Stored(store.path, benchmark, frame, recipes, wanted.prefer, store.described())


def _nothing(store: Store) -> ZcbenchError:
    return ZcbenchError(f"the store {store.path} holds no such scores: compute some with zcbench score")


def _only(frame: pd.DataFrame, wanted: Wanted, recipes: Mapping[str, Recipe]) -> pd.DataFrame:
    for column in ("dataset", "batch_size", "init", "resolution", "labels"):
        value = getattr(wanted, column)
        if value is not None and not frame.empty:
            if not (frame[column] == value).any():
                raise unknown(f"{column} in this store", str(value), map(str, frame[column].unique()))
            frame = frame[frame[column] == value]
    if wanted.recipes is not None:
        frame = frame[frame["recipe"].isin(wanted.recipes)]
    if wanted.network is not None:
        asked = options.split(wanted.network).items()
        has = {digest: asked <= options.split(recipe.network).items() for digest, recipe in recipes.items()}
        frame = frame[frame["recipe"].map(has).astype(bool)]
    if wanted.architectures is not None:
        frame = frame[frame["architecture"].isin(wanted.architectures)]
    if wanted.metrics is not None:
        frame = frame[frame["metric"].isin(wanted.metrics)]
    return frame


def _sizes(frame: pd.DataFrame, prefer: tuple[str, ...]) -> pd.Series:
    """Return the number of rows of every kind: true labels before random ones, then those of preferred images."""
    sizes = frame.groupby(KEY, sort=True).size().sort_values(ascending=False, kind="stable")
    true = sizes.index.get_level_values("labels") == TRUE_LABELS
    of_target = sizes.index.get_level_values("dataset").isin(prefer)
    return pd.concat([sizes[labels & part] for labels in (true, ~true) for part in (of_target, ~of_target)])


def _named(kind: tuple[object, ...]) -> str:
    dataset, labels, batch_size, init, _, network, resolution = kind
    sized = f" at {resolution}x{resolution}" if resolution else ""
    sized += "" if labels == TRUE_LABELS else f" with {labels} labels"
    return f"{dataset}{sized}, batch {batch_size}, {init}{f', {network}' if network else ''}"


def _one_kind(frame: pd.DataFrame, prefer: tuple[str, ...]) -> pd.DataFrame:
    sizes = _sizes(frame, prefer)
    chosen = sizes.index[0]
    if len(sizes) > 1:
        others = "; ".join(f"{_named(kind)}: {n} rows" for kind, n in sizes.iloc[1:].items())
        click.echo(
            f"note: taking the scores on {_named(chosen)} ({sizes.iloc[0]} rows); the store also holds {others}: "
            "choose with --dataset, --labels, --batch-size, --init, --network and --resolution",
            err=True,
        )
    return frame[(frame[KEY] == list(chosen)).all(axis=1)]


def complete_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep of every metric the seeds that have all its architectures, and say which were left out.

    A score is the mean over seeds. Where a seed was run on a part of the architectures only, the others would
    either rest on fewer seeds or drop out.
    """
    scored = frame.groupby(["metric", "version", "init_seed"])["architecture"].transform("nunique")
    most = scored.groupby([frame["metric"], frame["version"]]).transform("max")
    short = pd.DataFrame({"scored": scored, "most": most})[scored < most].join(frame[["metric", "init_seed"]])
    for (seed, some, full), rows in short.groupby(["init_seed", "scored", "most"]):
        click.echo(
            f"note: left out, because it has only {some} of {full} architectures: seed {seed} of "
            f"{', '.join(sorted(rows['metric'].unique()))}; zcbench score with more --seeds completes it",
            err=True,
        )
    return frame[scored == most]
