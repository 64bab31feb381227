"""``zcbench score``: compute the missing scores of a store."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness.commands import _options, _scoring
from zcbench.harness.store import Store

INTERRUPTED = 130


@click.command("score", short_help="Score architectures with metrics, into a store.")
@_options.candidates(required=True)
@_options.scoring(dataset=None)
@_options.store(default="scores.sqlite")
def command(
    *, benchmark: str, architectures: Path | None, sample: int | None, sample_seed: int, everything: bool,
    unique: bool, limit: int | None, dataset: str, images: Path | None, metrics: str, seeds: int,
    batch_size: int, init: str, device: str, threads: int, workers: int | None, retry_failed: bool, store_path: Path,
) -> None:
    """Score architectures and write one row for each architecture, metric and seed to a store.

    Rows that the store already holds are not computed again, so a run that was killed or interrupted
    goes on where it was.

    \b
    Example:
        zcbench score --benchmark nasbench201 --dataset digits --sample 20 --metrics snip,synflow --store s.sqlite
    """
    job = _scoring.make_job(
        benchmark=benchmark,
        choice=_scoring.Choice(architectures, sample, sample_seed, everything, unique, limit),
        dataset=dataset, folder=images, metrics=metrics, seeds=seeds, batch_size=batch_size, init=init,
    )  # fmt: skip
    device = _scoring.find_device(device)
    with Store(store_path) as store:
        summary = _scoring.run_with_progress(
            job, store, device=device, threads=threads, workers=workers, retry_failed=retry_failed
        )
    if summary.interrupted:
        click.get_current_context().exit(INTERRUPTED)
