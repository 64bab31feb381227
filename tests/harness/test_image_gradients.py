"""Gradients of single images, the kernel that they span, and the inequalities between the metrics made of them."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from networks import KEY, batch, make, usable
from references import Setting, find
from references.hnas_trace import jacobian, untrained
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.bound import SINGULAR
from zcbench.harness.candidate import Result, measure
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes import image_gradients, wide_layers
from zcbench.harness.passes import jacobian as kernels
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.image_gradients import LayerRecorder, image_rows
from zcbench.harness.passes.jacobian import UNTRAINED, JacobianNorms, TangentKernel
from zcbench.harness.passes.observe import observed
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch, Run
from zcbench.harness.passes.spec import Forward, Norm, Procedure
from zcbench.harness.registry import metrics, select
from zcbench.harness.timing import Clock
from zcbench.harness.types import Loss, Outcome, Task


class Every(nn.Module):
    """Convolutions of all kinds, one that runs twice, and a linear layer on several positions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding="same", padding_mode="reflect")
        self.groups = nn.Conv2d(4, 8, 3, padding=(1, 0), dilation=2, groups=2, bias=False)
        self.twice = nn.Conv2d(8, 8, 3, padding=1)
        self.point = nn.Conv2d(8, 6, 1, stride=2)
        self.mix = nn.Linear(6, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.groups(torch.tanh(self.first(x))))
        x = self.point(torch.tanh(self.twice(torch.tanh(self.twice(x)))))
        return self.head(torch.tanh(self.mix(x.flatten(2).transpose(1, 2))).mean(1))


def every() -> nn.Module:
    with torch.device("meta"):
        network = Every()
    return initialise(network, INITIALISATIONS["pytorch"], seeded("every")).double()


def score(network: nn.Module, data: MiniBatch, *names: str) -> dict[str, Result]:
    return measure(network, data, select(",".join(names)), key=KEY)


def value(network: nn.Module, data: MiniBatch, name: str) -> float:
    (result,) = score(network, data, name).values()
    assert result.outcome is Outcome.OK, result
    assert result.value is not None
    return result.value


def test_the_rows_of_every_kind_of_layer_are_those_of_vmap() -> None:
    network, data = every(), batch(5)
    parameters = {k: p.detach() for k, p in network.named_parameters()}

    def loss(p: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(network, p, (image[None],)), label[None])

    wanted = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, data.inputs, data.targets)
    recorder = LayerRecorder(JacobianNorms())
    with observed(dict(network.named_modules()), [recorder], Clock(data.inputs.device)):
        logits = network(data.inputs)
    total = nn.functional.cross_entropy(logits, data.targets, reduction="sum")
    found = dict(image_rows([total, 2 * total], recorder.layers()))
    names = [f"{k}.weight" for k in ("first", "groups", "twice", "point", "mix", "head")]
    for number, name in enumerate(names):
        torch.testing.assert_close(found[number][0], wanted[name].flatten(1), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(found[number][1], 2 * wanted[name].flatten(1), rtol=1e-10, atol=1e-12)
    biased = [c for c in recorder.layers() if c[0].module.bias is not None]
    for number, rows in image_rows([total], biased, image_gradients.bias_rows):
        name = ["first", "twice", "point", "mix", "head"][number] + ".bias"
        torch.testing.assert_close(rows[0], wanted[name].flatten(1), rtol=1e-10, atol=1e-12)


CELLS = (
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "|skip_connect~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|",
    "|none~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|skip_connect~2|",
)


def random_network(seed: int) -> nn.Module:
    """A chain with batch norm, of random depth, width and scale of the weights."""
    numbers = np.random.default_rng(seed)
    layers: list[nn.Module] = []
    channels = 3
    for _ in range(numbers.integers(1, 4)):
        width = int(numbers.integers(2, 6))
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    with torch.device("meta"):
        network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3))
    initialise(network, INITIALISATIONS["normal"], seeded("random", seed))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(float(numbers.uniform(0.1, 3.0)))
    return network.double()


@pytest.mark.parametrize("number", [*range(8), *CELLS])
def test_hnas_grad_is_at_most_root_two_times_hnas_trace(number: int | str) -> None:
    """For every network and both treatments of batch norm: the gradient of cross-entropy is at most √2 long."""
    if isinstance(number, str):
        space = BENCHMARK.space
        network = initialise(space.build(space.parse(number), 3), INITIALISATIONS["pytorch"], seeded(number)).double()
    else:
        network = random_network(number)
    data = batch(5)
    found = {k: r.value for k, r in score(
        network, data, "hnas_grad", "hnas_trace", "hnas_snip", "parameter_norm", "hnas_jacobian_max",
        "hnas_grad_coupled", "hnas_trace_coupled", "hnas_snip_coupled",
    ).items()}  # fmt: skip
    root = math.sqrt(2)
    assert 0 < found["hnas_grad"] <= root * found["hnas_trace"]
    assert 0 < found["hnas_grad_coupled"] <= root * found["hnas_trace_coupled"]
    assert found["hnas_snip"] <= root * found["parameter_norm"] * found["hnas_trace"]
    assert found["hnas_snip_coupled"] <= root * found["parameter_norm"] * found["hnas_trace_coupled"]
    assert found["hnas_trace"] <= found["hnas_jacobian_max"]


