"""``zcbench data fetch``: get official files, verified."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.datasets.manifest import Manifest, OfficialFile, manifest
from zcbench.harness.commands import _options
from zcbench.harness.commands._data_folder import conversion, folder


@click.command("fetch", short_help="Get official files, verified.")
@click.argument("name")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--to", type=_options.PATH, metavar="FOLDER",
              help="Where to put it; default $ZCBENCH_DATA. Images go to images/ in it.")
@click.option("--from", "origin", default="", metavar="URL-OR-FOLDER",
              help="A mirror, or a folder that has the file, instead of the official place.")
@click.option("--timeout", type=click.FloatRange(0, 3600, min_open=True), default=30.0, show_default=True,
              metavar="SECONDS", help="A connection on which nothing arrives for so long counts as dead.")
@click.option("--retries", type=click.IntRange(0, 1000), default=5, show_default=True, metavar="N",
              help="How many attempts in a row may bring nothing new.")  # fmt: skip
def fetch(name: str, files: tuple[str, ...], to: Path | None, origin: str, timeout: float, retries: int) -> None:
    """Get official FILEs of a benchmark or image dataset; without a FILE, the one that is recommended.

    What is there already and right is not fetched again. An interrupted download goes on where it stopped when
    the command is given again. Checksums are verified where the authors published one, archives are unpacked
    (and kept). Some places want a click in a browser: then the page is named, and nothing is fetched.

    \b
    Example:
        zcbench data fetch nasbench101 --to data
        zcbench data fetch cifar10 cifar-10-python.tar.gz --to data --from https://mirror.example.org/files
    """
    # pooch is needed by this verb alone
    from zcbench.datasets.fetch import Options, wanted
    from zcbench.datasets.fetch import fetch as get

    found = manifest(name)
    chosen = wanted(found, files)
    target = folder(to, "--to")
    for file in chosen:
        done = get(found, file.name, target, Options(origin=origin, timeout=timeout, retries=retries))
        how = "fetched" if done.new else "is there already"
        click.echo(f"{file.name}: {how}, {_verified(done.verified)}; {done.path}")
        for line in _next(found, file, name, done.path, target):
            click.echo(f"  next: {line}")


def _verified(checksum: str) -> str:
    if not checksum:
        return "no checksum of it is known"
    return f"{checksum.partition(':')[0]} as published"


def _next(found: Manifest, file: OfficialFile, name: str, path: Path, to: Path) -> list[str]:
    return [conversion(benchmark, file, path, to) for benchmark in found.converters(name)] if file.convert else []
