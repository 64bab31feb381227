"""Every number of a comparison against an obvious slow version: scipy, and explicit loops over architectures."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from zcbench.harness.analysis.information import gains
from zcbench.harness.analysis.intervals import FEWEST
from zcbench.harness.analysis.ranks import dense
from zcbench.harness.analysis.study import analyse
from zcbench.harness.analysis.versus.as_json import to_json
from zcbench.harness.analysis.versus.compare import compare
from zcbench.harness.analysis.versus.parts import BEST, Variation
from zcbench.harness.errors import ZcbenchError

RESAMPLES = 30
CORRELATION = {"spearman": lambda x, y: stats.spearmanr(x, y)[0], "kendall": lambda x, y: stats.kendalltau(x, y)[0]}


@pytest.fixture
def mixed(table):
    """150 architectures: counts with ties, baselines with gaps of every kind, a candidate with some undefined."""
    rng = np.random.default_rng(8)
    n = 150
    worth = rng.normal(size=n)
    scores = {
        "params": np.round(worth + rng.normal(size=n), 1),
        "flops": np.round(worth + rng.normal(size=n)),
        "mine": np.where(rng.random(n) < 0.1, np.nan, worth + 0.6 * rng.normal(size=n)),
        "good": worth + 0.7 * rng.normal(size=n),
        "low": -worth + 0.8 * rng.normal(size=n),
        "patchy": np.where(rng.random(n) < 0.2, np.nan, worth + 0.7 * rng.normal(size=n)),
        "absent": worth + rng.normal(size=n),
        "constant": np.ones(n),
        "nowhere": np.full(n, np.nan),
    }
    built = table(np.round(0.9 + 0.02 * worth, 3), scores, higher={"low": False}, seeds=(0,))
    outcome = built.outcome.copy()
    outcome[rng.random(n) < 0.3, built.metrics.index("absent")] = ""
    values = np.where(outcome == "ok", built.values, np.nan)
    return replace(built, values=values, outcome=outcome, versions=tuple(range(1, 10)))


BASELINES = ("absent", "constant", "flops", "good", "low", "nowhere", "params", "patchy")


def columns(table, policy):
    """The signed scores as floats to rank: NaN is left out, -inf is the last rank."""
    found = {}
    for m, name in enumerate(table.metrics):
        x = table.values[:, m, 0] * (1 if table.higher_is_better[m] else -1)
        failed = np.isin(table.outcome[:, m, 0], ["undefined", "failed"])
        found[name] = np.where(failed & (policy == "worst"), -np.inf, x)
    return found


def drawn(n, resamples=RESAMPLES):
    """Rows of every resample of n architectures with the seed 0."""
    generator = np.random.default_rng([0, n])
    return [generator.integers(0, n, n) for _ in range(resamples)]


def inside(truth, slice_):
    if slice_ == "all":
        return np.ones(truth.size, dtype=bool)
    return truth >= np.sort(truth)[::-1][math.ceil(truth.size / 10) - 1]


def interval(values):
    finite = [v for v in values if np.isfinite(v)]
    return pytest.approx(tuple(np.quantile(finite, [0.025, 0.975])), abs=1e-12)


def ends(estimate):
    return estimate.low, estimate.high


def quiet(correlation, x, y):
    """A correlation, NaN where a column is constant."""
    return math.nan if len(set(x)) < 2 or len(set(y)) < 2 else correlation(x, y)


@pytest.mark.parametrize("policy", ["worst", "drop"])
def test_differences_against_loops(mixed, policy):
    found = compare([mixed], "mine", BASELINES, undefined=policy, resamples=12).versus[0]
    scores, truth = columns(mixed, policy), mixed.truth
    for one in found.differences:
        correlation = CORRELATION[one.statistic]
        x, z = scores["mine"], scores[one.baseline]
        rows = ~np.isnan(x) & ~np.isnan(z) & inside(truth, one.slice)
        assert one.n == one.difference.n == rows.sum()
        lost = [np.isin(mixed.outcome[:, mixed.metrics.index(m), 0], ["undefined"]) for m in ("mine", one.baseline)]
        assert one.difference.n_undefined == (np.any(lost, axis=0) & inside(truth, one.slice)).sum()
        if len(set(z[rows])) < 2:
            assert one.side == "untested"
            assert one.why
            assert math.isnan(one.p)
            continue
        assert one.ours == pytest.approx(correlation(x[rows], truth[rows]), abs=1e-14)
        assert one.theirs == pytest.approx(correlation(z[rows], truth[rows]), abs=1e-14)
        assert one.difference.value == one.ours - one.theirs
        apart = []
        for draw in drawn(truth.size, 12):
            at = draw[rows[draw]]
            apart.append(quiet(correlation, x[at], truth[at]) - quiet(correlation, z[at], truth[at]))
        if one.n >= FEWEST:
            assert ends(one.difference) == interval(apart)


def test_standings_are_those_of_an_analysis(mixed):
    found = compare([mixed], "mine", BASELINES, undefined="worst", resamples=RESAMPLES).versus[0]
    known = analyse(mixed, undefined="worst", resamples=RESAMPLES)
    for one in found.standings:
        expected = known.estimate(one.metric, one.statistic, one.slice)
        assert one.estimate.value == pytest.approx(expected.value, abs=1e-14, nan_ok=True)
        assert (one.estimate.n, one.estimate.n_undefined) == (expected.n, expected.n_undefined)
        if one.statistic == "spearman":
            assert ends(one.estimate) == pytest.approx(ends(expected), nan_ok=True, abs=1e-14)
    assert found.standing("good") == found.standings[[s.metric for s in found.standings].index("good")].estimate
    with pytest.raises(ZcbenchError, match="unknown metric"):
        found.standing("godo")


def residuals(ranks, controls):
    design = np.column_stack([np.ones(len(ranks)), *controls])
    return ranks - design @ np.linalg.lstsq(design, ranks, rcond=None)[0]


def slow_partial(x, y, controls):
    ranks = [stats.rankdata(c) for c in controls]
    left = [residuals(stats.rankdata(v), ranks) for v in (x, y)]
    return np.corrcoef(*left)[0, 1]


def best_of(scores, truth, at):
    """The best baseline of a resample, each on the architectures that it shares with the candidate."""
    rho = {}
    for name in ("absent", "flops", "good", "low", "params", "patchy"):
        rows = at[~np.isnan(scores["mine"][at]) & ~np.isnan(scores[name][at])]
        rho[name] = stats.spearmanr(scores[name][rows], truth[rows])[0]
    return max(sorted(rho), key=rho.__getitem__), rho


@pytest.mark.parametrize("policy", ["worst", "drop"])
def test_the_best_baseline_is_chosen_anew_in_every_resample(mixed, policy):
    found = compare([mixed], "mine", BASELINES, undefined=policy, resamples=RESAMPLES).versus[0]
    scores, truth = columns(mixed, policy), mixed.truth
    everything = np.arange(truth.size)
    leads, partials, chosen = [], [], set()
    for at in [everything, *drawn(truth.size)]:
        best, rho = best_of(scores, truth, at)
        chosen.add(best)
        rows = at[~np.isnan(scores["mine"][at]) & ~np.isnan(scores[best][at])]
        leads.append(stats.spearmanr(scores["mine"][rows], truth[rows])[0] - rho[best])
        rows = rows[np.isfinite(scores["mine"][rows]) & np.isfinite(scores[best][rows])]
        x, controls = scores["mine"][rows], [scores[name][rows] for name in ("params", "flops", best)]
        partials.append(slow_partial(x, truth[rows], controls))
    assert len(chosen) > 1
    assert found.best == best_of(scores, truth, everything)[0]
    assert found.lead.value == pytest.approx(leads[0], abs=1e-12)
    assert ends(found.lead) == interval(leads[1:])
    last = found.additions[-1]
    assert last.given == ("params", "flops", BEST)
    assert last.names == ("params", "flops", found.best)
    assert last.partial.value == pytest.approx(partials[0], abs=1e-9)
    assert ends(last.partial) == pytest.approx(tuple(np.quantile(partials[1:], [0.025, 0.975])), abs=1e-9)


@pytest.mark.parametrize("policy", ["worst", "drop"])
def test_additions_against_regressions(mixed, policy):
    found = compare([mixed], "mine", BASELINES, undefined=policy, resamples=RESAMPLES).versus[0]
    scores, truth = columns(mixed, policy), mixed.truth
    assert [one.given for one in found.additions[:3]] == [("params",), ("flops",), (BEST,)]
    for one in found.additions:
        rows = np.isfinite([scores[name] for name in ("mine", *one.names)]).all(axis=0)
        controls = [scores[name][rows] for name in one.names]
        assert one.partial.n == rows.sum()
        assert one.partial.value == pytest.approx(slow_partial(scores["mine"][rows], truth[rows], controls), abs=1e-9)
        codes = np.stack([dense(scores[name][rows]) for name in ("mine", *one.names)])
        gain = next(g for g in gains(("mine", *one.names), codes, dense(truth[rows]), seed=0) if g.metric == "mine")
        assert (one.bits, one.level, one.redundant) == (gain.beside_others, gain.level, gain.redundant)
        assert 0 < one.level < one.bits


@pytest.mark.parametrize("policy", ["worst", "drop"])
def test_how_alike_metrics_are(mixed, policy):
    """Where both have a score, whatever the policy."""
    found = compare([mixed], "mine", BASELINES, undefined=policy, resamples=5).versus[0]
    scores = columns(mixed, "drop")
    rho = {}
    for name in BASELINES:
        rows = ~np.isnan(scores["mine"]) & ~np.isnan(scores[name])
        if rows.sum() and name != "constant":
            rho[name] = stats.spearmanr(scores["mine"][rows], scores[name][rows])[0]
    nearest = max(rho, key=lambda name: abs(rho[name]))
    assert (found.nearest.metric, found.nearest.beyond, found.nearest.reversed) == (nearest, False, False)
    assert found.nearest.correlation.value == pytest.approx(rho[nearest], abs=1e-12)
    missing = np.isnan([mixed.values[:, mixed.metrics.index(name), 0] for name in ("mine", nearest)]).any(axis=0)
    assert (found.nearest.correlation.n, found.nearest.correlation.n_undefined) == ((~missing).sum(), missing.sum())
    assert missing.any()
    assert found.twins == ()


def test_costs_are_medians_over_what_both_have(mixed):
    rng = np.random.default_rng(1)
    alone, beside = rng.exponential(size=(2, *mixed.values.shape))
    alone[:20, mixed.metrics.index("good")] = np.nan
    timed = replace(mixed, seconds_standalone=alone, seconds_marginal=beside)
    compared = compare([timed], "mine", [*BASELINES, "gone"], undefined="drop", resamples=1).versus[0]
    found = {one.baseline: one for one in compared.costs}
    mine, good = (mixed.metrics.index(name) for name in ("mine", "good"))
    one = found["good"]
    both = (mixed.outcome[:, mine, 0] == "ok") & (np.arange(150) >= 20)
    assert one.n == both.sum() < 130
    assert one.ours_standalone == np.median(alone[both, mine])
    assert one.theirs_standalone == np.median(alone[both, good])
    assert one.ours_marginal == np.median(beside[both, mine])
    assert (math.isnan(found["nowhere"].theirs_standalone), found["nowhere"].n) == (True, 0)
    assert one.ratio == one.ours_standalone / one.theirs_standalone
    assert one.ratio_marginal == one.ours_marginal / one.theirs_marginal
    assert math.isnan(found["gone"].ratio)
    assert found["gone"].n == 0


def taken(table, rows, metrics):
    """These rows and metrics of a table, in this order."""
    cubes = ("values", "outcome", "reason", "seconds_standalone", "seconds_marginal")
    labels = ("metrics", "higher_is_better", "versions")
    return replace(
        table, **{name: getattr(table, name)[np.ix_(rows, metrics)] for name in cubes}, truth=table.truth[rows],
        repeats=table.repeats[rows], architectures=tuple(table.architectures[a] for a in rows),
        **{name: tuple(getattr(table, name)[m] for m in metrics) for name in labels},
    )  # fmt: skip


def second(table):
    """The same scores with another target and a few architectures less."""
    fewer = taken(table, np.arange(110), np.arange(len(table.metrics)))
    return replace(fewer, target="other", truth=np.round(fewer.truth**2, 4))


def test_families_run_over_benchmarks_targets_and_baselines(mixed):
    found = compare([mixed, second(mixed)], "mine", BASELINES, undefined="worst", resamples=10)
    for family in found.families:
        mine = [d for v in found.versus for d in v.of(statistic=family.statistic, slice=family.slice)]
        tested = sorted((d.p, d.p_holm) for d in mine if d.side != "untested")
        assert (family.tests, family.untested) == (len(tested), len(mine) - len(tested))
        assert {d.family for d in mine} == {family.tests}
        expected, highest = [], 0.0
        for i, (p, _) in enumerate(tested):
            highest = max(highest, min(1.0, (len(tested) - i) * p))
            expected.append(highest)
        assert [p for _, p in tested] == pytest.approx(expected)
    assert found.families[0].tests == 12
    assert found.families[0].untested == 4


def shuffled(table, seed):
    rng = np.random.default_rng(seed)
    return taken(table, rng.permutation(len(table.architectures)), rng.permutation(len(table.metrics)))


def variations(table):
    rng = np.random.default_rng(4)
    changed = table.values + 0.3 * rng.normal(size=table.values.shape)
    small = replace(table, values=changed)
    return [Variation("batch size", "16", "32", small), Variation("initialisation", "kaiming_normal", "pytorch", small)]


@pytest.mark.parametrize("policy", ["worst", "drop"])
def test_no_order_changes_a_byte(mixed, policy):
    tables, given = [mixed, second(mixed)], variations(mixed)
    first = compare(tables, "mine", BASELINES, undefined=policy, resamples=10, stability=given)
    again = compare(
        [shuffled(t, 1) for t in tables[::-1]], "mine", [*BASELINES[::-1], "good", "mine"], undefined=policy,
        resamples=10, stability=[replace(v, table=shuffled(v.table, 2)) for v in given[::-1]],
    )  # fmt: skip
    text = json.dumps(to_json(first), allow_nan=False)
    assert text == json.dumps(to_json(again), allow_nan=False)
    other = compare(tables, "mine", BASELINES, undefined=policy, resamples=10, stability=given, seed=1)
    assert text != json.dumps(to_json(other), allow_nan=False)


def test_nothing_that_is_not_compared_changes_a_byte(mixed):
    """Neither further metrics nor architectures that the candidate was not tried on."""
    outcome = mixed.outcome.copy()
    outcome[[3, 77], mixed.metrics.index("mine")] = ""
    wide = replace(mixed, outcome=outcome, values=np.where(outcome == "ok", mixed.values, np.nan))
    kept = [a for a in range(150) if a not in (3, 77)]
    metrics = [m for m, name in enumerate(mixed.metrics) if name != "low"]
    narrow = taken(wide, kept, metrics)
    names = [name for name in BASELINES if name != "low"]
    found = [compare([t], "mine", names, undefined="worst", resamples=20) for t in (wide, narrow)]
    assert json.dumps(to_json(found[0])) == json.dumps(to_json(found[1]))
    assert found[0].versus[0].verdict.n == 148


def test_json_says_what_the_records_say(mixed):
    found = compare([mixed], "mine", BASELINES, undefined="drop", resamples=10)
    document = json.loads(json.dumps(to_json(found), allow_nan=False))
    one, first = found.versus[0].differences[0], document["versus"][0]["differences"][0]
    assert (first["p"], first["p_holm"], first["side"]) == (one.p, one.p_holm, one.side)
    assert first["difference"]["low"] == one.difference.low
    none = next(d for d in document["versus"][0]["differences"] if d["baseline"] == "nowhere")
    assert none["p"] is None
    assert "undefined" in none["why"] or "fewer" in none["why"]
    assert document["versus"][0]["costs"][0]["ratio"] == 1.0
    assert (document["format"], document["candidate"], document["alpha"]) == (1, "mine", 0.05)


def test_what_cannot_be_compared_is_refused_in_one_line(mixed):
    def refused(match, tables=None, candidate="mine", baselines=("good",), **more):
        with pytest.raises(ZcbenchError, match=match):
            compare([mixed] if tables is None else tables, candidate, baselines, **{"undefined": "worst", **more})

    refused("no scores to compare", tables=[])
    refused("no baseline", baselines=["mine"])
    refused("two tables for toy cifar10 made all", tables=[mixed, mixed])
    refused('unknown metric of the scores of toy "mien"', candidate="mien")
    refused("at least 1", resamples=0)
    refused("at least 0", seed=-1)
    refused('"worst" or "drop"', undefined="best")
    untried = replace(mixed, outcome=np.where(np.array(mixed.metrics)[:, None] == "mine", "", mixed.outcome))
    refused("mine was scored on none of the architectures of toy", tables=[untried])
    stray = Variation("batch size", "16", "32", replace(mixed, target="elsewhere"))
    refused("batch size 16: there are no reference scores of toy elsewhere", stability=[stray])
