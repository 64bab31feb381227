"""The pytest plug-in in the suites of users: it does nothing unasked, and gates once a session when asked."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from verbs import command

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.gate import suite_scoring
from zcbench.harness.gate.once import Once
from zcbench.harness.gate.result import GateResult
from zcbench.harness.gate.suite import Asked
from zcbench.harness.registry import exclude

PLUGIN = "zcbench.harness.gate.pytest_plugin"
pytest_plugins = ["pytester"]

METRIC = """
import os

def counted(network, inputs, targets):
    if os.environ.get("COUNTED"):
        with open(os.environ["COUNTED"], "a") as file:
            file.write("scored\\n")
    return float(sum(p.numel() for p in network.parameters()))

def wide(network, inputs, targets):
    return float(sum(p.shape[0] for p in network.parameters()))

counted.version = 1
"""
SIGN = ("return float(sum(p.numel()", "return -float(sum(p.numel()")
ARCHITECTURES = 14

SUITE = """
import pytest

@pytest.mark.metric_quality("counted")
def test_counted():
    pass

@pytest.mark.metric_quality("wide", fail_on="spearman < -2", confidence=0.9)
def test_wide(metric_findings):
    assert {check.metric for check in metric_findings} == {"wide"}
    assert {str(check.status) for check in metric_findings} == {"pass"}

def test_own_judgement(metric_findings):
    assert {check.metric for check in metric_findings} == {"counted", "wide"}

def test_plain():
    assert True
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a metric file and its baseline."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "mine.py").write_text(METRIC)
    code = command(
        "gate", "--record", "--baseline", str(folder / "reference.json"), "--include-path", str(folder / "mine.py"),
        "--metrics", "counted,wide", "--sample", str(ARCHITECTURES), "--dataset", "digits", "--resolution", "8",
        "--batch-size", "4", "--workers", "1", "--source", "analognasbench",
    )  # fmt: skip
    exclude(folder / "mine.py")
    assert code == 0
    return folder


