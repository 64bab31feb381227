"""How far the candidate's scores, and their correlation with the truth, depend on its recipe."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.analysis.intervals import no_estimate, percentile
from zcbench.harness.analysis.ranks import LEFT_OUT, Codes, Policy, dense, why_undefined, with_policy
from zcbench.harness.analysis.resample import WeightedRanks, with_resamples
from zcbench.harness.analysis.versus.parts import Stability, Variation
from zcbench.harness.errors import ZcbenchError


@dataclass(frozen=True)
class Draws:
    """How to resample: the policy for undefined scores, the number of resamples and their seed."""

    undefined: Policy
    resamples: int
    seed: int


def of_seeds(table: ScoreTable) -> tuple[Variation, ...]:
    """Return one variation for every initialisation seed of a table but the first, which is the reference."""
    first, *others = table.seeds or tuple(range(table.values.shape[2]))
    return tuple(Variation("seed", str(s), str(first), table.of_seed(i + 1)) for i, s in enumerate(others))


def under_change(table: ScoreTable, candidate: str, variation: Variation, draws: Draws) -> Stability:
    """Hold the candidate's scores under one change of the recipe against those of the reference setting.

    Both are means over the same initialisation seeds where they share some; a change of the seed is held against the
    first seed alone, as a mean that contains a score agrees with it for that reason.

    Args:
        table: the reference setting, with the truth.
        candidate: its name.
        variation: the change and the scores under it.
        draws: how to resample the architectures that were tried in both settings.

    Raises:
        ZcbenchError: the variation has no scores of the candidate, or no architecture of the reference.
    """
    reference, changed = _same_seeds(table, variation)
    common = sorted(_tried(reference, candidate) & _tried(changed, candidate))
    if not common:
        raise ZcbenchError(
            f"{variation.kind} {variation.value}: no architecture of {table.benchmark} has scores of {candidate} in "
            "both settings; score the same architectures"
        )
    (old, old_failed), (new, new_failed) = (
        _codes(one, candidate, common, draws.undefined) for one in (reference, changed)
    )
    at = {name: row for row, name in enumerate(reference.architectures)}
    truth = dense(reference.truth[[at[name] for name in common]])
    kept = (old != LEFT_OUT) & (new != LEFT_OUT) & (truth != LEFT_OUT)
    lost = int((new_failed & ~old_failed & (truth != LEFT_OUT)).sum())
    return _estimates(variation, old, new, truth, kept, lost, draws)


def _same_seeds(table: ScoreTable, variation: Variation) -> tuple[ScoreTable, ScoreTable]:
    if variation.kind == "seed":
        return table.of_seed(0), variation.table
    common = sorted(set(table.seeds) & set(variation.table.seeds))
    if not common:
        return table, variation.table
    both = (table, variation.table)
    reference, changed = (one.of_seeds([one.seeds.index(seed) for seed in common]) for one in both)
    return reference, changed


def _tried(table: ScoreTable, candidate: str) -> set[str]:
    """Return the architectures that have a row of the candidate."""
    if candidate not in table.metrics:
        raise ZcbenchError(f"a change of the recipe has no scores of {candidate} on {table.benchmark}: score it there")
    tried = (table.outcome[:, table.metrics.index(candidate)] != "").any(axis=1)
    return {name for name, yes in zip(table.architectures, tried, strict=True) if yes}


def _codes(
    table: ScoreTable, candidate: str, architectures: Sequence[str], undefined: Policy
) -> tuple[Codes, NDArray[np.bool_]]:
    """Return dense ranks of the candidate under the policy, and where it is undefined or failed."""
    at = {name: row for row, name in enumerate(table.architectures)}
    rows, column = [at[name] for name in architectures], table.metrics.index(candidate)
    failed = table.failed[rows, column]
    return with_policy(dense(table.signed[rows, column]), failed, undefined), failed


def _estimates(
    variation: Variation, old: Codes, new: Codes, truth: Codes, kept: NDArray[np.bool_], lost: int, draws: Draws
) -> Stability:
    n = int(kept.sum())
    columns = np.stack([truth, old, new])[:, kept]
    why = why_undefined(columns[1], columns[0]) or why_undefined(columns[2], columns[0])
    if why:
        empty = no_estimate(why, n=n, n_undefined=lost)
        return Stability(variation.kind, variation.value, variation.reference, empty, empty, empty, n, lost)
    ranks = WeightedRanks(columns, right=2)
    counts = with_resamples(kept.size, resamples=draws.resamples, seed=draws.seed)
    rho = np.concatenate([ranks.correlations(w[kept][None]) for w in counts])
    agreement, before, after = rho[:, 2, 1], rho[:, 1, 0], rho[:, 2, 0]
    found = [percentile(float(one[0]), one[1:], n=n, n_undefined=lost) for one in (agreement, after, after - before)]
    return Stability(variation.kind, variation.value, variation.reference, found[0], found[1], found[2], n, lost)
