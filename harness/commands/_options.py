"""Options that several verbs share, with their defaults."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from zcbench.harness.errors import unknown
from zcbench.harness.machine import EXECUTORS, LOCAL, Machine

F = TypeVar("F", bound=Callable[..., Any])


class _Path(click.Path):
    """A path; a text that no path can be, on which every function of the system fails in its own way, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises:
            click.BadParameter: if it is none.
        """
        if "\0" in str(value):
            self.fail("a path has no zero byte", param, ctx)
        try:
            os.fsencode(value)
        except UnicodeEncodeError:
            self.fail(f"{str(value)!a} cannot be the name of a file on this system", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=Path)
LABELS = ("true", "random")


def _default(value: Any) -> dict[str, Any]:
    """Give an option a default value that its help shows, or make it required where there is none."""
    return {"required": True} if value is None else {"default": value, "show_default": True}


class OneOf(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 only
    """One of a few names; an unknown one gets the nearest of them, as everywhere else."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name.

        Raises:
            ZcbenchError: if it is not one of those known.
        """
        if value not in self.known:
            raise unknown(self.name, str(value), self.known)
        return value


def _together(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _include(ctx: click.Context, _: click.Parameter, paths: tuple[Path, ...]) -> None:
    from zcbench.harness.registry import exclude, include  # imports torch

    for path in paths:
        new = [metric.source.path for metric in include(path) if metric.source is not None]
        ctx.call_on_close(lambda new=new: exclude(*new))


def include_path() -> Callable[[F], F]:
    """More metrics, from files of the user's own; nothing is handed to the verb."""
    return click.option(
        "--include-path", type=PATH, multiple=True, expose_value=False, is_eager=True, callback=_include,
        metavar="PATH", help="Python file with metrics, or folder of such files, to add; may be given several times.",
    )  # fmt: skip


def candidates(*, required: bool) -> Callable[[F], F]:
    """Which architectures to score."""
    return _together(
        click.option("--benchmark", "benchmarks", multiple=True, default=("nasbench201",), show_default=True,
                     metavar="NAME", help="Name of the benchmark; may be given several times."),
        click.option("--architectures", type=PATH, metavar="FILE", help="Architectures to score, one a line."),
        click.option("--sample", type=click.IntRange(1), metavar="N", help="Score N architectures drawn at random.",
                     **({} if required else _default(100))),
        click.option("--sample-seed", type=int, default=0, show_default=True, help="Seed of that draw."),
        click.option("--all", "everything", is_flag=True, help="Score all of them."),
        click.option("--pool", type=OneOf("pool", ("auto", "space", "truth")), default="auto", show_default=True,
                     metavar="[auto|space|truth]", help="What --sample and --all choose from: the search space, or "
                     "the architectures that have a ground truth. auto: the space where it can be listed."),
        click.option("--unique", is_flag=True, help="Keep one architecture of each class that the benchmark "
                     "regards as the same."),
        click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N of them: for a quick try."),
    )  # fmt: skip


def scoring(*, dataset: str | None, metrics: Callable[..., Any] | None = None) -> Callable[[F], F]:
    """How to score them.

    Args:
        dataset: the default; None: somebody must name one.
        metrics: the option that names the metrics, for a verb that has another one than ``--metrics``.
    """
    return _together(
        click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Images of the mini-batch: see "
                     "zcbench list datasets; may be given several times, to see how scores transfer.",
                     **_default(None if dataset is None else (dataset,))),
        click.option("--labels", "labels", multiple=True, type=OneOf("kind of labels", LABELS), default=("true",),
                     show_default=True, metavar="[true|random]", help="Classes of the images: their own, or drawn at "
                     "random; may be given several times."),
        click.option("--images", type=PATH, metavar="FOLDER",
                     help="Folder with the images; default $ZCBENCH_DATA/images. digits and gaussian need none."),
        click.option("--resolution", type=click.IntRange(8, 1024), metavar="N", help="Resize the images to N x N; "
                     "default: as the benchmark trained, else as they are."),
        click.option("--network", "network", multiple=True, metavar="NAME=VALUE,...", help="How to build the networks, "
                     "for benchmarks with a choice: see zcbench list benchmarks."),
        click.option("--task", "tasks", multiple=True, metavar="NAME", help="Task of the networks, for benchmarks "
                     "with several (TransNAS-Bench-101); may be given several times."),
        metrics or click.option(
            "--metrics", default="standard", show_default=True, metavar="LIST", help="Metrics, groups, or files like "
            "my_metric.py or my_metric.py:name, separated by commas: see zcbench list metrics."),
        include_path(),
        click.option("--seeds", type=click.IntRange(1, 10_000), default=1, show_default=True, metavar="N",
                     help="Number of initialisations: seeds 0 to N-1."),
        click.option("--first-seed", type=click.IntRange(0, 2**53), default=0, show_default=True, metavar="K",
                     help="First of the initialisation seeds: K to K+N-1."),
        click.option("--batch-size", type=click.IntRange(2), default=32, show_default=True, metavar="N",
                     help="Images in the mini-batch."),
        click.option("--init", default="pytorch", show_default=True,
                     help="Initialisation: see zcbench list inits."),
        computing(),
    )  # fmt: skip


