"""``zcbench data``: what is here, how to get the rest, official files into one table, and whether all is well."""

from __future__ import annotations

import json
from pathlib import Path

import click

from zcbench.datasets.manifest import manifests
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.harness.commands import _options
from zcbench.harness.commands._data_fetch import fetch
from zcbench.harness.commands._data_folder import as_data_folder, entries, folder_or_none
from zcbench.harness.commands._data_status import as_data, as_text
from zcbench.harness.commands._data_verify import verify


@click.group("data",
             invoke_without_command=True)  # fmt: skip
@click.pass_context
def command(context: click.Context) -> None:
    """Show what is here and what is missing; fetch, convert and verify it.

    Tables, official files and images are looked for in the folder that ZCBENCH_DATA names. Without a command
    it shows the status of everything.

    \b
    Example:
        zcbench data
        zcbench data status nasbench101
        zcbench data fetch nasbench101 --to data
        zcbench data convert nasbench101 data/nasbench_only108.tfrecord --out data/nasbench101.parquet
        zcbench data verify nasbench101 --folder data
    """
    if context.invoked_subcommand is None:
        show((), None, as_json=False, checksums=False)


def show(names: tuple[str, ...], folder: Path | None, *, as_json: bool, checksums: bool) -> None:
    """Print the status of what was named, or of everything."""
    chosen, found = entries(names), folder_or_none(folder)
    with as_data_folder(found):
        data = [as_data(entry, found, checksums=checksums) for entry in chosen]
    if as_json:
        click.echo(json.dumps({"folder": str(found) if found else None, "entries": data}, indent=2))
        return
    for place, (entry, content) in enumerate(zip(chosen, data, strict=True)):
        for line in ([""] if place else []) + list(as_text(entry, content)):
            click.echo(line)
    if found is None:
        click.echo("\nZCBENCH_DATA is not set, so only what comes with the installation is here.")


@command.command("status", short_help="What is here, what is missing, and how to get it.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--folder", type=_options.PATH, metavar="FOLDER", help="Where to look; default $ZCBENCH_DATA.")
@click.option("--checksums", is_flag=True, help="Also compute the checksums of what is here (reads every byte).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def status(names: tuple[str, ...], folder: Path | None, checksums: bool, as_json: bool) -> None:
    """Show of every source of ground truth and every official file whether it is here (+) or not (-).

    NAME is a benchmark (zcbench list benchmarks) or an image dataset (cifar10, cifar100, imagenet16_120); without
    one, everything is shown. Of each file: bytes, checksum, where it comes from, licence, and the commands that
    get and convert it.

    \b
    Example:
        zcbench data status nasbench101 cifar10
        zcbench data status --json
    """
    show(names, folder, as_json=as_json, checksums=checksums)


class _WithFormats(click.Command):
    """A command whose help lists what can be converted."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the files that each benchmark reads."""
        formatter.write("\nOfficial files, and a tidy table of any benchmark:\n")
        for found in manifests().values():
            for name in found.converters():
                for file in found.files:
                    formatter.write(f"  {name:24}{file.ready}\n" if file.convert else "")


@command.command("convert", short_help="Convert official files to one tidy Parquet table.", cls=_WithFormats)
@click.argument("benchmark")
@click.argument("path", type=_options.PATH, metavar="OFFICIAL_FILE_OR_FOLDER")
@click.option("--out", type=_options.PATH, required=True, metavar="FILE", help="The table to write.")
@click.option("--curves", is_flag=True, help="Also keep the accuracy of every epoch before the last.")
def convert(benchmark: str, path: Path, out: Path, curves: bool) -> None:
    """Convert official files of a BENCHMARK to one tidy table, with a progress bar.

    A table that is tidy already is checked and rewritten. No code in a file is run. The table is written to a
    temporary file first; put it into the folder that ZCBENCH_DATA names, or give it to --truth.

    \b
    Example:
        zcbench data convert nasbench201 NATS-tss-v1_0-3ffb9-simple --out nasbench201.parquet
    """
    found = find_benchmark(benchmark)
    summary = found.convert(path, out, curves=curves, progress=None)
    click.echo(f"{summary.describe()}; written to {out}")


command.add_command(fetch)
command.add_command(verify)
command.add_command(  # its name before there was more to show than sources
    click.Command("list", callback=status.callback, params=status.params, help=status.help, hidden=True)
)
