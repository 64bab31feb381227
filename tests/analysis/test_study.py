import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from zcbench.harness.analysis import correlation, picks
from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.ranks import Policy
from zcbench.harness.analysis.resample import with_resamples
from zcbench.harness.analysis.result import COLUMNS, CORRELATIONS, OVER_COUNTS, PICKS, SLICES
from zcbench.harness.analysis.study import analyse
from zcbench.harness.errors import ZcbenchError

POLICIES: tuple[Policy, ...] = ("worst", "drop")


def key(row):
    return row.slice, row.metric, row.statistic


def shuffled(table, rows, columns):
    cut = np.ix_(rows, columns)
    cubes = ("values", "outcome", "reason", "seconds_standalone", "seconds_marginal")
    return dataclasses.replace(
        table, architectures=tuple(table.architectures[i] for i in rows),
        metrics=tuple(table.metrics[m] for m in columns),
        higher_is_better=tuple(table.higher_is_better[m] for m in columns),
        truth=table.truth[rows], repeats=table.repeats[rows],
        **{name: getattr(table, name)[cut] for name in cubes},
    )  # fmt: skip


@pytest.mark.parametrize("undefined", POLICIES)
def test_every_statistic_is_there_for_every_slice(noisy, undefined):
    found = analyse(noisy, undefined=undefined, resamples=30)
    wanted = {(s, m, c) for s in SLICES for m in noisy.metrics for c in CORRELATIONS}
    wanted |= {("all", m, p) for m in noisy.metrics for p in (*PICKS, OVER_COUNTS)}
    assert {key(row) for row in found.rows} == wanted
    assert len(found.rows) == len(wanted)
    frame = found.to_frame()
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == len(wanted)
    for row in found.rows:
        e = row.estimate
        assert math.isnan(e.value) == e.method.startswith("undefined: ")
        assert math.isnan(e.value) or e.low <= e.value + 1e-9 or row.statistic in PICKS or e.n < FEWEST
        assert math.isnan(e.low) or e.n >= FEWEST or "bootstrap" not in e.method
        assert row.metric != "constant" or math.isnan(e.value)


@pytest.mark.parametrize("undefined", POLICIES)
def test_agrees_with_the_functions_for_two_arrays(noisy, undefined):
    found = analyse(noisy, undefined=undefined, resamples=200)
    for m, name in enumerate(noisy.metrics):
        x, y, params = noisy.signed[:, m], noisy.truth, noisy.signed[:, 0]
        plain = {
            "spearman": correlation.spearman(x, y, undefined=undefined),
            "kendall": correlation.kendall(x, y, undefined=undefined),
            "weighted_tau": correlation.weighted_tau(x, y, undefined=undefined),
            "pearson_of_ranks": correlation.pearson_of_ranks(x, y, undefined=undefined),
            "precision_at_10": picks.precision_at_k(x, y, k=10, undefined=undefined),
            "precision_at_10pct": picks.precision_at_k(x, y, undefined=undefined),
            "regret_top1": picks.regret_top(x, y, k=1, undefined=undefined),
            "regret_top5": picks.regret_top(x, y, k=5, undefined=undefined),
        }
        if name != "params":
            plain["partial_spearman_params"] = correlation.partial_spearman(x, y, params, undefined=undefined)
        for statistic, expected in plain.items():
            e = found.estimate(name, statistic)
            np.testing.assert_allclose(e.value, expected.value, atol=1e-12, err_msg=f"{name} {statistic}")
            assert (e.n, e.n_undefined) == (expected.n, expected.n_undefined)
            if not math.isnan(e.value):
                assert e.low == pytest.approx(expected.low, abs=0.12)
                assert e.high == pytest.approx(expected.high, abs=0.12)


def test_pearson_of_ranks_is_spearman(noisy):
    found = analyse(noisy, undefined="worst", resamples=5)
    for slice_ in SLICES:
        first, second = (found.estimate("good", s, slice_) for s in ("spearman", "pearson_of_ranks"))
        assert first.value == pytest.approx(second.value, abs=1e-12)


def test_slices(noisy):
    found = analyse(noisy, undefined="drop", resamples=5)
    x, y = noisy.signed[:, 2], noisy.truth
    top = y >= np.sort(y)[-12]
    e = found.estimate("good", "spearman", "top10_truth")
    assert e.n == top.sum() >= 12
    assert e.value == pytest.approx(stats.spearmanr(x[top], y[top]).statistic)
    top = x >= np.sort(x)[-12]
    e = found.estimate("good", "spearman", "top10_score")
    assert e.n == 12
    assert e.value == pytest.approx(stats.spearmanr(x[top], y[top]).statistic)


