"""One sweep of bootstrap resamples for all metrics, slices and statistics that need them.

Every resample is drawn once for the whole population and then restricted to the architectures that a
statistic rests on, so two metrics are always compared on the same draws. Metrics with the same architectures
share a group, in which truth and controls are ranked once a resample.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.intervals import no_estimate, percentile
from zcbench.harness.analysis.picks import Best, TopPicks, regret
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import LEFT_OUT, why_undefined
from zcbench.harness.analysis.resample import WeightedRanks, partial, with_resamples
from zcbench.harness.analysis.result import OVER_COUNTS, SLICES
from zcbench.harness.types import Estimate

CONTROLS = ("params", "flops")
"""The metrics that partial correlations are given for."""

COUNTS = ("params", "flops", "layers")
"""Counts that need no theory: what a metric is held against in ``spearman_over_counts``."""

REGRETS = {"regret_top1": 1, "regret_top5": 5}

BLOCK_ENTRIES = 1_000_000
"""Counts that are held at once: 8 MB."""

Key = tuple[str, str, str]
"""Slice, metric, statistic."""


@dataclass
class _Group:
    """The metrics and controls that rest on the same architectures.

    Attributes:
        rows: their positions in the population, int64[n].
        metrics: which metrics (indices).
        controls: which of the metrics also serve as controls.
        picks: by metric, for regrets.
    """

    rows: NDArray[np.int64]
    metrics: set[int] = field(default_factory=set)
    controls: set[int] = field(default_factory=set)
    picks: dict[int, TopPicks] = field(default_factory=dict)

    def prepare(self, population: Population) -> None:
        """Sort the columns: the truth, the controls, the other metrics."""
        order = sorted(self.controls) + sorted(self.metrics - self.controls)
        self.at = {metric: 1 + row for row, metric in enumerate(order)}
        codes = np.vstack([population.truth_codes[None, self.rows], population.scores[order][:, self.rows]])
        self.ranks = WeightedRanks(codes, right=1 + len(self.controls))
        self.best = Best(population.truth[self.rows])

    def compute(self, block: NDArray[np.float64]) -> "_Found":
        """Compute everything on B counts of the population, float64[B, A]."""
        # block[:, rows] would lie column by column in memory, and be slow
        w = block if self.rows.size == block.shape[1] else np.take(block, self.rows, axis=1)
        regrets = {}
        if self.picks:
            best = self.best(w)
            for metric, picks in self.picks.items():
                for k in REGRETS.values():
                    regrets[metric, k] = regret(best, picks.expected_best(w, k))
        return _Found(self.ranks.correlations(w), regrets)


class _Found(NamedTuple):
    """What a group gives on B counts."""

    rho: NDArray[np.float64]  # [B, L, right]
    regrets: dict[tuple[int, int], NDArray[np.float64]]  # by metric and k: [B]


def bootstrap_estimates(population: Population, *, resamples: int, seed: int) -> dict[Key, Estimate]:
    """Return Spearman, partial Spearman, regrets and leads over the counts, with their intervals.

    The lead is rho(metric) - max over the trivial counts of rho(count), all on the architectures for which the
    metric and every count have a score. The best count is chosen anew in every resample, so the interval allows
    for its choice; that a reader picks the best of many metrics is not allowed for.

    Args:
        population: scores and truth.
        resamples: number of bootstrap resamples.
        seed: of the resamples.
    """
    groups: dict[bytes, _Group] = {}
    plan = list(_plan(population, groups))
    for group in groups.values():
        group.prepare(population)
    found = _sweep(groups, population.truth.size, resamples=resamples, seed=seed) if groups else {}
    out: dict[Key, Estimate] = {}
    for request in plan:
        if request.why:
            out[request.key] = no_estimate(request.why, n=request.n, n_undefined=request.n_undefined)
            continue
        out[request.key] = _estimate(request, _samples(request, groups[request.group], found[request.group]))
    return out


def _sweep(groups: dict[bytes, _Group], n: int, *, resamples: int, seed: int) -> dict[bytes, _Found]:
    """Return what every group gives on the data themselves and on all resamples, in this order."""
    size = min(64, max(1, BLOCK_ENTRIES // n))
    draws = with_resamples(n, resamples=resamples, seed=seed)
    parts = []
    while block := list(itertools.islice(draws, size)):
        stacked = np.stack(block)
        parts.append({key: group.compute(stacked) for key, group in groups.items()})
    return {key: _joined([part[key] for part in parts]) for key in groups}


def _joined(parts: list[_Found]) -> _Found:
    regrets = {key: np.concatenate([part.regrets[key] for part in parts]) for key in parts[0].regrets}
    return _Found(np.concatenate([part.rho for part in parts]), regrets)


@dataclass(frozen=True)
class _Request:
    key: Key
    group: bytes
    metric: int
    control: int | None
    n: int
    n_undefined: int
    why: str
    rivals: tuple[int, ...] = ()


def _plan(population: Population, groups: dict[bytes, _Group]) -> Iterator[_Request]:
    """Yield what is to be estimated, and register it with the groups."""
    for slice_ in SLICES:
        for metric, name in enumerate(population.metrics):
            members = population.members(metric, slice_)
            n_undefined = population.n_undefined(metric, slice_)
            yield _request((slice_, name, "spearman"), population, groups, members, metric, None, n_undefined)
            for control_name in CONTROLS:
                key = (slice_, name, f"partial_spearman_{control_name}")
                control = population.index(control_name)
                if control is None or control == metric:
                    why = "no scores of" if control is None else "given itself,"
                    yield _Request(key, b"", metric, None, 0, n_undefined, f"undefined: {why} {control_name}")
                    continue
                both = members & (population.scores[control] != LEFT_OUT)
                yield _request(key, population, groups, both, metric, control, n_undefined)
            if slice_ == "all":
                for statistic in REGRETS:
                    yield _request((slice_, name, statistic), population, groups, members, metric, None, n_undefined)
                yield _over_counts(name, population, groups, members, metric, n_undefined)


def _over_counts(
    name: str, population: Population, groups: dict[bytes, _Group], members: NDArray[np.bool_], metric: int,
    n_undefined: int,
) -> _Request:
    """Ask for the lead of a metric over the best trivial count."""
    key = ("all", name, OVER_COUNTS)
    rivals = tuple(i for i in map(population.index, COUNTS) if i is not None)
    if name in COUNTS or not rivals:
        why = "a trivial count itself" if name in COUNTS else "no scores of a trivial count"
        return _Request(key, b"", metric, None, 0, n_undefined, f"undefined: {why}")
    both = members & (population.scores[list(rivals)] != LEFT_OUT).all(axis=0)
    request = replace(_request(key, population, groups, both, metric, None, n_undefined), rivals=rivals)
    if not request.why:
        groups[request.group].metrics.update(rivals)
    return request


def _request(
    key: Key,
    population: Population,
    groups: dict[bytes, _Group],
    members: NDArray[np.bool_],
    metric: int,
    control: int | None,
    n_undefined: int,
) -> _Request:
    rows = np.flatnonzero(members)
    score, truth = population.scores[metric][rows], population.truth_codes[rows]
    why = why_undefined(score, truth)
    name = members.tobytes()
    if not why:
        group = groups.setdefault(name, _Group(rows))
        group.metrics.add(metric)
        if control is not None:
            group.controls.add(control)
        if key[2] in REGRETS and metric not in group.picks:
            group.picks[metric] = TopPicks(score, population.truth[rows])
    return _Request(key, name, metric, control, rows.size, n_undefined, why)


def _samples(request: _Request, group: _Group, found: _Found) -> NDArray[np.float64]:
    """Return the statistic on the data themselves and on every resample, float64[1 + B]."""
    statistic, x = request.key[2], group.at[request.metric]
    if statistic in REGRETS:
        return found.regrets[request.metric, REGRETS[statistic]]
    rho = found.rho
    if request.rivals:
        best = np.fmax.reduce([rho[:, group.at[rival], 0] for rival in request.rivals])
        return np.asarray(rho[:, x, 0] - best)
    if request.control is None:
        return rho[:, x, 0]
    z = group.at[request.control]
    return partial(rho[:, x, 0], rho[:, x, z], rho[:, z, 0])


def _estimate(request: _Request, samples: NDArray[np.float64]) -> Estimate:
    n, n_undefined = request.n, request.n_undefined
    if math.isnan(samples[0]):
        why = "the counts are constant" if request.rivals else "the control decides the ranks"
        return no_estimate(f"undefined: {why}", n=n, n_undefined=n_undefined)
    return percentile(float(samples[0]), samples[1:], n=n, n_undefined=n_undefined)