@pytest.fixture
def suite(recorded: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A user's suite beside a baseline."""
    for name in ("mine.py", "reference.json", "reference.scores.parquet"):
        (pytester.path / name).write_bytes((recorded / name).read_bytes())
    pytester.makepyfile(test_own=SUITE)
    monkeypatch.setenv("COUNTED", str(pytester.path / "scored.txt"))
    return pytester


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge equal metrics by equal rules once for all tests of this file: the result is the same."""
    judge = suite_scoring.gated

    def gated(baseline: Path, include: tuple[Path, ...], asked: Asked, *, store: Path) -> GateResult:
        key = (include[0].read_text(), asked)
        if key not in JUDGED:
            JUDGED[key] = judge(baseline, include, asked, store=store)
        return JUDGED[key]

    monkeypatch.setattr(suite_scoring, "gated", gated)


JUDGED: dict[object, GateResult] = {}
INSTALLED = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))
LOADED = () if INSTALLED else ("-p", PLUGIN)
STRICT = (*LOADED, "-W", "error", "--strict-markers", "-p", "no:cacheprovider")


def run(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in this process."""
    try:
        return suite.runpytest_inprocess(*STRICT, *arguments)
    finally:
        exclude(suite.path / "mine.py")


def gate(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest with the baseline; costs are left out of it, because the machine that runs this may be busy."""
    given = ("--zcbench-baseline", "reference.json", "--zcbench-include-path", "mine.py")
    return run(suite, *given, "--zcbench-max-cost-ratio", "1000", *arguments)


def scored(suite: pytest.Pytester) -> int:
    file = suite.path / "scored.txt"
    return file.read_text().count("scored") if file.exists() else 0


def test_importing_it_imports_nothing_heavy() -> None:
    program = (
        f"import pytest, sys; before = set(sys.modules); import {PLUGIN}\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(n for n in new if n not in sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['zcbench']"


def test_a_suite_that_does_not_use_it_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_heavy="""
        import sys
        def test_nothing_was_imported():
            assert not {"torch", "pandas", "numpy", "scipy"} & set(sys.modules)
    """)
    done = pytester.runpytest_subprocess(*LOADED, "-W", "error", "-v")
    done.assert_outcomes(passed=1)
    assert "quality" not in done.stdout.str()


def test_without_a_baseline_marked_tests_are_skipped_with_a_reason(suite: pytest.Pytester) -> None:
    done = run(suite, "-rs")
    done.assert_outcomes(passed=1, skipped=3)
    done.stdout.fnmatch_lines(["*metric_quality: there is nothing to compare with, give --zcbench-baseline FILE"])
    assert scored(suite) == 0


def test_an_unchanged_metric_passes_and_is_scored_once(suite: pytest.Pytester) -> None:
    done = gate(suite, "-v")
    done.assert_outcomes(passed=4 + 8, skipped=1)
    for name in ("correlation[[]nasbench201-cifar10-counted]", "value[[]nasbench201-wide]",
                 "outcome[[]nasbench201-counted]", "cost[[]nasbench201-wide]"):  # fmt: skip
        done.stdout.fnmatch_lines([f"*reference.json::{name} PASSED*"])
    assert "reference.json::data SKIPPED (nothing of this was compared)" in done.stdout.str()
    summary = ("the gate passed: of 10 checks, 10 passed (fails for spearman < -0.02, *", "  - counted: *",
               "the gate passed: of 10 checks, 10 passed (fails for spearman < -2, at 90 % confidence *")  # fmt: skip
    done.stdout.fnmatch_lines(["*= metric quality =*", summary[0], summary[1], "*", summary[2]])
    assert 10 < scored(suite) <= ARCHITECTURES


@pytest.mark.usefixtures("known")
def test_a_planted_sign_fails_its_tests(suite: pytest.Pytester) -> None:
    (suite.path / "mine.py").write_text(METRIC.replace(*SIGN))
    done = gate(suite, "--tb=short", "-k", "not test_wide")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.assert_outcomes(passed=2 + 6, failed=1 + 2, skipped=1, deselected=1)
    done.stdout.fnmatch_lines([
        "FAIL  value nasbench201 counted: 1? of 14 scores changed*",
        "*FAIL  correlation nasbench201 cifar10 counted spearman: *a loss beyond the margin*",
        "the gate failed: of 10 checks, 2 failed, 8 passed *",
        "FAILED test_own.py::test_counted*",
    ])  # fmt: skip
    assert "Traceback" not in done.stdout.str()


@pytest.mark.usefixtures("known")
def test_only_what_is_chosen_runs(suite: pytest.Pytester) -> None:
    assert "reference.json::cost[nasbench201-counted]" in gate(suite, "--collect-only", "-q").stdout.str()
    done = gate(suite, "-k", "plain")
    done.assert_outcomes(passed=1, deselected=12)
    done.stdout.fnmatch_lines(["collected 13 items / 12 deselected / 1 selected"])
    assert scored(suite) == 0
    chosen = gate(suite, "-m", "metric_quality", "-k", "wide and not cost and not test_own")
    chosen.assert_outcomes(passed=3, deselected=10)


@pytest.mark.usefixtures("known")
def test_the_options_say_what_fails(suite: pytest.Pytester) -> None:
    (suite.path / "mine.py").write_text(METRIC.replace(*SIGN).replace("version = 1", "version = 2"))
    asked = ("--zcbench-fail-on", "kendall < -0.1", "--zcbench-confidence", "0.8")
    done = gate(suite, "-k", "counted and not test_own", "-rs", *asked)
    done.assert_outcomes(failed=1, passed=2, skipped=1, deselected=9)
    done.stdout.fnmatch_lines([
        "FAIL  correlation nasbench201 cifar10 counted kendall: *",
        "*fails for kendall < -0.1, at 80 % confidence of each check*",
        "SKIPPED * as version 2 may; version 1 -> 2: *",
    ])  # fmt: skip


@pytest.mark.usefixtures("known")
def test_a_metric_that_is_gone_fails_and_says_what_to_do(suite: pytest.Pytester) -> None:
    (suite.path / "mine.py").write_text(METRIC.replace("def wide", "def _wide"))
    done = gate(suite, "-k", "wide and not test_own")
    done.assert_outcomes(failed=1, skipped=3, deselected=9)
    done.stdout.fnmatch_lines(["MISSING  version nasbench201 wide: the metric is gone: *"])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--zcbench-baseline", "none.json"), "there is no baseline *none.json: make it with zcbench gate --record*"),
        (("--zcbench-baseline", "mine.py"), "*the baseline *mine.py is not JSON*"),
        (("--zcbench-baseline", "reference.json", "--zcbench-fail-on", "speerman < 0"), "*Did you mean*spearman*"),
        (("--zcbench-baseline", "reference.json", "--zcbench-confidence", "2"), "*lies between 0.5 and 1*"),
        (("--zcbench-baseline", "reference.json", "--zcbench-include-path", "no.py"), "there is no file*no.py*"),
        (("--zcbench-baseline", "reference.json", "--zcbench-max-cost-ratio", "0.5"), "*is at least 1, not 0.5"),
        (("--zcbench-fail-on", "spearman < 0"), "--zcbench-fail-on does nothing without --zcbench-baseline FILE"),
    ],
)
def test_wrong_usage_is_one_line(suite: pytest.Pytester, arguments: tuple[str, ...], line: str) -> None:
    done = run(suite, *arguments)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    told = [text for text in done.stderr.lines if text.strip()]
    assert len(told) == 1, told
    done.stderr.fnmatch_lines([f"ERROR: *{line}"])


def test_a_marker_that_makes_no_sense_fails_its_test_in_one_line(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_own="""
        import pytest

        @pytest.mark.metric_quality("count")
        def test_name(): pass

        @pytest.mark.metric_quality(fail_on=-0.02)
        def test_rule(): pass

        @pytest.mark.metric_quality(fails="spearman < 0")
        def test_argument(): pass

        @pytest.mark.metric_quality(fail_on="spearman > 0")
        def test_reading(): pass
    """)
    done = gate(suite, "-k", "test_own")
    done.assert_outcomes(failed=4, deselected=9)
    done.stdout.fnmatch_lines([
        'metric_quality: unknown metric in the baseline "count". Did you mean "counted"?',
        'metric_quality: fail_on is a text like "spearman < -0.02" or a list of such texts, not -0.02',
        'metric_quality: unknown argument "fails".*fail_on*',
        'metric_quality: cannot read "spearman > 0"*',
    ])  # fmt: skip
    assert scored(suite) == 0


def test_a_metric_file_that_is_broken_is_one_line_for_each_test(suite: pytest.Pytester) -> None:
    (suite.path / "mine.py").write_text("def counted(:\n")
    done = gate(suite, "-k", "value")
    done.assert_outcomes(failed=2, deselected=11)
    done.stdout.fnmatch_lines(["*mine.py cannot be imported: line 1: SyntaxError: *"])
    assert "Traceback" not in done.stdout.str()


@pytest.mark.usefixtures("known")
def test_a_suite_of_nothing_else_runs_the_gate(suite: pytest.Pytester) -> None:
    (suite.path / "test_own.py").unlink()
    gate(suite, "-k", "not cost").assert_outcomes(passed=6, skipped=1, deselected=2)


def test_scores_are_made_once_for_all_workers_of_xdist(suite: pytest.Pytester) -> None:
    done = gate(suite, "-n", "2", "-k", "not test_wide")
    done.assert_outcomes(passed=11, skipped=1)
    done.stdout.fnmatch_lines(["2 workers *", "the gate passed: of 10 checks, 10 passed (*"])
    assert 10 < scored(suite) <= ARCHITECTURES


def test_a_value_is_made_once_and_an_error_is_kept(tmp_path: Path) -> None:
    once, calls = Once(tmp_path), []

    def make(value: object) -> object:
        calls.append(value)
        if isinstance(value, Exception):
            raise value
        return value

    assert once.made() == []
    assert [Once(tmp_path).get("a", lambda: make(1)) for _ in range(3)] == [1, 1, 1]
    for _ in range(2):
        with pytest.raises(ZcbenchError, match="no such thing"):
            once.get("b", lambda: make(ZcbenchError("no such thing")))
    with pytest.raises(ZeroDivisionError):
        once.get("c", lambda: make(ZeroDivisionError()))
    assert once.get("c", lambda: make(3)) == 3
    assert len(calls) == 4
    assert [str(one) for one in once.made()] == ["1", "no such thing", "3"]
