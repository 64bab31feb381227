"""One sweep of bootstrap resamples for all metrics, slices and statistics that need them.

Every resample is drawn once for the whole population and then restricted to the architectures that a
statistic rests on, so two metrics are always compared on the same draws. Metrics with the same architectures
share a group, in which truth and controls are ranked once a resample.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.intervals import no_estimate, percentile
from zcbench.harness.analysis.picks import TopPicks
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import LEFT_OUT, why_undefined
from zcbench.harness.analysis.resample import WeightedRanks, counts, partial
from zcbench.harness.analysis.result import SLICES
from zcbench.harness.types import Estimate

CONTROLS = ("params", "flops")
"""The metrics that partial correlations are given for."""

REGRETS = {"regret_top1": 1, "regret_top5": 5}

BLOCK_ENTRIES = 4_000_000
"""Counts held at once: 32 MB."""

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
        rho: float64[L, right] for the data themselves and each resample.
        regrets: by metric and k, float64[B_block] for the data themselves and each block.
    """

    rows: NDArray[np.int64]
    metrics: set[int] = field(default_factory=set)
    controls: set[int] = field(default_factory=set)
    picks: dict[int, TopPicks] = field(default_factory=dict)
    rho: list[NDArray[np.float64]] = field(default_factory=list)
    regrets: dict[tuple[int, int], list[NDArray[np.float64]]] = field(default_factory=dict)

    def prepare(self, population: Population) -> None:
        """Sort the columns: the truth, the controls, the other metrics."""
        order = sorted(self.controls) + sorted(self.metrics - self.controls)
        self.at = {metric: 1 + row for row, metric in enumerate(order)}
        codes = np.vstack([population.truth_codes[None, self.rows], population.scores[order][:, self.rows]])
        self.ranks = WeightedRanks(codes, right=1 + len(self.controls))
        self.truth = population.truth[self.rows]

    def take(self, block: NDArray[np.float64]) -> None:
        """Compute everything on a block of counts of the population, float64[B_block, A]."""
        block = block[:, self.rows]
        self.rho.extend(self.ranks.correlations(w) for w in block)
        if self.picks:
            best = np.where(block > 0, self.truth, -np.inf).max(axis=1)
            for metric, picks in self.picks.items():
                for k in REGRETS.values():
                    with np.errstate(invalid="ignore"):  # no row of the group drawn: -inf - -inf is NaN
                        regret = np.maximum(best - picks.expected_best(block, k), 0.0)
                    self.regrets.setdefault((metric, k), []).append(regret)


def bootstrap_estimates(population: Population, *, resamples: int, seed: int) -> dict[Key, Estimate]:
    """Return Spearman, partial Spearman and regrets of all metrics on all slices, with their intervals.

    Args:
        population: scores and truth.
        resamples: number of bootstrap resamples.
        seed: of the resamples.
    """
    groups: dict[bytes, _Group] = {}
    plan = list(_plan(population, groups))
    for group in groups.values():
        group.prepare(population)
    n = population.truth.size
    for block in _blocks(n, resamples=resamples, seed=seed):
        for group in groups.values():
            group.take(block)
    stacked = {key: np.stack(group.rho) for key, group in groups.items()}
    out: dict[Key, Estimate] = {}
    for request in plan:
        if request.why:
            out[request.key] = no_estimate(request.why, n=request.n, n_undefined=request.n_undefined)
            continue
        samples = _samples(request, groups[request.group], stacked[request.group])
        out[request.key] = _estimate(request, samples)
    return out


@dataclass(frozen=True)
class _Request:
    key: Key
    group: bytes
    metric: int
    control: int | None
    n: int
    n_undefined: int
    why: str


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
                    yield _request(
                        (slice_, name, statistic), population, groups, members, metric, None, n_undefined
                    )


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


def _blocks(n: int, *, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield counts in blocks, float64[B_block, n]; the first block is the data themselves."""
    yield np.ones((1, n))
    size = min(64, max(1, BLOCK_ENTRIES // max(n, 1)))
    draws = list[NDArray[np.float64]]()
    for w in counts(n, resamples=resamples, seed=seed) if n else ():
        draws.append(w)
        if len(draws) == size:
            yield np.stack(draws)
            draws.clear()
    if draws:
        yield np.stack(draws)


def _samples(request: _Request, group: _Group, rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the statistic on the data themselves and on every resample, float64[1 + B]."""
    statistic, x = request.key[2], group.at[request.metric]
    if statistic in REGRETS:
        return np.concatenate(group.regrets[request.metric, REGRETS[statistic]])
    if request.control is None:
        return rho[:, x, 0]
    z = group.at[request.control]
    return partial(rho[:, x, 0], rho[:, x, z], rho[:, z, 0])


def _estimate(request: _Request, samples: NDArray[np.float64]) -> Estimate:
    n, n_undefined = request.n, request.n_undefined
    if math.isnan(samples[0]):
        return no_estimate("undefined: the control decides the ranks", n=n, n_undefined=n_undefined)
    return percentile(float(samples[0]), samples[1:], n=n, n_undefined=n_undefined)
