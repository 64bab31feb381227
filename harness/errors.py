"""The errors that a user may see: one line each, with the exit code that scripts rely on."""

import difflib
from collections.abc import Iterable

LONGEST = 2_000
"""Characters of a line that a terminal shows; of a longer one the middle is left out."""


class ZcbenchError(Exception):
    """Bad input: the message says in one line what is wrong and what to do.

    Attributes:
        exit_code: the exit code of the command line for this kind of error.
    """

    exit_code = 2


class MissingFileError(ZcbenchError):
    """A file or folder that was asked for is not there."""

    exit_code = 3


class UnsafeFileError(ZcbenchError):
    """A file asks to run code, or to build an object that its format does not contain."""


def one_line(text: str) -> str:
    """Return a text without line breaks, and with what a terminal would obey or not show written out.

    Names of files and what damaged files hold are part of messages: a line must neither clear the screen nor change
    the direction in which it is read.
    """
    words = " ".join(text.split())
    if not words.isprintable():
        words = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    return words if len(words) <= LONGEST else f"{words[: LONGEST // 2]} [...] {words[-LONGEST // 2 :]}"


def shown(text: str, longest: int = 60) -> str:
    """Return a text of somebody else in quotes, its end left out where it is long."""
    return repr(text if len(text) <= longest else text[: longest - 3] + "...")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``' Did you mean "x"?'`` for the closest known names, or the list of all of them.

    Args:
        name: the name that was not found.
        known: the names that exist.
    """
    known, name = sorted(known), name[:200]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return " Did you mean " + " or ".join(f'"{c}"' for c in close) + "?"
    return f" Known: {', '.join(known)}." if known else ""


def unknown(what: str, name: str, known: Iterable[str]) -> ZcbenchError:
    """Return the error for an unknown name, with the nearest known ones."""
    name = name if len(name) <= 200 else name[:197] + "..."
    return ZcbenchError(f'unknown {what} "{name}".{did_you_mean(name, known)}')


def in_words(error: BaseException) -> str:
    """Return kind and text of any exception in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
