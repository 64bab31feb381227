"""Run many cases in one process with an end to time and memory, and nothing executed that a file asks for."""

import contextlib
import gc
import io
import re
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
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
            "socket.bind", "socket.getaddrinfo", "webbrowser.open", "pty.spawn", "shutil.rmtree", "os.kill",
            "ctypes.dlopen", "os.chmod", "os.chown", "os.symlink", "os.link")  # fmt: skip
_IN_THE_FOLDER = ("os.chmod", "shutil.rmtree")  # of temporary files and folders


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
        self._folder = str(folder.parent)
        self._events: list[str] = []
        self._watching = False
        sys.addaudithook(self._audit)
        signal.signal(signal.SIGALRM, self._late)
        used = _status("VmSize") * 1024
        resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        if event in _WATCHED:
            inside = event in _IN_THE_FOLDER and str(arguments[0]).startswith(self._folder)
            asks_git = event == "subprocess.Popen" and arguments[0] == "git"  # for the revision of zcbench itself
            if not (inside or asks_git):
                self._events.append(f"{event} {arguments!r:.200}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path, mode = arguments[0], str(arguments[1])
            text = path if isinstance(path, str) else path.decode(errors="replace")
            inside = str(Path(text).absolute()).startswith(self._folder) or text == "/dev/null"
            if not inside and set(mode) & set("wax+"):
                self._events.append(f"writes {text}")

    def _late(self, *_: object) -> None:
        raise Hang

    def fault(self, use: Callable[[], object]) -> tuple[str, Fault | None]:
        """Run one case.

        Returns:
            What the user sees of it, and the fault if it is one.
        """
        _reset_peak()
        before = _status("VmRSS")
        self._events.clear()
        self._watching = True
        said, found = "", None
        try:
            with _quiet() as (err, caught):
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
                try:
                    said = _said(use, err)
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


def _said(use: Callable[[], object], err: io.StringIO) -> str:
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
def _quiet() -> Iterator[tuple[io.StringIO, list[warnings.WarningMessage]]]:
    err = io.StringIO()
    with (
        contextlib.redirect_stderr(err),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield err, caught


def _status(name: str) -> int:
    """Return a line of this process's status, in kB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found.group(1))


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")
