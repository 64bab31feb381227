"""Scores of operations: conservation of flow, known facts about the released code, and one pass for all cells."""

import math

import pytest
import torch
from scipy.stats import rankdata

from networks import CELL
from references.zeros_snip import supernet as reference_supernet
from zcbench.datasets.nasbench201 import network as nasbench201_network
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.datasets.nasbench201.supernet import CellSupernet
from zcbench.datasets.nasbench301.space import Space as NasBench301Space
from zcbench.harness.candidate import measure
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes.operation_scores import (
    FLOW,
    NORMED_FLOW,
    OperationSensitivity,
    bare_run,
    chosen_of,
    flow_scores,
    supernet_run,
)
from zcbench.harness.passes.operation_swaps import Method, OperationSwaps, in_evaluation_mode, ranks, uniform
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch, Origin
from zcbench.harness.passes.spec import Forward, Norm, ReluGram
from zcbench.harness.registry import metrics
from zcbench.harness.types import Outcome

pytestmark = pytest.mark.usefixtures("one_cell_a_stage")
CUTS = (("0->1", "0->2", "0->3"), ("0->2", "1->2", "0->3", "1->3"), ("0->3", "1->3", "2->3"))
"""The edges that leave nodes {0}, {0, 1} and {0, 1, 2}; every path through the cell has exactly one of each."""

CELLS = 3
"""Of the networks that are built here; `whole` brings those of the benchmark back."""


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nasbench201_network, "CELLS_PER_STAGE", 5)


def data(n: int = 6, side: int = 8, dtype: torch.dtype = torch.float64) -> MiniBatch:
    inputs = torch.randn(n, 3, side, side, generator=seeded("images")).to(dtype)
    return MiniBatch(inputs, torch.arange(n) % 3, 3)


def origin(space=None, text: str = CELL, shared=None) -> Origin:
    space = space or Space()
    architecture = space.parse(text) if text else space.sample(1, 0)[0]
    return Origin(space, architecture, 3, "pytorch@1", 0, {} if shared is None else shared)


def flow(run) -> tuple[float, float]:
    """R and the part of it that the biases of the classifier put in behind all cells."""
    network = run.network
    state = {k: v.double() for k, v in network.state_dict().items()}
    bare = Space().supernet(3).to_empty(device="cpu").double()
    bare.load_state_dict({k: v.abs() for k, v in state.items()})
    bare.alpha.fill_(1 / 5)
    for name, module in bare.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            parent = bare.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], torch.nn.Identity())
    logits = bare(torch.ones(1, 3, 8, 8, dtype=torch.float64))
    return float(logits.sum().detach()), float(bare.classifier.bias.detach().sum())


@pytest.mark.parametrize("cut", CUTS)
def test_flow_is_conserved_on_every_cut_of_the_cell(cut: tuple[str, ...]) -> None:
    """Each of the n cells is linear in the weights on a cut, and homogeneous in its input: the sum is n R.

    The biases of the classifier are the only thing that does not come through the cells, and is taken off R.
    """
    run = bare_run(origin(), data())
    table = flow_scores(run)
    through, biases = flow(run)
    on_cut = sum(float(table.values[table.edges.index(edge)].sum()) for edge in cut)
    assert on_cut == pytest.approx(CELLS * (through - biases), rel=1e-10)


def test_no_other_set_of_edges_is_conserved() -> None:
    """The edges that leave {0, 2} are no cut: a path through 1 crosses twice."""
    run = bare_run(origin(), data())
    table = flow_scores(run)
    through, biases = flow(run)
    crossing = sum(float(table.values[table.edges.index(edge)].sum()) for edge in ("0->1", "0->3", "2->3"))
    assert crossing > 1.1 * CELLS * (through - biases)


def test_without_bias_the_sum_is_the_number_of_cells_times_the_flow() -> None:
    run = bare_run(origin(), data())
    with torch.no_grad():
        run.network.classifier.bias.zero_()
    table = flow_scores(run)
    through, biases = flow(run)
    assert biases == 0
    for cut in CUTS:
        on_cut = sum(float(table.values[table.edges.index(edge)].sum()) for edge in cut)
        assert on_cut == pytest.approx(CELLS * through, rel=1e-10)


def test_all_flows_of_the_whole_supernet_are_finite_and_positive(whole: None) -> None:
    run = bare_run(origin(), data(2, 32, torch.float32))
    for forward in (FLOW, NORMED_FLOW):
        values = flow_scores(run, forward).values
        assert values.dtype is torch.float64
        assert torch.isfinite(values).all()
        assert (values[:, 1:] > 0).all()
        assert (values[:, 0] == 0).all()  # none carries nothing


def released(dtype: torch.dtype) -> torch.Tensor:
    """alpha dR/dalpha as in the released notebook for NAS-Bench-201: alpha 1, absolute weights, norms in training."""
    network = initialise(Space().supernet(10), INITIALISATIONS["pytorch"], seeded("released")).to(dtype).train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    del network.alpha
    network.alpha = torch.nn.Parameter(torch.ones(6, 5, dtype=dtype))
    network(torch.ones(1, 3, 32, 32, dtype=dtype)).sum().backward()
    return network.alpha.grad


