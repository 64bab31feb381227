"""Candidates scored by actors of a Ray cluster: this process hands out chunks, and it alone writes the store."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from zcbench.harness.candidate import Candidate
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.executors import ray_worker, useful_workers
from zcbench.harness.executors.cluster import answers, connected
from zcbench.harness.executors.done import Conditions, Done, given_up, in_one_chunk
from zcbench.harness.executors.nodes import Nodes
from zcbench.harness.executors.overdue import Overdue
from zcbench.harness.executors.parcel import packed, sent
from zcbench.harness.executors.processes import STARTS, check_portable
from zcbench.harness.executors.ray_worker import identity
from zcbench.harness.executors.retrying import WORKER_DIED, Chunk, Work
from zcbench.harness.job import Job
from zcbench.harness.machine import Machine

LOOK_SECONDS = 5.0
"""So often the run looks for nodes that joined or left."""

GONE_SECONDS = 60.0
"""So long it waits for a node that could hold a worker, and for the head of the cluster."""

START_SECONDS = 600.0
"""So long it waits for the first worker on nodes that could hold one: others may use them."""

WARN_SECONDS = 60.0
"""After which it says so; starting a worker takes some seconds, and more on a slow disk."""


@contextmanager
def on_ray(
    job: Job, candidates: Sequence[Candidate], machine: Machine, conditions: Conditions
) -> Iterator[Iterator[Done]]:
    """Score on a cluster.

    Raises:
        ZcbenchError: if there is none, or Ray is not installed, or a metric cannot be sent.
    """
    check_portable(replace(job, metrics=[m for m in job.metrics if m.source is None]), "")
    with connected(machine) as ray:
        if not candidates:
            yield iter(())
            return
        crew = _Crew(ray, job, candidates, machine, conditions)
        try:
            yield crew.results()
        finally:
            crew.dismiss()


@dataclass
class _Worker:
    """One actor, and what it is doing.

    Attributes:
        actor: its handle.
        pending: what it will answer; None while it waits for work.
        chunk: what it scores; empty while it starts or waits.
        said: what it answered to its start; empty until then.
    """

    actor: Any
    pending: Any
    chunk: Chunk = ()
    said: dict[str, Any] = field(default_factory=dict)


class _Crew:
    """The actors of a run: each has one chunk at a time, and one that dies is replaced."""

    def __init__(
        self, ray: Any, job: Job, candidates: Sequence[Candidate], machine: Machine, conditions: Conditions
    ) -> None:
        self._ray, self._job, self._candidates, self._conditions = ray, job, candidates, conditions
        self._errors = importlib.import_module("ray.exceptions")
        self._nodes = Nodes(ray, machine)
        self._machine = replace(machine, device=self._nodes.device)
        self._work = Work(len(candidates), chunk=conditions.chunk)
        self._positions = {metric.key: n for n, metric in enumerate(job.metrics)}
        self._workers: list[_Worker] = []
        self._identity = identity()
        self._failed_starts = 0
        self._wanted = self._room = 0
        self._said = ""
        self._looked = self._heard_of_any = self._heard_of_head = time.monotonic()
        self._warned = False
        self._overdue = Overdue()
        ray.cloudpickle.register_pickle_by_value(ray_worker)
        self._kind = ray.remote(
            num_cpus=machine.threads, num_gpus=self._nodes.gpus, max_restarts=0, max_task_retries=0,
            scheduling_strategy="SPREAD",
        )(ray_worker.RayWorker)  # fmt: skip
        self._parcel = ray.put(packed(job))
        self._look()

    def results(self) -> Iterator[Done]:
        """Give what is done until nothing is left, or the run was stopped and nothing is under way."""
        while self._employ():
            pending = {worker.pending: worker for worker in self._workers if worker.pending is not None}
            # Not for ever: Ctrl-C and the state of the cluster are looked at between two waits.
            ready, _ = self._ray.wait(list(pending), num_returns=1, timeout=1.0) if pending else ([], [])
            for reference in ready:
                yield from self._heard(pending[reference])
            self._speak_of_overdue()
            if time.monotonic() - self._looked > LOOK_SECONDS:
                self._look()

    def dismiss(self) -> None:
        """End all actors, whatever they are doing."""
        for worker in self._workers:
            self._end(worker)
        self._workers = []

    def _employ(self) -> bool:
        """Give work to those who wait for some, start those who are missing, and say whether anything is under way."""
        stopped = self._conditions.stopped()
        for worker in self._workers:
            if worker.pending is None and not stopped:
                self._hand_out(worker)
        missing = 0 if stopped else min(self._wanted, self._work.left + self._busy()) - len(self._workers)
        if missing > 0 and self._head_answers():  # without it Ray would wait, and this process with it
            self._workers += [self._start() for _ in range(missing)]
        return self._busy() > 0 or (not stopped and self._work.left > 0)

    def _busy(self) -> int:
        return sum(bool(worker.chunk) for worker in self._workers)

    def _start(self) -> _Worker:
        actor = self._kind.remote()
        settings = asdict(replace(self._machine, workers=self._wanted))
        return _Worker(actor, actor.start.remote(self._identity, self._parcel, settings))

    def _hand_out(self, worker: _Worker) -> None:
        worker.chunk = self._work.take(len(self._workers))
        if worker.chunk:
            worker.pending = worker.actor.score.remote(
                [sent(self._candidates[n], self._positions) for n in worker.chunk]
            )
            self._overdue.begin(worker, len(worker.chunk))

    def _heard(self, worker: _Worker) -> Iterator[Done]:
        self._heard_of_any = time.monotonic()
        try:
            answer = self._ray.get(worker.pending)
        except self._errors.RayError as error:
            cause = getattr(error, "cause", None)
            if worker.said and isinstance(cause, Exception) and not isinstance(cause, ZcbenchError):
                raise cause from error  # a fault of zcbench, and no death
            yield from self._lost(worker, error)
            return
        worker.pending = None
        if not worker.said:
            self._begun(worker, answer)
            return
        worker.chunk = ()
        self._overdue.end(worker, scored=True)
        if not self._conditions.stopped():
            self._hand_out(worker)  # before its rows are written, so that it does not wait for the disk
        yield from in_one_chunk(answer, worker.said["environment"])

    def _begun(self, worker: _Worker, said: dict[str, Any]) -> None:
        """Take note of what a worker says of itself.

        Raises:
            ZcbenchError: if its software differs from that of this process, or it cannot do the job.
        """
        if theirs := said.get("identity"):
            raise ZcbenchError(difference(self._identity, theirs, said["host"]))
        if "refused" in said:
            raise ZcbenchError(f"node {said['host']} cannot take part: {said['refused']}")
        worker.said, self._failed_starts = said, 0
        self._tell()

    def _lost(self, worker: _Worker, error: Exception) -> Iterator[Done]:
        """Replace a worker that died; its chunk is done again."""
        self._workers.remove(worker)
        self._overdue.end(worker, scored=False)
        self._end(worker)
        if not worker.said:
            self._failed_starts += self._is_its_own(error)
            if self._failed_starts >= STARTS:
                raise ZcbenchError(
                    f"Ray workers end as soon as they start ({_in_a_line(error)}); what was written is kept"
                ) from error
            return
        for n in self._work.died(worker.chunk, alone=self._is_its_own(error)):
            memory = isinstance(error, self._errors.OutOfMemoryError)
            reason = f"{WORKER_DIED} (out of memory)" if memory else WORKER_DIED
            yield from in_one_chunk([given_up(self._job, self._candidates[n], reason)], worker.said["environment"])

    def _is_its_own(self, error: Exception) -> bool:
        """Whether a worker died and not its node: a node that lives reports the process, and Ray quotes it."""
        if isinstance(error, self._errors.RayTaskError | self._errors.OutOfMemoryError):
            return True
        died = isinstance(error, self._errors.ActorDiedError) and not error.preempted
        return died and "worker process has died" in str(error)

    def _end(self, worker: _Worker) -> None:
        with suppress(Exception):  # it may be dead, or the cluster gone
            self._ray.kill(worker.actor, no_restart=True)

    def _head_answers(self) -> bool:
        return answers(self._ray.get_runtime_context().gcs_address, 2.0)

    def _look(self) -> None:
        """Look at the cluster: how many workers are wanted now, and whether there is still anybody to do the work.

        Raises:
            ZcbenchError: if the cluster is gone, or nobody has begun for too long.
        """
        now = self._looked = time.monotonic()
        if self._head_answers():
            self._heard_of_head = now
            self._room = self._nodes.room()
        elif now - self._heard_of_head > GONE_SECONDS:
            raise ZcbenchError(
                f"the head of the Ray cluster has not answered for {GONE_SECONDS:.0f} s; what was written is kept: run "
                "the same command again when the cluster is back"
            )
        room = self._room
        self._wanted = useful_workers(self._machine.workers or max(1, room), len(self._candidates))
        if room and any(worker.said for worker in self._workers):
            self._heard_of_any, self._warned = now, False
            return
        patience = START_SECONDS if room else GONE_SECONDS
        needs = f"{self._machine.threads} CPU" + (f" and {self._nodes.gpus:g} GPU" if self._nodes.gpus else "")
        missing = f"no node of the Ray cluster has {needs} for a worker"
        if room:
            missing = f"no Ray worker has begun yet, the {needs} that each needs may be in use by others"
        if now - self._heard_of_any > patience:
            raise ZcbenchError(
                f"{missing}: gave up after {patience:.0f} s; what was written is kept, run the same command again"
            )
        if not self._warned and now - self._heard_of_any > (WARN_SECONDS if room else 2 * LOOK_SECONDS):
            self._warned = True
            self._conditions.notice(f"{missing}: waiting up to {patience:.0f} s")

    def _speak_of_overdue(self) -> None:
        for worker in self._workers:
            if long := self._overdue.of(worker):
                self._conditions.notice(
                    f"the Ray worker with process {worker.said['pid']} on {worker.said['host']} {long}; if it hangs, "
                    "kill that process, and they are scored again"
                )

    def _tell(self) -> None:
        """Say how many workers there are, whenever all that are wanted have begun."""
        begun = [worker for worker in self._workers if worker.said]
        nodes = len({worker.said["node"] for worker in begun})
        text = f"{len(begun)} Ray worker{'s' * (len(begun) != 1)} on {nodes} node{'s' * (nodes != 1)}"
        if text != self._said and len(begun) >= min(self._wanted, self._room):
            self._said = text
            self._conditions.notice(text)


def difference(ours: Mapping[str, str], theirs: Mapping[str, str], node: str) -> str:
    """Say in which version a node differs from this machine."""
    name = next((name for name in ours if name in theirs and theirs[name] != ours[name]), "zcbench")
    return (
        f"node {node} has {name} {theirs.get(name)}, this machine has {ours.get(name)}: scores would not be "
        "comparable; install the same versions on all machines"
    )


def _in_a_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
