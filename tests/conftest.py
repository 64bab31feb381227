"""Fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real tables and fixtures; the test is skipped where there is none."""
    folder = os.environ.get("ZCBENCH_DATA")
    if not folder:
        pytest.skip("ZCBENCH_DATA is not set: no real tables to read")
    return Path(folder)