def kernel(network: nn.Module, data: MiniBatch, quantity: TangentKernel) -> Tensor:
    found = evaluate(network, data, plan([quantity]), key=KEY).values[quantity]
    assert isinstance(found, Tensor)
    return found


@pytest.mark.parametrize("norm", [Norm.RUNNING, Norm.BATCH])
def test_the_eigenvalues_add_up_to_the_squares_of_the_jacobian(norm: Norm) -> None:
    network, data = make("plain"), batch(6)
    forward = Forward(norm=norm)
    found = kernel(network, data, TangentKernel(forward))
    norms = evaluate(network, data, plan([JacobianNorms(forward)]), key=KEY).values[JacobianNorms(forward)]
    assert found.shape == (18, 18)
    assert float(torch.linalg.eigvalsh(found).sum()) == pytest.approx(float(norms.sum()), rel=1e-12)


def test_the_kernel_is_that_of_the_whole_jacobian() -> None:
    network, data = make("branchy"), batch(4)
    whole = jacobian(Setting(network, data.inputs, data.targets, 3, KEY, {}))  # [4, 3, p]
    rows = torch.from_numpy(whole).transpose(0, 1).flatten(0, 1)  # output by output
    torch.testing.assert_close(kernel(network, data, TangentKernel()), rows @ rows.T, rtol=1e-10, atol=1e-13)


def test_groups_of_layers_and_images_change_nothing_but_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    network, data = make("branchy"), batch(7)
    names = ("hnas_trace", "hnas_grasp", "gradsign", "knas", "ntk_condition(samples=7)", "te_nas_kappa(samples=7)")
    before = score(network, data, *names)
    monkeypatch.setattr(kernels, "KEPT", 21 * 100)  # not even two of its layers
    monkeypatch.setattr(image_gradients, "TOGETHER", 3)
    after = score(network, data, *names)
    for name, result in before.items():
        assert after[name].value == pytest.approx(result.value, rel=1e-9), name


@pytest.mark.parametrize("norm", [Norm.RUNNING, Norm.BATCH])
@pytest.mark.parametrize("summed", [False, True])
@pytest.mark.parametrize(("columns", "largest"), [(80, 576), (300, 576)])
def test_a_large_layer_is_cut_into_slices_that_fit(
    monkeypatch: pytest.MonkeyPatch, norm: Norm, summed: bool, columns: int, largest: int
) -> None:
    """Layers exceed the room, one with groups and one that runs twice (576 columns); no tensor of rows does."""
    network, data, quantity = every(), batch(4), TangentKernel(Forward(norm=norm), summed=summed)
    before = kernel(network, data, quantity)
    rows: list[int] = []
    outputs: list[int] = []
    widths: dict[int, int] = {}

    def spied(*given: Any) -> Tensor:
        found: Tensor = build(*given)
        weight = given[1][0].weight
        rows.append(found.numel())
        outputs.append(sum(gradients.numel() for gradients in given[0].values()))
        widths[id(weight)] = widths.get(id(weight), 0) + found.shape[1]
        return found

    build = wide_layers._rows
    monkeypatch.setattr(wide_layers, "_rows", spied)
    room = len(before) * columns
    monkeypatch.setattr(kernels, "KEPT", room)
    after = kernel(network, data, quantity)
    torch.testing.assert_close(after, before, rtol=1e-12, atol=1e-15)
    assert max(rows) <= room
    assert max(widths.values()) == largest
    assert len(rows) > len(widths)
    if columns > 4 * 2 * 36:  # else a single channel of two outputs of 6 x 6 is more than the room
        assert max(outputs) <= room


def test_ordinary_layers_take_no_pass_more_than_their_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """18 rows: 3 passes with running statistics, 18 with those of the batch; a layer that is cut takes one more."""
    network, data = make("plain"), batch(6)
    calls: list[int] = []
    plain = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: calls.append(1) or plain(*a, **k))
    for norm, passes in ((Norm.RUNNING, 3), (Norm.BATCH, 18)):
        calls.clear()
        kernel(network, data, TangentKernel(Forward(norm=norm)))
        assert len(calls) == passes


