"""A job on its way to another machine: without its architectures, and with the text of metrics that lie in files."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zcbench.harness.candidate import Candidate
from zcbench.harness.errors import ZcbenchError, in_words
from zcbench.harness.job import Job
from zcbench.harness.metric import Metric
from zcbench.harness.metric_file import Source, metrics_in
from zcbench.harness.source_file import code_digest, files_of
from zcbench.harness.types import Architecture, Recipe

Sent = tuple[Architecture, Recipe, tuple[int, ...]]
"""A candidate with the positions of its metrics in the job."""


@dataclass(frozen=True)
class FromFile:
    """A metric from a user's file, with the file and the neighbours that it imports.

    Attributes:
        source: where it comes from.
        parameters: its parameters.
        files: content by path within the file's folder.
    """

    source: Source
    parameters: Mapping[str, Any]
    files: Mapping[str, bytes]

    def metric(self) -> Metric:
        """Load it: from its file where this machine has the same one, else from a copy of the text.

        Raises:
            ZcbenchError: if it cannot be imported here.
        """
        path = self.source.path
        if not _same(self.source):
            folder = Path(tempfile.mkdtemp(prefix="zcbench-metric-"))
            for name, content in self.files.items():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            path = folder / path.name
        (found,) = metrics_in(path, self.source.name)
        return replace(found, parameters=self.parameters)


def _same(source: Source) -> bool:
    try:
        return source.path.is_file() and code_digest(source.path) == source.digest
    except (OSError, ZcbenchError):
        return False


def packed(job: Job) -> bytes:
    """Pack everything of a job but its architectures, which come with each chunk.

    Raises:
        ZcbenchError: for a metric that cannot be sent.
    """
    metrics: list[bytes | FromFile] = []
    for metric in job.metrics:
        if metric.source is not None:
            folder = metric.source.path.parent
            files = {str(file.relative_to(folder)): file.read_bytes() for file in files_of(metric.source.path)}
            metrics.append(FromFile(metric.source, dict(metric.parameters), files))
        else:
            metrics.append(pickle.dumps(metric))
    return pickle.dumps((pickle.dumps(replace(job, architectures=(), metrics=())), metrics))


def opened(parcel: bytes) -> Job:
    """Unpack it on another machine.

    Raises:
        ZcbenchError: if something of it is not installed there.
    """
    packed_job, metrics = pickle.loads(parcel)
    try:
        job: Job = pickle.loads(packed_job)
        return replace(job, metrics=[m.metric() if isinstance(m, FromFile) else pickle.loads(m) for m in metrics])
    except (ImportError, AttributeError, TypeError, OSError) as error:
        raise ZcbenchError(f"it cannot load what is to be scored ({in_words(error)}): install it there too") from error


def sent(candidate: Candidate, positions: Mapping[str, int]) -> Sent:
    """Return a candidate without its metrics, which the other machine has.

    Args:
        candidate: the candidate.
        positions: of the metrics in the job, by name with parameters.
    """
    return candidate.architecture, candidate.recipe, tuple(positions[m.key] for m in candidate.metrics)


def received(job: Job, candidate: Sent) -> Candidate:
    """Return a candidate with its metrics."""
    architecture, recipe, metrics = candidate
    return Candidate(architecture, recipe, tuple(job.metrics[n] for n in metrics))
