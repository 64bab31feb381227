"""Which names and which folder the ``zcbench data`` commands work on."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zcbench.datasets.manifest import Manifest, OfficialFile, manifests
from zcbench.datasets.registry import benchmarks
from zcbench.datasets.tables import data_folder
from zcbench.harness.errors import MissingFileError, unknown
from zcbench.harness.space import Benchmark


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a user can name: a publication with its files, and the benchmarks that read them.

    Attributes:
        name: its name on the command line.
        manifest: its official files; None for a benchmark that has no manifest, such as a plug-in.
        benchmarks: the benchmarks whose ground truth it is.
    """

    name: str
    manifest: Manifest | None
    benchmarks: tuple[Benchmark, ...]


def entries(names: Sequence[str]) -> list[Entry]:
    """Return what was named, each once; everything where nothing was named.

    A manifest that several benchmarks share is one entry; a name of one of them leaves out the others.

    Raises:
        ZcbenchError: for an unknown name, with the nearest ones.
    """
    offered, known = benchmarks(), manifests()
    everything = [_entry(found, found.names, offered) for found in known.values()]
    covered = {benchmark.name for entry in everything for benchmark in entry.benchmarks}
    everything += [Entry(name, None, (found,)) for name, found in offered.items() if name not in covered]
    everything.sort(key=lambda entry: not entry.benchmarks)  # the benchmarks first, then images and the rest
    if not names:
        return everything
    return [_named(name, everything) for name in dict.fromkeys(names)]


def _entry(found: Manifest, names: Sequence[str], offered: dict[str, Benchmark]) -> Entry:
    return Entry(found.name, found, tuple(offered[name] for name in names if name in offered))


def _named(name: str, everything: Sequence[Entry]) -> Entry:
    known = {}
    for entry in everything:
        known[entry.name] = entry
        for benchmark in entry.benchmarks:
            if benchmark.name != entry.name:
                known[benchmark.name] = Entry(benchmark.name, entry.manifest, (benchmark,))
    if name not in known:
        raise unknown("benchmark or image dataset", name, known)
    return known[name]


def folder_or_none(given: Path | None) -> Path | None:
    """Return the folder that was given, else the one that ``ZCBENCH_DATA`` names, else None.

    Raises:
        MissingFileError: if it is given, but not there.
    """
    if given is not None and not given.is_dir():
        raise MissingFileError(f"there is no folder {given}")
    return given or data_folder()


def folder(given: Path | None, option: str) -> Path:
    """Return the data folder.

    Args:
        given: what the option says.
        option: the option that names it.

    Raises:
        MissingFileError: if neither the option nor ``ZCBENCH_DATA`` names one.
    """
    found = given or data_folder()
    if found is None:
        raise MissingFileError(f"which folder? Name it ({option} FOLDER), or set ZCBENCH_DATA to it")
    return found


def conversion(benchmark: str, file: OfficialFile, path: Path, to: Path | None) -> str:
    """Return the command that makes a table of an official file, and never one that replaces a table.

    Args:
        benchmark: the benchmark that reads it.
        file: the official file.
        path: where it is.
        to: the data folder, where the table belongs.
    """
    out = file.table or f"{benchmark}.parquet"
    if to is not None:
        other = file.source if file.source.startswith(benchmark) else f"{benchmark}-{file.source}"
        out = str(to / (f"{other}.parquet" if (to / out).exists() else out))
    return f"zcbench data convert {benchmark} {shlex.quote(str(path))} --out {shlex.quote(out)}"


@contextlib.contextmanager
def as_data_folder(found: Path | None) -> Iterator[None]:
    """Let the benchmarks look for their tables in this folder."""
    before = os.environ.get("ZCBENCH_DATA")
    if found is not None:
        os.environ["ZCBENCH_DATA"] = str(found)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("ZCBENCH_DATA", None)
        else:
            os.environ["ZCBENCH_DATA"] = before
