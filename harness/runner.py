"""Candidates x metrics x recipes -> rows: what is missing, in chunks, each in one transaction."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from zcbench.datasets.images import Batch
from zcbench.harness.candidate import Candidate, score_candidate
from zcbench.harness.environment import describe
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.initialise import Initialisation, initialise, seeded
from zcbench.harness.metric import Metric
from zcbench.harness.passes.evaluate import MiniBatch
from zcbench.harness.passes.state import like_images
from zcbench.harness.space import SearchSpace
from zcbench.harness.store import Row, Store
from zcbench.harness.types import Architecture, Outcome, Recipe

CHUNK = 8
"""Candidates a transaction: what a kill can cost."""

DEVICES = ("cpu", "cuda")
"""Kinds of devices that scores are computed on."""


@dataclass(frozen=True)
class Job:
    """What is to be scored.

    Attributes:
        benchmark: the benchmark's name.
        space: its search space.
        architectures: the candidates.
        metrics: the metrics.
        batch: the mini-batch of images.
        init: the initialisation.
        seeds: number of initialisation seeds: 0, 1, ..., seeds - 1.
    """

    benchmark: str
    space: SearchSpace
    architectures: Sequence[Architecture]
    metrics: Sequence[Metric]
    batch: Batch
    init: Initialisation
    seeds: int

    @property
    def space_version(self) -> str:
        """Search space and version, as in the rows."""
        return f"{self.space.name}@{self.space.version}"

    def recipes(self) -> list[Recipe]:
        """One recipe for each initialisation seed."""
        return [
            Recipe(
                dataset=self.batch.dataset, split=self.batch.split, images=self.batch.digest,
                preprocessing=self.batch.preprocessing, batch_size=len(self.batch.inputs),
                batch_seed=self.batch.seed, init=str(self.init), init_seed=seed,
            )
            for seed in range(self.seeds)
        ]  # fmt: skip


@dataclass
class Summary:
    """What a run did.

    Attributes:
        wanted: rows that were asked for.
        present: rows that the store already held.
        outcomes: new rows by outcome.
        interrupted: whether Ctrl-C ended it early.
    """

    wanted: int
    present: int
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    interrupted: bool = False


def missing_candidates(job: Job, store: Store, *, retry_failed: bool = False) -> tuple[list[Candidate], int]:
    """Find the work that is left.

    Returns:
        Candidates in the order of seeds and architectures, and the number of rows that were asked for.
    """
    by_key = {(m.key, m.version): m for m in job.metrics}
    recipes = {r.digest: r for r in job.recipes()}
    architectures = {a.id: a for a in job.architectures}
    rows = [
        Row(job.space_version, architecture, key, version, recipe)
        for recipe in recipes
        for architecture in architectures
        for key, version in by_key
    ]
    grouped: dict[tuple[str, str], list[Metric]] = {}
    for row in store.missing(rows, retry_failed=retry_failed):
        grouped.setdefault((row.recipe, row.architecture), []).append(by_key[row.metric, row.version])
    candidates = [
        Candidate(architectures[architecture], recipes[recipe], tuple(metrics))
        for (recipe, architecture), metrics in grouped.items()
    ]
    return candidates, len(rows)


def run(
    job: Job, store: Store, *, device: str = "cpu", threads: int = 1, chunk: int = CHUNK,
    retry_failed: bool = False, progress: Callable[[int, int, bool], None] | None = None,
) -> Summary:
    """Compute every missing row of a job.

    Each chunk of candidates is written in one transaction, so a kill loses at most one chunk. After
    Ctrl-C the current chunk is finished and written; a second Ctrl-C stops at once.

    Args:
        job: what to score.
        store: where rows go.
        device: ``cpu``, ``cuda``, ``cuda:1``, ...
        threads: threads of a CPU operation; part of what makes scores repeat to the last bit.
        chunk: candidates a transaction.
        retry_failed: compute failed rows again.
        progress: called after every candidate with (candidates done, candidates in all, whether Ctrl-C
            was pressed).

    Raises:
        ZcbenchError: for a device that is not there, or a store that cannot be written.
    """
    where = usable_device(device)
    candidates, wanted = missing_candidates(job, store, retry_failed=retry_failed)
    summary = Summary(wanted, wanted - sum(len(c.metrics) for c in candidates))
    environment = describe(device=_device_name(where), threads=threads)
    batch = MiniBatch(
        like_images(torch.from_numpy(job.batch.inputs).to(where)),
        torch.from_numpy(job.batch.targets).to(where),
        job.batch.classes,
    )
    done = 0
    with _settings(threads), _interruptible() as interrupted, _built_ahead(job, candidates) as networks:
        for start in range(0, len(candidates), chunk):
            rows = []
            for candidate in candidates[start : start + chunk]:
                build = next(networks)
                rows += score_candidate(job.benchmark, job.space, candidate, build, batch)
                done += 1
                if progress is not None:
                    progress(done, len(candidates), interrupted.is_set())
            store.append(rows, environment)
            for row in rows:
                summary.outcomes[row.outcome] += 1
            if interrupted.is_set():
                break
        summary.interrupted = interrupted.is_set()
    return summary


def usable_device(name: str) -> torch.device:
    """Return the device of this name.

    Raises:
        ZcbenchError: if it is neither a CPU nor a CUDA device, or is not there.
    """
    kind = name.partition(":")[0]
    if kind not in DEVICES:
        raise unknown("device", name, DEVICES)
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ZcbenchError(f'device "{name}" cannot be used here: try --device cpu') from error
    return device


def _device_name(device: torch.device) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


@contextmanager
def _settings(threads: int) -> Iterator[None]:
    """Fix what changes the last bits of a score: the threads, and on CUDA TensorFloat-32 and autotuning."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a flag; the second one interrupts as usual."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = signal.getsignal(signal.SIGINT)

    def handle(*_: object) -> None:
        flag.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _built_ahead(job: Job, candidates: Sequence[Candidate]) -> Iterator[Iterator[Callable[[], nn.Module]]]:
    """Build networks on a CPU thread, one candidate ahead of the passes."""
    with ThreadPoolExecutor(max_workers=1) as pool:

        def networks() -> Iterator[Callable[[], nn.Module]]:
            waiting = [pool.submit(_build, job, c) for c in candidates[:2]]
            for n in range(len(candidates)):
                yield waiting.pop(0).result
                if n + 2 < len(candidates):
                    waiting.append(pool.submit(_build, job, candidates[n + 2]))

        yield networks()


def _build(job: Job, candidate: Candidate) -> nn.Module:
    network = job.space.build(candidate.architecture, job.batch.classes)
    return initialise(network, job.init, seeded(*candidate.key, "initial"))
