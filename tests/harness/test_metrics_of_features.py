"""Metrics that look at features: az_*, meco, naswot, zen_*, te_nas_regions; closed forms and what has no value."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from networks import KEY, batch, make, origin
from references import Setting, find
from zcbench.datasets.nasbench101.space import Space as NasBench101Space
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.datasets.nasbench301.genotype import OPERATIONS
from zcbench.datasets.nasbench301.space import Space as DartsSpace
from zcbench.datasets.natsbench_size.space import Space as SizeSpace
from zcbench.datasets.transnasbench101.space import MicroSpace
from zcbench.harness.candidate import Result, measure
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.metric import Metric
from zcbench.harness.passes.cells import spectral_entropy
from zcbench.harness.passes.channels import channel_correlation
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.flow import NormedFlow
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.regions import distinct_rows
from zcbench.harness.passes.run import Origin
from zcbench.harness.registry import metrics
from zcbench.harness.types import Outcome


def score(network: nn.Module, one: Metric | str, n: int = 9, where: Origin | None = None) -> Result:
    one = metrics()[one] if isinstance(one, str) else one
    return measure(network, batch(n), [one], key=KEY, origin=where)[one.key]


def of_cell(text: str, name: str, n: int = 6) -> Result:
    space = Space()
    architecture = space.parse(text)
    network = initialise(space.build(architecture, 3), INITIALISATIONS["pytorch"], seeded(*KEY, text)).double()
    return score(network, name, n, Origin(space, architecture, 3, "pytorch@1", 0))


SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
TWICE = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


class Times(nn.Module):
    """A cell that multiplies and may pool."""

    is_cell = True

    def __init__(self, factor: float, pool: int = 1) -> None:
        super().__init__()
        self.factor, self.pool = factor, pool

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.factor
        return nn.functional.avg_pool2d(x, self.pool, ceil_mode=True) if self.pool > 1 else x


def chain(*cells: nn.Module) -> nn.Module:
    stem = nn.Conv2d(3, 4, 3, padding=1).double()
    return nn.Sequential(stem, *cells, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3).double())


def test_the_entropy_of_equal_and_of_single_eigenvalues() -> None:
    apart = torch.eye(4, dtype=torch.float64).repeat(1, 3)[:, :, None, None].transpose(0, 1)  # [12, 4, 1, 1]
    covariance = torch.linalg.eigvalsh(torch.eye(4).double() / 4 - 1 / 16)  # 0 and three times 1/4
    assert covariance.tolist() == pytest.approx([0, 0.25, 0.25, 0.25], abs=1e-12)
    assert float(spectral_entropy(apart)) == pytest.approx(math.log(3), abs=1e-6)
    together = torch.randn(12, 1, 2, 2, dtype=torch.float64).repeat(1, 4, 1, 1)
    assert float(spectral_entropy(together)) == pytest.approx(0, abs=1e-6)
    assert spectral_entropy(torch.ones(2, 4, 3, 3)).isnan()


def test_a_cell_that_multiplies_has_that_many_times_the_norm() -> None:
    def norm(factor: float) -> float:
        value = score(chain(Times(0.5), Times(factor)), "az_trainability").value
        assert value is not None
        first = score(chain(Times(0.5)), "az_trainability").value
        assert first is not None
        total = 2 * value - first - 2  # -s - 1/(s + 1e-6) of the second cell
        return (-total + math.sqrt(total**2 - 4)) / 2  # the larger root

    assert norm(6.0) == pytest.approx(3 * norm(2.0), rel=1e-5)


def test_cells_without_a_trainability_say_why() -> None:
    identity = of_cell(SKIP, "az_trainability")
    assert (identity.outcome, identity.reason) == (Outcome.UNDEFINED, "the Jacobian of a cell is the identity")
    assert of_cell(TWICE, "az_trainability").outcome is Outcome.OK
    assert of_cell(SKIP, "az_expressivity").outcome is Outcome.OK
    odd = score(chain(Times(0.5, pool=3)), "az_trainability")  # 8 is rounded up to 3
    assert (odd.outcome, odd.reason) == (
        Outcome.UNDEFINED, "a cell does not divide height and width by a whole number",
    )
    assert score(chain(Times(0.5, pool=2)), "az_trainability").outcome is Outcome.OK
    assert score(make("plain"), "az_trainability").reason == "the network has no cells to look between"


def test_constant_cells_have_no_entropy() -> None:
    for name in ("az_expressivity", "az_progressivity"):
        result = score(chain(Times(0.5), Times(0.0)), name)
        assert (result.outcome, result.reason) == (Outcome.UNDEFINED, "the output of a cell is constant")


def test_cells_are_marked_in_every_space() -> None:
    space = DartsSpace(channels=4, cells=3, auxiliary=False)
    architecture = space.sample(1, 0)[0]
    network = initialise(space.build(architecture, 3), INITIALISATIONS["pytorch"], seeded(1)).double()
    for name in ("az_expressivity", "az_progressivity", "az_trainability"):
        assert score(network, name).outcome is Outcome.OK


def test_channels_that_do_not_vary_correlate_with_nothing() -> None:
    rows = torch.randn(3, 5, 5, dtype=torch.float64)
    rows[1] = 0.1  # a constant whose mean is not exactly itself
    correlation = channel_correlation(rows)
    assert correlation[1].tolist() == [0, 0, 0]
    assert correlation.diagonal().tolist() == pytest.approx([1, 0, 1])
    assert channel_correlation(torch.randn(4)).abs().max() == 0  # one observation


def test_meco_counts_a_container_again() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3).double()
    once, twice = nn.Sequential(conv), nn.Sequential(nn.Sequential(conv))
    first, second = score(once, "meco").value, score(twice, "meco").value
    assert first is not None
    assert first > 0.01
    assert second == pytest.approx(1.5 * first)


def test_meco_sees_what_an_in_place_layer_makes_of_a_feature() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3).double(), nn.ReLU(inplace=True), nn.BatchNorm2d(4).double())
    data = batch()
    wanted = find("meco")(Setting(network, data.inputs, data.targets, 3, KEY, {}))
    assert score(network, "meco").value == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("name", ["meco", "synflow_bn"])
def test_a_single_value_in_a_norm_leaves_metrics_of_one_image_undefined(name: str) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3)
    ).double()
    result = score(network, name)
    assert result.outcome is Outcome.UNDEFINED
    assert "single value" in result.reason


class Idle(nn.Module):
    """A ReLU whose output is used, and one whose output nobody uses."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3).double(), nn.Conv2d(3, 4, 3).double()
        self.used, self.idle = nn.ReLU(), nn.ReLU()
        self.head = nn.Linear(4, 3).double()

    def forward(self, x: Tensor) -> Tensor:
        self.idle(self.second(x))
        return self.head(self.used(self.first(x)).mean(dim=(2, 3)))


