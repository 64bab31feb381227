"""The Hessian-vector product: that of a plain double backward, and first derivatives that keep their bits."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from networks import KEY, batch, make
from zcbench.datasets import images
from zcbench.datasets.registry import benchmark, benchmarks
from zcbench.harness.candidate import measure
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes import evaluate as evaluation
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import LOSSES, MiniBatch
from zcbench.harness.passes.second_order import SecondOrder
from zcbench.harness.passes.spec import (
    ChannelFisher,
    HessianGradient,
    InputGradientCorrelation,
    Logits,
    ParamGradient,
    Quantity,
    Recorded,
    ReluGram,
    Target,
    WeightHessianGradient,
)
from zcbench.harness.passes.state import Parts, like_images, prunable
from zcbench.harness.registry import select
from zcbench.harness.space import SearchSpace
from zcbench.harness.types import Loss, Outcome

PRODUCTS = (HessianGradient(), WeightHessianGradient(), ParamGradient())
FIRST = (
    ParamGradient(), ChannelFisher(), InputGradientCorrelation(), ParamGradient(Target.LOGIT_SUM), Logits(), ReluGram(),
)  # fmt: skip


def plainly(network: nn.Module, data: MiniBatch) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """g, H g and θᵀ H g by PyTorch alone, on a copy."""
    network = copy.deepcopy(network).train()
    names = prunable(Parts.of(network))
    laid = {n: like_images(p.detach()).requires_grad_(n in names) for n, p in network.named_parameters()}
    task = data.task
    output = functional_call(network, laid, (like_images(data.inputs),))
    loss = LOSSES[Loss.CROSS_ENTROPY if task is None else task.loss](output, data.targets)
    weights = [laid[name] for name in names]
    gradient = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
    slope = torch.stack([(g.detach() * g).sum() for g in gradient if g.requires_grad]).sum()
    product = torch.autograd.grad(slope, weights, materialize_grads=True)
    form = torch.stack([(w.detach() * p).sum() for w, p in zip(weights, product, strict=True)]).sum()
    return dict(zip(names, gradient, strict=True)), dict(zip(names, product, strict=True)), form


def agrees(network: nn.Module, data: MiniBatch, tolerance: float = 1e-9) -> None:
    """Compare with PyTorch alone; the vector as a whole, since entries of it cancel to rounding."""
    torch.manual_seed(0)
    gradient, product, form = plainly(network, data)
    torch.manual_seed(0)
    found = evaluate(network, data, plan(PRODUCTS), key=KEY).values
    for name, g in gradient.items():  # the order of additions may differ
        assert (found[ParamGradient()][name] - g).norm() <= 1e-12 * g.norm(), name
    vector = torch.cat([p.flatten() for p in product.values()])
    ours = torch.cat([found[HessianGradient()][name].flatten() for name in product])
    assert vector.any()
    assert (ours - vector).norm() <= tolerance * vector.norm()
    size = torch.cat([g.flatten() for g in gradient.values()]).norm()  # the sum of the form may cancel
    assert abs(found[WeightHessianGradient()] - form) <= tolerance * max(abs(form), size * vector.norm())


class Around(nn.Module):
    """A stem, one kind of layer with a batch norm behind it, and a head."""

    def __init__(self, *layers: nn.Module, channels: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.stem(x))
        return self.head(x.mean(dim=(2, 3)) if x.dim() == 4 else x)


class Modified(nn.Conv2d):
    """A convolution whose weight is not its parameter, but made from it."""

    def forward(self, x: Tensor) -> Tensor:
        once = functional.conv2d(x, torch.tanh(self.weight), self.bias, padding=1)
        return once + functional.conv2d(x, self.weight, padding="same") * (self.weight.square().sum() + 1)


class Twice(nn.Module):
    """One convolution and one norm that run twice; the first run's output is used by both."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        first = self.one(x)
        return torch.sigmoid(self.norm(self.one(self.norm(first)).relu())) * first


