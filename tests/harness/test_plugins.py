"""A plug-in of any group that cannot be used takes nothing with it, changes no score, and is named."""

import importlib.metadata
import re
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from verbs import command

from zcbench.datasets import registry as of_benchmarks
from zcbench.harness import aggregate as of_aggregates
from zcbench.harness import registry as of_metrics
from zcbench.reports import plugins as of_reports

GROUPS = {
    of_metrics.ENTRY_POINTS: "it is no metric", of_aggregates.ENTRY_POINTS: "it is no aggregate",
    of_benchmarks.GROUP: "it is no benchmark", of_reports.GROUP: "it names 7, not a function",
}  # fmt: skip
METRIC = """
import torch
from zcbench.harness.metric_file import from_function
torch.set_default_dtype(torch.float64)
@from_function
def sets_dtype(network, inputs, targets):
    return 1.0
"""

Install = Callable[..., EntryPoint]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Offer a name of a module with some code in an entry-point group, as an installed package would."""
    monkeypatch.syspath_prepend(tmp_path)

    def offer(group: str, module: str, code: str) -> EntryPoint:
        (tmp_path / f"{module}.py").write_text(code)
        point = EntryPoint("theirs", f"{module}:theirs", group)
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == point.group else [])
        forget()
        return point

    yield offer
    monkeypatch.undo()
    forget()


def forget() -> None:
    of_metrics.metrics.cache_clear()
    of_aggregates.aggregates.cache_clear()


@pytest.mark.parametrize(
    ("code", "why"), [("theirs = 7", ""), ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
                      ("raise SystemExit(3)", "SystemExit: 3")],
)  # fmt: skip
@pytest.mark.parametrize("group", GROUPS)
def test_a_broken_one_is_left_out_and_named(
    group: str, code: str, why: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"broken_{re.sub(r'[^a-z]', '_', group + code)}"
    install(group, name, code)
    assert {"snip"} <= set(of_metrics.metrics())
    assert {"az_nas"} <= set(of_metrics.groups())
    assert {"nasbench201"} <= set(of_benchmarks.benchmarks())
    assert command("list", "plugins") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{group}: theirs = {name}:theirs; cannot be loaded: {why or GROUPS[group]}")


@pytest.mark.parametrize("group", GROUPS)
def test_one_that_changes_settings_stays_out(
    group: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when it is asked for again: a second import of its module would change nothing any more."""
    install(group, f"sets_{group.partition('.')[2]}", METRIC + "theirs = sets_dtype\n")
    for _ in range(2):
        assert "sets_dtype" not in of_metrics.metrics()
        assert torch.get_default_dtype() is torch.float32
        assert command("list", "plugins") == 0
        said = capsys.readouterr().out
        assert "; cannot be loaded: " in said
        if group == of_metrics.ENTRY_POINTS:
            assert "it changes torch's default dtype, and with it the scores of all metrics" in said
        forget()


def test_a_run_names_what_it_does_without(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    point = install(of_aggregates.ENTRY_POINTS, "left_out_of_a_run", "theirs = 1 / 0")
    few = ("--dataset", "digits", "--resolution", "8", "--batch-size", "4", "--sample", "1", "--workers", "1")
    assert command("score", "--metrics", "params", "--store", str(tmp_path / "s.sqlite"), *few) == 0
    told = f"note: the plug-in theirs = {point.value} is left out, it cannot be loaded: ZeroDivisionError: division by"
    assert told in capsys.readouterr().err
