"""The SLURM script of docs/many-machines.md, run to its end with stand-ins for SLURM's commands on this machine.

Under SLURM itself it was run by hand; the page says how.
"""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from zcbench.harness.store import Store

pytest.importorskip("ray", reason="Ray is not installed: pip install zcbench[ray]")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(290),
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(sys.platform != "linux", reason="/proc, and 127.0.0.2 without being set up, are Linux's"),
]

PAGE = Path(__file__).parent.parent.parent / "docs" / "many-machines.md"
SCRIPT = re.findall(r"```bash slurm\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)[0]
STAND_INS = {
    "scontrol": '#!/bin/sh\n[ "$*" = "show hostnames one,two" ] && printf "one\\ntwo\\n"\n',
    # A step is a process of this machine; what it is asked to run must say on which node.
    "srun": """#!/bin/sh
while [ "${1#--}" != "$1" ]; do case "$1" in --nodelist=*) node=${1#*=};; esac; shift; done
echo "${node:?} $*" >> steps.log
exec "$@"
""",
    "getent": '#!/bin/sh\n[ "$*" = "ahostsv4 one" ] && printf "127.0.0.2 STREAM one\\n127.0.0.2 DGRAM\\n"\n',
    # The driver of a real job begins when one node is there; that both are makes this repeatable.
    "zcbench": f"""#!/bin/sh
until [ "$(grep -c 'Ray runtime started' "ray-$SLURM_JOB_ID.log")" = 2 ]; do sleep 0.2; done
exec {sys.executable} -c "from zcbench.harness.cli import main; main()" "$@"
""",
}
ENOUGH = 100.0
"""Seconds within which a job of a few architectures ends, on two processors that others use as well."""
SOON = 5.0
"""Seconds after it within which nothing of Ray is left."""


class Submitted:
    """A job of the script in a folder, which is the home folder of all its processes, and of no others."""

    def __init__(self, folder: Path, number: int, sample: int) -> None:
        tools = folder / "bin"
        tools.mkdir(exist_ok=True)
        for name, text in STAND_INS.items():
            (tools / name).write_text(text, encoding="utf-8")
            (tools / name).chmod(0o755)
        assert SCRIPT.count("--sample 100") == 1
        (folder / "job.sh").write_text(SCRIPT.replace("--sample 100", f"--sample {sample}"), encoding="utf-8")
        self.mark = f"HOME={folder}".encode()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment |= {
            "PATH": os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(folder), "SLURM_JOB_ID": str(number), "SLURM_JOB_NODELIST": "one,two",
            "SLURM_CPUS_PER_TASK": "1",
        }  # fmt: skip
        # Into a file, not a pipe: the end of a pipe is not seen before the last process that holds it has ended.
        self.said = folder / f"slurm-{number}.out"
        with self.said.open("wb") as file:
            self.shell = subprocess.Popen(
                ["bash", "job.sh"], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip

    def processes(self) -> list[int]:
        """Everything that runs with the home folder of this job."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self.mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:  # ended meanwhile
                continue
        return found

    def end(self) -> tuple[int, str]:
        """Wait until the script has ended and, soon after it, all processes; returns its exit code and what it said."""
        try:
            with suppress(subprocess.TimeoutExpired):
                self.shell.wait(ENOUGH)
            code, until = self.shell.poll(), time.monotonic() + SOON
            while (left := self.processes()) and code is not None and time.monotonic() < until:
                time.sleep(0.1)
            said = "".join(
                path.read_text(encoding="utf-8") for path in [*self.said.parent.glob("ray-*.log"), self.said]
            )
            assert code is not None, f"not ended after {ENOUGH:g} s:\n{said}"
            assert left == [], f"left after the end:\n{said}"
            return code, said
        finally:
            for process in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.shell.wait()


def number_of_rows(path: Path) -> int:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return int(connection.execute("select count(*) from scores").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def rows(path: Path) -> Counter[tuple[str, str]]:
    with Store(path, create=False) as store:
        return Counter((row.architecture, row.metric) for row in store.scores())


def test_the_script_scores_on_a_cluster_of_two_nodes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    code, said = Submitted(tmp_path, os.getpid(), 24).end()
    assert code == 0, said
    assert "2 Ray workers on 2 nodes" in said
    assert "48 new rows" in said
    steps = (tmp_path / "steps.log").read_text(encoding="utf-8").splitlines()
    address = f"127.0.0.2:{20000 + os.getpid() % 10000}"
    assert [" ".join(line.split()[:4]) for line in steps] == [
        "two getent ahostsv4 one", "one ray start --head", f"two ray start --address={address}"
    ]  # fmt: skip
    token = tmp_path / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o077 == 0


def test_a_job_that_is_told_to_end_is_resumed_by_the_same_script(tmp_path: Path) -> None:
    store, wanted = tmp_path / "scores.sqlite", 64
    job = Submitted(tmp_path, os.getpid(), wanted)
    try:
        until = time.monotonic() + ENOUGH
        while number_of_rows(store) == 0 and job.shell.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        job.shell.terminate()  # as SLURM does before the time of the job is over
    finally:
        code, said = job.end()
    before = len(rows(store))
    assert 0 < before < 2 * wanted, said
    assert code == 130, said
    assert f"interrupted: {2 * wanted - before} rows are left" in said
    code, said = Submitted(tmp_path, os.getpid() + 1, wanted).end()
    assert code == 0, said
    assert f"{2 * wanted - before} new rows" in said
    assert f"{before} were there before" in said
    assert set(rows(store).values()) == {1}
    assert len(rows(store)) == 2 * wanted
