"""Every file that zcbench writes is the old one or the new one, never half of it: on a full disk, and after a kill."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disks import Disk
from faulty import TESTS
from verbs import command

from zcbench.datasets.nasbench201 import analog
from zcbench.harness import replace
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.replace import replacing, write_text

ROOT = TESTS.parent
MakeDisk = Callable[[int], Disk]
CELLS = ("--benchmark", "nasbench201", "--dataset", "gaussian", "--batch-size", "4", "--metrics", "params,layers")

WRITERS = {"write_text", "write_bytes", "to_csv", "to_parquet", "pq.write_table", "ParquetWriter", "savefig"}
ELSEWHERE = {
    "datasets/download.py": "the .part of a download, which goes on where it was and is checked at its end",
    "datasets/unpack.py": "a folder of its own, which gets its name when it is whole",
    "harness/commands/gate.py": "lines added to the summary of a GitHub step",
    "harness/executors/parcel.py": "a temporary folder of a worker",
}
"""Files that are written as they come, and why that is right."""


def writing(path: Path) -> Iterator[str]:
    """Calls that write a file, outside a block of ``replacing`` and not into a buffer."""

    def walk(node: ast.AST, safe: bool) -> Iterator[str]:
        if isinstance(node, ast.With):
            safe = safe or any("replacing" in ast.unparse(item.context_expr) for item in node.items)
        if isinstance(node, ast.Call) and not safe and (name := written_by(node)):
            yield f"{path.name}:{node.lineno} {name}"
        for child in ast.iter_child_nodes(node):
            yield from walk(child, safe)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), False)


def written_by(call: ast.Call) -> str | None:
    """The name of a function that this call writes a file with."""
    whole = ast.unparse(call.func)
    name = whole.rpartition(".")[2]
    if name == "open":
        rest = call.args[1:] if whole == "open" else call.args
        modes = [ast.literal_eval(a) for a in [*rest, *(k.value for k in call.keywords)] if isinstance(a, ast.Constant)]
        return name if any(isinstance(mode, str) and mode[:1] in "wax" and len(mode) < 4 for mode in modes) else None
    # Without a place as its first argument, to_csv gives text; the write_text of replace.py is a function by itself.
    given = call.args and ast.unparse(call.args[0]) != "buffer" and ast.unparse(call.args[-1]) != "buffer"
    return name if given and (name in WRITERS or whole in WRITERS) and whole != "write_text" else None


def test_every_file_is_written_through_replacing() -> None:
    found = {}
    for folder in ("harness", "datasets", "reports"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != ROOT / "harness" / "replace.py" and (calls := list(writing(path))):
                found[path.relative_to(ROOT).as_posix()] = calls
    assert set(found) <= set(ELSEWHERE), found


def test_a_writer_that_goes_its_own_way_is_found(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "path.write_text('x')\nopen('a', 'w')\nwith replacing(p) as t:\n    t.write_text('x')\nopen('a', 'rb')\n"
        "frame.to_csv(index=False)\nframe.to_csv(path)\nwrite_text(path, 'x')\npath.open(encoding='utf-8', mode='a')\n"
        "pq.write_table(table, buffer)\nos.open(path, flags)\n"
    )
    assert list(writing(bad)) == ["bad.py:1 write_text", "bad.py:2 open", "bad.py:7 to_csv", "bad.py:9 open"]


# One file


@pytest.mark.parametrize("name", ["page.html", "größer #1.csv", "a b", "-rf"])
def test_a_full_disk_keeps_the_old_file(small_disk: MakeDisk, name: str) -> None:
    disk = small_disk(256)
    path = disk.folder / name
    write_text(path, "old\n" * 1000)
    disk.fill()
    with pytest.raises(ZcbenchError, match="No space left on device; choose another place"):
        write_text(path, "new\n" * 100_000)
    assert path.read_text() == "old\n" * 1000
    assert {file.name for file in disk.folder.iterdir()} == {name, "filler"}
    disk.empty()
    write_text(path, "new\n" * 10_000)
    assert path.read_text() == "new\n" * 10_000


KILLED = """
import os, signal
from pathlib import Path
from zcbench.datasets.nasbench201 import analog
from zcbench.harness import replace
path, moment = Path(sys.argv[1]), sys.argv[2]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == "sync":
    os.fsync = die
elif moment == "rename":
    Path.replace = die
elif moment == "renamed":
    whole = Path.replace
    Path.replace = lambda *a: (whole(*a), die())