def test_undefined_are_counted_within_the_slice(noisy):
    missing = np.isnan(noisy.signed[:, 4])
    dropped, worst = (analyse(noisy, undefined=u, resamples=5) for u in ("drop", "worst"))
    e = dropped.estimate("patchy", "spearman")
    assert (e.n, e.n_undefined) == (120 - missing.sum(), missing.sum())
    e = worst.estimate("patchy", "spearman")
    assert (e.n, e.n_undefined) == (120, missing.sum())
    top = noisy.truth >= np.sort(noisy.truth)[-12]
    e = dropped.estimate("patchy", "spearman", "top10_truth")
    assert (e.n, e.n_undefined) == ((top & ~missing).sum(), (top & missing).sum())
    assert worst.estimate("patchy", "spearman", "top10_truth").n == top.sum()


def test_absent_scores_are_never_ranked_worst(table):
    values = np.array([np.nan, np.nan, 3.0, 4.0, 5.0, 6.0])
    outcome = np.array(["", "failed", "ok", "ok", "ok", "ok"])[:, None, None]
    made = table([1, 2, 3, 4, 5, 6], {"m": values}, outcome=outcome)
    e = analyse(made, undefined="worst", resamples=5).estimate("m", "spearman")
    assert (e.n, e.n_undefined) == (5, 1)


@pytest.mark.parametrize("undefined", POLICIES)
def test_neither_order_nor_company_changes_a_bit(noisy, undefined):
    rng = np.random.default_rng(0)
    found = {key(r): r.estimate for r in analyse(noisy, undefined=undefined, resamples=40).rows}
    rows, columns = rng.permutation(120), rng.permutation(6)
    for table in (shuffled(noisy, rows, columns), shuffled(noisy, rows, [4, 1, 0])):
        again = {key(r): r.estimate for r in analyse(table, undefined=undefined, resamples=40).rows}
        for at, estimate in again.items():
            assert repr(estimate) == repr(found[at])


