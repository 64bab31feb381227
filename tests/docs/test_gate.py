"""docs/gate.md: its commands and code are run, its bugs are caught, its numbers are those that come out."""

import json
import re
import shlex
from collections.abc import Iterator
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import pytest
from verbs import command

from zcbench.datasets.nasbench201 import network
from zcbench.harness.commands.gate import command as gate_verb
from zcbench.harness.gate import calibration
from zcbench.harness.registry import exclude

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent.parent
DOC = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
PLANTED = ROOT / "tests" / "harness" / "gate" / "planted"
BUGS = ("sign", "dropped_layer", "dropped_kernels", "detached_gradient")
COSTS_ASIDE = ("--max-cost-ratio", "1000")
"""The machine that runs the tests may be busy, and the page is not about that."""
FEWER = 24
"""Architectures in the quick tests; the slow ones take as many as the page."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOC, flags=re.MULTILINE | re.DOTALL)


LINES = [line for block in blocks("sh") for line in block.splitlines()]
HEALTHY, OWN_SUITE = blocks("python")
(RECORD,) = (line for line in LINES if "--record " in line)
CHECK, FRESH, *OPTIONS = (line for line in LINES if line.startswith("zcbench gate --baseline"))
(PYTEST,) = (line for line in LINES if line.startswith("pytest "))
PLUGIN = "zcbench.harness.gate.pytest_plugin"
LOADED = () if any(entry.value == PLUGIN for entry in entry_points(group="pytest11")) else ("-p", PLUGIN)
STRICT = (*LOADED, "-W", "error", "-p", "no:cacheprovider")


def zcbench(line: str, *more: str) -> int:
    return command(*shlex.split(line)[1:], *more)


def record(folder: Path, *more: str) -> Path:
    (folder / "my_metric.py").write_text(HEALTHY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert zcbench(RECORD, "--workers", "1", *more) == 0
    return folder


def quicken(patch: pytest.MonkeyPatch) -> None:
    """Smaller networks, and a shorter look at the speed of the machine, for the tests that are not slow."""
    patch.setattr(network, "CELLS_PER_STAGE", 1)
    patch.setattr(calibration, "ROUNDS", 2)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        quicken(patch)
        folder = record(tmp_path_factory.mktemp("gate"), "--limit", str(FEWER))
    yield folder
    exclude(folder / "my_metric.py")


@pytest.fixture(scope="module")
def recorded_whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = record(tmp_path_factory.mktemp("whole"))
    yield folder
    exclude(folder / "my_metric.py")


@pytest.fixture
def place(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(recorded)
    quicken(monkeypatch)
    (recorded / "my_metric.py").write_text(HEALTHY)
    return recorded


def planted(bug: str, version: int) -> str:
    text = (PLANTED / f"{bug}.py").read_text()
    assert "version = 1" in text
    return text.replace("version = 1", f"version = {version}")


def found(code: int, *line: str) -> dict[str, Any]:
    """Run the gate, assert its exit code, and return its checks by kind."""
    assert zcbench(*line, *COSTS_ASIDE, "--workers", "1", "--recorded-truth", "--json", "found.json") == code
    document = json.loads(Path("found.json").read_text())
    assert document["exit_code"] == code
    return {check["kind"]: check for check in document["checks"]}


def test_every_line_is_known_to_these_tests() -> None:
    others = set(LINES) - {RECORD, CHECK, FRESH, *OPTIONS, PYTEST}
    assert others == {"zcbench gate --schema", "zcbench new workflow"}
    assert len(OPTIONS) == 4
    assert "@@" not in DOC


def test_the_bugs_are_those_of_the_page_one_line_each() -> None:
    assert (PLANTED / "log_saliency.py").read_text() == HEALTHY
    for diff, bug in zip(blocks("diff"), BUGS, strict=True):
        old, new = diff.splitlines()
        assert (old[0], new[0]) == ("-", "+")
        assert HEALTHY.count(old[1:]) == 1
        assert HEALTHY.replace(old[1:], new[1:]) == (PLANTED / f"{bug}.py").read_text()


def test_the_unchanged_metric_passes_under_all_options(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ("--workers", "1", "--store", "scores.sqlite", *COSTS_ASIDE)
    assert zcbench(CHECK, *store) == 0
    assert f"all {FEWER} scores are equal to the last bit" in capsys.readouterr().out
    for line in OPTIONS:
        assert zcbench(line, *store) == 0, line
    assert json.loads((place / "gate.json").read_text())["exit_code"] == 0
    assert (place / "gate.xml").read_text().startswith("<?xml")
    assert (place / "gate.md").read_text().startswith("## zcbench gate: passed")


def test_the_unchanged_metric_passes_with_fresh_seeds(place: Path) -> None:
    checks = found(0, FRESH)
    assert "value" not in checks
    numbers = checks["correlation"]["numbers"]
    assert numbers["difference"] != 0
    assert numbers["upper"] >= -numbers["margin"]


@pytest.mark.parametrize("bug", ["sign", "dropped_layer", "detached_gradient"])
def test_a_bug_is_caught_by_the_values(place: Path, bug: str) -> None:
    (place / "my_metric.py").write_text(planted(bug, 1))
    checks = found(1, CHECK)
    assert checks["value"]["status"] == "fail"
    assert checks["value"]["numbers"]["changed"] >= FEWER - 2
    assert checks["correlation"]["status"] == ("pass" if bug == "dropped_layer" else "fail")


@pytest.mark.parametrize(("bug", "code"), [("dropped_layer", 0), ("detached_gradient", 1)])
def test_with_the_version_raised_the_correlation_counts(place: Path, bug: str, code: int) -> None:
    (place / "my_metric.py").write_text(planted(bug, 2))
    checks = found(code, CHECK)
    assert checks["value"]["status"] == checks["version"]["status"] == "note"
    assert checks["correlation"]["status"] == ("fail" if code else "pass")


def table() -> dict[str, list[str]]:
    """The rows of the table of bugs, in the order of ``BUGS``."""
    rows = [line.strip("| ").split(" | ") for line in DOC.splitlines() if re.search(r"\| \d+ of \d+ \|", line)]
    assert len(rows) == len(BUGS)
    return dict(zip(BUGS, rows, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_the_table_is_what_comes_out(recorded_whole: Path, bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(recorded_whole)
    _, changed, *printed, same, raised = table()[bug]
    for version, verdict in ((1, same), (2, raised)):
        (recorded_whole / "my_metric.py").write_text(planted(bug, version))
        checks = found(1 if verdict == "fails" else 0, CHECK)
        numbers = checks["correlation"]["numbers"]
        told = [float(text.replace("−", "-")) for text in printed]
        assert [numbers[name] for name in ("then", "now", "upper")] == pytest.approx(told, abs=0.02)
        value = checks["value"]["numbers"]
        assert changed == f"{value['changed']:.0f} of {checks['value']['n']}"
        if bug == "dropped_layer":
            assert value["largest"] < 0.0155
    assert "no score by more than 1.6 %" in re.sub(r"\s+", " ", DOC)


@pytest.mark.slow
def test_the_numbers_of_the_unchanged_metric(recorded_whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(recorded_whole)
    (recorded_whole / "my_metric.py").write_text(HEALTHY)
    assert found(0, CHECK)["correlation"]["numbers"]["now"] == pytest.approx(0.767, abs=0.01)
    fresh = found(0, FRESH)["correlation"]["numbers"]
    assert (fresh["now"], fresh["upper"]) == pytest.approx((0.762, 0.023), abs=0.01)


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert zcbench("zcbench gate --schema") == 0
    assert json.loads(capsys.readouterr().out)["$schema"].startswith("https://json-schema.org")


def test_the_suite_of_the_page_is_collected(recorded: Path, pytester: pytest.Pytester) -> None:
    done = in_suite(recorded, pytester, "--collect-only", "-q")
    assert "reference.json::correlation[nasbench201-cifar10-log_saliency]" in done.stdout.str()
    assert "7 tests collected" in done.stdout.str()


@pytest.mark.slow
def test_the_suite_of_the_page_passes(
    recorded: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    done = in_suite(recorded, pytester, "-k", "not cheap", "--zcbench-max-cost-ratio", "1000")
    done.assert_outcomes(passed=5, skipped=1, deselected=1)


def in_suite(recorded: Path, pytester: pytest.Pytester, *more: str) -> pytest.RunResult:
    for name in ("reference.json", "reference.scores.parquet"):
        (pytester.path / name).write_bytes((recorded / name).read_bytes())
    (pytester.path / "my_metric.py").write_text(HEALTHY)
    pytester.makepyfile(test_own=OWN_SUITE)
    try:
        return pytester.runpytest_inprocess(*STRICT, *shlex.split(PYTEST)[1:], *more)
    finally:
        exclude(pytester.path / "my_metric.py")


Yaml = dict[str, "Yaml"] | list["Yaml"] | str


def yaml(text: str) -> Yaml:
    """Read the part of YAML that a workflow needs: maps, lists, plain and quoted texts, block texts, comments."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert not any("\t" in line for line in lines)
    value, rest = node(lines, 0)
    assert rest == []
    return value


def depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def node(lines: list[str], deep: int) -> tuple[Yaml, list[str]]:
    """Return the map or list whose lines are indented by ``deep``, and the lines behind it."""
    made_list: list[Yaml] = []
    made_map: dict[str, Yaml] = {}
    while lines and depth(lines[0]) == deep:
        if lines[0].lstrip().startswith("- "):
            first = " " * (deep + 2) + lines[0].lstrip()[2:]
            value, lines = node([first, *lines[1:]], deep + 2)
            made_list.append(value)
            continue
        match = re.fullmatch(r"([\w-]+):(?: (.*))?", lines[0].strip())
        assert match is not None, lines[0]
        key, text = match.groups()
        assert key not in made_map
        below = lines[1:]
        inner = next((n for n, line in enumerate(below) if depth(line) <= deep), len(below))
        if text in ("|", ">-"):
            made_map[key] = {"|": "\n", ">-": " "}[text].join(line.strip() for line in below[:inner])
        elif text is None and inner:
            made_map[key], left = node(below[:inner], depth(below[0]))
            assert left == []
        else:
            assert inner == 0, lines[1]
            made_map[key] = re.sub(r'^"(.*)"$', r"\1", text or "")
        lines = below[inner:]
    assert not (made_list and made_map)
    return made_list or made_map, lines


