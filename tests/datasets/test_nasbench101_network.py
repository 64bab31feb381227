import itertools

import pandas as pd
import pytest
import torch
from torch import nn

from zcbench.datasets.nasbench101.genotype import parse_cell, print_cell, pruned
from zcbench.datasets.nasbench101.network import Module, vertex_channels
from zcbench.datasets.nasbench101.space import Space
from zcbench.harness.errors import ZcbenchError

CHAIN = "input,conv3x3-bn-relu,output|010001000"
BARE = "input,maxpool3x3,output|011000000"
# the cell of the benchmark's introduction: two 3x3 convolutions in place of a 5x5 one, beside 1x1, 3x3, max pooling
INCEPTION = (
    "input,conv1x1-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,output|"
    "0111010" "0000001" "0000001" "0000100" "0000001" "0000001" "0000000"
)  # fmt: skip


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def counts(network, side):
    """Output values of each kind of layer for one image, multiply-accumulates of convolution and linear."""
    total = dict.fromkeys(("macs", "norm", "relu", "pool3", "pool2"), 0)

    def count(module, _, output):
        if isinstance(module, nn.Conv2d | nn.Linear):
            total["macs"] += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.BatchNorm2d):
            total["norm"] += output.numel()
        elif isinstance(module, nn.ReLU):
            total["relu"] += output.numel()
        elif isinstance(module, nn.MaxPool2d):
            total[f"pool{module.kernel_size}"] += output.numel()

    for module in network.modules():
        module.register_forward_hook(count)
    network(torch.empty(1, 3, side, side, device="meta"))
    return total


@pytest.fixture
def recorded(data_folder):
    table = pd.read_parquet(data_folder / "reference_scores" / "nasbench101_naslib.parquet")
    return table.pivot(index="architecture", columns="metric", values="score")


# ---------------------------------------------------------------- sizes


def test_the_network_runs_on_the_meta_device_and_gives_logits():
    space = Space()
    for architecture in [space.parse(text) for text in (CHAIN, BARE, INCEPTION)] + space.sample(8, seed=1):
        network = space.build(architecture, 7)
        assert all(p.is_meta for p in network.parameters())
        assert network(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 7)
        assert not any(m.inplace for m in network.modules() if isinstance(m, nn.ReLU))


@pytest.mark.parametrize("side", [1, 3, 16, 30, 33])
def test_images_of_any_size_go_through(side):
    network = Space().build(Space().parse(INCEPTION), 5)
    assert network(torch.empty(2, 3, side, side, device="meta")).shape == (2, 5)


def test_parameters_of_the_chain_by_hand():
    total = 3 * 9 * 128 + 2 * 128 + 512 * 10 + 10
    widths = [128, 128, 128, 128, 256, 256, 256, 512, 512, 512]
    for channels_in, width in itertools.pairwise(widths):
        total += channels_in * width + 9 * width**2 + 2 * 2 * width  # projection, convolution, their two norms
    assert parameters(Space().build(Space().parse(CHAIN), 10)) == total


def test_channels_are_split_as_the_benchmark_does_it():
    cell = pruned(parse_cell(INCEPTION))
    assert vertex_channels(cell, 128, 256) == (128, 64, 64, 64, 64, 64, 256)
    three = parse_cell("input,maxpool3x3,maxpool3x3,maxpool3x3,output|0111000001000010000100000")
    assert vertex_channels(three, 128, 128) == (128, 43, 43, 42, 128)  # the first ones get the remainder
    inner = parse_cell("input,maxpool3x3,maxpool3x3,maxpool3x3,output|0100000110000010000100000")
    assert vertex_channels(inner, 128, 129) == (128, 65, 65, 64, 129)  # vertex 1 is as wide as its widest successor


def test_parameters_equal_those_recorded_by_naslib(recorded):
    space, found = Space(), {}
    assert len(recorded) == 500
    for text, millions in recorded["params"].items():
        short = print_cell(pruned(parse_cell(text)))  # many matrices are the same after pruning: build them once
        if short not in found:
            found[short] = parameters(space.build(space.parse(text), 10))
        assert found[short] == round(millions * 1e6), text
        assert abs(millions * 1e6 - round(millions * 1e6)) < 1e-6
    assert len(found) > 300


def assert_flops(recorded):
    """conv + linear + 3 for each value of a norm with its activation, 9 or 4 for each value of a pooling."""
    space = Space()
    for text, millions in recorded["flops"].items():
        found = counts(space.build(space.parse(text), 10), 32)
        assert found["norm"] == found["relu"]
        extra = 3 * found["norm"] + 9 * found["pool3"] + 4 * found["pool2"]
        assert round(millions * 1e6) == found["macs"] + extra, text


def test_naslib_flops_also_count_pooling_norm_and_activation(recorded):
    assert_flops(recorded.iloc[::50])


@pytest.mark.slow
def test_naslib_flops_of_all_cells(recorded):
    assert_flops(recorded)