def test_metrics_are_compared_on_the_same_resamples(table):
    """Scores that rank alike have the same interval, also where one is undefined somewhere else."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 40))
    found = analyse(table(y, {"a": x, "b": np.exp(x)}), undefined="drop", resamples=50)
    assert repr(found.estimate("a", "spearman")) == repr(found.estimate("b", "spearman"))
    other = analyse(table(np.exp(y), {"a": x}), undefined="drop", resamples=50)
    assert repr(other.estimate("a", "spearman")) == repr(found.estimate("a", "spearman"))


def test_signs_stay(table):
    y = np.linspace(0, 1, 20)
    found = analyse(table(y, {"up": y, "down": -y, "cost": -y}, higher={"cost": False}), undefined="drop",
                    resamples=5)  # fmt: skip
    assert [found.estimate(m, "spearman").value for m in ("up", "down", "cost")] == [1.0, -1.0, 1.0]
    assert found.metric_matrix.to_frame().loc["down", "cost"] == -1.0


def test_partial_given_itself_or_nothing(noisy, table):
    found = analyse(noisy, undefined="drop", resamples=5)
    e = found.estimate("params", "partial_spearman_params")
    assert (math.isnan(e.value), e.n, e.method) == (True, 0, "undefined: given itself, params")
    alone = analyse(table(noisy.truth, {"good": noisy.signed[:, 2]}), undefined="drop", resamples=5)
    e = alone.estimate("good", "partial_spearman_flops")
    assert (math.isnan(e.value), e.n, e.method) == (True, 0, "undefined: no scores of flops")


def test_a_control_with_gaps(noisy):
    values = noisy.values.copy()
    values[:10, 0] = np.nan
    gap = dataclasses.replace(noisy, values=values, outcome=np.where(np.isnan(values), "failed", "ok"))
    found = analyse(gap, undefined="drop", resamples=5)
    assert found.estimate("good", "partial_spearman_params").n == 110
    assert found.estimate("good", "partial_spearman_flops").n == 120


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("undefined", POLICIES)
def test_tiny(table, n, undefined):
    rng = np.random.default_rng(n)
    found = analyse(table(rng.random(n), {"params": rng.random(n), "m": rng.random(n)}), undefined=undefined,
                    resamples=20)  # fmt: skip
    for row in found.rows:
        if n < 3:
            assert math.isnan(row.estimate.value)
        assert row.estimate.n <= n
    assert math.isnan(found.estimate("m", "spearman").value) == (n < 3)
    assert found.metric_matrix.n.tolist() == [[n, n], [n, n]]


def test_all_undefined(table):
    found = analyse(table([1, 2, 3, 4], {"m": [np.nan] * 4}), undefined="worst", resamples=5)
    e = found.estimate("m", "spearman")
    assert (math.isnan(e.value), e.n, e.n_undefined) == (True, 4, 4)
    assert e.method == "undefined: constant score"
    assert analyse(table([1, 2, 3, 4], {"m": [np.nan] * 4}), undefined="drop").estimate("m", "kendall").n == 0


def test_metric_matrix(noisy):
    matrix = analyse(noisy, undefined="drop", resamples=5).metric_matrix
    frame = matrix.to_frame()
    x, y = noisy.signed[:, 2], noisy.signed[:, 4]
    both = ~np.isnan(y)
    e = matrix.estimate("good", "patchy")
    assert e.value == frame.loc["patchy", "good"]
    assert e.value == pytest.approx(stats.spearmanr(x[both], y[both]).statistic, abs=1e-12)
    assert e.n == both.sum()
    assert e.low < e.value < e.high
    assert frame.loc["good", "good"] == pytest.approx(1.0)
    assert math.isnan(frame.loc["constant", "good"])


def test_stability_over_seeds(table):
    rng = np.random.default_rng(0)
    worth = rng.normal(size=60)
    jittery = worth[:, None] + rng.normal(size=(60, 3))
    jittery[0, 1] = np.nan
    made = table(worth, {"fixed": np.repeat(worth[:, None], 3, axis=1), "jittery": jittery}, seeds=(0, 1, 7))
    fixed, unsteady = analyse(made, undefined="drop", resamples=5).stability
    assert (fixed.metric, fixed.seeds) == ("fixed", (0, 1, 7))
    assert fixed.agreement.value == pytest.approx(1.0)
    assert [e.n for e in unsteady.spearman] == [60, 59, 60]
    assert unsteady.spearman[0].value == pytest.approx(stats.spearmanr(jittery[:, 0], worth).statistic)
    kept = ~np.isnan(jittery).any(axis=1)
    pairs = [stats.spearmanr(jittery[k, a], jittery[k, b]).statistic
             for a, b, k in ((0, 1, kept), (0, 2, np.full(60, True)), (1, 2, kept))]  # fmt: skip
    assert unsteady.agreement.value == pytest.approx(np.mean(pairs))
    assert unsteady.agreement.n == 59
    assert analyse(made.of_seed(0), undefined="drop", resamples=5).stability == ()


def test_bad_arguments_are_one_line(noisy):
    for arguments in ({"undefined": "best"}, {"undefined": "drop", "resamples": 0}, {"undefined": "drop", "seed": -1}):
        with pytest.raises(ZcbenchError):
            analyse(noisy, **arguments)
    found = analyse(noisy, undefined="drop", resamples=5)
    for at in (
        ("goood", "spearman"),
        ("good", "spearmann"),
        ("good", "spearman", "top"),
        ("good", "regret_top1", "top10_truth"),
    ):
        with pytest.raises(ZcbenchError):
            found.estimate(*at)
    with pytest.raises(ZcbenchError):
        found.metric_matrix.estimate("good", "goood")


def test_the_lead_over_the_counts_is_a_paired_difference(noisy):
    """Against the same in plain scipy on the same resamples, the best count chosen anew in each."""
    found = analyse(noisy, undefined="drop", resamples=60)
    frame = noisy.frame()
    for metric in ("good", "bad", "patchy"):
        kept = frame[frame[metric].notna()]
        draws = with_resamples(len(frame), resamples=60, seed=0)
        leads = []
        for w in draws:
            rows = frame.loc[frame.index.repeat(w.astype(int))].loc[lambda f, m=metric: f[m].notna()]
            rho = rows[[metric, "params", "flops"]].corrwith(rows["truth"], method="spearman")
            leads.append(rho[metric] - max(rho["params"], rho["flops"]))
        e = found.estimate(metric, OVER_COUNTS)
        assert e.n == len(kept)
        assert [e.value, e.low, e.high] == pytest.approx([leads[0], *np.quantile(leads[1:], [0.025, 0.975])])
    assert found.estimate("good", OVER_COUNTS).low > 0 > found.estimate("bad", OVER_COUNTS).high


def test_a_count_has_no_lead_over_itself(noisy, table):
    found = analyse(noisy, undefined="drop", resamples=5)
    assert math.isnan(found.estimate("params", OVER_COUNTS).value)
    assert math.isnan(found.estimate("constant", OVER_COUNTS).value)
    alone = analyse(table(noisy.truth, {"good": noisy.signed[:, 2]}), undefined="drop", resamples=5)
    assert "no scores of a trivial count" in alone.estimate("good", OVER_COUNTS).method
    with pytest.raises(ZcbenchError, match='for the slice "all" only'):
        found.estimate("good", OVER_COUNTS, "top10_truth")