class Linear(nn.Module):
    """f(x) = V U x."""

    def __init__(self) -> None:
        super().__init__()
        self.u = nn.Linear(12, 7, bias=False)
        self.v = nn.Linear(7, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.v(self.u(x.flatten(1)))


@pytest.mark.parametrize("loss", [Loss.CROSS_ENTROPY, Loss.MEAN_SQUARED])
def test_two_linear_layers_have_closed_forms(loss: Loss) -> None:
    """With r = ∂ℓ/∂f: g_U = Vᵀ r xᵀ and g_V = r (U x)ᵀ; the network is homogeneous of degree two."""
    network = Linear().double()
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(6, 3, 2, 2, generator=generator).double()
    labels = torch.arange(6) % 3
    if loss is Loss.CROSS_ENTROPY:
        data, y = MiniBatch(x, labels, 3), nn.functional.one_hot(labels, 3).double()
    else:
        y = torch.randn(6, 3, generator=generator).double()
        data = MiniBatch(x, y, 3, Task("numbers", loss, 3))
    u, v, x = network.u.weight.detach(), network.v.weight.detach(), x.flatten(1)
    hidden, f = x @ u.T, x @ u.T @ v.T
    p = f.softmax(1)
    r = p - y if loss is Loss.CROSS_ENTROPY else 2 / 3 * (f - y)
    # Along the weights f changes by 2 f, and r by ℓ'' 2 f.
    moved = 2 * (p * f - p * (p * f).sum(1, keepdim=True)) if loss is Loss.CROSS_ENTROPY else 2 / 3 * 2 * f
    xx, hh = x.square().sum(1), hidden.square().sum(1)
    closed = {
        "hnas_grad": math.hypot(float(((r @ v).T @ x / 6).norm()), float((r.T @ hidden / 6).norm())),
        "hnas_snip": float((2 * r * f).sum(1).abs().mean()),
        "hnas_grasp": float(
            (
                ((r @ v).square().sum(1) + ((r @ v) * (moved @ v)).sum(1)) * xx
                + (r.square().sum(1) + (r * moved).sum(1)) * hh
            ).abs().mean()
        ),
        "hnas_trace": float((v.square().sum() * xx + 3 * hh).mean().sqrt()),
        "nasi_trace": float(((r @ v).T @ x / 6).square().sum() + (r.T @ hidden / 6).square().sum()),
    }
    theta = torch.kron(v @ v.T, x @ x.T) + torch.kron(torch.eye(3).double(), hidden @ hidden.T)
    torch.testing.assert_close(kernel(network, data, TangentKernel()), theta, rtol=1e-12, atol=1e-13)
    for name, wanted in closed.items():
        assert value(network, data, name) == pytest.approx(wanted, rel=1e-12), name
    # Without batch norm both treatments of it are the same.
    for name in ("hnas_grad", "hnas_snip", "hnas_grasp", "hnas_trace"):
        assert value(network, data, f"{name}_coupled(samples=6)") == pytest.approx(closed[name], rel=1e-12), name
    assert value(network, data, "knas") == pytest.approx(closed["nasi_trace"], rel=1e-12)
    eigenvalues = torch.linalg.eigvalsh(theta)
    wanted = float(eigenvalues[-1] / eigenvalues[0])
    assert value(network, data, "ntk_condition(samples=6)") == pytest.approx(wanted, rel=1e-8)


def test_nasi_trace_is_the_square_of_the_coupled_gradient_norm() -> None:
    network, data = make("nasbench201"), batch(6)
    norm = value(network, data, "hnas_grad_coupled(samples=6)")
    trace = value(network, data, "nasi_trace")
    assert trace == pytest.approx(norm**2, rel=1e-12)
    assert value(network, data, f"nasi_reward(mu=2,nu={trace / 2})") == pytest.approx(0, abs=1e-9 * trace)
    assert value(network, data, f"nasi_reward(mu=2,nu={trace * 2})") == trace


def test_a_singular_kernel_has_the_one_value_that_says_so() -> None:
    data = batch(4)
    twins = MiniBatch(data.inputs[[0, 0, 1, 2]], data.targets, 3)
    for name in ("ntk_condition(samples=4)", "ntk_condition_coupled", "te_nas_kappa(samples=4)"):
        assert value(make("plain"), twins, name) == SINGULAR, name
        assert 1 < value(make("plain"), data, name) < SINGULAR / 100, name


def test_a_kernel_of_nothing_is_undefined() -> None:
    network = make("plain")
    with torch.no_grad():
        network.head.weight.fill_(math.nan)
    result = score(network, batch(8), "ntk_condition")["ntk_condition"]
    assert (result.outcome, result.reason) == (Outcome.UNDEFINED, "the tangent kernel is not finite")
    zero = kernels.condition_number(torch.zeros(3, 3, dtype=torch.float64))
    assert [reason for held, reason in zero.conditions if held] == ["the tangent kernel is zero"]


def test_images_alone_are_mini_batches_of_one_on_a_real_cell() -> None:
    network, data = make("nasbench201"), batch(3, 16)
    wanted = find("gradsign")(Setting(network, data.inputs, data.targets, 3, KEY, {}))
    assert value(network, data, "gradsign") == wanted


class Auxiliary(nn.Module):
    """A batch norm over one position: in the network's way, beside it or nowhere."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.body, self.head, self.where = nn.Conv2d(3, 4, 3), nn.Linear(4, 3), where
        self.small, self.norm = nn.Conv2d(4, 4, 6), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.body(x))
        if self.where != "nowhere":
            small = self.norm(self.small(x)).flatten(1)
        return self.head(small if self.where == "through" else x.mean(dim=(2, 3)))


def test_one_position_has_no_statistics_alone() -> None:
    networks = {where: Auxiliary(where).double() for where in ("through", "beside", "nowhere")}
    networks["nowhere"].load_state_dict(networks["beside"].state_dict())
    found = {where: score(network, batch(), "gradsign", "knas") for where, network in networks.items()}
    for name in ("gradsign", "knas"):
        assert found["through"][name].outcome is Outcome.UNDEFINED
        assert "over a single position" in found["through"][name].reason
        assert found["beside"][name].outcome is Outcome.OK
        assert found["beside"][name].value == found["nowhere"][name].value


def test_tasks_without_a_vector_or_a_class_say_so() -> None:
    data = batch(4)
    dense = MiniBatch(data.inputs, torch.rand(4, 3, 8, 8).double(), 3, Task("painting", Loss.MEAN_SQUARED, 3, True))
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)).double()
    found = score(network, dense, "hnas_trace", "ntk_condition(samples=4)", "hnas_trace_code", "hnas_grad", "hnas_snip")
    for name in ("hnas_trace", "ntk_condition(samples=4)"):
        assert found[name].reason == "the output of the task painting is an image, not a vector"
    assert found["hnas_trace_code"].reason == "images have no class in the task painting"
    assert found["hnas_grad"].outcome is found["hnas_snip"].outcome is Outcome.OK


@pytest.mark.parametrize("loss", list(Loss))
def test_the_losses_of_images_have_the_mean_that_is_differentiated(loss: Loss) -> None:
    network, data = make("plain"), batch(4)
    task = None if loss is Loss.CROSS_ENTROPY else Task("numbers", loss, 3)
    targets = data.targets if task is None else torch.rand(4, 3).double()
    found = score(network, MiniBatch(data.inputs, targets, 3, task), "hnas_grad", "hnas_snip", "hnas_grasp", "knas")
    assert {r.outcome for r in found.values()} == {Outcome.OK}
    logits = network.eval()(data.inputs)
    run = Run(network, MiniBatch(data.inputs, targets, 3, task), KEY, Clock(data.inputs.device))
    torch.testing.assert_close(image_gradients.image_losses(run, logits).mean(), run.loss(logits))


def test_running_statistics_separate_the_images_and_those_of_the_batch_do_not() -> None:
    """The definition of the default metrics: an image's Jacobian does not depend on its company."""
    network, data = make("plain"), batch(6)
    few = MiniBatch(data.inputs[:3], data.targets[:3], 3)
    for forward, same in ((UNTRAINED, True), (Forward(), False)):
        quantity = JacobianNorms(forward)
        of_six, of_three = (
            evaluate(network, d, plan([quantity]), key=KEY).values[quantity][:3] for d in (data, few)
        )
        assert torch.allclose(of_six, of_three, rtol=1e-10) == same
    torch.testing.assert_close(untrained(Setting(network, data.inputs, data.targets, 3, KEY, {})).training, False)


def test_the_plan_says_what_grows_with_the_mini_batch() -> None:
    wanted = {
        "hnas_trace": "a backward for every output",
        "ntk_condition": "a backward for every output",
        "hnas_trace_coupled": "a backward for every image and output",
        "ntk_condition_coupled": "a backward for every image and output",
        "hnas_grasp_coupled": "a backward for every image",
        "te_nas_kappa": "a backward for every image",
        "gradsign": "a gradient for every image",
        "knas": "a gradient for every image",
    }
    for name, words in wanted.items():
        (quantity,) = usable(name).needs.quantities()
        assert isinstance(quantity, Procedure)
        assert quantity.passes.words.startswith(words), name
    assert metrics()["knas"].needs.quantities() == metrics()["gradsign"].needs.quantities()
    shared = plan(q for m in select("nasi_trace,grad_norm,snip") for q in m.needs.quantities())
    assert shared.totals == {"forwards": 1, "backwards": 1}
