"""What a comparison says about one benchmark and target, in a form that a program can act on."""

from collections.abc import Sequence

import numpy as np

from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import why_undefined
from zcbench.harness.analysis.versus.parts import Addition, Difference, Slice, Twin
from zcbench.harness.analysis.versus.result import Added, Decision, Sides, Verdict
from zcbench.harness.analysis.versus.samples import Resampled


def verdict(
    samples: Resampled, differences: Sequence[Difference], twins: Sequence[Twin], additions: Sequence[Addition]
) -> Verdict:
    """Decide, see ``Verdict``.

    Args:
        samples: the population with the candidate.
        differences: with their adjusted p.
        twins: the known metrics that are the candidate on another scale, the nearest first.
        additions: that given the counts and the best baseline together is the last.
    """
    population, candidate = samples.population, samples.candidate
    sides, top = (_sides(differences, slice_) for slice_ in ("all", "top10_truth"))
    why = _cannot_tell(population, candidate, sides)
    twin = twins[0] if twins and not why else None
    return Verdict(
        decision="cannot tell" if why else "copy" if twin else _decision(sides),
        why=why, n=population.truth.size, n_undefined=int(population.failed[candidate].sum()),
        copy_of=twin.metric if twin else "", reversed=bool(twin and twin.reversed),
        sides=sides, top=top, n_top=int(samples.inside("top10_truth").sum()),
        adds="cannot tell" if why else adds_something(additions[-1]),
    )  # fmt: skip


def _cannot_tell(population: Population, candidate: int, sides: Sides) -> str:
    n, failed = population.truth.size, int(population.failed[candidate].sum())
    if n < FEWEST:
        return f"{n} architectures with a truth are too few: score at least {FEWEST}"
    if 2 * failed >= n:
        return f"undefined or failed on {failed} of {n} architectures"
    scored = population.members(candidate, "all")
    why = why_undefined(population.scores[candidate][scored], population.truth_codes[scored])
    if why:
        return why
    return "" if sides.better or sides.worse or sides.undecided else "there is no test against any baseline"


def _sides(differences: Sequence[Difference], slice_: Slice) -> Sides:
    return Sides.of(one for one in differences if (one.statistic, one.slice) == ("spearman", slice_))


def _decision(sides: Sides) -> Decision:
    if sides.better:
        return "better than some" if sides.worse or sides.undecided else "better than all"
    return "worse" if sides.worse else "no different"


def adds_something(addition: Addition) -> Added:
    """Say whether the candidate adds something to what is given, see ``Verdict.adds``."""
    if addition.redundant:
        return "no"
    if np.isnan([addition.partial.low, addition.bits]).any():
        return "cannot tell"
    if addition.bits > addition.level and addition.partial.low > 0:
        return "yes"
    return "reversed" if addition.bits > addition.level and addition.partial.high < 0 else "no"
