"""How fast a machine multiplies matrices: the limit that the time of passes is held against."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import torch

from zcbench.harness.device import is_gpu, module_of
from zcbench.harness.machine import LOCAL, Machine
from zcbench.harness.settings import fixed

DTYPES = {"float32": torch.float32, "float64": torch.float64}
"""Types that passes compute in."""

SMALLEST, LARGEST = 512, 8192
"""Rows of the matrices; a small product does not occupy many threads or a GPU."""

ENOUGH_SECONDS = 0.001
"""A product that takes so long is large enough to be timed."""

REPEATS = 64
MOST_SECONDS = 0.12
"""Of one type; after it no further product is begun, beyond the two that are needed."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The rate of one type on one machine.

    Attributes:
        dtype: ``float32`` or ``float64``.
        flops: floating-point operations a second, two for every multiply-accumulate.
        size: rows and columns of the matrices.
    """

    dtype: str
    flops: float
    size: int


_measured: dict[tuple[str, int, bool], tuple[Rate, ...]] = {}
"""By device, threads and whether it is fast: measured once in a process."""


def rates(machine: Machine) -> tuple[Rate, ...]:
    """Return the rates of this machine, at its number of threads.

    None for a cluster, of which this is one machine, and none where the device refuses, e.g. for want of memory: a
    run goes on without knowing how far from the limit it is. Takes a quarter of a second the first time, and should
    have the machine for itself: before workers start.

    Args:
        machine: with its device, threads and settings.
    """
    key = (machine.device, machine.threads, machine.fast)
    if machine.executor != LOCAL:
        return ()
    if key not in _measured:
        with fixed(machine), suppress(RuntimeError):
            _measured[key] = tuple(measured(torch.device(machine.device), dtype) for dtype in DTYPES)
    return _measured.get(key, ())


def measured(device: torch.device, dtype: str) -> Rate:
    """Multiply square matrices of one type a few times and return the best rate: 2 n³ over the shortest time.

    The best, since whatever else the machine does only adds to a time. n is doubled until
    a product takes a millisecond: many short ones find a moment in which the machine does nothing else.

    Args:
        device: where.
        dtype: a name of `DTYPES`.
    """
    size, start = SMALLEST, time.perf_counter()
    while True:
        product = _product(device, DTYPES[dtype], size)
        product()  # the first one starts threads and loads kernels
        best = product()
        if best >= ENOUGH_SECONDS or size >= LARGEST or time.perf_counter() - start > MOST_SECONDS:
            break
        size *= 2
    for _ in range(REPEATS - 1):
        if time.perf_counter() - start > MOST_SECONDS:
            break
        best = min(best, product())
    return Rate(dtype, 2 * size**3 / best, size)


def _product(device: torch.device, dtype: torch.dtype, size: int) -> Callable[[], float]:
    """Return what multiplies two matrices and says in how many seconds."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, size, generator=generator, dtype=dtype).to(device) for _ in range(2))
    out = torch.empty_like(left)

    def run() -> float:
        start = time.perf_counter()
        torch.mm(left, right, out=out)
        if is_gpu(device):
            module_of(device).synchronize(device)
        return time.perf_counter() - start

    return run
