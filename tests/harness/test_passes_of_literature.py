"""Passes that zico, l_swag, t_cet, vkdnw and dextr bring: closed forms, shared passes and refusals."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from networks import KEY, batch, make
from references import Setting
from references.vkdnw_entropy import eigenvalues
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness.candidate import Result, measure
from zcbench.harness.metrics.vkdnw_entropy import DECILES, quantile
from zcbench.harness.passes.early_patterns import within
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.feature_conditions import quotients
from zcbench.harness.passes.fisher_spectrum import FisherSpectrum, cholesky
from zcbench.harness.passes.layer_kernels import log_determinant
from zcbench.harness.passes.output_curvature import OutputCurvature
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch, Run
from zcbench.harness.registry import metrics, select
from zcbench.harness.timing import Clock
from zcbench.harness.types import Outcome


def score(network: nn.Module, name: str, data: MiniBatch | None = None) -> Result:
    chosen = select(name)
    return measure(network, batch() if data is None else data, chosen, key=KEY)[chosen[0].key]


def test_zico_shares_the_gradient_that_snip_needs() -> None:
    alone = plan(q for m in select("snip,grad_norm") for q in m.needs.quantities())
    both = plan(q for m in select("snip,grad_norm,zico,zico_absolute,l_swag") for q in m.needs.quantities())
    assert (alone.totals["backwards"], both.totals["backwards"]) == (1, 2)


def test_zico_says_how_many_mini_batches_are_missing() -> None:
    found = score(make("plain"), "zico(batches=5)")
    assert found.outcome is Outcome.UNDEFINED
    assert found.reason == "needs 5 mini-batches, and there are images for 4"


@pytest.mark.parametrize("name", ["zico", "zico_absolute", "l_swag(samples=9)"])
def test_equal_mini_batches_leave_no_deviation(name: str) -> None:
    data = batch()
    twice = replace(data, further=((data.inputs, data.targets),))
    found = score(make("plain"), name, twice)
    assert found.outcome is Outcome.UNDEFINED
    assert found.reason == "no gradient differs between the mini-batches"


def test_the_deviation_of_the_absolute_gradient_is_never_larger() -> None:
    """||g1| - |g2|| <= |g1 - g2|, so that the paper's formula never scores less than the code."""
    network = make("nasbench201")
    signed, absolute = score(network, "zico").value, score(network, "zico_absolute").value
    assert signed is not None
    assert absolute is not None
    assert absolute > signed


def test_the_band_of_l_swag_is_that_of_the_depth() -> None:
    assert [within(0.3, 10), within(0.7, 10), within(0.29, 10), within(0, 10), within(1, 10)] == [3, 7, 2, 0, 10]
    network = make("nasbench201")
    parts = [score(network, f"l_swag(samples=12,low={low},high={high})") for low, high in ((0, 0.5), (0.5, 1.0))]
    patterns = [
        evaluate(network, batch(), plan(metrics()["l_swag"].with_parameters(samples=12, high=high).needs.quantities()),
                 key=KEY).values for high in (0.5, 1.0)
    ]  # fmt: skip
    counts = [int(next(v for q, v in values.items() if type(q).__name__ == "EarlyPatterns")) for values in patterns]
    whole = score(network, "l_swag(samples=12)").value
    assert counts[0] < counts[1]
    assert parts[0].value is not None
    assert parts[1].value is not None
    assert parts[0].value / counts[0] + parts[1].value / counts[1] == pytest.approx(whole / counts[1], rel=1e-12)
    nothing = score(network, "l_swag(samples=12,low=0.5,high=0.5)")
    assert nothing.outcome is Outcome.UNDEFINED
    assert "lies between 0.5 and 0.5 of the depth" in nothing.reason


def test_l_swag_needs_images_for_its_patterns() -> None:
    found = score(make("plain"), "l_swag(samples=16)")
    assert (found.outcome, found.reason) == (Outcome.UNDEFINED, "needs 16 images, the mini-batch has 12")


def test_a_singular_kernel_counts_nothing() -> None:
    assert float(log_determinant(torch.eye(4, dtype=torch.float64) * 3)) == pytest.approx(4 * math.log(3))
    assert float(log_determinant(torch.ones(4, 4, dtype=torch.float64))) == 0
    codes = torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]], dtype=torch.float64)  # 3 outputs, 4 images
    kernel = codes @ codes.T + (1 - codes) @ (1 - codes).T
    assert float(log_determinant(kernel)) == pytest.approx(float(torch.linalg.slogdet(kernel).logabsdet), rel=1e-9)
    twins = kernel[[0, 0, 1, 2]][:, [0, 0, 1, 2]]  # two images with the same signs
    assert float(log_determinant(twins)) == 0


def test_the_cholesky_factor_in_closed_form() -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0, 0.1], [50.0, -50.0, 0.0, 1.0]], dtype=torch.float64)
    factor = cholesky(logits)
    p = 0.95 * logits.softmax(dim=1) + 0.05 / 4
    wanted = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    torch.testing.assert_close(factor @ factor.mT, wanted, rtol=1e-12, atol=1e-15)
    assert bool((factor == factor.tril()).all())


def test_quantiles_are_those_of_torch() -> None:
    values = torch.randn(23, dtype=torch.float64).sort().values
    wanted = torch.quantile(values, torch.tensor(DECILES, dtype=torch.float64))
    torch.testing.assert_close(torch.stack([quantile(values, q) for q in DECILES]), wanted)
    assert float(quantile(values[:1], 0.9)) == float(values[0])