class AlongOneAxis(nn.Module):
    """Layers of other dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Sequential(nn.Conv1d(4, 5, 3, padding=1), nn.BatchNorm1d(5), nn.ReLU())
        self.back = nn.ConvTranspose1d(5, 6, 4, stride=2)
        self.flat = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.flat(self.back(self.line(x.flatten(2))).mean(dim=2))


class Assigned(nn.Module):
    """A layer whose output is written over in part."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        twice = y + y
        y[:, :2] = x[:, :2] * 3
        return y + twice


class Gated(nn.Module):
    """A layer whose output is multiplied with what is computed from it."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 1)
        self.gate = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        return y * torch.softmax(self.gate(y.mean(dim=(2, 3))), dim=1)[:, :, None, None]


class Joined(nn.Module):
    """Outputs of layers in other forms and places, and a norm with running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 1)
        self.register_buffer("mean", torch.rand(4))
        self.register_buffer("variance", torch.rand(4) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x) + x.mean(dim=(2, 3), keepdim=True) + 1
        normal = functional.batch_norm(y, self.mean, self.variance)
        parts = torch.cat([normal * 3, torch.ones_like(x), -x / 2, x.sum(1, keepdim=True) + y], dim=1)
        turned = functional.pad(parts, (1, 0, 0, 1))[:, 2:10].permute(0, 1, 3, 2).contiguous()
        return functional.max_pool2d(turned, (3, 2), stride=2, padding=1, ceil_mode=True)


class Spread(nn.Module):
    """A derivative that lies in memory once for all places, where the tensor itself has them all."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 1)
        self.two = nn.Linear(4 * 64, 4)

    def forward(self, x: Tensor) -> Tensor:
        means = self.one(x).mean(dim=(2, 3), keepdim=True)
        return torch.relu(self.two((means + torch.ones(x.shape, dtype=x.dtype)).view(len(x), -1)))


class Aside(nn.Conv2d):
    """Computes something on the way that has no rule, and that nobody uses."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        functional.relu(torch.sigmoid(y) + y, inplace=True).sum()
        return y


class Onlooker:
    """A recorder that computes with the tensors of the graph, in ways that have no rule."""

    types = (nn.Conv2d, nn.ReLU)

    def __init__(self, quantity: Quantity) -> None:
        self.quantity = quantity
        self.seen: list[Tensor] = []

    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        total = torch.sigmoid(output) + output * output
        self.seen.append(functional.relu(total.flatten(1), inplace=True).sum())

    def value(self) -> Tensor:
        return torch.stack(self.seen).sum().detach()


@dataclass(frozen=True)
class Looked(Recorded):
    """What an onlooker has seen."""

    def recorder(self) -> Onlooker:
        return Onlooker(self)


