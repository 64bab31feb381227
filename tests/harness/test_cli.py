"""The command line: its spelling, its exit codes, and one line for everything that can go wrong."""

import importlib
import json
import os
import pickle
import pkgutil
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq
import pytest

from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness import commands
from zcbench.harness.analysis import output
from zcbench.harness.cli import Verbs, main, zcbench
from zcbench.harness.registry import NAS_BENCH_SUITE_ZERO
from zcbench.harness.store import EXPORT_COLUMNS, Store

VERBS = ["run", "list", "data", "plan", "score", "analyse", "report", "transfer", "operations", "export",
         "merge", "new", "check", "compare", "gate", "results", "leaderboard"]  # fmt: skip
PROGRAM = [sys.executable, "-c", "from zcbench.harness.cli import main; main()"]
CELLS = [
    "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
    "|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|",
]
QUICK = ("--dataset", "gaussian", "--batch-size", "4", "--metrics")


class Said(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> Said:
        with pytest.raises(SystemExit) as left:
            main([str(a) for a in arguments])
        assert isinstance(left.value.code, int)
        return Said(left.value.code, *capsys.readouterr())

    return call


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own to work in, and only the embedded data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    return tmp_path


def write_cells(path: Path, lines: list[str] = CELLS) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three cells and two metrics; only to be read."""
    folder = tmp_path_factory.mktemp("scored")
    arguments = ["--architectures", str(write_cells(folder / "cells.txt")), "--store", str(folder / "s.sqlite")]
    with pytest.raises(SystemExit) as left:
        main(["score", *QUICK, "params,l2_norm", *arguments])
    assert left.value.code == 0
    return folder / "s.sqlite"


def one_line(said: Said, code: int, *parts: str) -> None:
    """A refusal: its exit code, and one line that says all of these things."""
    assert said.code == code, said
    assert said.out == ""
    assert said.err.startswith("zcbench: ")
    assert said.err.count("\n") == 1, said.err
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err


def refused(said: Said) -> None:
    assert said.code in (2, 3), said
    last = said.err.splitlines()[-1]
    assert last.startswith("zcbench: ")
    assert "Traceback" not in said.out + said.err
    assert "a fault of zcbench" not in said.err


# Help


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example_that_is_parsed(verb: str, run: Run) -> None:
    said = run(verb, "--help")
    assert (said.code, said.err) == (0, "")
    shown = said.out.partition("Example")[2].partition("\nOptions:")[0]
    lines = [shlex.split(line) for line in shown.splitlines() if line.strip().startswith("zcbench ")]
    assert lines, "no example"
    for line in lines:
        assert line[:2] == ["zcbench", verb]
        command = zcbench.get_command(None, verb)  # type: ignore[arg-type]
        command.make_context(verb, line[2:])  # raises where an option does not exist


def test_every_verb_is_listed_and_there_is_no_other(run: Run) -> None:
    assert isinstance(zcbench, Verbs)
    assert zcbench.list_commands(None) == VERBS  # type: ignore[arg-type]
    said = run("--help")
    assert said.code == 0
    assert all(f"  {verb} " in said.out for verb in VERBS)
    assert {m.name for m in pkgutil.iter_modules(commands.__path__) if not m.name.startswith("_")} == set(VERBS)


def test_help_imports_no_verb_and_scoring_no_statistics() -> None:
    """The one would take three seconds and the other half a second."""
    program = (
        "import contextlib, sys; from zcbench.harness.cli import main\n"
        "with contextlib.suppress(SystemExit): main(sys.argv[1:])\n"
        "print(*(name for name in ('torch', 'pandas', 'scipy.stats', 'matplotlib') if name in sys.modules))"
    )

    def imported(*arguments: str) -> list[str]:
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1].split()

    assert imported("--help") == []
    assert imported("score", "--help") == ["torch", "pandas"]


def test_no_verb_shows_the_help_and_is_an_error(run: Run) -> None:
    said = run()
    assert said.code == 2
    assert said.err.startswith("Usage: zcbench ")
    assert said.err.count("\n") > 8


def test_version(run: Run) -> None:
    assert run("--version") == (0, "zcbench, version 0.5.0\n", "")


@pytest.mark.parametrize("kind", ["metrics", "groups", "benchmarks", "datasets", "inits"])
def test_list_names_what_there_is(kind: str, run: Run) -> None:
    known = {"metrics": "synflow", "groups": "standard (15)", "benchmarks": "nasbench201  15,625 architectures",
             "datasets": "imagenet16_120  120 classes", "inits": "kaiming_normal@1"}  # fmt: skip
    one, everything = run("list", kind), run("list")
    assert (one.code, one.err, everything.code) == (0, "", 0)
    assert known[kind] in one.out
    assert one.out in everything.out
    assert all(name in everything.out for name in known.values())


# Unknown names


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["scoer"], 'Did you mean "score"'),
        (["list", "metrcs"], '"metrics"'),
        (["plan", "--metrcis", "snip"], "Did you mean '--metrics'"),
        (["plan", "--metrics", "snp"], 'Did you mean "snip"'),
        (["plan", "--metrics", "standart"], 'Did you mean "standard"'),
        (["plan", "--metrics", "swap(repeat=2)"], 'Did you mean "repeats"'),
        (["score", "--sample", "1", *QUICK, "snip", "--benchmark", "nasbench20"], 'Did you mean "nasbench201"'),
        (["score", "--sample", "1", *QUICK, "snip", "--dataset", "cifar"], 'Did you mean "cifar10"'),
        (["score", "--sample", "1", *QUICK, "snip", "--init", "kaiming"], 'Did you mean "kaiming_normal"'),
        (["score", "--sample", "1", *QUICK, "snip", "--device", "cup"], 'Did you mean "cpu"'),
        (["analyse", "--store", "{store}", "--target", "cifar1"], 'Did you mean "cifar10"'),
        (["analyse", "--store", "{store}", "--source", "analogbench"], 'Did you mean "analognasbench"'),
        (["analyse", "--store", "{store}", "--population", "no_dead"], 'Did you mean "no_dead_edge"'),
        (["analyse", "--store", "{store}", "--benchmark", "nasbench20"], 'Did you mean "nasbench201"'),
        (["analyse", "--store", "{store}", "--dataset", "gausian"], 'Did you mean "gaussian"'),
        (["analyse", "--store", "{store}", "--init", "pytroch"], 'Did you mean "pytorch"'),
        (["analyse", "--store", "{store}", "--batch-size", "5"], "Known: 4"),
        (["analyse", "--store", "{store}", "--split", "tset"], "there is test after"),
        (["analyse", "--store", "{store}", "--undefined", "dropp"], '"drop"'),
        (["report", "--store", "{store}", "--target", "cifar1"], 'Did you mean "cifar10"'),
        (["data", "covert"], "Did you mean 'convert'"),
        (["data", "convert", "nasbench20", "x", "--out", "x.parquet"], 'Did you mean "nasbench201"'),
    ],
)
def test_an_unknown_name_gets_a_suggestion(arguments: list[str], suggestion: str, run: Run, scored: Path) -> None:
    one_line(run(*(a.format(store=scored) for a in arguments)), 2, suggestion)


@pytest.mark.parametrize("option", [("--target", "cifar1"), ("--population", "connect"), ("--epochs", "7")])
def test_run_says_what_is_wrong_with_the_truth_before_it_scores(option: tuple[str, str], run: Run) -> None:
    one_line(run("run", "--limit", "1", *QUICK, "params", *option), 2)
    assert not Path("zcbench-run").exists()


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("", "no metric is named"),
        (",", "no metric is named"),
        ("swap(", 'cannot read "swap("'),
        ("swap(repeats)", "write parameter=number"),
        ("swap(repeats=two)", "write parameter=number"),
        ("swap(repeats=2.5)", "whole number"),
        ("swap(repeats=0)", "1 or more"),
        ("swap_regularised", "swap_regularised(mu=...,sigma=...)"),
        ("swap_regularised(mu=1)", "needs sigma"),
        ("swap_regularised(mu=nan,sigma=1)", "finite"),
        ("snip(repeats=2)", "unknown parameter of snip"),
        ("standard(repeats=2)", "is a group"),
    ],
)
def test_a_metric_that_cannot_be_read_is_refused(metrics: str, said: str, run: Run) -> None:
    one_line(run("plan", "--metrics", metrics), 2, said)


# Missing and bad files


@pytest.mark.parametrize("verb", ["analyse", "report"])
def test_a_missing_store_is_a_missing_file(verb: str, run: Run) -> None:
    one_line(run(verb, "--store", "nothere.sqlite"), 3, "there is no score store at nothere.sqlite")
    assert not Path("nothere.sqlite").exists()


def test_an_export_of_a_missing_store_is_a_missing_file(run: Run) -> None:
    one_line(run("export", "--store", "nothere.sqlite", "--out", "x.csv"), 3, "nothere.sqlite")


def test_an_export_into_a_missing_folder_is_a_missing_file(run: Run, scored: Path) -> None:
    one_line(run("export", "--store", scored, "--out", "no/x.csv"), 3, "no")


def test_an_export_needs_a_known_format(run: Run, scored: Path) -> None:
    one_line(run("export", "--store", scored, "--out", "x.xlsx"), 2, ".parquet or .csv")


def test_a_data_folder_without_tables_is_never_replaced_by_the_embedded_data(
    run: Run, scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("empty", "nothere"):
        monkeypatch.setenv("ZCBENCH_DATA", folder)
        Path("empty").mkdir(exist_ok=True)
        text = f"there is no {folder}/nasbench201.parquet"
        for arguments in (
            ["analyse", "--store", scored],
            ["report", "--store", scored],
            ["run", "--limit", "1", *QUICK, "params"],
        ):
            one_line(run(*arguments), 3, text)
        one_line(run("score", "--sample", "1", "--dataset", "cifar10"), 3, f"no folder {folder}/images")
    assert not Path("zcbench-run").exists()


def test_images_that_are_not_there_are_a_missing_file(run: Run) -> None:
    one_line(run("score", "--sample", "1", "--dataset", "cifar10"), 3, "--images", "ZCBENCH_DATA")
    one_line(run("score", "--sample", "1", "--dataset", "cifar100", "--images", "nothere"), 3, "nothere")


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("owned",)


@pytest.mark.parametrize("verb", ["analyse", "report"])
@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, 3, "there is no ground-truth table"),
        (b"", 2, "the file is empty"),
        (b"PAR1" + b"\x00" * 50, 2, "damaged"),
        (b"architecture,dataset\n", 2, "is not a tidy table: convert it first"),
        (pickle.dumps(Evil()), 2, "is not a tidy table: convert it first"),
        ("truncated", 2, "damaged"),
        ("other columns", 2, "lacks the columns"),
        ("percent", 2, "outside [0, 1]"),
        ("folder", 2, "is not a tidy table: convert it first"),
    ],
)
def test_a_bad_truth_file_is_refused(
    verb: str, content: bytes | str | None, code: int, said: str, run: Run, scored: Path
) -> None:
    path = Path("truth.parquet")
    row = {"architecture": CELLS[0], "dataset": "cifar10", "split": "test", "epochs": 200, "seed": -1,
           "metric": "accuracy", "value": 0.9, "source": "mine"}  # fmt: skip
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "folder":
        path.mkdir()
    elif content == "other columns":
        pd.DataFrame([row]).drop(columns="value").to_parquet(path)
    elif content is not None:
        pd.DataFrame([row | {"value": 90.0 if content == "percent" else 0.9}]).to_parquet(path)
        if content == "truncated":
            path.write_bytes(path.read_bytes()[:-100])
    one_line(run(verb, "--store", scored, "--truth", path, "--resamples", 10), code, said)
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, 3, "there is no file of architectures"),
        (b"", 2, "names no architecture"),
        (b"\n  \n\r\n", 2, "names no architecture"),
        (f"{CELLS[0]}\n\n{CELLS[1]}x\n".encode(), 2, "cells.txt, line 3: malformed"),
        (f"{CELLS[0]}\r\n{CELLS[1]}\r\nnonsense\r\n".encode(), 2, "cells.txt, line 3: malformed"),
        (f"{CELLS[0]}\x0c\n|conv~0|{CELLS[0][8:]}".encode(), 2, "cells.txt, line 2: malformed"),
        (bytes(range(256)) * 10, 2, "is no text file"),
        (CELLS[0].encode("utf-16"), 2, "is no text file"),
        (b"x" * 1_000_000, 2, "cells.txt, line 1: malformed"),
    ],
)
def test_a_bad_file_of_architectures_is_refused(content: bytes | None, code: int, said: str, run: Run) -> None:
    path = Path("cells.txt")
    if content is not None:
        path.write_bytes(content)
    answer = run("score", *QUICK, "params", "--architectures", path)
    one_line(answer, code, said)
    assert len(answer.err) < 600
    assert not Path("scores.sqlite").exists()


# Which architectures


def architectures(run: Run, *options: object) -> list[str]:
    """What is scored under these options, in the order of the file."""
    said = run("score", *QUICK, "params", "--store", "chosen.sqlite", *options)
    assert said.code == 0, said.err
    with Store(Path("chosen.sqlite"), create=False) as store:
        return list(store.frame()["architecture"])


@pytest.mark.parametrize(
    "spelling", ["\n".join, lambda c: "\r\n".join(c) + "\r\n", lambda c: "\n\n" + " \n\n".join(c)]
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_lines_may_end_and_repeat_as_they_like(spelling: Callable[[list[str]], str], mark: bytes, run: Run) -> None:
    Path("cells.txt").write_bytes(mark + spelling([*CELLS, CELLS[0]]).encode())
    assert architectures(run, "--architectures", "cells.txt") == sorted(CELLS)


def test_architectures_may_come_through_a_pipe(run: Run) -> None:
    os.mkfifo("pipe")
    with subprocess.Popen(["timeout", "200", "sh", "-c", f"printf '%s\\n' '{CELLS[0]}' > pipe"]):
        assert architectures(run, "--architectures", "pipe") == [CELLS[0]]


def test_unique_keeps_the_first_of_each_class(run: Run) -> None:
    same = ["|none~0|+|none~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|none~2|",
            "|none~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|none~1|none~2|"]  # fmt: skip
    space = Space()
    assert len({space.unique_id(space.parse(c)) for c in same}) == 1
    for order in (same, same[::-1]):
        Path("chosen.sqlite").unlink(missing_ok=True)
        write_cells(Path("cells.txt"), [*order, CELLS[0]])
        assert sorted(architectures(run, "--architectures", "cells.txt", "--unique")) == sorted([order[0], CELLS[0]])


def test_sample_is_seeded_and_limited(run: Run) -> None:
    space = Space()
    ids = sorted(a.id for a in space.sample(5, 7)[:3])
    assert sorted(architectures(run, "--sample", 5, "--sample-seed", 7, "--limit", 3)) == ids


@pytest.mark.parametrize("options", [[], ["--sample", 1, "--all"], ["--sample", 1, "--architectures", "cells.txt"]])
def test_there_is_one_way_to_choose_at_a_time(options: list[object], run: Run) -> None:
    write_cells(Path("cells.txt"))
    one_line(run("score", *QUICK, "params", *options), 2, "one of --sample N, --architectures FILE and --all")


# The spelling that scripts rely on


def test_plan_of_nas_bench_suite_zero_takes_few_passes(run: Run) -> None:
    said = run("plan", "--metrics", ",".join(NAS_BENCH_SUITE_ZERO), "--json")
    plan = json.loads(said.out)
    assert len(plan["metrics"]) == 13
    assert plan["totals"]["forwards"] <= 5
    assert plan["totals"]["backwards"] <= 4
    assert plan["alone"]["forwards"] > plan["totals"]["forwards"]


def test_plan_reads_as_text(run: Run) -> None:
    said = run("plan", "--metrics", "snip,synflow")
    assert said.code == 0
    assert "2 metrics: snip, synflow\n2 forwards and 2 backwards; one metric at a time" in said.out


def test_plan_counts_one_and_says_what_it_cannot_count(run: Run) -> None:
    said = run("plan", "--metrics", "jacov").out
    once = "1 forward and 1 backward"
    assert said.startswith(f"1 metric: jacov\n{once}; one metric at a time: {once}\n")
    assert run("plan", "--metrics", "params").out.startswith("1 metric: params\nno pass; ")
    said = run("plan", "--metrics", "zero_cost_pt").out
    assert "no pass, besides what is said in words below; " in said
    assert "OperationSwaps: the passes of nwot for every operation of every edge on the supernet, once for" in said


def test_the_list_of_metrics_says_what_each_takes_by_itself(run: Run) -> None:
    said = run("list", "metrics").out
    assert "Passes of its own: 1 forward and 2 backwards, on the supernet, once for each worker." in said
    assert "Takes on" not in said


def test_metrics_may_have_parameters(run: Run) -> None:
    write_cells(Path("cells.txt"), CELLS[1:2])
    said = run("score", *QUICK, "swap( samples=4, repeats=2 ),snip,swap(repeats=4)", "--architectures", "cells.txt")
    assert said.code == 0, said.err
    with Store(Path("scores.sqlite"), create=False) as store:
        frame = store.frame()
    assert sorted(frame["metric"]) == ["snip", "swap", "swap(repeats=2,samples=4)"]


def test_a_second_score_computes_nothing_anew(run: Run) -> None:
    write_cells(Path("cells.txt"))
    arguments = ("score", *QUICK, "params,l2_norm", "--architectures", "cells.txt", "--seeds", "2")
    assert "12 new rows (12 ok), 0 were there before" in run(*arguments).err
    assert "0 new rows, 12 were there before" in run(*arguments).err


def test_export_analyse_and_report_take_the_promised_options(run: Run, scored: Path) -> None:
    assert run("export", "--store", scored, "--out", "scores.parquet").code == 0
    assert tuple(pq.read_schema("scores.parquet").names) == EXPORT_COLUMNS
    said = run("export", "--store", scored, "--out", "scores.csv")
    assert said == (0, "6 rows in scores.csv\n", "")
    assert tuple(pd.read_csv("scores.csv").columns) == EXPORT_COLUMNS
    options = ("--store", scored, "--benchmark", "nasbench201", "--target", "cifar10", "--resamples", 10)
    said = run("analyse", *options, "--out", "analysis")
    assert said.code == 0, said.err
    assert "source analognasbench" in said.out
    written = pd.read_csv("analysis/correlations.csv")
    assert tuple(written.columns) == output.COLUMNS == (
        "benchmark", "target", "source", "population", "slice", "metric", "statistic", "value", "low", "high", "n",
        "n_undefined",
    )  # fmt: skip
    assert json.loads(Path("analysis/analysis.json").read_text())
    said = run("report", *options, "--out", "report")
    assert said.code == 0, said.err
    assert "synflow" not in Path("report/tables/ranking_cifar10.csv").read_text()


def test_score_takes_the_promised_options_on_cifar10(
    data_folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZCBENCH_DATA", str(data_folder))
    write_cells(Path("cells.txt"), CELLS[:2])
    line = (
        "score --benchmark nasbench201 --dataset cifar10 --architectures cells.txt --metrics snip,synflow "
        "--batch-size 32 --seeds 1 --store s.sqlite"
    )
    said = run(*line.split())
    assert said.code == 0, said.err
    line = "export --store s.sqlite --out scores.parquet"
    assert run(*line.split()).code == 0
    frame = pd.read_parquet("scores.parquet")
    assert tuple(frame.columns) == EXPORT_COLUMNS
    assert set(frame["architecture"]) == set(CELLS[:2])
    assert set(frame["metric"]) == {"snip", "synflow"}
    assert set(frame["outcome"]) == {"ok"}
    assert set(zip(frame["dataset"], frame["batch_size"], frame["init"], frame["init_seed"], strict=True)) == {
        ("cifar10", 32, "pytorch", 0)
    }
    line = "analyse --store s.sqlite --benchmark nasbench201 --target cifar10 --out analysis --resamples 10"
    said = run(*line.split())
    assert said.code == 0, said.err
    assert set(pd.read_csv("analysis/correlations.csv")["source"]) == {"robot"}


# Any abuse


LONG = "x" * 5000
ABUSE = [
    ["--nonsense"], ["score"], ["export"], ["run", "surplus"], ["score", "--sample"], ["score", "--sample", "x"],
    ["plan", "--metrics", LONG], ["plan", "--metrics", "a(" * 100], ["plan", "--metrics", "snip;ls"],
    ["score", "--sample", "0", *QUICK, "params"], ["score", "--sample", "99999999", *QUICK, "params"],
    ["score", "--sample", "1", *QUICK, "params", "--seeds", "0"],
    ["score", "--sample", "1", *QUICK, "params", "--seeds", "-1"],
    ["score", "--sample", "1", *QUICK, "params", "--batch-size", "1"],
    ["score", "--sample", "1", *QUICK, "params", "--batch-size", "99999999999999999"],
    ["score", "--sample", "1", *QUICK, "params", "--dataset", "digits", "--batch-size", "100000"],
    ["score", "--sample", "1", *QUICK, "params", "--threads", "0"],
    ["score", "--sample", "1", *QUICK, "params", "--threads", "1000000"],
    ["score", "--sample", "1", *QUICK, "params", "--device", "meta"],
    ["score", "--sample", "1", *QUICK, "params", "--device", "hpu"],
    ["score", "--sample", "1", *QUICK, "params", "--device", ""],
    ["score", "--sample", "1", *QUICK, "params", "--store", ""],
    ["score", "--sample", "1", *QUICK, "params", "--store", "."],
    ["score", "--sample", "1", *QUICK, "params", "--store", "no/s.sqlite"],
    ["score", "--sample", "1", *QUICK, "params", "--store", "/dev/null"],
    ["score", "--sample", "1", *QUICK, "params", "--store", "/dev/full"],
    ["score", "--sample", "1", *QUICK, "params", "--store", "junk"],
    ["score", "--sample", "1", *QUICK, "params", "--store", "other.sqlite"],
    ["score", "--sample", "1", *QUICK, "params", "--store", LONG],
    ["score", "--architectures", ".", *QUICK, "params"],
    ["score", "--architectures", "junk", *QUICK, "params"],
    ["score", "--architectures", "/dev/zero", *QUICK, "params"],
    ["score", "--architectures", LONG, *QUICK, "params"],
    ["export", "--store", "junk", "--out", "x.csv"],
    ["export", "--store", ".", "--out", "x.csv"],
    ["export", "--store", "other.sqlite", "--out", "x.csv"],
    ["export", "--store", "{store}", "--out", ".csv"],
    ["export", "--store", "{store}", "--out", "folder.csv"],
    ["export", "--store", "{store}", "--out", "junk/x.csv"],
    ["export", "--store", "{store}", "--out", LONG + ".csv"],
    ["analyse", "--store", "{store}", "--out", "junk"],
    ["analyse", "--store", "{store}", "--out", "junk/x"],
    ["analyse", "--store", "{store}", "--resamples", "1"],
    ["analyse", "--store", "{store}", "--truth", "other.sqlite"],
    ["report", "--store", "{store}", "--resamples", "10", "--out", "junk"],
    ["report", "--store", "junk"],
    ["run", *QUICK, "params", "--limit", "1", "--out", "junk"],
    ["run", *QUICK, "params", "--limit", "1", "--out", "junk/x"],
    ["data", "convert", "nasbench201", "nothere", "--out", "x.parquet"],
    ["data", "convert", "nasbench201", "junk", "--out", "x.parquet"],
    ["data", "convert", "nasbench201", ".", "--out", "x.parquet"],
    ["data", "convert"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", ABUSE, ids=lambda a: " ".join(a)[:70])
def test_abuse_is_answered_in_one_line(arguments: list[str], run: Run, scored: Path) -> None:
    Path("junk").write_bytes(b"\x89\xff\x00 no file of ours \n" * 50)
    Path("folder.csv").mkdir()
    with sqlite3.connect("other.sqlite") as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    refused(run(*(a.format(store=scored) for a in arguments)))


def test_a_fault_of_ours_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*arguments: object) -> None:
        raise AssertionError("something\nunforeseen")

    monkeypatch.setattr("zcbench.harness.commands.plan.select", fault)
    one_line(run("plan"), 70, "a fault of zcbench, AssertionError: something unforeseen", "ZCBENCH_DEBUG=1")
    monkeypatch.setenv("ZCBENCH_DEBUG", "1")
    assert "Traceback" in run("plan").err


def test_memory_that_runs_out_before_the_scoring_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*arguments: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr("zcbench.datasets.images.load", greedy)
    one_line(run("score", "--sample", "1", *QUICK, "params"), 2, "out of memory")


# Ctrl-C


def test_ctrl_c_during_an_import_takes_effect_after_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    finished: list[str] = []

    def slow(name: str) -> ModuleType:
        signal.raise_signal(signal.SIGINT)
        finished.append(name)
        return importlib.import_module(name)

    monkeypatch.setattr("zcbench.harness.cli.importlib", SimpleNamespace(import_module=slow))
    said = run("list")
    assert said.code == 130
    assert said.err.strip() == "zcbench: interrupted; run the same command again to go on"
    assert finished == ["zcbench.harness.commands.list"]


# Pipes


@pytest.mark.parametrize("verb", ["list", pytest.param("--help", marks=pytest.mark.slow)])
def test_a_reader_that_leaves_early_causes_no_traceback(verb: str) -> None:
    with subprocess.Popen([*PROGRAM, verb], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_a_full_output_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, "list", "groups"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr
