"""Scores and truth side by side: the arrays that every statistic starts from.

A architectures, M metrics, S initialisation seeds, R training repeats.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zcbench.harness.errors import ZcbenchError


@dataclass(frozen=True)
class ScoreTable:
    """Scores of M metrics on A architectures beside their trained accuracies.

    Attributes:
        benchmark: the benchmark's name.
        target: the dataset of the ground truth, e.g. ``cifar10``.
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
        truth: float64[A], the mean accuracy in [0, 1] that the scores are held against.
        repeats: float64[A, R], accuracy for each training seed; R = 0 where the source has only means.
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

    def __post_init__(self) -> None:
        shape = (len(self.architectures), len(self.metrics))
        if self.values.shape[:2] != shape or self.truth.shape != shape[:1]:
            raise ZcbenchError(f"scores {self.values.shape} and truth {self.truth.shape} do not fit {shape}")

    @property
    def signed(self) -> NDArray[np.float64]:
        """Mean score over the seeds, float64[A, M], negated where low is better; NaN unless all are ok."""
        sign = np.where(np.array(self.higher_is_better, dtype=bool), 1.0, -1.0)
        return self.values.mean(axis=2) * sign if self.values.size else self.values[:, :, 0]

    def frame(self) -> pd.DataFrame:
        """Return one row an architecture: the truth and the mean score of every metric."""
        frame = pd.DataFrame(self.signed, columns=list(self.metrics))
        frame.insert(0, "truth", self.truth)
        frame.insert(0, "architecture", self.architectures)
        return frame
