"""``zcbench plan``: which passes a set of metrics takes."""

from __future__ import annotations

import json
from typing import Any

import click

from zcbench.harness.commands import _options
from zcbench.harness.passes.plan import Plan, plan
from zcbench.harness.passes.spec import counted
from zcbench.harness.registry import select
from zcbench.reports.text import plural


@click.command("plan")
@click.option("--metrics", default="standard", show_default=True, metavar="LIST", help="Metrics, groups, or files "
              "like my_metric.py.")  # fmt: skip
@_options.include_path()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(metrics: str, as_json: bool) -> None:
    """Show which forward and backward passes a set of metrics takes, without running any.

    \b
    Example:
        zcbench plan --metrics snip,synflow --json
    """
    chosen = select(metrics)
    shared = plan(q for m in chosen for q in m.needs.quantities())
    alone = [plan(m.needs.quantities()).totals for m in chosen]
    described: dict[str, Any] = {
        "metrics": [m.key for m in chosen],
        **shared.to_dict(),
        "alone": {key: sum(totals[key] for totals in alone) for key in ("forwards", "backwards")},
    }
    if as_json:
        click.echo(json.dumps(described, indent=2))
        return
    click.echo(f"{plural(len(chosen), 'metric')}: {', '.join(described['metrics'])}")
    in_words = any(p.passes.words for p in shared.procedures) or _carried(shared)
    more = ", besides what is said in words below" if in_words else ""
    click.echo(f"{_total(described['totals'])}{more}; one metric at a time: {_total(described['alone'])}")
    _show(shared, described)


def _carried(shared: Plan) -> bool:
    return any(backward.carried for one in shared.passes for backward in one.backwards)


def _total(numbers: dict[str, int]) -> str:
    return counted(**numbers) or "no pass"


def _show(shared: Plan, described: dict[str, Any]) -> None:
    """Print every pass, and what runs on it."""
    for one in described["passes"]:
        click.echo(f"\nforward: {one['forward']}")
        for name in one["recorded"]:
            click.echo(f"    record {name}")
        for backward in one["backwards"]:
            more = " + Hessian-vector product" if backward["hessian_vector_product"] else ""
            more += " + derivatives carried forwards" if backward["derivatives_carried_forwards"] else ""
            click.echo(f"    backward of {backward['target']}{more}: {', '.join(backward['quantities'])}")
    if described["procedures"]:
        click.echo("\nwith passes of their own:")
    for procedure in shared.procedures:
        click.echo(f"    {type(procedure).__name__}: {procedure.passes}")
    if described["static"]:
        click.echo(f"\nwithout a pass: {', '.join(described['static'])}")
