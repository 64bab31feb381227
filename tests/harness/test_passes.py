"""The pass engine: fewest passes, exact quantities, and a network that is left as it was."""

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from networks import KEY, batch, make, origin, usable
from references import networks_of
from zcbench.harness.candidate import measure
from zcbench.harness.passes import observe
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.quantities import RECORDERS, ReluGramRecorder, row_correlation
from zcbench.harness.passes.run import MiniBatch
from zcbench.harness.passes.spec import (
    ActivationPatterns,
    BatchVariance,
    ChannelFisher,
    Forward,
    HessianGradient,
    InputGradientCorrelation,
    Inputs,
    Logits,
    MultiplyAccumulates,
    Norm,
    ParamGradient,
    ReluGram,
    Target,
)
from zcbench.harness.passes.state import Parts
from zcbench.harness.passes.tape import Path
from zcbench.harness.registry import metrics, select
from zcbench.harness.types import Outcome


def test_the_thirteen_metrics_take_four_forwards_and_three_backwards() -> None:
    chosen = select("nas_bench_suite_zero")
    assert len(chosen) == 13
    assert plan(q for m in chosen for q in m.needs.quantities()).totals == {"forwards": 4, "backwards": 3}


@pytest.mark.parametrize("name", ["plain", "branchy", "nasbench201"])
def test_shapes_are_read_off_a_forward_that_runs_anyway(name: str) -> None:
    """The counts are those of a forward on the meta device, which is there for them alone."""
    alone = plan([MultiplyAccumulates()])
    assert [p.forward.inputs for p in alone.passes] == [Inputs.SHAPE]
    network, data = make(name), batch()
    counts = evaluate(network, data, alone, key=KEY).values
    assert counts[MultiplyAccumulates()]
    hosts = [Logits(), Logits(Forward(inputs=Inputs.ONES, norm=Norm.OFF)), Logits(Forward(norm=Norm.RUNNING))]
    for host in hosts:
        together = plan([MultiplyAccumulates(), host])
        assert [p.forward for p in together.passes] == [host.forward]
        assert evaluate(network, data, together, key=KEY).values[MultiplyAccumulates()] == counts[MultiplyAccumulates()]


def test_shapes_are_read_off_no_forward_that_may_be_another_or_none() -> None:
    few, others = Logits(Forward(samples=13)), Logits(Forward(inputs=Inputs.GAUSSIAN, size=4))
    together = plan([MultiplyAccumulates(), few, others, Logits(Forward(batch=9))])
    assert together.totals["forwards"] == 4
    found = evaluate(make("plain"), batch(), together, key=KEY).values
    assert "the mini-batch has 12" in str(found[few])
    assert isinstance(found[MultiplyAccumulates()], dict)


