"""What a shared result says, and what a leaderboard shows: frozen values; imports no torch.

A `Result` is the content of one JSON file: one metric in one version on one benchmark, from one person. A `Board` is
what many results together say: an `Entry` for every number, with who confirmed it, and a `Disagreement` wherever two
results cannot both be right. `zcbench.harness.results.merge` makes the one from the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from zcbench.harness.types import Estimate, Seconds

LOWER_IS_BETTER = ("regret_top1", "regret_top5")
"""Statistics of which a low value is the better one; of all others a high one is."""

UNNAMED = "unnamed"
"""What somebody is called who gave no name."""


@dataclass(frozen=True, slots=True)
class MetricIdentity:
    """Which metric was measured; two results are about the same one only if all of this is equal.

    Attributes:
        name: the metric's name with its non-default parameters, e.g. ``swap(repeats=32)``.
        version: its version, which rises whenever a score changes.
        higher_is_better: whether a high score predicts a high accuracy.
        cite: the citation.
        code: digest of the code of a metric that does not come with zcbench; empty for one that does.
        components: of an aggregate, the metrics that it ranks by, each with its version (``zico v1``); else empty.
    """

    name: str
    version: int
    higher_is_better: bool
    cite: str
    code: str = ""
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """What scores were held against.

    Attributes:
        target: what the ground truth is called, e.g. ``cifar10`` or ``autoencoder/ssim``.
        measure: what it is: ``accuracy``, ``ssim``, ``edgegpu_latency``, ...
        kind: how it came about: ``trained``, ``surrogate``, ``measured`` or ``synthetic``.
        source: the table that it comes from.
        split: the part of the dataset; ``hardware`` for a cost on a device.
        epochs: length of the training; -1 for the last epoch of a training of unstated length.
        description: all of it in one sentence.
        digest: sixteen hexadecimal digits that identify the values on the architectures of the measurement.
    """

    target: str
    measure: str
    kind: str
    source: str
    split: str
    epochs: int
    description: str
    digest: str


@dataclass(frozen=True, slots=True)
class RecipeIdentity:
    """How scores were made.

    Attributes:
        digest: sixteen hexadecimal digits that identify the recipe of all initialisation seeds together.
        words: the recipe in one sentence.
        dataset: images of the mini-batch.
        batch_size: N.
        init: name and version of the weight initialisation.
        seeds: the initialisation seeds whose mean the score is.
    """

    digest: str
    words: str
    dataset: str
    batch_size: int
    init: str
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Architectures:
    """The set of architectures that a measurement is about: those that have a row of the metric and a truth.

    Attributes:
        number: how many.
        digest: sixteen hexadecimal digits that identify the set.
        population: name of the subset of the search space that they were taken from, e.g. ``all``.
        without_truth: architectures of the store that were left out, because they have no truth.
    """

    number: int
    digest: str
    population: str
    without_truth: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of the metric, counted over architectures and seeds."""

    ok: int
    undefined: int
    failed: int


