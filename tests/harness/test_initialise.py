"""The initialisations draw what their names say, for every kind of layer."""

import math

import pytest
import torch
from torch import nn

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.initialise import INITIALISATIONS, draw, initialise, seeded

LAYERS = {
    "conv": nn.Conv2d(24, 40, 3, device="meta"),
    "up": nn.ConvTranspose2d(24, 40, 4, device="meta"),
    "linear": nn.Linear(200, 90, device="meta"),
}
FANS = {"conv": (24 * 9, 40 * 9), "up": (40 * 16, 40 * 16), "linear": (200, None)}
"""Fan in as PyTorch counts it, and C_out k²."""


def deviation(init: str, layer: str) -> float:
    fan_in, fan_out = FANS[layer]
    if init == "fan_out":
        return 0.01 if fan_out is None else math.sqrt(2 / fan_out)
    return {"pytorch": 1 / math.sqrt(3 * fan_in), "kaiming_normal": math.sqrt(2 / fan_in), "normal": 1.0}[init]


@pytest.mark.parametrize("init", INITIALISATIONS)
@pytest.mark.parametrize("layer", LAYERS)
def test_the_deviation_of_the_weights(init: str, layer: str) -> None:
    drawn = draw(LAYERS[layer], INITIALISATIONS[init], seeded("test"))
    weight, bias = drawn["weight"], drawn["bias"]
    assert float(weight.std()) == pytest.approx(deviation(init, layer), rel=0.03)
    assert abs(float(weight.mean())) < 4 * deviation(init, layer) / math.sqrt(weight.numel())
    if init == "pytorch":
        assert float(bias.abs().max()) <= 1 / math.sqrt(FANS[layer][0])
    else:
        assert not bias.any()


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_the_seed_decides_and_norms_start_at_one_and_zero(init: str) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3, device="meta"), nn.BatchNorm2d(4, device="meta"))

    first, again, other = (
        initialise(network(), INITIALISATIONS[init], seeded(key)).state_dict() for key in ("a", "a", "b")
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])
    assert first["1.weight"].eq(1).all()
    assert first["1.running_var"].eq(1).all()
    assert first["1.bias"].eq(0).all()


def test_a_layer_without_a_rule_is_named() -> None:
    with pytest.raises(ZcbenchError, match=r"parameter 0\.weight of Conv1d: only Conv2d, ConvTranspose2d"):
        draw(nn.Sequential(nn.Conv1d(2, 2, 1)), INITIALISATIONS["pytorch"], seeded("x"))
