"""Fixtures that several folders of tests share."""

import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

from zcbench.datasets.nasbench201 import analog, network
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.datasets.truth import TruthTable
from zcbench.harness.types import Architecture


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Two threads for one small operation cost more than they bring, and much more on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_as_in_a_terminal() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, which tests press."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def embedded_truth_once() -> Iterator[None]:
    """Read the embedded accuracies once in a process instead of in every verb: it takes most of a second.

    A path is read each time: tests of the reading itself name it.
    """
    read = analog.read
    kept = cache(read)

    def once(path: Path | None = None) -> TruthTable:
        return kept(analog.data_file()) if path is None else read(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analog, "read", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def cells_listed_once() -> Iterator[None]:
    """Print and parse the 15,625 cells of NAS-Bench-201 once in a process: every sample of cells lists them all."""
    listed = cache(lambda space, all_of=Space.__iter__: tuple(all_of(space)))

    def again(space: Space) -> Iterator[Architecture]:
        return iter(listed(space))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Space, "__iter__", again)
        yield


@pytest.fixture(scope="module")
def one_cell_a_stage() -> Iterator[None]:
    """Networks and supernets of NAS-Bench-201 with one cell a stage instead of five, built in this process.

    For tests that ask what becomes of scores, not what networks of the benchmark score: the same layers and passes
    for a quarter of the work.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "CELLS_PER_STAGE", 1)
        yield


@pytest.fixture
def small_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``check`` try the contracts on two small networks and in this process; slow tests try them on all.

    What starts no worker process looks at what is used twice, so that the number of contracts stays.
    """
    from zcbench.harness.checking.description import needs_used  # here, since it takes seconds and few tests need it
    from zcbench.harness.checking.subjects import BRANCHED, CHAIN

    monkeypatch.setattr("zcbench.harness.checking.check.subjects", lambda: (CHAIN, BRANCHED) * 2)
    monkeypatch.setattr("zcbench.harness.checking.check.travels", needs_used)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real tables and fixtures; the test is skipped where there is none."""
    folder = os.environ.get("ZCBENCH_DATA")
    if not folder:
        pytest.skip("ZCBENCH_DATA is not set: no real tables to read")
    return Path(folder)
