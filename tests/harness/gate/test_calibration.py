"""The fixed workload that costs are measured in."""

import math

import pytest
import torch

from zcbench.harness.gate import calibration


def test_it_takes_time_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "ROUNDS", 3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    rounds = calibration.seconds(device="cpu", threads=2)
    assert len(rounds) == 3
    assert min(rounds) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_the_median_is_that_of_all_rounds() -> None:
    assert calibration.median([3.0, 1.0], [2.0]) == 2.0
    assert math.isnan(calibration.median([], []))
