"""``zcbench compare``: is a new metric better than the baselines, and does it add anything?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from zcbench.harness.commands import _comparing, _options, _scoring, _studying, _targets, _verdicts
from zcbench.harness.commands._choosing import Choice
from zcbench.harness.commands._family import Wanted
from zcbench.harness.commands._scoring import make_folder
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.registry import select, split
from zcbench.harness.store import Store
from zcbench.reports.text import listed

AGAINST = click.option(
    "--against", default="standard", show_default=True, metavar="LIST", help="The baselines: metrics, groups or "
    "files, separated by commas. With --stored by default all that the store holds.",
)  # fmt: skip

_DECIDED = {
    "architectures": "--architectures", "sample": "--sample", "everything": "--all", "seeds": "--seeds",
    "first_seed": "--first-seed", "tasks": "--task", "limit": "--limit", "unique": "--unique", "pool": "--pool",
}  # fmt: skip
"""Options that choose what ``--stored`` takes from the store."""


@click.command("compare")
@click.argument("candidates", nargs=-1, required=True, metavar="METRIC...")
@_options.candidates(required=False)
@_options.scoring(dataset="digits", metrics=AGAINST)
@_options.truth(costs=False)
@_options.statistics()
@click.option("--stability", type=click.IntRange(0), default=20, show_default=True, metavar="N",
              help="Architectures on which seed, batch size and initialisation are changed; 0: none.")  # fmt: skip
@click.option("--store", "store_path", type=_options.PATH, metavar="FILE",
              help="The store: what it holds is not computed again; default: scores.sqlite in --out.")  # fmt: skip
@click.option("--stored", is_flag=True, help="Compare on the architectures, images and recipe that the store holds "
              "scores of, and compute only the new metric. --benchmark, --dataset, --labels, --batch-size, --init, "
              "--network and --resolution then choose among what is stored.")  # fmt: skip
@click.option("--title", metavar="TEXT", help="Title of the page; default: one that names the metrics.")
@click.option("--out", type=_options.PATH, default="zcbench-compare", show_default=True, metavar="FOLDER",
              help="Folder for the page, compare.json and the store.")  # fmt: skip
@click.pass_context
def command(
    ctx: click.Context, *, candidates: tuple[str, ...], benchmarks: tuple[str, ...], architectures: Path | None,
    sample: int | None, sample_seed: int, everything: bool, pool: str, unique: bool, limit: int | None,
    datasets: tuple[str, ...], labels: tuple[str, ...], images: Path | None, resolution: int | None,
    network: tuple[str, ...], tasks: tuple[str, ...], against: str, seeds: int, first_seed: int, batch_size: int,
    init: str, computing: _scoring.Computing,
    targets: tuple[str, ...], sources: tuple[str, ...], splits: tuple[str, ...], epochs: tuple[str, ...],
    truth_file: Path | None, undefined: str, population: str, resamples: int, stability: int,
    store_path: Path | None, stored: bool, title: str | None, out: Path,
) -> None:
    """Compare a metric with baselines on the same architectures, and say in a sentence what came out.

    METRIC is a file with a metric (my_metric.py, or my_metric.py:name where there are several), or the name of an
    installed one or of an aggregate. In the file is a function decorated with @metric, or a plain function
    my_metric(network, inputs, targets) that returns a number.

    \b
    Example:
        zcbench compare my_metric.py
        zcbench compare my_metric.py --stored --store scores.sqlite --target cifar10
    """
    given = {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    whole = stored and "against" not in given
    baselines = "" if whole else against
    chosen = [one for text in split(",".join(candidates)) for one in _verdicts.Candidate.named(text)]
    own = {metric.key: metric for one in chosen for metric in one.metrics}
    new, metrics = {one.key for one in chosen}, _comparing.scored(candidates, baselines)
    if baselines and {metric.key for metric in select(baselines)} <= new:
        raise ZcbenchError(f"there is no baseline beside {listed(sorted(new))}: name other metrics with --against")
    how = _studying.Statistics(undefined, population, resamples)
    store_path = store_path or out / "scores.sqlite"
    names = () if stored and "benchmarks" not in given else benchmarks
    truth = _targets.TruthOptions.of(names, targets, sources, splits, epochs, truth_file, costs=False)
    if stored:
        wanted = _of_store({name: ctx.params[name] for name in given}, truth)
        jobs = _comparing.stored_jobs(store_path, names, wanted, truth, select(metrics), images)
    else:
        sample = None if architectures is not None or everything else sample
        jobs = _scoring.make_jobs(
            names, Choice(architectures, sample, sample_seed, everything, pool, unique, limit),
            _scoring.Setting(datasets, labels, images, resolution, network, tasks, metrics, seeds, batch_size, init,
                             first_seed), truth,
        )  # fmt: skip
    _studying.check_truth(jobs, truth, population)
    make_folder(out)
    changed = [c for job in jobs for c in _comparing.changes(job, list(own.values()), number=stability, folder=images)]
    with Store(store_path) as store:
        _scoring.run_all(jobs, store, computing)
        if changed:
            click.echo(f"stability, under {len(changed)} changes of seed, batch size and initialisation:", err=True)
        _scoring.run_all(_comparing.jobs_of(changed), store, computing)
        found = _comparing.read(store, jobs, changed, truth, how, whole=whole)
        pages = _verdicts.write(chosen, baselines, found, store, how, out, title=title)
    click.echo(f"the pages: {listed([str(page) for page in pages])}" if len(pages) > 1 else f"the page: {pages[0]}")


def _of_store(given: Mapping[str, Any], truth: _targets.TruthOptions) -> Wanted:
    """Return which of the stored scores are meant by the options that somebody gave.

    Raises:
        ZcbenchError: for an option that says what the store has decided already.
    """
    for name, option in _DECIDED.items():
        if name in given:
            raise ZcbenchError(f"{option} has no meaning with --stored: they are those of the store")
    single: dict[str, Any] = {}
    for name, field in {"datasets": "dataset", "labels": "labels", "network": "network"}.items():
        values = given.get(name, ())
        if len(values) > 1:
            raise ZcbenchError(f"with --stored give --{field} once: it chooses among the stored scores")
        single[field] = values[0] if values else None
    return Wanted(
        single["dataset"], given.get("batch_size"), given.get("init"), single["network"], given.get("resolution"),
        single["labels"], prefer=truth.datasets,
    )  # fmt: skip