def test_naswot_leaves_out_what_no_gradient_reaches() -> None:
    network, data = Idle(), batch(9)
    wanted = find("naswot")(Setting(network, data.inputs, data.targets, 3, KEY, {}))
    value = score(network, "naswot").value
    assert value == pytest.approx(wanted, rel=1e-10)
    assert value != pytest.approx(score(network, "nwot").value, rel=1e-3)
    network.idle = nn.Identity()
    assert score(network, "nwot").value == value


def test_naswot_is_nwot_on_a_cell_with_dead_edges() -> None:
    dead = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
    assert of_cell(dead, "naswot").value == of_cell(dead, "nwot").value


def test_naswot_is_undefined_where_no_relu_is_visited() -> None:
    network = Idle()
    network.used = nn.Identity()
    assert "same ReLU code" in score(network, "naswot").reason


def test_synflow_bn_does_not_see_the_scale_of_a_normalised_convolution() -> None:
    network = make("plain")
    before = score(network, "synflow_bn").value
    with torch.no_grad():
        network.body[0].weight.mul_(3.0)
    assert score(network, "synflow_bn").value == pytest.approx(before, rel=1e-3)


def test_synflow_bn_takes_rounding_for_no_flow() -> None:
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), *head)
    assert score(network.double(), "synflow_bn").reason == "no signal flows from the input to the output"


NO_RELU_LAST = "64-41414-3_10_203"
"""Its cells end in sums of batch norms, whose mean over the image is 0."""


def flow_of(
    network: nn.Module, side: int, *, change: Callable[[nn.Module], nn.Module] = lambda network: network
) -> tuple[float, Result]:
    """Σ of the flows, which the metric is the logarithm of where it is defined, and the result."""
    network = change(initialise(network, INITIALISATIONS["pytorch"], seeded("flow")))
    data = batch(2, side, torch.float32)
    flows = evaluate(network, data, plan([NormedFlow()]), key=KEY).values[NormedFlow()]
    return float(sum(flows.layers.values())), measure(network, data, [metrics()["synflow_bn"]], key=KEY)["synflow_bn"]


def test_synflow_bn_is_undefined_where_a_transnas_cell_ends_in_batch_norm() -> None:
    space = MicroSpace()
    total, result = flow_of(space.build(space.parse(NO_RELU_LAST), 47), 64)
    assert total > 1e-12  # rounding, but much of it (6e-10 was measured)
    assert result.reason == "no signal flows from the input to the output"


