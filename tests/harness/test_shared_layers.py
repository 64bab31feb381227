"""Layers that are applied to the same tensor compute once, and nobody notices but the clock.

That gradients of networks of every space are PyTorch's, `test_second_order` asks.
"""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from networks import KEY, batch, make
from zcbench.harness.passes import evaluate as evaluating
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.shared_layers import shared_layers
from zcbench.harness.passes.shortcuts import PerTensor, RunInFullError
from zcbench.harness.passes.spec import (
    ActivationPatterns,
    BatchVariance,
    ChannelFisher,
    Forward,
    InputGradientCorrelation,
    Inputs,
    Logits,
    Norm,
    ParamGradient,
    PoolInput,
    ReluGram,
    WeightHessianGradient,
    Weights,
)

DRAWN = Forward(inputs=Inputs.GAUSSIAN, weights=Weights.NORMAL)
EVERYTHING = (
    ParamGradient(), ChannelFisher(), InputGradientCorrelation(), WeightHessianGradient(), Logits(), ReluGram(),
    ActivationPatterns(), PoolInput(DRAWN), Logits(Forward(inputs=Inputs.ONES, norm=Norm.OFF)),
)  # fmt: skip


def nobody(x: Tensor, first: Tensor) -> None:
    """Change nothing."""


def change_input(x: Tensor, first: Tensor) -> None:
    x.mul_(-2).add_(0.1)


def change_result(x: Tensor, first: Tensor) -> None:
    first.mul_(-2)


class Forked(nn.Module):
    """Two ReLUs and three poolings, two of them alike, that begin at one tensor, and what happens in between."""

    def __init__(self, between: Callable[[Tensor, Tensor], None] = nobody) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.heads = nn.ModuleList([
            nn.ReLU(), nn.AvgPool2d(3, stride=1, padding=1), nn.AvgPool2d(5, stride=1, padding=2), nn.ReLU(),
            nn.AvgPool2d(3, stride=1, padding=1),
        ])  # fmt: skip
        self.pool, self.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 3)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        found = []
        for layer in self.heads:
            found.append(layer(x))
            self.between(x, found[-1])
        weighted = [number * y for number, y in enumerate(found, 1)]
        return self.classifier(self.pool(torch.stack(weighted).sum(0)).flatten(1))


@contextmanager
def nothing_shared(_: object) -> Iterator[None]:
    """Leave all layers alone."""
    yield


def both_ways(network: nn.Module, monkeypatch: pytest.MonkeyPatch, *quantities: Any) -> tuple[Any, Any]:
    """Values with sharing and without."""
    shared = evaluate(network, batch(), plan(quantities), key=KEY).values
    with monkeypatch.context() as patch:
        patch.setattr(evaluating, "shared_layers", nothing_shared)
        return shared, evaluate(network, batch(), plan(quantities), key=KEY).values


def close(one: Any, other: Any) -> bool:
    """Say whether values agree but for the order of additions in float64."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    return bool((one - other).double().norm() <= 1e-9 * other.double().norm())


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The layers that have computed something."""
    calls: list[str] = []
    for kind in (nn.ReLU, nn.AvgPool2d):

        def counted(self: nn.Module, input: Tensor, real: Any = kind.forward) -> Any:  # noqa: A002
            calls.append(f"{type(self).__name__}({self.extra_repr()})")
            return real(self, input)

        monkeypatch.setattr(kind, "forward", counted)
    return calls


@pytest.mark.parametrize("name", ["plain", "branchy", "nasbench201"])
def test_every_quantity_is_what_it_is_without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = EVERYTHING if name == "branchy" else (*EVERYTHING, BatchVariance(DRAWN))
    shared, alone = both_ways(make(name), monkeypatch, *chosen)
    for quantity in chosen:
        assert close(shared[quantity], alone[quantity]), quantity


def test_layers_that_compute_the_same_run_once(executed: list[str]) -> None:
    network, x = Forked(), torch.randn(2, 3, 8, 8)
    network(x)
    every = list(executed)
    assert len(every) == 5
    with shared_layers(network.modules()):
        network(x)
        network(x)  # it makes another tensor
    assert executed == [*every, *every[:3], *every[:3]]
    network(x)
    assert executed[-5:] == every
    assert not any("forward" in vars(module) for module in network.modules())


def test_an_evaluation_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Forked().double()
    seen: list[int] = []
    network.heads[3].register_forward_hook(lambda module, inputs, output: seen.append(id(output)))
    network.heads[0].register_forward_hook(lambda module, inputs, output: seen.append(id(output)))
    both_ways(network, monkeypatch, ParamGradient())
    assert seen[0] == seen[1]
    assert seen[2] != seen[3]


@pytest.mark.parametrize("quantity", [Logits(), ReluGram(), InputGradientCorrelation()], ids=repr)
@pytest.mark.parametrize("between", [change_input, change_result])
def test_a_network_that_works_in_place_gets_what_it_computes(
    between: Callable[[Tensor, Tensor], None], quantity: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = Forked(between).double()
    if isinstance(quantity, InputGradientCorrelation):  # PyTorch differentiates only what it need not look up
        kept = (0, 3) if between is change_input else (1, 2, 4)
        network.heads = nn.ModuleList(network.heads[one] for one in kept)
    shared, alone = both_ways(network, monkeypatch, quantity)
    assert close(shared[quantity], alone[quantity])


def test_what_was_shared_and_then_changed_is_noticed() -> None:
    def last(x: Tensor, first: Tensor) -> None:
        results.append(first)

    def run() -> None:
        with torch.no_grad(), shared_layers(network.modules()):
            network(torch.randn(2, 3, 8, 8))
            assert results[0] is results[3]
            results[3].add_(1)

    results: list[Tensor] = []
    network = Forked(last)
    with pytest.raises(RunInFullError):
        run()
    assert not any("forward" in vars(module) for module in network.modules())


def test_an_error_in_the_network_is_raised_as_it_is() -> None:
    def fails(x: Tensor, first: Tensor) -> None:
        raise ValueError("in the network")

    network = Forked(fails)
    with pytest.raises(ValueError, match="in the network"), shared_layers(network.modules()):
        network(torch.randn(2, 3, 8, 8))
    assert not any("forward" in vars(module) for module in network.modules())


def test_layers_in_place_and_layers_of_others_run_each() -> None:
    class Own(nn.ReLU):
        """May do anything."""

    class Two(nn.Module):
        def __init__(self, kind: Callable[[], nn.Module]) -> None:
            super().__init__()
            self.layers = nn.ModuleList([kind(), kind()])

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([layer(x) for layer in self.layers])

    for kind in (lambda: nn.ReLU(inplace=True), Own):
        network = Two(kind)
        with shared_layers(network.modules()):
            assert not any("forward" in vars(module) for module in network.layers)


def test_results_go_with_the_tensors_they_were_computed_from() -> None:
    relu = nn.ReLU()
    x = torch.randn(4)
    with shared_layers([relu]):
        found = weakref.ref(relu(x))
        assert found() is relu(x)
        gone = torch.randn(5)
        other = weakref.ref(relu(gone))
        assert other() is not None
        del gone
        gc.collect()
        assert other() is None


def test_a_value_belongs_to_one_tensor_as_it_was() -> None:
    kept: PerTensor[str] = PerTensor()
    x, y = torch.zeros(3), torch.zeros(3)
    kept.put(x, "x")
    assert (kept.get(x), kept.get(y), kept.get(x.view(3))) == ("x", None, None)
    x.add_(1)
    assert kept.get(x) is None
    kept.put(x, "changed")
    assert kept.get(x) == "changed"
    del x
    assert not kept._kept
