"""Options of the benchmarks, and the table at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.paired import Limits
from bench.summary import Line, here, table, write

LINES: pytest.StashKey[list[Line]] = pytest.StashKey()
LOAD: pytest.StashKey[tuple[float, float, float]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("zcbench benchmarks")
    group.addoption("--bench-summary", type=Path, action="append", default=[], metavar="FILE",
                    help="also write the table, as Markdown or (.json) as JSON; may be given twice")  # fmt: skip
    group.addoption("--bench-cells", type=int, default=8, help="cells that scoring is timed on (default 8)")
    group.addoption("--bench-rounds", type=int, default=3, help="turns on every cell at most (default 3)")
    group.addoption("--bench-seconds", type=float, default=130.0, metavar="S",
                    help="no turn begins once a comparison has taken so long (default 130)")  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []
    config.stash[LOAD] = os.getloadavg()


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Limits:
    """When a comparison stops."""
    return Limits(request.config.getoption("--bench-rounds"), request.config.getoption("--bench-seconds"))


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[Line], None]:
    """Print a line now, and once more in the table at the end."""

    def keep(line: Line) -> None:
        request.config.stash[LINES].append(line)
        print("\n".join(["", *table([line])]))

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[LINES]
    if not lines:
        return
    where = here(config.stash[LOAD])
    terminalreporter.section("benchmarks: how many times as long the other side takes")
    for text in (*where, "", *table(lines)):
        terminalreporter.write_line(text)
    for path in config.getoption("--bench-summary"):
        write(path, lines, where)
        terminalreporter.write_line(f"written to {path}")