def test_synflow_bn_is_undefined_where_batch_norm_takes_the_signal_away() -> None:
    """The gradients of a signal that batch norm took away are huge.

    As in some cells of NAS-Bench-101; there it hangs on the order in which a processor adds up whether nothing is left
    or a rounding error, so here the first layer computes with powers of two, exactly in any order.
    """
    def normed(kernel: int, inputs: int = 8) -> tuple[nn.Module, nn.Module]:
        return nn.Conv2d(inputs, 8, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(8)

    def exact(network: nn.Module) -> nn.Module:
        with torch.no_grad():
            network.get_parameter("0.weight").fill_(0.25)
        return network

    deep = [layer for _ in range(10) for layer in normed(3)]
    head = (nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    total, result = flow_of(nn.Sequential(*normed(1, 3), *deep, *head), 16, change=exact)
    assert total > 1e12
    assert result.reason == "no signal flows from the input to the output"


def test_synflow_bn_has_a_value_on_nasbench101_cells_that_keep_the_signal() -> None:
    space = NasBench101Space()
    cells = space.sample(6, 0)
    for architecture in (cells[0], cells[4], cells[5]):
        total, result = flow_of(space.build(architecture, 10), 16)
        assert 1 < total < 1e6
        assert result.value == pytest.approx(math.log(total))


def test_synflow_bn_has_a_value_on_nasbench201_cells() -> None:
    space = Space()
    for architecture in space.sample(6, 0):
        total, result = flow_of(space.build(architecture, 10), 16)
        assert result.value == pytest.approx(math.log(total))


def test_logsynflow_of_one_layer() -> None:
    """For an image of ones every gradient of a single layer is 1, so each weight counts log 2 times."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 3)).double()
    wanted = float(network[1].weight.detach().abs().sum()) * math.log(2)
    assert score(network, "logsynflow").value == pytest.approx(wanted, rel=1e-12)


def test_zen_is_zen_running_with_one_repeat() -> None:
    running = metrics()["zen_running"]
    for name in ("plain", "branchy", "nasbench201"):
        assert score(make(name), running).value == score(make(name), "zen").value
    assert running.with_parameters(repeats=32).key == "zen_running(repeats=32)"


def test_the_zens_differ_by_the_variances_they_take() -> None:
    """One norm, so the difference of the scores is that of two logarithms."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    fresh, running = score(network, "zen_fresh").value, score(network, "zen").value
    assert fresh is not None
    assert running is not None
    held = Setting(network, *[batch().inputs, batch().targets], 3, KEY, {})
    redrawn = held.redrawn(0)
    x, other = held.gaussian("first", (9, 3, 8, 8)).double(), held.gaussian("second", (9, 3, 8, 8)).double()
    v1, v2 = (redrawn[0](i).transpose(0, 1).flatten(1).var(1).mean().detach() for i in (x, x + 0.01 * other))
    r = 0.9 * (0.9 + 0.1 * v1) + 0.1 * v2
    assert fresh - running == pytest.approx(float((v1 / r).log() / 2), rel=1e-9)


@pytest.mark.parametrize("columns", [1, 61, 62, 63, 200])
def test_rows_are_counted_exactly(columns: int) -> None:
    generator = torch.Generator().manual_seed(columns)
    kinds = torch.rand(40, columns, generator=generator) < 0.5
    kinds[20:] = kinds[:20]
    kinds[20:, -1] ^= True  # differ in the last column alone
    rows = kinds[torch.randint(0, 40, (300,), generator=generator)]
    assert int(distinct_rows(rows)) == len({tuple(row) for row in rows.tolist()})
    assert int(distinct_rows(rows[:1].repeat(5, 1))) == 1


def test_a_cell_without_convolutions_has_the_regions_of_one_relu() -> None:
    few = of_cell(TWICE, "te_nas_regions").value
    assert few is not None
    assert 1 < few <= 2**9
    many = of_cell("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|", "te_nas_regions")
    assert many.value is not None
    assert many.value > few


def test_regions_need_a_thin_network() -> None:
    assert "needs the search space" in score(make("nasbench201"), "te_nas_regions").reason
    space = SizeSpace()
    where = Origin(space, space.sample(1, 0)[0], 3, "pytorch@1", 0)
    assert "has no thin networks" in score(make("plain"), "te_nas_regions", where=where).reason


def test_every_operation_of_darts_fits_a_thin_network() -> None:
    """Among the operations is the skip connection that halves a side of 3."""
    space, values = DartsSpace(), set()
    few = metrics()["te_nas_regions"].with_parameters(samples=100, repeats=1)
    for operation in OPERATIONS:
        edges = ",".join(f"('{operation}',0),('{operation}',1)" for _ in range(4))
        genotype = f"Genotype(normal=[{edges}],normal_concat=[2,3,4,5],reduce=[{edges}],reduce_concat=[2,3,4,5])"
        where = Origin(space, space.parse(genotype), 3, "pytorch@1", 0)
        values.add(score(make("plain"), few, where=where).value)
    assert None not in values
    assert len(values) > 1


def test_the_thin_network_is_left_alone_and_drawn_anew() -> None:
    one = metrics()["te_nas_regions"].with_parameters(samples=50)
    network = make("nasbench201")
    before = copy.deepcopy(network.state_dict())
    first, second = (score(network, one, where=origin("nasbench201")).value for _ in range(2))
    assert first == second
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_swap_with_the_repeats_of_the_paper() -> None:
    paper = metrics()["swap"].with_parameters(repeats=32, samples=9)
    assert paper.key == "swap(repeats=32,samples=9)"
    assert len(paper.needs.quantities()) == 32
    data = batch()
    wanted = find("swap")(Setting(make("plain"), data.inputs, data.targets, 3, KEY, {"repeats": 32, "samples": 9}))
    assert score(make("plain"), paper).value == wanted
