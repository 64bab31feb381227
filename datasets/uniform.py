"""Uniform sampling of a listed search space: the same for every space, Python version and platform."""

import random

from zcbench.harness.errors import ZcbenchError


def sampled(size: int, n: int, seed: int, *, name: str) -> list[int]:
    """Return n different numbers below size, drawn uniformly.

    The numbers are sorted by one pseudo-random number each, so a larger sample begins with the smaller one of
    the same seed. Only ``random.Random.random`` is used, whose sequence Python promises to keep.

    Args:
        size: number of architectures of the space.
        n: how many are wanted.
        seed: any integer.
        name: name of the space, for an error.

    Raises:
        ZcbenchError: unless 1 <= n <= size.
    """
    if not 1 <= n <= size:
        raise ZcbenchError(f"cannot sample {n} architectures: {name} has 1 to {size} to give")
    generator = random.Random(str(seed))  # as text: as a number, -1 and 1 would be the same seed
    keys = [generator.random() for _ in range(size)]
    return sorted(range(size), key=keys.__getitem__)[:n]
