"""What other packages offer through entry points: a plug-in that cannot be used is left out, and named."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any, Generic, TypeVar

from zcbench.harness.errors import ZcbenchError, in_words

T = TypeVar("T")


@dataclass(frozen=True)
class Offer(Generic[T]):
    """One entry point.

    Attributes:
        point: the entry point itself.
        found: what is used of it; None where it cannot be used.
        why: why not, in a line without a full stop; empty where it can.
    """

    point: EntryPoint
    found: T | None
    why: str = ""

    @property
    def name(self) -> str:
        """``name = value``, as the package writes it."""
        return f"{self.point.name} = {self.point.value}"

    @property
    def package(self) -> str:
        """Name and version of the package; empty where there is none."""
        return f"{self.point.dist.name} {self.point.dist.version}" if self.point.dist is not None else ""


def offered(group: str, take: Callable[[Any], T]) -> list[Offer[T]]:
    """Load the entry points of a group, each once in a process, in the order of their names.

    Args:
        group: the entry-point group.
        take: returns what is used of a loaded object, and raises ZcbenchError where it is of no use.
    """
    points = importlib.metadata.entry_points(group=group)
    return [_load(point, take) for point in sorted(points, key=lambda point: (point.name, point.value))]


@cache  # a second import of a module would change no setting any more
def _load(point: EntryPoint, take: Callable[[Any], T]) -> Offer[T]:
    from zcbench.harness.settings import kept  # imports torch, which takes seconds and only plug-ins need here

    try:
        with kept() as changed:
            found = take(point.load())
    except ZcbenchError as error:
        return Offer(point, None, str(error))
    except (Exception, SystemExit) as error:  # a plug-in may fail in any way, and must not take the program with it
        return Offer(point, None, in_words(error))
    if changed:
        return Offer(point, None, f"it changes {' and '.join(changed)}, and with it the scores of all metrics")
    return Offer(point, found)


def left_out(offers: Iterable[Offer[Any]]) -> str:
    """Return a sentence for every plug-in that cannot be used, each after a space; empty where there is none."""
    return "".join(f" The plug-in {one.name} cannot be loaded: {one.why}." for one in offers if one.why)
