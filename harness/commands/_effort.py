"""What the stored scores took, and the operations of their passes, counted anew without images or arithmetic."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from zcbench.datasets import images
from zcbench.harness import options
from zcbench.harness.analysis.effort import Counted, Effort, Evaluations
from zcbench.harness.analysis.frame import ScoreTable
from zcbench.harness.commands._family import Family
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.evaluated import Evaluated, Recorded
from zcbench.harness.evaluated import read as read_recorded
from zcbench.harness.passes.flop_count import TooLongError, UncountedError, count
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.passes.spec import further_batches
from zcbench.harness.registry import select
from zcbench.harness.space import Benchmark, SearchSpace
from zcbench.harness.store import Store
from zcbench.harness.types import Recipe
from zcbench.reports.text import plural

ARCHITECTURES = 3
"""Of so many the operations are counted where nobody says otherwise."""

MOST_SECONDS = 10.0
"""What counting may take in a report then: it takes about as long as scoring small images."""


@dataclass
class Counting:
    """How many architectures of every family of scores are counted, and what is left of the time for it.

    Attributes:
        architectures: how many of every family.
        seconds: what is left, of the processor's time; infinite where somebody asked for a number.
        done: what was counted, by benchmark, recipe, architecture and metrics.
    """

    architectures: int
    seconds: float
    done: dict[tuple[str, ...], dict[str, int]] = field(default_factory=dict)

    @classmethod
    def asked(cls, architectures: int | None) -> Counting:
        """Count as many as are asked for, however long that takes; None: a few, for a few seconds."""
        return cls(ARCHITECTURES, MOST_SECONDS) if architectures is None else cls(architectures, float("inf"))


def recorded(store: Store, found: Benchmark, family: Family) -> Recorded:
    """Read what the store knows of the evaluations of a family.

    Raises:
        ZcbenchError: if the store cannot be read.
    """
    return read_recorded(store, found.space.name, seeds_of(family))


def seeds_of(family: Family) -> dict[str, int]:
    """Return the initialisation seeds of a family by the digests of its recipes."""
    seeds = (int(seed) for seed in family.frame["init_seed"].unique())
    return {replace(family.recipe, init_seed=seed).digest: seed for seed in seeds}


def effort_of(table: ScoreTable, known: Recorded, found: Benchmark, family: Family, counting: Counting) -> Effort:
    """Return what the evaluations behind a table took, with the operations of a few of them.

    Args:
        table: the scores that are analysed.
        known: what the store knows of evaluations.
        found: the benchmark.
        family: where the scores are from.
        counting: how many to count; what that takes is taken off its seconds.
    """
    seeds = seeds_of(family)
    evaluations = Evaluations(table, known, seeds)
    counted: list[Counted] = []
    shared: dict[Hashable, Any] = {}
    why = "" if counting.architectures else "none were asked for"
    for a, s in evaluations.chosen(counting.architectures):
        behind = evaluations.behind(a, s)
        recipe = replace(family.recipe, init_seed=table.seeds[s])
        try:
            flops = _flops(found, recipe, known, behind, shared, counting)
        except TooLongError:
            why = f"more take over {MOST_SECONDS:.0f} seconds to count, and zcbench report --flops N counts N"
            break
        except ZcbenchError as error:
            why = str(error)
            break
        machine, rates, sizes = _machine(known, behind)
        seconds = float(evaluations.effort.seconds[a, s])
        counted.append(Counted(table.architectures[a], flops, seconds, *machine, rates, sizes))
    return replace(evaluations.effort, counted=tuple(counted), uncounted=why)


def _machine(
    known: Recorded, behind: Sequence[Evaluated]
) -> tuple[tuple[str, str], Mapping[str, float], Mapping[str, int]]:
    """Say where something was evaluated, and how fast that machine is; on several, nobody knows."""
    words = list(dict.fromkeys(_words(known.environments.get(one.environment, {})) for one in behind))
    if len(words) > 1:
        return ("several machines or settings", ""), {}, {}
    best: dict[str, tuple[float, int]] = {}
    for digest, rates in known.rates.items():
        if _words(known.environments.get(digest, {})) == words[0]:
            best |= {dtype: max(rate, best.get(dtype, (0.0, 0))) for dtype, rate in rates.items()}
    return words[0], {k: rate for k, (rate, _) in best.items()}, {k: size for k, (_, size) in best.items()}


def _words(environment: Mapping[str, str]) -> tuple[str, str]:
    """Say on what device and with how many threads and workers, and on which processor."""
    numbers = [(environment.get(key, ""), key) for key in ("threads", "workers")]
    counted = [plural(int(number), key[:-1]) for number, key in numbers if number.isdecimal()]
    fast = "TensorFloat-32" if environment.get("tf32") == "yes" else ""
    where = (environment.get("device", ""), fast, *counted, environment.get("executor", ""))
    return ", ".join(filter(None, where)), environment.get("processor", "")


def _flops(
    found: Benchmark, recipe: Recipe, known: Recorded, behind: Sequence[Evaluated], shared: dict[Hashable, Any],
    counting: Counting,
) -> dict[str, int]:
    """Count the operations of some evaluations of one architecture, each once a report."""
    total: dict[str, int] = {}
    for one in behind:
        device = known.environments.get(one.environment, {}).get("device", "cpu").partition(":")[0]
        key = (found.name, replace(recipe, init_seed=0).digest, device, one.architecture, *map(str, one.metrics))
        if key not in counting.done:
            start = time.process_time()
            counting.done[key] = _count(found, recipe, one, shared, counting.seconds, device)
            counting.seconds -= time.process_time() - start
        total = {k: total.get(k, 0) + counting.done[key].get(k, 0) for k in {**total, **counting.done[key]}}
    return dict(sorted(total.items()))


def _count(
    found: Benchmark, recipe: Recipe, one: Evaluated, shared: dict[Hashable, Any], seconds: float, device: str
) -> dict[str, int]:
    space = found.space.configured(options.split(recipe.network))
    chosen = []
    for name, version in one.metrics:
        (metric,) = select(name)
        if metric.version != version:
            raise ZcbenchError(f"{name} is here at version {metric.version}, and was scored at version {version}")
        chosen.append(metric)
    architecture = space.parse(one.architecture)
    if space.disconnected(architecture):
        chosen = [metric for metric in chosen if not metric.needs_pass]
    needed = {quantity: metric.key for metric in chosen for quantity in metric.needs.quantities()}
    batch = _shapes(space, recipe, further_batches(needed))
    origin = Origin(space, architecture, batch.classes, recipe.init, recipe.init_seed, shared)
    network = space.build(architecture, batch.classes)
    key = (recipe.init, recipe.init_seed, architecture.id)
    try:
        return count(network, batch, plan(needed), key=key, origin=origin, seconds=seconds, device=device)
    except UncountedError as error:
        raise ZcbenchError(f"{needed[error.quantity]} cannot be followed without numbers ({error})") from error


def _shapes(space: SearchSpace, recipe: Recipe, further: int) -> MiniBatch:
    """Return a mini-batch on the meta device, of the shapes of the one that was scored on."""
    info = images.datasets().get(recipe.dataset)
    if info is None:
        raise unknown("image dataset", recipe.dataset, images.datasets())
    side = recipe.resolution or info.side
    drawn = images.load("gaussian", batch_size=recipe.batch_size, resolution=side, further=further)
    batch = images.for_task(replace(drawn, classes=info.classes), space.task)
    own, *more = (
        (torch.from_numpy(inputs).to("meta"), torch.from_numpy(targets).to("meta"))
        for inputs, targets in ((batch.inputs, batch.targets), *batch.further)
    )
    return MiniBatch(*own, batch.classes, batch.task, tuple(more))
