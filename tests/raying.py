"""Runs on Ray clusters of this machine; only for tests that have looked whether Ray is installed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from zcbench.datasets import images
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness.executors.cluster import the_package
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine
from zcbench.harness.metric import Metric
from zcbench.harness.runner import Summary, run
from zcbench.harness.store import Store
from zcbench.harness.types import Score

the_package()
from ray import cluster_utils  # noqa: E402 - only after Ray was told to be quiet

SMALL = {"num_cpus": 1, "object_store_memory": 80_000_000}
"""A node with one processor."""


def job(metrics: list[Metric], number: int = 12) -> Job:
    space, batch = Space(), images.load("digits", batch_size=8, resolution=8)
    return Job("nasbench201", space, space.sample(number, 0), metrics, batch, initialisation("pytorch"), 1)


class Patient(cluster_utils.Cluster):  # type: ignore[misc]
    """A cluster whose nodes have more than half a minute to come and go, which is little on a busy machine."""

    def _wait_for_node(self, node: Any, timeout: float = 120) -> None:
        super()._wait_for_node(node, timeout)

    def wait_for_nodes(self, timeout: float = 120) -> None:
        """Wait until all that were added are there, and none that was removed."""
        super().wait_for_nodes(timeout)


@contextmanager
def cluster(**head: Any) -> Iterator[Any]:
    """A cluster of one node, its head; afterwards other tests of this process have their handler of SIGTERM back."""
    before = signal.getsignal(signal.SIGTERM)
    made = Patient(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False, **head})
    try:
        yield made
    finally:
        made.shutdown()
        signal.signal(signal.SIGTERM, before)


def on(there: Any, **more: Any) -> Machine:
    return Machine(**{"executor": "ray", "address": there.address, "workers": 2, **more})


def score(
    path: Path, what: Job, machine: Machine, said: list[str] | None = None, **more: Any
) -> tuple[Summary, list[str]]:
    """Run a job; returns what came of it and what was said."""
    said = [] if said is None else said
    with Store(path) as store:
        return run(what, store, machine, notice=said.append, **more), said


def rows(path: Path) -> list[Score]:
    """Everything in a store but the seconds."""
    with Store(path, create=False) as store:
        return [replace(s, seconds=None) for s in store.scores()]  # type: ignore[arg-type]
