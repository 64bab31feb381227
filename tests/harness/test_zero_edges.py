"""Edges of the operation none cost nothing, and no score shows it."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from networks import KEY, SPACES, batch
from zcbench.datasets.nasbench201.network import Zero
from zcbench.datasets.transnasbench101 import blocks
from zcbench.harness.candidate import measure
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.metric import Undefined
from zcbench.harness.passes import evaluate as evaluating
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.passes.shortcuts import RunInFullError
from zcbench.harness.passes.spec import (
    BatchVariance,
    ChannelFisher,
    Differentiated,
    Forward,
    HessianGradient,
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
from zcbench.harness.passes.zero_edges import Zeros, zero_edges
from zcbench.harness.registry import select

DRAWN = Forward(inputs=Inputs.GAUSSIAN, weights=Weights.NORMAL)
FLOW = Forward(inputs=Inputs.ONES, norm=Norm.OFF)
EVERYTHING = (
    ParamGradient(), ChannelFisher(), InputGradientCorrelation(), WeightHessianGradient(), Logits(), ReluGram(),
    PoolInput(DRAWN), BatchVariance(DRAWN), Logits(FLOW), HessianGradient(forward=Forward(norm=Norm.RUNNING)),
)  # fmt: skip
CELLS = {
    "one of many": "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|",
    "before another edge": "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|none~2|",
    "dead convolutions": "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    "behind zeros": "|none~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|skip_connect~2|",
    "a node of nothing": "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
    "disconnected": "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|none~2|",
    "disconnected, with weights": "|none~0|+|none~0|nor_conv_1x1~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|",
    "nothing at all": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
}


@contextmanager
def in_full(_: object) -> Iterator[None]:
    """Leave all edges alone."""
    yield


def both_ways(network: nn.Module, quantities: tuple[Any, ...] = EVERYTHING, **of_batch: Any) -> Iterator[Any]:
    """What every quantity is without the edges and with them."""
    found = [evaluate(network, batch(**of_batch), plan(quantities), key=KEY).values]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluating, "zero_edges", in_full)
        found.append(evaluate(network, batch(**of_batch), plan(quantities), key=KEY).values)
    return ((quantity, *(values[quantity] for values in found)) for quantity in quantities)


def close(one: Any, other: Any, quantity: Any) -> bool:
    """Say whether values are the same to the last bit, or gradients but for the order of additions."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key], quantity) for key in one)
    if isinstance(one, Undefined):
        return isinstance(other, Undefined) and str(one) == str(other)
    if not isinstance(quantity, Differentiated):
        return bool(torch.equal(one.nan_to_num(7), other.nan_to_num(7)))
    return torch.allclose(one, other, rtol=1e-9, atol=1e-12 * float(other.nan_to_num().abs().max()), equal_nan=True)


def cell(code: str) -> nn.Module:
    """A shallow network of NAS-Bench-201."""
    space = SPACES["nasbench201"]
    return initialise(space.build(space.parse(code), 3), INITIALISATIONS["pytorch"], seeded(*KEY)).double()


