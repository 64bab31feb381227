"""The test for a loss of correlation: its influences, its level, and the power that is claimed for it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from zcbench.harness.analysis import influence as of_influence
from zcbench.harness.analysis.loss import STATISTICS, differences, freedom, loss, quantile
from zcbench.harness.analysis.power import _normal_scores, smallest_loss
from zcbench.harness.errors import ZcbenchError

SCORES = Path(__file__).parent.parent / "golden" / "gate_scores.csv"


def weighted(x: np.ndarray, y: np.ndarray, w: np.ndarray, statistic: str) -> float:
    """The statistic of weighted architectures, from its definition over all pairs."""
    w = w / w.sum()
    of_x, of_y = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    if statistic == "spearman":
        a, b = of_x @ w, of_y @ w
        return float((w * a * b).sum() / np.sqrt((w * a * a).sum() * (w * b * b).sum()))
    pairs = np.outer(w, w)
    return float((pairs * of_x * of_y).sum() / np.sqrt((pairs * of_x**2).sum() * (pairs * of_y**2).sum()))


def scipy_value(x: np.ndarray, y: np.ndarray, statistic: str) -> float:
    return float((stats.spearmanr(x, y) if statistic == "spearman" else stats.kendalltau(x, y)).statistic)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("all_pairs", [200, 0])
def test_influences_are_derivatives_by_the_weights(
    statistic: str, all_pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_influence, "ALL_PAIRS", all_pairs)
    rng = np.random.default_rng(0)
    n, step = 25, 1e-6
    y = rng.integers(0, 9, n).astype(float)
    x = np.stack([np.round((y + 3 * rng.normal(size=n)) / 2), y - rng.normal(size=n)])
    values, influences = getattr(of_influence, f"{statistic}_influence")(x, y)
    for row, value, influence in zip(x, values, influences, strict=True):
        assert value == pytest.approx(scipy_value(row, y, statistic), abs=1e-12)
        flat = np.full(n, 1 / n)
        for k in range(n):
            towards = np.eye(n)[k] - flat
            slope = (weighted(row, y, flat + step * towards, statistic)
                     - weighted(row, y, flat - step * towards, statistic)) / (2 * step)  # fmt: skip
            assert influence[k] == pytest.approx(slope, abs=1e-8)


def test_a_shift_of_scale_changes_nothing_and_equal_scores_never_fail() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=40), rng.normal(size=40)
    for statistic in STATISTICS:
        found = loss(x, np.exp(x) * 3, y, statistic=statistic, confidence=0.5)
        assert (found.difference, found.error, found.upper) == (0.0, 0.0, 0.0)
        assert not found.upper < -0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 30), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_values_and_limits_of_any_scores(n: int, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, z, y = (rng.integers(0, levels + 1, n).astype(float) for _ in range(3))
    for statistic in STATISTICS:
        found = loss(x, z, y, statistic=statistic)
        if found.why:
            assert min(len(set(x)), len(set(z)), len(set(y))) == 1
            continue
        assert found.then == pytest.approx(scipy_value(x, y, statistic), abs=1e-12)
        assert found.now == pytest.approx(scipy_value(z, y, statistic), abs=1e-12)
        assert found.upper >= found.difference
        assert 1 <= found.freedom <= n - 1
        order = rng.permutation(n)
        again = loss(x[order], z[order], y[order], statistic=statistic)
        assert again.upper == pytest.approx(found.upper, abs=1e-9)


def test_degrees_of_freedom_of_few_and_of_normal_influences() -> None:
    rng = np.random.default_rng(2)
    few = np.zeros(1000)
    few[:3] = 1.0, -1.0, 1.0
    assert freedom(few[None])[0] == pytest.approx(6, rel=0.01)
    normal = freedom(rng.normal(size=(200, 300)))
    assert 250 < np.median(normal) <= 299
    assert freedom(np.zeros((1, 50)))[0] == 49


@pytest.mark.parametrize(
    ("change", "told"),
    [({"statistic": "speerman"}, 'unknown statistic "speerman". Did you mean "spearman"?'),
     ({"confidence": 1.0}, "a one-sided confidence lies between 0.5 and 1, not at 1"),
     ({"confidence": 0.3}, "a one-sided confidence lies between 0.5 and 1, not at 0.3"),
     ({"now": [1.0, float("nan"), 2.0]}, "a loss is that of complete columns of one length"),
     ({"now": [1.0, 2.0]}, "a loss is that of complete columns of one length")],
)  # fmt: skip
def test_bad_input_is_one_line(change: dict, told: str) -> None:
    given = {"then": [1.0, 2.0, 3.0], "now": [1.0, 2.0, 3.0], "truth": [1.0, 2.0, 3.0], "statistic": "spearman"}
    with pytest.raises(ZcbenchError) as error:
        loss(**{**given, **change})
    assert str(error.value) == told


def test_constant_scores_have_no_loss() -> None:
    found = loss([1.0, 2.0, 3.0, 4.0], [1.0] * 4, [1.0, 2.0, 3.0, 4.0], statistic="kendall")
    assert (found.why, np.isnan(found.upper)) == ("undefined: constant score", True)


def ties(x: np.ndarray, kind: str) -> np.ndarray:
    return {"none": x, "five": np.digitize(x, [-1.0, -0.3, 0.3, 1.0]).astype(float), "half": np.maximum(x, 0.0)}[kind]


def failures(kind: str, n: int, *, few: bool, draws: int, statistic: str) -> int:
    """Count the draws that fail where then and now have the same noise, on all or on about four architectures."""
    rng = np.random.default_rng([n, len(kind), few])
    failed = 0
    for _ in range(draws):
        worth = rng.normal(size=n)
        truth = worth + 0.6 * rng.normal(size=n)
        then, now = (worth + 0.5 * rng.normal(size=n) for _ in range(2))
        if few:
            now = np.where(rng.random(n) < 4 / n, now, then)
        failed += loss(ties(then, kind), ties(now, kind), truth, statistic=statistic).upper < 0
    return failed


@pytest.mark.parametrize(("few", "statistic"), [(False, "spearman"), (False, "kendall"), (True, "spearman")])
def test_the_level_holds_with_heavy_ties(few: bool, statistic: str) -> None:
    assert failures("five", 30, few=few, draws=200, statistic=statistic) <= stats.binom.ppf(0.999, 200, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["none", "five", "half"])
@pytest.mark.parametrize("n", [30, 100, 300])
@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_level_holds_everywhere(kind: str, n: int, few: bool, statistic: str) -> None:
    assert failures(kind, n, few=few, draws=1000, statistic=statistic) <= stats.binom.ppf(0.999, 1000, 0.05)


@pytest.fixture(scope="module")
def scored() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Real scores, float64[59, 10], and accuracies, float64[59]."""
    frame = pd.read_csv(SCORES, comment="#", index_col="architecture")
    of = {m: frame[[c for c in frame if c.startswith(f"{m}_")]].to_numpy() for m in ("nwot", "snip")}
    return of, frame["cifar10"].to_numpy()


