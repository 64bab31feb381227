"""What one file of shared results says: frozen values; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zcbench.harness.types import Estimate, Seconds


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
