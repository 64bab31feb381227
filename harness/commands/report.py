"""``zcbench report``: a store as one self-contained HTML page, with Markdown, LaTeX and CSV of every table."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness.commands import _options, _reporting, _studying, _targets
from zcbench.harness.commands._family import Wanted, benchmarks_in
from zcbench.harness.store import Store


@click.command("report")
@_options.store(default="scores.sqlite")
@_options.stored()
@_options.include_path()
@_options.family()
@_options.truth()
@_options.statistics()
@click.option("--title", metavar="TEXT", help="Its title; default: one that names the benchmarks.")
@click.option("--flops", type=click.IntRange(min=0), metavar="N", help="Count the operations of N architectures for "
              "the section on cost, however long that takes; default: of 3, if that takes less than 10 seconds.")
@click.option("--out", type=_options.PATH, default="report", show_default=True, metavar="FOLDER",
              help="Folder for index.html, report.md and tables/.")  # fmt: skip
def command(
    *, store_path: Path, benchmarks: tuple[str, ...], dataset: str | None, labels: str | None, batch_size: int | None,
    init: str | None, network: str | None, resolution: int | None, targets: tuple[str, ...], sources: tuple[str, ...],
    splits: tuple[str, ...], epochs: tuple[str, ...], costs: bool, truth_file: Path | None, undefined: str,
    population: str, resamples: int, title: str | None, flops: int | None, out: Path,
) -> None:
    """Analyse a store and write a self-contained page that opens from disk.

    \b
    Example:
        zcbench report --store s.sqlite --out report
    """
    with Store(store_path, create=False) as store:
        names = benchmarks_in(store, benchmarks)
    options = _targets.TruthOptions.of(names, targets, sources, splits, epochs, truth_file, costs=costs)
    how = _studying.Statistics(undefined, population, resamples)
    chosen = Wanted(dataset, batch_size, init, network, resolution, labels, prefer=options.datasets)
    wanted = dict.fromkeys(names, chosen)
    made = _reporting.make_report(
        store_path, wanted, options, how, out, title=title, named=bool(benchmarks), flops=flops
    )
    click.echo(f"written: {made.page}")
