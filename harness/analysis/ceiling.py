"""The noise ceiling: how well any metric could rank, given that trained accuracies depend on the seed."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zcbench.harness.analysis.intervals import no_estimate, percentile
from zcbench.harness.analysis.ranks import dense, tenth, top_slice
from zcbench.harness.analysis.resample import WeightedRanks, with_resamples
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Estimate


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the seed noise of training allows any metric to reach.

    Attributes:
        source: the table that the repeats come from.
        seeds_in_mean: how many training seeds the target's mean rests on (harmonic mean over architectures).
        single_seed: Spearman's rho between the accuracies of two training seeds, mean over pairs of seeds.
        all: the highest Spearman that a metric can expect on all architectures.
        top10: the same within the top 10 %.
    """

    source: str
    seeds_in_mean: float
    single_seed: Estimate
    all: Estimate
    top10: Estimate


def seeds_in_mean(repeats: pd.DataFrame) -> float:
    """Return the harmonic mean of the number of seeds for each architecture, NaN if there are none.

    The noise of a mean of R seeds has variance s²/R; its average over architectures is s² over the harmonic
    mean of R. The arithmetic mean would promise too high a ceiling.

    Args:
        repeats: architecture x seed, NaN where a seed was not trained.
    """
    found = repeats.notna().sum(axis=1).to_numpy(dtype=np.float64)
    found = found[found > 0]
    return float(found.size / (1 / found).sum()) if found.size else math.nan


def spearman_brown(r: NDArray[np.float64], seeds: float) -> NDArray[np.float64]:
    """Return the reliability R r / (1 + (R - 1) r) of a mean of R seeds, r being that of one; 0 for r < 0.

    Source: Spearman, British Journal of Psychology 3:271-295, 1910; Brown, ibid. 3:296-322, 1910.
    """
    r = np.clip(r, 0.0, 1.0)
    return np.asarray(seeds * r / (1 + (seeds - 1) * r))


def noise_ceiling(
    repeats: pd.DataFrame, *, seeds_in_mean: float, source: str = "", resamples: int = 1000, seed: int = 0
) -> Ceiling:
    """Estimate the noise ceiling from accuracies of several training seeds.

    Model: the accuracy of a seed is the architecture's worth plus noise, independent between seeds and of
    equal size. Then the correlation r of two seeds is the reliability of one, Spearman-Brown gives the
    reliability r_R of the mean of R seeds, and the worth itself, the best any metric can be, correlates with
    that mean by sqrt(r_R) (attenuation: Spearman, American Journal of Psychology 15:72-101, 1904). The
    formulas are exact for Pearson's r and close for rank correlations. A metric trained on the same truth
    could pass the ceiling; one that never saw it passes it by chance only.

    Top 10 %: the slice is drawn by one seed, the correlation is between two others, for all such triples. If
    one seed did both, its own noise would be cut by the selection and r would come out too low. The slice
    ``top10_truth`` of an analysis is drawn by the very mean that scores are then held against, so it is
    narrower and favours lucky seeds: there the number is an upper limit rather than an expectation.

    Interval: bootstrap percentile over architectures, slices held fixed.

    Args:
        repeats: architecture x seed, accuracies, NaN where a seed was not trained; may be of another source
            than the target. Architectures without two seeds do not count.
        seeds_in_mean: R, the number of seeds that the target's mean rests on, see ``seeds_in_mean``.
        source: the table that the repeats come from.
        resamples: number of bootstrap resamples.
        seed: of the resamples.

    Raises:
        ZcbenchError: R < 1, or an architecture is there twice.
    """
    if not seeds_in_mean >= 1:
        raise ZcbenchError(f"the target's mean must rest on at least one seed, not {seeds_in_mean}")
    if repeats.index.has_duplicates:
        raise ZcbenchError(f"{source or 'repeats'}: several rows for one architecture")
    values = repeats.sort_index().to_numpy(dtype=np.float64).T
    values = values[:, np.isfinite(values).sum(axis=0) >= 2]  # [R, A]
    everywhere = _mean_correlations(values, _pairs(values), resamples, seed)
    on_top = _mean_correlations(values, _triples(values), resamples, seed)
    return Ceiling(
        source, float(seeds_in_mean),
        single_seed=_estimate(everywhere, values.shape[1], "two seeds"),
        all=_estimate(_attenuate(everywhere, seeds_in_mean), values.shape[1], "two seeds"),
        top10=_estimate(_attenuate(on_top, seeds_in_mean), tenth(values.shape[1]), "three seeds"),
    )  # fmt: skip


Comparison = tuple[int, int, NDArray[np.int64]]
"""Two seeds and the architectures on which they are compared."""


def _pairs(values: NDArray[np.float64]) -> list[Comparison]:
    both = itertools.combinations(range(len(values)), 2)
    return [(a, b, np.flatnonzero(np.isfinite(values[[a, b]]).all(axis=0))) for a, b in both]


def _triples(values: NDArray[np.float64]) -> list[Comparison]:
    found = []
    for a, b in itertools.combinations(range(len(values)), 2):
        for chooser in set(range(len(values))) - {a, b}:
            rows = np.flatnonzero(np.isfinite(values[[a, b, chooser]]).all(axis=0))
            found.append((a, b, rows[top_slice(dense(values[chooser, rows]), tenth(rows.size))]))
    return found


def _mean_correlations(
    values: NDArray[np.float64], comparisons: list[Comparison], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return the mean Spearman over the comparisons: float64[1 + B], the data themselves first.

    Empty if no comparison has three architectures and two columns that vary.
    """
    ranks = []
    for a, b, rows in comparisons:
        pair = values[[a, b]][:, rows]
        if rows.size >= 3 and (np.ptp(pair, axis=1) > 0).all():
            ranks.append((rows, WeightedRanks(np.stack([dense(column) for column in pair]), right=1)))
    if not ranks:
        return np.empty(0)
    n = values.shape[1]
    draws = with_resamples(n, resamples=resamples, seed=seed)
    means = [np.mean([r.correlations(w[None, rows])[0, 1, 0] for rows, r in ranks]) for w in draws]
    return np.array(means, dtype=np.float64)


def _attenuate(r: NDArray[np.float64], seeds: float) -> NDArray[np.float64]:
    return np.sqrt(spearman_brown(r, seeds))


def _estimate(samples: NDArray[np.float64], n: int, needed: str) -> Estimate:
    if samples.size == 0:
        return no_estimate(f"undefined: needs {needed} on at least 3 architectures", n=n)
    return percentile(float(samples[0]), samples[1:], n=n, n_undefined=0)
