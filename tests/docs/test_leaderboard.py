"""docs/leaderboard.md does what it says: its commands run, and its tables are those of the page and the schema."""

import json
import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from verbs import command

from zcbench.harness.cli import zcbench
from zcbench.harness.results.compare import tolerance

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
SCRIPT = (ROOT / "reports" / "templates" / "leaderboard.js").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


def change(path: Path) -> None:
    """Write another Spearman into a result, as an edit or a silent change of code would."""
    document = json.loads(path.read_text())
    (one,) = (s for s in document["measurements"][0]["statistics"] if (s["slice"], s["name"]) == ("all", "spearman"))
    one["value"] -= 0.2
    path.write_text(json.dumps(document))


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    printed = []
    for line in COMMANDS:
        program, *arguments = shlex.split(line)
        assert program == "zcbench"
        one = ["--workers", "1"] if arguments[0] == "score" else []  # a second process costs more than it saves
        assert command(*arguments, *one) == 0, line
        printed.append(capsys.readouterr())
    files = sorted(path.name for path in (tmp_path / "shared" / "nasbench201").iterdir())
    assert [name.split("-")[0] for name in files] == ["params", "snip", "synflow"]
    assert all(path.stat().st_size < 10_000 for path in tmp_path.glob("*/nasbench201/*.json"))
    page = (tmp_path / "leaderboard.html").read_text()
    assert page.count(">confirmed by 1<") > 4
    assert "Ada L., Grace H." in page
    assert json.loads(printed[-1].out)["properties"]["zcbench_result"]["const"] == 1

    strict = shlex.split(next(line for line in COMMANDS if "--strict" in line))[1:]
    (snip,) = (tmp_path / "shared").rglob("snip-*.json")
    shutil.copy(snip, snip.with_name("a-copy.json"))
    assert command(*strict) == 0
    assert "repeats another of the same person and machine" in capsys.readouterr().err
    change(next((tmp_path / "grace").rglob("snip-*.json")))
    assert command(*strict) == 1
    assert "disagreement: snip v1 on nasbench201, cifar10" in capsys.readouterr().err
    assert "Results disagree" in (tmp_path / "leaderboard.html").read_text()
    snip.write_text('{"zcbench_result": 1}')
    assert command(*strict) == 2
    assert f"{snip.parent.name}/{snip.name}" in capsys.readouterr().err


def test_the_tolerance() -> None:
    (slack, exchange) = re.findall(r"^    (0\.\d+) \+ (\d+) / \(n \(n \+ 1\)\)$", TEXT, flags=re.MULTILINE)[0]
    for n in (3, 300):
        assert tolerance(n) == pytest.approx(float(slack) + float(exchange) / (n * (n + 1)))
    assert f"For 300 architectures\nthat is {tolerance(300):.4f}." in TEXT


def test_the_fragment() -> None:
    table = TEXT.partition("| in the fragment |")[2].partition("\n\n")[0]
    listed = [name for row in table.splitlines()[2:] for name in re.findall(r"`([a-z=]+)`", row.split("|")[1])]
    written = set(re.findall(r'given\.get\("(\w+)"\)', SCRIPT))
    filters = {"benchmark", "target", "population", "slice", "statistic"}
    assert {name.split("=")[0] for name in listed} == written | filters


def test_the_members(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("results", "--schema") == 0
    schema = json.loads(capsys.readouterr().out)
    table = TEXT.partition("| member | holds |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = {row.split("|")[1].strip(): set(re.findall(r"`(\w+)`", row.split("|")[2])) for row in table}
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(schema["required"]) - {"zcbench_result"}
    assert rows["`metric`"] == set(schema["properties"]["metric"]["required"])
    assert rows["`measurements`"] == set(schema["$defs"]["measurement"]["required"])
    said = re.search(r"A statistic has (.*?);", TEXT, flags=re.DOTALL)
    assert said is not None
    assert set(re.findall(r"`(\w+)`", said.group(1))) == set(schema["$defs"]["statistic"]["required"])


def test_the_workflow_calls_what_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workflow,) = blocks("yaml")
    (line,) = re.findall(r"- run: zcbench (.*)", workflow)
    monkeypatch.chdir(tmp_path)
    assert command(*shlex.split(line)) == 3, "there are no results here"
    assert "path: site" in workflow


def test_every_option_that_is_named_exists() -> None:
    names = ("score", "results", "leaderboard", "analyse")
    verbs = [zcbench.get_command(click.Context(zcbench), name) for name in names]
    known = {name for verb in verbs if verb is not None for parameter in verb.params for name in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) <= known
