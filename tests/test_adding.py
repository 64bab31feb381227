"""datasets/README.md does what it says: a table without code, and a search space in one folder."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from verbs import command

TEXT = (Path(__file__).parent.parent / "datasets" / "README.md").read_text(encoding="utf-8")
FIRST, SECOND = TEXT.split("## A new search space: one folder")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


def run(arguments: list[str], folder: Path, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k != "ZCBENCH_DATA"} | environment
    done = subprocess.run(arguments, cwd=folder, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def zcbench(line: str, folder: Path, **environment: str) -> str:
    assert line.startswith("zcbench ")
    program = "from zcbench.harness.cli import main; main()"
    return run([sys.executable, "-c", program, *line.split()[1:]], folder, **environment)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    return tmp_path


def here(line: str) -> None:
    """Run a line in this process."""
    program, *arguments = shlex.split(line)
    assert (program, command(*arguments)) == ("zcbench", 0), line


def test_a_table_takes_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = blocks(FIRST, "python")
    (tmp_path / "program.py").write_text(program)
    runpy.run_path("program.py", run_name="__main__")
    (line,) = blocks(FIRST, "sh")
    here(f"{line.strip()} --workers 1")
    rows = (tmp_path / "flowers-run/analysis/correlations.csv").read_text()
    assert "nasbench201,flowers,our-cluster,all,all,snip,spearman," in rows
    check = re.search(r"`(zcbench data convert nasbench201 flowers.*?)`", FIRST)
    assert check is not None
    capsys.readouterr()
    here(check.group(1))
    assert "6 rows of 6 of 15625 architectures" in capsys.readouterr().out


def test_a_search_space_is_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that starts with the package lists it; this one, which finds it from now on, scores it."""
    project = tmp_path / "project"
    (project / "chainbench").mkdir(parents=True)
    (project / "pyproject.toml").write_text(blocks(SECOND, "toml")[0])
    (project / "chainbench" / "__init__.py").write_text(blocks(SECOND, "python")[0])
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    run([*pip, "--target", str(tmp_path / "site"), "./project"], tmp_path)
    listing, score = blocks(SECOND, "sh")[0].strip().splitlines()
    assert "chainbench  64 architectures" in zcbench(listing, tmp_path, PYTHONPATH=str(tmp_path / "site"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    here(f"{score} --workers 1")
    here("zcbench export --store c.sqlite --out c.csv")
    rows = (tmp_path / "c.csv").read_text().splitlines()
    assert len(rows) == 1 + 4 * 2
    assert all("chainbench" in row for row in rows[1:])
