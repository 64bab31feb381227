"""Ctrl-C at a moment when an interruption would do harm."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c_held_back() -> Iterator[None]:
    """Let a Ctrl-C that comes inside take effect only afterwards.

    Processes that are started inside never hear one, also while they import: a terminal sends it to all
    of them, but the parent decides when its workers end. On Windows it takes effect at once.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
