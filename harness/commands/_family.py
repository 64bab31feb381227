"""Which of the stored scores belong together, and which of them were asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import click
import pandas as pd

from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.store import Store
from zcbench.harness.types import Recipe

KEY = ["dataset", "batch_size", "init", "kin"]


@dataclass(frozen=True)
class Wanted:
    """Which scores are asked for; None asks for any.

    Attributes:
        dataset: images of the mini-batch.
        batch_size: N.
        init: name of the initialisation.
        architectures: ids.
        metrics: names with their parameters.
        seeds: number of initialisation seeds.
        prefer: targets of the analysis; scores on the images of one of them go before others.
    """

    dataset: str | None = None
    batch_size: int | None = None
    init: str | None = None
    architectures: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    seeds: int | None = None
    prefer: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """Scores that were made alike but for the initialisation seed.

    Attributes:
        frame: the rows, with the columns of an export.
        recipe: the recipe of one of its seeds.
        seeds: number of initialisation seeds.
    """

    frame: pd.DataFrame
    recipe: Recipe
    seeds: int

    def describe(self) -> str:
        """Say in one sentence how the scores were made."""
        r = self.recipe
        return (
            f"{r.dataset} images ({r.split} split), one class-balanced mini-batch of {r.batch_size}, "
            f"initialisation {r.init}, {self.seeds} seed{'s' if self.seeds > 1 else ''}, {r.dtype}; {r.preprocessing}"
        )


def read_family(store: Store, benchmark: str, wanted: Wanted) -> Family:
    """Return the scores of one kind; where several kinds remain, say which one is taken.

    Taken are scores on the images of a target where there are any, and of these the kind with most rows.

    Raises:
        ZcbenchError: if the store holds no such scores.
    """
    frame = store.frame()
    recipes = store.recipes()
    frame["kin"] = frame["recipe"].map({k: replace(r, init_seed=0).digest for k, r in recipes.items()})
    known = frame["benchmark"].unique()
    frame = frame[frame["benchmark"] == benchmark]
    if frame.empty and len(known):
        raise unknown("benchmark in this store", benchmark, known)
    frame = _only(frame, wanted)
    if frame.empty:
        raise ZcbenchError(f"the store {store.path} holds no such scores: compute some with zcbench score")
    frame = complete_seeds(_one_kind(frame, wanted.prefer))
    recipe = recipes[frame["recipe"].iloc[0]]
    return Family(frame.drop(columns=["space", "recipe", "kin"]), recipe, int(frame["init_seed"].nunique()))


def _only(frame: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    for column, value in (("dataset", wanted.dataset), ("batch_size", wanted.batch_size), ("init", wanted.init)):
        if value is not None and not frame.empty:
            if not (frame[column] == value).any():
                raise unknown(f"{column} in this store", str(value), map(str, frame[column].unique()))
            frame = frame[frame[column] == value]
    if wanted.architectures is not None:
        frame = frame[frame["architecture"].isin(wanted.architectures)]
    if wanted.metrics is not None:
        frame = frame[frame["metric"].isin(wanted.metrics)]
    if wanted.seeds is not None:
        frame = frame[frame["init_seed"] < wanted.seeds]
    return frame


def _one_kind(frame: pd.DataFrame, prefer: tuple[str, ...]) -> pd.DataFrame:
    sizes = frame.groupby(KEY, sort=True).size().sort_values(ascending=False, kind="stable")
    of_target = sizes.index.get_level_values("dataset").isin(prefer)
    sizes = pd.concat([sizes[of_target], sizes[~of_target]])
    chosen = sizes.index[0]
    if len(sizes) > 1:
        others = "; ".join(f"{d}, batch {b}, {i}: {n} rows" for (d, b, i, _), n in sizes.iloc[1:].items())
        click.echo(
            f"note: taking the scores on {chosen[0]}, batch {chosen[1]}, {chosen[2]} ({sizes.iloc[0]} rows); the store "
            f"also holds {others}: choose with --dataset, --batch-size and --init",
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
