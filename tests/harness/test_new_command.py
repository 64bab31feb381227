"""``zcbench new`` writes what works, under a name that works, and overwrites nothing."""

import ast
import runpy
from pathlib import Path

import pytest
import torch
from torch import nn
from verbs import command

from networks import KEY, batch, make
from zcbench.harness.candidate import measure
from zcbench.harness.metric_file import metrics_in
from zcbench.harness.registry import select


def test_the_metric_equals_its_formula(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file's own test runs in tests/docs/test_plugins.py; here on a network with a dead branch."""
    folder = tmp_path / "made" / "here"
    assert command("new", "metric", "grow_log2", "--out", str(folder)) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["grow_log2.py", "test_grow_log2.py"]
    assert f"zcbench compare {folder}/grow_log2.py" in capsys.readouterr().out
    (metric,) = metrics_in(folder / "grow_log2.py")
    assert (metric.key, metric.version) == ("grow_log2", 1)
    network, data = make("branchy"), batch()
    nn.functional.cross_entropy(network(data.inputs), data.targets).backward()
    total = 0.0
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.grad is not None:
            total += float(torch.log1p((layer.weight.detach() * layer.weight.grad).abs().sum()))
    found = measure(make("branchy"), data, [metric, *select("snip")], key=KEY)
    assert found["grow_log2"].value == pytest.approx(total, rel=1e-12)


def test_every_trace_of_the_templates_name_is_gone(tmp_path: Path) -> None:
    assert command("new", "metric", "grow_log2", "--out", str(tmp_path)) == 0
    for path in tmp_path.iterdir():
        text = path.read_text()
        assert "my_metric" not in text
        assert max(map(len, text.splitlines())) <= 120
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        assert all(ast.get_docstring(node) or node.name.startswith("test_") for node in functions)


@pytest.mark.parametrize("name", ["network", "batch", "score", "reference", "inputs", "own", "measure", "print"])
def test_names_that_the_files_use_themselves(name: str, tmp_path: Path) -> None:
    """Functions, arguments, imports and builtins: the test finds its own, and the metric is the one of that name."""
    assert command("new", "metric", name, "--out", str(tmp_path)) == 0
    written = runpy.run_path(str(tmp_path / f"test_{name}.py"))
    assert written["OWN"].key == name
    written["test_it_equals_the_slow_reference"]()
    written["test_it_is_undefined_where_it_should_be"]()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("GrowLog", "for example grow_log"), ("3d", "for example d"), ("a__b", "for example a_b"),
        ("../up", "for example up"), ("a-b", "for example a_b"), ("", "lower snake case"), ("ä", "lower snake case"),
        ("x" * 61, "at most 60 characters"), ("class", "a word of Python"), ("match", "a word of Python"),
        ("test_it", "what pytest calls a test"), ("math", "a module that Python has already"),
        ("torch", "a module that Python has already"), ("zcbench", "a module that Python has already"),
        ("snip", "there is a metric called snip already"), ("standard", "there is a group of metrics called standard"),
        ("metric", "what the file itself imports: take another name, for example my_metric"),
        ("undefined_where", "what the file itself imports"), ("test", "a module that Python has already"),
        ("az_nas", "there is a group of metrics called az_nas"),
    ],
)  # fmt: skip
def test_names_that_cannot_be(name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("new", "metric", name, "--out", str(tmp_path)) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["mine.py", "test_mine.py"])
def test_nothing_is_overwritten(there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / there).write_text("kept")
    assert command("new", "metric", "mine", "--out", str(tmp_path)) == 2
    assert f"{there} exists already and is left as it is" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(there, "kept")]


def test_a_link_to_nowhere_is_something_too(tmp_path: Path) -> None:
    (tmp_path / "mine.py").symlink_to(tmp_path / "elsewhere.py")
    assert command("new", "metric", "mine", "--out", str(tmp_path)) == 2
    assert not (tmp_path / "elsewhere.py").exists()


def test_the_workflow_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("new", "workflow", "--out", str(tmp_path)) == 0
    (written,) = tmp_path.iterdir()
    written.write_text("kept")
    assert command("new", "workflow", "--out", str(tmp_path)) == 2
    assert "metric-quality.yml exists already" in capsys.readouterr().err
    assert written.read_text() == "kept"


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert command("new", "metric", "mine", "--out", str(tmp_path / "file" / "below")) == 2
    assert "cannot make the folder" in capsys.readouterr().err
