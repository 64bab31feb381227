"""What executors give to the runner, and what they ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from zcbench.harness.candidate import NO_TIME, Candidate, Scored
from zcbench.harness.job import Job
from zcbench.harness.types import Outcome, Score

CHUNK = 8
"""Candidates a transaction: what a kill can cost each worker."""


def unheard(_: str) -> None:
    """Take a line for nobody."""


@dataclass(frozen=True)
class Done:
    """A candidate that is done.

    Attributes:
        scored: its rows.
        environment: of the machine that computed them.
        last: whether it is the last of its chunk, all of which is to be written now.
    """

    scored: Scored
    environment: Mapping[str, str]
    last: bool


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How a run is to go on.

    Attributes:
        chunk: candidates a transaction, at most.
        stopped: says whether no further chunk is to be begun.
        notice: takes a line for the user.
    """

    chunk: int = CHUNK
    stopped: Callable[[], bool] = lambda: False
    notice: Callable[[str], None] = unheard


def in_one_chunk(scored: Iterable[Scored], environment: Mapping[str, str]) -> Iterator[Done]:
    """Give the candidates of one chunk, the last of them marked."""
    every = list(scored)
    for n, one in enumerate(every, 1):
        yield Done(one, environment, n == len(every))


def given_up(job: Job, candidate: Candidate, reason: str) -> Scored:
    """Return the failed rows of a candidate that no worker survives."""
    rows = (
        Score(job.benchmark, job.space_version, candidate.architecture.id, m.key, m.version, candidate.recipe, None,
              Outcome.FAILED, reason, NO_TIME)
        for m in candidate.metrics
    )  # fmt: skip
    return Scored(tuple(rows), 0.0)
