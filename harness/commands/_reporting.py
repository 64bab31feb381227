"""From analyses to a written report; shared by ``report`` and ``run``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from zcbench.datasets.truth import TruthTable
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.commands import _studying
from zcbench.harness.environment import package_version, revision, source_digest
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.space import Benchmark
from zcbench.harness.store import Store
from zcbench.reports import reproduction
from zcbench.reports.report import ReportInput, build, write


def make_report(
    store_path: Path, benchmark: str, options: _studying.TruthOptions, out: Path, *, dataset: str | None,
    batch_size: int | None, init: str | None, undefined: str, population: str, resamples: int, title: str,
) -> tuple[Path, list[Analysis]]:
    """Analyse a store and write the report.

    Returns:
        The path of index.html and the analyses behind it.
    """
    with Store(store_path, create=False) as store:
        family = _studying.read_family(store, benchmark, dataset=dataset, batch_size=batch_size, init=init)
        provenance = _provenance(store, family, benchmark)
    found, table = _studying.load(benchmark, options)
    analyses = [
        _studying.study(
            family, found, target, undefined=undefined, population=population, resamples=resamples,
            ceiling=_studying.ceiling_of(table, target, resamples=resamples),
        )
        for target in _studying.choose_targets(found, table, options, family.recipe.dataset)
    ]
    measured = _measured(family, found, table, analyses, undefined=undefined, resamples=resamples)
    page = write(build(ReportInput(title, tuple(analyses), provenance, measured)), out)
    return page, analyses


def _measured(
    family: _studying.Family, found: Benchmark, table: TruthTable, analyses: Sequence[Analysis], *,
    undefined: str, resamples: int,
) -> list[reproduction.Measured]:
    """Compute for every published column of our targets an estimate on the same population and truth."""
    done = {(a.table.target, a.table.source, a.table.population): a for a in analyses}
    measured = []
    for name in dict.fromkeys(a.table.target for a in analyses):
        for request in reproduction.requests(found.name, name):
            known = set(table.frame.loc[table.frame["dataset"] == request.dataset, "source"])
            target = table.select(
                request.dataset, source=request.source if request.source in known else None,
                default_sources=found.default_sources,
            )
            key = (request.dataset, target.source, request.population)
            if key not in done:
                try:
                    done[key] = _studying.study(
                        family, found, target, undefined=undefined, population=request.population, resamples=resamples
                    )
                except ZcbenchError as error:
                    click.echo(f"note: {request.published} is left out of the reproduction: {error}", err=True)
                    continue
            measured.append(
                reproduction.measure(
                    request, done[key], images=family.recipe.dataset, batch_size=family.recipe.batch_size,
                    init=family.recipe.init,
                )
            )
    return measured


def _provenance(
    store: Store, family: _studying.Family, benchmark: str
) -> dict[str, str | Mapping[str, str]]:
    recipe = family.recipe
    described: dict[str, str | Mapping[str, str]] = {
        "zcbench": {"version": package_version("zcbench"), "revision": revision() or "not a git clone",
                    "source": source_digest()},
        "scores": {
            "store": str(store.path), "benchmark": benchmark, "dataset": f"{recipe.dataset}, {recipe.split} split",
            "mini-batch": f"{recipe.batch_size} images, seed {recipe.batch_seed}, digest {recipe.images}",
            "preprocessing": recipe.preprocessing, "initialisation": recipe.init, "dtype": recipe.dtype,
        },
    }  # fmt: skip
    for number, environment in enumerate(store.environments(), start=1):
        described[f"environment {number}"] = environment
    return described
