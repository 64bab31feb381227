"""What a comparison says about every benchmark and target, in sentences that can be printed as they stand."""

import math
from dataclasses import dataclass

from zcbench.harness.analysis.versus.result import Comparison, Sides, Versus
from zcbench.reports.text import fine, interval, listed, number, plural
from zcbench.reports.versus_phrases import (
    DIGITS,
    adjusted,
    called,
    cause,
    labels,
    measured,
    signed,
    standing,
    where,
)
from zcbench.reports.versus_sentences import adds, alike, cost, stability, top

POLICIES = {"drop": "left out", "worst": "ranked last"}


@dataclass(frozen=True, slots=True)
class VerdictText:
    """The sentences on one benchmark and target; empty where there is nothing to say.

    Attributes:
        benchmark: the benchmark's name.
        target: the ground truth's name.
        label: a short name that is unique in the comparison.
        verdict: the verdict.
        evidence: truth, architectures, Spearman, best baseline and difference.
        adds: what the candidate tells beyond params, flops and the best baseline.
        alike: which known metric it is most like.
        top: what holds within the top 10 %.
        cost: what it takes, beside the best baseline.
        stability: how much seed, batch size and initialisation change.
    """

    benchmark: str
    target: str
    label: str
    verdict: str
    evidence: str
    adds: str
    alike: str
    top: str
    cost: str
    stability: str

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """The sentences as paragraphs: the verdict, what it rests on, what else it can do, what it takes."""
        groups = ((self.verdict,), (self.evidence,), (self.adds, self.alike, self.top), (self.cost, self.stability))
        return tuple(" ".join(filter(None, group)) for group in groups if any(group))

    @property
    def text(self) -> str:
        """All sentences."""
        return " ".join(self.paragraphs)


def verdict_sentences(comparison: Comparison, *, alone: bool = False) -> tuple[VerdictText, ...]:
    """Return the sentences on every benchmark and target, in the order of the comparison.

    Args:
        comparison: of one candidate with the baselines.
        alone: whether the candidate shares no pass with others, as a plain function does.
    """
    return tuple(
        VerdictText(
            versus.benchmark, versus.target, label, verdict(comparison, versus), evidence(comparison, versus),
            adds(versus), alike(versus), top(versus), cost(versus, alone=alone), stability(versus),
        )
        for label, versus in zip(labels(comparison), comparison.versus, strict=True)
    )  # fmt: skip


def overall(comparison: Comparison) -> str:
    """Return in a sentence what holds over several benchmarks and targets; empty for one alone.

    Args:
        comparison: of one candidate with the baselines.
    """
    if len(comparison.versus) < 2:
        return ""
    named = tuple(zip(labels(comparison), comparison.versus, strict=True))
    parts = []
    for decision, words in _OVERALL.items():
        found = [label for label, versus in named if versus.verdict.decision == decision]
        if found:
            parts.append(f"{words} on {'all' if len(found) == len(named) else len(found)} ({', '.join(found)})")
    several = len({v.benchmark for v in comparison.versus})
    on = f" on {several} benchmarks" if several > 1 else ""
    return (
        f"Of {plural(len(named), 'target')}{on}, {comparison.candidate} is {'; '.join(parts)}. "
        f"Against the best baseline of each target it is {_against_best(comparison)}."
    )


def _against_best(comparison: Comparison) -> str:
    """Say on how many targets the candidate is better and worse than the best baseline."""
    found: list[str] = [d.side for v in comparison.versus for d in v.of() if d.baseline == v.best]
    words = (("better", "better"), ("worse", "worse"), ("undecided", "not told apart"))
    counts = [f"{said} on {found.count(side)}" for side, said in words if side in found]
    missing = len(comparison.versus) - sum(found.count(side) for side, _ in words)
    return listed([*counts, f"not tested on {missing}"] if missing else counts)


_OVERALL = {
    "better than all": "better than every baseline that there is a test for",
    "better than some": "better than some baselines",
    "no different": "not told apart from any baseline",
    "worse": "worse than some baseline and better than none",
    "copy": "a re-scaled copy of a known metric",
    "cannot tell": "not to be judged",
}


def verdict(comparison: Comparison, versus: Versus) -> str:
    """Return the verdict itself, in a sentence."""
    name, found = called(comparison, versus), versus.verdict
    if found.decision == "cannot tell":
        reason = cause(found.why).replace(": ", "; ")
        reason = f"it is {reason}" if reason.startswith("undefined or failed") else reason
        return f"On {where(versus)} nothing can be said of {name} against the baselines: {reason}."
    if found.decision != "copy":
        return f"By Spearman on {where(versus)}, {name} is {standing(found.sides)}."
    first = versus.twins[0]
    others = [twin.metric for twin in versus.twins if twin is not first]
    also = f", and so it is of {listed(others)}" if others else ""
    turned = " with the order reversed" if found.reversed else ""
    return (
        f"On {where(versus)}, {name} is a re-scaled copy of {found.copy_of}{turned}: the rank correlation of "
        f"the two is {measured(first.correlation)} on {plural(first.correlation.n, 'architecture')}{also}. "
        f"By Spearman with the truth it is {standing(found.sides)}."
    )


def evidence(comparison: Comparison, versus: Versus) -> str:
    """Return truth, architectures, Spearman, the best baseline and the difference."""
    own = versus.standing(comparison.candidate)
    missing = _missing(comparison, versus)
    if math.isnan(own.value):
        return f"It has no rank correlation with the truth ({versus.truth}).{missing}"
    bounds = interval(own, DIGITS)
    value = f"{number(own.value, fine(own, DIGITS))}{f' (95 % interval {bounds})' if bounds else ''}"
    said = [f"Its Spearman with the truth ({versus.truth}) is {value}"]
    against = next((d for d in versus.of() if d.baseline == versus.best), None)
    if against is None:
        return f"{said[0]}.{missing}"
    which = "the only baseline" if len(comparison.baselines) == 1 else "the best baseline"
    theirs = versus.standing(against.baseline)
    said.append(f"; that of {against.baseline}, {which}, is {measured(theirs)}. ")
    both = f" on the {against.n:,} architectures that have both" if against.n < max(own.n, theirs.n) else ""
    said.append(f"The difference{both} is {signed(against.difference)} ({adjusted(against)})")
    if len(comparison.baselines) > 1 and not math.isnan(versus.lead.low):
        said.append(f"; with the best baseline chosen anew in every resample, {signed(versus.lead)}")
    return f"{''.join(said)}.{_by_tau(versus)}{missing}"


def _missing(comparison: Comparison, versus: Versus) -> str:
    """Say on how many architectures the candidate has no score, and what becomes of them."""
    count, n = versus.verdict.n_undefined, versus.verdict.n
    if not count:
        return ""
    policy = POLICIES.get(comparison.undefined, comparison.undefined)
    which = f"all {n:,}" if count == n else f"{count:,} of the {n:,}"
    return f" It has no score on {which} architectures, which {'is' if count == 1 else 'are'} {policy}."


def _by_tau(versus: Versus) -> str:
    """Say whether Kendall's tau decides as Spearman does."""
    tau = Sides.of(versus.of(statistic="kendall"))
    if versus.verdict.decision == "cannot tell" or tau == Sides():
        return ""
    same = {side: set(getattr(tau, side)) for side in _SIDES} == {
        side: set(getattr(versus.verdict.sides, side)) for side in _SIDES
    }
    return " Kendall's τ-b leads to the same decisions." if same else f" By Kendall's τ-b it is {standing(tau)}."


_SIDES = ("better", "worse", "undecided", "untested")
