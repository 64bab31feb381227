from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from zcbench.datasets.nasbench301.genotype import OPERATIONS, parse_genotype
from zcbench.datasets.nasbench301.network import Form, build, operation
from zcbench.datasets.nasbench301.space import DartsSpace, Space
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded

NASLIB = {"channels": "32", "cells": "8", "auxiliary": "false", "affine": "false"}
SMALL = Form(4, 3, auxiliary=True, affine=True, pool_norm=False)

RECORDED = (
    "Genotype(normal=[('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 1), "
    "('dil_conv_3x3', 0), ('dil_conv_5x5', 2), ('sep_conv_3x3', 1), ('skip_connect', 2)], "
    "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('avg_pool_3x3', 1), ('skip_connect', 0), "
    "('dil_conv_5x5', 1), ('sep_conv_3x3', 1), ('sep_conv_5x5', 2), ('sep_conv_3x3', 2), ('dil_conv_3x3', 3)], "
    "reduce_concat=[2, 3, 4, 5])"
)
"""The architecture of the training log in the package nasbench301 0.3 (50 channels, 20 cells)."""


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def recorded(folder: Path, metric: str) -> "pd.Series[float]":
    table = pd.read_parquet(folder / "reference_scores" / "nasbench301_naslib.parquet")
    return table[table.metric == metric].set_index("architecture").score


@cache
def of_operation(name: str, channels: int, stride: int) -> int:
    return parameters(operation(name, channels, stride, Form(32, 8, False, False, False)))


@cache
def skeleton() -> int:
    """Parameters outside the operations."""
    genotype = parse_genotype(RECORDED)
    return parameters(build(genotype, 10, Form(32, 8, False, False, False))) - operations(genotype)


def operations(genotype) -> int:
    """Parameters of the operations: eight cells, the third and sixth of which reduce."""
    total = 0
    for cell, channels in enumerate((32, 32, 64, 64, 64, 128, 128, 128)):
        reduction = cell in (2, 5)
        for name, source in genotype.reduce if reduction else genotype.normal:
            total += of_operation(name, channels, 2 if reduction and source < 2 else 1)
    return total


def test_all_725_recorded_parameter_counts_are_met(data_folder):
    table = recorded(data_folder, "params")
    wrong = [text for text, millions in table.items()
             if skeleton() + operations(parse_genotype(text)) != round(millions * 1e6)]  # fmt: skip
    assert wrong == []
    assert len(table) == 725
    space = Space().configured(NASLIB)
    for text in table.index[::90]:  # and of networks that are really built
        assert parameters(space.build(space.parse(text), 10)) == round(table[text] * 1e6)


@pytest.mark.slow
def test_all_725_networks_that_are_really_built_have_the_recorded_parameters(data_folder):
    space, table = Space().configured(NASLIB), recorded(data_folder, "params")
    for text, millions in table.items():
        assert parameters(space.build(space.parse(text), 10)) == round(millions * 1e6), text


def test_a_real_training_log_has_our_number_of_parameters():
    """``model_parameters`` of the log in nasbench301/surrogate_models/test/results_fidelity_0/results_0.json."""
    space = Space().configured({"channels": "50", "cells": "20"})
    assert parameters(space.build(space.parse(RECORDED), 10)) == 6_369_358


def naslib_flops(network: nn.Module) -> int:
    """Multiply-accumulates, nine for each pooled number, one for each ReLU; a norm two, or one without parameters."""
    total = 0

    def count(module, _, output):
        nonlocal total
        if isinstance(module, nn.Conv2d | nn.Linear):
            total += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
            total += output.numel() * 9
        elif isinstance(module, nn.BatchNorm2d):
            total += output.numel() * (1 + module.affine)
        elif isinstance(module, nn.ReLU):
            total += output.numel()

    for module in network.modules():
        module.register_forward_hook(count)
    network(torch.empty(1, 3, 32, 32, device="meta"))
    return total


def test_naslibs_flops_show_a_norm_behind_each_pooling(data_folder):
    """Without these norms the difference would follow the number of poolings; with them it is a constant."""
    space, table = Space().configured(NASLIB), recorded(data_folder, "flops")
    texts = table.index[::90]
    differences = {
        round(table[text] * 1e6) - naslib_flops(space.build(space.parse(text), 10)) for text in texts
    }
    assert differences == {41_472}
    assert len({text.count("pool") for text in texts}) > 3


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("stride", [1, 2])
def test_every_operation_keeps_the_channels_and_obeys_its_stride(name, stride):
    with torch.device("meta"):
        module = operation(name, 6, stride, SMALL)
    assert module(torch.empty(2, 6, 8, 8, device="meta")).shape == (2, 6, 8 // stride, 8 // stride)


@pytest.mark.parametrize(("affine", "pool_norm", "norms"), [
    (True, False, []), (True, True, [True]), (False, False, [False]), (False, True, [False]),
])  # fmt: skip
def test_which_norm_follows_a_pooling(affine, pool_norm, norms):
    module = operation("avg_pool_3x3", 4, 1, Form(4, 3, False, affine, pool_norm))
    assert [m.affine for m in module.modules() if isinstance(m, nn.BatchNorm2d)] == norms


def test_only_stem_and_preprocessing_have_norms_with_parameters_in_the_form_of_the_search():
    space = Space().configured(NASLIB)
    network = space.build(space.parse(RECORDED), 10)
    affine = {name for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d) and m.affine}
    assert affine
    assert all(name.startswith("stem") or ".preprocess." in name for name in affine)


