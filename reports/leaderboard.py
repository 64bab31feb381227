"""Renderer: a board of shared results as one static page that sorts, filters and opens from disk."""

import base64
import hashlib
from importlib import resources
from importlib.metadata import version

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from zcbench.harness.results.entry import LOWER_IS_BETTER, Board
from zcbench.reports import leaderboard_details as behind
from zcbench.reports import leaderboard_filters as choices
from zcbench.reports import leaderboard_rows as shown
from zcbench.reports.text import plural

_READ = (
    "The rank counts within the same statistic of the same slice of the same architectures against the same truth. "
    "Whiskers are 95 % intervals; overlapping whiskers alone do not settle which of two is better. A metric's name "
    "opens what its result rests on.",
    "The address of this page follows the filters, the sorting and the search: copied, it is a link to what you see. "
    "The number of a rank is a link to that result.",
)


def page(board: Board, title: str) -> str:
    """Return the page; it loads nothing, neither from the network nor from beside itself.

    The whole table is in the HTML, in the order of the board; the script only hides and reorders its rows. A policy in
    the page's head (Content Security Policy) allows that one script, by its digest, and no request at all.

    Args:
        board: what to show.
        title: heading of the page.
    """
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    anchors = behind.anchors(board.entries)
    rows, ticks = shown.rows(board.entries, anchors, board.disagreements)
    script = _template("leaderboard.js")
    return environment.get_template("leaderboard.html.j2").render(
        title=title,
        summary=_summary(board),
        facts=_facts(board),
        intro=_READ if board.entries else ("There is no result yet.",),
        columns=shown.columns(ticks),
        rows=rows,
        filters=choices.filters(board.entries),
        entries=behind.details(board.entries, anchors, board.disagreements),
        disputes=behind.disputes(board.entries, anchors, board.disagreements),
        notes=_notes(board),
        version=version("zcbench"),
        policy=_policy(script),
        style=Markup(_template("style.css") + _template("leaderboard.css")),
        script=Markup(script),
        safe=Markup,
    )


def _template(name: str) -> str:
    return resources.files("zcbench.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """Allow this script and styles in the page, an empty icon (none would be asked for), and nothing else."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _summary(board: Board) -> tuple[str, ...]:
    if not board.entries:
        return (f"{plural(board.files, 'file')}, no result.",)
    first = f"{choices.counted(board.entries)}, from {plural(board.files, 'file of results', 'files of results')}."
    return (first[0].upper() + first[1:],)


def _notes(board: Board) -> tuple[str, ...]:
    """What is to be known of the board, and of numbers that are read the other way round."""
    if not any(entry.statistic in LOWER_IS_BETTER for entry in board.entries):
        return board.notes
    return ("A regret is what is lost against the best, in the unit of the truth: low is good, and it has no bar.",
            *board.notes)  # fmt: skip


def _facts(board: Board) -> tuple[tuple[str, str], ...]:
    """How many results there are, how many were confirmed or are disputed, and by whom they are."""
    confirmed = sum(len(entry.submissions) > 1 for entry in board.entries)
    by = sorted({submission.by for entry in board.entries for submission in entry.submissions})
    disputed = plural(len(board.disagreements), "disagreement") if board.disagreements else "none"
    return (
        ("Results", plural(len(board.entries), "number")),
        ("Measured more than once", plural(confirmed, "number")),
        ("Disagreements", disputed),
        ("Handed in by", ", ".join(by) or "nobody"),
    )
