import numpy as np
import pandas as pd
import pytest

from zcbench.harness.analysis.frame import assemble
from zcbench.harness.errors import ZcbenchError

TRUTH = {"a": 0.9, "b": 0.8, "c": 0.7}
HIGH = {"snip": True, "swap": True, "cond": False}


def test_places_rows_by_name(rows, target):
    scores = rows([("b", "snip", 1, 4.0), ("a", "snip", 0, 1.0), ("b", "snip", 0, 3.0), ("a", "snip", 1, 2.0),
                   ("b", "cond", 0, 7.0), ("a", "cond", 0, "undefined"), ("zz", "snip", 0, 9.0)])  # fmt: skip
    table = assemble(scores, target(TRUTH), benchmark="toy", higher_is_better=HIGH)
    assert table.architectures == ("a", "b")
    assert table.metrics == ("cond", "snip")
    assert table.seeds == (0, 1)
    assert table.without_truth == 1
    np.testing.assert_array_equal(table.values[:, 1], [[1, 2], [3, 4]])
    assert table.outcome[:, 0].tolist() == [["undefined", ""], ["ok", ""]]
    assert table.reason[0, 0, 0] == "why"
    np.testing.assert_array_equal(table.failed, [[True, False], [False, False]])
    np.testing.assert_array_equal(table.signed[:, 1], [1.5, 3.5])
    np.testing.assert_array_equal(table.truth, [0.9, 0.8])
    assert table.repeats.shape == (2, 0)
    assert table.recipe == "dataset cifar10, batch size 32, initialisation pytorch@1, 2 initialisation seeds"


def test_a_low_score_that_is_good_is_negated(rows, target):
    scores = rows([("a", "cond", 0, 2.0), ("b", "cond", 0, 5.0)])
    table = assemble(scores, target(TRUTH), benchmark="toy", higher_is_better=HIGH)
    assert table.signed[:, 0].tolist() == [-2.0, -5.0]
    assert table.frame().columns.tolist() == ["architecture", "truth", "cond"]


def test_row_order_does_not_matter(rows, target):
    scores = rows([(a, m, s, i * 1.5 + s) for i, a in enumerate("cab") for m in ("snip", "swap") for s in (0, 1)])
    first = assemble(scores, target(TRUTH), benchmark="toy", higher_is_better=HIGH)
    again = assemble(scores.sample(frac=1, random_state=1), target(TRUTH), benchmark="toy", higher_is_better=HIGH)
    assert first.architectures == again.architectures
    np.testing.assert_array_equal(first.values, again.values)


def test_the_highest_version_wins(rows, target):
    old = rows([("a", "snip", 0, 1.0), ("b", "snip", 0, 1.0)])
    new = rows([("a", "snip", 0, 2.0)]).assign(version=3)
    table = assemble(pd.concat([old, new]), target(TRUTH), benchmark="toy", higher_is_better=HIGH)
    assert table.architectures == ("a",)
    assert table.versions == (3,)
    assert table.values[0, 0, 0] == 2.0


def test_population_repeats_and_parametrised_names(rows, target):
    repeats = pd.DataFrame({777: [0.91, 0.79], 888: [0.89, np.nan]}, index=["a", "b"])
    scores = rows([(a, "swap(repeats=32)", 0, 1.0) for a in "abc"])
    table = assemble(scores, target(TRUTH, repeats), benchmark="toy", higher_is_better=HIGH, population="ab",
                     keep=lambda a: a != "c")  # fmt: skip
    assert table.population == "ab"
    np.testing.assert_array_equal(table.repeats, [[0.91, 0.89], [0.79, np.nan]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.drop(columns="outcome"), "lack the columns outcome"),
        (lambda s: s.assign(benchmark="other"), 'no scores of benchmark "toy"'),
        (lambda s: s.assign(architecture="x"), "none of the 1 scored architectures"),
        (lambda s: pd.concat([s, s]), "several rows"),
        (lambda s: pd.concat([s, s.assign(batch_size=64)]), "several values of batch_size"),
        (lambda s: s.assign(metric="snap"), 'unknown metric "snap". Did you mean'),
    ],
)
def test_bad_input_is_one_line(rows, target, change, message):
    scores = change(rows([("a", "snip", 0, 1.0)]))
    with pytest.raises(ZcbenchError, match=message) as caught:
        assemble(scores, target(TRUTH), benchmark="toy", higher_is_better=HIGH)
    assert "\n" not in str(caught.value)


def test_says_what_was_measured(rows, target):
    scores = rows([("a", "snip", 0, 1.0), ("b", "snip", 0, 2.0)])
    made = [
        assemble(scores, target(TRUTH, metric=metric), benchmark="toy", higher_is_better=HIGH)
        for metric in ("accuracy", "ssim")
    ]
    assert [table.measure for table in made] == ["accuracy", "ssim"]
    assert [table.target for table in made] == ["cifar10", "cifar10/ssim"]


def test_the_kind_of_the_truth_is_kept(rows, target):
    made = assemble(rows([("a", "m", 0, 1.0)]), target({"a": 0.9}, kind="surrogate"), benchmark="toy",
                    higher_is_better={"m": True})  # fmt: skip
    assert made.kind == "surrogate"
