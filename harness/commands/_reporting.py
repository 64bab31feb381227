"""From analyses to a written report; shared by ``report`` and ``run``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from zcbench.datasets.truth import Target, TruthTable
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.commands import _studying
from zcbench.harness.commands._family import Family, Wanted, read_family
from zcbench.harness.commands._studying import Statistics, TruthOptions
from zcbench.harness.environment import package_version, revision, source_digest
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.registry import metrics
from zcbench.harness.space import Benchmark
from zcbench.harness.store import Store
from zcbench.reports import reproduction
from zcbench.reports.report import ReportInput, build, write


def make_report(
    store_path: Path, benchmark: str, wanted: Wanted, options: TruthOptions, how: Statistics, out: Path, *, title: str
) -> tuple[Path, list[Analysis]]:
    """Analyse a store and write the report.

    Args:
        store_path: the store.
        benchmark: name of the benchmark.
        wanted: which of the scores.
        options: which ground truth.
        how: policy, population and resamples.
        out: folder of the report.
        title: its title.

    Returns:
        The path of index.html and the analyses behind it.
    """
    with Store(store_path, create=False) as store:
        family = read_family(store, benchmark, wanted)
        provenance = _provenance(store, family, benchmark)
    found, table = _studying.load(benchmark, options)
    targets = _studying.choose_targets(found, table, options, family.recipe.dataset)
    provenance["ground truth"] = {t.dataset: t.describe() for t in targets} | {
        "analog-nasbench": package_version("analog-nasbench")
    }
    provenance["statistics"] = {
        "undefined scores": how.undefined, "population": how.population,
        "bootstrap": f"{how.resamples} resamples, seed 0",
    }  # fmt: skip
    analyses = [_studying.study(family, found, target, how, noise=table) for target in targets]
    names = dict.fromkeys(target.dataset for target in targets)
    measured = _measured(family, found, table, list(names), how)
    page = write(build(ReportInput(title, tuple(analyses), provenance, measured)), out)
    return page, analyses


def _measured(
    family: Family, found: Benchmark, table: TruthTable, targets: Sequence[str], how: Statistics
) -> list[reproduction.Measured]:
    """Compute for every published column of our targets an estimate on the same population and truth.

    Whatever ground truth the report itself is about, this takes the test accuracy after the longest training.
    """
    done: dict[tuple[object, ...], Analysis] = {}
    measured = []
    for name in targets:
        for request in reproduction.requests(found.name, name):
            target, truth = _published_target(found, table, request)
            if target is None:
                continue
            key = (target.dataset, target.source, truth and truth.seed, request.population)
            try:
                if key not in done:
                    done[key] = _studying.study(family, found, target, replace(how, population=request.population))
            except ZcbenchError as error:
                click.echo(f"note: {request.published} is left out of the reproduction: {error}", err=True)
                continue
            measured.append(
                reproduction.measure(
                    request, done[key], images=family.recipe.dataset, batch_size=family.recipe.batch_size,
                    init=family.recipe.init, truth=truth,
                )
            )
    return measured


def _published_target(
    found: Benchmark, table: TruthTable, request: reproduction.ReproductionRequest
) -> tuple[Target | None, reproduction.PublishedTruth | None]:
    """Return the published truth if our table has it; else our own of that dataset, if there is one."""
    for truth in request.truths:
        try:
            return table.select(truth.dataset, source=truth.source, seed=truth.seed), truth
        except ZcbenchError:
            continue
    try:
        return table.select(request.dataset, default_sources=found.default_sources), None
    except ZcbenchError:
        return None, None


def _provenance(
    store: Store, family: Family, benchmark: str
) -> dict[str, str | Mapping[str, str]]:
    recipe = family.recipe
    described: dict[str, str | Mapping[str, str]] = {
        "zcbench": {
            "version": package_version("zcbench"), "source": source_digest(),
            "revision": revision() or "installed, not run from a git clone",
        },
        "scores": {
            "store": str(store.path), "benchmark": benchmark, "dataset": f"{recipe.dataset}, {recipe.split} split",
            "mini-batch": f"{recipe.batch_size} images, seed {recipe.batch_seed}, digest {recipe.images}",
            "preprocessing": recipe.preprocessing, "initialisation": recipe.init, "dtype": recipe.dtype,
        },
    }  # fmt: skip
    ids = sorted(family.frame["architecture"].unique())
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]
    described["architectures"] = {"number": f"{len(ids):,}", "digest of the sorted ids": digest}
    described["metrics"] = {key: _cited(key, version) for key, version in _versions(family)}
    for number, environment in enumerate(store.environments(), start=1):
        described[f"environment {number}"] = environment
    return described


def _versions(family: Family) -> list[tuple[str, int]]:
    newest = family.frame.groupby("metric")["version"].max()
    return [(str(key), int(version)) for key, version in newest.items()]


def _cited(key: str, version: int) -> str:
    metric = metrics().get(key.partition("(")[0])
    defaults = "" if metric is None else ", ".join(f"{k}={v}" for k, v in metric.defaults.items() if "(" not in key)
    return f"version {version}{f', {defaults}' if defaults else ''}; {metric.cite if metric else 'not installed here'}"
