"""``zcbench results``: what a store says, as files that people share and merge on a leaderboard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from zcbench.datasets.truth import Target
from zcbench.harness.aggregate import aggregates
from zcbench.harness.analysis.aggregated import component
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.commands import _options, _reporting, _studying, _targets
from zcbench.harness.commands._family import Family, Wanted, benchmarks_in
from zcbench.harness.environment import package_version, revision, source_digest
from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.registry import groups, metrics, split
from zcbench.harness.replace import write_text
from zcbench.harness.results import schema
from zcbench.harness.results.document import file_name, slug, to_text
from zcbench.harness.results.measure import measurement, seeds_of
from zcbench.harness.results.read import read
from zcbench.harness.results.result import Measurement, MetricIdentity, Result
from zcbench.harness.store import Store
from zcbench.reports.text import plural


def _print_schema(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(schema.text(), nl=False)
        ctx.exit()


@click.command("results")
@_options.store(default="scores.sqlite")
@_options.stored()
@_options.include_path()
@_options.family()
@_options.truth()
@_options.statistics()
@click.option("--metrics", "only", metavar="LIST", help="Only these metrics or groups, separated by commas; default: "
              "all that the store holds.")
@click.option("--by", default="", metavar="NAME", help="Who hands the results in, as a leaderboard shows it.")
@click.option("--out", type=_options.PATH, default="results", show_default=True, metavar="FOLDER",
              help="Folder for the files; others in it stay.")
@click.option("--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema,
              help="Print the JSON Schema of the files, and do nothing else.")  # fmt: skip
def command(
    *, store_path: Path, benchmarks: tuple[str, ...], dataset: str | None, labels: str | None, batch_size: int | None,
    init: str | None, network: str | None, resolution: int | None, targets: tuple[str, ...], sources: tuple[str, ...],
    splits: tuple[str, ...], epochs: tuple[str, ...], costs: bool, truth_file: Path | None, undefined: str,
    population: str, resamples: int, only: str | None, by: str, out: Path,
) -> None:
    """Write the statistics of every metric with all that one must know to compare them with somebody else's.

    A file holds no scores of single architectures. Folders of several people are merged by copying them together;
    zcbench leaderboard makes a page of them.

    \b
    Example:
        zcbench results --store s.sqlite --benchmark nasbench201 --target cifar10 --by "Ada L." --out results
    """
    how = _studying.Statistics(undefined, population, resamples)
    with Store(store_path, create=False) as store:
        names = benchmarks_in(store, benchmarks)
        options = _targets.TruthOptions.of(names, targets, sources, splits, epochs, truth_file, costs=costs)
        wanted = Wanted(dataset, batch_size, init, network, resolution, labels, prefer=options.datasets)
        studied = _reporting.pairs(store, dict.fromkeys(names, wanted), options, named=bool(benchmarks))[0]
        done = [(one.found.space, _analysed(one, how)) for one in studied]
        chosen = _chosen(only, [one.analysis for _, parts in done for one in parts])
        results = [
            result for space, parts in done
            for result in _results(store, f"{space.name}@{space.version}", parts, chosen, by.strip())
        ]  # fmt: skip
    _write(results, out)


@dataclass(frozen=True)
class _Analysed:
    """One analysis, with the scores and the truth that it is of."""

    analysis: Analysis
    target: Target
    family: Family


def _analysed(one: _reporting.Studied, how: _studying.Statistics) -> list[_Analysed]:
    found = zip(one.analyses(how), one.pairs, strict=True)
    return [_Analysed(analysis, target, family) for analysis, (target, family) in found]


def _chosen(only: str | None, analyses: Sequence[Analysis]) -> frozenset[str]:
    """Return the names of the metrics that are asked for.

    Raises:
        ZcbenchError: for one that was not scored.
    """
    scored = sorted({name for analysis in analyses for name in analysis.table.metrics})
    if only is None:
        return frozenset(scored)
    chosen: set[str] = set()
    for item in split(only):
        # An aggregate is a group when metrics are scored, and a metric of its own once they are analysed.
        members = (item,) if item in scored else groups().get(item, (item,))
        found = [name for name in scored if name in members or name.partition("(")[0] in members]
        if not found:
            raise unknown("metric among the scores", item, scored)
        chosen.update(found)
    if not chosen:
        raise ZcbenchError("no metric is named: give --metrics a list like snip,synflow, or leave it out")
    return frozenset(chosen)


def _results(store: Store, space: str, parts: Sequence[_Analysed], chosen: Iterable[str], by: str) -> Iterator[Result]:
    """Iterate over what one benchmark gives: one result for each metric and version."""
    for name in sorted(chosen):
        found: dict[MetricIdentity, list[_Analysed]] = {}
        for part in parts:
            table = part.analysis.table
            if name in table.metrics and seeds_of(table, name):  # an aggregate has no rows where a component has none
                found.setdefault(_identity(name, part), []).append(part)
        for metric, mine in found.items():
            yield Result(
                metric=metric, benchmark=mine[0].analysis.table.benchmark, space=space, by=by,
                measurements=tuple(_measured(name, part) for part in mine),
                environments=_machines(store, name, mine), provenance=_provenance(),
            )  # fmt: skip


def _versions(part: _Analysed, name: str) -> dict[str, int]:
    """Return the scored metrics behind one of an analysis with their versions: itself, or what an aggregate ranks by.

    The components are those that the aggregate was made of; an aggregate has no rows in a store.
    """
    table = part.analysis.table
    known = dict(zip(table.metrics, table.versions, strict=True))
    if name not in aggregates() or name in set(part.family.frame["metric"]):
        return {name: known[name]}
    scored = [metric for metric in table.metrics if metric not in aggregates()]
    return {found: known[found] for c in aggregates()[name].components if (found := component(c, scored))}


def _identity(name: str, part: _Analysed) -> MetricIdentity:
    """Say which metric it is: as the store has it, else as it is installed here."""
    table = part.analysis.table
    at = table.metrics.index(name)
    version, better = table.versions[at], table.higher_is_better[at]
    behind = _versions(part, name)
    if name not in behind:
        made_of = tuple(f"{metric} v{number}" for metric, number in behind.items())
        return MetricIdentity(name, version, better, aggregates()[name].cite, components=made_of)
    bare = name.partition("(")[0]
    described = part.family.described.get((bare, version))
    if described is not None:
        return MetricIdentity(name, version, better, described.cite, described.code)
    here = metrics().get(bare)
    return MetricIdentity(name, version, better, here.cite if here is not None else "")


def _measured(name: str, part: _Analysed) -> Measurement:
    family = replace(part.family, seeds=len(seeds_of(part.analysis.table, name)))
    return measurement(part.analysis, name, truth=part.target, recipe=family.recipe, words=family.describe())


def _machines(store: Store, name: str, parts: Sequence[_Analysed]) -> tuple[dict[str, str], ...]:
    recipes = [
        replace(part.family.recipe, init_seed=seed).digest
        for part in parts for seed in seeds_of(part.analysis.table, name)
    ]  # fmt: skip
    benchmark = parts[0].analysis.table.benchmark
    return tuple(store.environments(benchmark, _versions(parts[0], name), recipes))


def _provenance() -> dict[str, str]:
    return {
        "written": datetime.now(UTC).isoformat(timespec="seconds"), "zcbench": package_version("zcbench"),
        "revision": revision() or "installed, not run from a git clone", "source": source_digest(),
    }  # fmt: skip


def _write(results: Sequence[Result], out: Path) -> None:
    """Write every file, and say what else the folder has of the same metrics from the same person."""
    files = {out / file_name(result): to_text(result) for result in results}
    for path, text in files.items():
        write_text(path, text)
    before = {
        path for result in results
        for path in (out / slug(result.benchmark)).glob(f"{slug(result.metric.name)}-v*.json") if path not in files
    }  # fmt: skip
    own = [one for one in read(sorted(before)).results if one.by in {result.by for result in results}]
    if own:
        click.echo(
            f"note: {out} has {plural(len(own), 'other result')} of yours of these metrics, of other architectures, "
            "truths, recipes, scores or machines: a leaderboard reads them too, so remove what is outdated",
            err=True,
        )
    names = sorted({result.benchmark for result in results})
    click.echo(f"written: {plural(len(files), 'result')} on {', '.join(names)} to {out}")
