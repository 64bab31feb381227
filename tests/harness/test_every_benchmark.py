"""Every verb works the same on every benchmark, and one store and one report hold them side by side."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from verbs import command

from zcbench.datasets import registry
from zcbench.datasets.truth import TruthTable
from zcbench.harness.options import split
from zcbench.harness.store import Store

pytestmark = pytest.mark.usefixtures("one_cell_a_stage")
NAMES = sorted(registry.benchmarks())
MEASURES = {"room_layout": "negative_loss", "normal": "ssim", "autoencoder": "ssim"}
QUICK = ("--dataset", "gaussian", "--resolution", "16", "--batch-size", "2", "--metrics", "params,flops,layers",
         "--workers", "1")  # fmt: skip
SMALL = ("--network", "channels=4,cells=3")


def table(name: str, n: int = 14) -> pd.DataFrame:
    """A synthetic table of a benchmark: three seeds, better for more parameters, on all its datasets."""
    found = registry.benchmark(name)
    rows = []
    for i, architecture in enumerate(found.space.sample(n, seed=0)):
        for dataset in found.datasets:
            for seed in (0, 1, 2):
                value = (0.2 + 0.03 * i + 0.013 * ((i * 7 + seed * 5) % 3)) % 1
                measure = MEASURES.get(dataset, "accuracy")
                rows.append((architecture.id, dataset, found.default_split, 10, seed, measure,
                             -value if measure == "negative_loss" else value, "made-up", "synthetic"))  # fmt: skip
    columns = ["architecture", "dataset", "split", "epochs", "seed", "metric", "value", "source", "kind"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in NAMES:
        TruthTable(table(name)).write(folder / f"{name}.parquet")
    return folder


@pytest.fixture(autouse=True)
def place(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ZCBENCH_DATA", str(data))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_score_analyse_report_and_export(name: str, place: Path, data: Path) -> None:
    common = ("--benchmark", name, "--store", "s.sqlite")
    small = SMALL if "cells" in registry.benchmark(name).space.network else ()
    assert command("score", *common, "--pool", "truth", "--sample", "6", *QUICK, *small) == 0
    assert command("analyse", *common, "--resamples", "20") == 0
    rows = pd.read_csv("analysis/correlations.csv")
    assert set(rows["benchmark"]) == {name}
    assert set(rows["source"]) == {"made-up"}
    assert rows[(rows["statistic"] == "spearman") & (rows["slice"] == "all")]["n"].eq(6).all()
    assert command("report", "--store", "s.sqlite", "--resamples", "20") == 0
    assert name.split("_")[0].removeprefix("nas")[:4] in (place / "report/index.html").read_text().lower()
    assert command("export", "--store", "s.sqlite", "--out", "s.parquet") == 0
    assert len(pd.read_parquet("s.parquet")) == 6 * 3
    checked = ("data", "convert", name, str(data / f"{name}.parquet"), "--out", "again.parquet")
    assert command(*checked) == 0
    again = TruthTable.from_parquet(place / "again.parquet")
    assert len(again) == len(TruthTable.from_parquet(data / f"{name}.parquet"))


def test_one_report_holds_them_all(place: Path) -> None:
    together = [name for name in NAMES if name not in ("natsbench_size", "darts")]
    several = [part for name in together for part in ("--benchmark", name)]
    line = ("run", *several, "--pool", "truth", "--sample", "6", *QUICK, *SMALL, "--resamples", "20", "--out", "o")
    assert command(*line) == 0
    rows = pd.read_csv("o/analysis/correlations.csv")
    assert set(rows["benchmark"]) == set(together)
    page = (place / "o/report/index.html").read_text()
    assert all(title in page for title in ("NAS-Bench-101", "NAS-Bench-201", "TransNAS-Bench-101"))
    document = json.loads((place / "o/analysis/analysis.json").read_text())
    assert {a["benchmark"] for a in document["analyses"]} == set(together)


def test_every_task_has_networks_and_scores_of_its_own(place: Path) -> None:
    asked = ("class_scene", "room_layout", "autoencoder")
    targets = [part for task in asked for part in ("--target", task)]
    line = ("run", "--benchmark", "transnasbench101_macro", *targets, "--sample", "3", "--pool", "truth", *QUICK)
    assert command(*line, "--resamples", "20", "--out", "o") == 0
    with Store(place / "o/scores.sqlite") as store:
        recipes = store.recipes()
        frame = store.frame()
    assert {split(r.network)["task"] for r in recipes.values()} == set(asked)
    assert len(frame) == 3 * 3 * 3
    params = frame[frame["metric"] == "params"].pivot(index="architecture", columns="recipe", values="value")
    assert (params.nunique(axis=1) == 3).all()  # another head, another count
    rows = pd.read_csv("o/analysis/correlations.csv")
    assert set(rows["target"]) == set(asked)
    assert "targets of room_layout: at random" in (place / "o/report/index.html").read_text()


def test_source_and_split_may_differ_between_benchmarks(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = ("--benchmark", "nasbench101", "--benchmark", "nasbench301")
    line = ("run", *several, "--pool", "truth", "--sample", "3", *QUICK, "--resamples", "20", "--out", "o")
    assert command(*line, "--source", "nasbench101=made-up", "--split", "nasbench301=valid", "--epochs", "10") == 0
    assert command(*line, "--split", "nasbench301=test") == 2
    assert "there is no test accuracy" in capsys.readouterr().err


def test_network_options_are_part_of_the_recipe(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ("--benchmark", "darts", "--pool", "truth", "--sample", "3", *QUICK, "--store", "s.sqlite")
    assert command("score", *common, "--network", "channels=4,cells=3") == 0
    assert command("score", *common, "--network", "channels=8,cells=3") == 0
    with Store(place / "s.sqlite") as store:
        assert len(store.frame()) == 2 * 3 * 3
    capsys.readouterr()
    assert command("analyse", "--store", "s.sqlite", "--network", "channels=8", "--resamples", "20") == 0
    assert "channels=8" in capsys.readouterr().out
    assert command("score", *common, "--network", "chanels=4") == 2
    assert 'Did you mean "channels"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message", "code"),
    [
        (("--benchmark", "darts", "--pool", "truth", "--sample", "99"), "cannot sample 99 architectures: 14 have", 2),
        (("--benchmark", "darts", "--benchmark", "nasbench201", "--network", "cels=3", "--sample", "1"),
         'Did you mean "cells"', 2),
        (("--benchmark", "nasbench201", "--network", "cells=3", "--sample", "1"), "nothing to choose", 2),
        (("--benchmark", "nasbench201", "--task", "jigsaw", "--sample", "1"), "--task is for benchmarks whose", 2),
        (("--benchmark", "transnasbench101_micro", "--task", "jigsav", "--sample", "1"), 'Did you mean "jigsaw"?', 2),
        (("--benchmark", "darts", "--benchmark", "nasbench201", "--architectures", "x"), "is for one benchmark", 2),
        (("--benchmark", "darts", "--benchmark", "nasbench201", "--sample", "1", "--target", "cifr10"),
         'Did you mean "cifar10"', 2),
        (("--benchmark", "nasbench201", "--sample", "1", "--source", "nasbench101=naslib"),
         'unknown benchmark in --source "nasbench101"', 2),
        (("--benchmark", "nasbench201", "--sample", "1", "--source", "a", "--source", "b"),
         "--source is given twice", 2),
        (("--benchmark", "nasbench201", "--sample", "1", "--epochs", "many"), "--epochs is a whole number", 2),
        (("--benchmark", "darts", "--benchmark", "nasbench201", "--sample", "1", "--truth", "t.parquet"),
         "--truth FILE is for one benchmark", 2),
        (("--benchmark", "transnasbench101_micro", "--task", "jigsaw", "--network", "task=normal", "--sample", "1"),
         "say the same thing twice", 2),
    ],
)  # fmt: skip
def test_errors(line: tuple[str, ...], message: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("score", *line, *QUICK) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_costs_that_the_ground_truth_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    line = ("--benchmark", "nasbench201", "--sample", "1", "--pool", "truth")
    assert command("run", *line, *QUICK, "--costs", "--out", "o") == 3
    error = capsys.readouterr().err
    assert "no latency or energy" in error
    assert error.count("\n") == 1
    assert command("score", *line, *QUICK, "--costs") == 2  # relates nothing to anything
    assert "--costs" in capsys.readouterr().err


def test_scores_of_one_task_are_not_held_against_another(capsys: pytest.CaptureFixture[str]) -> None:
    common = ("--benchmark", "transnasbench101_micro", "--pool", "truth", "--sample", "3", *QUICK)
    assert command("run", *common, "--task", "normal", "--target", "jigsaw", "--out", "o") == 2
    assert "the target jigsaw is not a task of the networks, which is normal" in capsys.readouterr().err
    assert command("score", *common, "--task", "normal", "--store", "s.sqlite") == 0
    capsys.readouterr()
    assert command("report", "--store", "s.sqlite", "--target", "jigsaw") == 2
    assert "no networks of transnasbench101_micro were scored for the task jigsaw" in capsys.readouterr().err


def test_scores_say_on_what_images_and_of_what_networks_they_are(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("--benchmark", "transnasbench101_macro", "--pool", "truth", "--sample", "3", "--dataset", "gaussian",
              "--batch-size", "4", "--metrics", "params,layers", "--workers", "1", "--store", "s.sqlite")  # fmt: skip
    for side in ("32", "40"):
        assert command("score", *common, "--resolution", side, "--task", "normal", "--task", "jigsaw") == 0
    assert command("export", "--store", "s.sqlite", "--out", "s.csv") == 0
    rows = pd.read_csv("s.csv")
    key = ["architecture", "metric", "recipe", "init_seed"]
    assert len(rows) == 2 * 2 * 3 * 2
    assert not rows.duplicated(key).any()
    assert set(rows["resolution"]) == {32, 40}
    assert set(rows["network"]) == {"task=normal", "task=jigsaw"}
    assert rows["preprocessing"].str.contains("at random").all()
    capsys.readouterr()
    assert command("report", "--store", "s.sqlite", "--resolution", "32", "--resamples", "20") == 0
    assert capsys.readouterr().err == ""
    page = (place / "report/report.md").read_text()
    assert "32x32 instead of 256x256 pixels" in page
    assert command("report", "--store", "s.sqlite", "--resamples", "20") == 0
    assert "at 32x32" in capsys.readouterr().err
    assert command("report", "--store", "s.sqlite", "--resolution", "31") == 2


def test_a_cost_alone_brings_the_accuracy_along(place: Path, data: Path) -> None:
    frame = table("nasbench201")
    frame = frame[frame["dataset"] == "cifar10"]
    slow = frame[frame["seed"] == 0].assign(metric="edgegpu_latency", split="hardware", epochs=-1, seed=-1,
                                            kind="measured", value=range(14))  # fmt: skip
    TruthTable(pd.concat([frame, slow.astype({"value": float})], ignore_index=True)).write(place / "t.parquet")
    line = ("run", "--benchmark", "nasbench201", "--truth", "t.parquet", "--pool", "truth", "--sample", "12", *QUICK)
    assert command(*line, "--target", "cifar10/edgegpu_latency", "--resamples", "20", "--out", "o") == 0
    assert set(pd.read_csv("o/analysis/correlations.csv")["target"]) == {"cifar10", "cifar10/edgegpu_latency"}
    assert "edgegpu_latency" in (place / "o/report/index.html").read_text()
    # what is said of the cost is not asked of the accuracy, which has another split, and may have another source
    again = ("analyse", "--store", "o/scores.sqlite", "--truth", "t.parquet", "--target", "cifar10/edgegpu_latency")
    assert command(*again, "--split", "hardware", "--epochs", "-1", "--resamples", "20") == 0
    assert set(pd.read_csv("analysis/correlations.csv")["target"]) == {"cifar10", "cifar10/edgegpu_latency"}


def test_a_benchmark_without_truth_does_not_stop_the_others(
    place: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    several = ("--benchmark", "nasbench101", "--benchmark", "nasbench301")
    assert command("score", *several, "--pool", "truth", "--sample", "3", *QUICK, *SMALL, "--store", "s.sqlite") == 0
    folder = tmp_path_factory.mktemp("less")
    TruthTable(table("nasbench101")).write(folder / "nasbench101.parquet")
    monkeypatch.setenv("ZCBENCH_DATA", str(folder))
    capsys.readouterr()
    assert command("report", "--store", "s.sqlite", "--resamples", "20") == 0
    assert "note: nasbench301 is left out" in capsys.readouterr().err
    assert "left out" in (place / "report/report.md").read_text()
    assert command("report", "--store", "s.sqlite", "--benchmark", "nasbench301") == 3


def test_a_space_too_large_to_list_needs_its_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    monkeypatch.delenv("ZCBENCH_DATA")
    assert command("score", "--benchmark", "nasbench101", "--sample", "2", *QUICK, "--store", "s.sqlite") == 3
    assert "--pool space" in capsys.readouterr().err
    assert command("score", "--benchmark", "nasbench101", "--sample", "2", *QUICK, "--store", "s.sqlite", "--pool",
                   "space") == 0  # fmt: skip
    with Store(place / "s.sqlite") as store:
        assert len(store.frame()) == 6
