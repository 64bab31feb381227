"""kill -9 at seeded random moments: nothing that was written is lost, nothing is there twice, the bits are the same."""

import random
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from faulty import CHUNK_ROWS, SCORE, Bits, Moment, bits, finished, left_behind, sound, start

CELLS = 56
SEED = 20261122
STAGES = {
    "start": 9, "building": 8, "scoring": 10, "begin": 2, "rows": 2, "commit": 4, "log": 3, "shutdown": 6, "worker": 6,
}  # fmt: skip
"""How many of fifty kills come when."""


def moments(stages: dict[str, int], seed: int) -> list[Moment]:
    """The same moments for the same seed, in a random order."""
    generator = random.Random(seed)
    drawn = [Moment.drawn(stage, generator) for stage, count in stages.items() for _ in range(count)]
    generator.shuffle(drawn)
    return drawn


def job(path: Path, cells: int = CELLS) -> list[object]:
    return [*SCORE, "--sample", cells, "--store", path]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Bits:
    """What a run writes that nothing happens to."""
    path = tmp_path_factory.mktemp("undisturbed") / "s.sqlite"
    code, said = finished(start([*job(path), "--workers", "1"]))
    assert code == 0, said
    assert sound(path) == CELLS * CHUNK_ROWS / 8
    return bits(path)


def struck(path: Path, moment: Moment, options: Sequence[object]) -> tuple[int, str]:
    """Run the job once with a kill, and check what it leaves; gives the exit code and what was said."""
    before, journal, temporary = sound(path), path.with_name("journal"), path.parent.parent / "tmp"
    journal.unlink(missing_ok=True)
    temporary.mkdir(exist_ok=True)
    setup = f"from faulty import *; import pathlib; arrange({moment!r}, pathlib.Path({str(journal)!r}))"
    tag = f"{path}-{moment}"
    if moment.stage == "start":  # also while Python itself starts, and zcbench is imported
        setup = f"from faulty import kill; kill({moment.seconds})\n"
    process = start([*job(path), *options], setup=setup, tag=tag, env={"TMPDIR": str(temporary)})
    code, said = finished(process)
    assert left_behind(tag) == []
    reported = sum(map(int, journal.read_text().split())) if journal.exists() else 0
    journal.unlink(missing_ok=True)
    rows = sound(path)
    if moment.stage != "start":  # that one notes nothing
        assert before + reported <= rows <= before + reported + CHUNK_ROWS
    assert rows >= before
    assert rows % CHUNK_ROWS == 0
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}-wal", f"{path.name}-shm"}
    return code, said


def killed_again_and_again(folder: Path, drawn: Sequence[Moment], executors: Sequence[Sequence[object]],
                           undisturbed: Bits) -> tuple[int, int]:  # fmt: skip
    """Strike one job after the other, a new one when one is done; gives the number of kills and of finished jobs."""
    kills = rounds = 0
    path = folder / "0" / "s.sqlite"
    path.parent.mkdir()
    for n, moment in enumerate(drawn):
        options = executors[n % len(executors)] if moment.stage != "worker" else executors[-1]
        code, said = struck(path, moment, options)
        there = bits(path) if path.exists() else {}
        assert there.items() <= undisturbed.items()
        if code == -signal.SIGKILL:
            kills += 1
        elif moment.stage == "worker":
            kills += 1
            assert code in (0, 2), said
            assert "Traceback" not in said
        else:
            assert code in (0, 130), said
        if len(there) == len(undisturbed):
            rounds += 1
            path = folder / str(rounds) / "s.sqlite"
            path.parent.mkdir()
    code, said = finished(start([*job(path), *executors[0]]))
    assert code == 0, said
    assert bits(path) == undisturbed
    assert sound(path) == len(undisturbed)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return kills, rounds


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_fifty_kills_of_local_runs(tmp_path: Path, undisturbed: Bits) -> None:
    executors = (("--workers", "1"), ("--workers", "2"))
    kills, rounds = killed_again_and_again(tmp_path, moments(STAGES, SEED), executors, undisturbed)
    assert kills >= 45  # a run may be done before the moment comes
    assert rounds >= 2
    assert list((tmp_path / "tmp").glob("zcbench*")) == []
