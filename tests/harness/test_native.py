"""Kernels called directly: they compute what the formula says, whichever way is the fast one."""

import pytest
import torch

from zcbench.harness.passes import native
from zcbench.harness.passes.native import common_ones


@pytest.mark.parametrize("in_bytes", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (5, 64), (32, 1000), (33, 2049)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_common_ones_are_counted(
    shape: tuple[int, int], dtype: torch.dtype, in_bytes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "_FAST_BYTES", in_bytes)
    torch.manual_seed(0)
    values = torch.randn(shape, dtype=dtype).relu_()
    values[0, 0] = torch.nan  # not above 0
    rows = values.tolist()
    expected = [[sum(a > 0 and b > 0 for a, b in zip(x, y, strict=True)) for y in rows] for x in rows]
    found = common_ones(values)
    assert found.dtype == torch.float64
    assert found.tolist() == expected


@pytest.mark.parametrize("in_bytes", [False, True])
def test_many_common_ones_are_exact(in_bytes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_FAST_BYTES", in_bytes)
    values = torch.ones(2, 2**22 + 1)
    values[1, ::3] = 0
    assert common_ones(values).tolist() == [[2**22 + 1, 2**22 - 1398101], [2**22 - 1398101] * 2]


def test_common_ones_run_without_a_device() -> None:
    assert common_ones(torch.zeros(3, 5, device="meta")).shape == (3, 3)
