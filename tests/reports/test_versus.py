"""The page of a comparison shows what was found, and renders whatever was found."""

import csv
import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from compared import CANDIDATE, comparison, estimate, versus

from zcbench.harness.analysis.versus.compare import compare
from zcbench.harness.analysis.versus.parts import Variation
from zcbench.harness.types import Estimate
from zcbench.reports import versus_cost, versus_differences, versus_figures, versus_tables
from zcbench.reports.csv_tables import csv_table
from zcbench.reports.files import write
from zcbench.reports.html import html
from zcbench.reports.latex import latex
from zcbench.reports.markdown import markdown
from zcbench.reports.versus import VersusInput, build, default_title, facts, verdict_sentences

NAN = math.nan
MANY = tuple((f"m{i:02d}", 0.5 + 0.03 * i, 0.001 if abs(i - 10) > 3 else 0.5) for i in range(16))


def rows(table):
    return [dict(zip([c.name for c in table.columns], row, strict=True)) for row in table.rows]


@pytest.fixture(scope="module")
def scored(make_table):
    """A table of scores in which the candidate and swap are, the candidate undefined on one architecture."""
    table = make_table(60, names=(CANDIDATE, "params", "swap", "zen"))
    table.values[0, 0], table.outcome[0, 0], table.reason[0, 0] = NAN, "undefined", "no path <through> the network"
    return table


def test_the_differences_are_those_that_were_found():
    of = versus(MANY)
    part = versus_differences.section(comparison(of))
    every, top, tau = part.tables
    assert [r["baseline"] for r in rows(every)] == [name for name, _, _ in sorted(MANY, key=lambda b: -b[1])]
    for table, slice_ in ((every, "all"), (top, "top10_truth")):
        for row in rows(table):
            (d,) = [d for d in of.of(slice=slice_) if d.baseline == row["baseline"]]
            assert (row["difference"], row["p"], row["p_holm"], row["n"]) == (d.difference, d.p, d.p_holm, d.n)
            assert (row["ours"], row["theirs"]) == (d.ours, d.theirs)
            assert row["side"] == {"better": "better", "worse": "worse", "undecided": "undecided"}[d.side]
    for row in rows(tau):
        (d,) = [d for d in of.of(statistic="kendall") if d.baseline == row["baseline"]]
        (best,) = [d for d in of.of(statistic="kendall", slice="top10_truth") if d.baseline == row["baseline"]]
        assert (row["difference"], row["p_holm"]) == (d.difference, d.p_holm)
        assert (row["difference_top10"], row["p_holm_top10"]) == (best.difference, best.p_holm)
    assert {r["side"] for r in rows(every)} == {"better", "worse", "undecided"}


@pytest.mark.parametrize("own", [0.2, 0.75, 1.0])
def test_scales_reach_over_every_interval_and_zero(own):
    part = versus_differences.section(comparison(versus(MANY, own=own)))
    for bars, table in zip(part.bars, part.tables[:2], strict=True):
        ends = [0.0, *(end for r in rows(table) for end in (r["difference"].low, r["difference"].high))]
        assert min(ends) - 0.1 < bars.low <= min(ends) + 1e-9
        assert max(ends) - 1e-9 <= bars.high < max(max(ends), -bars.low / 2) + 0.1


def test_a_scale_without_a_number_has_a_width():
    part = versus_differences.section(comparison(versus((("a", NAN, NAN),), own=NAN, top=NAN)))
    assert [(b.low, b.high) for b in part.bars] == [(0.0, 0.1)] * 2


def test_what_is_not_tested_is_said():
    part = versus_differences.section(comparison(versus((("params", 0.7, 0.01), ("x", 0.2, NAN)))))
    assert "No test against x: a constant score." in part.tables[0].notes
    assert [r["side"] for r in rows(part.tables[0])] == ["better", "no test"]
    assert "1 target and 2 baselines in all (Spearman on all: 1 test, 1 without; τ-b on all: 1 " in part.intro[1]


def test_scores_stand_in_order_with_the_candidate_among_them():
    table = versus_tables.standings("x", comparison(), versus(own=0.75), "all")
    assert [r["metric"] for r in rows(table)] == ["swap", CANDIDATE, "params", "zen"]
    assert [r["role"] for r in rows(table)] == ["baseline", "candidate", "baseline", "baseline"]
    own = rows(table)[1]
    assert own["spearman"].value == 0.75
    best = versus_tables.standings("x", comparison(), versus(own=0.75), "top10_truth")
    assert [r["metric"] for r in rows(best)] == ["swap", CANDIDATE, "params", "zen"]
    assert rows(best)[1]["kendall"].value == pytest.approx(0.2 * 0.7)
    none = versus(own=0.5)
    missing = replace(none.standings[0], estimate=Estimate(NAN, NAN, NAN, 0, 100, "undefined: no scores"))
    table = versus_tables.standings("x", comparison(), replace(none, standings=(missing, *none.standings[1:])), "all")
    assert [r["metric"] for r in rows(table)][-1] == CANDIDATE


