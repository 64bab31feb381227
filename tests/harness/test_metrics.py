"""The contract of every metric that is discovered."""

import inspect
import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from networks import KEY, batch, make, origin, usable
from references import Setting, find, networks_of, says
from zcbench.datasets.images import load
from zcbench.harness.candidate import Result, measure
from zcbench.harness.metric import Metric, metric
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.passes.spec import ParamGradient
from zcbench.harness.registry import groups, metrics
from zcbench.harness.types import Outcome

NAMES = sorted(metrics())
GOLDEN = Path(__file__).parent.parent / "golden" / "metrics.json"


def score(network: nn.Module, data: MiniBatch, chosen: list[Metric], where: Origin | None = None) -> dict[str, Result]:
    return measure(network, data, chosen, key=KEY, origin=where)


def value(network: nn.Module, data: MiniBatch, name: str, where: Origin | None = None) -> float:
    result = score(network, data, [usable(name)], where)[usable(name).key]
    assert result.outcome is Outcome.OK, result
    assert result.value is not None
    return result.value


def setting(network: str, data: MiniBatch, name: str) -> Setting:
    return Setting(
        make(network), data.inputs, data.targets, data.classes, KEY, dict(usable(name).parameters), data.further,
        origin(network),
    )  # fmt: skip


PAIRS = [(n, network) for n in NAMES for network in ("plain", "branchy") if network in networks_of(n)]


@pytest.mark.parametrize(("name", "network"), PAIRS)
def test_equals_its_slow_reference(name: str, network: str) -> None:
    data = batch()
    wanted = find(name)(setting(network, data, name))
    assert value(make(network), data, name) == pytest.approx(wanted, rel=1e-8, abs=1e-10)


ON_A_CELL = [n for n in NAMES if "nasbench201" in networks_of(n) and says(n, "FITS_A_CELL")]


@pytest.mark.parametrize("name", ON_A_CELL)
def test_equals_its_slow_reference_on_a_real_cell(name: str) -> None:
    data = batch(9)
    wanted = find(name)(setting("nasbench201", data, name))
    got = value(make("nasbench201"), data, name, origin("nasbench201"))
    assert got == pytest.approx(wanted, rel=1e-7, abs=1e-9)


def test_every_metric_is_held_against_its_reference_somewhere() -> None:
    assert {n for n, _ in PAIRS} | set(ON_A_CELL) == set(NAMES)


def test_epe_nas_beyond_a_hundred_classes_equals_its_reference() -> None:
    data = MiniBatch(batch().inputs, torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 4, 5]), 120)
    held = Setting(make("plain"), data.inputs, data.targets, 120, KEY, {})
    with torch.no_grad():
        network = make("plain")
        network.head = held.network.head = nn.Linear(5, 120).double()
    got = score(network, data, [metrics()["epe_nas"]])["epe_nas"]
    assert got.value == pytest.approx(find("epe_nas")(held), rel=1e-9)


@pytest.mark.parametrize("network", ["plain", "branchy", "nasbench201"])
def test_company_and_order_do_not_change_a_bit(network: str) -> None:
    data = batch(9, 8, torch.float32)
    chosen = [usable(name) for name in NAMES if network in networks_of(name)]
    where = origin(network)  # one for all, so that what a supernet gives is computed once, as in a run
    together = score(make(network, torch.float32), data, chosen, where)
    backwards = score(make(network, torch.float32), data, chosen[::-1], where)
    again = score(make(network, torch.float32), data, chosen, where)
    for one in chosen:
        alone = score(make(network, torch.float32), data, [one], where)[one.key]
        values = {r[one.key].value for r in (together, backwards, again)} | {alone.value}
        assert len(values) == 1, (one.key, values)
        assert together[one.key].outcome is Outcome.OK


@pytest.mark.parametrize("name", NAMES)
def test_describes_itself(name: str) -> None:
    one = metrics()[name]
    assert len(one.cite) > 20
    assert len(one.caveats) > 20
    document = inspect.getdoc(one.function) or ""
    assert "Args:" in document
    assert "Returns:" in document
    assert one.version >= 1


def test_every_metric_has_a_reference_and_every_reference_a_metric() -> None:
    files = {p.stem for p in (Path(__file__).parent.parent / "references").glob("*.py")} - {"__init__"}
    assert files == set(metrics())


def test_the_groups_are_those_of_the_issue() -> None:
    assert len(groups()["standard"]) == 15
    assert set(groups()["standard"]) == set(groups()["nas_bench_suite_zero"]) | {"layers", "swap"}
    assert "swap_regularised" not in groups()["all"]


def test_needs_are_checked_against_the_signature() -> None:
    with pytest.raises(TypeError, match="gradients"):

        @metric("wrong", version=1, cite="-", caveats="-", higher_is_better=True, gradients=ParamGradient())
        def wrong(grads: dict[str, torch.Tensor]) -> torch.Tensor:
            return torch.zeros(())


