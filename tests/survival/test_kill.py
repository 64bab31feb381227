"""kill -9 at seeded random moments: nothing that was written is lost, nothing is there twice, the bits are the same."""

import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from faulty import CELL_ROWS, CHUNK_ROWS, SCORE, TESTS, Bits, Moment, bits, finished, left_behind, sound, start
from scores import ENVIRONMENT, score

from zcbench.harness.store import Store

CELLS = 56
SEED = 20261122
STAGES = {
    "start": 9, "building": 8, "scoring": 10, "begin": 2, "rows": 2, "commit": 4, "log": 3, "shutdown": 6, "worker": 6,
}  # fmt: skip
"""How many of fifty kills come when."""


def moments(stages: dict[str, int], seed: int) -> Iterator[Moment]:
    """The same moments for the same seed, in a random order, again and again."""
    generator = random.Random(seed)
    while True:
        drawn = [Moment.drawn(stage, generator) for stage, count in stages.items() for _ in range(count)]
        generator.shuffle(drawn)
        yield from drawn


def job(path: Path, cells: int = CELLS) -> list[object]:
    return [*SCORE, "--sample", cells, "--store", path]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Bits:
    """What a run writes that nothing happens to."""
    path = tmp_path_factory.mktemp("undisturbed") / "s.sqlite"
    code, said = finished(start([*job(path), "--workers", "1"]))
    assert code == 0, said
    assert sound(path) == CELLS * CELL_ROWS
    return bits(path)


def struck(path: Path, moment: Moment, options: Sequence[object]) -> tuple[int, str]:
    """Run the job once with a kill, and check what it leaves; gives the exit code and what was said."""
    before, journal = sound(path), path.with_name("journal")
    journal.unlink(missing_ok=True)
    setup = f"from faulty import *; import pathlib; arrange({moment!r}, pathlib.Path({str(journal)!r}))"
    tag = f"{path}-{moment}"
    if moment.stage == "start":  # also while Python itself starts, and zcbench is imported
        setup = f"from faulty import kill; kill({moment.seconds})\n"
    with tempfile.TemporaryDirectory(prefix="k", dir="/tmp", ignore_cleanup_errors=True) as temporary:  # short, for Ray
        process = start(
            [*job(path), *options], setup=setup, tag=tag, env={"TMPDIR": temporary, "RAY_TMPDIR": temporary}
        )
        code, said = finished(process)
        assert left_behind(tag, 90) == []
        assert [file for file in Path(temporary).iterdir() if file.name != "ray"] == []
    reported = sum(map(int, journal.read_text().split())) if journal.exists() else 0
    journal.unlink(missing_ok=True)
    rows = sound(path)
    if moment.stage != "start":  # that one notes nothing
        assert before + reported <= rows <= before + reported + CHUNK_ROWS
    assert rows >= before
    assert rows % CELL_ROWS == 0  # a chunk that a worker did not survive is done again in smaller ones
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}-wal", f"{path.name}-shm"}
    return code, said


def killed_again_and_again(
    folder: Path, kills: int, drawn: Iterator[Moment], executors: Sequence[Sequence[object]], undisturbed: Bits
) -> int:
    """Strike so often, a new job when one is done, and let the last one finish; gives the number of jobs.

    A run that is done before its moment comes is no kill.
    """
    done = rounds = 0
    path = folder / "0" / "s.sqlite"
    path.parent.mkdir()
    for n, moment in enumerate(drawn):
        if done == kills:
            break
        others = moment.stage in ("worker", "daemon")  # are killed, not the run itself
        options = executors[-1] if others else executors[n % len(executors)]
        code, said = struck(path, moment, options)
        there = bits(path) if path.exists() else {}
        assert there.items() <= undisturbed.items()
        assert "Traceback" not in said
        assert code in ((0, 2) if others else (0, 130, -signal.SIGKILL)) or moment.stage == "daemon", said
        done += others or code == -signal.SIGKILL
        if len(there) == len(undisturbed):
            rounds += 1
            path = folder / str(rounds) / "s.sqlite"
            path.parent.mkdir()
    code, said = finished(start([*job(path), *executors[0]]))
    assert code == 0, said
    assert bits(path) == undisturbed
    assert sound(path) == len(undisturbed)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return rounds + 1


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_fifty_kills_of_local_runs(tmp_path: Path, undisturbed: Bits) -> None:
    executors = (("--workers", "1"), ("--workers", "2"))
    assert killed_again_and_again(tmp_path, 50, moments(STAGES, SEED), executors, undisturbed) >= 2


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_twenty_kills_of_runs_on_ray(tmp_path: Path, undisturbed: Bits) -> None:
    pytest.importorskip("ray")
    executors = (("--executor", "ray", "--workers", "2"),)
    drawn = moments(STAGES | {"daemon": 4}, SEED + 1)
    assert killed_again_and_again(tmp_path, 20, drawn, executors, undisturbed) >= 2


WITHIN = """
from pathlib import Path
from faulty import *
from scores import ENVIRONMENT, score
from zcbench.harness.store import Store
arrange({moment!r}, Path(sys.argv[2]))
with Store(Path(sys.argv[1])) as store:
    for n in range(1000):
        store.append([score(f"{{n}} {{k}}") for k in range(CHUNK_ROWS)], ENVIRONMENT)
"""


@pytest.mark.parametrize("stage", ["begin", "rows", "commit", "log"])
def test_a_kill_within_a_transaction_costs_that_chunk_at_most(tmp_path: Path, stage: str) -> None:
    """Without networks, and so fast; the slow tests do the same to whole runs."""
    path, journal = tmp_path / "s.sqlite", tmp_path / "journal"
    code = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n" + WITHIN.format(moment=Moment(stage, 2, 0.0003))
    done = subprocess.run([sys.executable, "-c", code, path, journal], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    reported = sum(map(int, journal.read_text().split()))
    assert reported >= CHUNK_ROWS
    rows = sound(path)
    assert reported <= rows <= reported + CHUNK_ROWS
    assert rows % CHUNK_ROWS == 0
    with Store(path) as store:
        kept = {s.architecture for s in store.scores()}
        again = [score(f"{n} {k}") for n in range(5) for k in range(CHUNK_ROWS)]
        store.append(again, ENVIRONMENT)
    assert sound(path) == len(kept | {s.architecture for s in again})
    assert {file.name for file in tmp_path.iterdir()} == {"s.sqlite", "journal"}
