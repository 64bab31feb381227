"""What the comparison of one metric, the candidate, with the baselines finds: plain, frozen records.

Every metric is signed, see ``parts``, which has the records that these are made of.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

from zcbench.harness.analysis.ranks import Policy
from zcbench.harness.analysis.versus.parts import (
    SLICES,
    STATISTICS,
    Addition,
    Cost,
    Difference,
    Slice,
    Stability,
    Standing,
    Statistic,
    Twin,
)
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.types import Estimate

Decision = Literal["copy", "better than all", "better than some", "no different", "worse", "cannot tell"]
"""What a verdict may say, see ``Verdict``."""

Added = Literal["yes", "no", "reversed", "cannot tell"]
"""Whether the candidate adds something, see ``Verdict.adds``."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The baselines of one statistic and slice by what the adjusted tests say; every baseline is in one of the four.

    Attributes:
        better: the candidate is better than these.
        worse: it is worse than these.
        undecided: the test tells no difference.
        untested: there is no test, see ``Difference.why``.
    """

    better: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    untested: tuple[str, ...] = ()

    @classmethod
    def of(cls, differences: Iterable[Difference]) -> "Sides":
        """Sort baselines by what the tests say.

        Args:
            differences: of one statistic and slice, with their adjusted p.
        """
        found = tuple(differences)
        return cls(**{one.name: tuple(d.baseline for d in found if d.side == one.name) for one in fields(cls)})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison says about one benchmark and target.

    Attributes:
        decision: ``cannot tell`` with fewer than 10 architectures, where the candidate has no score on half of them
            or more, where its score is constant, or without any test; else ``copy`` where a known metric is its
            ``twin``; else ``better than all`` (that there is a test for), ``better than some`` (it may be worse than
            others), ``worse`` (than at least one, better than none), or ``no different``.
        why: the reason for ``cannot tell``; empty otherwise.
        n: architectures that the candidate was tried on and that have a truth.
        n_undefined: those of them on which it is undefined or failed.
        copy_of: the twin's name where the decision is ``copy``; empty otherwise.
        reversed: whether it ranks the other way round than its twin.
        sides: the baselines by Spearman on all architectures, which the decision rests on.
        top: the baselines by Spearman within the top 10 % by truth.
        n_top: architectures in that slice.
        adds: whether it adds something to params, flops and the best baseline together: ``yes`` where the interval of
            the partial correlation lies above zero and the bits are above the level of shuffles; ``reversed`` where
            the interval lies below zero instead (it tells something, against its own direction).
    """

    decision: Decision
    why: str
    n: int
    n_undefined: int
    copy_of: str
    reversed: bool
    sides: Sides
    top: Sides
    n_top: int
    adds: Added


@dataclass(frozen=True)
class Versus:
    """The candidate against all baselines on one benchmark and target.

    Attributes:
        benchmark: its name.
        target: name of the ground truth.
        source: the ground truth's source.
        population: the set of architectures.
        truth: one sentence on the ground truth.
        measure: what was measured, e.g. ``accuracy``.
        kind: how the truth came about, e.g. ``trained`` or ``synthetic``.
        recipe: one sentence on how the scores were made.
        version: the candidate's version; 0 where not known.
        seeds: initialisation seeds; a score is the mean over them.
        best: the baseline with the highest Spearman on all architectures, among those that have a score on at least
            half of the candidate's architectures; empty where there is none.
        lead: the candidate's Spearman less that of the best baseline, which is chosen anew in every resample: the
            interval allows for the choice.
        standings: candidate (first) and baselines, by slice and statistic.
        differences: one for every baseline, slice and statistic.
        additions: given each of params, flops and the best baseline, then all of them together.
        nearest: the known metric with the highest absolute rank correlation with the candidate; None without any.
        twins: all known metrics beyond ``TWIN``, the nearest first.
        stability: one for every change of the recipe that was scored.
        costs: one for every baseline.
        verdict: what all this says.
    """

    benchmark: str
    target: str
    source: str
    population: str
    truth: str
    measure: str
    kind: str
    recipe: str
    version: int
    seeds: tuple[int, ...]
    best: str
    lead: Estimate
    standings: tuple[Standing, ...]
    differences: tuple[Difference, ...]
    additions: tuple[Addition, ...]
    nearest: Twin | None
    twins: tuple[Twin, ...]
    stability: tuple[Stability, ...]
    costs: tuple[Cost, ...]
    verdict: Verdict

    def standing(self, metric: str, *, statistic: Statistic = "spearman", slice: Slice = "all") -> Estimate:  # noqa: A002
        """Return a metric's own correlation with the truth.

        Raises:
            ZcbenchError: there is no such metric, statistic or slice.
        """
        for one in self.standings:
            if (one.metric, one.statistic, one.slice) == (metric, statistic, slice):
                return one.estimate
        if statistic not in STATISTICS or slice not in SLICES:
            raise ZcbenchError(f"a comparison has {STATISTICS} on {SLICES}, not {statistic} on {slice}")
        raise unknown("metric", metric, {one.metric for one in self.standings})

    def of(self, *, statistic: Statistic = "spearman", slice: Slice = "all") -> tuple[Difference, ...]:  # noqa: A002
        """Return the differences of one statistic and slice, one for every baseline, sorted by name."""
        return tuple(d for d in self.differences if (d.statistic, d.slice) == (statistic, slice))


@dataclass(frozen=True, slots=True)
class Family:
    """The tests that are adjusted together by Holm's method: one statistic and slice over the whole comparison.

    Attributes:
        statistic: ``spearman`` or ``kendall``.
        slice: ``all`` or ``top10_truth``.
        tests: how many there are.
        untested: how many differences have no p and are left out.
    """

    statistic: Statistic
    slice: Slice
    tests: int
    untested: int


@dataclass(frozen=True)
class Comparison:
    """The candidate against the baselines on every benchmark and target.

    Attributes:
        candidate: its name.
        baselines: their names, sorted.
        undefined: the policy for undefined scores.
        resamples: number of bootstrap resamples.
        seed: their seed.
        families: the four families of tests.
        versus: one for every benchmark and target, sorted.
    """

    candidate: str
    baselines: tuple[str, ...]
    undefined: Policy
    resamples: int
    seed: int
    families: tuple[Family, ...]
    versus: tuple[Versus, ...]