@dataclass(frozen=True, slots=True)
class Statistic:
    """One number.

    Attributes:
        slice: ``all``, or ``top10_truth`` (the best 10 % by truth).
        name: ``spearman``, ``kendall``, ``partial_spearman_params``, ``precision_at_10``, ...
        estimate: value, 95 % interval (NaN where there is none), counts and method.
    """

    slice: str
    name: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric held against one truth on one set of architectures.

    Attributes:
        truth: what it was held against.
        architectures: which ones.
        recipe: how the scores were made.
        scores: sixteen hexadecimal digits that identify the scores of all architectures, bit for bit.
        undefined: what was done with architectures without a score: ``drop`` or ``worst``.
        resamples: bootstrap resamples of the intervals.
        coverage: counts.
        seconds: median cost of one score; NaN where nothing was timed.
        statistics: the numbers.
    """

    truth: Truth
    architectures: Architectures
    recipe: RecipeIdentity
    scores: str
    undefined: str
    resamples: int
    coverage: Coverage
    seconds: Seconds
    statistics: tuple[Statistic, ...]


@dataclass(frozen=True)
class Result:
    """The content of one file: one metric in one version on one benchmark, from one person.

    Attributes:
        metric: which metric.
        benchmark: the benchmark's name.
        space: search space and version, ``name@version``.
        by: who hands it in; empty where nobody said.
        measurements: one for each truth.
        environments: where the scores were computed, the one with most rows first.
        provenance: how the file was written (versions, time); no part of what it says.
        file: where it was read from, relative to the folder that was named; empty before it is written.
    """

    metric: MetricIdentity
    benchmark: str
    space: str
    by: str
    measurements: tuple[Measurement, ...]
    environments: tuple[Mapping[str, str], ...]
    provenance: Mapping[str, str] = field(default_factory=dict)
    file: str = ""


@dataclass(frozen=True)
class Submission:
    """Who measured an entry, and where.

    Attributes:
        by: who handed it in; `UNNAMED` where nobody said.
        environment: processor, device, threads and versions in one short phrase.
        environments: everything that was recorded of the machines, a mapping for each.
        zcbench: version of zcbench that computed the scores.
        file: the file, relative to the folder that was named.
        seconds: median cost of one score there.
        identical: whether its scores are those of the entry's first submission bit for bit.
    """

    by: str
    environment: str
    environments: tuple[Mapping[str, str], ...]
    zcbench: str
    file: str
    seconds: Seconds
    identical: bool


@dataclass(frozen=True)
class Entry:
    """One row of the board: one number, with all that one must know to read it.

    Attributes:
        key: sixteen hexadecimal digits that identify the row, for a permalink; they stay the same when results are
            added that agree with it.
        metric: which metric.
        benchmark: the benchmark's name.
        space: search space and version.
        truth: what it was held against.
        architectures: on which architectures.
        recipe: how the scores were made.
        undefined: policy for architectures without a score, ``drop`` or ``worst``.
        resamples: bootstrap resamples of the interval.
        slice: ``all`` or ``top10_truth``.
        statistic: ``spearman``, ``kendall``, ...
        estimate: value, interval, n and n_undefined, as the first submission has them.
        coverage: counts over architectures and seeds, likewise.
        seconds: median cost of one score, likewise; machines differ, see the submissions for the others.
        submissions: who measured it, at least one; those after the first confirm it.
        disagreements: keys of the disagreements that this row is part of.
    """

    key: str
    metric: MetricIdentity
    benchmark: str
    space: str
    truth: Truth
    architectures: Architectures
    recipe: RecipeIdentity
    undefined: str
    resamples: int
    slice: str
    statistic: str
    estimate: Estimate
    coverage: Coverage
    seconds: Seconds
    submissions: tuple[Submission, ...]
    disagreements: tuple[str, ...] = ()

    @property
    def confirmed_by(self) -> tuple[str, ...]:
        """Who else measured the same, after the first submission."""
        return tuple(submission.by for submission in self.submissions[1:])


class DisagreementKind(StrEnum):
    """What two results cannot agree on."""

    ESTIMATES = "estimates"
    """The same measurement gave different numbers."""

    TRUTH = "truth"
    """The same name of a ground truth stands for different values on the same architectures."""

    METRIC = "metric"
    """The same name and version of a metric stand for different code, direction, components or citation."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a disagreement.

    Attributes:
        by: who holds it, sorted.
        files: the files that say so, sorted.
        says: what it says, in a short phrase with its numbers.
        entries: keys of the rows of the board.
    """

    by: tuple[str, ...]
    files: tuple[str, ...]
    says: str
    entries: tuple[str, ...]


@dataclass(frozen=True)
class Disagreement:
    """Results that cannot both be right, or that are not about the same thing under one name.

    Attributes:
        key: sixteen hexadecimal digits that identify it, for a permalink.
        kind: what it is about.
        metric: the metric's name; empty where it is about the truth, whatever the metric.
        version: its version; 0 where it is about the truth.
        benchmark: the benchmark; empty where it is about the metric everywhere.
        target: the target, of several the one against which they differ most; empty where it is about the metric
            everywhere.
        what: one sentence that says what differs.
        sides: two or more.
        causes: what could be behind it: each way in which the environments differ, in a short phrase.
    """

    key: str
    kind: DisagreementKind
    metric: str
    version: int
    benchmark: str
    target: str
    what: str
    sides: tuple[Side, ...]
    causes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """All of it in one line, for a terminal."""
        sides = "; ".join(f"{' and '.join(side.by)} ({side.files[0]}): {side.says}" for side in self.sides)
        causes = f". Could be behind it: {'; '.join(self.causes)}" if self.causes else ""
        return f"{self.what}: {sides}{causes}"


@dataclass(frozen=True)
class Board:
    """What a folder of results says.

    Attributes:
        entries: sorted by benchmark, target, slice, statistic, and then from the best to the worst value.
        disagreements: sorted by metric, benchmark and target.
        files: number of files that were read.
        notes: what a reader should know besides, such as files that were left out, a sentence each.
    """

    entries: tuple[Entry, ...]
    disagreements: tuple[Disagreement, ...]
    files: int
    notes: tuple[str, ...] = ()