class Dilated(nn.Module):
    """Strides, dilation, groups, a bias, a layer that runs twice and one in place: all rules for one entry."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=(2, 1), padding=(2, 1), dilation=(2, 1))
        self.twice = nn.Conv2d(4, 4, (1, 3), padding=(0, 1), groups=2, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.twice(self.relu(self.first(x)))))
        return self.head(self.twice(x).mean(dim=(2, 3)))


def test_one_entry_of_every_tensor_by_one_backward_a_class() -> None:
    torch.manual_seed(0)
    network = Dilated().double()
    quantity = metrics()["vkdnw"].with_parameters(images=5).needs.quantities()[0]
    found = evaluate(network, batch(), plan([quantity]), key=KEY).values[quantity]
    wanted = eigenvalues(Setting(network, batch().inputs, batch().targets, 3, KEY, {"images": 5}))
    torch.testing.assert_close(found.eigenvalues.flip(0), torch.from_numpy(wanted), rtol=1e-9, atol=1e-12)
    assert found.tensors == 7


def test_the_fisher_information_asks_for_rules() -> None:
    unruled = nn.Sequential(nn.Flatten(), nn.LayerNorm(192), nn.Linear(192, 3)).double()
    found = score(unruled, "vkdnw")
    assert found.outcome is Outcome.UNDEFINED
    assert found.reason == "there is no rule for the parameters of 1, a LayerNorm"
    same = nn.Sequential(nn.Conv2d(3, 3, 3, padding="same"), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    assert score(same, "vkdnw").reason == "there is no rule for the padding of 0"
    image = nn.Sequential(nn.Conv2d(3, 3, 1)).double()
    assert score(image, "vkdnw").reason == "the output is an image, not a vector of classes"


def test_vkdnw_is_the_number_of_tensors_and_the_entropy() -> None:
    network = make("nasbench201")
    whole, entropy = score(network, "vkdnw(images=64)"), score(network, "vkdnw_entropy(images=64)")
    assert whole.value is not None
    assert entropy.value is not None
    assert whole.value - entropy.value == pytest.approx(len(list(network.parameters())), abs=1e-9)
    assert 0 < entropy.value <= math.log(9)


def test_too_few_images_make_the_fisher_information_singular() -> None:
    found = score(make("whole nasbench201"), "vkdnw")
    assert found.outcome is Outcome.UNDEFINED
    assert found.reason == (
        "the information of 128 weights from 16 images of 3 classes is singular; with images=64 it need not be"
    )


def test_quotients_of_singular_values() -> None:
    features = torch.randn(2, 3, 7, dtype=torch.float64)
    features[1, 2] = features[1, 0] + features[1, 1]
    sizes = torch.linalg.svdvals(features[0])
    assert quotients(features @ features.mT).tolist() == pytest.approx([float(sizes[-1] / sizes[0]), 0.0], rel=1e-9)
    assert quotients(torch.zeros(1, 3, 3, dtype=torch.float64)).tolist() == [0.0]


class Circle(nn.Module):
    """Maps a circle of radius 1 to one of radius r: the first two coordinates of the plane that it is given."""

    def __init__(self, plane: Tensor, radius: float) -> None:
        super().__init__()
        self.head = nn.Linear(plane.shape[1], len(plane), bias=False).double()
        with torch.no_grad():
            self.head.weight.copy_(plane * radius)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


@pytest.mark.parametrize("radius", [0.5, 4.0])
def test_the_curvature_of_a_circle_is_one_over_its_radius(radius: float) -> None:
    data = batch()
    quantity = OutputCurvature(size=8)
    run = Run(nn.Identity(), data, KEY, Clock(data.inputs.device))
    plane = torch.cat(quantity.plane(run, torch.float64)).flatten(1)
    torch.testing.assert_close(plane @ plane.T, torch.eye(2, dtype=torch.float64))
    values = evaluate(Circle(plane, radius), data, plan([quantity]), key=KEY).values
    assert float(values[quantity]) == pytest.approx(1 / radius, rel=1e-9)


def test_an_output_that_does_not_move_has_no_curvature() -> None:
    network = make("plain")
    with torch.no_grad():
        network.head.weight.zero_()
    found = score(network, "dextr")
    assert (found.outcome, found.reason) == (
        Outcome.UNDEFINED, "the output does not move along the circle, or too strongly",
    )  # fmt: skip


def test_dextr_says_when_one_image_is_too_small() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3)
    ).double()
    found = score(network, "dextr")
    assert found.outcome is Outcome.UNDEFINED
    assert "a batch norm gets a single value a channel from one image" in found.reason


def test_the_plan_says_what_procedures_take() -> None:
    shown = plan(q for m in select("vkdnw,vkdnw_entropy,dextr") for q in m.needs.quantities()).to_dict()
    assert {p["quantity"]: p["besides"] for p in shown["procedures"]} == {
        "FeatureConditions": "", "FisherSpectrum": "a backward for every class", "OutputCurvature": "",
    }  # fmt: skip
    assert FisherSpectrum().batches == 0


def test_a_dead_cell_has_no_score_that_looks_like_one() -> None:
    """All operations none: gradients are 0, the output does not move, nothing flows."""
    space = Space()
    dead = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    empty = space.build(space.parse(dead), 3).to_empty(device="cpu").double()
    with torch.no_grad():
        for parameter in empty.parameters():
            parameter.fill_(0.5)
    for name in ("t_cet", "dextr"):
        assert score(empty, name).outcome is Outcome.UNDEFINED, name
