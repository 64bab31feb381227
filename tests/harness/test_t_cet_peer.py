"""T-CET layer by layer, as the toolkit that its authors send to gives it: the installable peer alethiometer."""

import copy
import importlib
import math
import sys
import types
import warnings

import pytest
import torch
from torch import nn

from networks import KEY, batch, make
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.state import Parts, prunable
from zcbench.harness.registry import metrics


def peer(name: str, network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> list[float]:
    """Its terms, one for each layer; it imports torchvision, which it neither declares nor needs here."""
    for missing in ("torchvision", "torchvision.datasets", "torchvision.transforms"):
        stub = types.ModuleType(missing)
        for member in ("MNIST", "CIFAR10", "CIFAR100", "SVHN", "Compose", "ToTensor", "Normalize", "transforms"):
            setattr(stub, member, object)
        sys.modules.setdefault(missing, stub)

    def prunable_copy(bn: bool) -> nn.Module:
        found = copy.deepcopy(network)
        for module in found.modules():
            if not bn and isinstance(module, nn.BatchNorm2d):
                module.forward = types.MethodType(lambda self, x: x, module)
        return found

    network.get_prunable_copy = prunable_copy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = importlib.import_module("alethiometer.zero_cost_metrics").calc_metric(
            name, network.train(), torch.device("cpu"), inputs.clone(), targets, loss_fn=nn.functional.cross_entropy
        )
    return [float(term) for term in found]


@pytest.mark.parametrize(("ours", "ratios"), [("t_cet", "snr_syn_none"), ("t_cet_snip", "snr_snip_none")])
@pytest.mark.parametrize("where", ["plain", "nasbench201"])
def test_the_terms_of_the_layers(where: str, ours: str, ratios: str) -> None:
    """All layers but the classifier, whose kernel is singular: rounding decides what the peer makes of it.

    The peer has kernels in the order of calls and ratios in that of modules, and multiplies them in these orders,
    which differ in the residual blocks of NAS-Bench-201. Here they are held against one another by name.
    """
    data = batch(9)
    metric, network = metrics()[ours], make(where)
    needed = {type(q).__name__: q for q in metric.needs.quantities()}
    values = evaluate(network, data, plan(needed.values()), key=KEY).values
    kernels = {name: float(kernel) for name, kernel in values[needed["LayerKernels"]].items()}  # in the order of calls
    names = prunable(Parts.of(network))
    assert kernels[names[-1]] == 0
    theirs = peer("lnwot", make(where), data.inputs, data.targets)
    assert list(kernels.values())[:-1] == pytest.approx(theirs[:-1], rel=1e-5)
    terms = peer(ratios, make(where), data.inputs, data.targets)
    wanted = math.fsum(kernels[name] * term for name, term in zip(names, terms, strict=True))
    assert float(metric(values).value) == pytest.approx(wanted, rel=1e-9)
