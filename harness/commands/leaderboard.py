"""``zcbench leaderboard``: shared results of several people as one static page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from zcbench.harness.commands import _options
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.replace import write_text
from zcbench.harness.results.entry import Board
from zcbench.harness.results.merge import merge
from zcbench.harness.results.read import Found, read
from zcbench.reports import leaderboard
from zcbench.reports.text import listed, plural


@click.command("leaderboard")
@click.argument("folders", type=_options.PATH, nargs=-1, required=True, metavar="FOLDER...")
@click.option("--out", type=_options.PATH, default="leaderboard.html", show_default=True, metavar="FILE",
              help="The page.")
@click.option("--title", default="Training-free NAS metrics", show_default=True, metavar="TEXT", help="Its title.")
@click.option("--strict", is_flag=True, help="Leave with exit code 1 if results disagree; the page is written anyway.")
def command(*, folders: tuple[Path, ...], out: Path, title: str, strict: bool) -> None:  # fmt: skip
    """Read every shared result in the folders, merge what agrees, name what does not, and write the page.

    Results are what zcbench results writes, from any number of people and machines. The page opens from disk and
    needs no network.

    \b
    Example:
        zcbench leaderboard results --out leaderboard.html
    """
    found = read(folders)
    _check(found, folders)
    notes = [f"left out: {one}" for one in found.ignored]
    board = merge(found.results, notes=notes)
    _say(board)
    write_text(out, leaderboard.page(board, title))
    click.echo(f"written: {out}")
    if strict and board.disagreements:
        click.get_current_context().exit(1)


def _check(found: Found, folders: Sequence[Path]) -> None:
    """Refuse to make a page where a result cannot be read, or there is none.

    Raises:
        ZcbenchError: naming the file, or the folders.
    """
    if len(found.refused) == 1:
        raise ZcbenchError(found.refused[0])
    if found.refused:
        for line in found.refused:
            click.echo(f"error: {line}", err=True)
        raise ZcbenchError(f"{len(found.refused)} files above are no valid results: mend or remove them")
    if not found.results:
        others = f" ({plural(len(found.ignored), 'other JSON file')})" if found.ignored else ""
        named = listed([str(folder) for folder in folders])
        raise ZcbenchError(f"there is no shared result in {named}{others}: write some with zcbench results")


def _say(board: Board) -> None:
    """Say what was found."""
    people = sorted({one.by for entry in board.entries for one in entry.submissions})
    versions = {(entry.metric.name, entry.metric.version) for entry in board.entries}
    confirmed = sum(len(entry.submissions) > 1 for entry in board.entries)
    click.echo(
        f"read: {plural(board.files, 'file')} of {plural(len(versions), 'metric')} from {listed(people)}; "
        f"{plural(len(board.entries), 'row')}, {confirmed} of them confirmed; "
        f"{plural(len(board.disagreements), 'disagreement')}",
        err=True,
    )
    for note in board.notes:
        click.echo(f"note: {note}", err=True)
    for one in board.disagreements:
        click.echo(f"disagreement: {one.sentence}", err=True)
