"""From options to jobs, and their run with a progress bar; shared by ``score`` and ``run``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import click
import torch

from zcbench.datasets import images
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.registry import offers as benchmark_offers
from zcbench.harness import options
from zcbench.harness.aggregate import offers as aggregate_offers
from zcbench.harness.commands._choosing import Choice, choose
from zcbench.harness.commands._progress import Progress
from zcbench.harness.commands._targets import TruthOptions
from zcbench.harness.device import check_fast, usable_device
from zcbench.harness.environment import cores
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.executors import session
from zcbench.harness.executors.nodes import cluster_device
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.machine import LOCAL, RAY, Machine
from zcbench.harness.passes.spec import further_batches
from zcbench.harness.plugins import Offer
from zcbench.harness.registry import offers as metric_offers
from zcbench.harness.registry import select
from zcbench.harness.runner import Summary, run
from zcbench.harness.space import Benchmark, SearchSpace
from zcbench.harness.store import Store
from zcbench.harness.types import Outcome

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

MOST_NOTES = 6
"""Of so many metrics without any score a run says why."""


@dataclass(frozen=True)
class Setting:
    """How to score: the options of ``scoring`` that decide on the score.

    Attributes:
        datasets: images of the mini-batch; each is scored on.
        labels: ``true`` or ``random``; each is scored with.
        folder: where the images are.
        resolution: height and width to resize them to.
        network: how networks are built, each text ``name=value,...``.
        tasks: what networks predict.
        metrics: names and groups, separated by commas.
        seeds: number of initialisations.
        batch_size: N.
        init: name of the initialisation.
        first_seed: seed of the first initialisation.
    """

    datasets: tuple[str, ...]
    labels: tuple[str, ...]
    folder: Path | None
    resolution: int | None
    network: tuple[str, ...]
    tasks: tuple[str, ...]
    metrics: str
    seeds: int
    batch_size: int
    init: str
    first_seed: int = 0

    @property
    def images(self) -> list[tuple[str, str]]:
        """Every dataset with every kind of labels, each once: those of gaussian inputs are random in any case."""
        pairs = itertools.product(self.datasets, self.labels)
        return list(dict.fromkeys((d, images.RANDOM if d == "gaussian" else kind) for d, kind in pairs))


@dataclass(frozen=True)
class Computing:
    """Where to compute, and what again: the options of ``computing``, which do not decide on the score.

    Attributes:
        machine: where.
        retry_failed: compute failed rows again.
        rescore: compute rows again of metrics whose code changed without a new version.
    """

    machine: Machine
    retry_failed: bool = False
    rescore: bool = False

    @classmethod
    def chosen(cls, options: Mapping[str, Any], *, retry_failed: bool = False, rescore: bool = False) -> Self:
        """Return it for the options of a machine; no number of workers means one for each core.

        Raises:
            ZcbenchError: for a device that is not there, or cannot be fast.
        """
        if options["executor"] == LOCAL:
            for name, without in (("address", None), ("gpus_per_worker", 1.0)):
                if options[name] != without:
                    raise ZcbenchError(f"--{name.replace('_', '-')} is for a cluster: add --executor ray")
            options = dict(options, device=find_device(options["device"]), workers=options["workers"] or cores())
        elif options["device"] != "auto":
            cluster_device(options["device"], gpus=1)  # which GPUs there are is known on the cluster
        machine = Machine(**options)
        check_fast(machine)
        return cls(machine, retry_failed, rescore)


def make_jobs(benchmarks: Sequence[str], choice: Choice, setting: Setting, truth: TruthOptions) -> list[Job]:
    """Check every option and return what is to be scored; nothing has been computed or written yet.

    There is one job for each benchmark, or one for each task of a benchmark whose networks have one; and of these
    one for each dataset and kind of labels.

    Raises:
        ZcbenchError: for whatever is wrong with the options.
    """
    chosen = select(setting.metrics)
    offers: list[Offer[Any]] = [*metric_offers(), *aggregate_offers(), *benchmark_offers()]
    for offer in offers:
        if offer.why:
            click.echo(f"note: the plug-in {offer.name} is left out, it cannot be loaded: {offer.why}", err=True)
    further = further_batches(q for metric in chosen for q in metric.needs.quantities())
    init = initialisation(setting.init)
    found = [find_benchmark(name) for name in dict.fromkeys(benchmarks)]
    jobs = []
    for one, spaces in zip(found, configured(found, setting, truth), strict=True):
        architectures = choose(one, choice, truth)
        for space, (dataset, labels) in itertools.product(spaces, setting.images):
            batch = images.load(
                dataset, batch_size=setting.batch_size, folder=setting.folder,
                resolution=setting.resolution or space.resolution, further=further, labels=labels,
            )  # fmt: skip
            jobs.append(
                Job(benchmark=one.name, space=space, architectures=architectures, metrics=chosen,
                    batch=images.for_task(batch, space.task), init=init, seeds=setting.seeds,
                    first_seed=setting.first_seed)
            )  # fmt: skip
    return jobs


def configured(found: Sequence[Benchmark], setting: Setting, truth: TruthOptions) -> list[list[SearchSpace]]:
    """Return the space of every benchmark with its networks as asked for, once for each task that is asked for.

    With several benchmarks, an option goes to those that have it; without ``--task``, the targets that are
    tasks say which.

    Raises:
        ZcbenchError: for an option that none of them has.
    """
    asked: dict[str, str] = {}
    for text in setting.network:
        asked |= options.split(text)
    known = {name for one in found for name in one.space.network}
    for name in asked if len(found) > 1 else ():
        if name not in known:
            raise unknown("network option", name, known)
    if setting.tasks and "task" in asked:
        raise ZcbenchError("--task and --network task=... say the same thing twice: give one of them")
    if setting.tasks and "task" not in known:
        raise ZcbenchError("--task is for benchmarks whose networks have one; none of these has")
    result = []
    for one in found:
        space = one.space
        mine = {k: v for k, v in asked.items() if k in space.network} if len(found) > 1 else asked
        tasks: Sequence[str] = ()
        if "task" in space.network and "task" not in mine:
            tasks = setting.tasks or [t for t in truth.targets if t in one.datasets]
        space = space.configured(mine)
        result.append([space.configured({"task": task}) for task in dict.fromkeys(tasks)] or [space])
    return result


def make_folder(path: Path) -> None:
    """Make the folder that a verb writes to.

    Raises:
        ZcbenchError: if that cannot be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ZcbenchError(f"cannot make the folder {path}: {error.strerror or error}") from error


