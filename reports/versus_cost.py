"""Section of a comparison: what the candidate and the baselines take."""

from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.harness.analysis.versus.result import Comparison, Versus
from zcbench.reports.section import Section, slug
from zcbench.reports.versus_phrases import labels


def section(comparison: Comparison, *, alone: bool = False) -> Section:
    """Return the times of candidate and baselines, a table for every benchmark and target.

    Args:
        comparison: of one candidate with the baselines.
        alone: whether the candidate shares no pass with others: its marginal times are left out.
    """
    tables = tuple(
        costs(label, versus, alone=alone)
        for label, versus in zip(labels(comparison), comparison.versus, strict=True)
        if versus.costs
    )
    shares = f"{comparison.candidate} shares no pass with other metrics: beside them it costs what it costs alone."
    return Section(
        title="Cost",
        anchor="cost",
        intro=(
            "Alone: every pass and quantity that a metric needs, as if it were the only one. Marginal: its own "
            "reduction, once others have paid for the passes. Median over the architectures that have a score of "
            "both; times of scores that were made on other machines are not comparable.",
        ),
        tables=tables,
        notes=(shares,) * alone if tables else ("No times are known.",),
    )


def costs(label: str, versus: Versus, *, alone: bool) -> Table:
    """Return the times, a line for each baseline.

    Args:
        label: the target's label in this report.
        versus: the comparison on that target.
        alone: whether the candidate shares no pass with others.
    """
    rows: list[tuple[Cell, ...]] = []
    for c in versus.costs:
        own: tuple[Cell, Cell] = (None, None) if alone else (1e3 * c.ours_marginal, c.ratio_marginal)
        standalone = 1e3 * c.ours_standalone, 1e3 * c.theirs_standalone, c.ratio
        rows.append((c.baseline, *standalone, own[0], 1e3 * c.theirs_marginal, own[1], c.n))
    columns = (
        Column("baseline", "Baseline"),
        Column("ours_ms", "Candidate alone, ms", Kind.NUMBER, 2),
        Column("theirs_ms", "Baseline alone, ms", Kind.NUMBER, 2),
        Column("ratio", "Ratio", Kind.NUMBER, 2),
        Column("ours_marginal_ms", "Candidate marginal, ms", Kind.NUMBER, 2),
        Column("theirs_marginal_ms", "Baseline marginal, ms", Kind.NUMBER, 2),
        Column("ratio_marginal", "Ratio", Kind.NUMBER, 2),
        Column("n", "n", Kind.INTEGER),
    )
    caption = f"{label}: median time to score one architecture, candidate and baseline."
    return Table(f"cost_{slug(label)}", caption, columns, tuple(rows))
