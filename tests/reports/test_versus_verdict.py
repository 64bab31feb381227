"""The sentences of a comparison are right in every case: singular and plural, no number, twins, one and many."""

import math
import re
from dataclasses import replace

import pytest
from compared import TRUTH, comparison, estimate, versus

from zcbench.harness.analysis.versus.parts import Cost, Stability, Twin
from zcbench.harness.analysis.versus.result import Sides
from zcbench.harness.types import Estimate
from zcbench.reports import versus_phrases as phrases
from zcbench.reports.versus_verdict import overall, verdict_sentences

NAN = math.nan
NOTHING = Estimate(NAN, NAN, NAN, 4, 0, "undefined: a constant score")


def said(of, **options):
    (text,) = verdict_sentences(comparison(of, **options))
    return text


@pytest.mark.parametrize(
    ("baselines", "expected"),
    [
        ((("params", 0.7, 0.01),), "is better than params, the only baseline."),
        ((("params", 0.9, 0.01),), "is worse than params, the only baseline."),
        ((("params", 0.9, 0.3),), "is not told apart from params, the only baseline."),
        (tuple((f"m{i}", 0.5, 0.01) for i in range(14)), "is better than all 14 baselines."),
        (tuple((f"m{i}", 0.9, 0.01) for i in range(2)), "is worse than both baselines."),
        (tuple((f"m{i}", 0.7, 0.5) for i in range(2)), "is not told apart from either of the two baselines."),
        (tuple((f"m{i}", 0.7, 0.5) for i in range(14)), "is not told apart from any of the 14 baselines."),
        (
            (("a", 0.5, 0.01), ("b", 0.7, 0.5), ("c", 0.9, 0.01)),
            "is better than a, worse than c, and not told apart from b.",
        ),
        ((("a", 0.5, 0.01), ("b", 0.7, 0.5)), "is better than a, and not told apart from b."),
        (
            (*((f"a{i}", 0.5, 0.01) for i in range(5)), *((f"b{i}", 0.9, 0.5) for i in range(6))),
            "is better than 5 of 11 baselines, and not told apart from 6 others.",
        ),
        (
            (("a", 0.5, 0.01), *((f"b{i}", 0.9, 0.5) for i in range(6))),
            "is better than a, and not told apart from 6 others (7 baselines in all).",
        ),
        (
            (("a", 0.5, 0.01), ("b", NAN, NAN)),
            "is better than a, the only baseline with a test, and not tested against b.",
        ),
        (
            (("a", 0.5, 0.01), ("b", 0.5, 0.01), ("c", NAN, NAN)),
            "is better than both baselines that there is a test for, and not tested against c.",
        ),
        ((), "is compared with no baseline."),
    ],
)  # fmt: skip
def test_the_verdict_names_the_baselines(baselines, expected):
    on = '100 architectures of NAS-Bench-201 (population "all", target cifar10)'
    assert said(versus(baselines)).verdict == f"By Spearman on {on}, mine (version 2) {expected}"


def test_every_baseline_is_on_one_side_and_named_when_few():
    found = Sides(better=("a", "b"), worse=("c",), undecided=("d",), untested=("e",))
    expected = "better than a and b, worse than c, not told apart from d, and not tested against e"
    assert phrases.standing(found) == expected
    assert phrases.standing(Sides(untested=("a", "b"))) == "tested against none of 2 baselines"


def test_the_evidence_can_be_published():
    text = said(versus()).evidence
    assert text == (
        f"Its Spearman with the truth ({TRUTH}) is 0.800 (95 % interval [0.760, 0.840]); that of swap, the best "
        "baseline, is 0.790 [0.750, 0.830]. The difference is +0.010 [−0.020, 0.040] (p = 0.90 after Holm's "
        "adjustment over 3 comparisons, 0.30 before); with the best baseline chosen anew in every resample, "
        "+0.010 [−0.040, 0.060]. Kendall's τ-b leads to the same decisions."
    )


def test_one_comparison_is_not_adjusted_and_no_best_is_chosen():
    text = said(versus((("params", 0.7, 0.01),))).evidence
    assert "that of params, the only baseline, is 0.700 [0.660, 0.740]" in text
    assert "(p = 0.0100, the only comparison)" in text
    assert "Holm" not in text
    assert "chosen anew" not in text


def test_p_values_that_read_the_same_are_printed_once():
    text = said(versus(tuple((f"m{i}", 0.5, 0.00001) for i in range(2)))).evidence
    assert "(p < 0.0001 after Holm's adjustment over 2 comparisons)" in text


