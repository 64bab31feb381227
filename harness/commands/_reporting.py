"""From analyses to a written report; shared by ``report`` and ``run``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from zcbench.datasets.registry import benchmark as find_benchmark
from zcbench.datasets.truth import Target, TruthTable
from zcbench.harness.aggregate import Aggregate, aggregates
from zcbench.harness.analysis.effort import Effort
from zcbench.harness.analysis.result import Analysis
from zcbench.harness.analysis.transfer import Transfer
from zcbench.harness.commands import _effort, _studying
from zcbench.harness.commands._family import Family, Wanted, read_stored
from zcbench.harness.commands._studies import Studies, distinct_theorems, study_further
from zcbench.harness.commands._studying import Statistics
from zcbench.harness.commands._targets import TruthOptions, choose_targets, is_cost, load
from zcbench.harness.commands._transferring import transfers
from zcbench.harness.described import Described
from zcbench.harness.environment import package_version, revision, source_digest
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.evaluated import Recorded
from zcbench.harness.registry import metrics
from zcbench.harness.space import Benchmark
from zcbench.harness.store import Store
from zcbench.reports import reproduction
from zcbench.reports.report import ReportInput, build, default_title, write


@dataclass(frozen=True)
class Studied:
    """One benchmark of a store, ready to be analysed.

    Attributes:
        found: the benchmark.
        table: its ground truth.
        pairs: targets, each with the scores to hold against it.
        recorded: for each pair what the store knows of the evaluations that the scores are from.
    """

    found: Benchmark
    table: TruthTable
    pairs: tuple[tuple[Target, Family], ...]
    recorded: tuple[Recorded, ...]

    def analyses(self, how: Statistics) -> list[Analysis]:
        """Analyse every pair."""
        return [_studying.study(f, self.found, target, how, noise=self.table) for target, f in self.pairs]

    def further(self, analyses: Sequence[Analysis]) -> list[Studies]:
        """Study the analyses of all pairs further; a cost of the architecture has none of the theory."""
        return [
            Studies(None, None, None) if is_cost(target) else study_further(analysis, target, self.table)
            for (target, _), analysis in zip(self.pairs, analyses, strict=True)
        ]

    def efforts(self, analyses: Sequence[Analysis], counting: _effort.Counting) -> list[Effort | None]:
        """Say what the evaluations behind the analyses of all pairs took; of costs, nobody asks."""
        return [
            None if is_cost(target) else _effort.effort_of(analysis.table, known, self.found, family, counting)
            for (target, family), known, analysis in zip(self.pairs, self.recorded, analyses, strict=True)
        ]


@dataclass(frozen=True)
class Reported:
    """A written report and what is behind it.

    Attributes:
        page: the path of index.html.
        analyses: one for each target.
        studies: further ones, for each target that is an accuracy.
        transfers: one for each benchmark that was scored on several datasets, or for several tasks.
    """

    page: Path
    analyses: list[Analysis]
    studies: list[Studies]
    transfers: list[Transfer]


def pair(store: Store, benchmark: str, wanted: Wanted, options: TruthOptions) -> Studied:
    """Find the scores of a benchmark, its ground truth, and what belongs together.

    Raises:
        MissingFileError: if the ground truth is not there.
        ZcbenchError: if there are no such scores or no such truth.
    """
    found = find_benchmark(benchmark)
    stored = read_stored(store, benchmark, wanted)
    table = load(found, options, stored.architectures)
    targets = choose_targets(found, table, options, dataset=stored.dataset, tasks=stored.tasks)
    families = [stored.family(target.dataset) for target in targets]
    recorded = tuple(_effort.recorded(store, found, family) for family in families)
    return Studied(found, table, tuple(zip(targets, families, strict=True)), recorded)


def pairs(
    store: Store, wanted: Mapping[str, Wanted], options: TruthOptions, *, named: bool
) -> tuple[list[Studied], dict[str, str]]:
    """Pair the scores of several benchmarks with their ground truth.

    Args:
        store: the store.
        wanted: which of the scores, by benchmark.
        options: which ground truth.
        named: whether somebody named the benchmarks. If not, one without ground truth is left out, and said so.

    Returns:
        The benchmarks, and why others were left out.

    Raises:
        MissingFileError: if the ground truth of a named benchmark is not there, or none is.
    """
    found: list[Studied] = []
    without: dict[str, str] = {}
    for name, chosen in wanted.items():
        try:
            found.append(pair(store, name, chosen, options))
        except MissingFileError as error:
            without[name] = str(error)
            if named or len(without) == len(wanted):
                raise
            click.echo(f"note: {name} is left out: {error}", err=True)
    return found, without


def make_report(
    store_path: Path, wanted: Mapping[str, Wanted], options: TruthOptions, how: Statistics, out: Path, *,
    title: str | None, named: bool = True, flops: int | None = None,
) -> Reported:
    """Analyse a store and write the report.

    Args:
        store_path: the store.
        wanted: which of the scores, by benchmark.
        options: which ground truth.
        how: policy, population and resamples.
        out: folder of the report.
        title: its title; None for one that names the benchmarks.
        named: see `pairs`.
        flops: of how many architectures of every kind of scores to count the operations, however long that takes;
            None: of a few, if that takes a few seconds.

    Returns:
        The report and what is behind it.
    """
    with Store(store_path, create=False) as store:
        studied, without = pairs(store, wanted, options, named=named)
        provenance = provenance_of(store, studied)
        carried = transfers(store, {one.found.name: wanted[one.found.name] for one in studied}, options, how)
    if without:
        provenance["left out"] = without
    provenance["statistics"] = {
        "undefined scores": how.undefined, "population": how.population,
        "bootstrap": f"{how.resamples} resamples, seed 0",
    }  # fmt: skip
    counting = _effort.Counting.asked(flops)
    done: list[tuple[Target, Analysis, Studies, Effort | None]] = []
    for one in studied:
        mine = one.analyses(how)
        efforts = one.efforts(mine, counting)
        done += zip((target for target, _ in one.pairs), mine, one.further(mine), efforts, strict=True)
    analyses = [analysis for _, analysis, _, _ in done]
    gains = tuple(analysis for target, analysis, _, _ in done if not is_cost(target))
    costs = tuple(analysis for target, analysis, _, _ in done if is_cost(target))
    further = [studies for target, _, studies, _ in done if not is_cost(target)]
    if not gains:
        raise ZcbenchError(
            "a report needs at least one accuracy to rank the metrics by: give a --target that is one, beside the costs"
        )
    measured = [m for one in studied for m in _measured(one, how)]
    data = ReportInput(
        title or default_title(gains), gains, provenance, measured, costs, own_passes(gains, studied),
        theorems=tuple(distinct_theorems(further)), bounds=tuple(one.bounds for one in further),
        combined=tuple(one.combined for one in further), transfers=tuple(carried),
        efforts=tuple(effort for target, _, _, effort in done if not is_cost(target)),
    )  # fmt: skip
    return Reported(write(build(data), out), analyses, further, carried)


def _measured(one: Studied, how: Statistics) -> list[reproduction.Measured]:
    """Compute for every published column of our targets an estimate on the same population and truth.

    Whatever ground truth the report itself is about, this takes the published one where the table has it.
    """
    done: dict[tuple[object, ...], Analysis] = {}
    measured = []
    for name, family in {target.dataset: family for target, family in one.pairs if not is_cost(target)}.items():
        for request in reproduction.requests(one.found.name, name):
            target, truth = _published_target(one.found, one.table, request)
            if target is None:
                continue
            key = (target.name, target.source, target.split, truth and truth.seed, request.population, id(family))
            try:
                if key not in done:
                    population = replace(how, population=request.population)
                    done[key] = _studying.study(family, one.found, target, population)
            except ZcbenchError as error:
                click.echo(f"note: {request.published} is left out of the reproduction: {error}", err=True)
                continue
            measured.append(
                reproduction.measure(
                    request, done[key], images=family.recipe.dataset, batch_size=family.recipe.batch_size,
                    init=family.recipe.init, truth=truth, others=family.unlike,
                )
            )
    return measured


def _published_target(
    found: Benchmark, table: TruthTable, request: reproduction.ReproductionRequest
) -> tuple[Target | None, reproduction.PublishedTruth | None]:
    """Return the published truth if our table has it; else our own of that dataset, if there is one."""
    for truth in request.truths:
        try:
            chosen = table.select(
                truth.dataset, source=truth.source, seed=truth.seed, split=truth.split, metric=truth.metric
            )
            return chosen, truth
        except ZcbenchError:
            continue
    try:
        return table.select(
            request.dataset, default_sources=found.default_sources, default_split=found.default_split
        ), None
    except ZcbenchError:
        return None, None


def own_passes(analyses: Sequence[Analysis], studied: Sequence[Studied]) -> dict[str, str]:
    """Say of every analysed metric what it takes besides shared passes."""
    keys = {key for analysis in analyses for key in analysis.table.metrics}
    described = _described(studied)
    words = {name: one.own_passes for (name, _), one in sorted(described.items())}
    words = {name: metric.own_passes for name, metric in metrics().items()} | words
    return {key: words[name] for key in sorted(keys) if words.get(name := key.partition("(")[0])}


def _described(studied: Sequence[Studied]) -> dict[tuple[str, int], Described]:
    """Return what the store knows about its metrics."""
    return {key: one for s in studied for _, family in s.pairs for key, one in family.described.items()}


def provenance_of(store: Store, studied: Sequence[Studied]) -> dict[str, str | Mapping[str, str]]:
    """Return what was run where, for the last section of a page: key to text, or group to keys and texts.

    Args:
        store: the store that was read.
        studied: what was read of it.
    """
    described: dict[str, str | Mapping[str, str]] = {
        "zcbench": {
            "version": package_version("zcbench"), "source": source_digest(),
            "revision": revision() or "installed, not run from a git clone",
        },
        "store": str(store.path),
    }  # fmt: skip
    versions: dict[str, int] = {}
    for one in studied:
        families = {family.recipe.digest: family for _, family in one.pairs}
        for digest, family in families.items():
            name = one.found.name if len(families) == 1 else f"{one.found.name}, recipe {digest}"
            described |= {f"scores of {name}": _scores(family), f"architectures of {name}": _architectures(family)}
            versions |= {str(k): int(v) for k, v in family.frame.groupby("metric")["version"].max().items()}
        described[f"ground truth of {one.found.name}"] = {target.name: target.describe() for target, _ in one.pairs}
    described["analog-nasbench"] = package_version("analog-nasbench")
    known = _described(studied)
    described["metrics"] = {key: _cited(key, version, known) for key, version in sorted(versions.items())}
    if made := _made_of(versions):
        described["aggregates"] = {name: f"version {a.version}; {a.rule}; {a.cite}" for name, a in made.items()}
    for number, environment in enumerate(store.environments(), start=1):
        described[f"environment {number}"] = environment
    return described


def _scores(family: Family) -> dict[str, str]:
    recipe = family.recipe
    return {
        "dataset": f"{recipe.dataset}, {recipe.split} split",
        "mini-batch": f"{recipe.batch_size} images, seed {recipe.batch_seed}, digest {recipe.images}",
        "preprocessing": recipe.preprocessing, "initialisation": recipe.init, "dtype": recipe.dtype,
        **({"networks": recipe.network} if recipe.network else {}),
    }  # fmt: skip


def _architectures(family: Family) -> dict[str, str]:
    ids = sorted(family.frame["architecture"].unique())
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]
    return {"number": f"{len(ids):,}", "digest of the sorted ids": digest}


def _made_of(metrics: Iterable[str]) -> dict[str, Aggregate]:
    """Return the aggregates whose components are among metrics, however their parameters are chosen."""
    bare = {key.partition("(")[0] for key in metrics}
    return {name: one for name, one in sorted(aggregates().items()) if bare.issuperset(one.components)}


def _cited(key: str, version: int, described: Mapping[tuple[str, int], Described]) -> str:
    name = key.partition("(")[0]
    metric, stored = metrics().get(name), described.get((name, version))
    defaults = "" if metric is None else ", ".join(f"{k}={v}" for k, v in metric.defaults.items() if "(" not in key)
    cite = stored.cite if stored is not None else metric.cite if metric is not None else "not installed here"
    code = f"; code {stored.code}" if stored is not None and stored.code else ""
    return f"version {version}{f', {defaults}' if defaults else ''}; {cite}{code}"
