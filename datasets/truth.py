"""Ground truth: what training gave, from one or several sources, never without saying which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from zcbench.datasets.choosing import Question, absent, choose, usual_metric
from zcbench.datasets.row_groups import RowsInFile
from zcbench.datasets.rows import Choice, Rows, RowsInMemory, Values, check_apart, joined
from zcbench.datasets.target import Remarks, Target, split_target, target_of
from zcbench.datasets.tidy import TEXT, TRUTH_COLUMNS, read_parquet, write_parquet
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Architecture, GroundTruth

__all__ = ["TRUTH_COLUMNS", "Remarks", "Target", "TruthTable", "split_target"]


class TruthTable:
    """A table of ground truth; columns: `TRUTH_COLUMNS`.

    A table from a frame is validated as a whole. Of a file with many row groups only those rows are read, and
    validated, that a question needs: see `zcbench.datasets.row_groups`.

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
        self._fill([RowsInMemory(frame, name)], name, remarks or Remarks(), None)

    def _fill(self, parts: Sequence[Rows], name: str, remarks: Remarks, source: str | None) -> None:
        self._parts = tuple(parts)
        self._name = name
        self._remarks = remarks
        self._source = source
        self._recent: tuple[Choice, Values] | None = None  # of `truth`, which is asked cell by cell

    @classmethod
    def _of(cls, parts: Sequence[Rows], name: str, remarks: Remarks, source: str | None = None) -> TruthTable:
        table = cls.__new__(cls)
        table._fill(parts, name, remarks, source)
        return table

    @classmethod
    def from_parquet(cls, path: Path, *, curves: bool = False) -> TruthTable:
        """Open a tidy Parquet file; one without ``kind`` counts as trained.

        Args:
            path: the file.
            curves: also read ``*_curve_*``, of which a table may hold millions; the file is then read,
                and validated, as a whole.

        Raises:
            MissingFileError: if there is no such file.
            ZcbenchError: if it is damaged or of another form, as far as that was read.
        """
        rows: Rows | None = None if curves else RowsInFile.opened(path)
        if rows is None:
            rows = RowsInMemory(read_parquet(path, curves=curves), str(path))
        return cls._of([rows], str(path), Remarks())

    @classmethod
    def from_parquets(cls, paths: Sequence[Path], *, curves: bool = False) -> TruthTable:
        """Open several tidy Parquet files as one table.

        Args:
            paths: one file or more.
            curves: as in `from_parquet`.

        Raises:
            MissingFileError: if one of them is not there.
            ZcbenchError: if one is damaged or of another form, or two hold the same measurement.
        """
        return cls.joined([cls.from_parquet(path, curves=curves) for path in paths])

    @classmethod
    def joined(cls, tables: Sequence[TruthTable]) -> TruthTable:
        """Return several tables as one, with the remarks of the first.

        Raises:
            ZcbenchError: if two hold the same measurement.
        """
        first = tables[0]
        if len(tables) == 1:
            return first
        name = f"{first._name} together with {' and '.join(table._name for table in tables[1:])}"
        parts = [part for table in tables for part in table._parts]
        check_apart(parts, name)
        return cls._of(parts, name, first._remarks)

    @property
    def frame(self) -> pd.DataFrame:
        """A copy of all rows, read and validated.

        Raises:
            ZcbenchError: if they are damaged or of another form.
        """
        frames = [part.frame(choices) for part in self._parts if (choices := self._of_source(part))]
        if not frames:
            return self._parts[0].frame([])
        if len(frames) == 1:
            return frames[0]
        columns = {
            name: union_categoricals([frame[name] for frame in frames])
            if name in TEXT
            else np.concatenate([frame[name].to_numpy() for frame in frames])
            for name in TRUTH_COLUMNS
        }
        return pd.DataFrame(columns)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets that have rows, sorted."""
        return tuple(sorted({choice.dataset for choice in self._choices()}))

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources that have rows, sorted."""
        return tuple(sorted({choice.source for choice in self._choices()}))

    def metrics(self, dataset: str) -> tuple[str, ...]:
        """Return the metrics that a dataset has values of, sorted."""
        return tuple(sorted({choice.metric for choice in self._choices() if choice.dataset == dataset}))

    def __len__(self) -> int:
        return sum(part.counts[choice] for part in self._parts for choice in self._of_source(part))

    def only(self, source: str) -> TruthTable:
        """Return the rows of one source.

        Raises:
            ZcbenchError: if there are none.
        """
        if source not in self.sources:
            raise absent(f"{self._name} has no source", source, self.sources)
        return self._of(self._parts, self._name, self._remarks, source)

    def remarked(self, remarks: Remarks) -> TruthTable:
        """Return the same rows with these remarks."""
        return self._of(self._parts, self._name, remarks, self._source)

    def write(self, path: Path) -> None:
        """Write the table as Parquet; the file appears whole or not at all.

        Raises:
            ZcbenchError: if it cannot be written.
        """
        write_parquet(self.frame, path)

    def select(
        self,
        dataset: str,
        *,
        source: str | None = None,
        split: str | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        metric: str | None = None,
        default_sources: Sequence[str] | None = None,
        default_split: str | None = None,
    ) -> Target:
        """Choose one value for each architecture.

        Args:
            dataset: the dataset trained on.
            source: only this source. By default, of those that remain after split, epochs and seed,
                the first of default_sources, else the first in sorted order.
            split: the split; by default that of default_split, and never another one in its place. A metric
                that is a cost on a device has the split ``hardware`` and no other, which need not be named.
            epochs: length of the training; by default the longest, where -1 counts as longer than any.
            seed: only the trainings with this seed; by default the mean over the seeds.
            metric: a value of the table; by default ``accuracy``, or the only one that the dataset has besides
                costs and values of unfinished trainings.
            default_sources: sources in order of preference; by default the benchmark's own order.
            default_split: the split that is meant where none is named; by default the benchmark's own.

        Raises:
            ZcbenchError: if there is no such value, with those that there are.
        """
        choice = self._choose(
            Question(
                dataset=dataset, source=source, split=split, epochs=epochs, seed=seed, metric=metric,
                default_split=default_split or self._remarks.default_split,
                default_sources=self._remarks.default_sources if default_sources is None else default_sources,
            )
        )  # fmt: skip
        values = self._values(choice)
        usual = usual_metric(c for c in self._choices() if c.dataset == dataset)
        return target_of(values if seed is None else values.of_seed(seed), choice, self._remarks, usual)

    def truth(
        self,
        architecture: Architecture | str,
        dataset: str,
        *,
        source: str | None = None,
        split: str | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        metric: str | None = None,
        default_sources: Sequence[str] | None = None,
        default_split: str | None = None,
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
            default_sources: sources in order of preference; by default the benchmark's own order.
            default_split: the split that is meant where none is named; by default the benchmark's own.

        Raises:
            ZcbenchError: if there is no such value.
        """
        choice = self._choose(
            Question(
                dataset=dataset, source=source, split=split, epochs=epochs, seed=seed, metric=metric,
                default_split=default_split or self._remarks.default_split,
                default_sources=self._remarks.default_sources if default_sources is None else default_sources,
            )
        )  # fmt: skip
        if self._recent is None or self._recent[0] != choice:
            self._recent = choice, self._values(choice)
        found = self._recent[1]
        place = found.names.get_indexer([str(architecture)])[0]
        rows = np.flatnonzero(found.places == place) if place >= 0 else np.empty(0, np.intp)
        seeds = found.seeds[rows]
        kept = seeds == seed if seed is not None else (seeds < 0 if (seeds < 0).any() else seeds >= 0)
        rows = rows[kept][np.argsort(seeds[kept], kind="stable")]
        if not len(rows):
            raise ZcbenchError(f"{self._name} has no {choice.metric} of {architecture} on {dataset}")
        return GroundTruth(
            architecture=str(architecture),
            dataset=dataset,
            split=choice.split,
            epochs=choice.epochs,
            seeds=tuple(found.seeds[rows].tolist()),
            values=tuple(found.values[rows].tolist()),
            source=choice.source,
            kind=choice.kind,
        )

    def _of_source(self, part: Rows) -> list[Choice]:
        """Return the choices of a part, those of the one source if there is one."""
        return [choice for choice in part.counts if self._source in (None, choice.source)]

    def _choices(self) -> list[Choice]:
        return list(dict.fromkeys(choice for part in self._parts for choice in self._of_source(part)))

    def _choose(self, asked: Question) -> Choice:
        return choose(asked, self._choices(), seeds=self._seeds, name=self._name, remarks=self._remarks)

    def _seeds(self, choice: Choice) -> frozenset[int]:
        return frozenset().union(*(part.seeds(choice) for part in self._parts if choice in part.counts))

    def _values(self, choice: Choice) -> Values:
        return joined([part.read(choice) for part in self._parts if choice in part.counts])
