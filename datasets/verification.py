"""Check what is there: official files against their checksums, tables from the first row to the last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from zcbench.datasets.checksum import mismatch
from zcbench.datasets.images import cifar, datasets, imagenet16
from zcbench.datasets.inventory import Found, in_words, look, size
from zcbench.datasets.manifest import Manifest
from zcbench.datasets.nasbench201 import hardware
from zcbench.datasets.nasbench201.benchmark import NasBench201
from zcbench.datasets.tables import TableBenchmark
from zcbench.datasets.truth import TruthTable
from zcbench.datasets.unpack import check
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.space import Benchmark, SearchSpace


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check came to.

    Attributes:
        path: what was checked.
        good: whether nothing is wrong with it, as far as can be known.
        text: what was checked, or what is wrong.
    """

    path: Path
    good: bool
    text: str


def verify_files(manifest: Manifest, folder: Path) -> Iterator[Finding]:
    """Check every official file of a manifest that is in a data folder: length, checksum, members.

    An archive without a known checksum is read through, which checks the sums that it carries itself. A table
    without one is left to `verify_table`. Files of a folder that are not the official ones, such as a part of a
    dataset under its name, are said to be so; they are damaged only if their reader cannot read them.
    """
    for found in look(manifest, folder):
        if found.original is not None and _is_table(found, manifest, folder):
            continue
        if found.original is not None and found.file.kind != "folder":
            yield _original(found, found.original)
        members = found.unpacked or (found.original if found.file.kind == "folder" else None)
        if members is not None:
            yield _members(found, members, manifest.images)


def tables(benchmark: Benchmark) -> Sequence[str]:
    """Return the names of a benchmark's tables in a data folder."""
    if isinstance(benchmark, TableBenchmark | NasBench201):
        return benchmark.tables
    return (f"{benchmark.name}.parquet",)


def verify_table(path: Path, space: SearchSpace, *, progress: bool | None = None) -> Finding:
    """Read a table whole, with its curves, and parse every architecture in its search space.

    Args:
        path: the table.
        space: the search space that its architectures belong to.
        progress: show a progress bar on stderr; None: only on a terminal.
    """
    try:
        if space.name == "nasbench201" and hardware.is_columns(path):
            return _costs(path, space)
        table = TruthTable.from_parquet(path, curves=True)
        names = [str(name) for name in table.frame["architecture"].unique()]
        wrong = _strangers(names, space, f"parsing {path.name}", progress)
    except ZcbenchError as error:
        return Finding(path, False, str(error))
    if wrong:
        first, reason = wrong[0]
        some = f"{len(wrong):,} of {len(names):,} architectures are none of {space.name}"
        return Finding(path, False, f"{some}, the first is {first!r}: {reason}")
    rows, sources = len(table.frame), ", ".join(table.sources)
    return Finding(path, True, f"{rows:,} rows, all {len(names):,} architectures parse; sources {sources}")


def _costs(path: Path, space: SearchSpace) -> Finding:
    """Check a table of HW-NAS-Bench that numbers the cells; its values do not depend on which cells these are."""
    table, ignored = hardware.read_columns(path, [str(architecture) for architecture in space])
    (dataset,) = table.datasets
    costs = ", ".join(table.metrics(dataset))
    text = f"{len(table):,} costs of {len(space):,} numbered architectures on {dataset}: {costs}"
    return Finding(path, True, text + (f"; not read: {', '.join(ignored)}" if ignored else ""))


def _is_table(found: Found, manifest: Manifest, folder: Path) -> bool:
    """Say whether an official file is itself a table in the data folder, which is read as such."""
    file = found.file
    return bool(manifest.benchmarks) and file.name.endswith(".parquet") and not file.checksum and (
        found.original == folder / file.name
    )  # fmt: skip


def _strangers(
    names: Sequence[str], space: SearchSpace, title: str, progress: bool | None
) -> list[tuple[str, ZcbenchError | str]]:
    wrong: list[tuple[str, ZcbenchError | str]] = []
    for name in tqdm(names, title, disable=None if progress is None else not progress, leave=False):
        try:
            printed = str(space.parse(name))
        except ZcbenchError as error:
            wrong.append((name, error))
        else:
            if printed != name:
                wrong.append((name, f"it prints as {printed}"))
    return wrong


def _original(found: Found, path: Path) -> Finding:
    file, length = found.file, size(path)
    if not length:
        return Finding(path, False, "it is empty")
    if file.bytes not in (None, length):
        return Finding(path, False, f"it has {length:,} bytes instead of {file.bytes:,}")
    if wrong := mismatch(path, file.checksum):
        return Finding(path, False, wrong)
    if file.checksum:
        return Finding(path, True, f"{file.checksum.partition(':')[0]} as published")
    if file.kind == "archive":
        try:
            number = check(path)
        except ZcbenchError as error:
            return Finding(path, False, str(error))
        return Finding(path, True, f"{number:,} files can be read; no checksum of it is known")
    return Finding(path, True, f"{in_words(length)}; no checksum of it is known, so only its presence was checked")


def _members(found: Found, folder: Path, images: str) -> Finding:
    members = found.file.members
    if not members:
        number = sum(1 for path in folder.rglob("*") if path.is_file())
        text = f"{number:,} files, {in_words(size(folder))}; no checksums of them are known, so none was checked"
        return Finding(folder, number > 0, text if number else "it is empty")
    there = [name for name in members if (folder / name).is_file()]
    differing = [name for name in there if mismatch(folder / name, members[name])]
    if len(there) == len(members) and not differing:
        return Finding(folder, True, f"all {len(members)} files as published")
    part = f"{len(there)} of {len(members)} files"
    if not there or (found.file.kind != "folder" and len(there) < len(members)):
        absent = next(name for name in members if name not in there)
        return Finding(folder, False, f"{len(members) - len(there)} of {len(members)} files are missing, e.g. {absent}")
    if not differing:  # a reader makes do with a part of these
        return Finding(folder, True, f"{part} are here, as published")
    unofficial = f"not the official {'files' if len(differing) > 1 else 'file'}: {', '.join(differing)}"
    if not images:
        return Finding(folder, False, unofficial)
    try:
        _read_images(images, folder)
    except ZcbenchError as error:
        return Finding(folder, False, f"{unofficial}; {error}")
    return Finding(folder, True, f"{part}; {unofficial}, but its reader can read it")


def _read_images(name: str, folder: Path) -> None:
    """Read what the reader of an image dataset takes of a folder.

    Raises:
        ZcbenchError: if it is damaged or not there.
    """
    if name == "imagenet16_120":
        imagenet16.read(folder)
    else:
        cifar.read(datasets()[name].classes, folder)
