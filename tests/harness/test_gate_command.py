"""``zcbench gate``: recording and judging from the command line, with tiny networks."""

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from verbs import command

from zcbench.harness import registry
from zcbench.harness.gate import calibration, files
from zcbench.harness.gate.sidecar import sidecar_of

pytestmark = pytest.mark.usefixtures("one_cell_a_stage")

MACHINE = ("--device", "cpu", "--workers", "1")
COSTS_ASIDE = ("--max-cost-ratio", "1e9")
"""Where scores are computed again: the machine that runs this may be busy. ``gate/test_judge.py`` is about costs."""
METRIC = '''
import torch
from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters, ParamGradient


@metric("steps", version={version}, cite="nobody", caveats="made up", higher_is_better=True,
        weights=Parameters(), gradients=ParamGradient())
def steps(weights, gradients):
    """Return the sum of |w g|."""
    return {sign}torch.stack([(w * gradients[name]).abs().sum() for name, w in weights.items()]).sum(){more}
'''


def write(path: Path, *, version: int = 1, sign: str = "", more: str = "") -> None:
    path.write_text(METRIC.format(version=version, sign=sign, more=more))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, one_cell_a_stage: None) -> Path:
    """A folder with a baseline of a metric from a file and of params, made once, and the store of its scores."""
    folder = tmp_path_factory.mktemp("recorded")
    write(folder / "my_metric.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("ZCBENCH_DATA", raising=False)
        patch.setattr(calibration, "ROUNDS", 2)
        assert command(
            "gate", "--record", "--baseline", "reference.json", "--sample", "12", "--metrics", "my_metric.py,params",
            "--resolution", "8", "--batch-size", "8", "--store", "s.sqlite", *MACHINE,
        ) == 0  # fmt: skip
    return folder


@pytest.fixture
def place(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder as the current one, with a registry that forgets what a test includes."""
    folder = tmp_path / "place"
    shutil.copytree(recorded, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setattr(registry, "_included", {})
    monkeypatch.setattr(calibration, "ROUNDS", 2)
    registry.metrics.cache_clear()
    yield folder
    registry.metrics.cache_clear()


def judge(*options: str) -> int:
    """Judge; by the recorded truth, unless a table is named."""
    truth = () if "--truth" in options else ("--recorded-truth",)
    return command(
        "gate", "--baseline", "reference.json", "--include-path", "my_metric.py", *MACHINE, *COSTS_ASIDE, *truth,
        *options,
    )  # fmt: skip


def statuses(folder: Path) -> dict[tuple[str, str], str]:
    checks = json.loads((folder / "result.json").read_text())["checks"]
    return {(c["metric"], c["kind"]): c["status"] for c in checks}


def test_unchanged_metrics_pass_to_the_last_bit(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    (place / "summary.md").write_text("before\n")
    assert command("gate", "--baseline", "reference.json", "--include-path", "my_metric.py", *MACHINE, *COSTS_ASIDE,
                   "--json", "result.json", "--junit", "out/junit.xml", "--markdown", "report.md") == 0  # fmt: skip
    printed = capsys.readouterr().out
    assert printed.startswith("the gate passed: of 10 checks, 10 passed")
    assert "all 12 scores are equal to the last bit" in printed
    assert set(statuses(place).values()) == {"pass"}
    assert ET.parse(place / "out" / "junit.xml").getroot().tag in ("testsuite", "testsuites")
    report = (place / "report.md").read_text()
    assert (place / "summary.md").read_text() == "before\n" + report


def test_planted_bugs_and_new_versions(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(place / "my_metric.py", sign="-")
    assert judge("--json", "result.json") == 1
    found = statuses(place)
    assert (found["steps", "value"], found["steps", "outcome"]) == ("fail", "pass")
    (loss,) = [c["numbers"] for c in json.loads((place / "result.json").read_text())["checks"]
               if (c["metric"], c["kind"]) == ("steps", "correlation")]  # fmt: skip
    assert loss["now"] == -loss["then"] != 0
    assert {status for (metric, _), status in found.items() if metric == "params"} == {"pass"}
    assert "steps" in capsys.readouterr().out
    registry.metrics.cache_clear()
    write(place / "my_metric.py", version=2, more=" * 2")
    assert judge("--metrics", "steps", "--json", "result.json") == 0
    found = statuses(place)
    assert (found["steps", "value"], found["steps", "version"]) == ("note", "note")


def test_a_metric_that_is_gone_is_missing_and_may_be_left_out(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = ("gate", "--baseline", "reference.json", "--recorded-truth", *MACHINE)
    assert command(*gate, "--store", "s.sqlite") == 3
    assert "the metric is gone" in capsys.readouterr().out
    assert command(*gate, "--metrics", "params,layers", "--store", "s.sqlite") == 0
    assert "layers is not in the baseline, so it is not judged: record it" in capsys.readouterr().out
    assert command(*gate, "--metrics", "layers") == 2
    assert "none of layers is in the baseline, which has params, steps" in capsys.readouterr().err


def test_fresh_seeds_are_not_compared_one_by_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge("--first-seed", "50", "--json", "result.json", "--store", "s.sqlite", "--fail-on", "kendall<-1") == 0
    assert ("steps", "value") not in statuses(place)
    assert "scored with the initialisation seeds 50 instead of 0, so single values are not compared" in (
        capsys.readouterr().out
    )


def test_two_runs_on_one_store_give_the_same_bytes(place: Path) -> None:
    """Also where the first one fills the store; what was there already belongs to the provenance."""
    texts, kept = [], []
    for name in ("a", "b"):
        assert judge("--store", "new.sqlite", "--json", f"{name}.json", "--junit", f"{name}.xml",
                     "--markdown", f"{name}.md") == 0  # fmt: skip
        document = json.loads((place / f"{name}.json").read_text())
        told = document.pop("provenance")
        assert {c["metric"] for c in told["costs"]} == {"params", "steps"}
        kept.append(told.get("not computed again"))
        texts.append(json.dumps(document))
    assert texts[0] == texts[1]
    assert kept == [None, "nasbench201: 24 scores of new.sqlite were not computed again"]


def test_recording_a_store_twice_gives_the_same_bytes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first time it was filled while it was recorded."""
    assert command("gate", "--record", "--baseline", "b/reference.json", "--store", "s.sqlite", *MACHINE) == 0
    printed = capsys.readouterr().out
    assert "nasbench201: 2 metrics on 12 architectures, 1 initialisation seed; cifar10 test accuracy" in printed
    assert printed.count("seen with a probability of 80%") == 2
    first, second = place / "reference.json", place / "b" / "reference.json"
    assert sidecar_of(first).read_bytes() == sidecar_of(second).read_bytes()
    documents = [json.loads(path.read_text()) for path in (first, second)]
    assert documents[0].pop("provenance")["time"] <= documents[1].pop("provenance")["time"]
    assert json.dumps(documents[0]) == json.dumps(documents[1])
    assert [len(m.code) for m in files.read(first).entries[0].metrics] == [0, 16]


def test_another_truth_or_none_is_missing_data(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = files.read(place / "reference.json")
    entry = document.entries[0]
    rows = [
        {"architecture": a, "dataset": "cifar10", "split": "test", "metric": "accuracy", "seed": -1, "value": v,
         "epochs": int(entry.truths[0].question["epochs"]), "source": entry.truths[0].question["source"]}
        for a, v in zip(entry.architectures, entry.truths[0].values, strict=True)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    gate = ("--store", "s.sqlite", "--metrics", "params", "--truth", "t.parquet")
    frame.to_parquet("t.parquet")
    assert judge(*gate) == 0
    frame.loc[3, "value"] += 0.001
    frame.to_parquet("t.parquet")
    assert judge(*gate) == 3
    assert "the ground truth of 1 of 12 architectures is not the recorded one" in capsys.readouterr().out
    frame["source"] = "another"
    frame.to_parquet("t.parquet")
    assert judge(*gate) == 3
    assert "the recorded ground truth is not there" in capsys.readouterr().out
    assert judge("--store", "s.sqlite", "--metrics", "params") == 0


def test_other_images_are_missing_data(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = place / "reference.json"
    document = json.loads(path.read_text())
    document["benchmarks"][0]["recipes"][0]["images"] = "0" * 16
    path.write_text(json.dumps(document))
    assert judge() == 3
    assert "images here are not those that nasbench201 was scored on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [(["--baseline", "nothing.json"], 3, "there is no baseline nothing.json"),
     ([], 2, "Missing option '--baseline'"),
     (["--baseline", "reference.json", "--sample", "5"], 2, "--sample is for --record"),
     (["--baseline", "reference.json", "--dataset", "digits"], 2, "--dataset is for --record"),
     (["--record", "--baseline", "r.json", "--fail-on", "spearman<0"], 2, "--fail-on does nothing while a baseline"),
     (["--record", "--baseline", "r.json"], 2, "say what to record: one of --sample N"),
     (["--record", "--baseline", "r.json", "--store", "nothing.sqlite"], 3, "there is no score store"),
     (["--record", "--baseline", "r.json", "--sample", "9", "--metrics", "params", "--resolution", "8"], 2,
      "9 architectures of nasbench201 are no baseline: it needs at least 10"),
     (["--record", "--baseline", "r.yaml", "--sample", "10"], 2, "a baseline is a .json file, not r.yaml"),
     (["--record", "--baseline", "r.json", "--sample", "10", "--labels", "true", "--labels", "random"], 2,
      "a baseline takes scores on one dataset"),
     (["--baseline", "reference.json", "--fail-on", "spearman"], 2, 'cannot read "spearman" in --fail-on'),
     (["--baseline", "reference.json", "--confidence", "95"], 2, "--confidence lies between 0.5 and 1, not at 95")],
)  # fmt: skip
def test_wrong_usage_is_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, told: str
) -> None:
    assert command("gate", *arguments, *MACHINE) == code
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("zcbench: ")
    assert told in error


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("gate", "--schema") == 0
    assert json.loads(capsys.readouterr().out) == files.schema()
