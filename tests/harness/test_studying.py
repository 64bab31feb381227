"""Which scores and which truth an analysis, a report and a run are about."""

from pathlib import Path

import pandas as pd
import pytest
from verbs import command

from zcbench.datasets.nasbench201 import BENCHMARK

pytestmark = pytest.mark.usefixtures("one_cell_a_stage")
CELLS = [a.id for a in BENCHMARK.space.sample(12, 0)]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    return tmp_path


def score(*options: str) -> None:
    assert command("score", "--dataset", "gaussian", "--batch-size", "4", "--metrics", "params,layers",
                   "--workers", "1", "--store", "s.sqlite", *options) == 0  # fmt: skip


def params() -> dict[str, float]:
    command("export", "--store", "s.sqlite", "--out", "s.csv")
    frame = pd.read_csv("s.csv")
    return dict(frame[frame["metric"] == "params"].set_index("architecture")["value"])


def truth(sources: tuple[str, ...] = ("robot",)) -> None:
    """After 200 epochs accuracy rises with the parameters, after 12 it falls; source meco has two noisy seeds."""
    rows = []
    for n, (cell, value) in enumerate(sorted(params().items())):
        high = 0.5 + value / 4 + n * 1e-6
        if "robot" in sources:
            rows += [(cell, 200, -1, high, "robot"), (cell, 12, -1, 1 - high, "robot")]
        if "meco" in sources:
            rows += [(cell, 200, seed, high + 0.1 * ((n * 7 + seed * 5) % 3 - 1), "meco") for seed in (1, 2)]
    frame = pd.DataFrame(rows, columns=["architecture", "epochs", "seed", "value", "source"])
    frame["dataset"], frame["split"], frame["metric"] = "cifar10", "test", "accuracy"
    frame.to_parquet("t.parquet")


def test_reproduction_takes_its_own_truth_whatever_the_epochs(place: Path) -> None:
    score("--sample", "12")
    truth()
    assert command("report", "--store", "s.sqlite", "--truth", "t.parquet", "--epochs", "12") == 0
    tables = list(place.glob("report/tables/reproduction_vkdnw_*spearman.csv"))
    assert tables
    ours = pd.read_csv(tables[0]).set_index("metric").loc["layers", "ours"]
    assert ours > 0


