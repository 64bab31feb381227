"""How large a loss of correlation must be for a check to see it: by degrading recorded scores until it does.

The loss is one that is spread over all architectures. One of the same size that comes from a share of them, whose
scores change places at random, varies more from draw to draw and is seen less often: in 60 to 71 % instead of 80 % of
the draws with 59 architectures of NAS-Bench-201 (nwot and snip, 1, 2 and 4 seeds).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from zcbench.harness.analysis.loss import differences, quantile

Values = NDArray[np.float64]

PROBABILITY = 0.8
DRAWS = 200
STEPS = 9
"""Halvings of the amount of noise: the last one moves the share of failures by less than its own error."""

MOST = 400
"""Of more architectures so many are drawn, and the spread is scaled to the number that there are."""


@dataclass(frozen=True, slots=True)
class Smallest:
    """The smallest loss that a check can see.

    Attributes:
        loss: mean loss at which the check fails in the asked share of the draws; NaN where not even scores in random
            order fail so often.
        share: share of the draws in which it fails at that loss.
        seeds: initialisation seeds whose noise entered; 0 where there was one.
    """

    loss: float
    share: float
    seeds: int


def smallest_loss(
    scores: Values, truth: Values, *, statistic: str, margin: float, confidence: float,
    probability: float = PROBABILITY, draws: int = DRAWS, seed: int = 0,
) -> Smallest:
    """Return the smallest loss that a check sees with a probability.

    The scores are degraded draw by draw: with g the normal scores of their ranks and e standard normal noise, the
    architectures are put in the order of g cos a + e sin a, and the sorted scores are dealt out in that order, so that
    ties stay as they are. a goes from 0 (the scores themselves) to pi/2 (random order) and is halved until the check,
    now against then, fails in the asked share of the draws; the loss is the mean of then - now at that a. Where there
    are several seeds, then and now are two independent means over as many seeds, drawn with replacement from those
    of each architecture and stretched by sqrt(S / (S - 1)), the factor by which the spread of such means is too
    small; else the noise of a seed is unknown and not part of it.

    Args:
        scores: float64[n, S], signed so that high stands for high truth, without NaN.
        truth: float64[n], without NaN.
        statistic: ``spearman`` or ``kendall``.
        margin: the loss that is let pass.
        confidence: one-sided, of the check.
        probability: share of the draws that must fail.
        draws: number of draws.
        seed: of the draws.
    """
    generator = np.random.default_rng([seed, *scores.shape])
    n, seeds = scores.shape
    kept = np.sort(generator.choice(n, MOST, replace=False)) if n > MOST else np.arange(n)
    scores, truth = scores[kept], truth[kept]
    then, now = (_means(scores, draws, generator) for _ in range(2))
    noise = generator.standard_normal((draws, len(kept)))
    normal = _normal_scores(now)
    ordered = np.sort(now, axis=1)
    shrink = math.sqrt(len(kept) / n)

    def tried(angle: float) -> tuple[float, float]:
        """Return the share of failures and the mean loss."""
        blurred = normal * math.cos(angle) + noise * math.sin(angle)
        degraded = np.take_along_axis(ordered, blurred.argsort(axis=1).argsort(axis=1), axis=1)
        _, difference, error, free = differences(then, degraded, truth, statistic=statistic)
        mean = float(difference.mean())
        scaled = mean + (difference - mean) * shrink
        upper = scaled + quantile(np.clip(free / shrink**2, 1, n - 1), confidence) * error * shrink
        return float((upper < -margin).mean()), -mean

    low, high = 0.0, math.pi / 2
    share, loss = tried(high)
    if share < probability:
        return Smallest(math.nan, share, seeds if seeds > 1 else 0)
    for _ in range(STEPS):
        middle = (low + high) / 2
        found = tried(middle)
        if found[0] < probability:
            low = middle
        else:
            high, (share, loss) = middle, found
    return Smallest(loss, share, seeds if seeds > 1 else 0)


def _means(scores: Values, draws: int, generator: np.random.Generator) -> Values:
    """Return means over as many seeds as there are, drawn anew, float64[draws, n]; with one seed the scores."""
    n, seeds = scores.shape
    if seeds == 1:
        return np.broadcast_to(scores[:, 0], (draws, n))
    mean = scores.mean(axis=1, keepdims=True)
    stretched = mean + (scores - mean) * math.sqrt(seeds / (seeds - 1))
    chosen = generator.integers(0, seeds, (draws, n, seeds))
    return np.asarray(np.take_along_axis(np.broadcast_to(stretched, (draws, n, seeds)), chosen, axis=2).mean(axis=2))


def _normal_scores(values: Values) -> Values:
    """Return the normal quantile of (rank - 1/2) / n in each row, ties at their mid-rank."""
    return np.asarray(ndtri((rankdata(values, axis=1) - 0.5) / values.shape[1]))
