"""Whole plans on the meta device, where there are shapes but no numbers: what asks for a number raises."""

from functools import cache
from typing import Any

import pytest
import torch
from pretended import repeats
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from networks import KEY, SPACES, batch, make, origin, usable
from references import networks_of
from zcbench.datasets.registry import benchmark, benchmarks
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.metric import Checked, Metric, Undefined, metric
from zcbench.harness.passes import spec
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.registry import metrics
from zcbench.harness.space import SearchSpace

NAMES = sorted(metrics())
NEEDS_NUMBERS: dict[str, str] = {}
"""Metrics that do not get through, and why. There are none: eigenvalues and the like have shapes too. (On a GPU they
wait for the host all the same, which the meta device does not show: see `pretended.WAITS`.)"""


BESIDES = (spec.Logits(), spec.HessianGradient())
"""Quantities for metrics of users."""


def shapes(data: MiniBatch) -> MiniBatch:
    further = tuple((inputs.to("meta"), targets.to("meta")) for inputs, targets in data.further)
    return MiniBatch(data.inputs.to("meta"), data.targets.to("meta"), data.classes, data.task, further)


def get_through(network: nn.Module, data: MiniBatch, chosen: list[Metric], where: Origin | None) -> dict[str, str]:
    """Compute metrics together, and return what became of each: ``""``, a reason, or what was raised."""
    shared = plan(q for one in chosen for q in one.needs.quantities())
    values, found = evaluate(network.to("meta"), shapes(data), shared, key=KEY, origin=where).values, {}
    for one in chosen:
        try:
            value = one(values)
        except Undefined as reason:
            found[one.name] = f"undefined: {reason}"
            continue
        except (RuntimeError, NotImplementedError, TypeError) as error:
            found[one.name] = f"raised {error}"
            continue
        parts = [value.value, *(c for c, _ in value.conditions)] if isinstance(value, Checked) else [value]
        assert all(part.dim() == 0 for part in parts), one.name
        found[one.name] = ""
    return found


@pytest.mark.parametrize("network", ["plain", "branchy", "nasbench201"])
def test_the_plan_of_all_metrics_asks_for_no_number(network: str) -> None:
    chosen = [usable(name) for name in NAMES if network in networks_of(name)]
    found = get_through(make(network, torch.float32), batch(9, 16, torch.float32), chosen, origin(network))
    assert len(found) > 40
    assert {name: why for name, why in found.items() if why} == NEEDS_NUMBERS


@pytest.mark.slow
@pytest.mark.parametrize("network", ["plain", "whole nasbench201"])
def test_no_metric_alone_asks_for_a_number(network: str) -> None:
    data, known = batch(9, 16, torch.float32), networks_of
    chosen = [name for name in NAMES if ("nasbench201" if network in SPACES else network) in known(name)]
    found: dict[str, str] = {}
    for name in chosen:
        found |= get_through(make(network, torch.float32), data, [usable(name)], origin(network))
    assert {name: why for name, why in found.items() if why} == NEEDS_NUMBERS


class Unrepeatable(TorchDispatchMode):
    """Notes operations that have no deterministic form on CUDA."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not repeats(func, args):
            self.names.add(str(func))
        return func(*args, **(kwargs or {}))


@cache
def spaces() -> dict[str, SearchSpace]:
    return {name: benchmark(name).space for name in benchmarks()}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(benchmarks()))
def test_no_space_brings_a_network_that_asks_for_a_number(name: str) -> None:
    """One architecture of every benchmark; metrics that have no value there say why, and none raises.

    Nor is there an operation that a GPU does in another order each time.
    """
    space = spaces()[name]
    one = next(a for a in space.sample(20, 0) if space.disconnected(a) is None)
    network = initialise(space.build(one, 10), INITIALISATIONS["pytorch"], seeded(*KEY, "initial"))
    data = batch(6, 32, torch.float32)
    where = Origin(space, one, 10, "pytorch@1", 0)
    with Unrepeatable() as seen:
        found = get_through(network, MiniBatch(data.inputs, data.targets, 10, further=data.further),
                            [usable(n) for n in NAMES], where)  # fmt: skip
    assert seen.names == set()
    assert not [why for why in found.values() if why.startswith("raised")]
    assert sum(not why for why in found.values()) > 30


def every_quantity() -> set[type[spec.Quantity]]:
    def below(kind: type[spec.Quantity]) -> set[type[spec.Quantity]]:
        return {kind}.union(*(below(k) for k in kind.__subclasses__() if k.__module__.startswith("zcbench.")))

    abstract = {spec.Quantity, spec.Static, spec.Recorded, spec.Differentiated, spec.Procedure}
    return below(spec.Quantity) - abstract


def test_every_quantity_and_procedure_is_in_these_plans() -> None:
    of_metrics = {type(q) for name in NAMES for q in usable(name).needs.quantities()}
    missing = {kind.__name__ for kind in every_quantity() - of_metrics}
    # A function of a user's own runs what it likes; no metric of ours is one.
    assert missing - {type(q).__name__ for q in BESIDES} == {"OnCopy"}


@pytest.mark.parametrize("network", ["plain", "branchy"])
def test_quantities_that_no_metric_of_ours_needs_ask_for_no_number(network: str) -> None:
    data = shapes(batch(4, 8, torch.float32))
    values = evaluate(make(network, torch.float32).to("meta"), data, plan(BESIDES), key=KEY).values
    assert values.keys() == set(BESIDES)
    assert all(not isinstance(value, Undefined) for value in values.values())


ASKING = {
    "item": lambda x: x.sum().item(),
    "bool": lambda x: bool(x.sum() > 0),
    "cpu": lambda x: x.cpu(),
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 0],
    "unique": lambda x: torch.unique(x, dim=0),
    "bincount": lambda x: torch.bincount(x.long().flatten()),
    "tensor of the host": lambda x: x + torch.ones(x.shape),
}


@pytest.mark.parametrize("how", ASKING)
def test_a_metric_that_asks_is_noticed(how: str) -> None:
    @metric("asking", version=1, cite="a test", caveats="none", higher_is_better=True, logits=spec.Logits())
    def asking(logits: torch.Tensor) -> torch.Tensor:
        """Ask for a number."""
        ASKING[how](logits)
        return logits.sum()

    found = get_through(make("plain", torch.float32), batch(4, 8, torch.float32), [asking], None)
    assert found["asking"].startswith("raised")