def test_a_difference_on_fewer_architectures_says_so():
    of = versus()
    fewer = tuple(replace(d, n=87) for d in of.differences)
    text = said(replace(of, differences=fewer)).evidence
    assert "The difference on the 87 architectures that have both is +0.010 [−0.020, 0.040] (p" in text
    more = tuple(replace(s, estimate=replace(s.estimate, n=120)) if s.metric == "swap" else s for s in of.standings)
    assert "on the 100 architectures that have both is +0.010" in said(replace(of, standings=more)).evidence


def test_tau_that_decides_otherwise_is_said():
    of = versus()
    changed = tuple(replace(d, p=0.9, p_holm=1.0) if d.statistic == "kendall" else d for d in of.differences)
    assert said(replace(of, differences=changed)).evidence.endswith(
        "By Kendall's τ-b it is not told apart from any of the 3 baselines."
    )


@pytest.mark.parametrize(
    ("count", "policy", "expected"),
    [
        (1, "drop", "It has no score on 1 of the 100 architectures, which is left out."),
        (12, "worst", "It has no score on 12 of the 100 architectures, which are ranked last."),
        (100, "drop", "It has no score on all 100 architectures, which are left out."),
        (0, "drop", ""),
    ],
)
def test_missing_scores_are_counted(count, policy, expected):
    text = said(versus(n_undefined=count), undefined=policy).evidence
    assert text.endswith(expected or "decisions.")
    assert ("no score" in text) == bool(count)


def test_nothing_can_be_told():
    of = versus((("params", 0.7, NAN),), n=1, decision="cannot tell", why="fewer than 10 architectures")
    none = tuple(replace(s, estimate=NOTHING) for s in of.standings)
    text = said(replace(of, standings=none, costs=(), stability=(), additions=(), nearest=None))
    assert text.verdict == (
        'On 1 architecture of NAS-Bench-201 (population "all", target cifar10) nothing can be said of mine (version 2) '
        "against the baselines: fewer than 10 architectures."
    )
    assert text.evidence == f"It has no rank correlation with the truth ({TRUTH})."
    assert text.top == "Within the top 10 % by truth (10 architectures) it has no rank correlation with the truth."
    assert text.adds == text.alike == text.cost == ""
    assert "nan" not in text.text.lower()


def test_why_nothing_can_be_told_is_a_phrase():
    of = versus(decision="cannot tell", why="undefined or failed on 30 of 40 architectures")
    assert said(of).verdict.endswith("against the baselines: it is undefined or failed on 30 of 40 architectures.")
    of = versus(decision="cannot tell", why="undefined: constant score")
    assert said(of).verdict.endswith("against the baselines: constant score.")


def test_a_copy_is_called_one():
    of = versus(copy_of="swap", decision="copy")
    text = said(of).verdict
    assert "(version 2) is a re-scaled copy of swap: the rank correlation of the two is 0.999 [0.998, 0.999] on" in text
    assert text.endswith("By Spearman with the truth it is better than zen, and not told apart from params and swap.")
    assert said(of).alike == ""
    more = (*of.twins, Twin("snip", estimate(0.995), True, False), Twin("fisher", estimate(0.992), True, False))
    assert "on 100 architectures, and so it is of snip and fisher. By" in said(replace(of, twins=more)).verdict


def test_a_reversed_copy_is_called_reversed():
    text = said(versus(copy_of="swap", decision="copy", reversed_=True)).verdict
    assert "is a re-scaled copy of swap with the order reversed: the rank correlation of the two is −0.999 [" in text


def test_an_unknown_version_is_not_named():
    assert "mine is better than" in said(versus(version=0)).verdict


GIVEN = "params, flops and swap (the best baseline) together"
BITS = "0.080 bits, where 97.5 % of shuffles stay below 0.030"


@pytest.mark.parametrize(
    ("adds", "expected"),
    [
        ("yes", f"It adds to {GIVEN} (partial Spearman 0.310 [0.270, 0.350]; {BITS})."),
        ("no", f"It is not shown to add anything to {GIVEN} (partial Spearman 0.010 [−0.030, 0.050]; {BITS})."),
        ("reversed", f"Given {GIVEN}, it tells something about the truth, but against its own direction "
                     f"(partial Spearman −0.310 [−0.350, −0.270]; {BITS})."),
        ("cannot tell", f"Whether it adds anything to {GIVEN} cannot be told (bootstrap percentile, 1000 resamples)."),
    ],
)  # fmt: skip
def test_what_it_adds(adds, expected):
    assert said(versus(adds=adds)).adds == expected


def test_what_it_adds_to_a_best_baseline_that_is_a_count():
    assert said(versus((("params", 0.7, 0.01),))).adds.startswith("It adds to params and flops together (")


def test_the_only_baseline_is_not_called_the_best():
    assert "to params, flops and swap (the only baseline) together (" in said(versus((("swap", 0.7, 0.01),))).adds


