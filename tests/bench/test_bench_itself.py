"""The benchmarks themselves: their opponents compute the same scores, and their arithmetic is right."""

import copy
import gc
import json
import math
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from bench import scaling, scoring
from bench.contestants import alive_with_pytorch_alone
from bench.memory import children, peak
from bench.opponents import Subject, alethiometer_tool, loop
from bench.paired import Limits, Ratio, Turns, collections, in_turn, quiet
from bench.summary import BEGIN, END, Line, markdown, seconds, table, write
from networks import KEY, batch, make
from zcbench.harness.types import Architecture


@pytest.fixture(scope="module", params=["plain", "nasbench201"])
def small(request):
    """A small network in float64, where every way has digits enough."""
    data = batch(9, 8)
    subject = Subject(make(request.param), data.inputs, data.targets, KEY)
    return scoring.Scored(Architecture(request.param, request.param, ()), subject)


def test_the_loop_agrees_with_zcbench_and_changes_nothing(small):
    before = copy.deepcopy(small.subject.network.state_dict())
    theirs = scoring.looped(scoring.SUITE, small)
    ours = scoring.zcbench(scoring.SUITE, small)
    assert set(loop.METRICS) == {m.name for m in scoring.SUITE} == set(ours)
    assert theirs.keys() == {*ours, scoring.UNSIGNED}
    found = scoring.differences(ours, theirs, unsigned=False)
    assert found.keys() == ours.keys()
    assert {name: difference for name, difference in found.items() if not difference <= scoring.DOUBLE[name]} == {}
    after = small.subject.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(module._forward_hooks for module in small.subject.network.modules())


def test_the_loop_collects_garbage_where_the_tools_do(small):
    """After every metric but the statistics of the model and l2_norm."""
    found = {}
    gc.disable()  # so that every collection was asked for
    try:
        for name, score in loop.METRICS.items():
            with collections() as garbage:
                score(small.subject)
            found[name] = garbage.full
    finally:
        gc.enable()
    assert found == {name: int(name not in ("flops", "l2_norm", "params")) for name in loop.METRICS}


def test_alethiometer_agrees_with_zcbench(small):
    if find_spec("alethiometer") is None:
        pytest.skip("alethiometer is not installed")
    theirs = scoring.alethiometer(small)
    ours = scoring.zcbench(scoring.ALETHIOMETER, small)
    assert len(theirs) == len(alethiometer_tool.METRICS) == 5
    found = scoring.differences(ours, theirs, unsigned=False)
    assert found.keys() == ours.keys() == theirs.keys()
    assert all(difference <= scoring.DOUBLE[name] for name, difference in found.items()), found


def test_evaluation_mode_is_another_score(small):
    """So that the fifth metric is really the one in evaluation mode, a forward more."""
    found = scoring.zcbench([*scoring.ALETHIOMETER, *scoring.SUITE], small)
    assert abs(found["nwot_running"] - found["nwot"]) > 1e-3


def test_a_difference_is_seen():
    theirs = {"snip": 10.0, "plain": 1e-3, "grasp": -2.0, scoring.UNSIGNED: 50.0, "other": 1.0}
    ours = {"snip": 11.0, "plain": 2e-3, "grasp": -2.5}
    found = {unsigned: scoring.differences(ours, theirs, unsigned=unsigned) for unsigned in (False, True)}
    assert found[False] == pytest.approx({"snip": 0.1, "plain": 1, "grasp": 0.25})
    assert found[True] == pytest.approx({"snip": 0.1, "plain": 1e-4, "grasp": 0.01})
    assert math.isnan(scoring.differences({"snip": math.nan}, theirs, unsigned=False)["snip"])


class Clock:
    """Time passes only when a contestant says so."""

    def __init__(self):
        self.now = 0.0
        self.ran = []

    def __call__(self):
        return self.now

    def takes(self, name, seconds):
        def contestant(cell):
            self.ran.append((cell, name))
            self.now += seconds * cell
            return name, cell

        return contestant


