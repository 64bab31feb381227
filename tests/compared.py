"""Comparisons of a candidate with baselines made up from a few numbers: what the tests of their report start from."""

import itertools
import math
from dataclasses import replace

from zcbench.harness.analysis.versus.parts import (
    BEST,
    SLICES,
    STATISTICS,
    Addition,
    Cost,
    Difference,
    Stability,
    Standing,
    Twin,
)
from zcbench.harness.analysis.versus.result import Comparison, Family, Sides, Verdict, Versus
from zcbench.harness.types import Estimate

CANDIDATE = "mine"
TRUTH = "cifar10 test accuracy after 200 epochs, mean of seeds, source robot, trained"


def estimate(value: float, half: float = 0.04, n: int = 100, n_undefined: int = 0) -> Estimate:
    """An estimate with an interval of a given half-width, none where it is NaN."""
    return Estimate(value, value - half, value + half, n, n_undefined, "bootstrap percentile, 1000 resamples")


def difference(baseline, ours, theirs, p_holm, *, slice_="all", statistic="spearman", family=3, n=100, why=""):
    p = p_holm / family
    return Difference(
        baseline, slice_, statistic, ours, theirs, estimate(ours - theirs, 0.03, n), p, p_holm, family, n, why
    )


BASELINES = (("params", 0.70, 0.2), ("swap", 0.79, 0.9), ("zen", 0.3, 0.0001))


def versus(
    baselines=BASELINES, *, own=0.8, top=0.2, n=100, decision=None, why="", copy_of="", reversed_=False, adds="yes",
    n_undefined=0, **changed,
) -> Versus:
    """One benchmark and target; of every baseline its name, Spearman and adjusted p (NaN: no test)."""
    differences, standings = differences_of(baselines, own, top, n), standings_of(baselines, own, top, n, n_undefined)
    every, tenth = (Sides.of(d for d in differences if (d.slice, d.statistic) == (s, "spearman")) for s in SLICES)
    best = max(baselines, key=lambda b: b[1])[0] if baselines else ""
    twin = Twin(copy_of or best, estimate(0.9985 if copy_of else 0.93, 0.0005, n), bool(copy_of), False)
    if reversed_:
        twin = Twin(copy_of, estimate(-0.9985, 0.0005, n), True, True)
    given = tuple(dict.fromkeys(("params", "flops", best)))
    made = Versus(
        benchmark="nasbench201", target="cifar10", source="robot", population="all", truth=TRUTH, measure="accuracy",
        kind="trained", recipe="digits images, batch 32", version=2, seeds=(0,), best=best,
        lead=estimate(own - max((b[1] for b in baselines), default=math.nan), 0.05, n), standings=standings,
        differences=differences,
        additions=(
            Addition(("params",), ("params",), estimate(0.4, n=n), 0.12, 0.03, False),
            Addition((BEST,), (best,), estimate(0.01, n=n), 0.001, 0.03, False),
            Addition(("params", "flops", BEST), given, estimate(_PARTIAL[adds], n=n), 0.08, 0.03, False),
        ) if baselines else (),
        nearest=twin if baselines else None, twins=(twin,) if copy_of else (),
        stability=(
            Stability("seed", "1", "0", estimate(0.95), estimate(0.79), estimate(-0.01, 0.02), n, 0),
            Stability("seed", "2", "0", estimate(0.97), estimate(0.81), estimate(0.012, 0.02), n, 3),
            Stability("batch size", "16", "32", estimate(0.9), estimate(0.7), estimate(-0.1, 0.02), n, 0),
        ),
        costs=tuple(Cost(name, 0.035, 0.002, 0.01 * (k + 1), 0.001, n) for k, (name, _, _) in enumerate(baselines)),
        verdict=Verdict(
            decision or decide(every), why, n, n_undefined, copy_of, reversed_, every, tenth, 10, adds,
        ),
    )  # fmt: skip
    return replace(made, **changed)


_PARTIAL = {"yes": 0.31, "no": 0.01, "reversed": -0.31, "cannot tell": math.nan}


def differences_of(baselines, own, top, n) -> tuple[Difference, ...]:
    """All slices and statistics; within the top 10 % a quarter of every Spearman, and nine times the p."""
    family = max(1, sum(not math.isnan(p) for _, _, p in baselines))
    found = []
    for (name, rho, p), s, statistic in itertools.product(baselines, SLICES, STATISTICS):
        ours, theirs, adjusted = (own, rho, p) if s == "all" else (top, rho / 4, min(1.0, 9 * p) if p == p else p)
        why = "a constant score" if p != p else ""
        found.append(
            difference(name, ours, theirs, adjusted, slice_=s, statistic=statistic, family=family, n=n, why=why)
        )
    return tuple(found)


def standings_of(baselines, own, top, n, n_undefined) -> tuple[Standing, ...]:
    """The candidate first."""
    metrics = ((CANDIDATE, own, top), *((name, rho, rho / 4) for name, rho, _ in baselines))
    return tuple(
        Standing(
            name, s, statistic,
            estimate(
                (rho if s == "all" else tenth) * (1 if statistic == "spearman" else 0.7), n=n,
                n_undefined=n_undefined if name == CANDIDATE else 0,
            ),
        )
        for name, rho, tenth in metrics for s in SLICES for statistic in STATISTICS
    )  # fmt: skip


def decide(of: Sides) -> str:
    if of.better:
        return "better than some" if of.worse or of.undecided else "better than all"
    return "worse" if of.worse else "no different"


def comparison(*of: Versus, undefined="drop") -> Comparison:
    """Several benchmarks and targets of one candidate."""
    of = of or (versus(),)
    names = tuple(sorted({d.baseline for v in of for d in v.differences}))
    families = tuple(
        Family(stat, s, sum(x.p == x.p for x in d), sum(x.p != x.p for x in d))
        for s in SLICES for stat in STATISTICS
        for d in [[d for v in of for d in v.of(statistic=stat, slice=s)]]
    )  # fmt: skip
    return Comparison(CANDIDATE, names, undefined, 1000, 0, families, of)
