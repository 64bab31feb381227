"""Data for tests of the datasets: real files where ZCBENCH_DATA names their folder, a skip elsewhere."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def data_folder() -> Path:
    folder = os.environ.get("ZCBENCH_DATA")
    if not folder:
        pytest.skip("ZCBENCH_DATA is not set: this test needs the project's data folder")
    return Path(folder)


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
