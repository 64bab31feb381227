"""A score table in canonical order, as dense ranks under a policy for undefined scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.ranks import LEFT_OUT, Codes, Policy, dense, tenth, top_slice, with_policy


@dataclass(frozen=True)
class Population:
    """A architectures with truth, sorted by id, and M metrics, sorted by name.

    The sorting makes every result independent of the order of rows and metrics in the table.

    Attributes:
        architectures: A ids.
        metrics: M names.
        scores: int64[M, A], dense ranks, signed so that high stands for high accuracy; -1 is left out.
        failed: bool[M, A], undefined or failed.
        truth: float64[A].
        truth_codes: int64[A], dense ranks of the truth.
    """

    architectures: tuple[str, ...]
    metrics: tuple[str, ...]
    scores: Codes
    failed: NDArray[np.bool_]
    truth: NDArray[np.float64]
    truth_codes: Codes

    @classmethod
    def of(cls, table: ScoreTable, undefined: Policy) -> "Population":
        """Build it from a table; architectures without truth are left out."""
        rows = sorted(range(len(table.architectures)), key=lambda a: table.architectures[a])
        rows = [a for a in rows if not np.isnan(table.truth[a])]
        columns = sorted(range(len(table.metrics)), key=lambda m: table.metrics[m])
        signed, failed = table.signed[rows].T[columns], table.failed[rows].T[columns]
        failed &= np.isnan(signed)
        scores = [with_policy(dense(x), f, undefined) for x, f in zip(signed, failed, strict=True)]
        truth = table.truth[rows]
        return cls(
            tuple(table.architectures[a] for a in rows),
            tuple(table.metrics[m] for m in columns),
            np.array(scores, dtype=np.int64).reshape(failed.shape),
            failed, truth, dense(truth),
        )  # fmt: skip

    def index(self, metric: str) -> int | None:
        """Return the position of a metric, None if it is absent."""
        return self.metrics.index(metric) if metric in self.metrics else None

    def members(self, metric: int, slice_: str) -> NDArray[np.bool_]:
        """Select the architectures of a slice that have the metric's score, bool[A].

        ``top10_truth`` is the top tenth by truth of the whole population, the same for all metrics, less
        those without the score. ``top10_score`` is the top tenth of those with the score. Ties at the edge
        are in.
        """
        codes = self.scores[metric]
        scored = codes != LEFT_OUT
        if slice_ == "top10_truth":
            return np.asarray(scored & top_slice(self.truth_codes, tenth(self.truth.size)))
        if slice_ == "top10_score":
            return top_slice(codes, tenth(int(scored.sum())))
        return np.asarray(scored)

    def n_undefined(self, metric: int, slice_: str) -> int:
        """Count the architectures of a slice without the score.

        ``top10_score`` counts those of the population: none of them could be ranked into the slice.
        """
        inside = top_slice(self.truth_codes, tenth(self.truth.size)) if slice_ == "top10_truth" else True
        return int((self.failed[metric] & inside).sum())
