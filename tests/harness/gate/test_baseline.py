"""A baseline and its two files: every bit back again, and one line for whatever is wrong with them."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from gated import measured, with_values

from zcbench.harness.analysis.correlation import kendall
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.gate import files
from zcbench.harness.gate.baseline import Baseline, record
from zcbench.harness.gate.judge import judge
from zcbench.harness.gate.measured import Measured, one_environment, unlike
from zcbench.harness.gate.rules import Rule, parse, parse_all
from zcbench.harness.gate.sidecar import sidecar_of
from zcbench.harness.types import Recipe


def odd() -> list[Measured]:
    """Two entries: odd numbers, undefined and absent scores, and an architecture without one of the truths."""
    one = measured(30, targets=("cifar10", "cifar100"))
    values = one.values[:, one.metric("good")].copy()
    values[0, 0], values[1, 0], values[2, 1] = np.nan, 0.1 + 0.2, 5e-324
    one = with_values(one, "good", values)
    outcome, every = one.outcome.copy(), one.values.copy()
    outcome[5, 0, 0], every[5, 0, 0] = "", np.nan
    truth = one.truths[1].values.copy()
    truth[3] = np.nan
    one = replace(one, outcome=outcome, values=every, truths=(one.truths[0], replace(one.truths[1], values=truth)))
    return [one, replace(measured(12, benchmark="other", seeds=(3,)), calibration=float("nan"))]


@pytest.fixture(scope="module")
def made() -> Baseline:
    return record(odd(), provenance={"time": "now"})


@pytest.fixture
def written(made: Baseline, tmp_path: Path) -> tuple[Baseline, Path]:
    path = tmp_path / "reference.json"
    files.write(made, path)
    return made, path


def test_every_bit_comes_back(written: tuple[Baseline, Path]) -> None:
    made, path = written
    read = files.read(path)
    assert (read.name, dict(read.provenance)) == (str(path), {"time": "now"})
    assert repr(read.estimates) == repr(made.estimates)
    for before, after in zip(made.entries, read.entries, strict=True):
        assert before.values.tobytes() == after.values.tobytes()
        for name in ("benchmark", "space", "recipes", "architectures", "metrics"):
            assert getattr(before, name) == getattr(after, name)
        assert dict(before.environment) == dict(after.environment)
        assert repr(before.calibration) == repr(after.calibration)
        assert (before.outcome == after.outcome).all()
        assert (before.reason == after.reason).all()
        assert [t.name for t in before.truths] == [t.name for t in after.truths]
        for left, right in zip(before.truths, after.truths, strict=True):
            assert (left.description, dict(left.question)) == (right.description, dict(right.question))
            assert left.values.tobytes() == right.values.tobytes()
        for place in range(len(before.metrics)):
            assert before.median_seconds(place) == after.median_seconds(place)
    assert judge(read, made.entries, power=False).exit_code == 0


def test_two_recordings_differ_in_the_provenance_only(written: tuple[Baseline, Path], tmp_path: Path) -> None:
    _, path = written
    again = [replace(one, calibration=0.123) for one in reversed(odd())]
    other = tmp_path / "again" / "reference.json"
    files.write(record(again, provenance={"time": "later"}), other)
    assert sidecar_of(path).read_bytes() == sidecar_of(other).read_bytes()
    texts = [json.loads(p.read_text()) for p in (path, other)]
    assert texts[0].pop("provenance") != texts[1].pop("provenance")
    assert json.dumps(texts[0]) == json.dumps(texts[1])


def test_the_document_is_of_its_schema_and_small(written: tuple[Baseline, Path]) -> None:
    _, path = written
    document = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(files.schema())
    jsonschema.validate(document, files.schema())
    (good,) = [m for m in document["benchmarks"][1]["metrics"] if m["metric"] == "good"]
    assert good["outcomes"] == {"ok": 58, "undefined": 1, "failed": 0}
    assert document["benchmarks"][0]["name"] == "other"
    frame = pd.read_parquet(sidecar_of(path))
    assert len(frame) == 30 * 2 * 2 - 1 + 2 * 30 + 12 * 2 + 12
    assert sidecar_of(path).stat().st_size < 14_000


def test_the_schema_names_every_part_of_a_recipe() -> None:
    known = files.schema()["$defs"]["entry"]["properties"]["recipes"]["items"]["properties"]
    assert set(known) == set(Recipe.__dataclass_fields__)


def test_estimates_are_those_of_the_analysis(written: tuple[Baseline, Path]) -> None:
    made, _ = written
    entry = made.entries[1]
    (found,) = [
        r.estimate for r in made.estimates[1]
        if (r.metric, r.target, r.statistic, r.slice) == ("plain", "cifar10", "kendall", "all")
    ]  # fmt: skip
    assert found == kendall(entry.signed(entry.metric("plain")), entry.truths[0].values)
    assert {r.slice for r in made.estimates[1]} == {"all", "top10_truth", "top10_score"}


def damage(path: Path, change: str) -> None:
    document = json.loads(path.read_text())
    beside = sidecar_of(path)
    if change == "no scores":
        beside.unlink()
    elif change == "changed scores":
        beside.write_bytes(beside.read_bytes()[:-1] + b"x")
    elif change == "other file":
        document["scores"]["file"] = "../../etc/passwd"
    elif change == "newer":
        document["schema"] = 2
    elif change == "version":
        document["benchmarks"][0]["metrics"][0]["version"] = "one"
    elif change == "surplus":
        document["benchmarks"][1]["colour"] = "green"
    elif change == "architectures":
        document["benchmarks"][0]["architectures"]["sha256"] = "0" * 64
    elif change == "count":
        document["benchmarks"][0]["architectures"]["count"] = 13
    elif change == "truths":
        document["benchmarks"][1]["targets"][1]["count"] = 30
    elif change == "outcomes":
        document["benchmarks"][1]["metrics"][0]["outcomes"]["undefined"] = 0
    elif change == "estimate":
        document["benchmarks"][1]["estimates"][0]["value"] += 1e-6
    elif change == "no estimate":
        document["benchmarks"][1]["estimates"][0]["value"] = None
    elif change == "undefined":
        document["benchmarks"][1]["estimates"][0]["n_undefined"] = 0
    elif change == "fewer estimates":
        del document["benchmarks"][0]["estimates"][0]
    elif change == "renamed":
        document["benchmarks"][0]["name"] = "better"
    elif change == "script":
        document["benchmarks"][0]["name"] = "<script>"
    elif change == "lines":
        document["benchmarks"][0]["name"] = document["benchmarks"][0]["benchmark"] = "other\n"
    elif change == "long":
        document["benchmarks"][0]["benchmark"] = "o" * 201
    elif change == "truth":
        document["benchmarks"][0]["targets"][0]["sha256"] = "0" * 64
    elif change == "calibration":
        document["provenance"]["calibration_seconds"] = []
    elif change == "format":
        document["format"] = "another"
    path.write_text(json.dumps(document))
    if change == "not JSON":
        path.write_text("{")
    elif change == "no baseline":
        path.unlink()
    elif change == "a list":
        path.write_text("[]")
    elif change == "deep":
        path.write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [("no baseline", 3, "make it with zcbench gate --record"),
     ("no scores", 3, "are not there: keep both files together"),
     ("changed scores", 2, "are not those that the baseline"), ("not JSON", 2, "is not JSON"),
     ("deep", 2, "is not JSON"), ("a list", 2, "is no baseline"), ("format", 2, "is no baseline"),
     ("newer", 2, "has schema 2, this zcbench knows 1: update it"),
     ("version", 2, "at benchmarks/0/metrics/0/version: 'one' is not of type 'integer'"),
     ("surplus", 2, "at benchmarks/1: Additional properties are not allowed"),
     ("other file", 2, "at scores/file: '../../etc/passwd' does not match"),
     ("architectures", 2, "names other architectures of other than its scores have"),
     ("count", 2, "was edited: of other it says 13 architectures (its scores have 12), which its scores"),
     ("truths", 2, "of toy it says the architectures with a ground truth in cifar100, which"),
     ("outcomes", 2, "of toy it says the outcomes of good, which"),
     ("estimate", 2, "of toy it says spearman (all) of good with cifar10, which"),
     ("no estimate", 2, "of toy it says spearman (all) of good with cifar10, which"),
     ("undefined", 2, "of toy it says spearman (all) of good with cifar10, which"),
     ("fewer estimates", 2, "of other it says which estimates there are, which"),
     ("renamed", 2, "was edited: of other it says the name, which"),
     ("script", 2, "at benchmarks/0/name: '<script>' should not be valid"),
     ("lines", 2, "at benchmarks/0/benchmark: 'other\\n' should not be valid"),
     ("long", 2, "at benchmarks/0/benchmark: 'ooo"),
     ("truth", 2, "names another ground truth of other than its scores have"),
     ("calibration", 2, "does not fit its scores")],
)  # fmt: skip
def test_damage_is_one_line(written: tuple[Baseline, Path], change: str, code: int, told: str) -> None:
    _, path = written
    damage(path, change)
    with pytest.raises(ZcbenchError) as error:
        files.read(path)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == code


def test_scores_of_another_form_are_refused(written: tuple[Baseline, Path]) -> None:
    made, path = written
    pd.DataFrame({"a": [1]}).to_parquet(sidecar_of(path))
    with pytest.raises(ZcbenchError, match="are not those that the baseline"):
        files.read(path)
    with pytest.raises(ZcbenchError, match=r"a baseline is a \.json file, not reference\.yaml"):
        files.write(made, path.with_suffix(".yaml"))
    with pytest.raises(MissingFileError):
        files.read(path.parent)


def test_what_cannot_be_recorded() -> None:
    with pytest.raises(ZcbenchError, match="a baseline needs scores"):
        record([])
    with pytest.raises(ZcbenchError, match=r"^9 of 9 architectures of toy have a ground truth in .*needs at least 10"):
        record([measured(9)])
    with pytest.raises(ZcbenchError, match="have no ground truth"):
        record([replace(measured(), truths=())])
    with pytest.raises(ZcbenchError, match="there are two sets of scores of toy"):
        record([measured(), measured(20)])


def test_architectures_without_truth_are_left_out() -> None:
    one = measured(30)
    values = one.truths[0].values.copy()
    values[[2, 4]] = np.nan
    made = record([replace(one, truths=(replace(one.truths[0], values=values),))])
    assert len(made.entries[0].architectures) == 28
    assert "a002" not in made.entries[0].architectures


def test_some_metrics_of_a_baseline(written: tuple[Baseline, Path]) -> None:
    made, _ = written
    some = made.only(["plain"])
    assert (some.metrics, {r.metric for rows in some.estimates for r in rows}) == (("plain",), {"plain"})
    with pytest.raises(ZcbenchError, match=r'unknown metric in the baseline "goood"\. Did you mean "good"\?'):
        made.only(["goood"])


@pytest.mark.parametrize(
    ("text", "rule", "again"),
    [("spearman < -0.02", Rule("spearman", "all", 0.02), "spearman < -0.02"),
     (" kendall[ top10_truth ]<-.5", Rule("kendall", "top10_truth", 0.5), "kendall[top10_truth] < -0.5"),
     ("kendall<0", Rule("kendall", "all", 0.0), "kendall < 0"),
     ("spearman[all] < -0", Rule("spearman", "all", 0.0), "spearman < 0")],
)  # fmt: skip
def test_rules(text: str, rule: Rule, again: str) -> None:
    assert parse(text) == rule
    assert str(rule) == again
    assert parse(str(rule)) == rule


@pytest.mark.parametrize(
    ("texts", "told"),
    [(["spearman > 0"], 'cannot read "spearman > 0" in --fail-on: write it like "spearman < -0.02"'),
     (["pearson < 0"], 'unknown statistic in --fail-on "pearson". Did you mean "spearman"?'),
     (["spearman[top10_score] < 0"], 'unknown slice in --fail-on "top10_score". Did you mean "top10_truth"?'),
     (["spearman < x"], '"x" in --fail-on "spearman < x" is no number: write it like "spearman < -0.02"'),
     (["spearman < 0.02"], "the limit is that of the difference now - then, between -2 and 0; a loss is negative"),
     (["spearman < nan"], "the limit is that of the difference now - then, between -2 and 0; a loss is negative"),
     (["spearman < 0", "spearman < -0.1"], "--fail-on gives two limits for spearman: keep one")],
)  # fmt: skip
def test_rules_that_are_none(texts: list[str], told: str) -> None:
    with pytest.raises(ZcbenchError) as error:
        parse_all(texts)
    assert told in str(error.value)


def test_environments() -> None:
    one = {"device": "cpu", "processor": "p", "threads": "1", "torch": "2", "rows": "5", "workers": "1"}
    both = one_environment([one, {**one, "rows": "7", "workers": "2"}])
    assert both == {"device": "cpu", "processor": "p", "threads": "1", "torch": "2", "workers": "several"}
    assert unlike(one, both) == ()
    mixed = one_environment([one, {**one, "threads": "2"}])
    assert unlike(mixed, mixed) == ("threads",)
    assert unlike({}, {}) == ("device", "processor", "threads", "torch")


def test_the_name_of_an_entry_has_the_task() -> None:
    one = measured()
    of_task = replace(one, recipes=tuple(replace(r, network="channels=16,task=room_layout") for r in one.recipes))
    assert (one.name, of_task.name) == ("toy", "toy room_layout")
    assert len(record([one, of_task]).entries) == 2
