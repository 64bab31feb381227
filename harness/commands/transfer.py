"""``zcbench transfer``: how far scores made on one dataset, or for one task, serve the accuracies on others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import pandas as pd

from zcbench.harness.analysis.transfer import Transfer
from zcbench.harness.commands import _options, _studying, _targets
from zcbench.harness.commands._family import Wanted, benchmarks_in, read_stored
from zcbench.harness.commands._transferring import Carrying, carrying
from zcbench.harness.environment import package_version, revision, source_digest
from zcbench.harness.replace import write_text
from zcbench.harness.store import Store
from zcbench.reports.report import write
from zcbench.reports.transfer import report
from zcbench.reports.transfer_metrics import in_order

_SHOWN = ("spearman_own", "spearman_other", "loss", "deviation", "agreement")
"""Statistics over all sources and targets that are printed, in their order."""


@click.command("transfer")
@_options.store(default="scores.sqlite")
@_options.stored()
@_options.family(images=False)
@_options.truth(costs=False, default=_options.OF_THE_BENCHMARK)
@_options.statistics()
@click.option("--title", metavar="TEXT", help="Title of the page; default: one that names the benchmarks.")
@click.option("--out", type=_options.PATH, default="transfer", show_default=True, metavar="FOLDER",
              help="Folder for transfer.csv, index.html, report.md and tables/.")  # fmt: skip
def command(
    *, store_path: Path, benchmarks: tuple[str, ...], batch_size: int | None, init: str | None, network: str | None,
    resolution: int | None, targets: tuple[str, ...], sources: tuple[str, ...], splits: tuple[str, ...],
    epochs: tuple[str, ...], truth_file: Path | None, undefined: str, population: str, resamples: int,
    title: str | None, out: Path,
) -> None:
    """Compute from scores of the same architectures on several images, labels or tasks how they transfer.

    The sources are all that the store holds of a benchmark and that differ in nothing else: score with --dataset,
    --labels or --task given several times. Without --target the targets are all that the benchmark was trained on.

    \b
    Example:
        zcbench transfer --store s.sqlite --benchmark nasbench201 --target cifar10 --target cifar100 --out transfer
    """
    how = _studying.Statistics(undefined, population, resamples)
    with Store(store_path, create=False) as store:
        names = benchmarks_in(store, benchmarks)
        options = _targets.TruthOptions.of(names, targets, sources, splits, epochs, truth_file, costs=False)
        wanted = Wanted(batch_size=batch_size, init=init, network=network, resolution=resolution)
        chosen = [carrying(read_stored(store, name, wanted), options) for name in names]
        found = [one.analyse(how) for one in chosen]
        provenance = _provenance(store, chosen, how)
    page = write(report(found, title=title, provenance=provenance), out)
    frame = pd.concat([one.to_frame() for one in found], ignore_index=True)
    write_text(out / "transfer.csv", frame.to_csv(index=False, lineterminator="\n"))
    for one in found:
        _show(one)
    click.echo(f"written: {page} and {out / 'transfer.csv'}")


def _provenance(
    store: Store, chosen: Sequence[Carrying], how: _studying.Statistics
) -> dict[str, str | Mapping[str, str]]:
    versions: dict[str, int] = {}
    for family in (family for one in chosen for family in one.families.values()):
        versions |= {str(k): int(v) for k, v in family.frame.groupby("metric")["version"].max().items()}
    return {
        "zcbench": {
            "version": package_version("zcbench"), "source": source_digest(),
            "revision": revision() or "installed, not run from a git clone",
        },
        "store": str(store.path),
        "metrics": {key: f"version {version}" for key, version in sorted(versions.items())},
        "statistics": {
            "undefined scores": how.undefined, "population": how.population,
            "bootstrap": f"{how.resamples} resamples, seed 0",
        },
        **{f"environment {n}": one for n, one in enumerate(store.environments(), start=1)},
    }  # fmt: skip


def _show(found: Transfer) -> None:
    """Print the summary over metrics; those without any value are named, with the reason."""
    click.echo(f"benchmark: {found.benchmark}, {len(found.architectures)} architectures")
    click.echo(f"sources: {', '.join(source.name for source in found.sources)}")
    click.echo(f"targets: {', '.join(found.targets)}")
    shown = {metric: [found.estimate(metric, name).value for name in _SHOWN] for metric in in_order(found)}
    left_out = [metric for metric, values in shown.items() if all(map(math.isnan, values))]
    if len(left_out) < len(shown):
        width = max(len(m) for m in shown if m not in left_out)
        click.echo(f"{'metric':{width}}  own source  others    loss  deviation  agreement")
    for metric, (own, other, loss, deviation, agreement) in shown.items():
        if metric not in left_out:
            click.echo(f"{metric:{width}}  {own:10.3f}  {other:6.3f}  {loss:6.3f}  {deviation:9.3f}  {agreement:9.3f}")
    if left_out:
        why = found.reason(*left_out)
        click.echo(f"without any of these values: {', '.join(left_out)}{f'; mostly because: {why}' if why else ''}")
    click.echo()
