"""Networks and mini-batches whose numbers are at fault: every metric has a value, or says why it has none."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from networks import KEY, batch, make, origin, usable
from zcbench.harness.candidate import Result, measure
from zcbench.harness.passes.run import NO_WEIGHTS, MiniBatch, Origin
from zcbench.harness.registry import metrics
from zcbench.harness.types import Outcome

Fault = Callable[[], tuple[nn.Module, MiniBatch]]


class Narrow(nn.Module):
    """One channel everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 1, 3, bias=False), nn.BatchNorm2d(1), nn.ReLU())
        self.head = nn.Linear(1, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


class Bare(nn.Module):
    """No parameters, no ReLU, no normalisation."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Linear(nn.Module):
    """No ReLU and no normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).mean((2, 3)))


class Constant(nn.Module):
    """Its output does not depend on its input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.relu = nn.ReLU()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(0 * self.relu(self.conv(x)).mean((2, 3)))


class Deep(nn.Module):
    """Twenty layers without normalisation, so that products of weights leave any range."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*(m for _ in range(20) for m in (nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())))
        self.head = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


def of(kind: type[nn.Module], dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    return kind().to(dtype)


def weights(value: float, *, every: bool = False) -> nn.Module:
    """The plain network with this value in one weight, or in all."""
    network = make("plain")
    with torch.no_grad():
        for parameter in network.parameters():
            if every:
                parameter.fill_(value)
            else:
                parameter.view(-1)[0] = value
                break
    return network


def scaled(network: nn.Module, factor: float) -> nn.Module:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(factor)
    return network


def dead() -> nn.Module:
    """Every ReLU is at zero for every image."""
    network = make("plain")
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.zero_()
                module.bias.fill_(-1)
    return network


def of_batch(change: Callable[[Tensor], Tensor]) -> MiniBatch:
    data = batch(6)
    return replace(data, inputs=change(data.inputs),
                   further=tuple((change(x), y) for x, y in data.further))  # fmt: skip


def of_class(n: int, number: int = 0) -> MiniBatch:
    data = batch(n)
    labels = torch.full((n,), number)
    return replace(data, targets=labels, further=tuple((x, labels) for x, _ in data.further))


def single(data: MiniBatch) -> MiniBatch:
    further = tuple((x.float(), y) for x, y in data.further)
    return MiniBatch(data.inputs.float(), data.targets, data.classes, further=further)


FAULTS: dict[str, Fault] = {
    "a NaN weight": lambda: (weights(math.nan), batch(6)),
    "an infinite weight": lambda: (weights(math.inf), batch(6)),
    "all weights NaN": lambda: (weights(math.nan, every=True), batch(6)),
    "all weights zero": lambda: (weights(0.0, every=True), batch(6)),
    "all weights equal": lambda: (weights(0.5, every=True), batch(6)),
    "weights of 1e200": lambda: (scaled(make("plain"), 1e200), batch(6)),
    "weights of 1e-200": lambda: (scaled(make("plain"), 1e-200), batch(6)),
    "deep, weights of 1e30": lambda: (scaled(of(Deep), 1e30), batch(6)),
    "deep in float32": lambda: (scaled(of(Deep, torch.float32), 1e4), single(batch(6))),
    "dead ReLUs": lambda: (dead(), batch(6)),
    "constant output": lambda: (of(Constant), batch(6)),
    "one channel": lambda: (of(Narrow), batch(6)),
    "one channel in float32": lambda: (of(Narrow, torch.float32), single(batch(6))),
    "no ReLU or normalisation": lambda: (of(Linear), batch(6)),
    "no parameters": lambda: (of(Bare), batch(6)),
    "constant images": lambda: (make("plain"), of_batch(torch.ones_like)),
    "black images": lambda: (make("plain"), of_batch(torch.zeros_like)),
    "equal images": lambda: (make("plain"), of_batch(lambda x: x[:1].expand_as(x).clone())),
    "NaN images": lambda: (make("plain"), of_batch(lambda x: x * math.nan)),
    "images of 1e200": lambda: (make("plain"), of_batch(lambda x: x * 1e200)),
    "one class": lambda: (make("plain"), of_class(6)),
    "two images": lambda: (make("plain"), batch(2)),
    "one image": lambda: (make("plain"), batch(1)),
    "one image of one channel": lambda: (of(Narrow, torch.float32), single(batch(1))),
}


SLOW = ("hnas_grasp", "hnas_grasp_coupled", "hnas_trace_coupled", "hnas_snip_coupled", "hnas_grad_coupled", "ntk_",
        "zero_cost_", "zeros_", "vkdnw", "dextr", "te_nas_", "az_", "zen", "flops", "t_cet")  # fmt: skip
"""Families that are tried together with all others in the slow suite only: they take passes of their own."""

NAMES = tuple(sorted(metrics()))
FAST = tuple(name for name in NAMES if not name.startswith(SLOW))
TRIED_FAST = ("a NaN weight", "weights of 1e200", "deep in float32", "dead ReLUs", "no parameters", "equal images",
              "one class", "one image")  # fmt: skip


def scored(fault: str, names: Sequence[str], where: Origin | None = None) -> dict[str, Result]:
    network, data = FAULTS[fault]()
    found = measure(network, data, [usable(name) for name in names], key=KEY, origin=where)
    return {name: found[usable(name).key] for name in names}


def faulty(results: dict[str, Result]) -> list[str]:
    """Return what is neither a finite number nor undefined with a reason."""
    return [
        f"{name}: {one}" for name, one in results.items()
        if not (one.outcome is Outcome.OK and one.value is not None and math.isfinite(one.value))
        and not (one.outcome is Outcome.UNDEFINED and one.value is None and one.reason)
    ]  # fmt: skip


@pytest.mark.parametrize("fault", TRIED_FAST)
def test_faulty_numbers_give_a_number_or_a_reason(fault: str) -> None:
    assert faulty(scored(fault, FAST)) == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_numbers_give_every_metric_a_number_or_a_reason_and_the_same_bits_as_alone(fault: str) -> None:
    together = scored(fault, NAMES)
    assert faulty(together) == []
    for name, one in together.items():
        (alone,) = scored(fault, [name]).values()
        assert (alone.value, alone.outcome, alone.reason) == (one.value, one.outcome, one.reason), name


@pytest.mark.slow
@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0])
def test_a_faulty_real_cell_gives_every_metric_a_number_or_a_reason(value: float) -> None:
    network = make("nasbench201")
    with torch.no_grad():
        next(network.parameters()).fill_(value)
    found = measure(network, batch(6), [usable(name) for name in NAMES], key=KEY, origin=origin("nasbench201"))
    assert faulty(found) == []


@pytest.mark.parametrize("fault", ["no parameters", "a NaN weight"])
def test_a_metric_without_a_value_leaves_the_others_their_bits(fault: str) -> None:
    names = ("naswot", "jacov", "grad_norm", "synflow", "params", "l2_norm", "plain")
    together = scored(fault, names)
    assert {one.outcome for one in together.values()} >= {Outcome.OK, Outcome.UNDEFINED}
    for name in names:
        (alone,) = scored(fault, [name]).values()
        assert (alone.value, alone.outcome, alone.reason) == (
            together[name].value, together[name].outcome, together[name].reason
        )  # fmt: skip


def test_without_weights_the_reason_says_so() -> None:
    found = scored("no parameters", ("snip", "grasp", "l2_norm", "zico", "hnas_grad", "gradsign", "vkdnw", "params"))
    assert found.pop("params").value == 0
    assert {one.reason for one in found.values()} == {NO_WEIGHTS}


def test_features_that_are_not_finite_leave_dextr_without_a_value() -> None:
    (found,) = scored("a NaN weight", ("dextr",)).values()
    assert (found.outcome, found.reason) == (Outcome.UNDEFINED, "features of a layer are not finite")
