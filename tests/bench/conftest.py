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

CELLS, ROUNDS, SECONDS = 16, 3, 320.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of ``pytest tests/bench``; where this folder is found only while collecting, their defaults hold."""
    group = parser.getgroup("zcbench benchmarks")
    group.addoption("--bench-summary", type=Path, action="append", default=[], metavar="FILE",
                    help="also write the table, as Markdown or (.json) as JSON; may be given twice")  # fmt: skip
    group.addoption("--bench-cells", type=int, default=CELLS, metavar="N",
                    help=f"cells that scoring is timed on (default {CELLS})")  # fmt: skip
    group.addoption("--bench-rounds", type=int, default=ROUNDS, metavar="N",
                    help=f"turns on every cell at most (default {ROUNDS})")  # fmt: skip
    group.addoption("--bench-seconds", type=float, default=SECONDS, metavar="S",
                    help=f"no turn begins once a comparison has taken so long (default {SECONDS:g})")  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []
    config.stash[LOAD] = os.getloadavg()


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Limits:
    """When a comparison stops."""
    option = request.config.getoption
    return Limits(option("--bench-rounds", ROUNDS), option("--bench-seconds", SECONDS))


@pytest.fixture
def number_of_cells(request: pytest.FixtureRequest) -> int:
    """Cells that scoring is timed on."""
    return int(request.config.getoption("--bench-cells", CELLS))


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[Line], None]:
    """Print a line now, and once more in the table at the end."""

    def keep(line: Line) -> None:
        request.config.stash[LINES].append(line)
        print(f"\n{line.sentence()}")

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[LINES]
    if not lines:
        return
    where = here(config.stash[LOAD])
    terminalreporter.section("benchmarks: how many times as long the other side takes")
    for text in (*where, "", *table(lines)):
        terminalreporter.write_line(text)
    for path in config.getoption("--bench-summary", []):
        write(path, lines, where)
        terminalreporter.write_line(f"written to {path}")
