"""No official file with recorded sizes was at hand, so the networks are checked from several other sides."""

import functools
import math

import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn

from zcbench.datasets.transnasbench101.blocks import BasicBlock, Cell, FactorizedReduction, Zero
from zcbench.datasets.transnasbench101.genotype import MICRO_MODULES
from zcbench.datasets.transnasbench101.heads import GenerativeDecoder, SegmentationDecoder, tiles
from zcbench.datasets.transnasbench101.network import Encoder
from zcbench.datasets.transnasbench101.official import load, read_file
from zcbench.datasets.transnasbench101.space import MacroSpace, MicroSpace
from zcbench.datasets.transnasbench101.tasks import TASKS
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded

SPACES = {"micro": MicroSpace(), "macro": MacroSpace()}

# Rank correlation with the validation accuracy in figure 2 of NAS-Bench-Suite-Zero (NeurIPS 2022): params, flops.
PUBLISHED = {
    ("micro", "autoencoder"): (-0.01, -0.02),
    ("micro", "room_layout"): (0.30, 0.30),
    ("micro", "class_object"): (0.45, 0.46),
    ("micro", "class_scene"): (0.64, 0.65),
    ("micro", "jigsaw"): (0.44, 0.45),
    ("micro", "normal"): (0.62, 0.64),
    ("micro", "segmentsemantic"): (0.68, 0.69),
    ("macro", "autoencoder"): (-0.18, 0.76),
    ("macro", "room_layout"): (-0.00, 0.48),
    ("macro", "class_object"): (0.16, 0.79),
    ("macro", "class_scene"): (0.32, 0.85),
    ("macro", "jigsaw"): (0.15, 0.64),
    ("macro", "normal"): (0.30, 0.76),
    ("macro", "segmentsemantic"): (0.06, 0.60),
}


# ---------------------------------------------------------------- sizes from the description, without the network


class Sizes:
    """Adds up parameters and multiply-accumulates of convolutions on square images."""

    def __init__(self, side):
        self.side, self.parameters, self.operations = side, 0, 0

    def conv(self, kernel, wide_in, wide_out, *, stride=1, bias=False, norm=True, up=False, keep=False):
        """Count one convolution; `keep`: the next one has the same input as this one."""
        side = math.ceil(self.side / stride)
        self.parameters += wide_out * (kernel**2 * wide_in + bias + 2 * norm)
        self.operations += side**2 * kernel**2 * wide_in * wide_out
        if not keep:
            self.side = side * (2 if up else 1)


@functools.cache
def encoder(modules, cell, side):
    sizes = Sizes(side)
    sizes.conv(3, 3, 32, stride=2)
    sizes.conv(3, 32, 64, stride=2)
    wide = 64
    for code in modules:
        wide_in, wide = wide, wide * {1: 1, 2: 2, 3: 1, 4: 2}[code]
        stride = {1: 1, 2: 1, 3: 2, 4: 2}[code]
        for first, last, step in ((wide_in, wide, stride), (wide, wide, 1)):
            if cell is None:
                if first != last or step == 2:
                    sizes.conv(1, first, last, stride=step, keep=True)
                sizes.conv(3, first, last, stride=step)
                sizes.conv(3, last, last)
                continue
            for operation in (cell[0], cell[1], cell[3]):  # out of node 0
                if operation > 1:
                    sizes.conv({2: 1, 3: 3}[operation], first, last, stride=step, keep=True)
                elif operation == 1 and first != last:
                    sizes.conv(1, first, last, stride=step, keep=True)  # two halves of the channels
            sizes.side = math.ceil(sizes.side / step)
            for operation in (cell[2], cell[4], cell[5]):
                if operation > 1:
                    sizes.conv({2: 1, 3: 3}[operation], last, last)
    return sizes.parameters, sizes.operations, wide, sizes.side


