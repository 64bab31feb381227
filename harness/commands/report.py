"""``zcbench report``: a store as one self-contained HTML page, with Markdown, LaTeX and CSV of every table."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness.commands import _options, _reporting, _studying
from zcbench.harness.commands._family import Wanted


@click.command("report", short_help="Render a store as HTML, Markdown, LaTeX and CSV.")
@_options.store(default="scores.sqlite")
@click.option("--benchmark", default="nasbench201", show_default=True, help="Name of the benchmark.")
@_options.family()
@_options.truth()
@_options.statistics()
@click.option("--title", default="Training-free metrics on NAS-Bench-201", show_default=True, help="Its title.")
@click.option("--out", type=_options.PATH, default="report", show_default=True, metavar="FOLDER",
              help="Folder for index.html, report.md and tables/.")  # fmt: skip
def command(
    *, store_path: Path, benchmark: str, dataset: str | None, batch_size: int | None, init: str | None,
    targets: tuple[str, ...], source: str | None, split: str | None, epochs: int | None,
    truth_file: Path | None, undefined: str, population: str, resamples: int, title: str, out: Path,
) -> None:
    """Analyse a store and write a self-contained page that opens from disk.

    \b
    Example:
        zcbench report --store s.sqlite --out report
    """
    options = _studying.TruthOptions(targets, source, split, epochs, truth_file)
    how = _studying.Statistics(undefined, population, resamples)
    wanted = Wanted(dataset, batch_size, init, prefer=targets)
    page, _ = _reporting.make_report(store_path, benchmark, wanted, options, how, out, title=title)
    click.echo(f"written: {page}")
