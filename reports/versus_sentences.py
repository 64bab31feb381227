"""Sentences on what a candidate adds, what it is like, the best architectures, its cost and its stability."""

import math
from collections.abc import Sequence

from zcbench.harness.analysis.versus.parts import BEST, TWIN, Addition, Stability
from zcbench.harness.analysis.versus.result import Versus
from zcbench.reports.text import listed, number, plural
from zcbench.reports.versus_phrases import DIGITS, cause, measured, ratio, seconds, signed, standing, why, within

KINDS = ("seed", "batch size", "initialisation")
"""What a candidate's stability may be measured over."""


def together(versus: Versus) -> Addition | None:
    """Return what the candidate tells beyond params, flops and the best baseline together."""
    return versus.additions[-1] if versus.additions else None


def adds(versus: Versus) -> str:
    """Say what the candidate tells beyond params, flops and the best baseline."""
    found = together(versus)
    if found is None:
        return ""
    given = _given(found, "the only baseline" if len(versus.of()) == 1 else "the best baseline")
    of = f"partial Spearman {measured(found.partial)}"
    level = number(found.level, DIGITS)
    bits = f"{number(found.bits, DIGITS)} bits, where 97.5 % of shuffles stay below {level}"
    if found.redundant:
        return f"It adds nothing to {given}, which determine{'s' * (len(found.names) == 1)} its ranks."
    if math.isnan(found.partial.value):
        return f"Whether it adds anything to {given} cannot be told ({cause(found.partial.method)})."
    known = f"({of}; {bits})" if not math.isnan(found.bits) else f"({of}; too few architectures for the information)"
    match versus.verdict.adds:
        case "yes":
            return f"It adds to {given} {known}."
        case "reversed":
            return f"Given {given}, it tells something about the truth, but against its own direction {known}."
        case "no":
            return f"It is not shown to add anything to {given} {known}."
        case _:
            return f"Whether it adds anything to {given} cannot be told {known}."


def _given(found: Addition, best: str) -> str:
    """Name what is given; the best baseline is called so unless it is a count that is given anyway."""
    marked = [f"{name} ({best})" if at else name for name, at in _marked(found)]
    return listed(marked) + (" together" if len(marked) > 1 else "")


def _marked(found: Addition) -> list[tuple[str, bool]]:
    counts = {name for name in found.given if name != BEST}
    if not found.names:
        return [(f"the {BEST}" if name == BEST else name, False) for name in found.given]
    return [(name, name not in counts) for name in found.names]


def alike(versus: Versus) -> str:
    """Say which known metric the candidate is most like; nothing where the verdict says so."""
    near = versus.nearest
    if near is None or versus.verdict.decision == "copy" or math.isnan(near.correlation.value):
        return ""
    turned = ", in reversed order" if near.reversed else ""
    beyond = f"; above {TWIN} it would be called a copy" if near.beyond else ""
    return (
        f"Of the known metrics it is most like {near.metric}{turned} (rank correlation {measured(near.correlation)}"
        f"{beyond})."
    )


def top(versus: Versus) -> str:
    """Say what holds within the top 10 % by truth."""
    found = versus.verdict
    on = f"Within the top 10 % by truth ({plural(found.n_top, 'architecture')})"
    tests = versus.of(slice="top10_truth")
    if not found.n_top or not tests:
        return ""
    own = next(s.estimate for s in versus.standings if s.slice == "top10_truth" and s.statistic == "spearman")
    if math.isnan(own.value):
        return f"{on} it has no rank correlation with the truth."
    reached = f"{on} its Spearman is {measured(own)}"
    if all(d.side == "untested" for d in tests):
        return f"{reached}, and nothing is tested: {why(tests[0])}."
    return f"{reached}, and it is {standing(found.top)}."


def cost(versus: Versus, *, alone: bool = False) -> str:
    """Say what the candidate takes, beside the best baseline.

    Args:
        versus: the comparison on one target.
        alone: whether the candidate shares no pass with others, so that its marginal time says nothing.
    """
    known = [c for c in versus.costs if not math.isnan(c.ours_standalone)]
    if not known:
        return "What it costs is not known." if versus.costs else ""
    chosen = next((c for c in known if c.baseline == versus.best), None)
    one = chosen or known[0]
    said = f"Scored alone it takes {seconds(one.ours_standalone)} an architecture (median)"
    if chosen is not None and not math.isnan(chosen.ratio):
        times, theirs = ratio(chosen.ratio), seconds(chosen.theirs_standalone)
        much = "as long as" if times == "1" else f"{times} times the {theirs} of"
        said += f", {much} {chosen.baseline}"
    if alone:
        said += "; it shares no pass with other metrics"
    elif not math.isnan(one.ours_marginal):
        said += f"; once others have paid for the passes that it shares, {seconds(one.ours_marginal)}"
    return f"{said}."


def stability(versus: Versus) -> str:
    """Say how much initialisation seed, batch size and initialisation change."""
    parts = [_varied(kind, [s for s in versus.stability if s.kind == kind]) for kind in _kinds(versus.stability)]
    missing = [_NAMES.get(kind, (kind, f"{kind}s"))[1] for kind in KINDS if kind not in _kinds(versus.stability)]
    if missing:
        parts.append(f"Its stability over {listed(missing)} was not measured.")
    return " ".join(parts)


_NAMES = {"seed": ("initialisation seed", "initialisation seeds"), "batch size": ("batch size", "batch sizes")}


def _kinds(found: Sequence[Stability]) -> list[str]:
    there = dict.fromkeys(s.kind for s in found)
    return [*(kind for kind in KINDS if kind in there), *(kind for kind in there if kind not in KINDS)]


def _varied(kind: str, found: list[Stability]) -> str:
    """One sentence on the changes of one kind."""
    name, names = _NAMES.get(kind, (kind, f"{kind}s"))
    if len(found) == 1:
        head, agreement, change = f"With {name} {found[0].value}", measured(found[0].agreement), signed(found[0].change)
    else:
        head = f"With {len(found)} other {names} ({', '.join(s.value for s in found)})"
        agreement = within([s.agreement for s in found])
        change = within([s.change for s in found], plus=True)
    if all(math.isnan(s.agreement.value) for s in found):
        return f"{head}, nothing can be said of its agreement with itself ({cause(found[0].agreement.method)})."
    reference = found[0].reference
    own = f"those of {kind} {reference}" if reference else "those before"
    lost = max(s.n_undefined for s in found)
    most = "up to " if len(found) > 1 and lost else ""
    gone = f"; {most}{plural(lost, 'architecture')} {'loses' if lost == 1 else 'lose'} the score" if lost else ""
    few = sorted({s.n for s in found})
    on = f"{plural(few[0], 'architecture')}" if len(few) == 1 else f"{few[0]:,} to {few[-1]:,} architectures"
    return (
        f"{head}, on {on}, its scores have a rank correlation of {agreement} with {own}, and its Spearman with the "
        f"truth changes by {change}{gone}."
    )
