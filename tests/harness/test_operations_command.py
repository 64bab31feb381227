"""``zcbench operations``, and the functions behind it."""

import csv
import re

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from zcbench.datasets.nasbench201.genotype import Space
from zcbench.datasets.nasbench301.space import Space as NasBench301Space
from zcbench.datasets.registry import benchmark
from zcbench.harness.analysis.operations import study, worth_of_average
from zcbench.harness.cli import zcbench
from zcbench.harness.commands import operations
from zcbench.harness.commands._targets import TruthOptions, choose_targets, load
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.initialise import seeded
from zcbench.harness.operations import on_edge, operation_scores, scorers, supernet_of
from zcbench.harness.passes.run import MiniBatch

pytestmark = pytest.mark.usefixtures("one_cell_a_stage")
SMALL = ("--dataset", "digits", "--resolution", "8", "--batch-size", "4", "--source", "analognasbench")


def run(*arguments: str):
    return CliRunner().invoke(zcbench, ["operations", *arguments], standalone_mode=False)


def data() -> MiniBatch:
    return MiniBatch(torch.randn(4, 3, 8, 8, generator=seeded("images")).double(), torch.arange(4) % 3, 3)


def test_the_verb_writes_a_page_and_the_tables(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)  # the accuracies that come with the installation
    out = tmp_path / "out"
    result = run(*SMALL, "--scorers", "zeros_synflow,perturbation(params)", "--out", str(out))
    assert result.exception is None, result.output
    assert "zeros_synflow" in result.output
    assert (out / "index.html").exists()
    (name,) = (out / "tables").glob("operations_scores_*.csv")
    rows = list(csv.DictReader(name.read_text().splitlines()))
    assert len(rows) == 30
    flows = {(r["edge"], r["operation"]): float(r["zeros_synflow"]) for r in rows}
    assert flows["0->1", "none"] == 0
    assert flows["0->1", "nor_conv_3x3"] > flows["0->1", "nor_conv_1x1"] > 0
    assert len({r["perturbation_params"] for r in rows}) == 1  # a weight of the mixture removes no parameter


@pytest.mark.parametrize(
    ("scorer", "said"),
    [
        ("zeros", "unknown scorer of operations"),
        ("perturbation(nwto)", 'did you mean "nwot"'),
        ("perturbation(standard)", "by one metric, not 1"),
        ("guess(nwot)", "unknown scorer of operations"),
        ("", "no scorer is named"),
        ("zeros_grasp(sample=16)", 'did you mean "samples"'),
    ],
)
def test_wrong_scorers_are_one_clear_line(scorer: str, said: str) -> None:
    with pytest.raises(ZcbenchError) as error:
        scorers(scorer)
    assert said.lower() in str(error.value).lower()
    assert "\n" not in str(error.value)


def test_scorers_may_have_metrics_with_parameters() -> None:
    one, other = scorers("discretisation(swap(repeats=2,samples=9)), zeros_snip, zeros_snip")
    assert (one.name, other.name) == ("discretisation(swap(repeats=2,samples=9))", "zeros_snip")
    (more,) = scorers("zeros_grasp(samples=16)")
    assert more.name == "zeros_grasp(samples=16)"
    assert more.sensitivity is not None
    assert more.sensitivity.samples == 16
    assert [s.swaps.evaluation_mode for s in scorers("perturbation(nwot),perturbation(synflow)") if s.swaps] == [
        True, False,
    ]  # fmt: skip


def test_a_benchmark_without_supernet_says_so(monkeypatch) -> None:
    from zcbench.datasets.registry import benchmarks

    with pytest.raises(ZcbenchError, match="natsbench_size has no supernet"):
        supernet_of(benchmarks()["natsbench_size"].space, data())


@pytest.mark.parametrize("asked", [("cifar10/edgegpu_latency",), ("cifar10", "cifar10/edgegpu_latency")])
def test_costs_are_no_truth_of_operations(asked: tuple[str, ...], tmp_path, monkeypatch) -> None:
    row = {"dataset": "cifar10", "source": "mine", "seed": 0}
    cells = [str(cell) for cell in Space().sample(3, 0)]
    accuracies = [{"architecture": c, **row, "split": "test", "epochs": 200, "metric": "accuracy", "value": 0.9,
                   "kind": "measured"}
                  for c in cells]  # fmt: skip
    costs = [{"architecture": c, **row, "split": "hardware", "epochs": 0, "metric": "edgegpu_latency",
              "value": 5.0, "kind": "measured"}
             for c in cells]  # fmt: skip
    pd.DataFrame(accuracies + costs).to_parquet(tmp_path / "truth.parquet")
    monkeypatch.chdir(tmp_path)
    targets = [part for name in asked for part in ("--target", name)]
    result = run("--dataset", "digits", "--truth", "truth.parquet", *targets)
    assert isinstance(result.exception, ZcbenchError)
    said = str(result.exception)
    assert "cifar10/edgegpu_latency is a cost" in said
    assert said.endswith("--target cifar10")
    assert "\n" not in said


