"""``zcbench operations``: scores of single operations, held against the accuracy of what contains them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray

from zcbench.datasets import images
from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.truth import Target, TruthTable
from zcbench.harness import options
from zcbench.harness.analysis.choices import BEST, Choices, Chosen, Floats
from zcbench.harness.analysis.discretise import chosen_per_node, greedy_discretise
from zcbench.harness.analysis.operations import OperationStudy, study, worth_of_average
from zcbench.harness.commands import _options, _targets
from zcbench.harness.commands._family import Wanted, read_stored
from zcbench.harness.commands._scoring import find_device
from zcbench.harness.environment import describe, package_version, revision, source_digest
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.initialise import initialisation
from zcbench.harness.machine import Machine
from zcbench.harness.operations import SCORERS, OperationScorer, on_edge, operation_scores, scorers, supernet_of
from zcbench.harness.passes.run import MiniBatch, Run
from zcbench.harness.passes.state import like_images
from zcbench.harness.settings import fixed
from zcbench.harness.space import Benchmark, SearchSpace
from zcbench.harness.store import Store
from zcbench.reports import markdown
from zcbench.reports.operations import agreement, report
from zcbench.reports.operations import iterated as iterated_table
from zcbench.reports.report import write


@click.command("operations")
@click.option("--benchmark", default="nasbench201", show_default=True, metavar="NAME",
              help="A benchmark with a supernet: nasbench201, nasbench301 or darts.")
@click.option("--dataset", required=True, help="Images of the mini-batch: see zcbench list datasets.")
@click.option("--images", type=_options.PATH, metavar="FOLDER",
              help="Folder with the images; default $ZCBENCH_DATA/images. digits and gaussian need none.")
@click.option("--resolution", type=click.IntRange(8, 1024), metavar="N", help="Resize the images to N x N.")
@click.option("--network", "network", metavar="NAME=VALUE,...", help="How to build the networks, for benchmarks with a "
              "choice; a supernet has at most 16 channels and 8 cells.")
@click.option("--scorers", "named", default=",".join(SCORERS), show_default=True, metavar="LIST",
              help="zeros_snip, zeros_grasp, zeros_synflow, zeros_synflow_bn, and perturbation(METRIC) or "
              "discretisation(METRIC) with any metric.")
@click.option("--iterate", is_flag=True, help="Also decide edge by edge on the supernet, each edge seeing what was "
              "decided before it: the search of Zero-Cost-PT. Takes the passes of the scorer once more.")
@click.option("--batch-size", type=click.IntRange(2), default=32, show_default=True, metavar="N",
              help="Images in the mini-batch.")
@click.option("--init", default="pytorch", show_default=True, help="Initialisation: see zcbench list inits.")
@click.option("--init-seed", type=int, default=0, show_default=True, help="Its seed.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, metavar="N",
              help="Threads of a CPU operation.")
@_options.truth(costs=False)
@click.option("--store", "store_path", type=_options.PATH, metavar="FILE", help="A score store, an SQLite file. Adds a "
              "scorer for each metric in it: the best score of the architectures that contain an operation.")
@click.option("--title", metavar="TEXT", help="Title of the page; default: one that names the benchmark.")
@click.option("--out", type=_options.PATH, default="operations", show_default=True, metavar="FOLDER",
              help="Folder for index.html, report.md and tables/.")
def command(
    *, benchmark: str, dataset: str, images: Path | None, resolution: int | None, network: str | None, named: str,
    iterate: bool, batch_size: int, init: str, init_seed: int, device: str, threads: int, targets: tuple[str, ...],
    sources: tuple[str, ...], splits: tuple[str, ...], epochs: tuple[str, ...], truth_file: Path | None,
    store_path: Path | None, title: str | None, out: Path,
) -> None:  # fmt: skip
    """Score every operation on every edge of an untrained supernet, and say how good the scores are.

    The truth of an operation is the average, and the best, accuracy of the architectures that contain it. With a
    store, the best score of these architectures by each stored metric is a scorer, too.

    \b
    Example:
        zcbench operations --benchmark nasbench201 --dataset cifar10 --out operations
    """
    scored_by = scorers(named)
    one = find_benchmark(benchmark)
    space = one.space.configured(options.split(network or ""))
    truth = _targets.TruthOptions.of((benchmark,), targets, sources, splits, epochs, truth_file, costs=False)
    table = _targets.load(one, truth)
    chosen = _accuracies(_targets.choose_targets(one, table, truth, dataset=dataset))
    where = find_device(device)
    with fixed(Machine(device=str(where), threads=threads)):
        batch, words = _mini_batch(dataset, images, resolution or space.resolution, batch_size, where)
        made = initialisation(init)
        net, run = supernet_of(space, batch, init=str(made), init_seed=init_seed)
        recipe = (
            f"{words}, initialisation {made}, seed {init_seed}, "
            f"supernet of {sum(p.numel() for p in net.parameters()):,} parameters, alpha 1/{len(net.operations)}"
        )
        scores = _score(scored_by, run)
        choices = [_choices(one, space, target, net.edges, net.operations) for target in chosen]
        iterated = {s.name: _iterate(s, run, choices[0]) for s in scored_by if iterate and s.swaps is not None}
    elsewhere = [_elsewhere(one, space, table, truth, target, c) for target, c in zip(chosen, choices, strict=True)]
    studies = [
        study(c, {**scores, **_best_of_store(store_path, one, dataset, c)}, recipe=recipe, iterated=iterated,
              elsewhere=other)
        for c, other in zip(choices, elsewhere, strict=True)
    ]  # fmt: skip
    page = write(report(studies, title=title, provenance=_provenance(recipe, chosen, where, threads)), out)
    _show(studies)
    click.echo(f"written: {page}")


def _accuracies(found: Sequence[Target]) -> Sequence[Target]:
    """Return the targets, all of which say how good an architecture is.

    Raises:
        ZcbenchError: if one of them is a cost.
    """
    for target in found:
        if _targets.is_cost(target):
            raise ZcbenchError(
                f"operations are held against accuracies, and {target.name} is a cost: name the dataset alone, "
                f"--target {target.dataset}"
            )
    return found


def _mini_batch(
    dataset: str, folder: Path | None, resolution: int | None, size: int, device: str
) -> tuple[MiniBatch, str]:
    """Return the mini-batch on the device, and what it is in words."""
    loaded = images.load(dataset, batch_size=size, folder=folder, resolution=resolution, further=3)
    where = torch.device(device)

    def moved(inputs: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        return like_images(torch.from_numpy(inputs).to(where)), torch.from_numpy(labels).to(where)

    own = moved(loaded.inputs, np.asarray(loaded.targets, dtype=np.int64))
    further = tuple(moved(x, np.asarray(y, dtype=np.int64)) for x, y in loaded.further)
    words = f"{loaded.dataset} ({loaded.split}), one mini-batch of {size}, digest {loaded.digest}"
    return MiniBatch(*own, loaded.classes, further=further), words


def _score(scored_by: Sequence[OperationScorer], run: Run) -> dict[str, Floats]:
    """Compute all scores, and say what each takes."""
    tables = {}
    for one in scored_by:
        start = time.perf_counter()
        found_scores = operation_scores(one, run)
        undefined = f"; undefined: {'; '.join(found_scores.reasons)}" if found_scores.reasons else ""
        click.echo(f"{one.name}: {time.perf_counter() - start:.1f} s{undefined}", err=True)
        tables[one.name] = found_scores.values
    return tables


def _choices(
    one: Benchmark, space: SearchSpace, target: Target, edges: tuple[str, ...], operations: tuple[str, ...]
) -> Choices:
    sign = 1.0 if target.higher_is_better else -1.0
    accuracy = {str(name): sign * float(value) for name, value in target.mean.items()}
    chosen = {name: space.operations(space.parse(name)) for name in accuracy}
    return Choices.of(
        chosen, accuracy, benchmark=one.name, target=target.name, description=target.describe(), edges=edges,
        operations=operations,
    )  # fmt: skip


def _elsewhere(
    one: Benchmark, space: SearchSpace, table: TruthTable, truth: _targets.TruthOptions, target: Target,
    choices: Choices,
) -> dict[str, float]:
    """Return what the average accuracy is worth by the other sources that have all these architectures."""
    found = {}
    for source in table.sources:
        try:
            other = _targets.choose_targets(one, table, replace(truth, targets=(target.name,), source={"": source}))[0]
        except ZcbenchError:  # this source has no such accuracies
            continue
        if other.describe() != target.describe() and set(choices.architectures) <= set(map(str, other.mean.index)):
            found[source] = worth_of_average(_choices(one, space, other, choices.edges, choices.operations))
    return found


def _best_of_store(path: Path | None, one: Benchmark, dataset: str, choices: Choices) -> dict[str, Floats]:
    """Return for each stored metric the best score of the architectures that contain an operation."""
    if path is None:
        return {}
    with Store(path, create=False) as store:
        family = read_stored(store, one.name, Wanted(dataset=dataset)).family(choices.target)
    better = family.directions
    found_scores = {}
    for name, rows in family.frame.dropna(subset=["value"]).groupby("metric"):
        sign = 1.0 if better.get(str(name).partition("(")[0], True) else -1.0
        values = (sign * rows.groupby("architecture")["value"].mean()).to_dict()
        of_architectures = np.array([values.get(a, math.nan) for a in choices.architectures])
        found_scores[f"best({name})"] = choices.of_containing(of_architectures, BEST)
    return found_scores


def _iterate(scorer: OperationScorer, run: Run, choices: Choices) -> Chosen:
    """Decide edge by edge on the supernet, and say what it takes."""
    start = time.perf_counter()
    decided = greedy_discretise(
        choices.edges, lambda edge, before: on_edge(scorer, run, edge, before), chosen_per_node(choices)
    )
    click.echo(f"{scorer.name}, edge by edge: {time.perf_counter() - start:.1f} s", err=True)
    return decided


def _provenance(
    recipe: str, chosen: Sequence[Target], device: str, threads: int
) -> dict[str, str | Mapping[str, str]]:
    return {
        "zcbench": {
            "version": package_version("zcbench"), "source": source_digest(),
            "revision": revision() or "installed, not run from a git clone",
        },
        "scores": recipe,
        "ground truth": {target.name: target.describe() for target in chosen},
        "environment": describe(device=device, threads=threads),
    }  # fmt: skip


def _show(studies: Sequence[OperationStudy]) -> None:
    for one in studies:
        click.echo(markdown.table(agreement(one, f"{one.choices.target}: ")))
        if one.iterated:
            click.echo(markdown.table(iterated_table(one, f"{one.choices.target}: ")))
