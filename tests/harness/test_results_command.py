"""``zcbench results`` and ``zcbench leaderboard`` on real stores: two people, one folder, one page."""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats
from verbs import command

from zcbench.datasets.registry import benchmark as find
from zcbench.datasets.truth import TRUTH_COLUMNS, TruthTable
from zcbench.harness.results import schema
from zcbench.harness.results.entry import DisagreementKind
from zcbench.harness.results.merge import merge
from zcbench.harness.results.read import read
from zcbench.harness.store import Store
from zcbench.harness.types import Outcome, Recipe, Score, Seconds

METRIC = """
def trick(network, inputs, targets):
    '''Return the sum of all weights{more}.'''
    return float(sum(p.abs().sum() for p in network.parameters())){times}
"""

AZ_NAS = ("az_expressivity", "az_progressivity", "az_trainability", "flops")
BENCHMARKS = ("natsbench_size", "nasbench201")
FEW = 4
MANY = 14


@cache
def cells(name: str) -> tuple[str, ...]:
    """The architectures of the truth."""
    return tuple(architecture.id for architecture in find(name).space.sample(MANY, seed=0))


@cache
def truth(name: str, factor: float = 1.0) -> TruthTable:
    """A truth of some architectures of a benchmark on two datasets."""
    split = find(name).default_split
    rows = [
        (architecture, dataset, split, 200, -1, "accuracy",
         factor * (0.5 + 0.03 * (step * i % MANY)), "made-up", "synthetic")
        for i, architecture in enumerate(cells(name)) for dataset, step in (("cifar10", 5), ("cifar100", 3))
    ]  # fmt: skip
    return TruthTable(pd.DataFrame(rows, columns=list(TRUTH_COLUMNS)))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with truth, the stores of two people who scored the same cells, and a third one with other code."""
    folder = tmp_path_factory.mktemp("stores")
    for name in BENCHMARKS:
        truth(name).write(folder / f"{name}.parquet")
    first = folder / "cells.txt"
    first.write_text("\n".join(cells("nasbench201")[:FEW]))
    for who, metrics, few, changes in (
        ("ada", ",snip,params", FEW, {"more": "", "times": ""}),
        ("bob", ",snip,params", FEW, {"more": ", said otherwise", "times": ""}),
        ("eve", "", 3, {"more": "", "times": " * 2"}),
    ):
        (folder / "trick.py").write_text(METRIC.format(**changes))
        assert command(
            "score", "--dataset", "digits", "--resolution", "8", "--batch-size", "8", "--architectures", str(first),
            "--limit", str(few), "--workers", "1", "--device", "cpu", "--metrics",
            f"{folder / 'trick.py'}:trick{metrics}", "--store", str(folder / f"{who}.sqlite"),
        ) == 0  # fmt: skip
    (folder / "trick.py").unlink()
    fill(folder / "many.sqlite")
    return folder


def fill(path: Path, *, without: Callable[[str, int], bool] = lambda metric, i: False) -> None:
    """Make a store with made-up scores of two benchmarks, for what needs more architectures than few."""
    draw = random.Random(0)
    recipes = [Recipe("digits", "all", "ab" * 8, "none", 8, 0, "pytorch@1", seed) for seed in (0, 1)]
    with Store(path) as store:
        for name in BENCHMARKS:
            space = find(name).space
            scores = [
                Score(name, f"{space.name}@{space.version}", architecture, metric, 1, recipe, draw.random(),
                      Outcome.OK, "", Seconds(0.2, 0.1))
                for i, architecture in enumerate(cells(name)) for metric in ("params", "snip", *AZ_NAS)
                for recipe in recipes if not without(metric, i)
            ]  # fmt: skip
            first = len(scores) // 2 if name == "nasbench201" else len(scores)
            for machine, part in (("A", scores[:first]), ("B", scores[first:])):
                store.append(part, {"processor": machine, "device": "cpu", "threads": "1", "zcbench": "0.3.0"})


@pytest.fixture(autouse=True)
def place(stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCBENCH_DATA", str(stores))
    monkeypatch.chdir(tmp_path)


def export(stores: Path, who: str, out: Path, *more: str, store: Path | str = "") -> int:
    return command(
        "results", "--store", str(stores / (store or f"{who}.sqlite")), "--target", "cifar10", "--by", who,
        "--resamples", "20", "--out", str(out), *more,
    )  # fmt: skip


def files(folder: Path) -> dict[str, dict[str, Any]]:
    return {str(p.relative_to(folder)): json.loads(p.read_text()) for p in sorted(folder.rglob("*.json"))}


def test_a_store_becomes_a_file_for_each_metric_and_benchmark(stores: Path, tmp_path: Path) -> None:
    assert export(stores, "ada", tmp_path / "out", "--target", "cifar100", store="many.sqlite") == 0
    found = files(tmp_path / "out")
    for name in BENCHMARKS:
        mine = [path for path in found if path.startswith(f"{name}/")]
        assert [Path(path).name.partition("-v1-")[0] for path in mine] == sorted({"params", "snip", "az_nas", *AZ_NAS})
    with Store(stores / "many.sqlite", create=False) as store:
        score = store.frame().groupby(["benchmark", "metric", "architecture"])["value"].mean()
    compared = 0
    for document in found.values():
        assert schema.problem(document) == ""
        assert [one["truth"]["target"] for one in document["measurements"]] == ["cifar10", "cifar100"]
        name, metric = document["benchmark"], document["metric"]
        accuracy = truth(name).frame.pivot(index="architecture", columns="dataset", values="value")
        for one in document["measurements"]:
            assert (one["architectures"]["number"], one["recipe"]["seeds"]) == (MANY, [0, 1])
            values = {(s["slice"], s["name"]): s for s in one["statistics"]}
            assert all(s["low"] <= s["high"] for s in one["statistics"] if s["low"] is not None)
            if metric["name"] == "az_nas":
                continue
            mine, theirs = score[name, metric["name"]], accuracy[one["truth"]["target"]]
            sign = 1 if metric["higher_is_better"] else -1
            for statistic, reference in (("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
                expected = sign * reference(mine, theirs[mine.index]).statistic
                assert values["all", statistic]["value"] == pytest.approx(expected, abs=1e-12)
                compared += 1
    assert compared == 2 * 2 * 2 * 6


def test_a_file_names_the_machines_of_its_own_scores(stores: Path, tmp_path: Path) -> None:
    assert export(stores, "ada", tmp_path / "out", "--metrics", "snip,az_nas", store="many.sqlite") == 0
    found = {(d["benchmark"], d["metric"]["name"]): d for d in files(tmp_path / "out").values()}
    half, rows = MANY, 2 * MANY
    assert [(e["processor"], e["rows"]) for e in found["natsbench_size", "snip"]["environments"]] == [("A", str(rows))]
    there = found["nasbench201", "snip"]["environments"]
    assert sorted((e["processor"], e["rows"]) for e in there) == [("A", str(half)), ("B", str(half))]
    az_nas = found["nasbench201", "az_nas"]
    assert az_nas["metric"]["components"] == [f"{name} v1" for name in AZ_NAS]
    assert sum(int(e["rows"]) for e in az_nas["environments"]) == 4 * rows
    assert found["nasbench201", "snip"]["metric"]["components"] == []


def test_an_aggregate_without_rows_is_no_result(stores: Path, tmp_path: Path) -> None:
    fill(tmp_path / "apart.sqlite", without=lambda metric, i: metric in AZ_NAS and (metric == "flops") == (i < 7))
    assert export(stores, "ada", tmp_path / "out", "--benchmark", "nasbench201", store=tmp_path / "apart.sqlite") == 0
    found = {d["metric"]["name"]: d["measurements"][0]["architectures"] for d in files(tmp_path / "out").values()}
    assert sorted(found) == sorted({"params", "snip", *AZ_NAS})
    assert (found["params"]["number"], found["flops"]["number"]) == (MANY, 7)


def test_what_was_scored_says_what_it_is(stores: Path, tmp_path: Path) -> None:
    assert export(stores, "ada", tmp_path / "out") == 0
    found = {d["metric"]["name"]: d for d in files(tmp_path / "out").values()}
    assert sorted(found) == ["params", "snip", "trick"]
    codes = {name: document["metric"]["code"] for name, document in found.items()}
    assert len(codes.pop("trick")) >= 16
    assert set(codes.values()) == {""}
    assert "arXiv:1810.02340" in found["snip"]["metric"]["cite"]
    assert found["snip"]["environments"][0]["rows"] == str(FEW)
    assert found["snip"]["measurements"][0]["seconds"]["standalone"] > 0


def test_two_runs_are_equal_byte_by_byte_but_for_the_provenance(stores: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert export(stores, "ada", tmp_path / name) == 0
    first, second = ({p.name: p.read_text() for p in (tmp_path / n).rglob("*.json")} for n in ("first", "second"))
    assert first
    assert first.keys() == second.keys()

    def without(text: str) -> str:
        head, _, rest = text.partition('\n "provenance": {')
        assert rest.count("}") == 2  # it is the last member
        return head

    assert [*map(without, first.values())] == [*map(without, second.values())]


def test_what_two_people_scored_alike_is_confirmed_bit_by_bit(
    stores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for who in ("ada", "bob"):
        assert export(stores, who, tmp_path / "both") == 0
    capsys.readouterr()
    assert command("leaderboard", "both", "--strict", "--title", "A board") == 0
    said = capsys.readouterr()
    assert said.out == "written: leaderboard.html\n"
    assert "read: 6 files of 3 metrics from ada and bob; 48 rows, 48 of them confirmed; 0 disagreements" in said.err
    page = (tmp_path / "leaderboard.html").read_text()
    assert "<h1>A board</h1>" in page
    assert "trick" in page
    board = merge(read([tmp_path / "both"]).results)
    assert all([who.identical for who in entry.submissions] == [True, True] for entry in board.entries)
    # folders that are named one by one are one folder
    for who in ("ada", "bob"):
        assert export(stores, who, tmp_path / who) == 0
    assert merge(read([tmp_path / "ada", tmp_path / "bob"]).results).entries == board.entries


def test_a_changed_score_is_named_and_both_rows_shown(
    stores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(stores / "bob.sqlite", tmp_path / "changed.sqlite")
    with sqlite3.connect("changed.sqlite") as connection:
        connection.execute("UPDATE scores SET value = -value WHERE metric = 'snip' AND architecture IN "
                           "(SELECT architecture FROM scores ORDER BY architecture LIMIT 4)")  # fmt: skip
    connection.close()
    assert export(stores, "ada", tmp_path / "both") == 0
    assert export(stores, "bob", tmp_path / "both", store=tmp_path / "changed.sqlite") == 0
    capsys.readouterr()
    assert command("leaderboard", "both") == 0
    said = capsys.readouterr().err
    assert "64 rows, 32 of them confirmed; 1 disagreement\n" in said
    (line,) = [line for line in said.splitlines() if line.startswith("disagreement: ")]
    assert "snip v1 on nasbench201, cifar10, 4 architectures: " in line
    assert "ada (nasbench201/snip-v1-" in line
    assert "nothing recorded of the environments differs" in line
    assert Path("leaderboard.html").read_text().count("disagree") >= 2
    Path("leaderboard.html").unlink()
    assert command("leaderboard", "both", "--strict") == 1
    assert Path("leaderboard.html").is_file()


def test_another_table_under_the_name_of_a_source_is_named(stores: Path, tmp_path: Path) -> None:
    truth("nasbench201", 0.99).write(tmp_path / "other.parquet")
    assert export(stores, "ada", tmp_path / "both") == 0
    assert export(stores, "bob", tmp_path / "both", "--truth", "other.parquet") == 0
    (one,) = merge(read([tmp_path / "both"]).results).disagreements
    assert one.kind is DisagreementKind.TRUTH
    assert [side.by for side in one.sides] == [("ada",), ("bob",)]


def test_other_code_of_one_version_is_named_but_not_another_comment(
    stores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for who in ("ada", "bob", "eve"):
        assert export(stores, who, tmp_path / "all", "--metrics", "trick") == 0
    assert len(files(tmp_path / "all")) == 3
    assert command("leaderboard", "all") == 0
    assert "disagreement: trick v1 is not one metric: it has other code" in capsys.readouterr().err
    (one,) = merge(read([tmp_path / "all"]).results).disagreements
    assert [side.by for side in one.sides] == [("ada", "bob"), ("eve",)]


def test_only_the_metrics_that_are_named_are_written(
    stores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(stores, "ada", tmp_path / "out", "--metrics", "snip, standard") == 0
    assert [d["metric"]["name"] for d in files(tmp_path / "out").values()] == ["params", "snip"]
    # what is left given params is there although params itself is not
    assert export(stores, "ada", tmp_path / "one", "--metrics", "snip", store="many.sqlite") == 0
    document = next(iter(files(tmp_path / "one").values()))
    assert {"partial_spearman_params", "partial_spearman_flops"} <= {
        s["name"] for s in document["measurements"][0]["statistics"] if s["value"] is not None
    }  # fmt: skip
    capsys.readouterr()
    assert export(stores, "ada", tmp_path / "none", "--metrics", "snap") == 2
    assert 'unknown metric among the scores "snap". Did you mean "snip"?' in capsys.readouterr().err
    assert export(stores, "ada", tmp_path / "none", "--metrics", ",") == 2
    assert "no metric is named" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_ones_own_older_results_are_pointed_out(
    stores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert export(stores, "bob", out, "--metrics", "snip") == 0
    assert export(stores, "ada", out, "--metrics", "snip") == 0
    assert export(stores, "ada", out, "--metrics", "snip") == 0
    assert "note: " not in capsys.readouterr().err
    assert export(stores, "ada", out, "--metrics", "snip", "--undefined", "worst") == 0
    assert f"note: {out} has 1 other result of yours of these metrics" in capsys.readouterr().err
    assert len(files(out)) == 3


def test_the_schema_is_printed_without_a_store(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("results", "--schema") == 0
    assert capsys.readouterr().out == schema.text()


def test_a_bad_file_is_named_and_no_page_is_written(
    stores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(stores, "ada", tmp_path / "out", "--metrics", "snip") == 0
    (tmp_path / "out" / "bad.json").write_text('{"zcbench_result": 1}')
    (tmp_path / "out" / "other.json").write_text("{}")
    capsys.readouterr()
    assert command("leaderboard", "out") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "bad.json is no valid result: the whole of it: 'metric' is a required property" in said
    (tmp_path / "out" / "worse.json").write_text('{"zcbench_result": 7}')
    assert command("leaderboard", "out") == 2
    said = capsys.readouterr().err
    assert "error: bad.json is no valid result" in said
    assert "error: worse.json is no valid result: it has schema 7" in said
    assert "2 files above are no valid results" in said
    assert not Path("leaderboard.html").exists()
    for name in ("bad.json", "worse.json"):
        (tmp_path / "out" / name).unlink()
    assert command("leaderboard", "out") == 0
    assert "note: left out: other.json: not a shared result" in capsys.readouterr().err


def test_a_name_that_is_html_stays_a_name(stores: Path, tmp_path: Path) -> None:
    name = '<script>alert("x")</script>'
    assert export(stores, "ada", tmp_path / "out", "--metrics", "snip", "--by", name) == 0
    assert command("leaderboard", "out", "--title", name, "--out", str(tmp_path / "made" / "page.html")) == 0
    page = (tmp_path / "made" / "page.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_nothing_to_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("leaderboard", "nowhere") == 3
    assert "there is no folder nowhere" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert command("leaderboard", "empty") == 2
    assert "there is no shared result in empty: write some with zcbench results" in capsys.readouterr().err
    assert command("leaderboard") == 2
    assert command("results", "--store", "nowhere.sqlite") == 3


def test_a_page_that_cannot_be_written_is_one_line(
    stores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(stores, "ada", tmp_path / "out", "--metrics", "snip") == 0
    capsys.readouterr()
    assert command("leaderboard", "out", "--out", str(tmp_path / "out")) == 2
    assert "it is a folder" in capsys.readouterr().err.splitlines()[-1]


def test_reading_and_merging_load_no_torch() -> None:
    program = (
        "import sys, zcbench.harness.results.read, zcbench.harness.results.merge, zcbench.reports.leaderboard\n"
        "import zcbench.harness.results.measure\n"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
