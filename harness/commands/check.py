"""``zcbench check``: the contracts of a metric, tried on it and explained."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from importlib.metadata import version

import click

from zcbench.harness.checking.check import Examination, Finding, check
from zcbench.harness.commands import _options
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.registry import select

SCHEMA = 1
"""Version of the form of ``--json``; rises when a field changes its meaning or goes away."""

WIDTH = 110
WORDS = {True: "holds", False: "BROKEN", None: "not judged"}
COLOURS = {True: "green", False: "red", None: "yellow"}


@click.command("check")
@click.argument("metrics", nargs=-1, required=True, metavar="FILE.py[:NAME]...")
@_options.include_path()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@click.pass_context
def command(ctx: click.Context, metrics: tuple[str, ...], as_json: bool) -> None:
    """Try the contracts that every metric keeps on small networks, and report how its score behaves.

    Takes files with metrics, decorated with @metric or plain functions def my_metric(network, inputs, targets)
    -> float, and names of installed metrics. It needs no data and takes less than a minute for a metric that costs
    about as much as grad_norm.

    Exit code: 0 all contracts hold, 1 one is broken, 2 a file cannot be used.

    \b
    Example:
        zcbench check my_metric.py
    """
    found = []
    try:
        for metric in select(",".join(metrics)):
            found.append(check(metric))
            if not as_json:
                _show(found[-1])
    except SystemExit as leave:
        raise ZcbenchError(
            f"{', '.join(metrics)} ends the program (sys.exit): put what is no metric under "
            'if __name__ == "__main__":, and raise Undefined where a metric has no value'
        ) from leave
    if as_json:
        content = {"schema": SCHEMA, "zcbench": version("zcbench"), "metrics": [one.to_dict() for one in found]}
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
    ctx.exit(1 if any(one.broken for one in found) else 0)


def _show(one: Examination) -> None:
    click.secho(f"{one.metric} version {one.version}", bold=True)
    click.echo(_filled(f"{one.description}; {one.file}", ""))
    for finding in one.findings:
        click.secho(f"  {WORDS[finding.holds]:<10}", fg=COLOURS[finding.holds], nl=False)
        click.echo(f"  {finding.contract}")
        for name, text in _said(finding):
            click.echo(_filled(text, f"{name + ':':<12}" if name else ""))
    if one.behaviour:
        click.secho("  reported, neither right nor wrong", bold=True)
    for behaviour in one.behaviour:
        click.echo(_filled(f"{behaviour.change}: {behaviour.answer}", "- "))
    for note in one.notes:
        click.echo(_filled(note, "- "))
    click.secho(_sum(one), fg=COLOURS[not one.broken], bold=True)
    click.echo()


def _said(finding: Finding) -> Iterator[tuple[str, str]]:
    """Give what there is to say: one line where a contract holds, the whole story where it does not."""
    if finding.holds is not False:
        yield "", finding.came_out
        return
    yield from (
        ("done", finding.done), ("came out", finding.came_out), ("expected", finding.expected),
        ("the cause", "probably: " + finding.cause), ("to mend it", finding.mend),
    )  # fmt: skip


def _filled(text: str, label: str) -> str:
    indent = " " * (14 if label != "- " else 4)
    return textwrap.fill(
        text, WIDTH, initial_indent=indent + label, subsequent_indent=indent + " " * len(label),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _sum(one: Examination) -> str:
    judged = [finding for finding in one.findings if finding.holds is not None]
    if one.broken:
        names = "; ".join(finding.contract for finding in one.broken)
        return f"{one.metric}: {len(one.broken)} of {len(judged)} contracts broken: {names}"
    left = len(one.findings) - len(judged)
    return f"{one.metric}: all {len(judged)} contracts hold" + (f", {left} could not be judged" if left else "")