def test_contestants_take_turns_and_the_order_is_reversed():
    clock, seen = Clock(), []
    turns = in_turn(
        [1, 10], {"ours": clock.takes("ours", 1), "theirs": clock.takes("theirs", 4)}, Limits(rounds=3, seconds=1e9),
        clock=clock, check=lambda cell, values: seen.append((cell, dict(values))),
    )  # fmt: skip
    forth = [(1, "ours"), (1, "theirs"), (10, "theirs"), (10, "ours")]
    back = [(1, "theirs"), (1, "ours"), (10, "ours"), (10, "theirs")]
    assert clock.ran == forth + back + forth
    assert seen == 3 * [(c, {"ours": ("ours", c), "theirs": ("theirs", c)}) for c in (1, 10)]
    assert turns.seconds == {"ours": [[1] * 3, [10] * 3], "theirs": [[4] * 3, [40] * 3]}
    assert (turns.rounds, turns.typical("ours"), turns.typical("ours", "theirs")) == (3, 5.5, 27.5)
    ratio = turns.ratio(["theirs"], ["ours"])
    assert ratio == Ratio(cells=(4, 4), median=4, quartiles=(4, 4), interval=(4, 4), whole=4, turns=6)


def test_no_round_begins_that_would_not_fit():
    clock = Clock()
    turns = in_turn([1], {"ours": clock.takes("ours", 10)}, Limits(rounds=9, seconds=35), clock=clock)
    assert turns.rounds == 3
    slow = Clock()
    assert in_turn([1], {"ours": slow.takes("ours", 99)}, Limits(rounds=9, seconds=35), clock=slow).rounds == 1


def test_ratios_of_turns():
    theirs, ours = [[2.0, 4.0, 9.0], [10.0, 10.0, 10.0]], [[1.0, 1.0, 1.0], [1.0, 2.0, 5.0]]
    ratio = Ratio.between(theirs, ours)
    flat = [2, 4, 9, 10, 5, 2]
    assert ratio.cells == (4, 5)
    assert ratio.median == statistics.median(flat) == 4.5
    assert ratio.quartiles == (2.5, 8.0)
    assert ratio.whole == pytest.approx(45 / 11)
    low, high = ratio.interval
    assert 2 <= low < 4.5 < high <= 10
    turns = Turns({"a": [[1.0]], "b": [[2.0]], "c": [[6.0]]})
    assert turns.ratio(["c", "b"], ["a"]).median == 8
    spent = in_turn([1], {"ours": lambda cell: sum(range(300_000))}, Limits(rounds=2)).busy
    assert min(spent.of("ours")[0]) > 0


def test_the_time_of_collections_can_be_left_out():
    def collects(cell):
        time.sleep(0.01)
        gc.collect()

    gc.disable()  # so that every collection was asked for
    try:
        turns = in_turn([1], {"ours": lambda cell: time.sleep(0.01), "theirs": collects}, Limits(rounds=2))
    finally:
        gc.enable()
    assert turns.collecting["ours"] == [[0.0, 0.0]]
    theirs = zip(turns.seconds["theirs"][0], turns.collecting["theirs"][0], strict=True)
    for (spent, garbage), left in zip(theirs, turns.without_collections.of("theirs")[0], strict=True):
        assert spent > garbage > 0
        assert left == spent - garbage >= 0.01
    assert turns.without_collections.seconds["ours"] == turns.seconds["ours"]


def test_the_interval_knows_that_turns_of_a_cell_belong_together():
    """With cells that differ, and turns that do not, more turns bring no certainty."""
    few = Ratio.between([[c] * 2 for c in (1.0, 2, 3, 4, 5)], [[1.0] * 2] * 5)
    many = Ratio.between([[c] * 40 for c in (1.0, 2, 3, 4, 5)], [[1.0] * 40] * 5)
    assert many.interval == few.interval
    assert few.interval[1] - few.interval[0] >= 2


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    with quiet(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), quiet(before + 1):
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before


LINES = [
    Line("a | b", "1 s", "5 s", Ratio((5.0,), 5.0, (4.0, 6.0), (4.5, 5.5), 5.1, 3), mark=5.0),
    Line("slow", "1 s", "2 s", Ratio((2.0,), 2.0, (1.0, 1234.5), (1.5, 2.5), 2.1, 3), mark=5.0),
    Line("memory", "10 MB", limit="<= 1.05 x", within=False),
    Line("a time", seconds(0.0123)),
]


