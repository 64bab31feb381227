"""Results of several people on one board: what agrees is confirmed, what does not is named, nothing is mixed."""

import dataclasses
import itertools
from collections.abc import Sequence

import pytest
from shared_results import ADA, BOB, measurement, result, statistics

from zcbench.harness.results.entry import UNNAMED, Board, DisagreementKind, Entry
from zcbench.harness.results.merge import merge, short
from zcbench.harness.results.result import Measurement, Result

SLIGHTLY = 0.6 + 0.004
"""Within the tolerance of 100 architectures."""

MUCH = 0.6 + 0.1


def spearman(board: Board) -> list[Entry]:
    return [one for one in board.entries if (one.slice, one.statistic) == ("all", "spearman")]


def test_one_result_is_a_row_for_every_number() -> None:
    board = merge([result()])
    assert len(board.entries) == 5
    assert (board.disagreements, board.files, board.notes) == ((), 1, ())
    (one,) = spearman(board)
    assert (one.metric.name, one.benchmark, one.truth.target, one.estimate.value) == (
        "snip", "nasbench201", "cifar10", 0.6,
    )  # fmt: skip
    assert one.confirmed_by == ()
    (who,) = one.submissions
    assert (who.by, who.environment, who.zcbench) == ("ada", "A-1000, cpu, 1 thread, torch 2.13.0", "0.3.0")
    assert len({entry.key for entry in board.entries}) == 5


def test_equal_results_are_one_row_that_says_who_confirmed_it() -> None:
    (one,) = spearman(merge([result(), result(measurement(SLIGHTLY, scores="ee" * 8), by="bob", machine=BOB)]))
    assert one.confirmed_by == ("bob",)
    assert one.estimate.value == 0.6
    assert [who.identical for who in one.submissions] == [True, False]
    assert one.disagreements == ()


def test_two_of_one_machine_must_be_the_same_though_both_are_near_a_third() -> None:
    slightly = measurement(SLIGHTLY, scores="ee" * 8)
    board = merge([result(), result(slightly, by="bob", machine=BOB), result(by="cy", machine=BOB)])
    (one,) = board.disagreements
    assert [side.by for side in one.sides] == [("ada", "bob"), ("cy",)]
    assert one.sides[0].says.startswith("spearman 0.6040")
    assert one.sides[1].says.startswith("spearman 0.6000")
    assert "nothing recorded of the environments differs" in one.causes[0]


def test_a_copied_file_confirms_nothing() -> None:
    board = merge([result(file="a.json"), result(file="copy.json"), result(by="bob", file="b.json")])
    assert [who.by for who in spearman(board)[0].submissions] == ["ada", "bob"]
    assert board.notes == ("1 measurement repeats another of the same person and machine, and counts once",)
    board = merge([result(file=str(n)) for n in range(3)])
    assert board.notes == ("2 measurements repeat others of the same person and machine, and count once",)


def test_nobody_is_called_unnamed() -> None:
    board = merge([result(by=""), result(machine=BOB, by="")])
    assert [who.by for who in spearman(board)[0].submissions] == [UNNAMED, UNNAMED]