def starting(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """A norm with weights that are no ones and zeros."""
    norm.weight.data.uniform_(0.5, 2)
    norm.bias.data.normal_()
    return norm


KINDS: dict[str, Callable[[], nn.Module]] = {
    "weights of the norm": lambda: Around(nn.Conv2d(4, 4, 3, bias=False), starting(nn.BatchNorm2d(4)), nn.ReLU()),
    "groups": lambda: Around(nn.Conv2d(4, 4, 3, groups=2), nn.BatchNorm2d(4), nn.ReLU()),
    "depthwise, dilated": lambda: Around(nn.Conv2d(4, 4, 3, dilation=2, groups=4, padding=2), nn.BatchNorm2d(4)),
    "strides": lambda: Around(nn.Conv2d(4, 4, (3, 1), stride=(2, 1), padding=(1, 0)), nn.BatchNorm2d(4), nn.ReLU()),
    "padding by name": lambda: Around(nn.Conv2d(4, 4, 3, padding="same"), nn.BatchNorm2d(4), nn.ReLU()),
    "reflected": lambda: Around(nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(4), nn.ReLU()),
    "transposed": lambda: Around(
        nn.ConvTranspose2d(4, 4, 3, stride=2, output_padding=1, groups=2), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)
    ),
    "no weights of the norm": lambda: Around(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, affine=False), nn.ReLU()),
    "no momentum": lambda: Around(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, momentum=None), nn.ReLU()),
    "no statistics": lambda: Around(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()),
    "a large eps": lambda: Around(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, eps=0.5), nn.ReLU()),
    "no norm": lambda: Around(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.Softplus()),
    "other norms": lambda: Around(nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4), nn.Conv2d(4, 4, 1), nn.InstanceNorm2d(4),
                                  nn.ReLU()),
    "in place": lambda: Around(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1)),
    "poolings": lambda: Around(nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4),
                               nn.MaxPool2d(2), nn.SiLU(), nn.AdaptiveAvgPool2d(2)),
    "spread": lambda: Around(Spread()),
    "aside": lambda: Around(Aside(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
    "assigned": lambda: Around(Assigned(), nn.BatchNorm2d(4), nn.ReLU()),
    "gated": lambda: Around(Gated(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU()),
    "joined": lambda: Around(Joined(), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4), nn.ReLU()),
    "modified weights": lambda: Around(Modified(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
    "twice": lambda: Around(Twice(), nn.BatchNorm2d(4), nn.ReLU()),
    "one axis": lambda: Around(AlongOneAxis()),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_is_differentiated_twice_as_pytorch_does(kind: str) -> None:
    torch.manual_seed(1)
    agrees(KINDS[kind]().double(), batch(6, 8))


@pytest.mark.parametrize(
    "kind", ["groups", "strides", "padding by name", "transposed", "a large eps", "joined", "spread", "aside"]
)
def test_layers_with_a_rule_need_no_double_backward(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(evaluation, "hessian_gradient")
    evaluate(KINDS[kind]().double(), batch(6, 8), plan([WeightHessianGradient()]), key=KEY)


@pytest.mark.parametrize("name", ["plain", "branchy", "nasbench201"])
def test_it_is_that_of_a_plain_double_backward(name: str) -> None:
    agrees(make(name), batch(6, 16))


def test_a_layer_of_a_tied_weight_counts_twice() -> None:
    torch.manual_seed(1)
    network = Around(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
    network.layers[2].weight = network.layers[0].weight
    agrees(network.double(), batch(6, 8))


MADE = ("plain", "branchy", "nasbench201")


def test_the_first_derivatives_keep_their_bits() -> None:
    """All scores but grasp's are what they are without it, also where float32 rounds."""
    narrow = nn.Sequential(nn.Conv2d(3, 1, 3, bias=False), nn.BatchNorm2d(1), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    tried = [(name, make(name, torch.float32), batch(9, 16, torch.float32)) for name in MADE]
    # PyTorch chooses kernels by strides, which say nothing where a dimension has size 1.
    tried += [("narrow", narrow, batch(n, 8, torch.float32)) for n in (1, 6)]
    for name, network, data in tried:
        alone = evaluate(network, data, plan(FIRST), key=KEY).values
        together = evaluate(network, data, plan([*FIRST, *PRODUCTS]), key=KEY).values
        for quantity in FIRST:
            one, other = alone[quantity], together[quantity]
            pairs = [(one[k], other[k]) for k in one] if isinstance(one, dict) else [(one, other)]
            assert all(torch.equal(a, b) for a, b in pairs), (name, quantity)


def test_the_number_has_the_same_bits_in_any_company() -> None:
    network, data = make("nasbench201", torch.float32), batch(9, 16, torch.float32)
    number = WeightHessianGradient()
    alone = evaluate(network, data, plan([number]), key=KEY).values[number]
    assert torch.equal(alone, evaluate(network, data, plan([*FIRST, *PRODUCTS]), key=KEY).values[number])


def test_who_looks_at_the_layers_meanwhile_does_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    network, data = make("nasbench201", torch.float32), batch(9, 16, torch.float32)
    number = WeightHessianGradient()
    alone = evaluate(network, data, plan([number]), key=KEY).values[number]
    monkeypatch.delattr(evaluation, "hessian_gradient")
    found = evaluate(network, data, plan([number, Looked()]), key=KEY).values
    assert found[Looked()] > 0
    assert torch.equal(alone, found[number])


def test_both_targets_can_be_differentiated_twice() -> None:
    network, data = make("plain"), batch(6, 8)
    both = [WeightHessianGradient(), WeightHessianGradient(Target.LOGIT_SUM), HessianGradient(Target.LOGIT_SUM)]
    found = evaluate(network, data, plan(both), key=KEY).values
    for quantity in both[:2]:
        alone = evaluate(network, data, plan([quantity]), key=KEY).values[quantity]
        torch.testing.assert_close(found[quantity], alone, rtol=1e-12, atol=0)
    assert not torch.equal(found[both[0]], found[both[1]])


def test_running_statistics_are_updated_as_ever() -> None:
    torch.manual_seed(1)
    for kind in (nn.BatchNorm2d(3), nn.BatchNorm2d(3, momentum=None)):
        theirs = kind.requires_grad_(False)  # learned weights of a norm are PyTorch's to differentiate
        ours = copy.deepcopy(theirs)
        for number in (0, 1):
            inputs = batch(5, 4, torch.float32).numbered(number)[0].requires_grad_()
            with SecondOrder():
                mine = ours(inputs)
            assert type(mine.grad_fn).__name__ == "BatchNormBackward"  # of this module, not PyTorch's own
            assert torch.equal(mine, theirs(inputs))
        for name, kept in theirs.named_buffers():
            assert torch.equal(kept, getattr(ours, name)), name


def test_one_value_a_channel_is_refused_as_ever() -> None:
    network = Around(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)).double()
    result = measure(network, batch(1, 8), select("grasp"), key=KEY)["grasp"]
    assert result.outcome is Outcome.FAILED
    assert "more than 1 value per channel" in result.reason


def kinds(name: str, sizes: dict[str, str]) -> list[SearchSpace]:
    """A space with networks of a size, once for each form of output and loss among its tasks."""
    found = benchmark(name)
    space = found.space.configured({k: v for k, v in sizes.items() if k in found.space.network})
    if "task" not in space.network:
        return [space]
    tasks = [space.configured({"task": task}) for task in dict.fromkeys(found.datasets)]
    return list({(t.task and (t.task.loss, t.task.dense)): t for t in tasks}.values())


def on_space(space: SearchSpace, *, count: int, side: int, size: int) -> None:
    connected = [a for a in space.sample(count + 20, seed=0) if space.disconnected(a) is None]
    for architecture in connected[:count]:
        network = initialise(space.build(architecture, 10), INITIALISATIONS["pytorch"], seeded("contract")).double()
        loaded = images.for_task(images.load("gaussian", batch_size=size, resolution=side), space.task)
        targets = torch.from_numpy(loaded.targets)
        targets = targets.double() if targets.is_floating_point() else targets
        data = MiniBatch(torch.from_numpy(loaded.inputs).double(), targets, loaded.classes, loaded.task)
        agrees(network, data, 1e-7)


SMALL = {"channels": "4", "cells": "3", "stem_channels": "8"}


@pytest.mark.usefixtures("one_cell_a_stage")
@pytest.mark.parametrize("name", sorted(set(benchmarks()) - {"transnasbench101_micro"}))
def test_it_is_right_on_a_small_network_of_every_space(name: str) -> None:
    """But for a space whose networks come in no small size, and which has the heads of another."""
    on_space(kinds(name, SMALL)[0], count=1, side=8 if name.startswith("transnas") else 16, size=4)


@pytest.mark.usefixtures("one_cell_a_stage")
@pytest.mark.parametrize("name", sorted(benchmarks()))
def test_networks_of_every_space_need_no_double_backward(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(evaluation, "hessian_gradient")
    space = kinds(name, SMALL)[0]
    architecture = next(a for a in space.sample(20, seed=2) if space.disconnected(a) is None)
    network = initialise(space.build(architecture, 10), INITIALISATIONS["pytorch"], seeded("contract"))
    assert measure(network, batch(2, 32, torch.float32), select("grasp"), key=KEY)["grasp"].outcome is Outcome.OK


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(benchmarks()))
def test_it_is_right_on_whole_networks_of_every_space(name: str) -> None:
    """Also with the auxiliary head of DARTS, and for every form of output and loss of a task."""
    for space in kinds(name, {}):
        on_space(space, count=1, side=32, size=3)
