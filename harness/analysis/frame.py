"""Scores and truth side by side: the arrays that every statistic starts from.

The truth is whatever training or measuring gave, higher being called better: an accuracy in [0, 1], another
figure of merit (SSIM, negative loss), or a cost of the architecture, of which a high value is merely high.

A architectures, M metrics, S initialisation seeds, R training repeats.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zcbench.harness.analysis.cube import KEY, Cube
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.types import Outcome

COLUMNS = (
    "benchmark", "architecture", "metric", "version", "dataset", "batch_size", "init", "init_seed",
    "value", "outcome", "reason", "seconds_standalone", "seconds_marginal",
)  # fmt: skip
"""The columns of an export of scores."""


class Truth(Protocol):
    """What the analysis asks of a ground truth; ``zcbench.datasets.truth.Target`` is one."""

    @property
    def name(self) -> str:
        """What the truth is called: its dataset, with the metric where the dataset alone does not say it."""

    @property
    def metric(self) -> str:
        """What was measured: ``accuracy`` (a fraction in [0, 1]), ``ssim``, ``edgegpu_latency``, ..."""

    @property
    def source(self) -> str:
        """The table that the values come from."""

    @property
    def kind(self) -> str:
        """How the values came about: ``trained``, ``surrogate``, ``measured`` (on a device) or ``synthetic``."""

    @property
    def mean(self) -> pd.Series:
        """Mean over the training seeds, indexed by architecture."""

    @property
    def repeats(self) -> pd.DataFrame:
        """One value a training seed, architecture x seed; without rows or columns where unknown."""

    def describe(self) -> str:
        """Return one sentence: dataset, split, epochs, seeds, source, kind."""


@dataclass(frozen=True)
class ScoreTable:
    """Scores of M metrics on A architectures beside their ground truth.

    Attributes:
        benchmark: the benchmark's name.
        target: name of the ground truth, e.g. ``cifar10`` or ``autoencoder/ssim``.
        source: the ground truth's source.
        truth_description: one sentence: dataset, split, epochs, seeds, source, kind.
        recipe: one sentence: dataset, batch size, initialisation of the scores.
        population: name of the set of architectures, e.g. ``all``.
        architectures: A ids.
        metrics: M names as in exports.
        higher_is_better: M flags: whether a high score predicts a high accuracy.
        values: float64[A, M, S]; NaN where the outcome is not ok.
        outcome: str[A, M, S]: ok, undefined, failed, or empty where there is no row.
        reason: str[A, M, S].
        seconds_standalone: float64[A, M, S].
        seconds_marginal: float64[A, M, S].
        truth: float64[A], what the scores are held against, in the unit of ``measure``.
        repeats: float64[A, R], the same for each training seed; R = 0 where the source has only means.
        versions: M versions of the metrics; empty where unknown.
        seeds: S initialisation seeds; empty where unknown.
        without_truth: architectures that were scored but left out, because they have no truth.
        measure: what the truth is: ``accuracy...`` is a fraction in [0, 1], others are in a unit of their own.
        kind: how the truth came about: ``trained``, ``surrogate`` (predicted, nobody trained these
            architectures), ``measured`` (on a device) or ``synthetic``.
    """

    benchmark: str
    target: str
    source: str
    truth_description: str
    recipe: str
    population: str
    architectures: tuple[str, ...]
    metrics: tuple[str, ...]
    higher_is_better: tuple[bool, ...]
    values: NDArray[np.float64]
    outcome: NDArray[np.str_]
    reason: NDArray[np.str_]
    seconds_standalone: NDArray[np.float64]
    seconds_marginal: NDArray[np.float64]
    truth: NDArray[np.float64]
    repeats: NDArray[np.float64]
    versions: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()
    without_truth: int = 0
    measure: str = "accuracy"
    kind: str = "trained"

    def __post_init__(self) -> None:
        shape = (len(self.architectures), len(self.metrics))
        if self.values.shape[:2] != shape or self.truth.shape != shape[:1]:
            raise ZcbenchError(f"scores {self.values.shape} and truth {self.truth.shape} do not fit {shape}")

    @property
    def signed(self) -> NDArray[np.float64]:
        """Mean score over the seeds that have a row, float64[A, M], negated where low is better.

        NaN where there is no row, and where some seed is undefined or failed: a mean over the lucky seeds
        would be another score.
        """
        sign = np.where(np.array(self.higher_is_better, dtype=bool), 1.0, -1.0)
        tried = self.outcome != ""
        total = np.where(tried, self.values, 0.0).sum(axis=2)
        return np.asarray(np.where(tried.any(axis=2), total / np.maximum(tried.sum(axis=2), 1), np.nan) * sign)

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Whether a metric was tried and has no value, bool[A, M]: some seed is undefined or failed."""
        return np.asarray(np.isin(self.outcome, [Outcome.UNDEFINED, Outcome.FAILED]).any(axis=2))

    def of_seed(self, index: int) -> "ScoreTable":
        """Return the table with one of the S initialisation seeds alone."""
        return self.of_seeds([index])

    def of_seeds(self, indices: Sequence[int]) -> "ScoreTable":
        """Return the table with some of the S initialisation seeds."""
        some = np.s_[:, :, list(indices)]
        return replace(
            self, values=self.values[some], outcome=self.outcome[some], reason=self.reason[some],
            seconds_standalone=self.seconds_standalone[some], seconds_marginal=self.seconds_marginal[some],
            seeds=tuple(self.seeds[s] for s in indices) if self.seeds else (),
        )  # fmt: skip

    def frame(self) -> pd.DataFrame:
        """Return one row an architecture: the truth and the mean score of every metric."""
        frame = pd.DataFrame(self.signed, columns=list(self.metrics))
        frame.insert(0, "truth", self.truth)
        frame.insert(0, "architecture", self.architectures)
        return frame