def test_additions_say_what_the_verdict_says():
    of = versus(adds="reversed")
    (table,) = versus_tables.additions(comparison(of)).tables
    assert [r["adds"] for r in rows(table)] == ["yes", "no", "reversed"]
    assert [r["given"] for r in rows(table)] == ["params", "best baseline", "params, flops, best baseline"]
    assert any("The best baseline on these data is swap" in note for note in table.notes)
    determined = replace(of.additions[0], redundant=True)
    unknown = replace(of.additions[1], bits=NAN)
    back = replace(of.additions[0], partial=estimate(-0.3))
    other = replace(of, additions=(determined, unknown, back, of.additions[2]))
    (table,) = versus_tables.additions(comparison(other)).tables
    assert [r["adds"] for r in rows(table)][:3] == ["determined by them", "cannot tell", "reversed"]


def test_copies_stability_and_cost():
    of = versus(copy_of="swap", decision="copy", reversed_=True)
    (table,) = versus_tables.copies(comparison(of)).tables
    assert [(r["metric"], r["copy"], r["reversed"]) for r in rows(table)] == [("swap", "yes", "yes")]
    (table,) = versus_tables.copies(comparison()).tables
    assert [(r["metric"], r["copy"], r["reversed"]) for r in rows(table)] == [("swap", "no", "no")]
    part = versus_tables.stability(comparison())
    assert [(r["group"], r["value"], r["lost"]) for r in rows(part.tables[0])] == [
        ("seed", "1", 0), ("seed", "2", 3), ("batch size", "16", 0),
    ]  # fmt: skip
    assert part.notes == ("Not measured: another initialisation.",)
    (table,) = versus_cost.section(comparison()).tables
    assert [(r["baseline"], r["ours_ms"], r["ratio"]) for r in rows(table)] == [
        ("params", 35.0, pytest.approx(3.5)), ("swap", 35.0, pytest.approx(1.75)), ("zen", 35.0, pytest.approx(7 / 6)),
    ]  # fmt: skip


def test_a_plain_function_has_no_marginal_cost():
    part = versus_cost.section(comparison(), alone=True)
    assert {(r["ours_marginal_ms"], r["ratio_marginal"]) for r in rows(part.tables[0])} == {(None, None)}
    assert part.notes == ("mine shares no pass with other metrics: beside them it costs what it costs alone.",)
    sentence = "it shares no pass with other metrics."
    assert sentence in html(build(VersusInput(comparison(), alone=True)))
    assert sentence not in html(build(VersusInput(comparison())))


def test_the_page_begins_with_verdict_facts_and_notes(scored):
    data = VersusInput(
        comparison(), facts=(("Candidate", "mine.py, digest 1234"),), notes=("mine is a plain function.",),
        provenance={"zcbench": {"version": "0.1.0"}}, tables=(scored,),
    )  # fmt: skip
    report = build(data)
    (text,) = verdict_sentences(data.comparison)
    assert report.title == "mine against 3 baselines on NAS-Bench-201"
    assert report.summary == (*text.paragraphs, "mine is a plain function.")
    assert report.summary[0] == text.verdict
    assert report.facts[0] == ("Candidate", "mine.py, digest 1234")
    assert ("Baselines", "3 baselines: params, swap, zen") in report.facts
    page = html(report)
    for sentence in report.summary:
        assert sentence.replace('"', "&#34;").replace("'", "&#39;").replace("<", "&lt;") in page
    assert "no path &lt;through&gt; the network" in page
    assert "0.1.0" in page


def test_the_page_needs_nothing_from_elsewhere_and_is_the_same_twice(scored):
    data = VersusInput(comparison(versus(MANY)), tables=())
    page = html(build(data))
    assert page == html(build(data))
    assert not re.search(r'(?:src|href)="(?!#)|@import|url\((?!#)', page)
    assert "prefers-color-scheme: dark" in page
    assert len(set(re.findall(r'\bid="([^"]+)"', page))) == len(re.findall(r'\bid="([^"]+)"', page))


def test_more_targets_than_one_have_their_sentences_below():
    three = comparison(versus(target="a"), versus(target="b", adds="no"), versus(MANY, target="c", benchmark="darts"))
    report = build(VersusInput(three))
    texts = verdict_sentences(three)
    assert report.summary[0].startswith("Of 3 targets on 2 benchmarks, mine is")
    assert report.summary[1:] == tuple(f"{t.verdict} {t.evidence}" for t in texts)
    first = report.sections[0]
    assert first.notes == tuple(f"{t.label}: {' '.join(t.paragraphs[2:])}" for t in texts)
    found = rows(first.tables[0])
    assert [r["target"] for r in found] == ["NAS-Bench-201: a", "NAS-Bench-201: b", "DARTS: c"]
    assert [r["adds"] for r in found] == ["yes", "no", "yes"]
    assert [r["best"] for r in found] == ["swap", "swap", "m15"]
    assert [r["side"] for r in found] == ["undecided", "undecided", "worse"]
    assert [r["cost_ratio"] for r in found] == [pytest.approx(1.75), pytest.approx(1.75), pytest.approx(0.035 / 0.16)]
    one = build(VersusInput(comparison(versus(target="a"))))
    assert len(one.summary) == 4
    assert one.sections[0].title == "Differences to each baseline"


