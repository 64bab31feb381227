"""The sides of a disagreement: who says what, in which files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zcbench.harness.results import digests
from zcbench.harness.results.entry import DisagreementKind, Side
from zcbench.harness.results.rows import Row


def sides_of(rows: Sequence[Row], key: Callable[[Row], object], says: Callable[[Row], str]) -> tuple[Side, ...]:
    """Return a side for every value of a key, that of most people first.

    Args:
        rows: all that disagree.
        key: rows with equal keys are on one side.
        says: what a side says, asked of its first row.
    """
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    sides = [side_of(group, says(group[0])) for group in groups.values()]
    return tuple(sorted(sides, key=lambda side: (-len(side.by), side.by, side.says)))


def side_of(rows: Sequence[Row], says: str) -> Side:
    """Return the side of some rows."""
    members = [member for row in rows for member in row.members]
    return Side(
        by=tuple(sorted({member.by for member in members})), files=files_of(rows), says=says,
        entries=tuple(key for row in rows for key in row.keys),
    )  # fmt: skip


def files_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the files of some rows, sorted."""
    return tuple(sorted({member.result.file for row in rows for member in row.members}))


def key_of(kind: DisagreementKind, about: Sequence[str]) -> str:
    """Identify a disagreement."""
    return digests.of([kind, *about])
