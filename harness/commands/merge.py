"""``zcbench merge``: the rows of several stores in one."""

from __future__ import annotations

from pathlib import Path

import click

from zcbench.harness import store_file, store_merge
from zcbench.harness.commands import _options
from zcbench.harness.store import Store
from zcbench.reports.text import plural


@click.command("merge")
@click.argument("out", type=_options.PATH, metavar="OUT")
@click.argument("sources", type=_options.PATH, nargs=-1, required=True, metavar="STORE...")
@click.option(
    "--keep-first",
    is_flag=True,
    help="Where stores hold another value for one row, keep that of the first of them instead of refusing.",
)
def command(*, out: Path, sources: tuple[Path, ...], keep_first: bool) -> None:  # fmt: skip
    """Add the rows of other stores to the store OUT, which is made where it does not exist.

    For machines that scored parts of one job, each into a store of its own. All rows are added or none, each once;
    rows that are in several stores must have the same bits. The other stores are only read, and merging them again
    changes nothing.

    \b
    Example:
        zcbench merge all.sqlite part1.sqlite part2.sqlite
    """
    for path in sources:
        store_file.check_path(path, create=False)
    with Store(out) as store:
        merged = store_merge.merge(store, sources, keep_first=keep_first)
        total = store.connection.execute("SELECT COUNT(*) FROM scores").fetchone()[0]
    for one in merged:
        differing = f", {one.differing} left out that differ" if one.differing else ""
        same = one.rows - one.new - one.differing
        click.echo(f"{one.path}: {plural(one.rows, 'row')}, {one.new} new, {same} were there before{differing}")
    click.echo(f"{out} holds {plural(total, 'row')}")
