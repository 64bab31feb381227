"""A target: one value for each architecture, which metrics are held against, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from zcbench.datasets.measures import FRACTION, measure
from zcbench.datasets.rows import Choice, Values
from zcbench.datasets.tidy import HARDWARE
from zcbench.harness.errors import ZcbenchError


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a benchmark knows of its sources and a table cannot say.

    Attributes:
        seeds: by source, what stands in the place of "published mean over seeds" where nobody says that.
        notes: by source and dataset, what else one has to know of these values.
        elsewhere: by dataset, what to do for a dataset that this table lacks and another source has.
        metrics: by metric, what to do for a metric that this table lacks and another source has.
        default_sources: sources in the order in which they are taken where several remain.
        default_split: the split that is meant where none is named.
    """

    seeds: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    default_sources: tuple[str, ...] = ()
    default_split: str = "test"


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One value for each architecture: what metrics are held against.

    Attributes:
        dataset: the dataset trained on.
        split: the part the accuracy was measured on; ``hardware`` for a cost on a device.
        epochs: length of the training; -1 for the last epoch of a training of unstated length.
        source: the table it comes from.
        kind: ``trained``, ``surrogate``, ``synthetic`` or ``measured``.
        metric: ``accuracy``, or another value that the table has.
        seeds: which training seeds went into the mean, in words.
        mean: float64, indexed by architecture: mean over the training seeds.
        repeats: float64 [A, R], the same index, a column for each training seed; NaN where an
            architecture was not trained with that seed. No columns where only means were published.
        seed: the one training seed behind every value; None where there are several, or a mean.
        note: what else one has to know of these values; empty if nothing.
        usual: the metric that is meant where only the dataset is named; empty where there is none.
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
    usual: str = "accuracy"

    @property
    def name(self) -> str:
        """The dataset, or ``dataset/metric`` where that is not what the dataset alone would mean."""
        return self.dataset if self.metric == self.usual else f"{self.dataset}/{self.metric}"

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is a better one; see `zcbench.datasets.measures`."""
        return measure(self.metric).higher_is_better

    @property
    def unit(self) -> str:
        """``fraction``, ``s``, ``ms``, ``mJ``; empty for a number without a unit."""
        return measure(self.metric).unit

    def describe(self) -> str:
        """Say in one line what the numbers are."""
        unit = f" in {self.unit}" if self.unit not in ("", FRACTION) else ""
        what = f"{self.dataset} {self.metric}{unit}"
        if self.split != HARDWARE:
            what = f"{self.dataset} {self.split} {self.metric}{unit} after {in_epochs(self.epochs)}"
        return f"{what}, {self.seeds}, source {self.source}, {self.kind}{f'; {self.note}' if self.note else ''}"


def split_target(text: str) -> tuple[str, str | None]:
    """Read what a user calls a target: ``dataset``, or ``dataset/metric``.

    Returns:
        The dataset, and the metric or None.

    Raises:
        ZcbenchError: if a part is empty.
    """
    dataset, slash, metric = text.partition("/")
    if not dataset or (slash and not metric):
        raise ZcbenchError(f'a target is written "dataset" or "dataset/metric", not {text!r}')
    return dataset, metric or None


def in_epochs(epochs: int) -> str:
    """Return the length of a training in words."""
    return "the last epoch" if epochs < 0 else f"{epochs} epoch{'s' if epochs != 1 else ''}"


def target_of(values: Values, choice: Choice, remarks: Remarks, usual: str) -> Target:
    """Make a target of the values of one choice.

    Args:
        values: the values; at least one.
        choice: what they are of.
        remarks: what is known of their source.
        usual: see `Target`.
    """
    mean, repeats = _over_seeds(values)
    seeds = sorted({int(seed) for seed in pd.unique(values.seeds)})
    published = remarks.seeds.get(choice.source, "published mean over seeds")
    return Target(
        dataset=choice.dataset,
        split=choice.split,
        epochs=choice.epochs,
        source=choice.source,
        kind=choice.kind,
        metric=choice.metric,
        seeds=_in_words(seeds, repeats, published),
        mean=mean,
        repeats=repeats,
        seed=seeds[0] if len(seeds) == 1 and seeds[0] >= 0 else None,
        note=remarks.notes.get((choice.source, choice.dataset), ""),
        usual=usual,
    )


def _over_seeds(found: Values) -> tuple[pd.Series, pd.DataFrame]:
    """Return mean and repeats, in the order in which the architectures appear."""
    seeds, columns = np.unique(found.seeds, return_inverse=True)
    values = np.full((len(found.names), len(seeds)), np.nan)  # [A, seeds]
    values[found.places, columns] = found.values
    published = values[:, seeds < 0]
    repeats = pd.DataFrame(
        values[:, seeds >= 0], index=found.names, columns=pd.Index(seeds[seeds >= 0], name="seed")
    )
    mean = repeats.mean(axis=1)
    if published.size:
        # the published mean wins where there is one: it may rest on seeds that were not published
        mean = pd.Series(published[:, 0], index=found.names).fillna(mean)
    return mean.rename("value"), repeats


def _in_words(seeds: list[int], repeats: pd.DataFrame, published: str) -> str:
    if seeds[0] < 0:
        return published
    if len(seeds) == 1:
        return f"training seed {seeds[0]}"
    counts = repeats.notna().sum(axis=1)
    number = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()}-{counts.max()}"
    return f"mean over {number} seed{'s' if counts.max() > 1 else ''}"