SETTINGS = {
    "architectures": result(measurement(architectures_digest="00" * 8), by="bob"),
    "population": result(measurement(architectures_population="no_dead_edge"), by="bob"),
    "recipe": result(measurement(recipe_digest="00" * 8), by="bob"),
    "target": result(measurement(truth_target="cifar100", truth_digest="00" * 8), by="bob"),
    "source": result(measurement(truth_source="official", truth_digest="00" * 8), by="bob"),
    "policy": result(measurement(undefined="worst"), by="bob"),
    "version": result(version=2, by="bob"),
    "parameters": result(name="snip(x=1)", by="bob"),
    "benchmark": dataclasses.replace(result(by="bob"), benchmark="nasbench101"),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_another_setting_is_a_row_of_its_own_and_no_disagreement(what: str) -> None:
    other = SETTINGS[what]
    changed = dataclasses.replace(other.measurements[0], statistics=statistics(0.2))
    board = merge([result(), dataclasses.replace(other, measurements=(changed,))])
    assert board.disagreements == ()
    assert sorted(one.estimate.value for one in spearman(board)) == [0.2, 0.6]
    assert all(one.confirmed_by == () for one in board.entries)


def test_estimates_that_differ_are_named_with_numbers_and_causes() -> None:
    board = merge([result(), result(measurement(MUCH), by="bob", machine=BOB)])
    (one,) = board.disagreements
    assert one.kind is DisagreementKind.ESTIMATES
    assert (one.metric, one.version, one.benchmark, one.target) == ("snip", 1, "nasbench201", "cifar10")
    where = "snip v1 on nasbench201, cifar10, 100 architectures: Spearman's rho on all of them"
    assert one.what == f"{where} differs by 0.1, where 0.0062 is allowed"
    assert [(side.by, side.files) for side in one.sides] == [
        (("ada",), ("ada/snip.json",)), (("bob",), ("bob/snip.json",)),
    ]  # fmt: skip
    assert one.sides[0].says == "spearman 0.6000 [0.5900, 0.6100], 100 with a score, 0 without"
    assert one.sides[1].says.startswith("spearman 0.7000")
    assert one.causes == ("processor: A-1000 / B-2000", "torch: 2.13.0 / 2.6.0")
    for name in ("ada", "bob", "0.6000", "0.7000", "torch: 2.13.0 / 2.6.0"):
        assert name in one.sentence
    both = spearman(board)
    assert [row.estimate.value for row in both] == [MUCH, 0.6]  # sorted from the best
    assert all(row.disagreements == (one.key,) for row in board.entries)
    assert {key for side in one.sides for key in side.entries} == {row.key for row in board.entries}


def test_scores_that_differ_against_several_targets_are_one_disagreement() -> None:
    def both(cifar10: float, cifar100: float) -> tuple[Measurement, ...]:
        return measurement(cifar10), measurement(cifar100, truth_target="cifar100", truth_digest="00" * 8)

    two = [result(*both(0.6, 0.6)), result(*both(0.7, 0.8), by="bob", machine=BOB)]
    board = merge(two)
    (one,) = board.disagreements
    assert one.target == "cifar100"
    assert one.what.endswith("on all of them differs by 0.2, where 0.0062 is allowed; likewise against cifar10")
    assert [side.by for side in one.sides] == [("ada",), ("bob",)]
    assert one.sides[1].says.startswith("spearman 0.8000")
    assert [len(side.entries) for side in one.sides] == [10, 10]
    assert all(row.disagreements == (one.key,) for row in board.entries)
    # another metric of the same people is another disagreement
    more = [result(*both(0.6, 0.6), name="grasp"), result(*both(0.7, 0.8), name="grasp", by="bob", machine=BOB)]
    assert len(merge([*two, *more]).disagreements) == 2


def test_in_one_environment_the_smallest_difference_is_a_disagreement() -> None:
    first, second = result(), result(measurement(0.6 + 1e-6), by="bob")
    (one,) = merge([first, second]).disagreements
    assert "nothing recorded of the environments differs" in one.causes[0]
    assert "0.600001" not in one.what
    apart = dataclasses.replace(second, environments=(BOB,))
    assert merge([first, apart]).disagreements == ()
    more_rows = dataclasses.replace(result(by="bob"), environments=({**ADA, "rows": "7"},))
    assert merge([result(measurement(0.6 + 1e-6)), more_rows]).disagreements != ()


def test_another_number_of_scores_is_a_disagreement() -> None:
    fewer = measurement(statistics=statistics(n=98, n_undefined=2))
    (one,) = merge([result(), result(fewer, by="bob", machine=BOB)]).disagreements
    assert "rests on another number of architectures with a score" in one.what
    assert "98 with a score, 2 without" in one.sides[1].says


def test_what_most_people_say_is_the_first_side() -> None:
    lone = result(measurement(MUCH), by="ada")
    many = [result(by=name, machine={**BOB, "processor": name}) for name in ("bob", "cy")]
    (one,) = merge([lone, *many]).disagreements
    assert [side.by for side in one.sides] == [("bob", "cy"), ("ada",)]
    assert [row.confirmed_by for row in spearman(merge([lone, *many]))] == [(), ("cy",)]


def test_one_name_of_a_truth_with_other_values_is_a_disagreement() -> None:
    other = measurement(truth_digest="00" * 8, truth_description="somebody's own table")
    board = merge([result(), result(name="grasp"), result(other, by="bob"), result(other, by="bob", name="grasp")])
    (one,) = board.disagreements
    assert one.kind is DisagreementKind.TRUTH
    assert (one.metric, one.version, one.benchmark, one.target) == ("", 0, "nasbench201", "cifar10")
    assert "the truth cifar10 (test after 200 epochs, source robot) of nasbench201 has other values" in one.what
    assert [side.by for side in one.sides] == [("ada",), ("bob",)]
    assert "somebody's own table" in one.sides[1].says
    assert all(row.disagreements == (one.key,) for row in board.entries)
    assert len(board.entries) == 20


def test_other_architectures_say_nothing_about_the_truth() -> None:
    other = measurement(truth_digest="00" * 8, architectures_digest="00" * 8)
    assert merge([result(), result(other, by="bob")]).disagreements == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"code": "ab" * 8}, ("other code", "code as it comes with zcbench", "code abababababababab")),
        ({"higher_is_better": False}, ("another direction", "higher is better", "lower is better")),
        ({"cite": "Somebody 2026"}, ("another citation", "cites Lee et al. 2019", "cites Somebody 2026")),
        ({"components": ("zico v1",)}, ("other components", "made of nothing else", "made of zico v1")),
    ],
)
def test_one_name_and_version_of_two_metrics_is_a_disagreement(change: dict, says: tuple[str, ...]) -> None:
    elsewhere = dataclasses.replace(result(by="bob", **change), benchmark="nasbench101")
    for other in (result(by="bob", **change), elsewhere):
        board = merge([result(), other])
        (one,) = board.disagreements
        assert one.kind is DisagreementKind.METRIC
        assert (one.metric, one.version, one.benchmark) == ("snip", 1, "")
        assert one.what == f"snip v1 is not one metric: it has {says[0]}"
        assert [side.says for side in one.sides] == list(says[1:])
        assert len(spearman(board)) == 2
        assert all(row.disagreements == (one.key,) for row in board.entries)
    assert merge([result(), result(by="bob", version=2, **change)]).disagreements == ()


