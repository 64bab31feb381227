"""What a report is made of: its input, its sections and their figures."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from zcbench.harness.analysis.across import Across, across
from zcbench.harness.analysis.bound_result import BoundStudy
from zcbench.harness.analysis.combined import Combined
from zcbench.harness.analysis.effort import Effort
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.table import Table
from zcbench.harness.analysis.theorem import TheoremCheck
from zcbench.harness.analysis.transfer import Transfer
from zcbench.reports.comparison import Measured
from zcbench.reports.text import listed

SURROGATE = "surrogate"
"""The kind of a truth that was predicted."""


def lower_end(values: Iterable[float]) -> float:
    """Return where a scale of correlations starts: at zero, or at the fifth below the lowest value."""
    lowest = min((v for v in values if not math.isnan(v)), default=0.0)
    return max(-1.0, -0.2 * math.ceil(-lowest / 0.2)) if lowest < 0 else 0.0


def slug(text: str) -> str:
    """Return ``text`` in lower snake case, fit for a file name and an anchor."""
    text = text.lower().replace("=-", "=minus ")  # a metric with a negative parameter is another metric
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_") or "unnamed"


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture.

    Attributes:
        name: lower snake case, the file name of its SVG.
        svg: the picture as one ``<svg>`` element; text takes the page's colour (``currentColor``).
        alt: what the picture shows, in a sentence, for those who cannot see it.
        caption: a short line under it.
        wide: whether it takes a row of its own instead of a place among small multiples.
        fold: what it is folded away under where that is possible, with its neighbours of the same text; empty
            where it is always shown.
    """

    name: str
    svg: str
    alt: str
    caption: str
    wide: bool = False
    fold: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Asks a renderer that can draw to show a column of estimates as bars with whiskers.

    Attributes:
        table: name of the table.
        column: name of its column of estimates.
        low: value at the left end of the scale.
        high: value at the right end.
        reference: a value drawn as a line through every bar, e.g. the noise ceiling.
        mark: name of a column of numbers that are marked on the same scale, row by row.
        unsigned: whether these numbers have no sign, and are marked on the side of the row's own bar.
    """

    table: str
    column: str
    low: float
    high: float
    reference: float | None = None
    mark: str | None = None
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report.

    Attributes:
        title: heading.
        anchor: its id in the page.
        intro: sentences that say how to read it.
        tables: its tables.
        figures: its figures.
        notes: sentences at its end.
        bars: columns that are drawn as bars where possible.
        folded: names of tables that repeat a figure, and may be folded away where that is possible.
        contents: what stands under its title in the contents: labels and names of tables.
    """

    title: str
    anchor: str
    intro: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    bars: tuple[Bars, ...] = ()
    folded: tuple[str, ...] = ()
    contents: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ReportInput:
    """Everything that a report is made from.

    Attributes:
        title: the report's title.
        analyses: one analysis for each target, at least one.
        provenance: what was run where: key to text, or group to keys and texts.
        measured: our estimates for published figures; see ``reproduction.requests``.
        costs: analyses whose truth is a cost of the architecture (latency, energy), not negated.
        passes: what metrics take besides shared passes, in words: ``a backward for every image``.
        theorems: for each analysis the check of theorem 1; None where there is none, or an earlier one of the
            same scores. Empty where nobody checked; so are the next two.
        bounds: for each analysis the bounds against the error; None where their scores are not there.
        combined: for each analysis several metrics together; None where that cannot be judged.
        transfers: one for each benchmark that was scored on several datasets, or for several tasks.
        efforts: for each analysis what its evaluations took; None, or empty, where nobody looked.
    """

    title: str
    analyses: tuple[Analysis, ...]
    provenance: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    measured: Sequence[Measured] = ()
    costs: tuple[Analysis, ...] = ()
    passes: Mapping[str, str] = field(default_factory=dict)
    theorems: tuple[TheoremCheck | None, ...] = ()
    bounds: tuple[BoundStudy | None, ...] = ()
    combined: tuple[Combined | None, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    efforts: tuple[Effort | None, ...] = ()

    @cached_property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmarks of the analyses and costs, each once."""
        return tuple(dict.fromkeys(a.table.benchmark for a in (*self.analyses, *self.costs)))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """One short unique name for each analysis: ``target``, or ``benchmark: target`` where there are several.

        A truth that a surrogate predicted is marked ``(surrogate)``: nobody trained these architectures. The
        source follows in brackets where it takes that to tell two apart. Names of files and anchors are
        made from labels, so no two labels have the same ``slug``.
        """
        return _labels(self.analyses, several=len(self.benchmarks) > 1)

    @cached_property
    def as_training(self) -> str:
        """``as training did``, with the targets on which nobody trained and a surrogate predicts."""
        predicted = [label for label, a in self.labelled() if a.table.kind == SURROGATE]
        if not predicted:
            return "as training did"
        if len(predicted) == len(self.analyses):
            return "as a surrogate predicts that training would"
        return f"as training did, or as a surrogate predicts for {listed(predicted)}"

    def labelled(self) -> tuple[tuple[str, Analysis], ...]:
        """Return the analyses with their labels."""
        return tuple(zip(self.labels, self.analyses, strict=True))

    @cached_property
    def across(self) -> Across:
        """How the metrics rank over the analyses, of which there are at least two; computed once."""
        return across(self.analyses)

    @cached_property
    def cost_labels(self) -> tuple[str, ...]:
        """One short unique name for each cost, formed like ``labels``."""
        return _labels(self.costs, several=len(self.benchmarks) > 1)


def _labels(analyses: Sequence[Analysis], *, several: bool) -> tuple[str, ...]:
    tables = [a.table for a in analyses]
    plain = [
        (f"{t.benchmark}: " if several else "") + t.target + (f" ({SURROGATE})" if t.kind == SURROGATE else "")
        for t in tables
    ]
    labels: list[str] = []
    for name, table in zip(plain, tables, strict=True):
        label = name if plain.count(name) == 1 else f"{name} ({table.source})"
        taken = {slug(other) for other in labels}
        labels.append(label if slug(label) not in taken else f"{label} {len(labels) + 1}")
    return tuple(labels)


@dataclass(frozen=True, slots=True)
class Report:
    """A report that is ready to be rendered.

    Attributes:
        title: heading of the page.
        summary: what was found, in sentences.
        facts: what it rests on, as pairs of a short name and a text: truth, scores, policy.
        sections: its parts in order.
    """

    title: str
    summary: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
