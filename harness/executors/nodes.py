"""The machines of a Ray cluster: which live, and how many workers they have room for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.machine import Machine

AUTO = "auto"


class Nodes:
    """What a cluster offers to the workers of one machine description."""

    def __init__(self, ray: Any, machine: Machine) -> None:
        """Look at the cluster.

        Raises:
            ZcbenchError: for a device that a cluster does not have, or that Ray chooses itself.
        """
        self._ray, self._machine = ray, machine
        gpus = sum(resources.get("GPU", 0.0) for resources in self.alive().values())
        self.device = cluster_device(machine.device, gpus, fast=machine.fast)
        self.gpus = machine.gpus_per_worker if self.device == "cuda" else 0.0

    def alive(self) -> dict[str, Mapping[str, float]]:
        """Return the resources of the nodes that live, by id; Ray notices a silent death after some ten seconds."""
        return {node["NodeID"]: node["Resources"] for node in self._ray.nodes() if node["Alive"]}

    def room(self) -> int:
        """Return how many workers fit on them if nobody else uses them."""
        return sum(fitting(resources, self._machine.threads, self.gpus) for resources in self.alive().values())


def fitting(resources: Mapping[str, float], threads: int, gpus: float) -> int:
    """Return how many workers fit on a node.

    Args:
        resources: of the node.
        threads: processors for each.
        gpus: GPUs for each: a part of one, or several whole ones.
    """
    fit = math.floor(resources.get("CPU", 0.0) / threads + 1e-9)
    if not gpus:
        return fit
    there = math.floor(resources.get("GPU", 0.0))
    return min(fit, there * math.floor(1 / gpus + 1e-9) if gpus <= 1 else math.floor(there / gpus))


def cluster_device(asked: str, gpus: float, *, fast: bool = False) -> str:
    """Return the kind of device that workers compute on.

    Args:
        asked: ``auto``, ``cpu`` or ``cuda``.
        gpus: how many the cluster has.
        fast: whether they are to be fast, see ``Machine``.

    Raises:
        ZcbenchError: for another device, or one that the cluster does not have, or that cannot be fast.
    """
    if fast and (asked == "cpu" or (asked == AUTO and not gpus)):
        raise ZcbenchError("--fast is for a GPU: on a CPU it would change nothing, leave it out")
    if asked == AUTO:
        return "cuda" if gpus else "cpu"
    if asked.startswith("cuda:"):
        raise ZcbenchError(
            f"with --executor ray it is Ray that chooses the GPU: write --device cuda instead of {asked}"
        )
    if asked == "cuda" and not gpus:
        raise ZcbenchError("the Ray cluster has no GPU: try --device cpu")
    return asked
