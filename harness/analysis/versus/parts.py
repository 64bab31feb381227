"""The parts of a comparison of one metric, the candidate, with the baselines: plain, frozen records.

Every metric is signed: where a low score stands for a high truth it is negated first. So a high Spearman is good
everywhere, and a positive difference means that the candidate is better.
"""

from dataclasses import dataclass
from typing import Literal

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.types import Estimate

Statistic = Literal["spearman", "kendall"]
Slice = Literal["all", "top10_truth"]

STATISTICS: tuple[Statistic, ...] = ("spearman", "kendall")
SLICES: tuple[Slice, ...] = ("all", "top10_truth")
"""All architectures that the candidate was tried on; the top 10 % of these by truth (ties at the edge in)."""

CONTROLS = ("params", "flops")
"""The counts that additions are given for."""

BEST = "best baseline"
"""Stands for the best baseline among the ``given`` of an addition, where it is chosen anew in every resample."""

ALPHA = 0.05
"""The level of every test, after Holm's adjustment."""

TWIN = 0.99
"""Two metrics with a rank correlation beyond this, in absolute value, are one metric on another scale."""

@dataclass(frozen=True, slots=True)
class Standing:
    """One metric's own rank correlation with the truth, on all architectures that have its score.

    Attributes:
        metric: the candidate or a baseline.
        slice: ``all`` or ``top10_truth``.
        statistic: ``spearman`` or ``kendall`` (tau-b).
        estimate: its value, the percentile interval of the bootstrap over architectures, and n.
    """

    metric: str
    slice: Slice
    statistic: Statistic
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Difference:
    """The candidate against one baseline, on the architectures that have both scores.

    Attributes:
        baseline: its name.
        slice: ``all`` or ``top10_truth``.
        statistic: ``spearman`` or ``kendall`` (tau-b).
        ours: the candidate's correlation with the truth on these architectures.
        theirs: the baseline's.
        difference: ours - theirs; its interval comes from resamples in which both are drawn together.
        p: two-sided p of the test that both correlations are the same, see ``dependent``; NaN where there is none.
        p_holm: the same after Holm's adjustment over the family; NaN where there is no p.
        family: how many tests the family has: those of this statistic and slice over all benchmarks, targets and
            baselines of the comparison. Differences without a p are not in it.
        n: architectures that have both.
        why: why there is no p (too few architectures, a constant score, ...); empty where there is one.
    """

    baseline: str
    slice: Slice
    statistic: Statistic
    ours: float
    theirs: float
    difference: Estimate
    p: float
    p_holm: float
    family: int
    n: int
    why: str = ""

    @property
    def side(self) -> Literal["better", "worse", "undecided", "untested"]:
        """What the adjusted test says about the candidate."""
        if self.p != self.p:
            return "untested"
        if not self.p_holm < ALPHA:
            return "undecided"
        return "better" if self.ours > self.theirs else "worse"


@dataclass(frozen=True, slots=True)
class Addition:
    """What the candidate tells about the truth beyond other metrics, where all of them have a score of their own.

    So it does under either policy for undefined scores, see ``additions.Additions``.

    Attributes:
        given: the other metrics: names, or ``BEST`` for the best baseline.
        names: the same with the name of the best baseline on the data in place of ``BEST``, each once.
        partial: Spearman's rho with the truth given these: the correlation of what is left of the ranks of both
            after a linear regression on the ranks of the others. ``BEST`` is chosen anew in every resample.
        bits: the gain of information given these, see ``information.Gain.beside_others``; NaN with too few.
        level: the bits that 97.5 % of shuffles stay below.
        redundant: whether the others determine the candidate.
    """

    given: tuple[str, ...]
    names: tuple[str, ...]
    partial: Estimate
    bits: float
    level: float
    redundant: bool


@dataclass(frozen=True, slots=True)
class Twin:
    """How alike the candidate and one known metric are.

    Attributes:
        metric: the known metric: a baseline, or one of the counts.
        correlation: Spearman's rho of the two where both have a score of their own (both signed), under either policy.
        beyond: whether its absolute value is above ``TWIN``, on at least 10 architectures: they are one metric.
        reversed: whether the correlation is negative: the candidate ranks the other way round.
    """

    metric: str
    correlation: Estimate
    beyond: bool
    reversed: bool


@dataclass(frozen=True, slots=True)
class Stability:
    """The candidate under one change of its recipe, against the reference setting, on the same architectures.

    Attributes:
        kind: what was changed: ``seed``, ``batch size``, ``initialisation``.
        value: what it was changed to, e.g. ``1``, ``16``, ``kaiming_normal``.
        reference: what it is in the reference setting, e.g. ``0``; empty where not known.
        agreement: Spearman's rho of the scores in both settings.
        spearman: Spearman's rho with the truth under the change.
        change: the same less that of the reference setting; paired interval.
        n: architectures that have both scores.
        n_undefined: architectures whose score is undefined or failed under the change, but not in the reference.
    """

    kind: str
    value: str
    reference: str
    agreement: Estimate
    spearman: Estimate
    change: Estimate
    n: int
    n_undefined: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What the candidate and one baseline cost, on the architectures that have a score of both, with its seconds.

    Attributes:
        baseline: its name.
        ours_standalone: the candidate's median seconds for an architecture when scored alone; NaN if not known.
        ours_marginal: its median seconds beyond those of the passes that it shares with others.
        theirs_standalone: the baseline's.
        theirs_marginal: the baseline's.
        n: so many architectures.
    """

    baseline: str
    ours_standalone: float
    ours_marginal: float
    theirs_standalone: float
    theirs_marginal: float
    n: int

    @property
    def ratio(self) -> float:
        """The candidate's standalone seconds over the baseline's; NaN where either is not known or zero."""
        known = self.ours_standalone > 0 and self.theirs_standalone > 0
        return self.ours_standalone / self.theirs_standalone if known else float("nan")

    @property
    def ratio_marginal(self) -> float:
        """The candidate's marginal seconds over the baseline's; NaN where either is not known or zero."""
        known = self.ours_marginal > 0 and self.theirs_marginal > 0
        return self.ours_marginal / self.theirs_marginal if known else float("nan")


@dataclass(frozen=True, slots=True)
class Variation:
    """The candidate's scores under one change of the recipe: what a ``Stability`` is computed from.

    Attributes:
        kind: what was changed: ``seed``, ``batch size``, ``initialisation``.
        value: what it was changed to.
        reference: what it is in the reference setting; empty where not known.
        table: the scores under the change, of the same benchmark, target and population as a table of the comparison.
    """

    kind: str
    value: str
    reference: str
    table: ScoreTable
