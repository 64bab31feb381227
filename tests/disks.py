"""A small file system that a test may fill up or make read-only."""

import os
import subprocess
from pathlib import Path

import pytest


class Disk:
    """A small file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, leave: int = 0) -> None:
        """Write until no byte fits, then give back so many."""
        with self._filler.open("ab") as file:
            for size in (65536, 4096, 512):
                try:
                    while True:
                        os.write(file.fileno(), b"x" * size)
                except OSError:
                    continue
        if leave:
            os.truncate(self._filler, max(0, self._filler.stat().st_size - leave))

    def empty(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)

    def mount(self, *options: str) -> None:
        """Call mount on it, or skip the test."""
        done = subprocess.run(["mount", *options, str(self.folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount a file system here: {done.stderr.strip()}")
