"""What runs on the nodes of a Ray cluster.

Ray gets this class by value: a node whose zcbench is another one, or that has none, can still say so. So nothing of
zcbench may be imported here before the versions were compared.
"""

from __future__ import annotations

import importlib
import os
import platform
import socket
from typing import Any


def identity() -> dict[str, str]:
    """Return what must be the same on all machines of a run; on one without zcbench, why it cannot be imported."""
    try:
        environment = importlib.import_module("zcbench.harness.environment")
        return {
            "Python": ".".join(platform.python_version_tuple()[:2]),
            "torch": importlib.import_module("torch").__version__,
            "zcbench": environment.package_version("zcbench"),
            "code of zcbench": environment.source_digest(),
        }
    except Exception as error:  # whatever is wrong there, it is said here
        return {"zcbench": f"none ({type(error).__name__}: {' '.join(str(error).split())[:200]})"}


class RayWorker:
    """An actor that holds a job and scores chunks of its candidates."""

    def start(self, expected: dict[str, str], parcel: bytes, settings: dict[str, Any]) -> dict[str, Any]:
        """Make ready.

        Args:
            expected: identity of the driver.
            parcel: the job, see ``parcel.packed``.
            settings: fields of the machine.

        Returns:
            ``node`` and ``pid``; then ``identity`` where it is not the expected one, ``refused`` with a reason where
            the job cannot be done here, or the ``environment`` that scores are recorded with.
        """
        ray = importlib.import_module("ray")
        here = {
            "node": ray.get_runtime_context().get_node_id(), "host": f"{socket.gethostname()}", "pid": os.getpid(),
        }  # fmt: skip
        if (found := identity()) != expected:
            return {**here, "identity": found}
        remote = importlib.import_module("zcbench.harness.executors.remote")
        try:
            self._scoring = remote.Scoring(parcel, settings)
        except remote.ZcbenchError as error:
            return {**here, "refused": str(error)}
        return {**here, "environment": self._scoring.environment}

    def score(self, chunk: list[Any]) -> list[Any]:
        """Score a chunk; see ``parcel.sent``."""
        scored: list[Any] = self._scoring.score(chunk)
        return scored
