"""The table at the end of a run: one line for every ratio and mark, on the terminal, as Markdown and as JSON."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from bench.paired import Ratio

HEADER = (
    "what", "ours", "theirs", "ratio", "turns", "quartiles", "95 % of the median", "all seconds", "mark", "reached",
)  # fmt: skip
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
"""Where a Markdown file wants the results; without them the whole file is written."""


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        what: what was compared, and on what.
        ours: absolute numbers of zcbench, with units.
        theirs: absolute numbers of the other side.
        ratio: how many times as long (or as much) the other side takes; None for a line of absolute numbers.
        mark: what the ratio is to reach; None: none was set.
        limit: a mark for an absolute number, in words.
        within: whether that limit was kept.
    """

    what: str
    ours: str
    theirs: str = ""
    ratio: Ratio | None = None
    mark: float | None = None
    limit: str = ""
    within: bool | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the median (or the number) reaches its mark; None where there is no mark."""
        if self.ratio is not None and self.mark is not None:
            return self.ratio.median >= self.mark
        return self.within

    def texts(self) -> tuple[str, ...]:
        """The cells of the table."""
        ratio = self.ratio
        spread = ratio is not None and ratio.turns > 1
        return (
            self.what, self.ours, self.theirs,
            f"{_short(ratio.median)}" if ratio else "",
            str(ratio.turns) if ratio else "",
            f"{_short(ratio.quartiles[0])} to {_short(ratio.quartiles[1])}" if ratio and spread else "",
            f"{_short(ratio.interval[0])} to {_short(ratio.interval[1])}" if ratio and spread else "",
            f"{_short(ratio.whole)}" if ratio else "",
            f">= {self.mark:.4g}" if self.mark is not None else self.limit,
            {True: "yes", False: "NO", None: ""}[self.reached],
        )  # fmt: skip


    def sentence(self) -> str:
        """The same in one line, for while the benchmarks run."""
        what, *rest = self.texts()
        return f"{what}: " + ", ".join(f"{name} {text}" for name, text in zip(HEADER[1:], rest, strict=True) if text)


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2f}"


def seconds(number: float) -> str:
    """A time, in the unit that reads best."""
    if number >= 100:
        return f"{number:,.0f} s"
    return f"{number:.2f} s" if number >= 1 else f"{number * 1000:.3g} ms"


def table(lines: Sequence[Line]) -> list[str]:
    """The table in columns, for a terminal."""
    rows = [HEADER, *(line.texts() for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    shown = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [shown[0], "  ".join("-" * width for width in widths), *shown[1:]]


def markdown(lines: Sequence[Line], where: Sequence[str]) -> str:
    """The same as Markdown, with the machine above."""
    rows = [HEADER, tuple("---" for _ in HEADER), *(line.texts() for line in lines)]
    body = "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows)
    return "\n".join(where) + "\n\n" + body + "\n"


def write(path: Path, lines: Sequence[Line], where: Sequence[str]) -> None:
    """Write the results: as JSON where the name ends so, else as Markdown, between the marks if the file has them."""
    if path.suffix == ".json":
        content = {"where": list(where), "lines": [asdict(line) | {"reached": line.reached} for line in lines]}
        path.write_text(json.dumps(content, indent=1) + "\n")
        return
    text = markdown(lines, where)
    old = path.read_text() if path.exists() else ""
    if BEGIN in old and END in old:
        before, rest = old.split(BEGIN, 1)
        text = f"{before}{BEGIN}\n{text}{END}{rest.split(END, 1)[1]}"
    path.write_text(text)


def here(begun: Iterable[float]) -> list[str]:
    """Say on what machine, with which versions and how busy it was.

    Args:
        begun: the load averages when the run began.
    """
    load = " / ".join(f"{one:.1f}" for one in begun)
    now = " / ".join(f"{one:.1f}" for one in os.getloadavg())
    names = ("zcbench", "torch", "alethiometer", "nats-bench", "numpy")
    return [
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}, Python "
        f"{platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names if _there(name)) + ".",
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores ({torch.backends.cpu.get_cpu_capability()}), "
        f"load average {load} at the start and {now} at the end.",
    ]


def _there(name: str) -> bool:
    try:
        return bool(version(name))
    except ImportError:
        return False


def _commit() -> str:
    here = Path(__file__).parent
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