def test_a_metric_that_others_determine_adds_nothing():
    of = versus()
    last = replace(of.additions[-1], redundant=True)
    assert said(replace(of, additions=(last,))).adds == (
        "It adds nothing to params, flops and swap (the best baseline) together, which determine its ranks."
    )
    one = replace(last, given=("best baseline",), names=("swap",))
    text = said(replace(of, additions=(one,))).adds
    assert text == "It adds nothing to swap (the best baseline), which determines its ranks."


def test_where_nothing_is_given_nothing_is_told():
    of = versus(adds="cannot tell")
    none = Estimate(NAN, NAN, NAN, 0, 0, "undefined: there is no baseline")
    last = replace(of.additions[-1], given=("best baseline",), names=(), partial=none)
    text = said(replace(of, additions=(last,))).adds
    assert text == "Whether it adds anything to the best baseline cannot be told (there is no baseline)."


def test_too_few_architectures_for_bits():
    of = versus(adds="no")
    last = replace(of.additions[-1], bits=NAN, level=NAN)
    assert said(replace(of, additions=(last,))).adds.endswith("; too few architectures for the information).")


def test_what_it_is_like():
    assert said(versus()).alike == "Of the known metrics it is most like swap (rank correlation 0.930 [0.930, 0.930])."
    back = Twin("zen", estimate(-0.6), False, True)
    assert "most like zen, in reversed order (rank correlation −0.600 [" in said(versus(nearest=back)).alike
    assert said(versus(nearest=Twin("zen", NOTHING, False, False))).alike == ""


def test_the_best_architectures():
    assert said(versus()).top == (
        "Within the top 10 % by truth (10 architectures) its Spearman is 0.200 [0.160, 0.240], and it is better than "
        "zen, and not told apart from params and swap."
    )
    of = versus()
    none = tuple(
        replace(d, p=NAN, p_holm=NAN, why="no test for fewer than 10 architectures") if d.slice == "top10_truth" else d
        for d in of.differences
    )
    one = replace(of, differences=none, verdict=replace(of.verdict, n_top=1))
    assert said(one).top == (
        "Within the top 10 % by truth (1 architecture) its Spearman is 0.200 [0.160, 0.240], and nothing is tested: "
        "fewer than 10 architectures."
    )


def test_what_it_costs():
    assert said(versus()).cost == (
        "Scored alone it takes 35 ms an architecture (median), 1.8 times the 20 ms of swap; once others have paid for "
        "the passes that it shares, 2 ms."
    )
    slow = Cost("swap", 2.0, NAN, 0.0001, NAN, 9)
    assert said(versus(costs=(slow,))).cost == (
        "Scored alone it takes 2 s an architecture (median), 20,000 times the 0.1 ms of swap."
    )
    same = said(versus(costs=(Cost("swap", 2.0, NAN, 2.01, NAN, 9),))).cost
    assert same == "Scored alone it takes 2 s an architecture (median), as long as swap."
    alone = said(versus(costs=(Cost("swap", 2.0, 0.1, NAN, NAN, 9),))).cost
    assert alone.startswith("Scored alone it takes 2 s an architecture (median); once")
    assert said(versus(costs=(Cost("swap", NAN, NAN, 1.0, 1.0, 9),))).cost == "What it costs is not known."


def test_a_plain_function_has_no_marginal_cost():
    (text,) = verdict_sentences(comparison(), alone=True)
    assert text.cost == (
        "Scored alone it takes 35 ms an architecture (median), 1.8 times the 20 ms of swap; it shares no pass with "
        "other metrics."
    )


def test_stability_of_one_and_of_several_changes():
    text = said(versus()).stability
    assert text == (
        "With 2 other initialisation seeds (1, 2), on 100 architectures, its scores have a rank correlation of 0.950 "
        "to 0.970 (95 % intervals within [0.910, 1.010]) with those of seed 0, and its Spearman with the truth changes "
        "by −0.010 to +0.012 (95 % intervals within [−0.030, 0.032]); up to 3 architectures lose the score. With batch "
        "size 16, on 100 architectures, its scores have a rank correlation "
        "of 0.900 [0.860, 0.940] with those of batch size 32, and its Spearman with the truth changes by −0.100 "
        "[−0.120, −0.080]. Its stability over initialisations was not measured."
    )
    one = Stability("initialisation", "kaiming", "", estimate(0.5), estimate(0.2), estimate(0.01), 9, 1)
    text = said(versus(stability=(one,))).stability
    assert "With initialisation kaiming, on 9 architectures, its scores have a rank correlation of 0.500 [0.4" in text
    assert "with those before" in text
    assert "; 1 architecture loses the score." in text
    assert text.endswith("Its stability over initialisation seeds and batch sizes was not measured.")
    two = (replace(one, reference="pytorch"), replace(one, value="fan_out", reference="pytorch", n=1))
    assert "With 2 other initialisations (kaiming, fan_out), on 1 to 9 architectures, its scores" in said(
        versus(stability=two)
    ).stability
    lost = replace(one, agreement=NOTHING)
    assert "kaiming, nothing can be said of its agreement with itself (a constant score)" in said(
        versus(stability=(lost,))
    ).stability


def test_without_stability():
    assert said(versus(stability=())).stability == (
        "Its stability over initialisation seeds, batch sizes and initialisations was not measured."
    )


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.00001, "p < 0.0001"), (0.0123, "p = 0.0123"), (0.0499, "p = 0.0499"), (0.317, "p = 0.32"), (1.0, "p = 1")],
)
def test_p_values(p, expected):
    assert phrases.p_value(p) == expected


def test_small_phrases():
    assert phrases.ratio(1.749) == "1.7"
    assert phrases.ratio(0.00123) == "0.0012"
    assert phrases.ratio(9.97) == "10"
    assert phrases.ratio(1234.5) == "1,234"
    assert phrases.seconds(0.0001234) == "0.123 ms"
    assert phrases.seconds(12.0) == "12 s"
    assert phrases.spread([0.9, NAN, 0.8]) == "0.800 to 0.900"
    assert phrases.spread([0.9, 0.9001]) == "0.900"
    assert phrases.spread([NAN]) == "–"
    assert phrases.within([estimate(0.8), NOTHING, estimate(0.9, 0.01)]) == (
        "0.800 to 0.900 (95 % intervals within [0.760, 0.910])"
    )
    assert phrases.within([estimate(0.8), Estimate(0.9, NAN, NAN, 9, 0, "")], plus=True) == "+0.800 to +0.900"
    assert phrases.within([NOTHING]) == "–"
    assert phrases.signed(estimate(0.0001, 0.01)) == "0.000 [−0.010, 0.010]"


def test_methods_are_said_once_with_what_had_no_value():
    lost = replace(estimate(0.1), method="bootstrap percentile, 1000 resamples (12 undefined)")
    found = phrases.methods([estimate(0.2), lost, NOTHING, replace(lost, method="another")])
    assert found == (
        "95 % intervals: bootstrap percentile, 1000 resamples; up to 12 without a value.", "95 % intervals: another.",
    )  # fmt: skip


def test_kinds_of_changes_are_said_in_one_order():
    of = versus()
    turned = said(replace(of, stability=of.stability[::-1])).stability
    assert turned.startswith("With 2 other initialisation seeds (2, 1)")


def test_several_targets_have_a_sentence_over_all():
    three = (
        versus(target="a"), versus(tuple((f"m{i}", 0.3, 0.001) for i in range(2)), target="b"),
        versus(tuple((f"m{i}", 0.3, 0.001) for i in range(2)), target="c", benchmark="darts"),
    )  # fmt: skip
    assert overall(comparison(*three)) == (
        "Of 3 targets on 2 benchmarks, mine is better than every baseline that there is a test for on 2 "
        "(NAS-Bench-201: b, DARTS: c); better than some baselines on 1 (NAS-Bench-201: a). Against the best baseline "
        "of each target it is better on 2 and not told apart on 1."
    )
    same = (versus(target="a"), versus(target="b"))
    assert overall(comparison(*same)) == (
        "Of 2 targets, mine is better than some baselines on all (a, b). Against the best baseline of each target it "
        "is not told apart on 2."
    )
    none = (versus((("x", 0.9, 0.01),), target="a"), versus((("x", 0.7, NAN),), target="b", decision="cannot tell"))
    assert overall(comparison(*none)).endswith("of each target it is worse on 1 and not tested on 1.")
    assert overall(comparison()) == ""


def test_labels_are_unique_and_say_what_was_predicted():
    of = (versus(), versus(source="meco"), versus(source="meco", population="no_dead_edge"), versus(kind="surrogate"))
    found = phrases.labels(comparison(*of))
    assert found == ("cifar10 (robot)", "cifar10 (meco)", "cifar10 (meco) 3", "cifar10 (surrogate)")


@pytest.mark.parametrize("adds", ["yes", "no", "reversed", "cannot tell"])
@pytest.mark.parametrize("copy_of", ["", "swap"])
def test_sentences_are_sentences(adds, copy_of):
    """No brackets left open, no doubled blanks or marks, no bare nan, and a full stop at the end of each."""
    text = said(versus(adds=adds, copy_of=copy_of, decision="copy" if copy_of else None))
    for part in (text.verdict, text.evidence, text.adds, text.alike, text.top, text.cost, text.stability):
        assert part == "" or re.fullmatch(r"[A-Z].*\.", part)
        assert not re.search(r"  |\.\.|,,|\bnan\b|None| [,.;]", part)
        assert part.count("(") == part.count(")")
        assert part.count("[") == part.count("]")
    assert text.text == " ".join(text.paragraphs)
