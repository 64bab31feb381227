"""Which value of a dataset is meant, what it is called, and in which direction and unit it counts."""

import pandas as pd
import pytest

from zcbench.datasets.measures import MEASURES, UNKNOWN, measure
from zcbench.datasets.tidy import TRUTH_COLUMNS
from zcbench.datasets.truth import Remarks, TruthTable, split_target
from zcbench.harness.errors import ZcbenchError


def row(metric, *, dataset="d", split="valid", value=0.5, cell="x", seed=-1, source="s", kind="trained", epochs=-1):
    return (cell, dataset, split, epochs, seed, metric, value, source, kind)


def table(*rows):
    return TruthTable(pd.DataFrame(rows, columns=list(TRUTH_COLUMNS)))


def cost(metric="npu_latency", **other):
    return row(metric, split="hardware", kind="measured", source="hw", value=7.5, **other)


@pytest.mark.parametrize(
    ("metrics", "usual"),
    [
        (("accuracy",), "accuracy"),
        (("accuracy", "ssim", "accuracy_halfway"), "accuracy"),
        (("ssim",), "ssim"),
        (("negative_loss", "training_seconds", "accuracy_halfway", "accuracy_curve_12"), "negative_loss"),
    ],
)
def test_the_metric_that_is_meant_where_none_is_named(metrics, usual):
    found = table(*(row(metric) for metric in metrics), cost())
    target = found.select("d", split="valid")
    assert (target.metric, target.usual, target.name) == (usual, usual, "d")
    assert found.truth("x", "d", split="valid").values == (0.5,)
    for other in set(metrics) - {usual}:
        assert found.select("d", split="valid", metric=other).name == f"d/{other}"


@pytest.mark.parametrize("metrics", [("ssim", "psnr"), ("accuracy_halfway",), ("training_seconds",), ()])
def test_a_dataset_without_such_a_metric_asks_for_one(metrics):
    found = table(*(row(metric) for metric in metrics), cost(), cost("npu_energy"))
    names = ", ".join(f"d/{name}" for name in sorted({*metrics, "npu_latency", "npu_energy"}))
    with pytest.raises(ZcbenchError) as caught:
        found.select("d", split="valid")
    assert str(caught.value) == f"d does not say which value is meant: name one, there is {names}"


def test_the_default_split_is_taken_and_no_other():
    found = table(row("accuracy"), row("accuracy", split="test", dataset="e"))
    assert found.select("d", default_split="valid").split == "valid"
    assert found.select("e").split == "test"
    with pytest.raises(ZcbenchError, match=r"no test accuracy of d; there is valid after the last epoch"):
        found.select("d")
    with pytest.raises(ZcbenchError, match=r"no valid accuracy of e; there is test"):
        found.select("e", default_split="valid")
    assert found.select("e", default_split="valid", split="test").split == "test"


def test_a_cost_on_a_device_has_no_split_to_name():
    remarks = Remarks(seeds={"hw": "one value for each architecture"}, notes={("hw", "d"): "batch size 1"})
    found = table(row("accuracy", split="test"), cost(), cost("npu_energy")).remarked(remarks)
    for default in ("test", "valid"):
        target = found.select("d", metric="npu_latency", default_split=default)
        assert (target.split, target.kind, target.name) == ("hardware", "measured", "d/npu_latency")
    assert (target.unit, target.higher_is_better) == ("ms", False)
    assert target.repeats.shape == (1, 0)
    assert target.describe() == (
        "d npu_latency in ms, one value for each architecture, source hw, measured; batch size 1"
    )
    assert found.select("d").name == "d"
    with pytest.raises(ZcbenchError, match=r"no test npu_latency of d; there is hardware"):
        found.select("d", metric="npu_latency", split="test")


def test_a_metric_that_another_source_has_says_where():
    found = table(row("accuracy", split="test")).remarked(Remarks(metrics={"npu_latency": "get the file"}))
    with pytest.raises(ZcbenchError, match=r'^d has no value "npu_latency": get the file$'):
        found.select("d", metric="npu_latency")
    with pytest.raises(ZcbenchError, match=r'^d has no value "npu_energy"\. Known: accuracy\.$'):
        found.select("d", metric="npu_energy")


@pytest.mark.parametrize(
    ("metric", "unit", "higher"),
    [
        ("accuracy", "fraction", True),
        ("accuracy_halfway", "fraction", True),
        ("accuracy_curve_200", "fraction", True),
        ("ssim", "", True),
        ("negative_loss", "", True),
        ("loss", "", False),
        ("training_seconds", "s", False),
        ("edgegpu_latency", "ms", False),
        ("fpga_energy", "mJ", False),
        ("eyeriss_arithmetic_intensity", "", True),
    ],
)
def test_units_and_directions(metric, unit, higher):
    assert (measure(metric).unit, measure(metric).higher_is_better) == (unit, higher)
    assert measure(metric) is not UNKNOWN
    assert measure(metric).words


def test_an_unknown_metric_is_said_to_be_one():
    for name in ("iou", "latency_of_npu", "lossy", "energetic"):
        assert measure(name) is UNKNOWN
    assert "nobody stated" in UNKNOWN.words
    assert UNKNOWN not in MEASURES.values()


def test_the_unit_is_named_where_it_is_no_fraction():
    found = table(row("accuracy", epochs=3), row("training_seconds", epochs=3), row("ssim", dataset="e"))
    said = {
        metric: found.select(dataset, split="valid", metric=metric).describe()
        for dataset, metric in (("d", "accuracy"), ("d", "training_seconds"), ("e", "ssim"))
    }
    assert said["accuracy"].startswith("d valid accuracy after 3 epochs, ")
    assert said["training_seconds"].startswith("d valid training_seconds in s after 3 epochs, ")
    assert said["ssim"].startswith("e valid ssim after the last epoch, ")


def test_targets_are_split():
    assert split_target("cifar10") == ("cifar10", None)
    assert split_target("cifar10/edgegpu_latency") == ("cifar10", "edgegpu_latency")
    for text in ("", "/", "cifar10/", "/edgegpu_latency"):
        with pytest.raises(ZcbenchError, match=r'written "dataset" or "dataset/metric", not'):
            split_target(text)


def test_the_name_of_a_target_can_be_split_again():
    found = table(row("accuracy", split="test"), cost())
    for metric in ("accuracy", "npu_latency"):
        target = found.select("d", metric=metric)
        dataset, named = split_target(target.name)
        again = found.select(dataset, metric=named)
        assert again.describe() == target.describe()


def test_transnasbench_says_its_own_measures(data_folder):
    micro = TruthTable.from_parquet(data_folder / "transnasbench101_micro.parquet")
    usual = {name: micro.select(name, default_split="valid").metric for name in micro.datasets}
    assert usual == {
        "autoencoder": "ssim",
        "class_object": "accuracy",
        "class_scene": "accuracy",
        "jigsaw": "accuracy",
        "normal": "ssim",
        "room_layout": "negative_loss",
        "segmentsemantic": "accuracy",
    }
