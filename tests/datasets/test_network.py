import bz2
import pickle

import pandas as pd
import pytest
import torch
from torch import nn

from zcbench.datasets.nasbench201.genotype import OPERATIONS, Space, print_cell
from zcbench.harness.errors import ZcbenchError

CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet16_120": 120}
SIDE = {"cifar10": 32, "cifar100": 32, "imagenet16_120": 16}
CELL_11 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def multiply_accumulates(network, side):
    """Count those of convolutions and linear layers for one image, by forward hooks."""
    total = 0

    def count(module, _, output):
        nonlocal total
        weights_per_output = module.weight[0].numel()
        total += output.numel() * weights_per_output

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    network(torch.empty(1, 3, side, side, device="meta"))
    return total


def by_hand(genotype, side, classes):
    """Multiply-accumulates from the published sizes, without building anything."""
    kernel = sum({"nor_conv_1x1": 1, "nor_conv_3x3": 9}.get(operation, 0) for operation in genotype)
    total = side**2 * 27 * 16 + 64 * classes
    for stage, width in enumerate((16, 32, 64)):
        pixels = (side // 2**stage) ** 2
        total += 5 * kernel * width**2 * pixels
        if stage:
            total += pixels * (width // 2 * width * (9 + 1) + 9 * width**2)
    return total


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_network_runs_on_the_meta_device_and_gives_logits(operation):
    network = Space().build(Space().architecture([operation] * 6), 7)
    assert all(p.is_meta for p in network.parameters())
    assert network(torch.empty(4, 3, 32, 32, device="meta")).shape == (4, 7)
    assert not any(m.inplace for m in network.modules() if isinstance(m, nn.ReLU))


def test_the_network_computes_on_real_numbers():
    space = Space()
    network = space.build(space.parse(CELL_11), 10).to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    logits = network(x)
    assert logits.shape == (2, 10)
    assert torch.isfinite(logits).all()
    assert not torch.equal(logits[0], logits[1])


def test_a_cell_is_the_sum_over_its_edges():
    from zcbench.datasets.nasbench201.network import Cell

    x = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    cell = Cell(["avg_pool_3x3", "skip_connect", "avg_pool_3x3", "none", "skip_connect", "skip_connect"], 4)
    node1 = pool(x)
    node2 = x + pool(node1)
    torch.testing.assert_close(cell(x), node1 + node2)


def test_a_disconnected_cell_ignores_its_input():
    space = Space()
    network = space.build(space.architecture(["none"] * 6), 10).to_empty(device="cpu")
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    network.train()
    out = network(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(out[0], out[1])


def test_size_of_official_cell_11():
    """Figures of the real record 11 of NATS-Bench."""
    space = Space()
    cell = space.parse(CELL_11)
    found = {}
    for dataset, classes in CLASSES.items():
        network = space.build(cell, classes)
        found[dataset] = (parameters(network), multiply_accumulates(network, SIDE[dataset]) + classes)
    assert found == {
        "cifar10": (802_426, 113_951_370),
        "cifar100": (808_276, 113_957_220),
        "imagenet16_120": (809_576, 28_495_480),
    }


def test_counting_by_hand_agrees_with_the_network():
    space = Space()
    for cell in space.sample(20, seed=0):
        network = space.build(cell, 100)
        assert multiply_accumulates(network, 32) == by_hand(cell.genotype, 32, 100)


def test_no_class_is_refused():
    with pytest.raises(ZcbenchError, match="at least one class"):
        Space().build(Space().parse(CELL_11), 0)


def test_sizes_equal_those_of_the_real_nats_records(data_folder):
    folder = data_folder / "fixtures" / "nats_bench" / "NATS-tss-v1_0-3ffb9-simple"
    space = Space()
    for path in sorted(folder.glob("0*.pbz2")):
        record = pickle.loads(bz2.decompress(path.read_bytes()))["200"]
        cell = space.parse(record["arch_str"])
        for (dataset, _), trial in record["all_results"].items():
            side = 16 if dataset == "ImageNet16-120" else 32
            classes = trial["arch_config"]["class_num"]
            network = space.build(cell, classes)
            assert parameters(network) == round(trial["params"] * 1e6)
            assert multiply_accumulates(network, side) + classes == round(trial["flop"] * 1e6)


def test_parameters_equal_those_recorded_by_naslib(data_folder):
    recorded = pd.read_parquet(data_folder / "reference_scores" / "nasbench201_naslib.parquet")
    recorded = recorded[recorded.metric == "params"]
    space, parts = Space(), {}
    for text, dataset, score in recorded[["architecture", "dataset", "score"]].itertuples(index=False):
        cell = space.parse(text)
        # the count depends only on how many convolutions of each size there are: build each case once
        case = (*(cell.genotype.count(op) for op in ("nor_conv_1x1", "nor_conv_3x3")), CLASSES[dataset])
        if case not in parts:
            parts[case] = parameters(space.build(cell, CLASSES[dataset]))
        assert parts[case] == round(score * 1e6), (text, dataset)
    assert recorded.architecture.nunique() == 725


def test_naslib_flops_also_count_pooling_norm_and_activation(data_folder):
    recorded = pd.read_parquet(data_folder / "reference_scores" / "nasbench201_naslib.parquet")
    recorded = recorded[recorded.metric == "flops"]
    shared = {32: 160_832, 16: 40_512}
    for text, dataset, score in recorded[["architecture", "dataset", "score"]].itertuples(index=False):
        genotype, side = Space().parse(text).genotype, SIDE[dataset]
        pools = genotype.count("avg_pool_3x3")
        convolutions = sum("conv" in operation for operation in genotype)
        extra = 140 * side**2 * (9 * pools + 3 * convolutions) + shared[side]
        assert round(score * 1e6) == by_hand(genotype, side, CLASSES[dataset]) + extra
    assert print_cell(genotype) == text