@pytest.fixture
def multiplied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The edges that have computed zeros."""
    calls: list[str] = []

    def counted(self: nn.Module, x: Tensor, real: Any = Zero.forward) -> Any:
        calls.append("none")
        return real(self, x)

    monkeypatch.setattr(Zero, "forward", counted)
    return calls


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)
def test_cells_keep_their_values(code: str) -> None:
    for quantity, spared, full in both_ways(cell(code)):
        assert close(spared, full, quantity), quantity


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)
def test_scores_do_not_depend_on_their_company(code: str) -> None:
    network, data, metrics = cell(code).float(), batch(dtype=torch.float32), select("nas_bench_suite_zero")
    together = measure(network, data, metrics, key=KEY)
    for metric in metrics:
        alone = measure(network, data, [metric], key=KEY)[metric.key]
        found = together[metric.key]
        assert (alone.value, alone.outcome, alone.reason) == (found.value, found.outcome, found.reason), metric.key


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("genotype", [(0, 3, 0, 1, 2, 3), (0, 0, 0, 3, 1, 0), (3, 0, 3, 2, 0, 0), (0,) * 6], ids=str)
def test_cells_of_transnasbench101_keep_their_values(genotype: tuple[int, ...], stride: int) -> None:
    torch.manual_seed(0)
    stem, wide = nn.Conv2d(3, 4, 3), blocks.Cell(genotype, 4, 4 * stride, stride)
    ends = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * stride, 3)
    network = nn.Sequential(stem, wide, blocks.Cell(genotype, 4 * stride, 4 * stride, 1), *ends).double()
    chosen = tuple(q for q in EVERYTHING if not isinstance(q, ReluGram | BatchVariance))  # some cells have no ReLU
    for quantity, spared, full in both_ways(network, chosen, side=9):
        assert close(spared, full, quantity), quantity


def test_the_shape_of_zeros_is_that_of_the_zeros() -> None:
    for zero in (Zero(), *(blocks.Zero(4, out, stride) for out in (4, 8) for stride in (1, 2))):
        for side in (1, 6, 7):
            x = torch.randn(2, 4, side, side + 1)
            assert zero.shape_of_zeros(x) == zero(x).shape


def test_no_edge_is_computed(multiplied: list[str]) -> None:
    network = cell(CELLS["one of many"])
    network(batch().inputs)
    assert multiplied == ["none"] * 3
    evaluate(network, batch(), plan((ParamGradient(), PoolInput(DRAWN))), key=KEY)
    assert len(multiplied) == 3
    assert not any("forward" in vars(module) for module in network.modules())


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_counts(value: float, multiplied: list[str]) -> None:
    """A weight on a dead edge, of which only 0 times its output arrives: no number all the same."""
    network = cell(CELLS["dead convolutions"])
    with torch.no_grad():
        network.cells[0].edges[0][1].weight[0, 0, 0, 0] = value
    (_, spared, full), *_ = both_ways(network, (Logits(), ParamGradient()))
    assert close(spared, full, Logits())
    assert spared.isnan().all()
    assert multiplied


class Summed(nn.Module):
    """A convolution whose output goes two ways: to a sum with an edge of zeros, and as it is."""

    def __init__(self, add: Callable[[Tensor, Tensor], Tensor], afterwards: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.stem, self.zero = nn.Conv2d(3, 4, 3, padding=1), Zero()
        self.pool, self.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 3)
        self.add, self.afterwards = add, afterwards

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        other = self.afterwards(self.add(x, self.zero(x)))
        return self.classifier(self.pool(x + 2 * other).flatten(1))


SUMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "x + 0": lambda x, zeros: x + zeros,
    "0 + x": lambda x, zeros: zeros + x,
    "add": lambda x, zeros: torch.add(x, zeros),
    "with alpha": lambda x, zeros: torch.add(x, zeros, alpha=2),
    "sum": lambda x, zeros: sum([zeros, x, zeros]),
    "of zeros": lambda x, zeros: zeros + zeros + 0.0,
    "difference": lambda x, zeros: zeros - x,
    "joined": lambda x, zeros: torch.cat([x, zeros], 1)[:, 2:6],
    "more images": lambda x, zeros: zeros[:1] + x,
    "in place": lambda x, zeros: zeros.add_(1) * x,
    "another type": lambda x, zeros: (zeros.float() + x.float()).double(),
    "one": lambda x, zeros: zeros + 1,
}
THEN: dict[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda y: y,
    "ReLU": torch.relu,
    "ReLU in place": lambda y: y.relu_(),
    "a part in place": lambda y: y.index_put_((torch.tensor(0),), torch.tensor(0.5, dtype=torch.float64)),
}


@pytest.mark.parametrize("afterwards", THEN.values(), ids=THEN)
@pytest.mark.parametrize("add", SUMS.values(), ids=SUMS)
def test_whatever_a_network_does_with_zeros(
    add: Callable[[Tensor, Tensor], Tensor], afterwards: Callable[[Tensor], Tensor]
) -> None:
    torch.manual_seed(0)
    network = Summed(add, afterwards).double()
    for quantity, spared, full in both_ways(network, (Logits(), ParamGradient(), InputGradientCorrelation())):
        assert close(spared, full, quantity), quantity


def test_work_in_place_on_a_sum_is_noticed_also_when_the_sum_is_gone() -> None:
    network = Summed(SUMS["x + 0"], THEN["ReLU in place"])
    with pytest.raises(RunInFullError), torch.no_grad(), zero_edges(network.modules()):
        network(torch.randn(2, 3, 8, 8))
    assert not any("forward" in vars(module) for module in network.modules())


def test_nothing_is_kept_of_a_sum() -> None:
    def watch(y: Tensor) -> Tensor:
        sums.append(weakref.ref(y.untyped_storage()))
        return y

    sums: list[Any] = []
    network = Summed(SUMS["x + 0"], watch)
    with torch.no_grad(), zero_edges(network.modules()):
        network(torch.randn(2, 3, 8, 8))
        gc.collect()
        assert [storage() for storage in sums] == [None]


@pytest.mark.parametrize("fails", [False, True])
def test_zeros_go_with_their_pass(fails: bool) -> None:
    def watch(y: Tensor) -> Tensor:
        seen.append(weakref.ref(y.untyped_storage()))
        if fails:
            raise ValueError("in the network")
        return y

    seen: list[Any] = []
    network = Summed(lambda x, zeros: zeros, watch)
    gc.collect()
    gc.disable()  # nobody looks for circles
    try:
        with suppress(ValueError), torch.no_grad(), zero_edges(network.modules()):
            network(torch.randn(2, 3, 8, 8))
        assert [storage() for storage in seen] == [None]
    finally:
        gc.enable()


def test_zeros_are_zeros_for_everybody_else() -> None:
    seen: list[Tensor] = []
    network = nn.Sequential(Zero(), nn.ReLU())
    network[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    with zero_edges(network.modules()):
        found = network(x)
        (zeros,) = seen
        assert isinstance(zeros, Zeros)
        assert type(found) is type(zeros.mul(2)) is type(zeros[0]) is Tensor
        assert torch.equal(found, torch.zeros_like(x))
        assert zeros.stride() == found.stride() == x.stride()
        assert not zeros.requires_grad


@pytest.mark.parametrize(("stands_for", "computed"), [("cpu", 0), ("cuda", 3), ("", 3)])
def test_edges_run_as_they_are_where_the_host_would_have_to_wait(
    stands_for: str, computed: int, multiplied: list[str]
) -> None:
    on_cpu = batch()
    shapes = MiniBatch(on_cpu.inputs.to("meta"), on_cpu.targets.to("meta"), 3, stands_for=stands_for)
    evaluate(cell(CELLS["one of many"]).to("meta"), shapes, plan((Logits(),)), key=KEY)
    assert len(multiplied) == computed


def test_under_inference_mode_everything_is_computed(multiplied: list[str]) -> None:
    network, chosen = cell(CELLS["one of many"]), (ReluGram(), PoolInput(DRAWN), BatchVariance(DRAWN))
    found = evaluate(network, batch(), plan(chosen), key=KEY).values
    assert not multiplied
    with torch.inference_mode():
        inside = evaluate(network, batch(), plan(chosen), key=KEY).values
    assert len(multiplied) == 2 * 3
    for quantity in chosen:
        assert close(inside[quantity], found[quantity], quantity)
