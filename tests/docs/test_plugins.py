"""docs/plugins.md does what it says: every command and every piece of code in it is run."""

import os
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from verbs import command

from zcbench.datasets import registry as of_benchmarks
from zcbench.harness import passes
from zcbench.harness import registry as of_metrics
from zcbench.harness.checking.contracts import unchanged
from zcbench.harness.checking.subjects import CHAIN
from zcbench.harness.checking.trial import Trial
from zcbench.harness.metric_file import metrics_in
from zcbench.harness.passes.spec import Differentiated, Procedure, Quantity, Recorded, Static
from zcbench.reports import plugins

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
RECIPE = ["--limit", "6", "--resolution", "8", "--batch-size", "8", "--workers", "1"]
QUICK = {
    "compare": [*RECIPE, "--against", "snip,params,flops", "--resamples", "20", "--stability", "2"], "score": RECIPE,
}  # fmt: skip
"""What makes a command take seconds."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the page shows, each under the name in its first line."""
    made = tmp_path_factory.mktemp("plugins")
    for code in blocks("python"):
        (made / code.partition("\n")[0].removeprefix("# ")).write_text(code)
    return made


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    return folder


def test_the_first_metric(here: Path, small_checks: None, capsys: pytest.CaptureFixture[str]) -> None:
    """From ``new`` to a verdict page; the metric's own tests are called here, so on two small networks as well."""
    new, own_test, check, compare = COMMANDS[:4]
    assert command(*shlex.split(new)[1:]) == 0
    (path,) = after_pytest(own_test)
    tests = {k: v for k, v in runpy.run_path(path).items() if k.startswith("test_")}
    assert len(tests) == 4
    for test in tests.values():
        test()
    assert command(*shlex.split(check)[1:]) == 0
    assert "my_metric: all 10 contracts hold" in capsys.readouterr().out
    assert command(*shlex.split(compare)[1:], *QUICK["compare"]) == 0
    assert "my_metric (version 1)" in capsys.readouterr().out
    assert (here / "zcbench-compare" / "index.html").stat().st_size > 10_000


def after_pytest(line: str) -> list[str]:
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "pytest"]
    return words[3:]


@pytest.mark.slow
def test_the_metrics_own_test_as_the_page_runs_it(here: Path) -> None:
    """In a process of its own, on all networks."""
    if not (here / "my_metric.py").exists():
        assert command("new", "metric", "my_metric") == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *after_pytest(COMMANDS[1])], cwd=here, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # as all tests here: two threads only wait for each other
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


@pytest.mark.slow
def test_the_whole_check_tries_what_the_page_says(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On all networks, and with a worker process."""
    if not (here / "my_metric.py").exists():
        assert command("new", "metric", "my_metric") == 0
    capsys.readouterr()
    assert command(*shlex.split(COMMANDS[2])[1:]) == 0
    contracts = re.findall(r"^  holds       (.*)$", capsys.readouterr().out, flags=re.MULTILINE)
    table = TEXT.split("| contract |")[1].split("\n\n")[0]
    assert re.findall(r"^\| ([^|]*?) \|", table, flags=re.MULTILINE) == contracts


@pytest.mark.parametrize("line", [line for line in COMMANDS[4:] if line.startswith("zcbench ")])
def test_a_command(line: str, here: Path, small_checks: None) -> None:
    if not (here / "my_metric.py").exists():
        assert command("new", "metric", "my_metric") == 0
    arguments = shlex.split(line)[1:]
    assert command(*arguments, *QUICK.get(arguments[0], [])) == 0


def test_every_command_is_run() -> None:
    assert [line for line in COMMANDS if not line.startswith("zcbench ")] == [COMMANDS[1]]
    assert {shlex.split(line)[1] for line in COMMANDS} >= {"new", "check", "compare", "score", "plan", "list"}


def test_the_workflow_is_a_workflow(here: Path, tmp_path: Path) -> None:
    assert command("new", "workflow", "--out", str(tmp_path / "made")) == 0
    text = (tmp_path / "made" / "metric-quality.yml").read_text()
    assert {"on:", "jobs:"} <= set(text.splitlines())
    assert re.search(r"^ +(run: )?zcbench gate --baseline ", text, flags=re.MULTILINE)


def test_the_fault_that_is_shown(tmp_path: Path) -> None:
    """The text is what comes out where the template's metric writes into a gradient."""
    assert command("new", "metric", "my_metric", "--out", str(tmp_path)) == 0
    path = tmp_path / "my_metric.py"
    code = path.read_text()
    path.write_text(code.replace("(w * gradients[name]).abs()", "(w.abs() * gradients[name].abs_())"))
    assert path.read_text() != code
    finding = unchanged(Trial(metrics_in(path)[0], 16), (CHAIN,))
    shown = " ".join(blocks("text")[0].split())
    assert finding.holds is False
    for part in (finding.contract, finding.done, finding.came_out, finding.expected, finding.cause, finding.mend):
        assert part in shown


def quantities() -> Iterator[str]:
    """Every quantity that comes with zcbench."""
    for module in pkgutil.iter_modules(passes.__path__):
        for value in vars(import_module(f"{passes.__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Quantity) and value.__module__.startswith("zcbench."):
                yield value.__name__


def test_every_quantity_is_listed_and_no_other() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", TEXT.split("## What can be needed")[1], flags=re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    kinds = {kind.__name__ for kind in (Quantity, Static, Recorded, Differentiated, Procedure)}
    assert sorted(listed) == sorted(set(quantities()) - kinds)


def test_the_package_is_that_of_the_tests() -> None:
    (shown,) = blocks("toml")
    project = tomllib.loads(shown)
    assert shown == (ROOT / "tests" / "plugin_package" / "pyproject.toml").read_text()
    assert set(project["project"]["entry-points"]) == {of_metrics.ENTRY_POINTS, of_benchmarks.GROUP, plugins.GROUP}


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / "docs" / link).is_file(), link
