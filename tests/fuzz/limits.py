"""Run many cases in one process with an end to time and memory, and nothing executed that a file asks for."""

import contextlib
import errno
import gc
import io
import os
import re
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zcbench.harness import cli
from zcbench.harness.errors import one_line

SECONDS = 10
MEGABYTES = 500
"""What one case may add to the memory of the process, whose own 500 MB are mostly torch: far below 2 GB together."""

ROOM = 6 << 30
CODES = (0, 1, 2, 3)
LONGEST = 3_000
"""Characters of a line that somebody is to read."""

_WATCHED = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen", "socket.connect",
            "socket.bind", "socket.getaddrinfo", "webbrowser.open", "pty.spawn", "os.kill", "ctypes.dlopen", "os.chown",
            "os.symlink", "os.link")  # fmt: skip
_CHANGES = {"os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.truncate": 1, "os.chmod": 1,
            "shutil.rmtree": 1, "sqlite3.connect": 1}  # fmt: skip
"""What changes files, and how many of its arguments are paths."""


class Hang(BaseException):
    """A case took more than `SECONDS`: no `Exception`, so that nothing takes it for a damaged file."""


@dataclass(frozen=True)
class Fault:
    """What a case may not do.

    Attributes:
        kind: of the fault.
        text: the line or exception.
    """

    kind: str
    text: str

    @property
    def place(self) -> str:
        """The fault without what differs from case to case, to count different ones."""
        return f"{self.kind}: {re.sub(r'0x[0-9a-f]+|[0-9]+', 'N', self.text)[:120]}"


class Limits:
    """The limits of this process; made once.

    Args:
        folder: the only folder in which cases may write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = f"{folder.parent}/"
        self._events: list[str] = []
        self._named: list[str] = []
        self._watching = False
        sys.addaudithook(self._audit)
        signal.signal(signal.SIGALRM, self._late)
        used = _status("VmSize") * 1024
        resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        if event in _WATCHED:
            asks_git = event == "subprocess.Popen" and arguments[0] == "git"  # for the revision of zcbench itself
            itself = event == "ctypes.dlopen" and arguments[0] is None  # the program that runs already
            if not (asks_git or itself):
                self._events.append(f"{event} {arguments!r:.200}")
        for path in _changed(event, arguments):
            if f"{path}/".startswith(self._folder) or path == "/dev/null":
                continue
            if not any(_asked(path, place) for place in self._named):
                self._events.append(f"{event} of {path}")
            raise PermissionError(errno.EACCES, "no case changes anything outside of its folder", path)

    def _late(self, *_: object) -> None:
        raise Hang

    def fault(self, use: Callable[[], object], named: Sequence[str] = ()) -> tuple[str, Fault | None]:
        """Run one case.

        Args:
            use: the case.
            named: what the call itself names, paths among it: it may try to write there, and is not let.

        Returns:
            What the user sees of it, and the fault if it is one.
        """
        _reset_peak()
        before = _status("VmRSS")
        self._events.clear()
        self._named = [_whole(text) for text in named if "\0" not in text]
        self._watching = True
        said, found = "", None
        try:
            with _quiet() as (err, out, caught):
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
                try:
                    said = _said(use, err, out)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
        except Hang:
            found = Fault("hang", f"over {SECONDS} seconds")
        except BaseException as error:
            found = Fault(type(error).__name__, str(error))
        self._watching = False
        used = (_status("VmHWM") - before) // 1024
        if used > MEGABYTES:
            gc.collect()
            found = Fault("memory", f"{used} MB: {said[:100]}")
        if self._events:
            found = Fault("executed", self._events[0])
        if found is None and caught:
            found = Fault("warning", f"{caught[0].category.__name__}: {caught[0].message}")
        return said, found


def _changed(event: str, arguments: tuple[Any, ...]) -> Iterator[str]:
    """Yield the files and folders that are opened to write, made, moved or removed."""
    if event == "open":
        path, mode, flags = arguments
        writes = bool(set(mode) & set("wax+")) if mode is not None else flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        paths = (path,) if writes else ()
    elif event == "sqlite3.connect" and str(arguments[0]).startswith("file:"):  # with a mode that only reads
        paths = ()
    else:
        paths = arguments[: _CHANGES.get(event, 0)]
    for path in paths:
        if isinstance(path, str | bytes | os.PathLike) and path != ":memory:":  # not the number of an open file
            yield _whole(os.fsdecode(path))


def _whole(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - without "..", and nothing asked of the system in an audit hook


def _asked(path: str, place: str) -> bool:
    """Whether somebody who named a place asked for this file: it, what is beside or below it, or a folder around it."""
    around = place.rpartition("/")[0] + "/"
    return (path + "/").startswith(around) or around.startswith(path + "/")


def _said(use: Callable[[], object], err: io.StringIO, out: io.StringIO) -> str:
    """Return the exit code and the line of one use, after a look at both."""
    try:
        code, text = use(), ""
        if not isinstance(code, int):
            return "ok"
    except cli.click.exceptions.Exit as leave:
        code, text = leave.exit_code, ""
    except SystemExit as leave:
        code, text = leave.code, ""
    except Exception as error:
        code, text = cli.explain(error)
        text = one_line(text)
    written = err.getvalue()
    if "Traceback" in written:
        raise AssertionError(f"a traceback: {written[-300:]}")
    if text:
        lines = [text]
    else:
        lines = [line.removeprefix("zcbench: ") for line in written.splitlines() if line.startswith("zcbench: ")]
        if not lines and out.getvalue().startswith("the gate is incomplete"):  # its result says what is missing
            lines = out.getvalue().splitlines()[:1]
    if code not in CODES:
        raise AssertionError(f"exit code {code}: {' '.join(lines)[:300]}")
    helped = written.startswith("Usage: zcbench [OPTIONS]")  # no verb at all
    if code in (2, 3) and not helped and (len(lines) != 1 or not lines[0].strip()):
        raise AssertionError(f"{len(lines)} lines: {written[:300]!r}")
    for line in lines:
        if len(line) > LONGEST:
            raise AssertionError(f"a line of {len(line)} characters: {line[:100]}")
        if "MemoryError" in line or "out of memory" in line:
            raise AssertionError(f"memory over {ROOM >> 30} GB: {line[:200]}")
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", line):
            raise AssertionError(f"control characters: {line[:300]!r}")
    return f"{code} {' '.join(lines)}"


@contextlib.contextmanager
def _quiet() -> Iterator[tuple[io.StringIO, io.StringIO, list[warnings.WarningMessage]]]:
    err, out = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stderr(err),
        contextlib.redirect_stdout(out),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield err, out, caught


def _status(name: str) -> int:
    """Return a line of this process's status, in kB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found.group(1))


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")