with replace.replacing(path) as temporary:
    temporary.write_text("new, first half, ")
    if moment == "half":
        die()
    temporary.write_text("new, both halves")
"""


@pytest.mark.parametrize("moment", ["half", "sync", "rename", "renamed"])
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old")
    head = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
    done = subprocess.run([sys.executable, "-c", head + KILLED, path, moment], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.read_text() == ("new, both halves" if moment == "renamed" else "old")
    left = [file.name for file in tmp_path.iterdir() if file != path]
    assert len(left) == (moment != "renamed")
    write_text(path, "the next one")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "the next one"


def test_the_temporary_file_of_a_writer_that_lives_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    (tmp_path / ".scores.csv.notes").write_text("of somebody else")
    with replacing(path) as first:
        first.write_text("first")
        with replacing(path) as second:
            second.write_text("second")
            assert first.exists()
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert {file.name for file in tmp_path.iterdir()} == {"scores.csv", ".scores.csv.notes"}


def test_without_locks_nothing_is_taken_for_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replace, "fcntl", None)
    (tmp_path / ".a.abcdefgh").write_text("of whom?")
    write_text(tmp_path / "a", "text")
    assert {file.name for file in tmp_path.iterdir()} == {"a", ".a.abcdefgh"}


# Every verb that writes


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scored") / "s.sqlite"
    assert command("score", *CELLS, "--sample", "8", "--store", str(path)) == 0
    return path


VERBS = {
    "export of CSV": ("export", "--store", "STORE", "--out", "OUT/scores.csv"),
    "export of Parquet": ("export", "--store", "STORE", "--out", "OUT/scores.parquet"),
    "merge": ("merge", "OUT/all.sqlite", "STORE"),
    "analyse": ("analyse", "--store", "STORE", "--out", "OUT/analysis"),
    "new": ("new", "metric", "mine", "--out", "OUT"),
    "report": ("report", "--store", "STORE", "--out", "OUT/report"),
    "results": ("results", "--store", "STORE", "--by", "somebody", "--out", "OUT/results"),
    "compare": ("compare", "layers", "--stored", "--store", "STORE", "--stability", "0", "--out", "OUT/compare"),
    "gate": ("gate", "--baseline", "OUT/baseline.json", "--record", *CELLS, "--sample", "12"),
}
SLOW = {"report", "results", "compare", "gate", "new"}


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] if k in SLOW else []) for k in VERBS])
def test_a_verb_on_a_full_disk_is_one_line_and_keeps_the_old_files(
    small_disk: MakeDisk, scored: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zcbench.harness.store_file.BUSY_SECONDS", 0.2)
    disk = small_disk(20_000)
    out = disk.folder / "out"
    out.mkdir()
    arguments = [word.replace("STORE", str(scored)).replace("OUT", str(out)) for word in VERBS[kind]]
    disk.fill()
    assert command(*arguments) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert "No space left on device" in said[-1] or "no room to write" in said[-1]
    assert said[-1].startswith("zcbench: ")
    assert [file for file in out.rglob("*") if file.is_file() and file.stat().st_size] == []
    disk.empty()
    assert command(*arguments) == 0, capsys.readouterr().err
    before = contents(out)
    assert before
    disk.fill()
    command(*arguments)  # some refuse to write over a file, and a merge finds nothing new
    assert contents(out) == before
    disk.empty()


def test_a_conversion_on_a_full_disk_is_one_line_and_keeps_the_old_table(
    small_disk: MakeDisk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk, given = small_disk(4_000), tmp_path / "given.parquet"
    analog.read(None).write(given)
    out = disk.folder / "nasbench201.parquet"
    assert command("data", "convert", "nasbench201", str(given), "--out", str(out)) == 0
    before = contents(disk.folder)
    disk.fill()
    capsys.readouterr()
    assert command("data", "convert", "nasbench201", str(given), "--out", str(out)) == 2
    assert "No space left on device" in capsys.readouterr().err.strip().splitlines()[-1]
    disk.empty()
    assert contents(disk.folder) == before


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, but not what SQLite keeps beside a store."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_standard_output_on_a_full_disk_is_one_line(scored: Path) -> None:
    assert os.path.exists("/dev/full")  # noqa: PTH110
    with Path("/dev/full").open("w") as full:
        program = [sys.executable, "-c", "from zcbench.harness.cli import main; main()"]
        done = subprocess.run([*program, "plan", "--metrics", "snip"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
