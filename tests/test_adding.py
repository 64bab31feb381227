"""datasets/README.md does what it says: a table without code, and a search space in one folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

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


def test_a_table_takes_no_code(tmp_path: Path) -> None:
    (program,) = blocks(FIRST, "python")
    run([sys.executable, "-c", program], tmp_path)
    (line,) = blocks(FIRST, "sh")
    zcbench(line.strip(), tmp_path)
    rows = (tmp_path / "flowers-run/analysis/correlations.csv").read_text()
    assert "nasbench201,flowers,our-cluster,all,all,snip,spearman," in rows
    check = re.search(r"`(zcbench data convert nasbench201 flowers.*?)`", FIRST)
    assert check is not None
    assert "6 rows of 6 of 15625 architectures" in zcbench(check.group(1), tmp_path)


def test_a_search_space_is_one_folder(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "chainbench").mkdir(parents=True)
    (project / "pyproject.toml").write_text(blocks(SECOND, "toml")[0])
    (project / "chainbench" / "__init__.py").write_text(blocks(SECOND, "python")[0])
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    run([*pip, "--target", str(tmp_path / "site"), "./project"], tmp_path)
    here = {"PYTHONPATH": str(tmp_path / "site")}
    listing, score = blocks(SECOND, "sh")[0].strip().splitlines()
    assert "chainbench  64 architectures" in zcbench(listing, tmp_path, **here)
    zcbench(score, tmp_path, **here)
    zcbench("zcbench export --store c.sqlite --out c.csv", tmp_path, **here)
    rows = (tmp_path / "c.csv").read_text().splitlines()
    assert len(rows) == 1 + 4 * 2
    assert all("chainbench" in row for row in rows[1:])