@functools.cache
def head(task, wide, side, doublings):
    """Count a head: the layers of decoders as the benchmark's code lists them for each number of doublings."""
    outputs = {
        "class_scene": 47, "class_object": 75, "room_layout": 9, "jigsaw": 1000,
        "segmentsemantic": 17, "normal": 3, "autoencoder": 3,
    }[task]  # fmt: skip
    if task in ("class_scene", "class_object", "room_layout", "jigsaw"):
        return ((9 * wide if task == "jigsaw" else wide) + 1) * outputs, None
    sizes = Sizes(side)
    layer = functools.partial(sizes.conv, 3, bias=True)
    if task == "segmentsemantic":
        layer(wide, 1024)
        pairs = {
            3: ["k1024-512", "k512-256", "k256-128", "u128-64", "u64-32", "u32-32"],
            4: ["k1024-512", "k512-256", "u256-128", "u128-64", "u64-32", "u32-32"],
            5: ["k1024-512", "u512-256", "u256-128", "u128-64", "u64-32", "u32-32"],
            6: ["u1024-512", "u512-256", "u256-128", "u128-64", "u64-32", "u32-32"],
        }[doublings]
        for pair in pairs:
            layer(*map(int, pair[1:].split("-")), up=pair[0] == "u")
        layer(32, outputs, norm=False)
    else:
        layer(wide, 1024)
        layer(1024, 1024)
        layer(1024, 512, up=doublings == 6)
        layer(512, 512)
        layer(512, 256, up=doublings >= 5)
        layer(256, 128)
        layer(128, 64, up=doublings >= 4)
        layer(64, 64)
        layer(64, 32, up=doublings >= 3)
        layer(32, 32)
        layer(32, 16, up=True)
        layer(16, 32)
        layer(32, 16, up=True)
        layer(16, outputs, norm=False)
    return sizes.parameters, sizes.operations


