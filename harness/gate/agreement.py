"""Does the JSON of a baseline say what its scores say? Who reviews a baseline reads the JSON alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zcbench.harness.analysis.correlation import kendall_of_codes, pearson_of_codes
from zcbench.harness.analysis.population import Population
from zcbench.harness.analysis.ranks import why_undefined
from zcbench.harness.analysis.result import SLICES
from zcbench.harness.gate.baseline import STATISTICS
from zcbench.harness.gate.measured import Measured
from zcbench.harness.types import Outcome

CLOSE = 1e-9
"""Sums of ranks may round otherwise on another machine."""

_VALUES = {"spearman": pearson_of_codes, "kendall": kendall_of_codes}


def disagreement(entry: Measured, document: Mapping[str, Any]) -> str:
    """Return the first thing that an entry's JSON says and its scores do not, in a few words; empty without any.

    Held against the scores are the name, the counts and outcomes, and of every estimate the value and its counts. The
    ends of an interval are not: they take a thousand resamples, and another zcbench may compute them otherwise. The
    costs are not either, which decide nothing there.

    Args:
        entry: what the scores beside the JSON hold.
        document: the entry as the JSON has it, of the schema, with the targets and metrics of ``entry``.
    """
    return next(_disagreements(entry, document), "")


def _disagreements(entry: Measured, document: Mapping[str, Any]) -> Iterator[str]:
    if document["name"] != entry.name:
        yield "the name"
    if document["architectures"]["count"] != len(entry.architectures):
        yield f"{document['architectures']['count']} architectures (its scores have {len(entry.architectures)})"
    for place, metric in enumerate(document["metrics"]):
        if metric["outcomes"] != {str(o): int((entry.outcome[:, place] == o).sum()) for o in Outcome}:
            yield f"the outcomes of {metric['metric']}"
    for truth, target in zip(entry.truths, document["targets"], strict=True):
        if target["count"] != int((~np.isnan(truth.values)).sum()):
            yield f"the architectures with a ground truth in {truth.name}"
    said = {(r["target"], r["metric"], r["statistic"], r["slice"]): r for r in document["estimates"]}
    found = dict(_estimates(entry))
    if len(document["estimates"]) != len(found) or set(said) != set(found):
        yield "which estimates there are"
        return
    for key, (value, n, n_undefined) in found.items():
        row = said[key]
        if (row["n"], row["n_undefined"]) != (n, n_undefined) or not _same(row["value"], value):
            yield f"{key[2]} ({key[3]}) of {key[1]} with {key[0]}"


def _same(said: float | None, found: float) -> bool:
    return math.isnan(found) if said is None else abs(said - found) <= CLOSE


def _estimates(entry: Measured) -> Iterator[tuple[tuple[str, str, str, str], tuple[float, int, int]]]:
    """Yield the value of every estimate, with its architectures and those without a score, as they are recorded."""
    for truth in entry.truths:
        population = Population.of(entry.table(truth), "drop")
        for metric, name in enumerate(population.metrics):
            for slice_ in SLICES:
                members, lost = population.members(metric, slice_), population.n_undefined(metric, slice_)
                x, y = population.scores[metric][members], population.truth_codes[members]
                why = why_undefined(x, y)
                for statistic in STATISTICS:
                    value = math.nan if why else _VALUES[statistic](x, y).value
                    yield (truth.name, name, statistic, slice_), (value, x.size, lost)
