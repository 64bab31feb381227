"""Where a score was computed: recorded with every row, not part of its key."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def package_version(name: str) -> str:
    """Return the installed version of a distribution, or an empty string."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def revision() -> str:
    """Return the git revision that zcbench runs from, with ``+changes`` if it was edited; empty outside a clone."""
    folder = Path(__file__).resolve().parent
    try:
        head, changes = (
            subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True, timeout=10)
            for command in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    if head.returncode or not (folder.parent / "pyproject.toml").is_file():
        return ""
    return head.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


@cache
def source_digest() -> str:
    """Return twelve hexadecimal digits that identify the code itself: all Python files of the installed package.

    Unlike a revision it also holds for an installation outside of a git clone.
    """
    folders = [Path(__file__).resolve().parent.parent / name for name in ("harness", "datasets", "reports")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    total = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.parts[-4:]):
        total.update(path.read_bytes())
    return total.hexdigest()[:12]


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(*, device: str, threads: int) -> dict[str, str]:
    """Describe this machine and its software.

    Args:
        device: where the passes run.
        threads: how many threads a CPU operation uses; scores on one and two threads differ in their last bits.
    """
    packages = ("zcbench", "torch", "numpy", "scipy", "pandas")
    return {
        "device": device,
        "threads": str(threads),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "revision": revision() or "installed, not run from a git clone",
        "source": source_digest(),
        "memory_format": "channels_last",
        **{name: package_version(name) for name in packages},
    }


def from_json(text: str) -> dict[str, str]:
    """Read an environment as a store holds it.

    Raises:
        ValueError: if it is no JSON.
        TypeError: if it is anything but texts by name.
    """
    found = json.loads(text)
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise TypeError("an environment holds something else than texts by name")
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def digest(environment: dict[str, str]) -> str:
    """Return sixteen hexadecimal digits that identify an environment."""
    return hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest()[:16]