def test_the_counted_passes_are_the_passes_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the calls of the network and of autograd.grad, not what the plan says of itself."""
    calls = {"forwards": 0, "backwards": 0}
    grad, form = torch.autograd.grad, Path.form

    def carried(*args: Any, **kwargs: Any) -> Any:
        """Carry derivatives forwards, which differentiates the loss, but no network."""
        with monkeypatch.context() as patched:
            patched.setattr(torch.autograd, "grad", grad)
            return form(*args, **kwargs)

    monkeypatch.setattr(Path, "form", carried)

    def counted(*args: object, **kwargs: object) -> object:
        calls["backwards"] += 1
        return grad(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.autograd, "grad", counted)
    network = make("plain", torch.float32)

    def count(module: nn.Module, inputs: object) -> None:
        calls["forwards"] += 1

    network.register_forward_pre_hook(count)
    chosen = select("nas_bench_suite_zero")
    shared = plan(q for m in chosen for q in m.needs.quantities())
    evaluate(network, batch(12, 8, torch.float32), shared, key=KEY)
    assert calls == shared.totals


def test_a_plan_does_not_depend_on_order_or_repetition() -> None:
    needs = [q for m in select("standard") for q in m.needs.quantities()]
    assert plan(needs) == plan(reversed([*needs, *needs]))


def test_a_plan_needs_no_torch() -> None:
    code = "import sys; import zcbench.harness.passes.plan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def fingerprint(network: nn.Module) -> dict[str, object]:
    return {
        "state": {k: v.clone() for k, v in network.state_dict().items()},
        "identity": [id(p) for p in network.parameters()] + [id(b) for b in network.buffers()],
        "versions": [p._version for p in network.parameters()] + [b._version for b in network.buffers()],
        "grads": [p.grad for p in network.parameters()],
        "requires_grad": [p.requires_grad for p in network.parameters()],
        "training": [m.training for m in network.modules()],
        "hooks": [
            len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in network.modules()
        ],
    }


def same(a: dict[str, object], b: dict[str, object]) -> bool:
    states = zip(a.pop("state").items(), b.pop("state").items(), strict=True)  # type: ignore[attr-defined]
    return all(k == m and torch.equal(v, w) for (k, v), (m, w) in states) and a == b


@pytest.mark.parametrize("name", ["plain", "branchy", "nasbench201"])
def test_the_network_and_the_global_generator_are_left_as_they_were(name: str) -> None:
    network = make(name, torch.float32)
    next(network.children()).eval()  # a training flag that is not the same everywhere
    before, drawn = fingerprint(network), torch.random.get_rng_state()
    chosen = [usable(m) for m in metrics() if name in networks_of(m)]
    found = measure(network, batch(9, 16, torch.float32), chosen, key=KEY, origin=origin(name))
    assert {r.outcome for r in found.values()} == {Outcome.OK}
    assert same(before, fingerprint(network))
    assert torch.equal(drawn, torch.random.get_rng_state())


class Faulty(ReluGramRecorder):
    def see(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        raise RuntimeError("a faulty recorder")


def test_the_network_is_left_as_it_was_when_a_recorder_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECORDERS, ReluGram, Faulty)
    network = make("plain", torch.float32).eval()
    before = fingerprint(network)
    with pytest.raises(RuntimeError, match="a faulty recorder"):
        evaluate(network, batch(9, 8, torch.float32), plan([ReluGram(), ParamGradient()]), key=KEY)
    assert same(before, fingerprint(network))


def test_no_hook_is_left_when_registering_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make("plain", torch.float32)
    hook, made = observe._hook, []

    def second_raises(*args: object) -> object:
        made.append(args)
        if len(made) == 2:
            raise RuntimeError("no second hook")
        return hook(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(observe, "_hook", second_raises)
    before = fingerprint(network)
    with pytest.raises(RuntimeError, match="no second hook"):
        evaluate(network, batch(9, 8, torch.float32), plan([ReluGram()]), key=KEY)
    assert same(before, fingerprint(network))


def test_a_metric_that_fails_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECORDERS, ReluGram, Faulty)
    data = batch(9, 8, torch.float32)
    found = measure(make("plain", torch.float32), data, select("nwot,snip,params"), key=KEY)
    assert (found["nwot"].outcome, found["nwot"].reason) == (Outcome.FAILED, "RuntimeError: a faulty recorder")
    alone = measure(make("plain", torch.float32), data, select("snip"), key=KEY)
    assert found["snip"].value == alone["snip"].value
    assert found["params"].outcome is Outcome.OK


def values(quantities: list[object], name: str = "plain") -> dict[object, object]:
    data = batch()
    return dict(evaluate(make(name), data, plan(quantities), key=KEY).values)  # type: ignore[arg-type]


def test_norm_off_is_the_identity() -> None:
    network, data = make("plain"), batch()
    off = Forward(norm=Norm.OFF)
    got = evaluate(network, data, plan([Logits(off)]), key=KEY).values[Logits(off)]
    bare = copy.deepcopy(network)
    bare.body[1], bare.body[4] = nn.Identity(), nn.Identity()
    torch.testing.assert_close(got, bare(data.inputs))


def test_logits_are_those_of_a_training_mode_forward() -> None:
    got = values([Logits()])[Logits()]
    torch.testing.assert_close(got, make("plain").train()(batch().inputs))


def test_the_batch_variance_is_that_of_the_norms_input() -> None:
    network, data = make("plain"), batch()
    seen: list[Tensor] = []
    network.body[1].register_forward_pre_hook(lambda m, i: seen.append(i[0]))
    got = evaluate(network, data, plan([BatchVariance()]), key=KEY).values[BatchVariance()]
    expected = seen[0].transpose(0, 1).flatten(1).var(dim=1, unbiased=True).mean()
    torch.testing.assert_close(got["body.1"], expected)


def test_row_correlation_equals_numpys() -> None:
    rows = torch.randn(5, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(row_correlation(rows), torch.corrcoef(rows))
    rows[2] = 1.0
    assert row_correlation(rows)[2].isnan().all()


def test_input_gradients_equal_those_of_a_plain_backward() -> None:
    data, quantity = batch(), InputGradientCorrelation()
    inputs = data.inputs.clone().requires_grad_()
    make("plain").train()(inputs).sum().backward()
    assert inputs.grad is not None
    torch.testing.assert_close(values([quantity])[quantity], torch.corrcoef(inputs.grad.flatten(1)))


def test_quantities_on_an_unused_layer_are_zero() -> None:
    found = values([ParamGradient(), ChannelFisher(), HessianGradient()], "branchy")
    for name in ("dead.weight", "never.weight"):
        assert not found[ParamGradient()][name].any()  # type: ignore[index]
        assert not found[HessianGradient()][name].any()  # type: ignore[index]
    assert not found[ChannelFisher()]["dead.weight"].any()  # type: ignore[index]
    assert found[ParamGradient()]["stem.weight"].any()  # type: ignore[index]


def test_equal_forwards_with_other_inputs_are_not_shared() -> None:
    gaussian = Forward(inputs=Inputs.GAUSSIAN)
    assert plan([Logits(), Logits(gaussian), ReluGram()]).totals == {"forwards": 2, "backwards": 0}
    assert plan([ParamGradient(Target.LOGIT_SUM), ParamGradient(), HessianGradient()]).totals["backwards"] == 3


def test_patterns_pack_any_number_of_images() -> None:
    """More than 31 images need 64-bit codes; more than 62 do not fit."""
    quantity = ActivationPatterns()
    network = make("plain")
    for n in (5, 31, 32, 40):
        data = batch(n)
        seen: set[tuple[bool, ...]] = set()
        clean = copy.deepcopy(network).train()
        for module in (clean.body[2], clean.body[5]):
            module.register_forward_hook(
                lambda m, i, o, seen=seen: seen.update(map(tuple, (o > 0).flatten(1).T.tolist()))
            )
        clean(data.inputs)
        assert int(evaluate(network, data, plan([quantity]), key=KEY).values[quantity]) == len(seen)
    found = evaluate(network, batch(63), plan([quantity]), key=KEY).values[quantity]
    assert "do not fit" in str(found)


def test_a_quantity_without_value_does_not_take_its_pass_along() -> None:
    """Patterns of 63 images do not exist; the gram and the gradient of the same forward do."""
    quantities = [ActivationPatterns(), ReluGram(), ParamGradient(), BatchVariance()]
    network = make("plain")
    network.body[1].track_running_stats = False
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        network.body[1].register_buffer(name, None)
    found = evaluate(network, batch(63), plan(quantities), key=KEY).values
    assert "do not fit" in str(found[ActivationPatterns()])
    assert "keeps no running statistics" in str(found[BatchVariance()])
    assert found[ReluGram()].shape == (63, 63)
    assert set(found[ParamGradient()]) == {"body.0.weight", "body.3.weight", "head.weight"}


def test_an_overwritten_output_is_refused_or_copied() -> None:
    class Overwrites(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 2, 1), nn.Conv2d(2, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x)
            y.add_(1.0)
            return self.last(y).mean(dim=(2, 3))

    result = measure(Overwrites().double(), batch(), [metrics()["fisher"]], key=KEY)["fisher"]
    assert result.outcome is Outcome.FAILED
    assert "overwritten in place" in result.reason


def test_a_recipe_in_float64_is_scored_in_float64() -> None:
    data = batch(dtype=torch.float64)
    found = evaluate(make("plain"), data, plan([Logits()]), key=KEY).values[Logits()]
    assert found.dtype == torch.float64
    single = MiniBatch(data.inputs.float(), data.targets, 3)
    assert evaluate(make("plain"), single, plan([Logits()]), key=KEY).values[Logits()].dtype == torch.float32


def test_a_network_is_taken_apart_as_pytorch_does() -> None:
    for name in ("plain", "branchy", "nasbench201"):
        network = make(name)
        parts = Parts.of(network)
        assert list(parts.modules.items()) == list(network.named_modules())
        assert [(n, id(p)) for n, p in parts.parameters.items()] == [(n, id(p)) for n, p in network.named_parameters()]
        assert [(n, id(b)) for n, b in parts.buffers.items()] == [(n, id(b)) for n, b in network.named_buffers()]
        assert not parts.aliases


@pytest.mark.parametrize("tie", ["parameter", "buffer", "module"])
def test_what_has_two_names_is_replaced_under_both(tie: str) -> None:
    layer = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    network = nn.Sequential(layer, nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)), nn.Flatten(), nn.Linear(12, 3))
    if tie == "module":
        network[1][0] = layer[0]
    elif tie == "parameter":
        network[1][0].weight = layer[0].weight
    else:
        network[1][1].running_mean = layer[1].running_mean
    network, data = network.double(), batch(5, 2)
    before = copy.deepcopy(network.state_dict())
    score = measure(network, data, select("snip"), key=KEY)["snip"].value
    assert all(torch.equal(kept, before[name]) for name, kept in network.state_dict().items())
    functional.cross_entropy(network.train()(data.inputs), data.targets).backward()
    weights = {id(m.weight): m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert score == pytest.approx(sum(float((w.detach() * w.grad).abs().sum()) for w in weights.values()), rel=1e-9)


@pytest.mark.parametrize("told", [False, True])
def test_a_network_with_a_train_of_its_own_is_scored_the_same_whether_it_was_told_or_not(told: bool) -> None:
    class KeepsItsNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 3, 1))

        def train(self, mode: bool = True) -> "KeepsItsNorm":
            super().train(mode)
            self.body[1].eval()
            return self

        def forward(self, x: Tensor) -> Tensor:
            seen.append([m.training for m in self.body])
            return self.body(x).mean(dim=(2, 3))

    seen: list[list[bool]] = []
    network = KeepsItsNorm().double()
    if told:
        network.train()
    before = [m.training for m in network.modules()]
    evaluate(network, batch(), plan([Logits()]), key=KEY)
    assert seen == [[True, False, True]]
    assert [m.training for m in network.modules()] == before
