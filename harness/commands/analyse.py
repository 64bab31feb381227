"""``zcbench analyse``: rank correlations of stored scores with trained accuracies."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness.analysis.output import write
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.commands import _options, _reporting, _studying, _targets
from zcbench.harness.commands._family import Wanted, benchmarks_in
from zcbench.harness.commands._studies import Studies, write_studies
from zcbench.harness.commands._transferring import transfers
from zcbench.harness.store import Store
from zcbench.reports.text import listed


@click.command("analyse")
@_options.store(default="scores.sqlite")
@_options.stored()
@_options.include_path()
@_options.family()
@_options.truth()
@_options.statistics()
@click.option("--out", type=_options.PATH, default="analysis", show_default=True, metavar="FOLDER",
              help="Folder for correlations.csv, analysis.json and the tables of further studies.")  # fmt: skip
def command(
    *, store_path: Path, benchmarks: tuple[str, ...], dataset: str | None, labels: str | None, batch_size: int | None,
    init: str | None, network: str | None, resolution: int | None, targets: tuple[str, ...], sources: tuple[str, ...],
    splits: tuple[str, ...], epochs: tuple[str, ...], costs: bool, truth_file: Path | None, undefined: str,
    population: str, resamples: int, out: Path,
) -> None:
    """Compute every statistic of every metric with its interval, as correlations.csv and analysis.json.

    Beside them stand, where the store has the scores for it, combined.csv (several metrics together), theorem_*.csv
    and bounds.csv (the theory of HNAS and NASI), and transfer.csv (scores on several datasets).

    \b
    Example:
        zcbench analyse --store s.sqlite --benchmark nasbench201 --target cifar10 --out analysis
    """
    how = _studying.Statistics(undefined, population, resamples)
    analyses: list[Analysis] = []
    studies: list[Studies] = []
    with Store(store_path, create=False) as store:
        names = benchmarks_in(store, benchmarks)
        options = _targets.TruthOptions.of(names, targets, sources, splits, epochs, truth_file, costs=costs)
        wanted = Wanted(dataset, batch_size, init, network, resolution, labels, prefer=options.datasets)
        for one in _reporting.pairs(store, dict.fromkeys(names, wanted), options, named=bool(benchmarks))[0]:
            mine = one.analyses(how)
            analyses += mine
            studies += one.further(mine)
        carried = transfers(store, dict.fromkeys(names, wanted), options, how)
    csv, full = write(analyses, out)
    more = write_studies(studies, carried, out)
    for analysis in analyses:
        _show(analysis)
    click.echo(f"written: {listed([str(path) for path in (csv, full, *more)])}")


def _show(analysis: Analysis) -> None:
    """Print the ranking by Spearman."""
    click.echo(f"benchmark: {analysis.table.benchmark}")
    click.echo(f"truth: {analysis.table.truth_description}")
    click.echo(f"scores: {analysis.table.recipe}")
    found = [(m, analysis.estimate(m, "spearman")) for m in analysis.table.metrics]
    width = max(len(m) for m, _ in found)
    click.echo(f"{'metric':{width}}  Spearman  95 % interval       n  undefined")
    for name, e in sorted(found, key=lambda item: (item[1].value != item[1].value, -item[1].value, item[0])):
        value = f"{e.value:8.3f}  {e.low:6.3f} to {e.high:6.3f}" if e.value == e.value else f"{'undefined':>8}{'':17}"
        click.echo(f"{name:{width}}  {value}  {e.n:6d}  {e.n_undefined:9d}")
    click.echo()
