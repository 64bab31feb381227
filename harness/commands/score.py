"""``zcbench score``: compute the missing scores of a store."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness.commands import _options, _scoring
from zcbench.harness.commands._choosing import Choice
from zcbench.harness.commands._targets import TruthOptions
from zcbench.harness.store import Store


@click.command("score")
@_options.candidates(required=True)
@_options.scoring(dataset=None)
@_options.truth(costs=False)
@_options.store(default="scores.sqlite")
def command(
    *, benchmarks: tuple[str, ...], architectures: Path | None, sample: int | None, sample_seed: int, everything: bool,
    pool: str, unique: bool, limit: int | None, datasets: tuple[str, ...], labels: tuple[str, ...],
    images: Path | None, resolution: int | None, network: tuple[str, ...], tasks: tuple[str, ...], metrics: str,
    seeds: int, first_seed: int, batch_size: int, init: str, computing: _scoring.Computing,
    targets: tuple[str, ...], sources: tuple[str, ...], splits: tuple[str, ...], epochs: tuple[str, ...],
    truth_file: Path | None, store_path: Path,
) -> None:
    """Score architectures and write one row for each architecture, metric and seed to a store.

    Rows that the store already holds are not computed again, so a run that was killed or interrupted
    goes on where it was. The options of the ground truth only say which architectures have one (--pool truth).

    \b
    Example:
        zcbench score --benchmark nasbench201 --dataset digits --sample 20 --metrics snip,synflow --store s.sqlite
    """
    truth = TruthOptions.of(benchmarks, targets, sources, splits, epochs, truth_file, costs=False)
    jobs = _scoring.make_jobs(
        benchmarks, Choice(architectures, sample, sample_seed, everything, pool, unique, limit),
        _scoring.Setting(datasets, labels, images, resolution, network, tasks, metrics, seeds, batch_size, init,
                         first_seed), truth,
    )  # fmt: skip
    with Store(store_path) as store:
        _scoring.run_all(jobs, store, computing)
