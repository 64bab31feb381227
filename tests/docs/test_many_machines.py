"""docs/many-machines.md does what it says: its commands and scripts are run, on this machine."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from verbs import command

from zcbench.harness.store import Store

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "many-machines.md").read_text(encoding="utf-8")
PIECES = re.findall(r"```bash( slurm)?\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = [text.strip() for kind, text in PIECES if not kind]
SCRIPTS = [text for kind, text in PIECES if kind]
BIN = Path(sys.executable).parent


def test_the_page_has_what_is_tried_here() -> None:
    assert [shlex.split(line)[:2] for line in COMMANDS] == [
        ["zcbench", "score"], ["ray", "start"], ["zcbench", "score"], ["ray", "stop"], ["zcbench", "merge"]
    ]  # fmt: skip
    assert len(SCRIPTS) == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_are_bash(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_job_of_the_array_scores_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = re.search(r"^zcbench score.*?(?<!\\)$", SCRIPTS[1], flags=re.DOTALL | re.MULTILINE)
    assert line is not None
    text = line.group().replace("\\\n", " ").replace("$SLURM_ARRAY_TASK_ID", "3").replace("$SLURM_CPUS_PER_TASK", "1")
    assert command(*shlex.split(text)[1:], "--limit", "3") == 0
    with Store(tmp_path / "part-3.sqlite", create=False) as store:
        assert {row.recipe.init_seed for row in store.scores()} == {3}


def stand_ins(folder: Path) -> dict[str, str]:
    """The zcbench of this test on the path, and a home folder without Ray's token."""
    folder.mkdir()
    texts = {
        "zcbench": f'#!/bin/sh\nexec {sys.executable} -c "from zcbench.harness.cli import main; main()" "$@"\n',
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "RAY_AUTH_MODE": "disabled", "HOME": str(folder)}


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_the_commands_of_the_page_run_one_after_the_other(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install zcbench[ray]")
    environment = stand_ins(tmp_path / "bin")
    environment.pop("RAY_ADDRESS", None)
    # ray stop ends every cluster of this machine: a test must leave those of others alone.
    port, lines = "26380", [line for line in COMMANDS if line != "ray stop"]
    started: list[str] = []
    for line in lines:
        line = line.replace("--port=6379", f"--port={port} --num-cpus=2 --block")
        line = line.replace("--address auto", f"--address 127.0.0.1:{port}")
        if "--block" in line:
            cluster = subprocess.Popen(
                [*shlex.split(line), "--node-ip-address=127.0.0.1"], env=environment,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            wait = f"for n in $(seq 60); do ray health-check --address 127.0.0.1:{port} && break; sleep 1; done"
            subprocess.run(["bash", "-c", wait], env=environment, check=True, timeout=120)
            continue
        done = subprocess.run(shlex.split(line), cwd=tmp_path, env=environment, capture_output=True, text=True)
        started.append(done.stderr)
        if done.returncode:
            break
    cluster.terminate()
    cluster.wait(timeout=60)
    assert done.returncode == 0, started
    assert "2 Ray workers on 1 node" in started[0]
    assert "2 Ray workers on 1 node" in started[1]
    with Store(tmp_path / "all.sqlite", create=False) as store:
        assert len(list(store.scores())) == 32