def test_l2_norms_tell_how_naslib_initialised_its_networks(recorded):
    """Convolutions N(0, 2 / (k² C_out)), the linear layer N(0, 0.01²): not PyTorch's default initialisation.

    The norm of a layer of n weights is sqrt(n) times their standard deviation, with a relative error of
    1 / sqrt(2 n); summed up it is known to about one in a thousand.
    """
    space = Space()
    ratios, ratios_default = [], []
    for text, value in recorded["l2_norm"].iloc[::20].items():
        expected = default = 0.0
        for module in space.build(space.parse(text), 10).modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                n, fan_in = module.weight.numel(), module.weight[0].numel()
                fan_out = n / module.weight.shape[1]
                expected += n**0.5 * (0.01 if isinstance(module, nn.Linear) else (2 / fan_out) ** 0.5)
                default += (n / fan_in / 3) ** 0.5
        ratios.append(value / expected)
        ratios_default.append(value / default)
    assert ratios == pytest.approx([1] * len(ratios), abs=0.005)
    assert min(ratios_default) > 1.5


# ---------------------------------------------------------------- what is computed


def initialised(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    module = module.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_running_stats()
    return module.train()


def by_definition(module, cell, x):
    """The module's output, vertex by vertex, written without its own bookkeeping."""
    last = len(cell.operations) - 1
    widths = vertex_channels(cell, x.shape[1], module.widths[last])
    values = {}
    for v in cell.inner:
        terms = [values[i][:, : widths[v]] for i, j in cell.edges if j == v and i]
        if (0, v) in cell.edges:
            terms.append(module.projections[str(v)](x))
        values[v] = module.operations[v - 1](torch.stack(terms).sum(dim=0))
    out = module.projections[str(last)](x) if (0, last) in cell.edges else 0
    feeding = [values[i] for i, j in cell.edges if j == last and i]
    return out + (torch.cat(feeding, dim=1) if feeding else 0)


def test_a_module_is_what_its_definition_says():
    x = torch.randn(2, 6, 5, 5, generator=torch.Generator().manual_seed(1))
    for architecture in Space().sample(30, seed=2):
        cell = pruned(architecture.genotype)
        with torch.device("meta"):
            module = Module(cell, 6, 14)
        module = initialised(module)
        assert module(x).shape == (2, 14, 5, 5)
        torch.testing.assert_close(module(x), by_definition(module, cell, x))


def test_dead_vertices_do_not_change_the_network():
    space = Space(stem_channels=8, stacks=2, modules=1)
    dead = space.parse("input,conv3x3-bn-relu,maxpool3x3,output|0110000100000000")
    one, two = (initialised(space.build(a, 4)) for a in (space.parse(CHAIN), dead))
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(one(x), two(x))
    assert not torch.equal(one(x)[0], one(x)[1])


def test_the_mean_over_pixels_is_a_layer_of_its_own():
    network = Space().build(Space().parse(INCEPTION), 10)
    pools = [m for m in network.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
    seen = []
    assert len(pools) == 1
    pools[0].register_forward_hook(lambda _, inputs, output: seen.append((inputs[0].shape, output.shape)))
    network(torch.empty(2, 3, 32, 32, device="meta"))
    assert seen == [((2, 512, 8, 8), (2, 512, 1, 1))]


# ---------------------------------------------------------------- what can be chosen


def test_stem_stacks_and_modules_can_be_chosen():
    space = Space()
    assert space.network == {"modules": 3, "stacks": 3, "stem_channels": 128}
    small = space.configured({"stem_channels": "16", "modules": "1"})
    assert small == Space(stem_channels=16, modules=1)
    assert parameters(small.build(small.parse(CHAIN), 10)) < 60_000
    for chosen, message in [
        ({"stem_channels": "4"}, "whole number of 5 or more"),
        ({"stacks": "0"}, "whole number of 1 or more"),
        ({"width": "3"}, "unknown network option"),
    ]:
        with pytest.raises(ZcbenchError, match=message):
            space.configured(chosen)


def test_the_narrowest_stem_still_feeds_every_vertex():
    five = "input,maxpool3x3,maxpool3x3,maxpool3x3,maxpool3x3,maxpool3x3,output|"
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), *((v, 6) for v in range(1, 6)), (0, 5)]
    edges = edges[:4] + edges[4:9]  # nine edges: vertex 5 hangs on nothing else than 0 -> 5
    edges.remove((4, 6))
    edges.append((0, 5))
    text = five + "".join("01"[(i, j) in edges] for i in range(7) for j in range(7))
    space = Space(stem_channels=5, stacks=1, modules=1)
    assert space.build(space.parse(text), 2)(torch.empty(1, 3, 4, 4, device="meta")).shape == (1, 2)


def test_no_class_is_refused():
    with pytest.raises(ZcbenchError, match="at least one class"):
        Space().build(Space().parse(CHAIN), 0)