def find_device(name: str) -> str:
    """Return the name of the device to compute on; ``auto`` takes CUDA where there is one.

    Raises:
        ZcbenchError: if it is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    usable_device(name)
    return name


def run_all(jobs: Sequence[Job], store: Store, computing: Computing) -> None:
    """Run jobs one after the other; after Ctrl-C the program ends with exit code 130."""
    with session(computing.machine):
        for job in jobs:
            if run_with_progress(job, store, computing).interrupted:
                click.get_current_context().exit(INTERRUPTED)


def run_with_progress(job: Job, store: Store, computing: Computing) -> Summary:
    """Run a job with a progress bar on standard error, and say what came of it."""
    machine = computing.machine
    network = options.joined(job.space.network)
    sized = f", {job.batch.resolution}x{job.batch.resolution}" if job.batch.resolution else ""
    click.echo(
        f"{_counted(len(job.architectures), 'architecture')} of {job.benchmark}{f' ({network})' if network else ''}, "
        f"{_counted(len(job.metrics), 'metric')}, {_counted(job.seeds, 'seed')}; "
        f"{job.batch.dataset} ({job.batch.split}{sized}{', random labels' if job.batch.labels else ''}), "
        f"batch {len(job.batch.inputs)}; "
        f"{_where(machine)}; "
        f"store {store.path}",
        err=True,
    )
    _warn_of_single_images(job)
    with Progress() as progress:
        summary = run(
            job, store, machine, retry_failed=computing.retry_failed, rescore=computing.rescore, progress=progress,
            notice=progress.say,
        )
    _say(summary)
    _say_what_has_no_score(summary, len({a.id for a in job.architectures}))
    return summary


def _where(machine: Machine) -> str:
    workers = "workers" if machine.workers is None else f"up to {_counted(machine.workers, 'worker')}"
    on_ray = "Ray, device " if machine.executor == RAY else ""
    return f"{on_ray}{machine.device}, {workers} of {_counted(machine.threads, 'thread')}"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


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


def _say_what_has_no_score(summary: Summary, architectures: int) -> None:
    """Name the metrics that have no score anywhere, with the most frequent reason."""
    where = "the only architecture" if architectures == 1 else f"all {architectures} architectures"
    for one in summary.valueless[:MOST_NOTES]:
        outcomes = " or ".join({"undefined": "is undefined"}.get(outcome, str(outcome)) for outcome in one.outcomes)
        mostly = ", mostly" if one.reasons > 1 else ""
        click.echo(f"note: {one.metric} {outcomes} on {where}{mostly}: {one.reason}", err=True)
    more = len(summary.valueless) - MOST_NOTES
    if more > 0:
        click.echo(f"and {more} more without a score anywhere: the export and the report say why", err=True)
