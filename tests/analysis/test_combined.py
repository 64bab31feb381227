"""Combined metrics on made-up tables whose answer is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import RidgeCV

from zcbench.harness.analysis import trials
from zcbench.harness.analysis.aggregated import with_aggregates
from zcbench.harness.analysis.combined import COLUMNS, combine
from zcbench.harness.analysis.combining import ALPHAS, correlations, draws_of, fit, rank_average, shares
from zcbench.harness.analysis.entrants import EVERYTHING, WITHOUT_COUNTS, Entrants
from zcbench.harness.errors import ZcbenchError

FAST = {"resamples": 60, "draws": 20}


@pytest.fixture
def halves(table):
    """The truth is the sum of two metrics that know nothing of each other."""
    a, b = np.random.default_rng(0).normal(size=(2, 240))
    return table(a + b, {"first": a, "second": np.exp(9 * b)})


def by(found, known, features=EVERYTHING):
    (one,) = [c for c in found.comparisons if (c.known, c.features) == (known, features)]
    return one


def moved(scored, rows, columns):
    return replace(
        scored, architectures=tuple(scored.architectures[i] for i in rows), truth=scored.truth[rows],
        repeats=scored.repeats[rows], metrics=tuple(scored.metrics[m] for m in columns),
        higher_is_better=tuple(scored.higher_is_better[m] for m in columns),
        **{name: getattr(scored, name)[np.ix_(rows, columns)]
           for name in ("values", "outcome", "reason", "seconds_standalone", "seconds_marginal")},
    )  # fmt: skip


def test_shares_are_counted():
    rng = np.random.default_rng(1)
    known, codes = rng.integers(0, 9, (3, 11)), rng.integers(0, 9, (3, 40))
    expected = [[((k < x).sum() + (k <= x).sum()) / 22 for x in row] for k, row in zip(known, codes, strict=True)]
    np.testing.assert_allclose(shares(known, codes), expected)
    own = shares(known, known)
    np.testing.assert_allclose(own, (stats.rankdata(known, axis=1) - 0.5) / 11)


@pytest.mark.parametrize(("k", "metrics"), [(20, 3), (20, 30), (50, 12), (100, 2)])
def test_the_fit_is_that_of_scikit_learn(k, metrics):
    rng = np.random.default_rng(k + metrics)
    x = rng.random((metrics, k))
    y = 0.3 * x[0] - 0.2 * x[1] + 0.1 * rng.random(k)
    ours, theirs = fit(x, y), RidgeCV(alphas=ALPHAS).fit(x.T, y)
    assert ours.alpha == theirs.alpha_
    np.testing.assert_allclose(ours.coefficients, theirs.coef_, atol=1e-12)
    np.testing.assert_allclose(ours(x), theirs.predict(x.T), atol=1e-9)


def test_constant_and_repeated_features_do_no_harm():
    x = np.random.default_rng(0).random((4, 20))
    x[1], x[2] = 0.5, x[0]
    found = fit(x, x[0] + x[3])
    assert np.isfinite(found.coefficients).all()
    assert found.coefficients[1] == pytest.approx(0, abs=1e-12)
    assert found.coefficients[0] == pytest.approx(found.coefficients[2])


def test_correlations_of_shares_are_spearman():
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 6, (4, 15)), rng.integers(0, 9, 15)
    x[3] = 1
    found = correlations(shares(x, x), shares(y[None], y[None])[0])
    np.testing.assert_allclose(found[:3], [stats.spearmanr(row, y).statistic for row in x[:3]])
    assert math.isnan(found[3])


def test_the_rank_average_is_the_mean_of_the_ranks():
    x = np.random.default_rng(3).integers(0, 12, (5, 40))
    np.testing.assert_array_equal(
        stats.rankdata(rank_average(x)), stats.rankdata(stats.rankdata(x, axis=1).sum(axis=0))
    )


def test_draws_know_each_architecture_once_and_depend_on_the_seed():
    drawn = draws_of(60, 20, draws=5, seed=0)
    assert all(len(set(rows)) == 20 for rows in drawn)
    assert (drawn == draws_of(60, 20, draws=5, seed=0)).all()
    assert (drawn != draws_of(60, 20, draws=5, seed=1)).any()


def test_the_sum_of_two_halves_beats_either(halves):
    found = combine(halves, undefined="drop", **FAST)
    assert [c.known for c in found.comparisons] == [20, 50, 100]
    for known in (50, 100):
        one = by(found, known)
        assert one.statistics["linear"].value > 0.95
        assert one.statistics["average"].value > 0.95
        assert 0.6 < one.statistics["hindsight"].value < 0.8
        for name in ("linear_minus_hindsight", "linear_minus_chosen", "average_minus_hindsight"):
            assert one.statistics[name].low > 0.1
        assert one.ahead_of_hindsight == 1
        assert one.n_metrics == 2


def test_noise_beats_nothing(table):
    """One metric knows, ten do not: to combine them is no gain, and no verdict may say so."""
    rng = np.random.default_rng(1)
    worth = rng.normal(size=240)
    scores = {f"noise{i}": rng.normal(size=240) for i in range(10)}
    found = combine(table(worth, {"good": worth + rng.normal(size=240), **scores}), undefined="drop", **FAST)
    for known in (20, 50, 100):
        one = by(found, known)
        assert one.hindsight_metric == "good"
        assert one.hindsight_share == 1
        assert not one.statistics["linear_minus_hindsight"].low > 0
        assert one.statistics["average_minus_hindsight"].high < 0


def test_where_nothing_is_known_nothing_is_found(table):
    rng = np.random.default_rng(6)
    scores = {f"noise{i}": rng.normal(size=240) for i in range(5)}
    found = combine(table(rng.normal(size=240), scores), undefined="drop", **FAST)
    for one in found.comparisons:
        for name in ("linear", "linear_minus_chosen"):
            e = one.statistics[name]
            assert e.low < 0 < e.high


def test_every_number_by_hand(noisy):
    """With one draw: fit by scikit-learn on the known, Spearman by scipy on all the others."""
    values = noisy.values.copy()
    kept = np.arange(120) % 15 > 0
    values[~kept, 2] = np.nan
    gaps = replace(noisy, values=values, outcome=np.where(np.isnan(values), "failed", "ok"))
    scored = moved(gaps, range(120), range(4))
    found = by(combine(scored, undefined="drop", resamples=5, draws=1, known=(30,)), 30)
    x, y = noisy.signed[kept][:, :4].T, noisy.truth[kept]
    names = ["params", "flops", "good", "bad"]
    rows = draws_of(y.size, 30, draws=1, seed=0)[0]
    rest = np.setdiff1d(np.arange(y.size), rows)
    features = np.array([[((k < v).mean() + (k <= v).mean()) / 2 for v in row]
                         for row, k in zip(x, x[:, rows], strict=True)])  # fmt: skip
    ridge = RidgeCV(alphas=ALPHAS).fit(features[:, rows].T, (stats.rankdata(y[rows]) - 0.5) / 30)
    linear = stats.spearmanr(np.round(ridge.predict(features[:, rest].T), 9), y[rest]).statistic
    singles = [stats.spearmanr(row[rest], y[rest]).statistic for row in x]
    chosen = int(np.argmax([stats.spearmanr(row[rows], y[rows]).statistic for row in x]))
    average = stats.spearmanr(stats.rankdata(x, axis=1).sum(axis=0)[rest], y[rest]).statistic
    wanted = {
        "linear": linear, "average": average, "hindsight": max(singles), "chosen": singles[chosen],
        "linear_minus_hindsight": linear - max(singles), "linear_minus_chosen": linear - singles[chosen],
        "average_minus_hindsight": average - max(singles), "average_minus_chosen": average - singles[chosen],
    }  # fmt: skip
    assert {name: e.value for name, e in found.statistics.items()} == pytest.approx(wanted, abs=1e-9)
    assert (found.chosen_metric, found.hindsight_metric) == (names[chosen], names[int(np.argmax(singles))])
    assert {e.n for e in found.statistics.values()} == {rest.size}
    assert {e.n_undefined for e in found.statistics.values()} == {int((~kept).sum())}


def fits(monkeypatch, scored):
    """Return the combinations that are fitted, the first draw first."""
    made = []

    def spied(features, target):
        made.append(fit(features, target))
        return made[-1]

    monkeypatch.setattr(trials, "fit", spied)
    combine(scored, undefined="drop", resamples=2, draws=3, known=(20,))
    monkeypatch.undo()
    return made


def test_what_is_not_known_does_not_enter_the_fit(halves, monkeypatch):
    """Neither the accuracies of the others nor their scores: the fit of the first draw keeps its bits."""
    rows = draws_of(240, 20, draws=3, seed=0)[0]
    rest = np.setdiff1d(np.arange(240), rows)
    before = fits(monkeypatch, halves)
    truth, values = halves.truth.copy(), halves.values.copy()
    truth[rest] = -np.sort(truth[rest]) * 3
    values[rest] = values[rest][::-1] ** 2
    after = fits(monkeypatch, replace(halves, truth=truth, values=values))
    assert (before[0].coefficients == after[0].coefficients).all()
    assert before[0].intercept == after[0].intercept
    truth[rows] = -truth[rows]
    reversed_fit = fits(monkeypatch, replace(halves, truth=truth))[0]
    assert (before[0].coefficients != reversed_fit.coefficients).all()


def test_neither_order_changes_a_bit(noisy):
    rng = np.random.default_rng(0)
    before = combine(noisy, undefined="worst", resamples=20, draws=4)
    after = combine(
        moved(noisy, rng.permutation(120), rng.permutation(6)), undefined="worst", resamples=20, draws=4
    )
    assert repr(before.comparisons) == repr(after.comparisons)
    assert before.gains == after.gains
    assert before.chain == after.chain
    assert repr(combine(noisy, undefined="worst", resamples=20, draws=4, seed=1)) != repr(before)


def test_size_counts_are_left_out_in_one_of_the_sets(noisy):
    found = combine(noisy, undefined="worst", **FAST)
    assert {c.features for c in found.comparisons} == {EVERYTHING, WITHOUT_COUNTS}
    assert by(found, 20).n_metrics == 5
    assert by(found, 20, WITHOUT_COUNTS).n_metrics == 3
    assert found.left_out == {"constant": "the same score everywhere"}


def test_policies_for_undefined_scores(noisy):
    undefined = int(np.isnan(noisy.signed[:, 4]).sum())
    assert undefined > 12  # more than a tenth: dropping them would cost too many architectures
    worst = combine(noisy, undefined="worst", **FAST)
    assert (worst.architectures, worst.n_left_out) == (120, 0)
    assert "patchy" in worst.metrics
    values = noisy.values.copy()
    values[np.flatnonzero(np.isnan(values[:, 4, 0]))[8:], 4] = 0.0
    some = replace(noisy, values=values, outcome=np.where(np.isnan(values), "undefined", "ok"))
    dropped = combine(some, undefined="drop", **FAST)
    assert (dropped.architectures, dropped.n_left_out) == (112, 8)
    assert "patchy" in dropped.metrics


def test_a_metric_without_many_scores_is_left_out(noisy):
    values = noisy.values.copy()
    values[::3, 2] = np.nan
    few = replace(noisy, values=values, outcome=np.where(np.isnan(values), "failed", "ok"))
    found = combine(few, undefined="drop", **FAST)
    assert found.left_out["good"] == "a score on only 67% of the architectures"
    assert "good" not in found.metrics
    assert "good" in combine(few, undefined="worst", **FAST).metrics


def test_too_few_architectures_leave_a_number_out(noisy, table):
    found = combine(noisy, undefined="worst", **FAST)
    assert (sorted({c.known for c in found.comparisons}), found.too_many) == ([20, 50], (100,))
    rng = np.random.default_rng(0)
    small = rng.random(49)
    assert combine(table(small, {"a": rng.random(49), "b": rng.random(49)}), undefined="drop", **FAST) is None
    enough = rng.random(50)
    assert combine(table(enough, {"a": rng.random(50), "b": rng.random(50)}), undefined="drop", **FAST) is not None
    assert combine(table(enough, {"a": rng.random(50)}), undefined="drop", **FAST) is None
    assert combine(table(np.ones(50), {"a": rng.random(50), "b": rng.random(50)}), undefined="drop", **FAST) is None
    assert combine(table(enough, {"a": [np.nan] * 50, "b": [np.nan] * 50}), undefined="drop", **FAST) is None


def test_aggregates_are_combinations_and_no_part_of_one(table):
    rng = np.random.default_rng(2)
    worth = rng.normal(size=90)
    scores = {name: worth + 2 * rng.normal(size=90)
              for name in ("az_expressivity", "az_progressivity", "az_trainability", "flops")}  # fmt: skip
    scored = with_aggregates(table(worth, scores), undefined="drop")
    entrants = Entrants.of(scored, "drop")
    assert (entrants.metrics, entrants.aggregates) == (tuple(sorted(scores)), ("az_nas",))
    everything, bare = entrants.feature_sets().values()
    assert [entrants.names[i] for i in entrants.combined_by(everything)] == ["az_nas"]
    assert entrants.combined_by(bare) == ()  # it contains the FLOPs
    found = combine(scored, undefined="drop", **FAST)
    one = by(found, 50)
    assert one.n_metrics == 4
    assert (one.aggregate, one.aggregate_share) == ("az_nas", 1)
    assert one.hindsight_metric != "az_nas"
    assert one.chosen_metric != "az_nas"
    s = one.statistics
    assert s["aggregate_minus_hindsight"].value == pytest.approx(s["aggregate"].value - s["hindsight"].value)
    assert s["linear_minus_aggregate"].value == pytest.approx(s["linear"].value - s["aggregate"].value)
    assert s["aggregate_minus_hindsight"].value > 0.05
    assert by(found, 50, WITHOUT_COUNTS).aggregate == ""
    assert "aggregate" not in by(found, 50, WITHOUT_COUNTS).statistics


def test_intervals_say_what_they_are(halves):
    found = combine(halves, undefined="drop", resamples=40, draws=10)
    for one in found.comparisons:
        for e in one.statistics.values():
            assert e.method == (
                "bootstrap percentile, 40 resamples, each of one of 10 draws and of the architectures"
            )
            assert e.low < e.value < e.high
            assert e.n == 240 - one.known


def test_to_frame(noisy):
    found = combine(noisy, undefined="worst", **FAST)
    frame = found.to_frame()
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 2 * 2 * 8
    line = frame[(frame.known == 20) & (frame.features == EVERYTHING) & (frame.statistic == "linear")].iloc[0]
    assert line.value == by(found, 20).statistics["linear"].value


@pytest.mark.parametrize("bad", [{"resamples": 0}, {"draws": 0}, {"seed": -1}, {"known": (2,)}, {"undefined": "best"}])
def test_bad_arguments_are_one_line(noisy, bad):
    with pytest.raises(ZcbenchError):
        combine(noisy, **{"undefined": "worst", **bad})
