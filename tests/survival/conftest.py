"""Disks that may be filled up and locked: a tmpfs or a loop device of their own, where root may mount one."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disks import Disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Disk]]:
    """Mount a tmpfs of so many KiB: a real file system that is really full when it is full."""
    mounted = []

    def make(size: int) -> Disk:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        disk = Disk(folder)
        disk.mount("-t", "tmpfs", "-o", f"size={size}k", "tmpfs")
        mounted.append(folder)
        return disk

    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stores wait a moment instead of a minute."""
    monkeypatch.setattr("zcbench.harness.store_file.BUSY_SECONDS", 0.2)
