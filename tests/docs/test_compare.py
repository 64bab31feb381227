"""docs/compare.md does what it says: its commands run, its options exist, its sentences are those that are printed."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from compared import BASELINES, comparison, versus
from verbs import command

from zcbench.harness.metric_file import metrics_in
from zcbench.reports.versus import verdict_sentences

TEXT = (Path(__file__).parent.parent.parent / "docs" / "compare.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the document has a reader save."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    for name, code in zip(("log_step.py", "spread.py"), blocks("python"), strict=True):
        assert f"`{name}`" in TEXT
        Path(name).write_text(code, encoding="utf-8")
    return tmp_path


QUICK = ["--workers", "1", "--resamples", "50"]
"""Settings that change no sentence's words, in place of two processes and a thousand resamples."""


@pytest.mark.usefixtures("one_cell_a_stage")
def test_the_commands(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for line in COMMANDS:
        assert command(*shlex.split(line)[1:], *QUICK) == 0, line
        printed.append(capsys.readouterr().out)
    first, plain, named = (comparison_in(place / name) for name in ("log_step", "spread", "swap"))
    assert (first["candidate"], first["baselines"]) == ("log_step", ["nwot", "snip"])
    assert {s["kind"] for v in first["versus"] for s in v["stability"]} == {"seed", "batch size", "initialisation"}
    assert first["sentences"][0]["text"] in " ".join(printed[0].split())
    assert plain["metric"]["outside_of_shared_passes"] is True
    assert plain["baselines"] == ["flops", "log_step", "nwot", "params", "snip"]
    assert "outside of the shared passes" in (place / "spread" / "index.html").read_text()
    assert (named["candidate"], named["baselines"]) == ("swap(repeats=2)", ["nwot", "snip"])
    assert all(v["verdict"]["n"] == 12 for v in named["versus"])
    for folder in ("log_step", "spread", "swap"):
        for part in ("report.md", "tables", "figures"):
            assert (place / folder / part).exists()


def comparison_in(folder: Path) -> dict[str, Any]:
    (found,) = json.loads((folder / "compare.json").read_text())["comparisons"]
    assert isinstance(found, dict)
    return found


def test_the_entry_point_is_one(place: Path) -> None:
    (text,) = blocks("toml")
    (value,) = tomllib.loads(text)["project"]["entry-points"]["zcbench.metrics"].values()
    module, _, name = value.partition(":")
    assert [m.name for m in metrics_in(place / f"{module.split('.')[-1]}.py")] == [name]


def test_every_option_that_is_named_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("compare", "--help") == 0
    known = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT))
    assert named
    assert named <= known, named - known


def test_what_a_function_says_of_itself_is_read(place: Path) -> None:
    code = (place / "spread.py").read_text()
    lines = re.findall(r"`(spread\.\w+ = \w+)`", TEXT)
    assert len(lines) == 2
    (place / "changed.py").write_text("\n".join([code, *lines]))
    (metric,) = metrics_in(place / "changed.py")
    assert (metric.higher_is_better, metric.version) == (False, 2)
    (metric,) = metrics_in(place / "spread.py", "spread")
    assert (metric.higher_is_better, metric.version) == (True, 1)


def test_the_table_explains_what_is_printed() -> None:
    """Every phrase of the first column occurs in a sentence that the program can say, up to names and numbers."""
    phrases = re.findall(r"^\| (?!the sentence|-)(.+?) \|", TEXT, flags=re.MULTILINE)
    found = [
        versus(), versus((("x", 0.5, 0.01),)), versus((("x", 0.7, 0.5),)),
        versus((*((f"a{i}", 0.5, 0.01) for i in range(5)), *((f"b{i}", 0.9, 0.01) for i in range(6)), ("c", 0.8, 1.0))),
        versus(copy_of="swap", decision="copy", reversed_=True), versus(adds="reversed"),
        versus(BASELINES, decision="cannot tell", why="too few"),
    ]  # fmt: skip
    said = " ".join(text.text for of in found for text in verdict_sentences(comparison(of)))
    assert len(phrases) == 10
    for phrase in phrases:
        pattern = re.sub(r"\\\*x\\\*", r"\\w+", re.escape(phrase))
        pattern = re.sub(r"\d+", r"\\d+", pattern)
        assert re.search(pattern, said), phrase


def test_the_example_is_a_verdict() -> None:
    """The example has all sentences, in the words that are printed now."""
    (example,) = re.findall(r"^> (.*?)\n\n", TEXT, flags=re.MULTILINE | re.DOTALL)
    words = re.sub(r"\s*\n> ?", " ", example)
    for part in (
        r"By Spearman on \d+ architectures of NAS-Bench-201 \(population \S+, target cifar10\), log_step \(version 1\)",
        r"Its Spearman with the truth \(.*?\) is \S+ \(95 % interval \[\S+, \S+\]\); that of \w+, the best baseline,",
        r"after Holm's adjustment over \d+ comparisons",
        r"Within the top 10 % by truth \(\d+ architectures\) its Spearman is ",
        r"Scored alone it takes \S+ m?s an architecture \(median\)",
        r"With 2 other initialisation seeds \(1, 2\), on \d+",
    ):
        assert re.search(part, words), part
