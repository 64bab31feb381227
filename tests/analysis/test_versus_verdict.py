"""Planted cases: what a comparison must say about copies, better and worse metrics, and about too little data."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from zcbench.harness.analysis.versus.as_json import to_json
from zcbench.harness.analysis.versus.compare import compare
from zcbench.harness.analysis.versus.parts import Addition, Variation
from zcbench.harness.analysis.versus.verdict import adds_something
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Estimate

N = 240


@pytest.fixture
def planted(table):
    """A table of two counts, two baselines, and the candidate that a function makes of the worth and the scores."""
    def make(candidate, *, n=N, seed=5, higher=None, **more):
        rng = np.random.default_rng(seed)
        worth = rng.normal(size=n)
        scores = {
            "params": np.round(worth + 1.2 * rng.normal(size=n), 1),
            "flops": np.round(worth + 1.5 * rng.normal(size=n), 1),
            "good": worth + 0.8 * rng.normal(size=n),
            "poor": worth + 4 * rng.normal(size=n),
        }
        scores["mine"] = candidate(worth, scores, rng)
        return table(np.round(0.9 + 0.02 * worth, 4), scores, higher=higher, **more)

    return make


def verdict_of(built, baselines=("flops", "good", "params", "poor"), **more):
    found = compare([built], "mine", baselines, **{"undefined": "worst", "resamples": 60, **more}).versus[0]
    return found, found.verdict


@pytest.mark.parametrize("change", [lambda x: x, lambda x: 3 * x - 1, np.exp, np.arctan])
def test_a_rescaled_copy_is_a_copy(planted, change):
    found, verdict = verdict_of(planted(lambda worth, scores, rng: change(scores["good"])))
    assert (verdict.decision, verdict.copy_of, verdict.reversed) == ("copy", "good", False)
    same = [d for d in found.differences if d.baseline == "good"]
    assert [(d.difference.value, d.difference.low, d.difference.high, d.p, d.side) for d in same] == [
        (0.0, 0.0, 0.0, 1.0, "undecided")
    ] * 4
    assert found.nearest == found.twins[0]
    assert found.nearest.correlation.value == 1.0
    assert verdict.adds == "no"
    assert next(a for a in found.additions if a.names == ("good",)).redundant


def test_a_negated_copy_is_a_reversed_copy(planted):
    found, verdict = verdict_of(planted(lambda worth, scores, rng: -scores["good"]))
    assert (verdict.decision, verdict.copy_of, verdict.reversed) == ("copy", "good", True)
    assert found.nearest.correlation.value == -1.0
    forward = verdict_of(planted(lambda worth, scores, rng: -scores["good"], higher={"mine": False}))[1]
    assert (forward.decision, forward.reversed) == ("copy", False)


def test_what_few_architectures_share_is_neither_a_twin_nor_the_best(planted):
    """A copy of the candidate, and of the truth, with a score on less than half of the architectures."""
    def copied(worth, scores, rng):
        scores["copy"] = np.where(np.arange(N) < 100, worth, np.nan)
        return np.round(0.9 + 0.02 * worth, 4)

    built = planted(copied)
    found, verdict = verdict_of(built, ["copy", "good"], undefined="drop")
    assert (verdict.decision, found.twins, found.best) == ("better than some", (), "good")
    assert found.nearest.metric == "good"
    assert next(d for d in found.differences if d.baseline == "copy").n == 100


def test_nine_architectures_make_no_twin(planted):
    found, verdict = verdict_of(planted(lambda worth, scores, rng: scores["good"], n=9))
    assert (found.nearest.metric, found.nearest.correlation.value) == ("good", 1.0)
    assert (found.twins, verdict.decision) == ((), "cannot tell")


def test_a_count_is_a_known_metric_even_if_it_is_no_baseline(planted):
    found, verdict = verdict_of(planted(lambda worth, scores, rng: np.sqrt(scores["params"] + 50)), ["good", "poor"])
    assert (verdict.decision, verdict.copy_of) == ("copy", "params")
    assert {d.baseline for d in found.differences} == {"good", "poor"}


@pytest.mark.parametrize("policy", ["worst", "drop"])
def test_a_copy_that_is_undefined_on_a_bad_cell_is_a_copy_that_adds_nothing(planted, policy):
    """The rank of one cell, moved from one end to the other, must not hide it."""
    def shrunk(worth, scores, rng):
        scores["params"][0], worth[0] = scores["params"].max() + 1, worth.min() - 1
        return np.where(np.arange(16) == 0, np.nan, -np.sqrt(scores["params"] + 50))

    found, verdict = verdict_of(planted(shrunk, n=16), ["good", "poor"], undefined=policy)
    assert (verdict.decision, verdict.copy_of, verdict.reversed, verdict.adds) == ("copy", "params", True, "no")
    assert (found.nearest.correlation.value, found.nearest.correlation.n) == (-1.0, 15)
    alone, last = found.additions[0], found.additions[-1]
    assert (alone.names, alone.redundant, last.redundant, last.partial.n) == (("params",), True, True, 15)
    assert found.of()[0].n == (16 if policy == "worst" else 15)


def test_a_baseline_without_scores_is_not_the_best_for_being_ranked(planted):
    """Undefined where the truth is low, and nearly everywhere: its rank correlation is that of the gaps."""
    def gaps(worth, scores, rng):
        scores["gaps"] = np.where(worth > np.quantile(worth, 0.6), worth, np.nan)
        return worth + rng.normal(size=N)

    built = planted(gaps)
    found = verdict_of(built, ["gaps", "good"], undefined="worst")[0]
    assert found.standing("gaps").value > found.standing("good").value
    assert found.best == "good"


def test_nearly_a_copy_is_one_beyond_the_limit_only(planted):
    def with_noise(scale):
        return verdict_of(planted(lambda worth, scores, rng: scores["good"] + scale * rng.normal(size=N)))

    close, far = with_noise(0.1), with_noise(0.3)
    assert 0.99 < close[0].nearest.correlation.value < 1
    assert close[1].decision == "copy"
    assert 0.9 < far[0].nearest.correlation.value < 0.99
    assert far[1].decision != "copy"
    assert far[0].nearest.metric == "good"


def test_a_metric_with_information_of_its_own_adds_it(planted):
    """The same errors as the best baseline, a little of the truth besides."""
    found, verdict = verdict_of(planted(lambda worth, scores, rng: scores["good"] + 0.4 * worth))
    assert verdict.adds == "yes"
    assert found.additions[-1].partial.low > 0
    assert found.additions[-1].bits > found.additions[-1].level


def test_noise_on_a_baseline_adds_nothing(planted):
    verdict = verdict_of(planted(lambda worth, scores, rng: scores["good"] + 0.5 * rng.normal(size=N)))[1]
    assert verdict.adds == "no"


def test_noise_adds_something_no_more_often_than_the_level(planted):
    """Of 25 candidates that are noise: both the interval and the level of shuffles have to be passed."""
    def noise(worth, scores, rng):
        return rng.normal(size=60)

    said = [verdict_of(planted(noise, n=60, seed=s), ["good"], resamples=60)[1].adds for s in range(25)]
    assert set(said) <= {"yes", "no", "reversed"}
    assert stats.binomtest(len(said) - said.count("no"), 25, 0.05, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize(
    ("ends", "bits", "redundant", "said"),
    [
        ((0.1, 0.3), 0.02, False, "yes"),
        ((0.1, 0.3), 0.005, False, "no"),
        ((-0.1, 0.3), 0.02, False, "no"),
        ((-0.3, -0.1), 0.02, False, "reversed"),
        ((-0.3, -0.1), 0.005, False, "no"),
        ((math.nan, math.nan), 0.02, False, "cannot tell"),
        ((0.1, 0.3), math.nan, False, "cannot tell"),
        ((math.nan, math.nan), 0.0, True, "no"),
    ],
)
def test_what_adding_takes(ends, bits, redundant, said):
    partial = Estimate(sum(ends) / 2, *ends, 100, 0, "")
    assert adds_something(Addition(("best baseline",), ("good",), partial, bits, 0.01, redundant)) == said


def test_what_is_told_against_its_own_direction(planted):
    verdict = verdict_of(planted(lambda worth, scores, rng: -worth + rng.normal(size=N)))[1]
    assert (verdict.decision, verdict.adds) == ("worse", "reversed")


def test_a_better_metric_is_better_than_all(planted):
    found, verdict = verdict_of(planted(lambda worth, scores, rng: worth + 0.3 * rng.normal(size=N)))
    assert (verdict.decision, verdict.sides.better) == ("better than all", ("flops", "good", "params", "poor"))
    assert (found.best, found.lead.low > 0) == ("good", True)
    assert (verdict.n, verdict.n_top, verdict.n_undefined) == (N, 24, 0)


def test_a_middling_metric_is_better_than_some(planted):
    verdict = verdict_of(planted(lambda worth, scores, rng: worth + 1.4 * rng.normal(size=600), n=600))[1]
    assert verdict.decision == "better than some"
    assert verdict.sides.better == ("poor",)
    assert "good" in verdict.sides.worse


def test_noise_is_worse(planted):
    verdict = verdict_of(planted(lambda worth, scores, rng: rng.normal(size=N)), ["good", "params"])[1]
    assert (verdict.decision, verdict.sides.worse, verdict.sides.better) == ("worse", ("good", "params"), ())


def test_an_equal_metric_is_no_different(planted):
    """But for the level of the test: of 25 samples."""
    def equal(worth, scores, rng):
        return worth + 0.8 * rng.normal(size=worth.size)

    said = [verdict_of(planted(equal, n=80, seed=s), ["good"], resamples=2)[1].decision for s in range(25)]
    assert set(said) <= {"no different", "better than all", "worse"}
    assert stats.binomtest(25 - said.count("no different"), 25, 0.05, alternative="greater").pvalue > 0.001


def test_the_top_slice_is_told_apart(planted):
    """Good over all, turned round among the best: the slice says so."""
    def turned(worth, scores, rng):
        best = worth >= np.sort(worth)[-60]
        return np.where(best, 3 - worth, worth) + 0.05 * rng.normal(size=worth.size)

    rounded = planted(turned, n=600)
    found, verdict = verdict_of(rounded)
    assert "poor" in verdict.sides.better
    assert "good" in verdict.top.worse
    assert verdict.n_top == 60
    assert found.standing("mine", slice="top10_truth").value < -0.8


def test_holm_may_take_a_difference_back(planted):
    """A p between .05/15 and .05 counts alone, and not among fifteen."""
    def many(worth, scores, rng):
        for i in range(14):
            scores[f"like{i:02d}"] = worth + 0.62 * rng.normal(size=N)
        return worth + 0.62 * rng.normal(size=N)

    built = planted(many)
    alone = verdict_of(built, ["good"])[0].of()[0]
    names = [name for name in built.metrics if name.startswith("like")]
    among = next(d for d in verdict_of(built, ["good", *names])[0].of() if d.baseline == "good")
    assert (among.p, among.family) == (alone.p, 15)
    assert alone.side == "better"
    assert among.side == "undecided"


@pytest.mark.parametrize(
    ("candidate", "n", "why"),
    [
        (lambda worth, scores, rng: worth, 9, "9 architectures with a truth are too few"),
        (lambda worth, scores, rng: np.where(np.arange(N) < 120, np.nan, worth), N, "failed on 120 of 240"),
        (lambda worth, scores, rng: np.zeros(N), N, "constant score"),
    ],
)
@pytest.mark.parametrize("policy", ["worst", "drop"])
def test_too_little_to_tell(planted, candidate, n, why, policy):
    found, verdict = verdict_of(planted(candidate, n=n), undefined=policy)
    assert (verdict.decision, verdict.adds, verdict.copy_of) == ("cannot tell", "cannot tell", "")
    assert why in verdict.why
    assert verdict.n == n
    if n == 9:
        assert {d.side for d in found.differences} == {"untested"}
        assert all(d.why for d in found.differences)
        assert found.twins == ()


@pytest.mark.parametrize("n", [1, 2, 3, 12])
@pytest.mark.parametrize("policy", ["worst", "drop"])
def test_a_handful_of_architectures_passes_through_everything(planted, n, policy):
    built = replace(planted(lambda worth, scores, rng: worth, n=n), seeds=(0,))
    found, verdict = verdict_of(built, undefined=policy, stability=[Variation("batch size", "16", "", built)])
    assert verdict.decision in (["better than all", "better than some", "no different"] if n == 12 else ["cannot tell"])
    assert {d.n for d in found.of()} == {n}
    assert to_json(compare([built], "mine", ["good"], undefined=policy, resamples=2))["candidate"] == "mine"


def test_no_baseline_to_test_against(planted):
    found, verdict = verdict_of(planted(lambda worth, scores, rng: worth), ["elsewhere"])
    assert (verdict.decision, verdict.why) == ("cannot tell", "there is no test against any baseline")
    assert verdict.sides.untested == ("elsewhere",)
    assert found.differences[0].why == "no scores of elsewhere"
    assert (found.best, math.isnan(found.lead.value)) == ("", True)


def test_without_counts_the_best_baseline_is_what_is_given(table):
    rng = np.random.default_rng(0)
    worth = rng.normal(size=80)
    built = table(worth, {"mine": worth + rng.normal(size=80), "good": worth + rng.normal(size=80)})
    found, verdict = verdict_of(built, ["good"])
    assert [bool(a.names) for a in found.additions] == [False, False, True]
    assert "no scores of params" in found.additions[0].partial.method
    assert verdict.adds == "yes"


def test_a_count_as_candidate_is_not_given_itself(planted):
    built = planted(lambda worth, scores, rng: worth)
    found = compare([built], "params", ["good", "params"], undefined="worst", resamples=20)
    assert found.baselines == ("good",)
    assert [a.given for a in found.versus[0].additions] == [("flops",), ("best baseline",), ("flops", "best baseline")]


def test_a_perfect_metric_passes_through_everything(planted):
    found, verdict = verdict_of(planted(lambda worth, scores, rng: np.round(0.9 + 0.02 * worth, 4)))
    assert (verdict.decision, verdict.sides.untested) == ("better than all", ())
    assert found.standing("mine").value == 1.0


class TestStability:
    def changed(self, built, scale, *, broken=0, seeds=(0,)):
        rng = np.random.default_rng(9)
        values = built.values + scale * rng.normal(size=built.values.shape)
        values[:broken] = np.nan
        return replace(built, values=values, outcome=np.where(np.isnan(values), "failed", "ok"), seeds=seeds)

    @pytest.mark.parametrize("policy", ["worst", "drop"])
    def test_against_scipy(self, planted, policy):
        built = replace(planted(lambda worth, scores, rng: worth + rng.normal(size=N)), seeds=(0,))
        other = self.changed(built, 0.5, broken=15)
        given = [Variation("batch size", "16", "32", other)]
        one = verdict_of(built, undefined=policy, stability=given)[0].stability[0]
        at = built.metrics.index("mine")
        rows = slice(0 if policy == "worst" else 15, None)
        old, truth = built.values[rows, at, 0], built.truth[rows]
        new = np.where(np.isnan(other.values[rows, at, 0]), -np.inf, other.values[rows, at, 0])
        before, after = stats.spearmanr(old, truth)[0], stats.spearmanr(new, truth)[0]
        assert one.agreement.value == pytest.approx(stats.spearmanr(old, new)[0], abs=1e-12)
        assert one.spearman.value == pytest.approx(after, abs=1e-12)
        assert one.change.value == pytest.approx(after - before, abs=1e-12)
        assert (one.n, one.n_undefined) == (len(truth), 15)
        assert (one.kind, one.value, one.reference) == ("batch size", "16", "32")
        both = self.changed(built, 0.0, broken=4)
        assert verdict_of(both, undefined=policy, stability=given)[0].stability[0].n_undefined == 11
        generator, changes = np.random.default_rng([0, N]), []
        for _ in range(60):
            draw = generator.integers(0, N, N)
            draw = draw[draw >= rows.start] - rows.start
            changes.append(stats.spearmanr(new[draw], truth[draw])[0] - stats.spearmanr(old[draw], truth[draw])[0])
        assert (one.change.low, one.change.high) == pytest.approx(tuple(np.quantile(changes, [0.025, 0.975])))

    def test_nothing_changed(self, planted):
        built = planted(lambda worth, scores, rng: worth + rng.normal(size=N))
        one = verdict_of(built, stability=[Variation("initialisation", "x", "", built)])[0].stability[0]
        assert (one.agreement.value, one.change.value, one.change.low, one.change.high) == (1.0, 0.0, 0.0, 0.0)

    def test_further_seeds_are_held_against_the_first(self, planted):
        def three(worth, scores, rng):
            return worth

        built = planted(three)
        rng = np.random.default_rng(2)
        values = built.values + 0.5 * rng.normal(size=(N, len(built.metrics), 3))
        built = replace(
            built, values=values, outcome=np.full(values.shape, "ok"), reason=np.full(values.shape, ""),
            seconds_standalone=values, seconds_marginal=values, seeds=(4, 5, 6),
        )  # fmt: skip
        found = verdict_of(built)[0].stability
        at = built.metrics.index("mine")
        assert [(s.kind, s.value, s.reference) for s in found] == [("seed", "5", "4"), ("seed", "6", "4")]
        for index, one in enumerate(found):
            expected = stats.spearmanr(values[:, at, 0], values[:, at, index + 1])[0]
            assert one.agreement.value == pytest.approx(expected, abs=1e-12)

    def test_other_settings_are_held_against_the_seeds_they_share(self, planted):
        built = planted(lambda worth, scores, rng: worth + rng.normal(size=N))
        rng = np.random.default_rng(2)
        values = built.values + 0.5 * rng.normal(size=(N, len(built.metrics), 2))
        two = replace(
            built, values=values, outcome=np.full(values.shape, "ok"), reason=np.full(values.shape, ""),
            seconds_standalone=values, seconds_marginal=values, seeds=(0, 1),
        )  # fmt: skip
        given = [Variation("batch size", "16", "32", replace(two.of_seed(1)))]
        one = next(s for s in verdict_of(two, stability=given)[0].stability if s.kind == "batch size")
        assert (one.agreement.value, one.change.value) == (1.0, 0.0)

    def test_what_has_nothing_in_common_is_refused(self, planted):
        built = planted(lambda worth, scores, rng: worth)
        elsewhere = replace(built, architectures=tuple(f"b{i}" for i in range(N)))
        with pytest.raises(ZcbenchError, match="no architecture of toy has scores of mine in both"):
            verdict_of(built, stability=[Variation("batch size", "16", "", elsewhere)])
        without = replace(built, metrics=("params", "flops", "good", "poor", "other"))
        with pytest.raises(ZcbenchError, match="has no scores of mine"):
            verdict_of(built, stability=[Variation("batch size", "16", "", without)])