def assemble(
    scores: pd.DataFrame,
    target: Truth,
    *,
    benchmark: str,
    higher_is_better: Mapping[str, bool],
    population: str = "all",
    keep: Callable[[str], bool] | None = None,
    recipe: str = "",
) -> ScoreTable:
    """Join exported scores with a ground truth.

    Architectures and metrics come out sorted by name, whatever the order of the rows. Of a metric that is
    present in several versions the highest is kept. Architectures without truth are left out and counted.

    Args:
        scores: rows with the columns of an export, of one dataset, batch size and initialisation.
        target: the ground truth.
        benchmark: rows of other benchmarks are ignored.
        higher_is_better: by metric, with or without its parameters in brackets.
        population: name of the set of architectures that ``keep`` selects.
        keep: which architectures belong to the population; None keeps all.
        recipe: one sentence on how the scores were made; made from the rows when empty.

    Raises:
        ZcbenchError: columns are missing, rows are of several recipes or repeated, a metric is unknown, or no
            scored architecture has truth.
    """
    rows = _select(scores, benchmark, keep)
    mean = target.mean.dropna()
    _check_unique(mean.index, f"the truth {target.describe()}")
    scored = rows["architecture"].unique()
    known = sorted(set(scored) & set(mean.index))
    if not known:
        raise ZcbenchError(
            f'none of the {len(scored)} scored architectures of "{benchmark}" (population "{population}") '
            f"has a ground truth in {target.describe()}; score other architectures or take another target"
        )
    rows = rows[rows["architecture"].isin(known)]
    metrics, seeds = sorted(rows["metric"].unique()), sorted(rows["init_seed"].unique())
    cube = Cube(rows, known, metrics, seeds)
    repeats = target.repeats.reindex(known)
    return ScoreTable(
        benchmark=benchmark, target=target.name, source=target.source,
        truth_description=target.describe(), recipe=recipe or _recipe(rows, seeds), population=population,
        architectures=tuple(known), metrics=tuple(metrics),
        higher_is_better=tuple(_direction(name, higher_is_better) for name in metrics),
        values=np.where(cube.text("outcome") == Outcome.OK, cube.number("value"), np.nan),
        outcome=cube.text("outcome"), reason=cube.text("reason"),
        seconds_standalone=cube.number("seconds_standalone"),
        seconds_marginal=cube.number("seconds_marginal"),
        truth=mean.loc[known].to_numpy(dtype=np.float64), repeats=repeats.to_numpy(dtype=np.float64),
        versions=tuple(int(v) for v in rows.groupby("metric")["version"].max().loc[metrics]),
        seeds=tuple(int(s) for s in seeds), without_truth=len(scored) - len(known), measure=target.metric,
        kind=target.kind,
    )  # fmt: skip


def _select(scores: pd.DataFrame, benchmark: str, keep: Callable[[str], bool] | None) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in scores.columns]
    if missing:
        raise ZcbenchError(f"the scores lack the columns {', '.join(missing)}; are they a zcbench export?")
    rows = scores[scores["benchmark"] == benchmark]
    if keep is not None:
        kept = {name: keep(name) for name in rows["architecture"].unique()}
        rows = rows[rows["architecture"].map(kept).astype(bool)]
    if rows.empty:
        raise ZcbenchError(f'there are no scores of benchmark "{benchmark}" in the chosen population')
    rows = rows[rows["version"] == rows.groupby("metric")["version"].transform("max")]
    for column in ("dataset", "batch_size", "init"):
        found = sorted(rows[column].unique())
        if len(found) > 1:
            raise ZcbenchError(f"the scores mix several values of {column}: {found}; choose one")
    _check_unique(pd.MultiIndex.from_frame(rows[KEY]), "the scores")
    return rows


def _check_unique(index: pd.Index, what: str) -> None:
    if index.has_duplicates:
        raise ZcbenchError(f"{what}: several rows for {index[index.duplicated()][0]}")


def _recipe(rows: pd.DataFrame, seeds: list[int]) -> str:
    first = rows.iloc[0]
    return (
        f"dataset {first['dataset']}, batch size {first['batch_size']}, initialisation {first['init']}, "
        f"{len(seeds)} initialisation seed{'s' if len(seeds) > 1 else ''}"
    )


def _direction(metric: str, higher_is_better: Mapping[str, bool]) -> bool:
    for name in (metric, metric.split("(")[0]):
        if name in higher_is_better:
            return higher_is_better[name]
    raise unknown("metric", metric, higher_is_better)
