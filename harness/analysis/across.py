"""Metrics over several benchmarks: ranks in every column, and their average over benchmarks.

J columns (an analysis each: benchmark and target), K benchmarks, M metrics, B bootstrap resamples.
"""

import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from zcbench.harness.analysis.friedman import Friedman, friedman, groups
from zcbench.harness.analysis.intervals import FEWEST, percentile
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.resample import WeightedRanks, with_resamples
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.types import Estimate

_BLOCK = 64
"""Resamples that are held at once."""


@dataclass(frozen=True)
class Across:
    """How metrics rank over several benchmarks.

    In every column the metrics are ranked by their Spearman with the truth: 1 is the highest, ties share their
    mean rank. Ranks are averaged over the columns of a benchmark first, then over the benchmarks, so that a
    benchmark with seven tasks weighs as much as one with a single data set. Only metrics with a Spearman in
    every column are ranked: a rank among five is not comparable with a rank among fifteen.

    The columns of one benchmark share architectures, so they are no independent evidence: a benchmark is one
    block of Friedman's test. Nemenyi's difference is then right where its columns rank alike, and cautious
    where they do not, because a mean of several ranks varies less than one rank.

    Attributes:
        benchmarks: K names, sorted.
        metrics: the ranked metrics, the best average rank first.
        average: average rank of each; the interval is that of a bootstrap over architectures, n counts the
            architectures of all benchmarks.
        ranks: float64[J, M], the ranks in each column, in the order of the analyses and of ``metrics``.
        block_ranks: float64[K, M], the mean over the columns of each benchmark.
        missing: the other metrics, with the indices of the columns in which they have a Spearman.
        by_benchmark: Friedman's test with benchmarks as blocks; None for a single benchmark.
        by_column: the same with columns as blocks, which takes targets of one benchmark for independent.
        groups: metrics between which the primary test, see ``test``, finds no difference.
    """

    benchmarks: tuple[str, ...]
    metrics: tuple[str, ...]
    average: tuple[Estimate, ...]
    ranks: NDArray[np.float64]
    block_ranks: NDArray[np.float64]
    missing: Mapping[str, tuple[int, ...]]
    by_benchmark: Friedman | None
    by_column: Friedman
    groups: tuple[tuple[str, ...], ...]

    @property
    def test(self) -> Friedman:
        """The comparison that groups rest on: benchmarks as blocks where there are several, else columns."""
        return self.by_benchmark or self.by_column


def across(analyses: Sequence[Analysis]) -> Across:
    """Rank the metrics over all columns.

    Args:
        analyses: at least two; the resamples and their seed are those of the first.
    """
    present = {
        metric: tuple(j for j, a in enumerate(analyses) if metric in a.table.metrics and _known(a, metric))
        for metric in sorted({m for a in analyses for m in a.table.metrics})
    }
    names = tuple(m for m, columns in present.items() if len(columns) == len(analyses))
    found = {name: _of_benchmark(name, analyses, names) for name in sorted({a.table.benchmark for a in analyses})}
    samples = np.mean([one.mean for one in found.values()], axis=0)  # [1 + B, M]
    order = np.argsort(samples[0], kind="stable")
    ranks = np.empty((len(analyses), len(names)))
    for one in found.values():
        ranks[list(one.columns)] = one.ranks
    blocks = np.stack([one.mean[0] for one in found.values()])
    counts = sum(one.architectures for one in found.values())
    fewest = min((a.estimate(m, "spearman").n for a in analyses for m in names), default=0)
    average = [_estimate(samples[:, i], counts, fewest, _undefined(analyses, names[i])) for i in order]
    metrics = tuple(names[i] for i in order)
    ranks, blocks = ranks[:, order], blocks[:, order]
    test = friedman(blocks) if len(found) > 1 else None
    columns = friedman(ranks)
    return Across(
        tuple(found), metrics, tuple(average), ranks, blocks,
        {m: j for m, j in present.items() if m not in names}, test, columns,
        _alike(metrics, blocks.mean(axis=0), test or columns),
    )  # fmt: skip


