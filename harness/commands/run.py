"""``zcbench run``: score, analyse and report in one go."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness.analysis.output import write
from zcbench.harness.commands import _options, _reporting, _scoring, _studying, _targets
from zcbench.harness.commands._choosing import Choice
from zcbench.harness.commands._family import wanted_of
from zcbench.harness.commands._studies import write_studies
from zcbench.harness.store import Store
from zcbench.reports.text import listed


@click.command("run")
@_options.candidates(required=False)
@_options.scoring(dataset="digits")
@_options.truth()
@_options.statistics()
@click.option("--title", metavar="TEXT", help="Title of the report; default: one that names the benchmarks.")
@click.option("--out", type=_options.PATH, default="zcbench-run", show_default=True, metavar="FOLDER",
              help="Folder for the store, the analysis and the report.")  # fmt: skip
def command(
    *, benchmarks: tuple[str, ...], architectures: Path | None, sample: int | None, sample_seed: int, everything: bool,
    pool: str, unique: bool, limit: int | None, datasets: tuple[str, ...], labels: tuple[str, ...],
    images: Path | None, resolution: int | None, network: tuple[str, ...], tasks: tuple[str, ...], metrics: str,
    seeds: int, first_seed: int, batch_size: int, init: str, computing: _scoring.Computing,
    targets: tuple[str, ...], sources: tuple[str, ...], splits: tuple[str, ...], epochs: tuple[str, ...], costs: bool,
    truth_file: Path | None, undefined: str, population: str, resamples: int, title: str | None, out: Path,
) -> None:
    """Score, analyse and report, on data that comes with the installation unless told otherwise.

    \b
    Example:
        zcbench run --out zcbench-run
    """
    sample = None if architectures is not None or everything else sample
    truth = _targets.TruthOptions.of(benchmarks, targets, sources, splits, epochs, truth_file, costs=costs)
    jobs = _scoring.make_jobs(
        benchmarks, Choice(architectures, sample, sample_seed, everything, pool, unique, limit),
        _scoring.Setting(datasets, labels, images, resolution, network, tasks, metrics, seeds, batch_size, init,
                         first_seed), truth,
    )  # fmt: skip
    # What is wrong with these is better said before the long part.
    _studying.check_truth(jobs, truth, population)
    _scoring.make_folder(out)
    with Store(out / "scores.sqlite") as store:
        _scoring.run_all(jobs, store, computing)
    made = _reporting.make_report(
        out / "scores.sqlite", wanted_of(jobs, truth.datasets), truth,
        _studying.Statistics(undefined, population, resamples), out / "report", title=title,
    )  # fmt: skip
    csv, _ = write(made.analyses, out / "analysis")
    more = write_studies(made.studies, made.transfers, out / "analysis")
    click.echo(f"the report: {made.page}")
    click.echo(f"the numbers: {listed([str(path) for path in (csv, *more)])}")
