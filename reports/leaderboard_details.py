"""What stands behind the leaderboard's rows: the folded details, and the disagreements with both sides."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zcbench.harness.results.entry import Disagreement, Entry, Submission
from zcbench.harness.types import Seconds
from zcbench.reports.leaderboard_names import statistic_title, target_title
from zcbench.reports.leaderboard_rows import Badge, badges
from zcbench.reports.names import benchmark_title
from zcbench.reports.text import number, plural

_POLICIES = {"drop": "left out", "worst": "ranked last"}


@dataclass(frozen=True, slots=True)
class SideView:
    """One side of a disagreement: what it says, who says so, in which files, and the anchor of its details."""

    says: str
    who: str
    files: str
    details: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """A disagreement as the template shows it."""

    key: str
    what: str
    sides: tuple[SideView, ...]
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """What one measurement rests on; all statistics of it share these details.

    Attributes:
        anchor: sixteen hexadecimal digits, the same as long as metric, truth, architectures and recipe are.
        title: metric, benchmark, target and architectures in a line.
        badges: what is marked on it.
        facts: name and text.
        disputes: the disagreements that it is part of.
    """

    anchor: str
    title: str
    badges: tuple[Badge, ...]
    facts: tuple[tuple[str, str], ...]
    disputes: tuple[Dispute, ...]


def anchors(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return for each row the anchor of its details.

    It is made from what was measured, not from the numbers or from who confirmed them; the files of the first
    submission tell the two sides of a disagreement apart.

    Args:
        entries: the rows of the board.
    """
    return tuple(_anchor(entry) for entry in entries)


def _anchor(e: Entry) -> str:
    parts = [
        e.metric.name, e.metric.version, e.metric.code, e.metric.higher_is_better, e.metric.cite, e.metric.components,
        e.benchmark, e.space, e.truth.target, e.truth.source, e.truth.split, e.truth.epochs, e.truth.digest,
        e.architectures.digest, e.architectures.population, e.recipe.digest, e.undefined,
        e.submissions[0].file if e.disagreements else "",
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def details(
    entries: Sequence[Entry], found: Sequence[str], disagreements: Sequence[Disagreement]
) -> tuple[Details, ...]:
    """Return the details of all measurements, in the order of their first rows.

    Args:
        entries: the rows of the board.
        found: their anchors.
        disagreements: those of the board.
    """
    together: dict[str, list[Entry]] = {}
    for entry, anchor in zip(entries, found, strict=True):
        together.setdefault(anchor, []).append(entry)
    shown = {dispute.key: dispute for dispute in disputes(entries, found, disagreements)}
    raw = {disagreement.key: disagreement for disagreement in disagreements}
    made: list[Details] = []
    for anchor, members in together.items():
        keys = tuple(dict.fromkeys(key for entry in members for key in entry.disagreements))
        marks = badges(members[0], [raw[key] for key in keys])
        made.append(Details(anchor, _title(members[0]), marks, _facts(members), tuple(shown[key] for key in keys)))
    return tuple(made)


def disputes(
    entries: Sequence[Entry], found: Sequence[str], disagreements: Sequence[Disagreement]
) -> tuple[Dispute, ...]:
    """Return the disagreements with the details of their sides.

    Args:
        entries: the rows of the board.
        found: the anchors of their details.
        disagreements: those of the board.
    """
    anchor_of = {entry.key: anchor for entry, anchor in zip(entries, found, strict=True)}
    return tuple(
        Dispute(
            d.key, d.what,
            tuple(
                SideView(side.says, ", ".join(side.by), ", ".join(side.files),
                         next((anchor_of[key] for key in side.entries if key in anchor_of), ""))
                for side in d.sides
            ),
            d.causes,
        )
        for d in disagreements
    )  # fmt: skip


def _title(e: Entry) -> str:
    sets = f"{plural(e.architectures.number, 'architecture')} ({e.architectures.population})"
    return f"{e.metric.name} · {benchmark_title(e.benchmark)} · {target_title(e.truth)} · {sets} · {e.recipe.dataset}"


def _facts(members: Sequence[Entry]) -> tuple[tuple[str, str], ...]:
    e = members[0]
    up = "a high score stands for a high truth" if e.metric.higher_is_better else "a low score stands for a high truth"
    code = f"code of its own ({e.metric.code})" if e.metric.code else "comes with zcbench"
    coverage = e.coverage
    facts = (
        ("Metric", f"{e.metric.name}, version {e.metric.version}: {up}; {code}"),
        ("Ranks by", ", ".join(e.metric.components)),
        ("Citation", e.metric.cite),
        ("Truth", _truth(e)),
        ("Architectures", _architectures(e)),
        ("Recipe", _recipe(e)),
        ("Scores", f"{number(coverage.ok, 0)} ok, {number(coverage.undefined, 0)} undefined, "
                   f"{number(coverage.failed, 0)} failed; architectures without a score are "
                   f"{_POLICIES.get(e.undefined, e.undefined)}"),
        ("Intervals", _methods(members)),
        ("Cost of a score", _cost(e.seconds)),
        ("Measured by", "\n".join(_submission(s) for s in e.submissions)),
        ("Machines", "\n".join(_machines(e.submissions))),
    )  # fmt: skip
    return tuple((name, text) for name, text in facts if text)


def _truth(e: Entry) -> str:
    t = e.truth
    epochs = "last epoch" if t.epochs < 0 else plural(t.epochs, "epoch")
    return (
        f"{t.target}: {t.description}\n{t.kind} {t.measure}, source {t.source}, split {t.split}, {epochs}, "
        f"values {t.digest}"
    )


def _architectures(e: Entry) -> str:
    a = e.architectures
    left = f"; {number(a.without_truth, 0)} more left out, because they have no truth" if a.without_truth else ""
    return f"{number(a.number, 0)} of the population {a.population} of {e.space}{left}; set {a.digest}"


def _recipe(e: Entry) -> str:
    r = e.recipe
    seeds = f"initialisation {r.init}, seed{'s' * (len(r.seeds) > 1)} {', '.join(map(str, r.seeds))}"
    return f"{r.words}\nimages {r.dataset}, batch {r.batch_size}, {seeds}; recipe {r.digest}"


def _methods(members: Sequence[Entry]) -> str:
    """How the intervals were made: each method once, with the statistics that it is for."""
    uses: dict[str, dict[str, None]] = {}
    for entry in members:
        uses.setdefault(entry.estimate.method or "no interval", {})[statistic_title(entry.statistic)] = None
    lines = [f"{', '.join(statistics)}: {method}" for method, statistics in uses.items()]
    return "\n".join([*lines, f"{number(members[0].resamples, 0)} resamples where an interval is a bootstrap's"])


def _cost(seconds: Seconds) -> str:
    if math.isnan(seconds.standalone):
        return "not timed"
    alone = f"{number(1e3 * seconds.standalone, 2)} ms alone"
    if math.isnan(seconds.marginal):
        return f"{alone} (median)"
    return f"{alone}, {number(1e3 * seconds.marginal, 2)} ms in company (medians)"


def _submission(s: Submission) -> str:
    same = "" if s.identical else "; not the first one's scores bit for bit"
    where = [s.environment, f"zcbench {s.zcbench}" if s.zcbench else "", _cost(s.seconds), s.file]
    return f"{s.by}: {'; '.join(part for part in where if part)}{same}"


def _machines(submissions: Sequence[Submission]) -> list[str]:
    """Everything that was recorded of the machines, each once."""
    lines = [_recorded(machine) for s in submissions for machine in s.environments]
    return list(dict.fromkeys(lines))


def _recorded(machine: Mapping[str, str]) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items())
