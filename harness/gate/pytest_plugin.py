"""The gate inside of a user's own suite: ``pytest --zcbench-baseline reference.json`` and ``metric_quality``.

Importing it imports pytest and the standard library only. What scores and compares is imported when the option is
given; a suite that does not use the plug-in pays for nothing else.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.gate.result import Check, Status
from zcbench.harness.gate.suite import Asked, Group, Suite
from zcbench.harness.gate.text import check_lines
from zcbench.harness.gate.wording import visible

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

MARKER = "metric_quality"
GIVEN = "zcbench_session"
"""Key under which a worker of pytest-xdist is told what the main process has found out."""

NO_BASELINE = f"{MARKER}: there is nothing to compare with, give --zcbench-baseline FILE"
SESSION: pytest.StashKey[Suite] = pytest.StashKey()
FOLDER: pytest.StashKey[Path] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("zcbench", "quality of training-free NAS metrics")
    group.addoption(
        "--zcbench-baseline", metavar="FILE", help="Hold the metrics of this baseline against it: adds tests to the "
        "session, and makes those marked metric_quality run. zcbench gate --record writes it.",
    )  # fmt: skip
    group.addoption(
        "--zcbench-include-path", metavar="PATH", action="append", default=[],
        help="A file or folder with metrics of the baseline; may be given several times.",
    )  # fmt: skip
    group.addoption(
        "--zcbench-fail-on", metavar="RULE", action="append", default=[],
        help='Which loss of correlation fails: "spearman < -0.02"; may be given several times.',
    )  # fmt: skip
    group.addoption("--zcbench-confidence", metavar="LEVEL", type=float, help="Level of the one-sided limits.")
    group.addoption(
        "--zcbench-max-cost-ratio", metavar="R", type=float, help="Largest growth of the cost of a score; where other "
        "tests run at the same time, costs are known less well.",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; where a baseline is given, check it and all that goes with it.

    Raises:
        pytest.UsageError: for a baseline, rule or path that cannot be used.
    """
    config.addinivalue_line(
        "markers", f"{MARKER}(*metrics, fail_on=None, confidence=None): fail where the quality of these metrics, or of "
        "all if none is named, fell below that of --zcbench-baseline"
    )  # fmt: skip
    given: dict[str, Any] | None = getattr(config, "workerinput", {}).get(GIVEN)
    if given is not None:
        config.stash[SESSION] = Suite.from_plain(given)
        return
    baseline: str | None = config.getoption("--zcbench-baseline")
    others = {name: config.getoption(f"--zcbench-{name}") for name in
              ("include-path", "fail-on", "confidence", "max-cost-ratio")}  # fmt: skip
    if baseline is None:
        for name, value in others.items():
            if value not in (None, []):
                raise pytest.UsageError(f"--zcbench-{name} does nothing without --zcbench-baseline FILE")
        return
    config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="zcbench-pytest-"))
    paths, rules, *numbers = others.values()
    try:
        config.stash[SESSION] = Suite.open(
            Path(baseline), tuple(map(Path, paths)), Asked(tuple(rules), *numbers), config.stash[FOLDER]
        )
    except ZcbenchError as error:
        raise pytest.UsageError(f"zcbench: {error}") from error


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the session keeps its results, and what there is to check."""
    if SESSION in node.config.stash:
        node.workerinput[GIVEN] = node.config.stash[SESSION].to_plain()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder of the session."""
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add one test for each group of checks."""
    if SESSION in config.stash:
        found = config.stash[SESSION]
        parent = _Checks.from_parent(session, name=found.baseline.name, nodeid=found.baseline.name)
        items.extend(session.genitems(parent))  # reports what was collected, which the counts of pytest rest on


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a marked test where there is no baseline."""
    if SESSION not in item.config.stash and item.get_closest_marker(MARKER) is not None:
        pytest.skip(NO_BASELINE)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Let a marked test fail before its body where the quality of its metrics fell."""
    if isinstance(item, _Item) or SESSION not in item.config.stash:
        return
    for marker in item.iter_markers(MARKER):
        checks = _marked(item, marker)
        _report(item, checks)
        if failure := _failure(checks):
            pytest.fail(failure, pytrace=False)


@pytest.fixture
def metric_findings(request: pytest.FixtureRequest) -> tuple[Check, ...]:
    """What the gate found: the checks of the metrics that the test's marker names, without a marker all of them.

    Each has ``kind``, ``status``, ``metric``, ``benchmark``, ``target``, ``message``, ``numbers`` and ``details``.
    Skips the test where no baseline is given.
    """
    if SESSION not in request.config.stash:
        pytest.skip(NO_BASELINE)
    marker = request.node.get_closest_marker(MARKER)
    return _marked(request.node, marker or pytest.Mark(MARKER, (), {}, _ispytest=True))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what came of it, and what losses can be seen."""
    lines = config.stash[SESSION].summary() if SESSION in config.stash and FOLDER in config.stash else []
    if lines:
        terminalreporter.section("metric quality")
        for line in lines:
            terminalreporter.line(line)


class _Checks(pytest.Collector):
    """The tests that a baseline adds."""

    def collect(self) -> Iterator[_Item]:
        """Make one test a group of checks."""
        for group in self.config.stash[SESSION].groups():
            yield _Item.from_parent(self, name=visible(group.name), group=group)


class _Item(pytest.Item):
    """One group of checks."""

    def __init__(self, *, group: Group, **given: Any) -> None:
        super().__init__(**given)
        self.group = group
        self.add_marker(MARKER)
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))  # the first one waits for all scores

    def runtest(self) -> None:
        """Hold the metrics against the baseline, once for all tests, and judge this group."""
        session = self.config.stash[SESSION]
        checks = session.of(self.group)
        _report(self, checks)
        if failure := _failure(checks):
            raise _QualityLostError(failure)
        if not any(check.status is Status.PASS for check in checks):
            pytest.skip("; ".join(visible(check.message) for check in checks) or "nothing of this was compared")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        """Show what was found, without a traceback."""
        if isinstance(excinfo.value, _QualityLostError | ZcbenchError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the baseline as the place of the test."""
        return self.config.stash[SESSION].baseline, None, self.name


class _QualityLostError(Exception):
    """A check failed or could not be made; the text says which."""


def _marked(item: pytest.Item, marker: pytest.Mark) -> tuple[Check, ...]:
    """Return the checks that a marker asks for; a marker that makes no sense fails the test in one line."""
    session = item.config.stash[SESSION]
    try:
        return session.of_metrics(marker.args, Asked.of_marker(marker.kwargs, session.asked))
    except ZcbenchError as error:
        why = str(error)
    pytest.fail(f"{MARKER}: {why}", pytrace=False)  # outside of the handler, or pytest shows both errors


def _failure(checks: tuple[Check, ...]) -> str:
    """Return what failed or could not be made; empty where nothing did."""
    bad = [check for check in checks if check.status in (Status.FAIL, Status.MISSING)]
    return "\n".join(line for check in bad for line in check_lines(check))


def _report(item: pytest.Item, checks: tuple[Check, ...]) -> None:
    """Keep what was found with the test: pytest shows it for failures, and with -rP for all."""
    good = [check for check in checks if check.status in (Status.PASS, Status.NOTE)]
    if good:
        item.add_report_section("call", "metric quality", "\n".join(line for c in good for line in check_lines(c)))