def two_means(
    scores: np.ndarray, draws: int, seeds: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Means over other seeds of every architecture, then and now, none in both: float64[draws, n] each."""
    every = np.broadcast_to(scores, (draws, *scores.shape))
    mixed = np.take_along_axis(every, rng.random(every.shape).argsort(axis=2), axis=2)
    return mixed[:, :, :seeds].mean(axis=2), mixed[:, :, seeds : 2 * seeds].mean(axis=2)


@pytest.mark.parametrize(("metric", "seeds"), [("nwot", 1), ("snip", 3)])
def test_a_real_loss_is_seen_as_often_as_claimed(metric: str, seeds: int, scored: tuple) -> None:
    """Real seeds then and now, now also degraded to the loss that the record calls the smallest."""
    of, truth = scored
    rng = np.random.default_rng([seeds, len(metric)])
    claimed = smallest_loss(of[metric][:, :seeds], truth, statistic="spearman", margin=0.02, confidence=0.95)
    assert claimed.seeds == (seeds if seeds > 1 else 0)
    then, now = two_means(of[metric], 400, seeds, rng)
    noise, normal, ordered = rng.normal(size=now.shape), _normal_scores(now), np.sort(now, axis=1)

    def degraded(angle: float) -> tuple[float, float]:
        blurred = normal * np.cos(angle) + noise * np.sin(angle)
        scores = np.take_along_axis(ordered, blurred.argsort(axis=1).argsort(axis=1), axis=1)
        _, difference, error, free = differences(then, scores, truth, statistic="spearman")
        return -float(difference.mean()), float((difference + quantile(free, 0.95) * error < -0.02).mean())

    low, high = 0.0, np.pi / 2
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if degraded(middle)[0] < claimed.loss else (low, middle)
    mean, share = degraded(high)
    assert mean == pytest.approx(claimed.loss, abs=0.002)
    # 200 draws of the claim, 400 of the trial, and a record that is one draw of its seeds.
    assert abs(share - 0.8) < 3 * np.sqrt(0.16 / 200 + 0.16 / 400) + 0.04
    assert degraded(high / 3)[1] < 0.5


def test_what_cannot_be_seen_has_no_smallest_loss() -> None:
    rng = np.random.default_rng(5)
    found = smallest_loss(rng.normal(size=(30, 1)), rng.normal(size=30), statistic="kendall", margin=0.5,
                          confidence=0.95)  # fmt: skip
    assert np.isnan(found.loss)
    assert found.share < 0.8


def test_more_architectures_and_less_margin_see_less() -> None:
    rng = np.random.default_rng(6)
    worth = rng.normal(size=500)
    truth, scores = worth + 0.6 * rng.normal(size=500), (worth + 0.4 * rng.normal(size=500))[:, None]
    found = [
        smallest_loss(scores[:n], truth[:n], statistic="spearman", margin=margin, confidence=0.95).loss
        for n, margin in ((40, 0.02), (120, 0.02), (120, 0.0), (500, 0.0))
    ]
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0] / 3
