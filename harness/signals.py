"""Ctrl-C at a moment when an interruption would do harm, and other requests to end taken for one."""

from __future__ import annotations

import signal
import threading
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


@contextmanager
def endings_as_ctrl_c() -> Iterator[None]:
    """Take a SIGTERM (a scheduler's request to end) and a SIGHUP (a terminal that is gone) for a Ctrl-C.

    So the current chunk is finished and written. What ``nohup`` has set to be ignored stays ignored. Only the main
    thread can do this; in another one nothing changes.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, signal.SIG_DFL, None):
        raise KeyboardInterrupt  # a shell starts what runs in the background with SIGINT ignored
    signal.raise_signal(signal.SIGINT)  # not before it is let through, where it is held back