def by_hand(architecture, task, side=256):
    """Return parameters and multiply-accumulates (a bias of a linear layer counts one)."""
    macro = architecture.space.endswith("macro")
    modules, cell = (architecture.genotype, None) if macro else (MICRO_MODULES, architecture.genotype)
    doublings = 2 + sum(code >= 3 for code in modules)
    jigsaw = task == "jigsaw"
    parameters, operations, wide, small = encoder(modules, cell, 64 * side // 256 if jigsaw else side)
    more, operations_of_head = head(task, wide, small, doublings)
    operations_of_head = more if operations_of_head is None else operations_of_head
    return parameters + more, operations * (9 if jigsaw else 1) + operations_of_head


def count(network):
    return sum(p.numel() for p in network.parameters())


def operations_of(network, side):
    """Count multiply-accumulates of one image by forward hooks."""
    total = 0

    def add(module, inputs, output):
        nonlocal total
        met = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        total += met[0].numel() * module.weight[0].numel()
        total += output[0].numel() if isinstance(module, nn.Linear) else 0

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            module.register_forward_hook(add)
    network(torch.empty(2, 3, side, side, device="meta"))
    return total


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("space", SPACES)
def test_sizes_equal_those_by_hand(space, task):
    chosen = SPACES[space].configured({"task": task})
    for architecture in chosen.sample(2, seed=17):
        network = chosen.build(architecture, classes=5)
        assert (count(network), operations_of(network, 256)) == by_hand(architecture, task), architecture


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_the_parameters_of_all_architectures_equal_those_by_hand(space):
    for architecture in SPACES[space]:
        assert count(SPACES[space].build(architecture, 5)) == by_hand(architecture, "class_scene")[0], architecture


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("space", SPACES)
def test_all_sizes_rank_as_published(data_folder, space, task):
    """The sizes by hand, of all architectures, against all accuracies; rounding alone may make .005."""
    frame = pd.read_parquet(data_folder / f"transnasbench101_{space}.parquet")
    frame = frame[frame["dataset"] == task]
    truth = dict(zip(frame["architecture"].astype(str), frame["value"], strict=True))
    chosen = list(SPACES[space])
    sizes = [by_hand(a, task) for a in chosen]
    accuracies = [truth[a.id] for a in chosen]
    for column, published in enumerate(PUBLISHED[space, task]):
        measured = stats.spearmanr([size[column] for size in sizes], accuracies).statistic
        assert measured == pytest.approx(published, abs=0.02)


def test_the_body_of_64_1444_basic_has_the_size_of_resnet18():
    """Four stages of two basic blocks, 64 to 512 channels: torchvision's resnet18 without stem and classifier."""
    with torch.device("meta"):
        body = Encoder((1, 4, 4, 4), None)
    assert count(body[0]) == 3 * 9 * 32 + 32 * 9 * 64 + 2 * (32 + 64)
    assert [count(stage) for stage in list(body)[1:]] == [147_968, 525_568, 2_099_712, 8_393_728]
    assert sum(count(stage) for stage in list(body)[1:]) == 11_689_512 - 513_000 - 9_408 - 128


def test_sizes_of_the_largest_cell():
    """64-41414-3_33_333, written out: every block has six 3 x 3 convolutions, three of them change the shape."""
    stem = 27 * 32 + 64 + 9 * 32 * 64 + 128
    total = stem
    for wide_in, wide, blocks in ((64, 128, 3), (128, 256, 3), (256, 512, 1)):
        total += 3 * (9 * wide_in * wide + 2 * wide) + 3 * (9 * wide**2 + 2 * wide)
        total += blocks * 6 * (9 * wide**2 + 2 * wide)
    space = SPACES["micro"]
    assert count(space.build(space.parse("64-41414-3_33_333"), 5)) == total + 513 * 47


def test_sizes_equal_the_official_record(data_folder):
    """Runs where somebody has put the official file into the folder of ZCBENCH_DATA."""
    path = data_folder / "transnas-bench_v10141024.pth"
    if not path.exists():
        pytest.skip("the official file is not there, so its recorded sizes cannot be compared")
    for name, space in SPACES.items():
        for architecture, tasks in list(read_file(path, name))[::97]:
            for task, trial in tasks.items():
                recorded = trial["model_info"]["model_params"]
                exact = by_hand(space.parse(architecture), task)[0]
                assert recorded in (exact, pytest.approx(exact / 1e6, rel=1e-3)), (architecture, task)
    assert load(path)


# ---------------------------------------------------------------- shapes


def test_shapes_of_every_stage():
    with torch.device("meta"):
        body = Encoder(MICRO_MODULES, (1, 0, 2, 3, 3, 3))
    shapes = []
    x = torch.empty(2, 3, 256, 256, device="meta")
    for stage in body:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (64, 64, 64), (128, 32, 32), (128, 32, 32), (256, 16, 16), (256, 16, 16), (512, 8, 8),
    ]  # fmt: skip
    assert (body.channels, body.halvings) == (512, 3)
    with torch.device("meta"):
        body = Encoder((1, 2, 3, 4), None)
    shapes = []
    x = torch.empty(2, 3, 32, 32, device="meta")
    for stage in body:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(64, 8, 8), (64, 8, 8), (128, 8, 8), (128, 4, 4), (256, 2, 2)]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("space", "text"),
    [("micro", "64-41414-1_02_333"), ("macro", "64-13344-basic"), ("macro", "64-1123-basic")],
)
def test_the_network_runs_on_the_meta_device_at_any_side(space, text, task):
    outputs = {"class_scene": 47, "class_object": 75, "room_layout": 9, "jigsaw": 1000, "segmentsemantic": 17}
    chosen = SPACES[space].configured({"task": task})
    network = chosen.build(chosen.parse(text), 5)
    assert all(p.is_meta for p in network.parameters())
    assert not any(m.inplace for m in network.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU))
    assert all(m.track_running_stats for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    for side in (256, 32, 33, 8):
        shape = tuple(network(torch.empty(2, 3, side, side, device="meta")).shape)
        dense = (side, side) if task in ("segmentsemantic", "normal", "autoencoder") else ()
        assert shape == (2, outputs.get(task, 3), *dense)


@pytest.mark.parametrize("halvings", [1, 2, 3, 4])
def test_decoders_double_as_often_as_the_encoder_halves(halvings):
    small = torch.empty(2, 48, 3, 3, device="meta")
    with torch.device("meta"):
        for decoder, outputs in ((SegmentationDecoder, 17), (GenerativeDecoder, 3)):
            large = decoder(48, halvings, outputs)
            assert large(small).shape == (2, outputs, 3 * 4 * 2**halvings, 3 * 4 * 2**halvings)
            assert sum(isinstance(m, nn.ConvTranspose2d) for m in large.modules()) == halvings + 2
    assert isinstance(large[-1], nn.Tanh)


# ---------------------------------------------------------------- what is computed


def real(network):
    return initialise(network, INITIALISATIONS["pytorch"], seeded("transnas"))


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_cell_is_the_sum_over_its_edges():
    x = noise(2, 4, 6, 6)
    cell = Cell((1, 1, 1, 1, 1, 0), 4, 4, 1)  # skip everywhere but 2 -> 3
    torch.testing.assert_close(cell(x), x + x)
    cell = Cell((1, 1, 1, 1, 1, 1), 4, 4, 1)
    torch.testing.assert_close(cell(x), x + x + (x + x))
    cell = Cell((2, 0, 1, 0, 0, 1), 4, 8, 2)
    assert cell(x).shape == (2, 8, 3, 3)
    torch.testing.assert_close(cell(x), cell.edges[0](x))


def test_none_is_zero_and_depends_on_its_input():
    x = noise(2, 4, 5, 5).requires_grad_()
    for stride, wide in ((1, 4), (2, 4), (2, 8)):
        zeros = Zero(4, wide, stride)(x)
        assert zeros.shape == (2, wide, math.ceil(5 / stride), math.ceil(5 / stride))
        assert not zeros.any()
        (gradient,) = torch.autograd.grad(zeros.sum(), x)
        assert not gradient.any()


def test_a_factorized_reduction_sees_every_second_pixel_and_those_between():
    reduction = FactorizedReduction(1, 2, 2)
    nn.init.ones_(reduction.even.weight)
    nn.init.ones_(reduction.odd.weight)
    reduction.norm = nn.Identity()
    x = torch.arange(16.0).view(1, 1, 4, 4)
    even, odd = reduction(x)[0]
    assert even.tolist() == [[0, 2], [8, 10]]
    assert odd.tolist() == [[5, 7], [13, 15]]
    assert reduction(torch.ones(1, 1, 5, 5))[0, 1, -1].tolist() == [0, 0, 0]  # beyond the border


def test_a_basic_block_adds_its_input():
    block = BasicBlock(4, 4, 1)
    nn.init.zeros_(block.second[1].weight)
    x = noise(2, 4, 6, 6)
    torch.testing.assert_close(block(x), x)
    assert BasicBlock(4, 8, 1)(x).shape == (2, 8, 6, 6)
    assert BasicBlock(4, 4, 2)(x).shape == (2, 4, 3, 3)


def test_the_tiles_of_the_jigsaw_task():
    """Image i, row r, column c have the value 10000 i + 100 r + c."""
    places = torch.arange(24)
    image = (100 * places[:, None] + places[None, :]).float().expand(1, 1, 24, 24)
    images = torch.cat((image, image + 10000))
    cut = tiles(images)
    assert [tuple(tile.shape) for tile in cut] == [(2, 1, 6, 6)] * 9
    corners = [tuple(int(v) for v in tile[:, 0, 0, 0]) for tile in cut]
    assert corners == [(100 * r + c, 10000 + 100 * r + c) for r in (1, 9, 17) for c in (1, 9, 17)]
    assert [tuple(t.shape) for t in tiles(torch.empty(1, 3, 256, 256))] == [(1, 3, 64, 64)] * 9


def test_jigsaw_uses_one_encoder_for_all_tiles():
    space = SPACES["macro"].configured({"task": "jigsaw"})
    network = real(space.build(space.parse("64-1123-basic"), 5)).eval()
    x = noise(2, 3, 64, 64)
    with torch.no_grad():
        features = torch.cat([network.encoder(tile).mean(dim=(2, 3)) for tile in tiles(x)], dim=1)
        torch.testing.assert_close(network(x), network.head.linear(features))
        flipped = network(torch.flip(x, dims=(2,)))
    assert not torch.allclose(network(x), flipped)


@pytest.mark.parametrize("task", ["class_scene", "segmentsemantic", "normal"])
def test_the_network_computes_on_real_numbers(task):
    space = SPACES["macro"].configured({"task": task})
    network = real(space.build(space.parse("64-1123-basic"), 5))
    x = noise(2, 3, 32, 32)
    output = network(x)
    assert torch.isfinite(output).all()
    assert not torch.equal(output[0], output[1])
    if task == "normal":
        assert output.abs().max() <= 1
    gradients = torch.autograd.grad(output.square().sum(), list(network.parameters()))
    assert all(torch.isfinite(g).all() for g in gradients)


def test_the_output_of_a_disconnected_cell_does_not_depend_on_the_images():
    space = SPACES["micro"]
    for text, depends in (("64-41414-1_11_000", False), ("64-41414-0_01_011", False), ("64-41414-0_00_100", True)):
        architecture = space.parse(text)
        assert (space.disconnected(architecture) is None) == depends
        network = real(space.build(architecture, 5)).eval()
        with torch.no_grad():
            one, other = network(noise(1, 3, 32, 32)), network(2 + noise(1, 3, 32, 32).flip(3))
        assert torch.equal(one, other) != depends
