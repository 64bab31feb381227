"""Standard error whose reader may have left: what cannot be said must not end what can still be computed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class _Forgiving:
    """A text stream that falls silent at the first error of the system instead of raising it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._silent = False

    def write(self, text: str) -> int:
        if not self._silent:
            try:
                return self._stream.write(text)
            except OSError:
                self._silent = True
        return len(text)

    def flush(self) -> None:
        if not self._silent:
            try:
                self._stream.flush()
            except OSError:
                self._silent = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def heard_or_not() -> Iterator[None]:
    """Let nothing inside fail because standard error cannot be written: a closed pipe or terminal, a full disk."""
    before = sys.stderr
    if before is None:  # a program without a terminal may have none
        yield
        return
    sys.stderr = _Forgiving(before)
    try:
        yield
    finally:
        sys.stderr = before