def at(value: Any, *path: str | int) -> Any:
    for key in path:
        value = value[key]
    return value


def test_the_workflow_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert zcbench("zcbench new workflow") == 0
    text = (tmp_path / ".github" / "workflows" / "metric-quality.yml").read_text()
    assert text == resources.files("zcbench.harness").joinpath("templates", "metric-quality.yml").read_text()
    workflow = yaml(text)
    assert set(workflow) == {"name", "on", "permissions", "env", "jobs"}
    assert at(workflow, "permissions") == {"contents": "read"}
    assert "pull_request" in at(workflow, "on")
    steps = at(workflow, "jobs", "gate", "steps")
    assert all(set(step) <= {"name", "uses", "with", "run", "if"} for step in steps)
    assert all(("uses" in step) != ("run" in step) for step in steps)
    assert [step["uses"] for step in steps if "uses" in step] == [
        "actions/checkout@v6", "actions/setup-python@v6", "actions/upload-artifact@v6",
    ]  # fmt: skip
    install, run = (step["run"] for step in steps if "run" in step)
    variables = at(workflow, "env")
    assert set(re.findall(r'"\$(\w+)"', install + run)) == set(variables)
    assert install == 'python -m pip install "$ZCBENCH"'
    kept = at(steps, -1, "with", "path").splitlines()
    assert at(steps, -1, "if") == "${{ !cancelled() }}"
    recording = re.search(r"^# +(zcbench gate --record .*)$", text, flags=re.MULTILINE)
    assert recording is not None
    (tmp_path / variables["METRICS"]).write_text(HEALTHY)
    for line in (re.sub(r"\$(\w+)", lambda name: variables[name.group(1)], run), recording.group(1)):
        arguments = shlex.split(line)
        assert arguments[:2] == ["zcbench", "gate"]
        with gate_verb.make_context("gate", arguments[2:]) as context:  # refuses what is no option
            assert context.params["baseline"] == Path(variables["BASELINE"])
            assert context.params["recording"] == bool(context.params["sample"])
            written = [context.params[name] for name in ("junit_file", "as_json_file")]
            assert written == ([None, None] if context.params["recording"] else [Path(name) for name in kept])
    exclude(tmp_path / variables["METRICS"])


def test_an_option_that_is_none_would_be_found() -> None:
    with pytest.raises(click.UsageError):
        gate_verb.make_context("gate", ["--baseline", "x.json", "--junit-file", "y"])


@pytest.mark.parametrize("wrong", ["a: b\n  c: d", "a: b\na: c", "- x: 1\ny: 2", "\ta: b"])
def test_the_reader_of_yaml_refuses(wrong: str) -> None:
    with pytest.raises(AssertionError):
        yaml(wrong)
