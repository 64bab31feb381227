"""``zcbench data verify``: is what is here what it should be?"""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness.commands import _options
from zcbench.harness.commands._data_folder import entries, folder
from zcbench.harness.errors import MissingFileError, ZcbenchError


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
    from zcbench.datasets.verification import tables, verify_files, verify_table

    place = folder(given, "--folder")
    if not place.is_dir():
        raise MissingFileError(f"there is no folder {place}")
    checked, wrong = 0, 0
    for entry in entries(names):
        findings = list(verify_files(entry.manifest, place)) if entry.manifest else []
        for benchmark in entry.benchmarks:
            paths = (place / name for name in tables(benchmark))
            findings += [verify_table(path, benchmark.space) for path in paths if path.exists()]
        for finding in findings:
            checked, wrong = checked + 1, wrong + (not finding.good)
            click.echo(f"{'good ' if finding.good else 'WRONG'}  {finding.path}: {' '.join(finding.text.split())}")
    if not checked:
        of = f" of {', '.join(names)}" if names else ""
        raise MissingFileError(f"there is nothing{of} to check in {place}: zcbench data status says how to get it")
    if wrong:
        raise ZcbenchError(f"{wrong} of {checked} files and tables in {place} are not what they should be (see above)")
