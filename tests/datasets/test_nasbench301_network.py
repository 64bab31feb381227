import math
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from networks import batch, usable
from zcbench.datasets.nasbench301.genotype import OPERATIONS, parse_genotype
from zcbench.datasets.nasbench301.network import Auxiliary, Form, build, operation
from zcbench.datasets.nasbench301.space import DartsSpace, Space
from zcbench.harness.candidate import measure
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes.run import Origin
from zcbench.harness.passes.spec import Norm
from zcbench.harness.passes.state import Parts, fresh_buffers
from zcbench.harness.registry import metrics
from zcbench.harness.types import Outcome

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


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_one_image_passes_by_the_auxiliary_head_and_has_the_same_logits(device):
    """PyTorch refuses to normalise the one value that its last norm would see."""
    space = Space().configured({"channels": "4", "cells": "3"})
    network = space.build(space.parse(RECORDED), 10)
    if device == "cpu":
        network = initialise(network, INITIALISATIONS["pytorch"], seeded("a"))
    looked = []
    network.auxiliary.register_forward_hook(lambda *_: looked.append(len(looked)))
    one, two = torch.ones(1, 3, 32, 32, device=device), torch.ones(2, 3, 32, 32, device=device)
    with pytest.raises(ValueError, match="more than 1 value"):
        network.auxiliary(torch.ones(1, 64, 8, 8, device=device))
    assert network(one).shape == (1, 10)
    assert looked == []
    assert network(two).shape == (2, 10)
    assert looked == [0]
    network.eval()  # running statistics do without a second value
    assert network(one).shape == (1, 10)
    assert looked == [0, 1]
    if device == "cpu":
        bare = space.configured({"auxiliary": "false"}).build(space.parse(RECORDED), 10).to_empty(device="cpu")
        bare.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("auxiliary")})
        torch.testing.assert_close(network.train()(one), bare(one), rtol=0, atol=0)
    network.train()

    def total(x):
        state = dict(network.named_parameters()) | fresh_buffers(Parts.of(network), torch.float32, Norm.BATCH)
        return torch.func.functional_call(network, {k: v.detach() for k, v in state.items()}, (x,)).sum()

    assert torch.func.grad(total)(one).shape == one.shape
    assert looked == [0, 1]


ONE_IMAGE = {"dextr", "meco", "synflow_bn"}
"""Metrics that feed a single image in training mode."""


@pytest.fixture(scope="module")
def scores_with_and_without_the_way_round():
    """Scores of every metric as they are, and where the head is evaluated whatever it is fed."""
    space = Space().configured({"channels": "4", "cells": "3"})
    # Behind a sum of nothing but norms, global pooling gives 0 for one image: a pooling lets synflow_bn have a value.
    architecture = space.parse(RECORDED.replace("('skip_connect', 2)], normal", "('max_pool_3x3', 2)], normal"))
    assert architecture.id != RECORDED
    network = initialise(space.build(architecture, 3), INITIALISATIONS["pytorch"], seeded("a"))
    found = []
    for always in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if always:
                patch.setattr(Auxiliary, "takes", lambda *_: True)
            origin = Origin(space, architecture, 3, "pytorch@1", 0)
            mini = batch(12, 16, torch.float32)
            # Those of the supernet feed another network, which has no auxiliary head.
            chosen = [usable(name) for name in metrics() if not name.startswith(("zero_cost_", "zeros_"))]
            found.append(measure(network, mini, chosen, key=("a",), origin=origin))
    return found


def test_metrics_of_one_image_have_a_value_with_the_auxiliary_head(scores_with_and_without_the_way_round):
    now, before = scores_with_and_without_the_way_round
    for name in ONE_IMAGE:
        assert now[name].outcome is Outcome.OK, now[name].reason
        assert math.isfinite(now[name].value)
        assert before[name].outcome is Outcome.UNDEFINED


def test_all_other_metrics_have_the_same_score_to_the_last_bit(scores_with_and_without_the_way_round):
    now, before = scores_with_and_without_the_way_round
    others = now.keys() - ONE_IMAGE
    assert [key for key in others if now[key].value != before[key].value] == []
    assert sum(now[key].value is not None for key in others) > 30


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