def _known(analysis: Analysis, metric: str) -> bool:
    return bool(np.isfinite(analysis.estimate(metric, "spearman").value))


def _undefined(analyses: Sequence[Analysis], metric: str) -> int:
    return sum(a.estimate(metric, "spearman").n_undefined for a in analyses)


def _alike(metrics: tuple[str, ...], average: NDArray[np.float64], test: Friedman) -> tuple[tuple[str, ...], ...]:
    """Return the groups; all metrics in one where Friedman's test does not reject."""
    if len(metrics) < 2:
        return ()
    if not test.rejects:
        return (metrics,)
    return tuple(tuple(metrics[i] for i in one) for one in groups(average, test.critical_difference))


def _estimate(samples: NDArray[np.float64], n: int, fewest: int, n_undefined: int) -> Estimate:
    """Return an average rank with its percentile interval, widened where it leaves the value itself out.

    Resampling adds noise, which pulls the ranks of the best and of the worst metric towards the middle.
    """
    found = percentile(float(samples[0]), samples[1:], n=n, n_undefined=n_undefined)
    if fewest < FEWEST:
        return Estimate(found.value, np.nan, np.nan, n, n_undefined, f"no interval: a column has n = {fewest}")
    low, high = min(found.low, found.value), max(found.high, found.value)
    return Estimate(found.value, low, high, n, n_undefined, found.method)


@dataclass(frozen=True)
class _Ranked:
    """One benchmark: its columns, their ranks [columns, M], and mean ranks on data and resamples [1 + B, M]."""

    columns: tuple[int, ...]
    ranks: NDArray[np.float64]
    mean: NDArray[np.float64]
    architectures: int


def _of_benchmark(name: str, analyses: Sequence[Analysis], metrics: tuple[str, ...]) -> _Ranked:
    """Rank the metrics in every column of one benchmark, on the data and on resamples of its architectures.

    An architecture that is drawn twice is drawn twice in all columns: targets of one benchmark are paired.
    """
    columns = tuple(j for j, a in enumerate(analyses) if a.table.benchmark == name)
    populations = [Population.of(analyses[j].table, analyses[j].undefined) for j in columns]
    everyone = sorted({a for p in populations for a in p.architectures})
    parts = [part for c, p in enumerate(populations) for part in _parts(c, p, everyone, metrics)]
    # A seed of its own for every benchmark: two of the same size would share their resamples otherwise.
    draws = with_resamples(
        len(everyone), resamples=analyses[0].resamples, seed=analyses[0].seed + zlib.crc32(name.encode())
    )
    rho = []
    while block := list(itertools.islice(draws, _BLOCK)):
        w = np.stack(block)
        one = np.full((len(w), len(columns), len(metrics)), np.nan)
        for part in parts:
            one[:, part.column, part.metrics] = part.ranks.correlations(np.take(w, part.rows, axis=1))[:, 1:, 0]
        rho.append(one)
    ranks = rankdata(-np.concatenate(rho), axis=-1)  # a row with NaN becomes NaN
    return _Ranked(columns, ranks[0], ranks.mean(axis=1), len(everyone))


@dataclass(frozen=True)
class _Part:
    """Metrics of one column that rest on the same architectures, and the rows of these."""

    column: int
    metrics: list[int]
    rows: NDArray[np.int64]
    ranks: WeightedRanks


def _parts(column: int, population: Population, everyone: list[str], metrics: tuple[str, ...]) -> Iterator[_Part]:
    place = {architecture: i for i, architecture in enumerate(everyone)}
    at = np.array([place[a] for a in population.architectures], dtype=np.int64)
    members: dict[bytes, list[int]] = {}
    for m, metric in enumerate(metrics):
        index = population.metrics.index(metric)
        members.setdefault(population.members(index, "all").tobytes(), []).append(m)
    for key, found in members.items():
        kept = np.frombuffer(key, dtype=bool)
        scores = [population.scores[population.metrics.index(metrics[m])][kept] for m in found]
        codes = np.stack([population.truth_codes[kept], *scores])
        yield _Part(column, found, at[kept], WeightedRanks(codes, right=1))
