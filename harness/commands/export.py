"""``zcbench export``: all rows of a store as Parquet or CSV."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness.commands import _options
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.export import write
from zcbench.harness.store import Store


@click.command("export")
@_options.store(default="scores.sqlite")
@click.option("--out", type=_options.PATH, required=True, metavar="FILE", help="scores.parquet or scores.csv.")
def command(store_path: Path, out: Path) -> None:
    """Write every row of a store, one line each, as Parquet or CSV.

    \b
    Example:
        zcbench export --store s.sqlite --out scores.parquet
    """
    if out.suffix not in (".parquet", ".csv"):
        raise ZcbenchError(f"cannot tell the format of {out}: end it with .parquet or .csv")
    with Store(store_path, create=False) as store:
        rows = write(store, out)
    click.echo(f"{rows} rows in {out}")