def test_float32_overflows_where_float64_does_not(whole: None) -> None:
    """The stored notebook of FreeDARTS has NaN on every edge: with alpha = 1 a variance exceeds float32.

    On a CPU batch norm makes zeros of it, and no operation can be told from another either.
    """
    single, double = released(torch.float32), released(torch.float64)
    assert not (torch.isfinite(single) & (single != 0)).any()
    assert torch.isfinite(double).all()
    assert (double[:, 1:] != 0).all()


def test_with_norms_the_flow_of_the_darts_supernet_is_rounding() -> None:
    """Every feature of the last cell is normalised over the one image, so its mean is 0 and R is the biases."""
    space = NasBench301Space().configured({"channels": "4", "cells": "5"})
    run = bare_run(origin(space, ""), data(2, 16))
    table = flow_scores(run, NORMED_FLOW)
    assert float(table.values.max()) < 1e-12
    (held, reason), = table.conditions
    assert held.all()
    assert "rounding" in reason
    assert not flow_scores(run, FLOW).conditions[0][0].any()


def test_one_pass_on_the_supernet_scores_all_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    forward = CellSupernet.forward
    monkeypatch.setattr(CellSupernet, "forward", lambda self, x: calls.append(len(x)) or forward(self, x))
    space, shared = Space(), {}
    chosen = [metrics()["zeros_snip"], metrics()["zeros_grasp"].with_parameters(samples=4), metrics()["zeros_synflow"]]
    for cell in space.sample(4, 0):
        found = measure(
            torch.nn.Linear(1, 1), data(), chosen, key=("k",),
            origin=Origin(space, cell, 3, "pytorch@1", 0, shared),
        )  # fmt: skip
        assert {r.outcome for r in found.values()} == {Outcome.OK}
    assert sorted(calls) == [1, 4, 6]  # the image of ones, the first images for grasp, the mini-batch for snip


def test_all_15625_cells_get_their_scores_from_one_table() -> None:
    space, shared = Space(), {}
    run = supernet_run(bare_run(origin(shared=shared), data()))
    table = flow_scores(run)
    rows = {edge: dict(zip(table.operations, row, strict=True))
            for edge, row in zip(table.edges, table.values.tolist(), strict=True)}  # fmt: skip
    scores = {cell.id: sum(rows[e][o] for e, o in space.operations(cell)) for cell in space}
    assert len(scores) == 15_625
    assert len(set(scores.values())) > 15_000
    some = space.sample(3, 1)
    for cell in some:
        one = bare_run(Origin(space, cell, 3, "pytorch@1", 0, shared), data())
        assert float(chosen_of(one, table).scores.sum()) == pytest.approx(scores[cell.id], rel=1e-12)
        score = measure(
            torch.nn.Linear(1, 1), data(), [metrics()["zeros_synflow"]], key=("k",),
            origin=Origin(space, cell, 3, "pytorch@1", 0, shared),
        )["zeros_synflow"]  # fmt: skip
        assert score.value == pytest.approx(math.log(scores[cell.id]), rel=1e-12)
    assert max(scores, key=scores.__getitem__) == space.architecture(["nor_conv_3x3"] * 6).id


def test_grasp_looks_at_the_first_images_only() -> None:
    """Images behind them change nothing, and a mini-batch that has too few is refused."""
    whole, first = data(6), MiniBatch(data(6).inputs[:4], data(6).targets[:4], 3)
    of_four = OperationSensitivity("grasp", 4)
    values = of_four.scores(bare_run(origin(), whole)).values
    assert torch.equal(values, of_four.scores(bare_run(origin(), first)).values)
    assert not torch.allclose(values, OperationSensitivity("grasp").scores(bare_run(origin(), whole)).values)
    found = measure(torch.nn.Linear(1, 1), first, [metrics()["zeros_grasp"]], key=("k",), origin=origin())
    assert found["zeros_grasp"].reason == "needs 8 images, the mini-batch has 4"


def test_a_bare_network_and_a_space_without_supernet_have_no_operation_scores() -> None:
    chosen = [metrics()["zeros_snip"], metrics()["zero_cost_pt"]]
    for where in (None, origin(_size_space(), "")):
        found = measure(torch.nn.Linear(1, 1), data(), chosen, key=("k",), origin=where)
        assert {r.outcome for r in found.values()} == {Outcome.UNDEFINED}
        assert all("supernet" in r.reason for r in found.values())


def _size_space():
    from zcbench.datasets.registry import benchmarks

    return benchmarks()["natsbench_size"].space