MANY = (
    result(), result(by="bob", machine=BOB), result(measurement(MUCH), by="cy", machine={**BOB, "processor": "C"}),
    result(measurement(truth_digest="00" * 8), by="dan"), result(by="eve", code="ab" * 8),
)  # fmt: skip


def said(results: Sequence[Result]) -> str:
    return repr(merge(results))


def test_the_order_of_files_changes_nothing() -> None:
    assert len({said(order) for order in itertools.permutations(MANY)}) == 1
    board = merge(MANY)
    assert sorted(one.kind for one in board.disagreements) == ["estimates", "metric", "truth"]
    assert len({one.key for one in board.disagreements}) == 3
    assert len({row.key for row in board.entries}) == len(board.entries)


def test_a_row_keeps_its_key_when_somebody_confirms_it() -> None:
    before = {row.key for row in merge([result(by="bob")]).entries}
    assert {row.key for row in merge([result(by="bob"), result(by="ada", machine=BOB)]).entries} == before


def test_a_low_regret_comes_first_and_no_value_last() -> None:
    low, high = statistics(), tuple(
        dataclasses.replace(one, estimate=dataclasses.replace(one.estimate, value=one.estimate.value + 0.1))
        for one in statistics()
    )  # fmt: skip
    board = merge([result(measurement(statistics=low)), result(measurement(statistics=high), name="grasp")])

    def names(statistic: str) -> list[str]:
        return [row.metric.name for row in board.entries if (row.slice, row.statistic) == ("all", statistic)]

    assert names("spearman") == ["grasp", "snip"]
    assert names("regret_top1") == ["snip", "grasp"]
    assert [row.statistic for row in board.entries if row.slice == "all"][::2] == [
        "spearman", "kendall", "regret_top1", "weighted_tau",
    ]  # fmt: skip


def test_an_empty_environment_has_no_words() -> None:
    assert short({}) == ""
    assert short({"threads": "2", "device": "cpu"}) == "cpu, 2 threads"
