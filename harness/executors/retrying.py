"""What of the work is left: chunks to hand out, and what becomes of one whose worker died."""

from __future__ import annotations

import math
from collections import Counter, deque

DEATHS = 2
"""So many workers may die of a candidate that they score alone; then it has failed."""

LOSSES = 6
"""So many machines may be lost under a candidate before that, too, is held against it."""

WORKER_DIED = "worker died"
"""The reason of every score that failed because its process ended."""

Chunk = tuple[int, ...]
"""Positions of candidates that one worker scores before it reports."""


class Work:
    """The chunks of a run, for any number of workers that take them and may die of them.

    Nobody can see which candidate of a chunk a worker died of. So after a death the candidates of its chunk are scored
    again one by one, each with a worker to itself: an innocent one is never given up for its neighbour, and one that
    kills its worker is found by the second worker that dies of it alone. A machine that is lost proves nothing against
    a candidate, unless that happens again and again.
    """

    def __init__(self, candidates: int, *, chunk: int) -> None:
        """Begin with all of them.

        Args:
            candidates: their number; they are handed out in their order.
            chunk: how many at most are handed out at a time.
        """
        self._next, self._end, self._chunk = 0, candidates, chunk
        self._again: deque[Chunk] = deque()
        self._deaths: Counter[int] = Counter()
        self._losses: Counter[int] = Counter()

    @property
    def left(self) -> int:
        """Candidates that nobody has, or has again."""
        return self._end - self._next + sum(map(len, self._again))

    def take(self, workers: int) -> Chunk:
        """Return what one of so many workers is to do next; nothing if all is done or under way.

        Towards the end chunks get smaller, so that the workers finish together.
        """
        if self._again:
            return self._again.popleft()
        start = self._next
        self._next += min(self._chunk, math.ceil((self._end - start) / (2 * max(1, workers))))
        return tuple(range(start, self._next))

    def died(self, chunk: Chunk, *, alone: bool = False) -> Chunk:
        """Take note that a worker died under a chunk.

        Args:
            chunk: what it was scoring.
            alone: whether the worker died and not the machine below it.

        Returns:
            The candidates of the chunk that have failed; the others are done again.
        """
        if not chunk:
            return ()
        self._losses.update(chunk)
        mine = alone or any(self._losses[n] > LOSSES for n in chunk)
        if not mine:
            self._again.appendleft(chunk)
            return ()
        if len(chunk) > 1:
            self._again.extendleft((n,) for n in reversed(chunk))
            return ()
        self._deaths.update(chunk)
        if self._deaths[chunk[0]] >= DEATHS:
            return chunk
        self._again.appendleft(chunk)
        return ()