def test_the_table_says_which_marks_were_reached():
    rows = [line.split("  ") for line in table(LINES)[2:]]
    assert [line.reached for line in LINES] == [True, False, False, None]
    assert [row[-1].strip() for row in rows[:3]] == ["yes", "NO", "NO"]
    assert rows[3][-1].strip() == "12.3 ms"
    assert "1.00 to 1,234" in table(LINES)[3]
    assert LINES[0].sentence() == (
        "a | b: ours 1 s, theirs 5 s, ratio 5.00, turns 3, quartiles 4.00 to 6.00, 95 % of the median 4.50 to 5.50, "
        "all seconds 5.10, mark >= 5, reached yes"
    )
    once = Line("once", "1 s", "2 s", Ratio((2.0,), 2.0, (2.0, 2.0), (2.0, 2.0), 2.0), mark=5.0)
    assert once.texts()[3:8] == ("2.00", "1", "", "", "2.00")  # a single turn has no spread
    assert [seconds(s) for s in (1234.5, 1.5, 2e-5)] == ["1,234 s", "1.50 s", "0.02 ms"]


def test_results_are_written_between_the_marks_of_a_page(tmp_path):
    page, alone, plain = tmp_path / "page.md", tmp_path / "alone.md", tmp_path / "lines.json"
    page.write_text(f"# Speed\n{BEGIN}\nold\n{END}\nend\n")
    for path in (page, alone, plain, page):
        write(path, LINES, ["here"])
    body = markdown(LINES, ["here"])
    assert page.read_text() == f"# Speed\n{BEGIN}\n{body}{END}\nend\n"
    assert alone.read_text() == body
    assert "| a \\| b | 1 s | 5 s | 5.00 | 3 | 4.00 to 6.00 | 4.50 to 5.50 | 5.10 | >= 5 | yes |" in body
    found = json.loads(plain.read_text())
    assert [line["reached"] for line in found["lines"]] == [True, False, False, None]
    assert found["lines"][0]["ratio"]["median"] == 5.0


@pytest.mark.parametrize("late", [0.1, 0.5, 1.3])
@pytest.mark.parametrize("cells", [8, 9])
def test_the_steady_rate_counts_no_work_in_flight(late, cells):
    """Two workers that take 2 s a cell, the second of which begins later: together a cell a second."""
    moments = sorted([2.0 * n for n in range(1, 9)] + [late + 2.0 * n for n in range(1, 9)])[:cells]
    assert scaling.steady([(moment, n + 1) for n, moment in enumerate(moments)], 2) == pytest.approx(1.0)


def test_the_steady_rate_of_one_worker_leaves_its_start_out():
    assert scaling.steady([(10.0, 1), (12.0, 2), (14.0, 3), (16.0, 4)], 1) == 0.5
    with pytest.raises(ValueError, match="too few"):
        scaling.steady([(10.0, 1), (12.0, 2)], 2)


def test_the_cells_for_scaling_cost_the_same():
    chosen = scaling.job(90).architectures
    assert len({a.id for a in chosen}) == 90


def test_memory_is_that_of_this_process():
    program = "print(flush=True); input()"
    held = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert held.stdout is not None
        held.stdout.readline()  # until then it may not be Python yet
        assert held.pid in children()
        assert 1e6 < peak(held.pid) < peak()
    finally:
        held.communicate(b"\n")
    assert peak(held.pid) == 0


@pytest.mark.slow
def test_scoring_in_turn_as_a_program():
    """One cell, once: the collector walks over no more than in a process with PyTorch alone."""
    if find_spec("alethiometer") is None:
        pytest.skip("alethiometer is not installed")
    program = Path(__file__).with_name("scoring_in_turn.py")
    done = subprocess.run([sys.executable, str(program), "1", "1", "1", "60"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    turns = Turns(**found["turns"])
    assert turns.rounds == len(found["cells"]) == 1
    assert all(turns.collecting[name][0][0] > 0 for name in ("loop 12", "loop grasp", "alethiometer"))
    assert turns.ratio(("loop 12",), ("zcbench 12",)).median > 1
    assert found["alive"] <= alive_with_pytorch_alone()
