"""Table of the cost section: the operations of the passes, at the rate at which the machine multiplies matrices."""

import statistics
from collections.abc import Sequence

from zcbench.harness.analysis.effort import Counted, Effort
from zcbench.harness.analysis.table import Cell, Column, Kind, Table
from zcbench.reports.section import slug
from zcbench.reports.text import listed, plural

DTYPES = ("float32", "float64")

_WHAT = (
    "GFLOP: 10⁹ floating-point operations, two for every multiply-accumulate of a convolution or matrix product in the "
    "shared passes of all metrics, forward and backward; counted on shapes alone. Not counted is whatever else passes "
    "do: batch normalisation, ReLU, pooling, sorting, eigenvalues and all other operations on single elements."
)


def limit(label: str, effort: Effort) -> Table | None:
    """Return how far evaluations are from their limit, a line for each machine; None where nothing was recorded.

    Args:
        label: the target's label in this report.
        effort: what the evaluations took, with the architectures whose operations were counted.
    """
    if not (effort.evaluations > 0).any():
        return None
    machines = list(dict.fromkeys((one.machine, one.processor) for one in effort.counted))
    used = [d for d in DTYPES if any(one.flops.get(d) for one in effort.counted)] or list(DTYPES[:1])
    rows = [_row([one for one in effort.counted if (one.machine, one.processor) == m], used) for m in machines]
    columns = (
        Column("machine", "Machine"),
        Column("networks", "Networks", Kind.INTEGER),
        Column("ratio", "Taken / limit (median)", Kind.NUMBER, 2),
        Column("taken_ms", "Taken, ms (median)", Kind.NUMBER, 2),
        Column("limit_ms", "Limit, ms (median)", Kind.NUMBER, 2),
        *(Column(f"gflop_{d}", f"GFLOP, {d} (median)", Kind.NUMBER, 2) for d in used),
        *(Column(f"gflop_per_s_{d}", f"GFLOP/s, {d}", Kind.NUMBER, 1) for d in used),
        Column("processor", "Processor"),
    )
    caption = f"{label}: how far all metrics in shared passes are from the limit of the machine, for one architecture."
    return Table(f"cost_limit_{slug(label)}", caption, columns, tuple(rows), tuple(_notes(effort, rows)))


def _row(counted: Sequence[Counted], used: Sequence[str]) -> tuple[Cell, ...]:
    first, limits = counted[0], [one.limit for one in counted]
    known = [(one.seconds, least) for one, least in zip(counted, limits, strict=True) if least]
    return (
        first.machine, len(counted),
        statistics.median(seconds / least for seconds, least in known) if known else None,
        1e3 * statistics.median(one.seconds for one in counted),
        1e3 * statistics.median(least for least in limits if least is not None) if None not in limits else None,
        *(statistics.median(one.flops.get(d, 0) for one in counted) / 1e9 for d in used),
        *(first.rates[d] / 1e9 if d in first.rates else None for d in used),
        first.processor,
    )  # fmt: skip


def _notes(effort: Effort, rows: Sequence[tuple[Cell, ...]]) -> list[str]:
    if not rows:
        why = effort.uncounted or "every network needed no pass, or a metric failed on it"
        return [f"No operations were counted: {why}."]
    number = sum(int(str(row[1])) for row in rows)
    notes = [
        f"{plural(number, 'network')}, evenly spread over the times that networks took"
        f"{f'; {effort.uncounted}' if effort.uncounted else ''}.",
        _WHAT,
    ]
    sizes = {d: size for one in effort.counted for d, size in one.sizes.items() if one.flops.get(d)}
    if sizes:
        shown = listed([f"{size} x {size} ({d})" for d, size in sorted(sizes.items())])
        notes.append(
            "The limit is these operations at the rate of the machine (GFLOP/s): the best of many products of two "
            f"square matrices, {shown}, measured by the run itself with the threads of one worker, before the workers "
            "began."
        )
    if any(one.limit is None for one in effort.counted):
        notes.append("Where there is no rate it was not measured, as on the machines of a cluster.")
    ratios = [float(str(row[2])) for row in rows if row[2] is not None]
    if ratios:
        notes.append(
            f"A ratio of {ratios[0]:.1f} says that an architecture takes {ratios[0]:.1f} times as long as its "
            "convolutions and matrix products alone would, if they ran as fast as products of large matrices do."
        )
    return notes