def test_ranks_are_those_of_scipy() -> None:
    values = torch.tensor([[3.0, 1, 1, 2, 5], [0, 0, 0, 0, 0]], dtype=torch.float64)
    wanted = torch.from_numpy(rankdata(values.numpy(), axis=1) - 1)
    assert torch.equal(ranks(values), wanted)


def test_any_metric_scores_operations_by_its_own_direction() -> None:
    """The condition of a metric for which less is better is turned, and norms are left as they are but on request."""
    from dataclasses import replace

    run = bare_run(origin(), data(4, 8))
    synflow = metrics()["synflow"]
    turned = replace(synflow, higher_is_better=False)
    ours = OperationSwaps.by(Method.DISCRETISATION, synflow).scores(run)
    theirs = OperationSwaps.by(Method.DISCRETISATION, turned).scores(run)
    assert torch.equal(ours.values, -theirs.values)
    assert in_evaluation_mode(ReluGram()) == ReluGram(Forward(norm=Norm.RUNNING))
    off = ReluGram(Forward(norm=Norm.OFF))
    assert in_evaluation_mode(off) == off


def test_the_supernet_is_left_as_it_was() -> None:
    run = bare_run(origin(), data(4, 8))
    before = {k: v.clone() for k, v in run.network.state_dict().items()}
    OperationSwaps.by(Method.PERTURBATION, metrics()["nwot"], evaluation_mode=True).scores(run)
    after = run.network.state_dict()
    assert all(torch.equal(v, after[k]) for k, v in before.items())
    assert (run.network.alpha == torch.tensor(0.2)).all()


def test_twins_leave_every_operation_without_a_score() -> None:
    twins = MiniBatch(data().inputs[[0, 0, 1]], torch.arange(3), 3)
    found = measure(torch.nn.Linear(1, 1), twins, [metrics()["zero_cost_pt"]], key=("k",), origin=origin())
    result = found["zero_cost_pt"]
    assert result.outcome is Outcome.UNDEFINED
    assert "same ReLU code" in result.reason


def test_the_weights_do_not_depend_on_the_architecture() -> None:
    one, other = (bare_run(origin(text=text), data()) for text in (CELL, CELL.replace("nor_conv_1x1", "none")))
    assert torch.equal(one.network.classifier.weight, other.network.classifier.weight)


def test_the_plan_says_what_the_passes_on_the_supernet_are() -> None:
    asked = plan(q for n in ("zeros_snip", "zeros_grasp", "zero_cost_pt") for q in metrics()[n].needs.quantities())
    described = {p["quantity"]: p["besides"] for p in asked.to_dict()["procedures"]}
    assert "for every operation of every edge on the supernet, once for each worker" in described["OperationSwaps"]
    assert described["OperationSensitivity"] == "on the supernet, once for each worker"


def test_perturbation_and_discretisation_change_one_edge_only() -> None:
    start = uniform(bare_run(origin(), data()).network)
    without = start.changed(2, 3, Method.PERTURBATION)
    alone = start.changed(2, 3, Method.DISCRETISATION)
    fifth = torch.tensor(0.2)
    assert without.alpha[2].tolist() == [fifth, fifth, fifth, 0, fifth]
    assert alone.alpha[2].tolist() == [0, 0, 0, 1, 0]
    assert without.gone == {(2, 3)}
    assert alone.gone == {(2, 0), (2, 1), (2, 2), (2, 4)}
    for edge in (0, 1, 3, 4, 5):
        assert (without.alpha[edge] == fifth).all()
        assert (alone.alpha[edge] == fifth).all()
    again = alone.changed(2, 0, Method.DISCRETISATION)
    assert again.gone == {(2, 1), (2, 2), (2, 3), (2, 4)}


def test_an_operation_that_is_gone_sees_no_image() -> None:
    """Its ReLU gets zeros in every cell, and only then; the output is that of weight 0 alone."""
    run = bare_run(origin(), data(4, 8))
    network = run.network
    seen: dict[str, bool] = {}
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_hook(lambda m, i, o, name=name: seen.__setitem__(name, bool((i[0] != 0).any())))
    without = uniform(network).changed(1, 3, Method.PERTURBATION)
    network = network.double()
    with network.mixed(without.alpha.double(), without.gone):
        blocked = network(data(4, 8).inputs)
    dark = {name for name, lit in seen.items() if not lit}
    assert len(dark) == CELLS
    assert all(".edges.1.operations.2." in name for name in dark)  # none is left out: place 3 is module 2
    with network.mixed(without.alpha.double()):
        torch.testing.assert_close(network(data(4, 8).inputs), blocked)
    assert all(seen.values())


def test_the_reference_supernet_has_the_same_weights() -> None:
    from references import Setting

    batch = data()
    setting = Setting(torch.nn.Linear(1, 1), batch.inputs, batch.targets, 3, ("k",), {}, (), origin())
    mine = bare_run(origin(), batch).network.state_dict()
    theirs = reference_supernet(setting).state_dict()
    assert all(torch.equal(mine[k].double(), theirs[k]) for k in theirs if k != "alpha")
