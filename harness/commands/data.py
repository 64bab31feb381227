"""``zcbench data``: which ground truth there is, and official files into one table."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.datasets.manifest import official_files
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.registry import benchmarks
from zcbench.harness.commands import _options
from zcbench.harness.space import Available


@click.group("data", short_help="Show the ground truth that is there; convert official files.",
             invoke_without_command=True)  # fmt: skip
@click.pass_context
def command(context: click.Context) -> None:
    """Show every source of ground truth, present or not; or convert official files to one table.

    The table of the folder that ZCBENCH_DATA names is used where that variable is set, else the one that
    comes with the installation.

    \b
    Example:
        zcbench data
        zcbench data convert nasbench201 NAS-Bench-201-v1_1-096897.pth --out nasbench201.parquet
    """
    if context.invoked_subcommand is None:
        _show()


def _show() -> None:
    for name, found in benchmarks().items():
        click.echo(f"{name}: trained on {', '.join(found.datasets)}")
        for source in found.availability():
            if isinstance(source, Available):
                click.echo(f"  + {source.source}: {source.path}")
            else:
                click.echo(f"  - {source.source}: {source.reason}")
        if files := [file for file in official_files(name) if file.convert]:
            click.echo("  official files, once they are here (put the table into the folder of ZCBENCH_DATA):")
        for file in files:
            click.echo(f"    {file.name} ({file.licence}), see {file.origin}")
            click.echo(f"      {file.convert}")


@command.command("list", short_help="Show every source of ground truth.")
def show() -> None:
    """Show every source of ground truth, present or not, and what to do about it.

    \b
    Example:
        zcbench data list
    """
    _show()


@command.command("convert", short_help="Convert official files to one tidy Parquet table.")
@click.argument("benchmark")
@click.argument("path", type=_options.PATH, metavar="OFFICIAL_FILE_OR_FOLDER")
@click.option("--out", type=_options.PATH, required=True, metavar="FILE", help="The table to write.")
@click.option("--curves", is_flag=True, help="Also keep the accuracy of every epoch before the last.")
def convert(benchmark: str, path: Path, out: Path, curves: bool) -> None:
    """Convert official files of a BENCHMARK to one tidy table, with a progress bar.

    For nasbench201: NAS-Bench-201-v1_1-*.pth, its archive folder, a NATS-tss-*-simple folder, or a tidy
    table. No code in a file is run. The table is written to a temporary file first; put it into the folder
    that ZCBENCH_DATA names, or give it to --truth.

    \b
    Example:
        zcbench data convert nasbench201 NATS-tss-v1_0-3ffb9-simple --out nasbench201.parquet
    """
    found = find_benchmark(benchmark)
    summary = found.convert(path, out, curves=curves, progress=None)
    click.echo(f"{summary.describe()}; written to {out}")
