"""The errors that a user may see: one line each, with the exit code that scripts rely on."""

import difflib
from collections.abc import Iterable


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


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``' Did you mean "x"?'`` for the closest known names, or the list of all of them.

    Args:
        name: the name that was not found.
        known: the names that exist.
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return " Did you mean " + " or ".join(f'"{c}"' for c in close) + "?"
    return f" Known: {', '.join(known)}." if known else ""


def unknown(what: str, name: str, known: Iterable[str]) -> ZcbenchError:
    """Return the error for an unknown name, with the nearest known ones."""
    return ZcbenchError(f'unknown {what} "{name}".{did_you_mean(name, known)}')


def in_words(error: BaseException) -> str:
    """Return kind and text of any exception in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
