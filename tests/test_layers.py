"""Who may import whom: datasets -> runner -> rows -> analysis -> tables -> reports, and only commands import all."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FORBIDDEN = {
    "harness/passes": ("zcbench.datasets", "zcbench.reports", "zcbench.harness.analysis", "zcbench.harness.commands"),
    "harness/metrics": ("zcbench.datasets", "zcbench.reports", "zcbench.harness.analysis", "zcbench.harness.commands"),
    "harness/analysis": ("torch", "zcbench.harness.passes", "zcbench.reports", "zcbench.harness.commands"),
    "harness/results": (
        "torch", "zcbench.datasets", "zcbench.reports", "zcbench.harness.passes", "zcbench.harness.commands"
    ),
    "harness/gate": ("zcbench.datasets", "zcbench.reports"),
    "reports": ("torch", "zcbench.datasets", "zcbench.harness.passes", "zcbench.harness.commands"),
    "datasets": ("zcbench.harness.passes", "zcbench.harness.analysis", "zcbench.reports", "zcbench.harness.commands"),
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports at run time; blocks under TYPE_CHECKING do not count."""
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                found.update({child.module, *(f"{child.module}.{alias.name}" for alias in child.names)})
            walk(child)

    walk(ast.parse(path.read_text()))
    return found


def breaches(folder: Path, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{path.name} imports {name}"
        for path in sorted(folder.rglob("*.py"))
        for name in sorted(imported(path))
        if any(name == f or name.startswith(f + ".") for f in forbidden)
    ]


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_layers(folder: str) -> None:
    assert breaches(ROOT / folder, FORBIDDEN[folder]) == []


def test_the_layer_test_can_fail(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def f():\n    from torch import nn\n")
    (tmp_path / "good.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n")
    assert breaches(tmp_path, ("torch",)) == ["bad.py imports torch", "bad.py imports torch.nn"]


def loads_torch(code: str) -> bool:
    program = f"import sys\n{code}\nprint('torch' in sys.modules)"
    return "True" in subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "module",
    ["zcbench.harness.analysis.study", "zcbench.harness.analysis.output", "zcbench.reports.report",
     "zcbench.datasets.nasbench201", "zcbench.harness.types", "zcbench.harness.cli",
     "zcbench.harness.results.merge", "zcbench.harness.gate.pytest_plugin", "zcbench.harness.gate.judge"],
)  # fmt: skip
def test_importing_it_loads_no_torch(module: str) -> None:
    assert not loads_torch(f"import {module}")


def test_the_torch_test_can_fail() -> None:
    assert loads_torch("import zcbench.harness.passes.evaluate")


def test_hooks_are_registered_in_one_place_only() -> None:
    found = [
        str(path.relative_to(ROOT))
        for folder in ("harness", "datasets", "reports")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "register_forward" in path.read_text() or "register_full_backward" in path.read_text()
    ]
    assert found == ["harness/passes/observe.py"]


def test_modules_and_functions_stay_small() -> None:
    for folder in ("harness", "datasets", "reports"):
        for path in (ROOT / folder).rglob("*.py"):
            assert path.read_text().count("\n") <= 400, path


def test_nothing_prints_outside_commands() -> None:
    for folder in ("harness", "datasets", "reports"):
        for path in (ROOT / folder).rglob("*.py"):
            calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            assert not any(isinstance(c.func, ast.Name) and c.func.id == "print" for c in calls), path
