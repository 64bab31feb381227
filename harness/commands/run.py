"""``zcbench run``: score, analyse and report in one go."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness.analysis.output import write
from zcbench.harness.commands import _options, _reporting, _scoring, _studying
from zcbench.harness.commands._family import Wanted
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.store import Store

INTERRUPTED = 130


@click.command("run", short_help="Score, analyse and report: the whole job in one line.")
@_options.candidates(required=False)
@_options.scoring(dataset="digits")
@_options.truth()
@_options.statistics()
@click.option("--title", default="Training-free metrics on NAS-Bench-201", show_default=True, help="Its title.")
@click.option("--out", type=_options.PATH, default="zcbench-run", show_default=True, metavar="FOLDER",
              help="Folder for the store, the analysis and the report.")  # fmt: skip
def command(
    *, benchmark: str, architectures: Path | None, sample: int | None, sample_seed: int, everything: bool,
    unique: bool, limit: int | None, dataset: str, images: Path | None, metrics: str, seeds: int,
    batch_size: int, init: str, device: str, threads: int, workers: int | None, retry_failed: bool,
    targets: tuple[str, ...], source: str | None, split: str | None, epochs: int | None,
    truth_file: Path | None, undefined: str, population: str, resamples: int, title: str, out: Path,
) -> None:
    """Score, analyse and report, on data that comes with the installation unless told otherwise.

    \b
    Example:
        zcbench run --out zcbench-run
    """
    sample = None if architectures is not None or everything else sample
    job = _scoring.make_job(
        benchmark=benchmark,
        choice=_scoring.Choice(architectures, sample, sample_seed, everything, unique, limit),
        dataset=dataset, folder=images, metrics=metrics, seeds=seeds, batch_size=batch_size, init=init,
    )  # fmt: skip
    device = _scoring.find_device(device)
    options = _studying.TruthOptions(targets, source, split, epochs, truth_file)
    found, table = _studying.load(benchmark, options)
    # What is wrong with these is better said before the long part.
    chosen = _studying.choose_targets(found, table, options, dataset)
    _studying.check_overlap(chosen, [a.id for a in job.architectures])
    _studying.check_population(found, population)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ZcbenchError(f"cannot make the folder {out}: {error.strerror or error}") from error
    with Store(out / "scores.sqlite") as store:
        summary = _scoring.run_with_progress(
            job, store, device=device, threads=threads, workers=workers, retry_failed=retry_failed
        )
    if summary.interrupted:
        click.get_current_context().exit(INTERRUPTED)
    # The folder may hold more, from another run: the report is about what was asked for now.
    wanted = Wanted(
        dataset, batch_size, init, frozenset(a.id for a in job.architectures),
        frozenset(m.key for m in job.metrics), seeds,
    )  # fmt: skip
    how = _studying.Statistics(undefined, population, resamples)
    page, analyses = _reporting.make_report(
        out / "scores.sqlite", benchmark, wanted, options, how, out / "report", title=title
    )
    write(analyses, out / "analysis")
    click.echo(f"the report: {page}")
    click.echo(f"the numbers: {out / 'analysis' / 'correlations.csv'}")
