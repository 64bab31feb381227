"""From the results of several people to one board: what agrees becomes one entry, what disagrees is named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from zcbench.harness.results.compare import ACROSS
from zcbench.harness.results.disagree import disagreements
from zcbench.harness.results.entry import LOWER_IS_BETTER, Board, Disagreement, Entry, Submission
from zcbench.harness.results.result import Result
from zcbench.harness.results.rows import Measured, Row, rows_of


def merge(results: Sequence[Result], *, notes: Sequence[str] = ()) -> Board:
    """Return what results say together; their order does not count.

    Args:
        results: any number, each read from a file of its own.
        notes: sentences that a reader should know besides.
    """
    rows = rows_of(results)
    found = disagreements(rows)
    parts = _parts(found)
    entries = [entry for row in rows for entry in _entries(row, parts)]
    return Board(tuple(sorted(entries, key=_order)), tuple(found), len(results), (*notes, *_repeated(results, rows)))


def _repeated(results: Sequence[Result], rows: Sequence[Row]) -> tuple[str, ...]:
    """Say how many measurements stand in several files of one person."""
    repeated = sum(len(result.measurements) for result in results) - sum(len(row.members) for row in rows)
    if not repeated:
        return ()
    they, count = (
        ("1 measurement repeats another", "counts")
        if repeated == 1
        else (f"{repeated} measurements repeat others", "count")
    )
    return (f"{they} of the same person and machine, and {count} once",)


def _parts(found: Sequence[Disagreement]) -> dict[str, tuple[str, ...]]:
    """Return for every entry the disagreements that it is part of."""
    parts: dict[str, tuple[str, ...]] = {}
    for one in found:
        for key in dict.fromkeys(key for side in one.sides for key in side.entries):
            parts[key] = (*parts.get(key, ()), one.key)
    return parts


def _entries(row: Row, parts: Mapping[str, tuple[str, ...]]) -> list[Entry]:
    result, one = row.first.result, row.first.measurement
    submissions = tuple(submission(member, row.first) for member in row.members)
    shown = Entry(
        key="", metric=result.metric, benchmark=result.benchmark, space=result.space, truth=one.truth,
        architectures=one.architectures, recipe=one.recipe, undefined=one.undefined, resamples=one.resamples,
        slice="", statistic="", estimate=one.statistics[0].estimate, coverage=one.coverage, seconds=one.seconds,
        submissions=submissions,
    )  # fmt: skip
    return [
        replace(shown, key=key, slice=s.slice, statistic=s.name, estimate=s.estimate, disagreements=parts.get(key, ()))
        for key, s in zip(row.keys, one.statistics, strict=True)
    ]


def submission(one: Measured, first: Measured) -> Submission:
    """Say who measured something, and whether the scores are those of the first bit for bit."""
    environment = one.result.environments[0]
    return Submission(
        by=one.by, environment=short(environment), environments=one.result.environments,
        zcbench=environment.get("zcbench", ""), file=one.result.file, seconds=one.measurement.seconds,
        identical=one.measurement.scores == first.measurement.scores,
    )  # fmt: skip


def short(environment: Mapping[str, str]) -> str:
    """Return a machine and its software in one short phrase; empty where nothing was recorded."""
    threads = environment.get("threads", "")
    parts = [
        environment.get("processor", ""), environment.get("device", ""),
        f"{threads} thread{'' if threads == '1' else 's'}" if threads else "",
        f"torch {environment['torch']}" if environment.get("torch") else "",
    ]  # fmt: skip
    return ", ".join(part for part in parts if part)


def _order(entry: Entry) -> tuple[object, ...]:
    """Sort by benchmark, target, slice and statistic, and then from the best to the worst."""
    value = entry.estimate.value
    better = value if entry.statistic in LOWER_IS_BETTER else -value
    known = ACROSS.index(entry.statistic) if entry.statistic in ACROSS else len(ACROSS)
    return (
        entry.benchmark, entry.truth.target, entry.truth.source, entry.slice, known, entry.statistic,
        math.isnan(value), 0.0 if math.isnan(value) else better, entry.metric.name, entry.key,
    )  # fmt: skip
