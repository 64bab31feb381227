"""The resamples of a comparison: every correlation that it needs, on the data and under the same draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import LEFT_OUT, tenth, top_slice
from zcbench.harness.analysis.resample import WeightedRanks, with_resamples
from zcbench.harness.analysis.resampled_tau import ResampledTau
from zcbench.harness.analysis.versus.parts import CONTROLS, Slice
from zcbench.harness.errors import ZcbenchError, unknown

BLOCK = 64
"""Resamples whose counts are held as floating point at once."""

TRUTH = -1
"""Stands for the truth where a metric's index is asked for."""

Rows = NDArray[np.bool_]
"""Which architectures of the population, bool[A]."""


def restricted(table: ScoreTable, candidate: str, baselines: Sequence[str]) -> ScoreTable:
    """Return a table of the architectures that the candidate was tried on, with those metrics that are compared.

    So neither further metrics nor further architectures of a store change a comparison.

    Args:
        table: scores and truth.
        candidate: its name.
        baselines: names; those that the table lacks are not in the result.

    Raises:
        ZcbenchError: the table has no scores of the candidate, or none with a truth.
    """
    if candidate not in table.metrics:
        raise unknown(f"metric of the scores of {table.benchmark}", candidate, table.metrics)
    names = sorted({candidate, *baselines, *CONTROLS} & set(table.metrics))
    columns = [table.metrics.index(name) for name in names]
    tried = (table.outcome[:, table.metrics.index(candidate)] != "").any(axis=1) & ~np.isnan(table.truth)
    rows = np.flatnonzero(tried).tolist()
    if not rows:
        raise ZcbenchError(
            f"{candidate} was scored on none of the architectures of {table.benchmark} that have a truth "
            f"({table.target}): score it on some of them first"
        )
    both = np.ix_(rows, columns)
    return replace(
        table,
        architectures=tuple(table.architectures[a] for a in rows),
        metrics=tuple(names),
        higher_is_better=tuple(table.higher_is_better[m] for m in columns),
        versions=tuple(table.versions[m] for m in columns) if table.versions else (),
        values=table.values[both], outcome=table.outcome[both], reason=table.reason[both],
        seconds_standalone=table.seconds_standalone[both], seconds_marginal=table.seconds_marginal[both],
        truth=table.truth[rows], repeats=table.repeats[rows],
    )  # fmt: skip


def own_scores(population: Population) -> NDArray[np.bool_]:
    """Select the scores that a metric gave itself, bool[M, A]: neither left out, nor ranked last by the policy."""
    return np.asarray((population.scores != LEFT_OUT) & ~population.failed)


@dataclass
class _Group:
    """The metrics whose correlations are wanted on the same architectures.

    Attributes:
        rows: their positions in the population, int64[n].
        metrics: the other metrics, besides those that everything is correlated with.
    """

    rows: NDArray[np.int64]
    metrics: set[int] = field(default_factory=set)
    rho: NDArray[np.float64] | None = None


class Resampled:
    """Correlations of a population's metrics with its truth, with a candidate and with the counts, under all draws.

    Ask for everything first, so that what rests on the same architectures is ranked together; then read. The draws
    are those of ``study.analyse`` with the same seed on the same architectures; a slice, or the architectures that two
    metrics share, restrict each draw.

    Args:
        population: A architectures, M metrics.
        candidate: its index.
        resamples: B.
        seed: of the draws.
    """

    def __init__(self, population: Population, candidate: int, *, resamples: int, seed: int) -> None:
        self.population = population
        self.candidate = candidate
        self.controls = tuple(i for i in map(population.index, CONTROLS) if i is not None and i != candidate)
        draws = with_resamples(population.truth.size, resamples=resamples, seed=seed)
        self._counts = np.stack([w.astype(np.uint16) for w in draws])
        self._groups: dict[bytes, _Group] = {}
        self._tau: dict[tuple[bytes, int], tuple[NDArray[np.float64], str]] = {}
        self._last: tuple[bytes, ResampledTau] | None = None

    @property
    def _right(self) -> tuple[int, ...]:
        """What every column of a group is correlated with; of these a group has those that are complete in it."""
        return (TRUTH, self.candidate, *self.controls)

    def rows(self, metrics: Iterable[int], slice_: Slice = "all") -> Rows:
        """Select the architectures of a slice that have a rank in all these metrics under the policy."""
        inside = (self.population.scores[list(metrics)] != LEFT_OUT).all(axis=0)
        return np.asarray(inside & self.inside(slice_))

    def own(self, metrics: Iterable[int]) -> Rows:
        """Select the architectures on which all these metrics have a score of their own, see ``own_scores``."""
        return np.asarray(own_scores(self.population)[list(metrics)].all(axis=0))

    def inside(self, slice_: Slice) -> Rows:
        """Select the architectures of a slice, with scores or without."""
        truth = self.population.truth_codes
        return top_slice(truth, tenth(truth.size)) if slice_ == "top10_truth" else np.ones(truth.size, dtype=bool)

    def ask(self, rows: Rows, metrics: Iterable[int]) -> None:
        """Announce that correlations of these metrics on these architectures will be read."""
        group = self._groups.setdefault(rows.tobytes(), _Group(np.flatnonzero(rows)))
        new = set(metrics) - group.metrics
        if new:
            group.metrics |= new
            group.rho = None

    def rho(self, rows: Rows, first: int, second: int = TRUTH) -> NDArray[np.float64]:
        """Return Spearman's rho on the data, then under every draw, float64[1 + B]; NaN where it does not exist.

        Args:
            rows: architectures that have both.
            first: a metric, or ``TRUTH``.
            second: the same; one of the two is the truth, the candidate or a count.
        """
        self.ask(rows, {first, second} - {TRUTH})
        group = self._groups[rows.tobytes()]
        order, right = self._order(group)
        if group.rho is None:
            group.rho = self._correlations(group.rows, order, right)
        left, other = order.index(first), order.index(second)
        if other >= right:
            left, other = other, left
        return group.rho[:, left, other]

    def tau(self, rows: Rows, metric: int) -> tuple[NDArray[np.float64], str]:
        """Return tau-b with the truth on the data, then under every draw, and what is to be said of the method."""
        key = rows.tobytes()
        if (key, metric) not in self._tau:
            at = np.flatnonzero(rows)
            if self._last is None or self._last[0] != key:  # one at a time: it holds a copy of the counts
                self._last = key, ResampledTau(self.population.truth_codes[at], self._counts[:, at])
            tau = self._last[1]
            self._tau[key, metric] = tau.of(self.population.scores[metric][at]), tau.method
        return self._tau[key, metric]

    def _order(self, group: _Group) -> tuple[list[int], int]:
        """Return the columns of a group, and how many of the first are those that all are correlated with."""
        right = [m for m in self._right if m == TRUTH or m in group.metrics]
        return [*right, *sorted(group.metrics - set(right))], len(right)

    def _correlations(self, rows: NDArray[np.int64], order: list[int], right: int) -> NDArray[np.float64]:
        columns = [self.population.truth_codes if m == TRUTH else self.population.scores[m] for m in order]
        ranks = WeightedRanks(np.stack([c[rows] for c in columns]), right=right)
        found = []
        for first in range(0, len(self._counts), BLOCK):
            block = np.take(self._counts[first : first + BLOCK], rows, axis=1).astype(np.float64)
            found.append(ranks.correlations(block))
        return np.concatenate(found)