def test_facts_of_several_targets_are_said_once():
    of = comparison(versus(target="a"), versus(target="b", truth="another truth"))
    found = dict(facts(VersusInput(of)))
    assert list(found) == [
        "Baselines", "Truth (a)", "Truth (b)", "Scores", "Architectures", "No score", "Bootstrap",
    ]  # fmt: skip
    assert found["Truth (b)"] == "another truth"
    assert found["Scores"] == "digits images, batch 32"
    assert found["No score"] == "drop: for that metric the architecture is left out, and counted"
    assert dict(facts(VersusInput(comparison(undefined="worst"))))["No score"].startswith("worst: for that metric the")


def test_titles():
    assert default_title(comparison(versus((("params", 0.7, 0.1),)))) == "mine against params on NAS-Bench-201"
    assert default_title(comparison(versus(()))) == "mine against no baseline on NAS-Bench-201"


@pytest.mark.parametrize(
    "of",
    [
        versus(()),
        versus((("params", 0.7, NAN),), n=3, decision="cannot tell", why="fewer than 10 architectures", costs=()),
        versus(copy_of="swap", decision="copy", reversed_=True, stability=()),
        versus(MANY, kind="surrogate", version=0),
        versus((("a", NAN, NAN), ("b", NAN, NAN)), own=NAN, top=NAN, decision="cannot tell", why="a constant score"),
    ],
    ids=["no baseline", "cannot tell", "copy", "many", "nothing"],
)  # fmt: skip
def test_it_renders_whatever_was_found(of, tmp_path):
    report = build(VersusInput(comparison(of)))
    page = write(report, tmp_path).read_text()
    words = re.sub(r"<[^>]*>", " ", page.split("</style>", 1)[1])
    assert not re.search(r"\bnan\b|None\b", words)
    names = [t.name for s in report.sections for t in s.tables]
    assert len(set(names)) == len(names)
    for table in (t for s in report.sections for t in s.tables):
        assert re.fullmatch(r"[a-z0-9_]+", table.name)
        assert len(list(csv.reader(io.StringIO(csv_table(table))))) == len(table.rows) + 1
        assert table.caption in markdown(report)
        assert "tabular" in latex(table)
        for suffix in ("csv", "md", "tex"):
            assert (tmp_path / "tables" / f"{table.name}.{suffix}").is_file()


def test_the_picture_of_differences_has_a_mark_for_every_number():
    of = versus((("params", 0.7, 0.2), ("x", NAN, NAN), ("zen", 0.3, 0.0001)))
    figure = versus_figures.differences("x", CANDIDATE, of, ("params", "zen", "x"))
    assert figure.svg.startswith("<svg")
    assert figure.alt == (
        "x: difference of mine to 3 baselines with 95 % intervals; by Spearman on all architectures mine is better "
        "than zen."
    )
    assert re.findall(r">(params|zen|x|all architectures|top 10 % by truth)<", figure.svg).count("params") == 1
    assert "currentColor" in figure.svg


def test_the_picture_of_ranks_rests_on_what_both_have(scored):
    figure = versus_figures.ranks("x", CANDIDATE, "swap", scored)
    assert figure is not None
    assert "for 59 architectures" in figure.alt
    assert versus_figures.ranks("x", CANDIDATE, "unknown", scored) is None
    few = replace(scored, truth=np.where(np.arange(60) < 58, np.nan, scored.truth))
    assert versus_figures.ranks("x", CANDIDATE, "swap", few) is None


def test_ranks_are_shares_of_the_worst_to_the_best():
    assert list(versus_figures._share(np.array([3.0, 1.0, 2.0]))) == [100.0, 0.0, 50.0]
    assert list(versus_figures._share(np.array([1.0, 1.0, 2.0]))) == [25.0, 25.0, 100.0]


def test_a_comparison_that_was_computed(make_table):
    """From scores to the page: the numbers of the sentences are those of the analysis."""
    table = make_table(60, names=("flops", "mine", "params", "swap"), seeds=2, undefined="none")
    other = Variation("batch size", "16", "32", make_table(40, names=("flops", "mine", "params", "swap"), seeds=2))
    found = compare(
        [table, replace(table, target="cifar100", truth=table.truth[::-1].copy())], "mine", ["flops", "swap"],
        undefined="worst", resamples=60, stability=[other],
    )  # fmt: skip
    report = build(VersusInput(found, tables=(table, replace(table, target="cifar100"))))
    first, second = verdict_sentences(found)
    assert (first.target, second.target) == ("cifar10", "cifar100")
    spearman = found.versus[0].standing("mine")
    assert f"is {spearman.value:.3f} (95 % interval [{spearman.low:.3f}, " in first.evidence
    assert "With initialisation seed 1, on 60 architectures, its scores" in first.stability
    assert "With batch size 16, on 40 architectures, its scores" in first.stability
    assert "was not measured" in second.stability
    assert [s.anchor for s in report.sections] == [
        "targets", "differences", "scores", "adds", "copies", "stability", "cost", "coverage", "provenance",
    ]  # fmt: skip
    assert html(report).count("<svg") == 4
