"""The candidate's rank correlations beside those of every baseline, and the tests of their differences."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.dependent import kendall_left_out, p_of_difference, spearman_left_out
from zcbench.harness.analysis.holm import holm
from zcbench.harness.analysis.intervals import no_estimate, percentile
from zcbench.harness.analysis.ranks import why_undefined
from zcbench.harness.analysis.versus.parts import SLICES, STATISTICS, Difference, Slice, Standing, Statistic
from zcbench.harness.analysis.versus.result import Family
from zcbench.harness.analysis.versus.samples import Resampled, Rows
from zcbench.harness.types import Estimate

_LEFT_OUT = {"spearman": spearman_left_out, "kendall": kendall_left_out}


def ask(samples: Resampled, baselines: Sequence[str]) -> None:
    """Announce everything that ``standings`` and ``differences`` will read."""
    ours = samples.candidate
    for slice_ in SLICES:
        samples.ask(samples.rows([ours], slice_), [ours])
        for name in baselines:
            theirs = samples.population.index(name)
            if theirs is not None:
                samples.ask(samples.rows([theirs], slice_), [theirs])
                samples.ask(samples.rows([ours, theirs], slice_), [ours, theirs])


def standings(samples: Resampled, candidate: str, baselines: Sequence[str]) -> Iterator[Standing]:
    """Yield the correlation with the truth of the candidate, then of every baseline, by slice and statistic."""
    for name in (candidate, *baselines):
        metric = samples.population.index(name)
        for slice_ in SLICES:
            for statistic in STATISTICS:
                yield Standing(name, slice_, statistic, _standing(samples, metric, slice_, statistic))


def _standing(samples: Resampled, metric: int | None, slice_: Slice, statistic: Statistic) -> Estimate:
    if metric is None:
        return no_estimate("undefined: no scores", n_undefined=0)
    rows = samples.rows([metric], slice_)
    lost = int((samples.population.failed[metric] & samples.inside(slice_)).sum())
    why = _why(samples, metric, rows)
    if why:
        return no_estimate(why, n=int(rows.sum()), n_undefined=lost)
    found, method = _drawn(samples, rows, metric, statistic)
    return _percentile(found, int(rows.sum()), lost, method)


def differences(samples: Resampled, baselines: Sequence[str]) -> Iterator[Difference]:
    """Yield one difference for every baseline, slice and statistic; p is not adjusted yet, see ``adjusted``."""
    for slice_ in SLICES:
        for statistic in STATISTICS:
            for name in baselines:
                yield _difference(samples, name, slice_, statistic)


def _difference(samples: Resampled, name: str, slice_: Slice, statistic: Statistic) -> Difference:
    ours, theirs = samples.candidate, samples.population.index(name)
    nan = float("nan")
    if theirs is None:
        why = f"no scores of {name}"
        return Difference(name, slice_, statistic, nan, nan, no_estimate(f"undefined: {why}"), nan, nan, 0, 0, why)
    rows = samples.rows([ours, theirs], slice_)
    n = int(rows.sum())
    failed = samples.population.failed
    lost = int(((failed[ours] | failed[theirs]) & samples.inside(slice_)).sum())
    why = _why(samples, ours, rows) or _why(samples, theirs, rows)
    if why:
        empty = no_estimate(why, n=n, n_undefined=lost)
        return Difference(name, slice_, statistic, nan, nan, empty, nan, nan, 0, n, why)
    mine, method = _drawn(samples, rows, ours, statistic)
    other, _ = _drawn(samples, rows, theirs, statistic)
    difference = _percentile(mine - other, n, lost, method)
    p, why = _test(samples, rows, theirs, statistic)
    return Difference(name, slice_, statistic, float(mine[0]), float(other[0]), difference, p, nan, 0, n, why)


def _test(samples: Resampled, rows: Rows, theirs: int, statistic: Statistic) -> tuple[float, str]:
    scores, truth = samples.population.scores[:, rows], samples.population.truth_codes[rows]
    left_out = _LEFT_OUT[statistic]
    return p_of_difference(left_out(scores[samples.candidate], truth), left_out(scores[theirs], truth))


def _drawn(samples: Resampled, rows: Rows, metric: int, statistic: Statistic) -> tuple[NDArray[np.float64], str]:
    if statistic == "spearman":
        return samples.rho(rows, metric), ""
    return samples.tau(rows, metric)


def _why(samples: Resampled, metric: int, rows: Rows) -> str:
    return why_undefined(samples.population.scores[metric][rows], samples.population.truth_codes[rows])


def _percentile(found: NDArray[np.float64], n: int, lost: int, method: str) -> Estimate:
    estimate = percentile(float(found[0]), found[1:], n=n, n_undefined=lost)
    return replace(estimate, method=estimate.method + method)


def adjusted(
    differences: Sequence[Sequence[Difference]],
) -> tuple[tuple[tuple[Difference, ...], ...], tuple[Family, ...]]:
    """Adjust the tests of a whole comparison by Holm's method.

    A family is one statistic on one slice, over all benchmarks, targets and baselines. The four families are not
    joined: Spearman on all architectures carries the verdict, and the others are read beside it, so they need not
    take from its power.

    Args:
        differences: for each benchmark and target, those of ``differences``.

    Returns:
        The same with ``p_holm`` and ``family``, and the families.
    """
    families, found = [], {}
    for slice_ in SLICES:
        for statistic in STATISTICS:
            keys = [
                (i, j) for i, those in enumerate(differences)
                for j, one in enumerate(those) if (one.slice, one.statistic) == (slice_, statistic)
            ]  # fmt: skip
            adjusted_p = holm([differences[i][j].p for i, j in keys])
            tests = int((~np.isnan(adjusted_p)).sum())
            families.append(Family(statistic, slice_, tests, len(keys) - tests))
            for (i, j), p in zip(keys, adjusted_p, strict=True):
                found[i, j] = replace(differences[i][j], p_holm=float(p), family=tests)
    done = tuple(tuple(found[i, j] for j in range(len(those))) for i, those in enumerate(differences))
    return done, tuple(families)
