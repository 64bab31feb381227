"""What a leaderboard shows: frozen values; imports no torch.

A `Result` is the content of one JSON file: one metric in one version on one benchmark, from one person. A `Board` is
what many results together say: an `Entry` for every number, with who confirmed it, and a `Disagreement` wherever two
results cannot both be right. `zcbench.harness.results.merge` makes the one from the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from zcbench.harness.results.result import Architectures, Coverage, MetricIdentity, RecipeIdentity, Result, Truth
from zcbench.harness.types import Estimate, Seconds

__all__ = [
    "LOWER_IS_BETTER", "UNNAMED", "Architectures", "Board", "Coverage", "Disagreement", "DisagreementKind", "Entry",
    "MetricIdentity", "RecipeIdentity", "Result", "Side", "Submission", "Truth",
]  # fmt: skip

LOWER_IS_BETTER = ("regret_top1", "regret_top5")
"""Statistics of which a low value is the better one; of all others a high one is."""

UNNAMED = "unnamed"
"""What somebody is called who gave no name."""


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
