"""Where scores are computed: nothing of it decides on a score beyond its last bits."""

from __future__ import annotations

from dataclasses import dataclass

LOCAL, RAY = "local", "ray"
EXECUTORS = (LOCAL, RAY)
"""This machine, or a Ray cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where and how scores are computed.

    Attributes:
        device: ``cpu``, ``cuda``, ``cuda:1``, ...; with Ray also ``auto``: ``cuda`` if the cluster has GPUs.
        threads: threads of a CPU operation, in each worker; part of what makes scores repeat to the last bit.
        workers: processes that score candidates; their number does not change a bit. None, with Ray: as many as the
            cluster has room for, and more when it grows.
        fast: let a GPU use TensorFloat-32 and algorithms that are not deterministic.
        executor: ``local`` or ``ray``.
        address: of the Ray cluster; None: that of the environment, else one that is started here.
        gpus_per_worker: how much of a GPU a Ray worker takes.
    """

    device: str = "cpu"
    threads: int = 1
    workers: int | None = 1
    fast: bool = False
    executor: str = LOCAL
    address: str | None = None
    gpus_per_worker: float = 1.0


HERE = Machine()
"""This process, on the CPU, with one thread."""
