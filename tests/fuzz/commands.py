"""Changes the options of every verb, and runs it up to where it would take long."""

import contextlib
import importlib
import io
import os
import random
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import click
from fuzz.calls import AS_FAR_AS, COMMANDS, METRIC, TRUTH, VALUES
from fuzz.formats import of_test
from fuzz.mutations import of_text

from zcbench.datasets.nasbench201 import analog
from zcbench.datasets.registry import benchmark
from zcbench.harness import cli, runner
from zcbench.harness.gate import calibration
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.registry import select
from zcbench.harness.store import Store


class Done(BaseException):
    """All options were right; what would begin here is tested elsewhere. Nothing takes it for an error."""


def prepare(name: str, folder: Path) -> Callable[[random.Random], tuple[Callable[[], object], Sequence[str]]]:
    """Make the files that the calls name, and return what makes a changed call.

    Each call finds the files as they were made, whatever the one before it wrote.
    """
    whole, place = folder / "whole", folder / "place"
    whole.mkdir()
    os.chdir(whole)
    _files(whole)
    calls = COMMANDS[name]
    options = _options_of(name)
    for call in calls:
        _renew(place, whole)
        right(call)

    def changed(draw: random.Random) -> tuple[Callable[[], object], Sequence[str]]:
        _renew(place, whole)
        verb = changed_call(draw.choice(calls), options, draw)
        return lambda: called(verb), verb

    return changed


def _renew(place: Path, whole: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole, place)
    os.chdir(place)


def called(verb: Sequence[str]) -> int:
    """Run a call up to where it would take long, and return 0 where it came so far; else ``main`` leaves by itself."""
    with ExitStack() as stack:
        for patch in _nothing_long():
            stack.enter_context(patch)
        with suppress(Done):
            cli.main(list(verb))
    return 0


def right(call: Sequence[str]) -> None:
    """Check an unchanged call: the first complaint of a wrong one would hide all others."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code: Any = called(call)
    except SystemExit as leave:
        code = leave.code
    expected = AS_FAR_AS.get(call[1] if call[0] == "data" else call[0], (0, ""))
    if code != expected[0] or expected[1] not in said.getvalue():
        raise AssertionError(f"{' '.join(call)} is no right call: {code} {said.getvalue()[-300:]}")


def changed_call(call: Sequence[str], options: Sequence[str], draw: random.Random) -> list[str]:
    """Change one to a few of the arguments of a call: values, missing, twice, others, in another order."""
    found = list(call)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        at = draw.randrange(1, len(found)) if len(found) > 1 else 0
        change = draw.randrange(8)
        if change <= 2:
            found[at] = draw.choice(VALUES)
        elif change == 3:
            found[at] = of_text(found[at], draw)
        elif change == 4:
            del found[at : at + draw.choice((1, 2))]
        elif change == 5:
            found[at:at] = found[at : at + 2]
        elif change == 6 and options:
            found += [draw.choice(options), draw.choice(VALUES)]
        else:
            found.insert(at, draw.choice((*options, *VALUES)))
        if not found:
            break
    return found


def _options_of(name: str) -> list[str]:
    command: Any = cli.zcbench
    for part in name.split():
        command = command.get_command(click.Context(command), part)
    commands = command.commands.values() if isinstance(command, click.Group) else [command]
    every = {option for one in commands for param in one.params for option in param.opts}
    return sorted(option for option in every if option.startswith("-"))


def _nothing_long() -> Iterator[Any]:
    """Leave out what takes long where all options are right: the scores themselves, checks, figures of a report.

    Networks are scored, checked and drawn in other tests. What comes before, from options to jobs, is all there.
    """

    really = runner.scored

    def scored(job: Job, candidates: Sequence[Any], *others: Any) -> Any:
        if candidates:
            raise Done
        return really(job, candidates, *others)

    yield mock.patch.object(runner, "scored", scored)
    yield mock.patch.object(runner, "rates", return_value=())
    yield mock.patch.object(calibration, "seconds", return_value=[0.05, 0.06])
    for module, function in (("check", "check"), ("operations", "_score")):
        found = importlib.import_module(f"zcbench.harness.commands.{module}")
        yield mock.patch.object(found, function, side_effect=Done)
    yield mock.patch("urllib.request.urlopen", side_effect=urllib.error.URLError("no network in this test"))
    kept = _truth()
    yield mock.patch.object(analog, "read", return_value=kept)


def _truth(known: list[Any] = []) -> Any:  # noqa: B006 - read once in a process
    if not known:
        known.append(analog.read(analog.data_file()))
    return known[0]


def _files(place: Path) -> None:
    (place / "a_folder").mkdir()
    (place / "data").mkdir()
    (place / "origin").mkdir()
    (place / "origin" / "nasbench_only108.tfrecord").write_bytes(b"not the official one")
    (place / "empty").write_bytes(b"")
    (place / "a_file.txt").write_text("a text\n")
    (place / "a_metric.py").write_text(METRIC)
    cells = benchmark("nasbench201").space.sample(14, seed=0)
    (place / "cells.txt").write_text("\n".join(cell.id for cell in cells) + "\n")
    from zcbench.datasets import images

    for name, datasets in (("s.sqlite", ("digits",)), ("two.sqlite", ("digits", "gaussian"))):
        with Store(place / name) as store:
            for dataset in datasets:
                job = Job(
                    benchmark="nasbench201", space=benchmark("nasbench201").space, architectures=cells,
                    metrics=select("params,layers"), batch=images.load(dataset, batch_size=8, resolution=8),
                    init=initialisation("pytorch"), seeds=1,
                )  # fmt: skip
                runner.run(job, store)
    import pyarrow as pa
    import pyarrow.parquet as pq
    import urllib3  # noqa: F401 - which pooch uses, and which tries a socket of the machine when it is imported
    from shared_results import result

    from zcbench.harness.results.document import to_text

    pq.write_table(pa.table(of_test("datasets/test_hostile_tables.py").columns()), place / "table.parquet")
    shutil.copyfile(place / "table.parquet", place / "data" / "nasbench201.parquet")
    (place / "shared").mkdir()
    (place / "shared" / "r.json").write_text(to_text(result()))
    right(("gate", "--record", "--baseline", "reference.json", "--store", "s.sqlite", *TRUTH[:-2]))