def test_the_golden_values_are_unchanged() -> None:
    """A changed value means a changed score: raise the metric's version, then write the file anew."""
    loaded = load("digits", batch_size=9, seed=0, further=3)
    # In float64: float32 gradients of a cell differ by 10^-3 between one and two threads, float64 by 10^-13.
    draws = [
        (torch.from_numpy(inputs).double(), torch.from_numpy(targets) % 3)
        for inputs, targets in ((loaded.inputs, loaded.targets), *loaded.further)
    ]
    now = {}
    for full in (True, False):
        step = 2 if full else 4  # images of 16x16 pin the same arithmetic as of 32x32, for two fifths of the time
        own, *more = [(inputs[..., ::step, ::step], targets) for inputs, targets in draws]
        names = [n for n in NAMES if "nasbench201" in networks_of(n) and says(n, "FULL_SIZE") is full]
        data = MiniBatch(*own, 3, further=tuple(more))
        network = "whole nasbench201" if full else "nasbench201"
        found = score(make(network), data, [usable(n) for n in names], origin(network))
        now |= {n: {"version": usable(n).version, "value": found[usable(n).key].value} for n in names}
    if os.environ.get("ZCBENCH_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(dict(sorted(now.items())), indent=1) + "\n")
    golden = json.loads(GOLDEN.read_text())
    assert set(golden) == set(now)
    for name, kept in golden.items():
        assert now[name]["version"] == kept["version"], f"{name}: write the golden file anew"
        # Absolutely, too: the entropy of one value is 0 up to rounding.
        assert now[name]["value"] == pytest.approx(kept["value"], rel=1e-7, abs=1e-8), name


PERMUTABLE = [n for n in NAMES if says(n, "PERMUTABLE") and "plain" in networks_of(n)]


@pytest.mark.parametrize("name", PERMUTABLE)
def test_the_order_of_the_images_does_not_matter(name: str) -> None:
    """But for metrics whose references say why it does."""
    data = batch(9)
    order = torch.randperm(9, generator=seeded_generator())
    shuffled = MiniBatch(data.inputs[order], data.targets[order], 3, further=data.further)
    assert value(make("plain"), data, name) == pytest.approx(value(make("plain"), shuffled, name), rel=1e-9)


def seeded_generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize(
    ("name", "changes"),
    [("nwot", False), ("jacov", False), ("epe_nas", False), ("swap", False), ("zen", False),
     ("l2_norm", True), ("synflow", True), ("grad_norm", True)],
)  # fmt: skip
def test_the_scale_of_a_normalised_convolution(name: str, changes: bool) -> None:
    """A convolution before batch norm may be scaled without changing what the network computes."""
    network = make("plain")
    before = value(network, batch(), name)
    with torch.no_grad():
        network.body[0].weight.mul_(3.0)
    # Not exactly: batch norm adds 1e-5 to the variance.
    assert (value(network, batch(), name) != pytest.approx(before, rel=1e-3)) == changes


def test_synflow_is_conserved_in_a_chain() -> None:
    """Bias-free layers with positive weights: every layer's flow is R, so the sum is L R."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 4, 3, bias=False), nn.ReLU(),
        nn.Flatten(), nn.Linear(4 * 16, 3, bias=False),
    ).double()  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    flow = network(torch.ones(1, 3, 8, 8, dtype=torch.float64)).sum()
    assert value(network, batch(), "synflow") == pytest.approx(float((3 * flow.detach()).log()), rel=1e-12)


def test_only_the_classifier_contributes_to_plain() -> None:
    """A layer followed by batch norm is scale-invariant: its sum of weight times gradient is 0."""
    network, data = make("plain"), batch()
    nn.functional.cross_entropy(network(data.inputs), data.targets).backward()
    assert network.body[0].weight.grad is not None
    assert network.head.weight.grad is not None
    head = float((network.head.weight.detach() * network.head.weight.grad).sum())
    assert value(make("plain"), data, "plain") == pytest.approx(head, abs=1e-4)
    assert abs(float((network.body[0].weight.detach() * network.body[0].weight.grad).sum())) < 1e-4


def test_two_equal_images_leave_nwot_undefined() -> None:
    data = batch()
    twins = MiniBatch(data.inputs[[0, 0, 1, 2]], data.targets[:4], 3)
    result = score(make("plain"), twins, [metrics()["nwot"]])["nwot"]
    assert (result.outcome, result.value) == (Outcome.UNDEFINED, None)
    assert "same ReLU code" in result.reason


def test_constant_networks_are_undefined_not_a_number() -> None:
    network = make("plain")
    with torch.no_grad():
        network.body[0].weight.zero_()
        network.body[3].bias.zero_()  # else synflow flows from here
    found = score(network, batch(), [usable(n) for n in ("jacov", "epe_nas", "synflow")])
    assert {r.outcome for r in found.values()} == {Outcome.UNDEFINED}
    assert all(r.reason for r in found.values())


def test_epe_nas_needs_two_images_of_a_class() -> None:
    data = MiniBatch(batch().inputs[:3], torch.arange(3), 3)
    result = score(make("plain"), data, [metrics()["epe_nas"]])["epe_nas"]
    assert result.outcome is Outcome.UNDEFINED
    assert "no class has two images" in result.reason


def test_epe_nas_compares_two_classes_beyond_a_hundred() -> None:
    """One class with two images leaves only the difference of that class with itself."""
    for labels, outcome in (([0, 0, 1, 2], Outcome.UNDEFINED), ([0, 0, 1, 1], Outcome.OK)):
        data = MiniBatch(batch().inputs[:4], torch.tensor(labels), 120)
        network = make("plain")
        network.head = nn.Linear(5, 120).double()
        assert score(network, data, [metrics()["epe_nas"]])["epe_nas"].outcome is outcome


def test_swap_says_when_there_are_too_few_images() -> None:
    result = score(make("plain"), batch(8), [metrics()["swap"]])["swap"]
    assert result.outcome is Outcome.UNDEFINED
    assert result.reason == "needs 16 images, the mini-batch has 8"
