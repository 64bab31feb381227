"""``zcbench list``: what there is to name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from zcbench.datasets import images
from zcbench.datasets import registry as of_benchmarks
from zcbench.datasets.registry import benchmarks
from zcbench.harness import aggregate as of_aggregates
from zcbench.harness import options
from zcbench.harness import registry as of_metrics
from zcbench.harness.aggregate import aggregates
from zcbench.harness.commands._options import OneOf, include_path
from zcbench.harness.initialise import INITIALISATIONS
from zcbench.harness.plugins import Offer
from zcbench.harness.registry import GROUPS, groups, metrics
from zcbench.reports import plugins as of_reports

PLUGINS: dict[str, Callable[[], Sequence[Offer[Any]]]] = {
    of_metrics.ENTRY_POINTS: of_metrics.offers,
    of_aggregates.ENTRY_POINTS: of_aggregates.offers,
    of_benchmarks.GROUP: of_benchmarks.offers,
    of_reports.GROUP: of_reports.offers,
}
"""The entry-point groups in which other packages offer something, and what they offer."""


def _metrics() -> None:
    width = max(map(len, metrics()))
    for name, metric in metrics().items():
        parameters = ", ".join(f"{k}={v}" for k, v in metric.parameters.items())
        click.echo(f"{name:{width}}  v{metric.version}  {metric.cite}")
        own = metric.own_passes
        more = (f" Parameters: {parameters}." if parameters else "") + (f" Passes of its own: {own}." if own else "")
        click.echo(f"{'':{width}}      {metric.caveats}{more}")


def _groups() -> None:
    for name, members in groups().items():
        made = aggregates().get(name)
        what = GROUPS[name] if made is None else f"the components of an aggregate, {made.rule}: {made.cite}"
        click.echo(f"{name} ({len(members)}): {what}\n    {', '.join(members)}")


def _benchmarks() -> None:
    for name, found in benchmarks().items():
        click.echo(f"{name}  {len(found.space):,} architectures; trained on {', '.join(found.datasets)}")
        click.echo(f"    for example {found.space.sample(1, seed=0)[0]}")
        click.echo(f"    populations: {', '.join(found.populations)}; default split: {found.default_split}")
        help_texts = options.described(found.space)
        for option, value in found.space.network.items():
            chosen = f"--task {value}" if option == "task" else f"--network {options.joined({option: value})}"
            click.echo(f"    {chosen}: {help_texts.get(option, '')}")


def _datasets() -> None:
    for name, info in images.datasets().items():
        where = "needs image files: --images FOLDER" if info.needs_files else "comes with the installation"
        click.echo(f"{name}  {info.classes} classes, 3x{info.side}x{info.side}; {where}")


def _inits() -> None:
    for init in INITIALISATIONS.values():
        click.echo(f"{init}  {(init.draw.__doc__ or '').splitlines()[0]}")


def _plugins() -> None:
    """Every entry point of other packages, and whether it can be loaded."""
    found = [(group, offer) for group, offers in PLUGINS.items() for offer in offers()]
    for group, offer in found:
        package = f" of {offer.package}" if offer.package else ""
        state = f"cannot be loaded: {offer.why}" if offer.why else "loaded"
        click.echo(f"{group}: {offer.name}{package}; {state}")
    if not found:
        click.echo(f"none; installed packages offer them in the entry-point groups {', '.join(PLUGINS)}")


KINDS: dict[str, Callable[[], None]] = {
    "metrics": _metrics,
    "groups": _groups,
    "benchmarks": _benchmarks,
    "datasets": _datasets,
    "inits": _inits,
    "plugins": _plugins,
}


@click.command("list")
@click.argument("kind", required=False, type=OneOf("kind", list(KINDS)), metavar="[KIND]")
@include_path()
def command(kind: str | None) -> None:
    """List what there is: metrics, groups, benchmarks, datasets (of images), inits and plugins; without a KIND all.

    \b
    Example:
        zcbench list metrics
    """
    for name, show in KINDS.items():
        if kind in (None, name):
            if kind is None:
                click.secho(f"{name}:", bold=True)
            show()
            if kind is None:
                click.echo()
