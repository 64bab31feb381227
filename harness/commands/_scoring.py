"""From options to a job, and its run with a progress bar; shared by ``score`` and ``run``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click
import torch
from tqdm import tqdm

from zcbench.datasets import images
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.harness.environment import cores
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.registry import select
from zcbench.harness.runner import Summary, run, usable_device
from zcbench.harness.space import SearchSpace
from zcbench.harness.store import Store
from zcbench.harness.types import Architecture, Outcome


@dataclass(frozen=True)
class Choice:
    """Which architectures: the options of ``candidates``."""

    architectures: Path | None
    sample: int | None
    sample_seed: int
    everything: bool
    unique: bool
    limit: int | None


def choose(space: SearchSpace, choice: Choice) -> list[Architecture]:
    """Return the candidates, each once, in the order given.

    Raises:
        MissingFileError: if the file of architectures is not there.
        ZcbenchError: if nothing or too much is chosen, or a line cannot be parsed.
    """
    if sum((choice.architectures is not None, choice.sample is not None, choice.everything)) != 1:
        raise ZcbenchError("say which architectures: one of --sample N, --architectures FILE and --all")
    if choice.architectures is not None:
        chosen = _read(space, choice.architectures)
    elif choice.sample is not None:
        chosen = space.sample(choice.sample, choice.sample_seed)
    else:
        chosen = list(space)
    chosen = list({a.id: a for a in chosen}.values())
    if choice.unique:
        # reversed: of each class the one that comes first is kept
        first = {space.unique_id(a): a for a in reversed(chosen)}
        chosen = list(reversed(first.values()))
    return chosen[: choice.limit]


def _read(space: SearchSpace, path: Path) -> list[Architecture]:
    if not (path.is_file() or path.is_fifo()):  # a pipe: --architectures <(grep ... cells.txt)
        raise MissingFileError(f"there is no file of architectures at {path}")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ZcbenchError(f"{path} is no text file: write one architecture a line") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(space.parse(line.strip()))
            except ZcbenchError as error:
                raise ZcbenchError(f"{path}, line {number}: {error}") from error
    if not found:
        raise ZcbenchError(f"{path} names no architecture: write one a line")
    return found


def make_job(
    *, benchmark: str, choice: Choice, dataset: str, folder: Path | None, metrics: str, seeds: int,
    batch_size: int, init: str,
) -> Job:
    """Check every option and return what is to be scored; nothing has been computed or written yet."""
    chosen = select(metrics)
    how = initialisation(init)
    space = find_benchmark(benchmark).space
    batch = images.load(dataset, batch_size=batch_size, folder=folder)
    return Job(
        benchmark=benchmark, space=space, architectures=choose(space, choice), metrics=chosen,
        batch=batch, init=how, seeds=seeds,
    )


def find_device(name: str) -> str:
    """Return the name of the device to compute on; ``auto`` takes CUDA where there is one.

    Raises:
        ZcbenchError: if it is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    usable_device(name)
    return name


def run_with_progress(
    job: Job, store: Store, *, device: str, threads: int, workers: int | None, retry_failed: bool
) -> Summary:
    """Run a job with a progress bar on standard error, and say what came of it."""
    workers = workers or cores()
    click.echo(
        f"{len(job.architectures)} architectures of {job.benchmark}, {len(job.metrics)} metrics, {job.seeds} "
        f"seed{'s' if job.seeds > 1 else ''}; {job.batch.dataset} ({job.batch.split}), batch {len(job.batch.inputs)}; "
        f"{device}, up to {workers} workers of {threads} thread{'s' if threads > 1 else ''}; store {store.path}",
        err=True,
    )
    _warn_of_single_images(job)
    bar = tqdm(unit="arch", smoothing=0.05, dynamic_ncols=True, disable=None, leave=True)
    told = False

    def progress(done: int, total: int, interrupted: bool) -> None:
        nonlocal told
        bar.total = total
        bar.update(done - bar.n)
        if interrupted and not told:
            told = True
            bar.write("interrupted: finishing the current chunk; Ctrl-C again stops at once", file=sys.stderr)

    try:
        summary = run(
            job, store, device=device, threads=threads, workers=workers, retry_failed=retry_failed, progress=progress
        )
    finally:
        bar.close()
    _say(summary)
    return summary


def _warn_of_single_images(job: Job) -> None:
    """Say before the work what a mini-batch without two images of a class leaves undefined."""
    targets = job.batch.targets
    single = targets.ndim == 1 and len(set(targets.tolist())) == len(targets)
    named = [m.key for m in job.metrics if m.name == "epe_nas"]
    if single and named:
        click.echo(
            f"note: no class has two images in the mini-batch, so {named[0]} will be undefined everywhere: take a "
            f"--batch-size of at least {job.batch.classes + 2}",
            err=True,
        )


def _say(summary: Summary) -> None:
    new = sum(summary.outcomes.values())
    counts = ", ".join(f"{n} {outcome}" for outcome, n in summary.outcomes.items() if n)
    click.echo(f"{new} new rows{f' ({counts})' if new else ''}, {summary.present} were there before", err=True)
    if summary.outcomes[Outcome.FAILED]:
        click.echo("some metrics failed: the export and the report say why", err=True)
    if summary.interrupted:
        left = summary.wanted - summary.present - new
        what = f"{left} rows are left" if left else "all rows are there"
        click.echo(f"interrupted: {what}; run the same command again to go on", err=True)