def test_the_ceiling_is_that_of_the_analysed_architectures(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score("--sample", "12")
    truth(("robot", "meco"))
    score("--sample", "5")
    analyse = ["analyse", "--store", "s.sqlite", "--truth", "t.parquet", "--resamples", "20"]
    for more in ([], ["--source", "robot"], ["--source", "meco"]):
        assert command(*analyse, *more, "--out", "a") == 0
        ceiling = pd.read_json("a/analysis.json")["analyses"].iloc[0]["ceiling"]
        assert ceiling["source"] == "meco"
        assert ceiling["all"]["n"] == 12
    connected = [c for c in CELLS if BENCHMARK.populations["no_dead_edge"](BENCHMARK.space.parse(c))]
    assert 3 <= len(connected) < 12
    assert command(*analyse, "--population", "no_dead_edge", "--out", "b") == 0
    found = pd.read_json("b/analysis.json")["analyses"].iloc[0]
    assert found["ceiling"]["all"]["n"] == found["architectures"] == len(connected)


def test_a_seed_of_a_few_architectures_drops_no_other(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score("--sample", "6")
    score("--sample", "3", "--seeds", "2")
    assert command("analyse", "--store", "s.sqlite", "--out", "a", "--resamples", "20") == 0
    frame = pd.read_csv("a/correlations.csv")
    assert set(frame[(frame["slice"] == "all") & (frame["statistic"] == "spearman")]["n"]) == {6}
    assert "only 3 of 6 architectures: seed 1 of layers, params" in capsys.readouterr().err


def test_a_metric_with_fewer_seeds_keeps_its_scores(place: Path) -> None:
    score("--sample", "6", "--seeds", "2")
    assert command("score", "--dataset", "gaussian", "--batch-size", "4", "--metrics", "l2_norm", "--sample", "6",
                   "--workers", "1", "--store", "s.sqlite") == 0  # fmt: skip
    assert command("analyse", "--store", "s.sqlite", "--out", "a", "--resamples", "20") == 0
    frame = pd.read_csv("a/correlations.csv")
    assert set(frame[(frame["slice"] == "all") & (frame["statistic"] == "spearman")]["n"]) == {6}


def test_a_run_reports_what_was_asked_for(place: Path) -> None:
    run = ["run", "--dataset", "gaussian", "--batch-size", "4", "--workers", "1", "--resamples", "20", "--out", "r"]
    assert command(*run, "--sample", "4", "--metrics", "params,l2_norm") == 0
    assert command(*run, "--sample", "5", "--sample-seed", "9", "--metrics", "l2_norm") == 0
    frame = pd.read_csv("r/analysis/correlations.csv")
    assert set(frame["metric"]) == {"l2_norm"}
    assert set(frame[(frame["slice"] == "all") & (frame["statistic"] == "spearman")]["n"]) == {5}


def test_scores_on_the_targets_images_go_first(
    place: Path, data_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    score("--sample", "5")
    assert command("score", "--dataset", "cifar10", "--images", str(data_folder / "images"), "--batch-size", "4",
                   "--metrics", "params", "--sample", "3", "--workers", "1", "--store", "s.sqlite") == 0  # fmt: skip
    for target, taken in (([], "gaussian"), (["--target", "cifar10"], "cifar10")):
        assert command("analyse", "--store", "s.sqlite", "--resamples", "20", "--out", "a", *target) == 0
        assert f"note: taking the scores on {taken}, batch 4" in capsys.readouterr().err


def test_a_batch_without_two_images_of_a_class_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    score("--sample", "1", "--metrics", "epe_nas")
    assert "epe_nas will be undefined everywhere: take a --batch-size of at least 12" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("metrics", "text"),
    [("swap(repeats=2,repeats=3)", "gives repeats twice"), ("swap(repeats=1000000000)", "between 1 and 1000"),
     ("swap(samples=63)", "between 2 and 62"), ("swap_regularised(mu=1,sigma=0)", "between 1e-12 and inf")],
)  # fmt: skip
def test_parameters_have_bounds(metrics: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("plan", "--metrics", metrics) == 2
    assert text in capsys.readouterr().err


def test_one_and_one_point_zero_are_one_metric(capsys: pytest.CaptureFixture[str]) -> None:
    command("plan", "--metrics", "swap_regularised(mu=1000,sigma=100),swap_regularised(sigma=1e2,mu=1000.0)")
    assert "1 metric: swap_regularised(mu=1000.0,sigma=100.0)" in capsys.readouterr().out


def test_a_run_without_truth_says_so_before_it_scores(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score("--sample", "12")
    truth()
    arguments = ["run", "--dataset", "gaussian", "--sample", "3", "--sample-seed", "77", "--truth", "t.parquet"]
    assert command(*arguments, "--metrics", "params", "--out", "r") == 2
    assert "none of the 3 architectures has a ground truth" in capsys.readouterr().err
    assert not (place / "r").exists()


def test_a_run_writes_the_further_studies_that_its_report_shows(place: Path) -> None:
    """As ``analyse`` does on the same scores, and a run whose scores are too few for them leaves none behind."""
    options = ("--dataset", "gaussian", "--batch-size", "4", "--metrics", "params,layers,l2_norm", "--workers", "1",
               "--resamples", "20", "--out", "run")  # fmt: skip
    assert command("run", "--sample", "52", *options) == 0
    combined = (place / "run" / "analysis" / "combined.csv").read_text()
    assert "Combined metrics" in (place / "run" / "report" / "index.html").read_text()
    assert command("analyse", "--store", "run/scores.sqlite", "--resamples", "20", "--out", "again") == 0
    assert (place / "again" / "combined.csv").read_text() == combined
    assert command("run", "--limit", "8", "--sample", "52", *options) == 0
    assert not (place / "run" / "analysis" / "combined.csv").exists()
