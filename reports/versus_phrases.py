"""How a comparison of one metric with the baselines is put into words; shared by its sentences and its tables."""

import math
import re
from collections.abc import Iterable, Sequence

from zcbench.harness.analysis.versus.parts import Difference
from zcbench.harness.analysis.versus.result import Comparison, Sides, Versus
from zcbench.harness.types import Estimate
from zcbench.reports.names import benchmark_title
from zcbench.reports.scientific import scientific
from zcbench.reports.section import SURROGATE, slug
from zcbench.reports.text import listed, number, phrase, plural, probability

DIGITS = 3
"""Of correlations and their differences: a difference has to be seen in the two numbers that it comes from."""

NAMED = 4
"""Up to so many baselines are named; of more their number is given, and the tables have the names."""

SAYS = {"better": "better", "worse": "worse", "undecided": "undecided", "untested": "no test"}
"""What the adjusted test says about the candidate, by the side of a difference."""


def labels(comparison: Comparison) -> tuple[str, ...]:
    """Return one short unique name for every benchmark and target: ``target``, or ``benchmark: target``.

    A truth that a surrogate predicted is marked; the source follows where it takes that to tell two apart. Names of
    files and anchors are made from labels, so no two labels have the same ``slug``.

    Args:
        comparison: of one candidate.
    """
    of = comparison.versus
    several = len({v.benchmark for v in of}) > 1
    plain = [
        (f"{benchmark_title(v.benchmark)}: " if several else "") + v.target + (" (surrogate)" * (v.kind == SURROGATE))
        for v in of
    ]
    found: list[str] = []
    for name, v in zip(plain, of, strict=True):
        label = name if plain.count(name) == 1 else f"{name} ({v.source})"
        taken = {slug(other) for other in found}
        found.append(label if slug(label) not in taken else f"{label} {len(found) + 1}")
    return tuple(found)


def called(comparison: Comparison, versus: Versus) -> str:
    """Return the candidate's name with its version, where that is known."""
    return f"{comparison.candidate} (version {versus.version})" if versus.version else comparison.candidate


def where(versus: Versus) -> str:
    """Return ``100 architectures of NAS-Bench-201 (population "all", target cifar10)``."""
    count = plural(versus.verdict.n, "architecture")
    return f'{count} of {benchmark_title(versus.benchmark)} (population "{versus.population}", target {versus.target})'


def measured(estimate: Estimate) -> str:
    """Return a correlation with its interval."""
    return phrase(estimate, DIGITS)


def signed(difference: Estimate) -> str:
    """Return a difference with its sign and interval; the sign is left out where the digits shown are all zero."""
    plus = "+" if round(difference.value, DIGITS) > 0 else ""
    return f"{plus}{phrase(difference, DIGITS)}"


def spread(values: Sequence[float], *, plus: bool = False) -> str:
    """Return ``a to b`` for the least and largest value that is a number, one where both read the same.

    Args:
        values: numbers and NaN.
        plus: whether a positive value has a sign.
    """
    known = [v for v in values if not math.isnan(v)]
    if not known:
        return number(math.nan, DIGITS)
    mark = [("+" if plus and round(v, DIGITS) > 0 else "") + number(v, DIGITS) for v in (min(known), max(known))]
    return mark[0] if mark[0] == mark[1] else " to ".join(mark)


def within(estimates: Sequence[Estimate], *, plus: bool = False) -> str:
    """Return ``0.950 to 0.970 (95 % intervals within [0.910, 0.990])``: values, and what their intervals reach.

    Args:
        estimates: those without a value are passed over; where one has no interval, no interval is given.
        plus: whether a positive value has a sign.
    """
    known = [e for e in estimates if not math.isnan(e.value)]
    values = spread([e.value for e in known], plus=plus)
    if not known or any(math.isnan(e.low) for e in known):
        return values
    ends = number(min(e.low for e in known), DIGITS), number(max(e.high for e in known), DIGITS)
    return f"{values} (95 % intervals within [{', '.join(ends)}])"


def p_value(p: float) -> str:
    """Return ``p = 0.0123``, ``p = 0.32``, ``p = 1`` or ``p < 0.0001``."""
    if p < 1e-4:
        return f"p {probability(p, 4)}"
    return "p = 1" if p > 0.995 else f"p = {probability(p, 4 if p < 0.1 else 2)}"