def computing() -> Callable[[F], F]:
    """Where to compute: gives the verb one argument, ``computing``."""
    return _together(
        click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ...; auto takes CUDA "
                     "where there is one."),
        click.option("--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes that score on the CPU; "
                     "default: one for each core, with Ray one for each CPU (or part of a GPU) of the cluster. Their "
                     "number does not change a score."),
        click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, metavar="N",
                     help="Threads of a CPU operation, in each worker. Scores repeat bit for bit at one count."),
        click.option("--fast", is_flag=True, help="Let a GPU use TensorFloat-32 and algorithms that are not "
                     "deterministic: faster, and scores no longer repeat bit for bit."),
        click.option("--executor", type=OneOf("executor", EXECUTORS), default=LOCAL, show_default=True,
                     metavar="[local|ray]", help="Score on this machine, or on all machines of a Ray "
                     "cluster: pip install \"zcbench[ray]\", see docs/many-machines.md."),
        click.option("--address", metavar="ADDRESS", help="Of the Ray cluster: auto for the one that this machine is "
                     "part of, or host:port of its head; default: $RAY_ADDRESS, else one is started on this machine."),
        click.option("--gpus-per-worker", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True,
                     metavar="X", help="How much of a GPU a Ray worker takes: 0.25 lets four share one."),
        click.option("--retry-failed", is_flag=True, help="Compute rows again whose outcome is failed."),
        click.option("--rescore", is_flag=True, help="Compute the scores of a metric again whose code changed without "
                     "a new version."),
        _gathered,
    )  # fmt: skip


def _gathered(function: F) -> F:
    @functools.wraps(function)
    def verb(*args: Any, retry_failed: bool, rescore: bool, **given: Any) -> Any:
        from zcbench.harness.commands._scoring import Computing  # imports torch

        chosen = {one.name: given.pop(one.name) for one in dataclasses.fields(Machine)}
        return function(*args, **given, computing=Computing.chosen(chosen, retry_failed=retry_failed, rescore=rescore))

    return verb  # type: ignore[return-value]


OF_THE_IMAGES = (
    "that of the images, else those of the benchmark; so too for one of several benchmarks that has none of these"
)
"""Which targets are taken where nobody names any."""

OF_THE_BENCHMARK = (
    "every dataset or task of the benchmark whose accuracies the ground truth has, without the drift variants "
    "(_drift_ in the name)"
)
"""Which ones ``transfer`` takes then."""


def truth(*, costs: bool = True, default: str = OF_THE_IMAGES) -> Callable[[F], F]:
    """Which ground truth the scores are held against.

    Args:
        costs: whether the verb can relate metrics to latency and energy.
        default: which targets it takes where nobody names any.
    """
    of_costs = (
        click.option("--costs", is_flag=True, help="Also relate the metrics to latency and energy on hardware, where "
                     "the ground truth has them (HW-NAS-Bench)."),
    )  # fmt: skip
    value = " With a value: cifar10/edgegpu_latency." if costs else ""
    return _together(
        click.option("--target", "targets", multiple=True, metavar="DATASET[/VALUE]",
                     help="Dataset (or task) of the trained accuracies; may be given several times. "
                     f"Default: {default}.{value}"),
        click.option("--source", "sources", multiple=True, metavar="NAME", help="Source of the accuracies: see zcbench "
                     "data. This and the next two may be given several times, each for one of several benchmarks: "
                     "--source nasbench101=naslib."),
        click.option("--split", "splits", multiple=True, metavar="NAME", help="Part of the dataset: test, valid, ...; "
                     "default: what publications on the benchmark use."),
        click.option("--epochs", multiple=True, metavar="N", help="Length of the training; default: the longest."),
        *(of_costs if costs else ()),
        click.option("--truth", "truth_file", type=PATH, metavar="FILE", help="A tidy Parquet table to use instead, or "
                     "the folder of a surrogate ensemble of NAS-Bench-301."),
    )  # fmt: skip


def statistics() -> Callable[[F], F]:
    """How the statistics are made."""
    return _together(
        click.option("--undefined", type=OneOf("policy", ("drop", "worst")), default="drop", show_default=True,
                     metavar="[drop|worst]", help="Architectures without a score: leave them out, or rank them last."),
        click.option("--population", default="all", show_default=True, metavar="NAME",
                     help="Which architectures: all, or a named subset such as no_dead_edge."),
        click.option("--resamples", type=click.IntRange(10, 100_000), default=1000, show_default=True, metavar="N",
                     help="Bootstrap resamples of the intervals."),
    )  # fmt: skip


def stored() -> Callable[[F], F]:
    """Which of the benchmarks that a store holds."""
    return click.option(
        "--benchmark", "benchmarks", multiple=True, metavar="NAME",
        help="Name of a benchmark; may be given several times. Default: all that the store holds.",
    )  # fmt: skip


def family(*, images: bool = True) -> Callable[[F], F]:
    """Which of the stored scores, where a store holds several kinds; without images, scores on whatever images."""
    of_images = (
        click.option("--dataset", metavar="NAME", help="Only scores on these images."),
        click.option("--labels", type=OneOf("kind of labels", LABELS), metavar="[true|random]",
                     help="Only scores with the true labels of the images, or with labels drawn at random."),
    )  # fmt: skip
    return _together(
        *(of_images if images else ()),
        click.option("--batch-size", type=int, metavar="N", help="Only scores of this batch size."),
        click.option("--init", metavar="NAME", help="Only scores of this initialisation."),
        click.option("--network", metavar="NAME=VALUE,...", help="Only scores of networks that were built so."),
        click.option("--resolution", type=int, metavar="N", help="Only scores on images of N x N."),
    )


def store(*, default: str) -> Callable[[F], F]:
    """The score store."""
    return click.option(
        "--store", "store_path", type=PATH, metavar="FILE", help="The score store, an SQLite file.", **_default(default)
    )
