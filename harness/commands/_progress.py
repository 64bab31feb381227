"""How far a run is: a bar for those who watch, a line now and then for a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import click
from tqdm import tqdm

SILENCE = 60.0
"""Seconds after which a run that shows no bar says how far it is."""


class Progress:
    """Shows the progress of a run on standard error, and what becomes of a Ctrl-C."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._bar = tqdm(
            unit="arch", smoothing=0.05, dynamic_ncols=True, leave=True, file=sys.stderr, disable=not self._watched
        )
        self._started = self._said = time.monotonic()
        # The bar of tqdm goes by the time of day: set back, it would stand still until that time comes again.
        self._bar._time = time.monotonic
        if self._watched:
            self._bar.start_t = self._bar.last_print_t = self._started
        self._told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def __call__(self, done: int, total: int, interrupted: bool) -> None:
        """Take note of one more candidate.

        Args:
            done: candidates that are done.
            total: candidates in all.
            interrupted: whether Ctrl-C was pressed.
        """
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        now = time.monotonic()
        if not self._watched and now - self._said > SILENCE and done < total:
            self._said = now
            left = (now - self._started) / done * (total - done)
            click.echo(f"{done} of {total} architectures, about {left / 60:.0f} min left", err=True)
        if interrupted and not self._told:
            self._told = True
            self._bar.write("interrupted: finishing the current chunk; Ctrl-C again stops at once", file=sys.stderr)

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        self._bar.write(text, file=sys.stderr)
