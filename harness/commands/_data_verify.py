"""``zcbench data verify``: is what is here what it should be?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from zcbench.datasets.registry import benchmark
from zcbench.harness.commands import _options
from zcbench.harness.commands._data_folder import Entry, entries, folder
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.space import Benchmark


@click.command("verify", short_help="Check files and tables that are here.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--folder", "given", type=_options.PATH, metavar="FOLDER", help="Where to look; default $ZCBENCH_DATA.")
def verify(names: tuple[str, ...], given: Path | None) -> None:
    """Read every official file and table that is here, one line each.

    Official files are held against their length and checksum where one is known. Tables are read whole, and
    every architecture is parsed in its search space. Exit code 0: all is well; 2: something is not; 3: there
    is nothing to check.

    \b
    Example:
        zcbench data verify nasbench101 cifar10 --folder data
    """
    # pooch is needed by this verb alone
    from zcbench.datasets.verification import verify_files, verify_table

    place = folder(given, "--folder")
    if not place.is_dir():
        raise MissingFileError(f"there is no folder {place}")
    checked, wrong = 0, 0
    for entry in entries(names):
        findings = list(verify_files(entry.manifest, place)) if entry.manifest else []
        findings += [verify_table(path, found.space) for path, found in _tables(entry, place) if path.exists()]
        for finding in findings:
            checked, wrong = checked + 1, wrong + (not finding.good)
            click.echo(f"{'good ' if finding.good else 'WRONG'}  {finding.path}: {' '.join(finding.text.split())}")
    if not checked:
        of = f" of {', '.join(names)}" if names else ""
        raise MissingFileError(f"there is nothing{of} to check in {place}: zcbench data status says how to get it")
    if wrong:
        raise ZcbenchError(f"{wrong} of {checked} files and tables in {place} are not what they should be (see above)")


def _tables(entry: Entry, place: Path) -> Iterator[tuple[Path, Benchmark]]:
    """Yield the places of the tables that an entry may have, and the benchmarks that read them."""
    from zcbench.datasets.verification import tables

    for found in entry.benchmarks:
        yield from ((place / name, found) for name in tables(found))
    if entry.manifest is not None:
        for name in entry.manifest.readers:
            yield from ((place / file.table, benchmark(name)) for file in entry.manifest.files if file.table)