def adjusted(difference: Difference) -> str:
    """Return the p-value of a difference with what it was adjusted for, or why there is none."""
    if math.isnan(difference.p):
        return f"no test: {why(difference)}"
    if difference.family == 1:
        return f"{p_value(difference.p)}, the only comparison"
    after, before = p_value(difference.p_holm), p_value(difference.p)
    said = f"{after} after Holm's adjustment over {difference.family:,} comparisons"
    return said if after == before else f"{said}, {before.removeprefix('p ').removeprefix('= ')} before"


def methods(estimates: Iterable[Estimate]) -> tuple[str, ...]:
    """Say how intervals were made, once for each method, and how many resamples had no value at most.

    Args:
        estimates: those without an interval are passed over.
    """
    lost: dict[str, int] = {}
    for method in (e.method for e in estimates if not math.isnan(e.low)):
        count = _LOST.search(method)
        name = _LOST.sub("", method)
        lost[name] = max(lost.get(name, 0), int(count.group(1)) if count else 0)
    return tuple(
        f"95 % intervals: {name}{f'; up to {n:,} without a value' if n else ''}."
        for name, n in lost.items()
    )


_LOST = re.compile(r" \((\d+) undefined\)")
"""What ``intervals.percentile`` says of resamples in which the statistic does not exist."""


def why(difference: Difference) -> str:
    """Return why there is no test, without saying that there is none: ``fewer than 10 architectures``."""
    return cause(difference.why)


def cause(text: str) -> str:
    """Return a reason without the words that there is nothing.

    Args:
        text: e.g. ``undefined: constant scores`` or ``no test for fewer than 10 architectures``.
    """
    return re.sub(r"^(no test(: | for )|undefined: )", "", text)


def seconds(value: float) -> str:
    """Return a time in seconds or milliseconds with three significant digits."""
    return f"{scientific(value)} s" if value >= 1 else f"{scientific(1e3 * value)} ms"


def ratio(value: float) -> str:
    """Return a ratio with two significant digits, or as a whole number from ten on."""
    return number(value, 0) if value >= 9.95 else scientific(float(f"{value:.2g}"))


def standing(sides: Sides) -> str:
    """Say which baselines the candidate is better than, worse than and not told apart from.

    Args:
        sides: of one slice; all empty where there is no baseline at all.

    Returns:
        A predicate that follows ``is``, e.g. ``better than 9 of 14 baselines and not told apart from nwot``.
    """
    total = len(sides.better) + len(sides.worse) + len(sides.undecided) + len(sides.untested)
    groups = [
        (head, every, names) for head, every, names in (
            ("better than", ("both", "all"), sides.better), ("worse than", ("both", "all"), sides.worse),
            ("not told apart from", ("either of the", "any of the"), sides.undecided),
        ) if names
    ]  # fmt: skip
    if not groups:
        return "compared with no baseline" if not total else f"tested against none of {plural(total, 'baseline')}"
    parts = [
        f"{head} {_one_side(names, every, total) if len(groups) == 1 else _some(names, total, first=not place)}"
        for place, (head, every, names) in enumerate(groups)
    ]
    if sides.untested:
        parts.append(f"not tested against {_some(sides.untested, total, first=False)}")
    if len(parts) == 1:
        return parts[0]
    counted = len(groups) > 1 and any(len(names) > NAMED for *_, names in groups[1:]) and len(groups[0][2]) <= NAMED
    return f"{', '.join(parts[:-1])}, and {parts[-1]}{f' ({total} baselines in all)' if counted else ''}"


def _one_side(names: Sequence[str], every: tuple[str, str], total: int) -> str:
    """Say that all baselines with a test are on one side: ``both`` of two, ``all`` of more, or what ``every`` says."""
    if len(names) == 1:
        return f"{names[0]}, the only baseline{' with a test' if total > 1 else ''}"
    count = every[0] + (" two" if every[0].endswith("the") else "") if len(names) == 2 else f"{every[1]} {len(names)}"
    return f"{count} baselines{' that there is a test for' if total > len(names) else ''}"


def _some(names: Sequence[str], total: int, *, first: bool) -> str:
    """Name a few baselines, or count many."""
    if len(names) <= NAMED:
        return listed(list(names))
    return f"{len(names)} of {total} baselines" if first else f"{len(names)} others"
