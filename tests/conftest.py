"""Fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Two threads for one small operation cost more than they bring, and much more on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real tables and fixtures; the test is skipped where there is none."""
    folder = os.environ.get("ZCBENCH_DATA")
    if not folder:
        pytest.skip("ZCBENCH_DATA is not set: no real tables to read")
    return Path(folder)
