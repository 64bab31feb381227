"""Ground truth: what training gave, from one or several sources, never without saying which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from zcbench.datasets.tidy import TRUTH_COLUMNS, read_parquet, validated, write_parquet
from zcbench.harness.errors import ZcbenchError, did_you_mean
from zcbench.harness.types import Architecture, GroundTruth

__all__ = ["TRUTH_COLUMNS", "Remarks", "Target", "TruthTable"]


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a benchmark knows of its sources and a table cannot say.

    Attributes:
        seeds: by source, what stands in the place of "published mean over seeds" where nobody says that.
        notes: by source and dataset, what else one has to know of these values.
        elsewhere: by dataset, what to do for a dataset that this table lacks and another source has.
    """

    seeds: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One accuracy for each architecture: what metrics are held against.

    Attributes:
        dataset: the dataset trained on.
        split: the part the accuracy was measured on.
        epochs: length of the training; -1 for the last epoch of a training of unstated length.
        source: the table it comes from.
        kind: ``trained``, ``surrogate`` or ``synthetic``.
        metric: ``accuracy``, or another value that the table has.
        seeds: which training seeds went into the mean, in words.
        mean: float64, indexed by architecture: mean over the training seeds.
        repeats: float64 [A, R], the same index, a column for each training seed; NaN where an
            architecture was not trained with that seed. No columns where only means were published.
        seed: the one training seed behind every value; None where there are several, or a mean.
        note: what else one has to know of these values; empty if nothing.
    """

    dataset: str
    split: str
    epochs: int
    source: str
    kind: str
    metric: str
    seeds: str
    mean: pd.Series
    repeats: pd.DataFrame
    seed: int | None = None
    note: str = ""

    def describe(self) -> str:
        """Say in one line what the numbers are."""
        return (
            f"{self.dataset} {self.split} {self.metric} after {_epochs(self.epochs)}, {self.seeds}, "
            f"source {self.source}, {self.kind}{f'; {self.note}' if self.note else ''}"
        )


class TruthTable:
    """A validated table of ground truth; columns: `TRUTH_COLUMNS`.

    Args:
        frame: the table, in tidy form.
        name: what to call it in an error.
        remarks: what is known of its sources beyond the table.

    Raises:
        ZcbenchError: if it is not of that form.
    """

    def __init__(
        self, frame: pd.DataFrame, name: str = "the ground-truth table", *, remarks: Remarks | None = None
    ) -> None:
        self._frame = validated(frame, name)
        self._name = name
        self._remarks = remarks or Remarks()

    @classmethod
    def from_parquet(cls, path: Path, *, curves: bool = False) -> TruthTable:
        """Read a tidy Parquet file; one without ``kind`` counts as trained.

        Args:
            path: the file.
            curves: also read ``accuracy_curve_*``, of which a table may hold millions.

        Raises:
            MissingFileError: if there is no such file.
            ZcbenchError: if it is damaged or of another form.
        """
        table = cls.__new__(cls)
        table._frame, table._name = read_parquet(path, curves=curves), str(path)
        table._remarks = Remarks()
        return table

    @classmethod
    def from_parquets(cls, paths: Sequence[Path], *, curves: bool = False) -> TruthTable:
        """Read several tidy Parquet files as one table.

        Args:
            paths: one file or more.
            curves: as in `from_parquet`.

        Raises:
            MissingFileError: if one of them is not there.
            ZcbenchError: if one is damaged or of another form, or two hold the same measurement.
        """
        tables = [cls.from_parquet(path, curves=curves) for path in paths]
        if len(tables) == 1:
            return tables[0]
        name = " and ".join(str(path) for path in paths)
        frames = [table._frame.astype(object) for table in tables]
        return cls(pd.concat(frames, ignore_index=True).infer_objects(), name)

    @property
    def frame(self) -> pd.DataFrame:
        """A copy of the rows."""
        return self._frame.copy()

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets that have rows, sorted."""
        return tuple(_present(self._frame, "dataset"))

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources that have rows, sorted."""
        return tuple(_present(self._frame, "source"))

    def __len__(self) -> int:
        return len(self._frame)

    def only(self, source: str) -> TruthTable:
        """Return the rows of one source.

        Raises:
            ZcbenchError: if there are none.
        """
        if source not in self.sources:
            raise _absent(f"{self._name} has no source", source, self.sources)
        return TruthTable(self._frame[self._frame["source"] == source], self._name, remarks=self._remarks)

    def remarked(self, remarks: Remarks) -> TruthTable:
        """Return the same rows with these remarks."""
        table = TruthTable.__new__(TruthTable)
        table._frame, table._name, table._remarks = self._frame, self._name, remarks
        return table

    def write(self, path: Path) -> None:
        """Write the table as Parquet; the file appears whole or not at all.

        Raises:
            ZcbenchError: if it cannot be written.
        """
        write_parquet(self._frame, path)

    def select(
        self,
        dataset: str,
        *,
        source: str | None = None,
        split: str | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        metric: str = "accuracy",
        default_sources: Sequence[str] = (),
    ) -> Target:
        """Choose one accuracy for each architecture.

        Args:
            dataset: the dataset trained on.
            source: only this source. By default, of those that remain after split, epochs and seed,
                the first of default_sources, else the first in sorted order.
            split: the split; by default ``test``, and never another one in its place.
            epochs: length of the training; by default the longest, where -1 counts as longer than any.
            seed: only the trainings with this seed; by default the mean over the seeds.
            metric: ``accuracy``, or another value of the table.
            default_sources: sources in order of preference.

        Raises:
            ZcbenchError: if there is no such value, with those that there are.
        """
        rows = self._rows(dataset, source=source, split=split, epochs=epochs, seed=seed, metric=metric)
        rows = _one_source(rows, default_sources)
        kinds = _present(rows, "kind")
        if len(kinds) > 1:
            raise ZcbenchError(f"{self._name}: {dataset} mixes the kinds {' and '.join(kinds)} in one source")
        mean, repeats = _over_seeds(rows)
        single = rows["seed"].unique()
        first = rows.iloc[0]
        chosen = str(first["source"])
        return Target(
            dataset=dataset,
            split=str(first["split"]),
            epochs=int(first["epochs"]),
            source=chosen,
            kind=kinds[0],
            metric=metric,
            seeds=_in_words(rows, repeats, self._remarks.seeds.get(chosen, "published mean over seeds")),
            mean=mean,
            repeats=repeats,
            seed=int(single[0]) if len(single) == 1 and single[0] >= 0 else None,
            note=self._remarks.notes.get((chosen, dataset), ""),
        )

    def truth(
        self,
        architecture: Architecture | str,
        dataset: str,
        *,
        source: str | None = None,
        split: str | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        metric: str = "accuracy",
        default_sources: Sequence[str] = (),
    ) -> GroundTruth:
        """Return what training one architecture gave; for many architectures use `select`.

        The values are those of the single training seeds, or the published mean where there is one.

        Args:
            architecture: the architecture, or its string.
            dataset: the dataset trained on.
            source: as in `select`, as are the others.
            split: the split.
            epochs: length of the training.
            seed: training seed.
            metric: which value.
            default_sources: sources in order of preference.

        Raises:
            ZcbenchError: if there is no such value.
        """
        rows = self._rows(dataset, source=source, split=split, epochs=epochs, seed=seed, metric=metric)
        rows = _one_source(rows, default_sources)
        rows = rows[rows["architecture"] == str(architecture)].sort_values("seed")
        if rows.empty:
            raise ZcbenchError(f"{self._name} has no {metric} of {architecture} on {dataset}")
        rows = rows[rows["seed"] < 0] if (rows["seed"] < 0).any() else rows
        first = rows.iloc[0]
        return GroundTruth(
            architecture=str(architecture),
            dataset=dataset,
            split=str(first["split"]),
            epochs=int(first["epochs"]),
            seeds=tuple(int(seed) for seed in rows["seed"]),
            values=tuple(float(value) for value in rows["value"]),
            source=str(first["source"]),
            kind=str(first["kind"]),
        )

    def _rows(
        self,
        dataset: str,
        *,
        source: str | None,
        split: str | None,
        epochs: int | None,
        seed: int | None,
        metric: str,
    ) -> pd.DataFrame:
        """Return the rows of one dataset, split, number of epochs and metric; of one or several sources."""
        rows = self._frame
        if dataset not in self.datasets:
            if dataset in self._remarks.elsewhere:
                advice = self._remarks.elsewhere[dataset]
                raise ZcbenchError(f'{self._name} has no dataset "{dataset}": {advice}')
            raise _absent(f"{self._name} has no dataset", dataset, self.datasets)
        rows = rows[rows["dataset"] == dataset]
        if source is not None:
            if source not in _present(rows, "source"):
                raise _absent(f"{dataset} has no source", source, _present(rows, "source"))
            rows = rows[rows["source"] == source]
        if metric not in _present(rows, "metric"):
            raise _absent(f"{dataset} has no value", metric, _present(rows, "metric"))
        rows = rows[rows["metric"] == metric]
        wanted = rows[rows["split"] == (split or "test")]
        if epochs is not None:
            wanted = wanted[wanted["epochs"] == epochs]
        if wanted.empty:
            asked = f"{split or 'test'} {metric}" + ("" if epochs is None else f" after {_epochs(epochs)}")
            of = f"{dataset}" + ("" if source is None else f" from {source}")
            raise ZcbenchError(f"there is no {asked} of {of}; there is {_listing(rows)}")
        if seed is not None:
            wanted = _of_seed(wanted, seed, f"{split or 'test'} {metric} of {dataset}")
        longest = -1 if (wanted["epochs"] < 0).any() else wanted["epochs"].max()
        return wanted[wanted["epochs"] == longest]


def _present(rows: pd.DataFrame, column: str) -> list[str]:
    return sorted(str(value) for value in rows[column].unique())


def _absent(what: str, name: str, known: Iterable[str]) -> ZcbenchError:
    hint = did_you_mean(name, known)
    listing = "" if hint.startswith(" Known") else f" There is: {', '.join(sorted(known))}."
    return ZcbenchError(f'{what} "{name}".{hint}{listing}')


def _epochs(epochs: int) -> str:
    return "the last epoch" if epochs < 0 else f"{epochs} epoch{'s' if epochs != 1 else ''}"


def _listing(rows: pd.DataFrame) -> str:
    kinds = rows[["split", "epochs"]].drop_duplicates().sort_values(["split", "epochs"])
    return ", ".join(f"{row.split} after {_epochs(int(row.epochs))}" for row in kinds.itertuples())


def _of_seed(rows: pd.DataFrame, seed: int, what: str) -> pd.DataFrame:
    seeds = sorted(int(found) for found in rows["seed"].unique() if found >= 0)
    if seed not in seeds:
        there = f"there is: {', '.join(map(str, seeds))}" if seeds else "there are no values of single seeds"
        raise ZcbenchError(f"there is no {what} with training seed {seed}; {there}")
    return rows[rows["seed"] == seed]


def _one_source(rows: pd.DataFrame, default_sources: Sequence[str]) -> pd.DataFrame:
    present = _present(rows, "source")
    chosen = next((source for source in default_sources if source in present), present[0])
    return rows[rows["source"] == chosen] if len(present) > 1 else rows


def _over_seeds(rows: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Return mean and repeats, in the order in which the architectures appear."""
    names = rows["architecture"].astype(str)
    order = pd.Index(names.unique(), name="architecture")
    places = order.get_indexer(names)
    seeds = np.unique(rows["seed"])
    values = np.full((len(order), len(seeds)), np.nan)  # [A, seeds]
    values[places, np.searchsorted(seeds, rows["seed"])] = rows["value"]
    published = values[:, seeds < 0]
    repeats = pd.DataFrame(values[:, seeds >= 0], index=order, columns=pd.Index(seeds[seeds >= 0], name="seed"))
    mean = repeats.mean(axis=1)
    if published.size:
        # the published mean wins where there is one: it may rest on seeds that were not published
        mean = pd.Series(published[:, 0], index=order).fillna(mean)
    return mean.rename("value"), repeats


def _in_words(rows: pd.DataFrame, repeats: pd.DataFrame, published: str) -> str:
    seeds = rows["seed"].unique()
    if (seeds < 0).any():
        return published
    if len(seeds) == 1:
        return f"training seed {seeds[0]}"
    counts = repeats.notna().sum(axis=1)
    number = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()}-{counts.max()}"
    return f"mean over {number} seed{'s' if counts.max() > 1 else ''}"