def test_an_average_leaves_the_border_out_and_a_node_is_a_sum():
    from zcbench.datasets.nasbench301.network import CellModule

    edges = (("skip_connect", 0), ("skip_connect", 1), ("avg_pool_3x3", 2), ("skip_connect", 1),
             ("skip_connect", 3), ("max_pool_3x3", 0), ("skip_connect", 0), ("skip_connect", 4))  # fmt: skip
    cell = CellModule(edges, (5, 7), 4, reduction=False, after_reduction=False, form=SMALL)
    a, b = torch.randn(2, 5, 6, 6), torch.randn(2, 7, 6, 6)
    x, y = cell.preprocess[0](a), cell.preprocess[1](b)
    ones = torch.nn.functional.avg_pool2d(torch.ones(1, 1, 6, 6), 3, 1, 1)  # less than 1 at the border
    node2 = x + y
    node3 = torch.nn.functional.avg_pool2d(node2, 3, 1, 1) / ones + y
    node4 = node3 + torch.nn.functional.max_pool2d(x, 3, 1, 1)
    node5 = x + node4
    torch.testing.assert_close(cell(a, b), torch.cat([node2, node3, node4, node5], dim=1))


def test_where_the_network_reduces_and_widens():
    space = Space().configured({"channels": "8", "cells": "20"})
    network = space.build(space.parse(RECORDED), 10)
    shapes = []
    for cell in network.cells:
        cell.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
    assert network(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 10)
    assert shapes == [(32, 32, 32)] * 6 + [(64, 16, 16)] * 7 + [(128, 8, 8)] * 7


def test_the_auxiliary_head_counts_but_does_not_speak():
    space = Space().configured({"channels": "8", "cells": "3"})
    bare = space.configured({"auxiliary": "false"})
    architecture = space.parse(RECORDED)
    head = 128 * 128 + 2 * 128 + 128 * 768 * 4 + 2 * 768 + 769 * 10  # its features are 4 * 32 wide
    assert parameters(space.build(architecture, 10)) - parameters(bare.build(architecture, 10)) == head
    network = initialise(space.build(architecture, 10), INITIALISATIONS["pytorch"], seeded("a"))
    other = bare.build(architecture, 10).to_empty(device="cpu")
    other.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("auxiliary")})
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(x), other(x), rtol=0, atol=0)


@pytest.mark.parametrize("side", [16, 32, 64])
def test_the_auxiliary_head_takes_images_of_any_size_and_leaves_those_of_32_alone(side):
    network = Space().configured({"channels": "4", "cells": "3"})
    built = network.build(network.parse(RECORDED), 10)
    seen = []
    built.auxiliary.features[0].register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape)))
    assert built(torch.empty(2, 3, side, side, device="meta")).shape == (2, 10)
    assert seen == [(2, 64, 8, 8)]
    pooled = nn.functional.adaptive_avg_pool2d(torch.arange(64.0).view(1, 1, 8, 8), 8)
    assert torch.equal(pooled, torch.arange(64.0).view(1, 1, 8, 8))


def test_the_defaults_are_what_the_two_benchmarks_trained():
    assert Space().network == {"channels": 32, "cells": 8, "auxiliary": True, "affine": True, "pool_norm": False}
    assert DartsSpace().network == {"channels": 36, "cells": 20, "auxiliary": True, "affine": True, "pool_norm": True}


def test_the_published_darts_network_has_its_published_size():
    """Liu et al. (2019), table 1: 3.3 M parameters for the second-order cell, counted without auxiliary head."""
    text = (
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
        "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
        "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
        "('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
        "reduce_concat=[2, 3, 4, 5])"
    )
    space = DartsSpace().configured({"auxiliary": "false", "pool_norm": "false"})
    assert round(parameters(space.build(space.parse(text), 10)) / 1e6, 1) == 3.3


def test_relus_are_modules_that_change_nothing_in_place():
    network = Space().build(Space().parse(RECORDED), 10)
    assert not any(m.inplace for m in network.modules() if isinstance(m, nn.ReLU))
    assert any(isinstance(m, nn.AdaptiveAvgPool2d) for m in network.modules())


@pytest.mark.parametrize(("chosen", "message"), [
    ({"cells": "2"}, "whole number of 3 or more"), ({"channels": "0"}, "whole number of 1 or more"),
    ({"auxiliary": "maybe"}, "true or false"), ({"affin": "true"}, 'Did you mean "affine"'),
])  # fmt: skip
def test_what_cannot_be_chosen_is_refused(chosen, message):
    with pytest.raises(ZcbenchError, match=message):
        Space().configured(chosen)


def test_no_class_is_refused():
    with pytest.raises(ZcbenchError, match="at least one class"):
        Space().build(Space().parse(RECORDED), 0)


def test_odd_widths_are_built():
    space = Space().configured({"channels": "3", "cells": "3"})
    assert space.build(space.parse(RECORDED), 2)(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 2)