def test_other_sources_are_asked_what_the_average_accuracy_is_worth(tmp_path) -> None:
    """Those with all the architectures, and not the one that is the truth."""
    space, cells = Space(), [str(cell) for cell in Space().sample(200, 0)]
    accuracies = {name: np.random.default_rng(n).random(200) for n, name in enumerate(("mine", "other", "small"))}
    rows = [
        {"architecture": c, "dataset": "cifar10", "source": source, "seed": 0, "split": "test", "epochs": 200,
         "metric": "accuracy", "value": value, "kind": "trained"}
        for source, values in accuracies.items() for c, value in zip(cells, values, strict=True)
        if source != "small" or c != cells[0]
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(tmp_path / "truth.parquet")
    one = benchmark("nasbench201")

    def choices(source: str):
        truth = TruthOptions.of(("nasbench201",), (), (source,), (), (), tmp_path / "truth.parquet", costs=False)
        table = load(one, truth)
        (target,) = choose_targets(one, table, truth)
        found = operations._choices(one, space, target, *supernet_edges(space))
        return found, operations._elsewhere(one, space, table, truth, target, found)

    (mine, elsewhere), (other, back) = choices("mine"), choices("other")
    assert elsewhere == {"other": worth_of_average(other)}
    assert back == {"mine": worth_of_average(mine)}
    assert worth_of_average(mine) == study(mine, {}).scorers[0].best.mean.value != worth_of_average(other)


def supernet_edges(space: Space) -> tuple[tuple[str, ...], tuple[str, ...]]:
    network, _ = supernet_of(space, data())
    return network.edges, network.operations


def test_the_provenance_names_the_device(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    monkeypatch.setattr(operations, "find_device", lambda asked: {"auto": "cpu", "cpu": "cpu:0"}[asked])
    for asked, named in (("cpu", "cpu:0"), ("auto", "cpu")):
        out = tmp_path / named.replace(":", "_")
        result = run(*SMALL, "--scorers", "perturbation(params)", "--device", asked, "--out", str(out))
        assert result.exception is None, result.output
        assert re.search(rf"device\W+{named}\W*$", (out / "report.md").read_text(), re.MULTILINE)


def test_only_verbs_that_relate_metrics_to_costs_have_the_option() -> None:
    verbs = {"operations": False, "transfer": False, "score": False, "analyse": True, "report": True}
    for verb, has in verbs.items():
        said = " ".join(CliRunner().invoke(zcbench, [verb, "--help"]).output.split())
        assert ("--costs" in said) is has, verb
        assert ("edgegpu_latency" in said) is has, verb
        assert '[default: ""]' not in said
        assert ("drift variants" in said) is (verb == "transfer")


def test_an_edge_is_scored_with_what_is_decided() -> None:
    _, states = supernet_of(Space(), data())
    (scorer,) = scorers("discretisation(synflow)")
    whole = operation_scores(scorer, states).values
    alone = on_edge(scorer, states, "0->3", {})
    np.testing.assert_allclose(list(alone.values()), whole[3], rtol=1e-12)
    nothing = dict.fromkeys(("0->1", "0->2", "1->2", "1->3", "2->3"), "none")
    rest = on_edge(scorer, states, "0->3", nothing)
    assert np.isnan(rest["none"])  # nothing flows at all
    assert rest["nor_conv_3x3"] > rest["nor_conv_1x1"] > rest["skip_connect"]
    (once,) = scorers("zeros_snip")
    with pytest.raises(ZcbenchError, match="all edges at once"):
        on_edge(once, states, "0->1", {})


def test_any_metric_scores_an_edge_of_the_darts_supernet() -> None:
    space = NasBench301Space().configured({"channels": "4", "cells": "3"})
    _, states = supernet_of(space, data())
    for name in ("perturbation(nwot)", "discretisation(grad_norm)"):
        (scorer,) = scorers(name)
        found = on_edge(scorer, states, "reduce 1->4", {"normal 0->2": "skip_connect"})
        assert list(found)[:3] == ["none", "max_pool_3x3", "avg_pool_3x3"]
        assert len(set(found.values())) > 4
        assert np.isfinite(list(found.values())).all()
