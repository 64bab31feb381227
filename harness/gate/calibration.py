"""How fast a machine is just now: the time of a fixed workload, so that costs of two machines can be compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

ROUNDS = 7
WARM_UP = 1
CHANNELS, SIDE, IMAGES, LAYERS = 32, 32, 8, 6


def seconds(*, device: str, threads: int) -> tuple[float, ...]:
    """Return the seconds of every round of the workload on a device.

    The workload is what scoring mostly does: a forward and a backward of six 3 x 3 convolutions with batch norm and
    ReLU, on 8 images of 32 x 32 with 32 channels, float32, channels last. The first round is not counted.

    Args:
        device: ``cpu``, ``cuda``, ...
        threads: threads of a CPU operation.
    """
    import torch
    from torch.nn import functional

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        # Evenly spaced numbers: a calibration draws nothing, so it changes nobody's random numbers.
        inputs = torch.linspace(-1, 1, IMAGES * CHANNELS * SIDE**2).reshape(IMAGES, CHANNELS, SIDE, SIDE)
        inputs = inputs.to(device=device, memory_format=torch.channels_last)
        weight = torch.linspace(-0.1, 0.1, CHANNELS * CHANNELS * 9).reshape(CHANNELS, CHANNELS, 3, 3).to(device)
        weights = [weight.clone().requires_grad_() for _ in range(LAYERS)]
        found = []
        for _ in range(WARM_UP + ROUNDS):
            start = time.perf_counter()
            x = inputs
            for one in weights:
                x = functional.conv2d(x, one, padding=1)
                x = functional.relu(functional.batch_norm(x, None, None, training=True))
            torch.autograd.grad(x.square().mean(), weights)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            found.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return tuple(found[WARM_UP:])


def median(*parts: Sequence[float]) -> float:
    """Return the median over rounds that were taken before and after the scoring; NaN without any."""
    rounds = [value for part in parts for value in part]
    return statistics.median(rounds) if rounds else float("nan")
