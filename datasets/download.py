"""Download one file so that an interrupted download goes on where it stopped, and nothing wrong is kept.

What has arrived is in ``NAME.part``, and beside it ``NAME.part.json`` says of which version of the remote file
it is the beginning (ETag, date and length as the server stated them). The rest is asked for by a range request
that is conditional on that version (RFC 9110, sections 13.1.5 and 14), so that parts of two versions are never
glued together; a server that does not know ranges, or has another version, is read from the start.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pooch  # type: ignore[import-untyped,unused-ignore]
from tqdm import tqdm

from zcbench.datasets.inventory import in_words
from zcbench.datasets.manifest import OfficialFile
from zcbench.harness.errors import MissingFileError, ZcbenchError

CHUNK = 1 << 16
LONGEST_PAUSE = 30.0
GONE = (401, 403, 404, 410)
PASSING = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Version:
    """What identifies one version of a remote file, as its server stated it.

    Attributes:
        url: the address that was asked.
        etag: its ETag; empty if there was none.
        modified: its date; empty if there was none.
        total: its length in bytes; None if it was not stated.
    """

    url: str
    etag: str
    modified: str
    total: int | None

    @property
    def validator(self) -> str:
        """What a conditional range request may rest on: a strong ETag, else the date, else nothing."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class _TryAgainError(Exception):
    """A fault that may pass: the download is worth another attempt."""


class _StartAnewError(_TryAgainError):
    """What has arrived is not the beginning of what the server has now."""


@dataclass(kw_only=True)
class ResumableDownload:
    """A downloader for `pooch.retrieve`: called with an address, the file to write, and pooch's own object.

    Attributes:
        file: what is known of the file.
        part: where to keep what has arrived.
        timeout: seconds without a byte after which the connection counts as dead.
        retries: how many attempts in a row may bring nothing new before it is given up.
        pause: seconds before the second attempt; doubled for each further one.
        progress: show a progress bar on stderr; None: only on a terminal.
    """

    file: OfficialFile
    part: Path
    timeout: float = 30.0
    retries: int = 5
    pause: float = 1.0
    progress: bool | None = None
    _resumed: bool = field(default=False, init=False)

    def __call__(self, url: str, output_file: str, pooch: object) -> None:  # noqa: ARG002  # pooch's interface
        """Fetch the address into the file; it is written only when all of it has arrived and is right.

        Raises:
            MissingFileError: if the server does not have it, or does not hand it out.
            ZcbenchError: if it cannot be reached, or what it sends is not the file.
        """
        with _Bar(self.file.name, self.progress) as bar:
            self._fetch(url, bar)
            if wrong := self._wrong():
                again = self._resumed
                self._discard()
                if again:  # the beginning may have been of another version, or damaged on disk
                    self._fetch(url, bar)
                    wrong = self._wrong()
                if wrong:
                    self._discard()
                    raise ZcbenchError(f"what {url} sends is not {self.file.name}: {wrong}; nothing of it was kept")
        self.part.replace(output_file)
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.part.with_name(self.part.name + ".json")

    def _fetch(self, url: str, bar: _Bar) -> None:
        """Make attempts until all has arrived, or too many in a row brought nothing new."""
        failures, best = 0, self._arrived()
        while True:
            try:
                return self._attempt(url, bar)
            except _TryAgainError as error:
                if isinstance(error, _StartAnewError):
                    self._discard()
                arrived = self._arrived()
                failures, best = (0, arrived) if arrived > best else (failures + 1, best)
                if failures > self.retries:
                    raise self._given_up(url, error, failures) from error
                time.sleep(min(self.pause * 2 ** max(0, failures - 1), LONGEST_PAUSE))

    def _given_up(self, url: str, error: Exception, failures: int) -> ZcbenchError:
        arrived = self._arrived()
        kept = f"the {in_words(arrived)} that arrived are kept: the same command goes on from there" if arrived else ""
        times = f"{failures} attempts in a row" if failures > 1 else "1 attempt"
        return ZcbenchError(
            f"cannot fetch {self.file.name} from {url}: {error} ({times}); "
            f"{kept or 'try again later, or another place (--from)'}"
        )

    def _attempt(self, url: str, bar: _Bar) -> None:
        known = self._known(url)
        start = self._arrived() if known else 0
        if known and known.total == start:
            return
        headers = {"User-Agent": "zcbench", "Accept-Encoding": "identity"}
        if known:
            headers |= {"Range": f"bytes={start}-", "If-Range": known.validator}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=self.timeout) as answer:
                self._take(url, answer, known, start, bar)
        except urllib.error.HTTPError as error:
            error.close()
            self._refused(url, error.code, error.reason, resuming=known is not None)
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            self._broken(url, error)

    def _take(self, url: str, answer: http.client.HTTPResponse, known: Version | None, start: int, bar: _Bar) -> None:
        """Write the body of an answer, behind what has arrived or from the start, and check its length."""
        goes_on = answer.status == 206
        version = _version(url, answer, start)
        if goes_on:
            stated = (answer.headers.get("Content-Range") or "").partition("/")[0]
            other = known is None or version.total != known.total or version.etag not in ("", known.etag)
            if other or not stated.startswith(f"bytes {start}-"):
                raise _StartAnewError("the file changed on the server while it was fetched")
            self._resumed = True
        else:
            start = 0
            self._expect(url, version, answer)
            self._note.write_text(json.dumps(asdict(version)), encoding="utf-8")
        self._enough_room(version.total, start)
        bar.at(start, version.total)
        with self.part.open("ab" if goes_on else "wb") as file:
            _copy(answer, file, bar)
        arrived = self._arrived()
        if version.total is not None and arrived < version.total:
            raise _TryAgainError(f"the connection ended after {arrived:,} of {version.total:,} bytes")
        if version.total is not None and arrived > version.total:
            raise _StartAnewError(f"the server sent more than the {version.total:,} bytes that it announced")

    def _expect(self, url: str, version: Version, answer: http.client.HTTPResponse) -> None:
        """Refuse an answer that cannot be the file before it is written."""
        if answer.headers.get_content_type() == "text/html" and not self.file.name.endswith((".html", ".htm")):
            raise ZcbenchError(
                f"{url} answers with a web page instead of {self.file.name}: open {self.file.page} in a browser, "
                "and give what you get with --from FOLDER"
            )
        if self.file.bytes is not None and version.total not in (None, self.file.bytes):
            raise ZcbenchError(
                f"{url} has {version.total:,} bytes, but {self.file.name} has {self.file.bytes:,}: it is another file"
            )

    def _enough_room(self, total: int | None, start: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if total is not None and total - start > free:
            raise ZcbenchError(
                f"{self.file.name} needs {in_words(total - start)} more, but {self.part.parent} has {in_words(free)} "
                "left: choose another folder (--to)"
            )

    def _refused(self, url: str, code: int, reason: str, *, resuming: bool) -> None:
        if code == 416 and resuming:
            raise _StartAnewError("the file is shorter on the server than what has arrived")
        said = f"HTTP {code} {reason}".strip()
        if code in PASSING or code >= 500:
            raise _TryAgainError(said)
        where = f"see {self.file.page}, or name another place (--from)"
        kind = MissingFileError if code in GONE else ZcbenchError
        raise kind(f"cannot fetch {self.file.name} from {url}: {said}; {where}")

    def _broken(self, url: str, error: Exception) -> None:
        """Turn a fault of the connection into another attempt, or into one line where none can help."""
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, socket.gaierror | ssl.SSLCertVerificationError):
            why = "no network, or no such server" if isinstance(reason, socket.gaierror) else reason.verify_message
            raise ZcbenchError(
                f"cannot fetch {self.file.name} from {url}: {why}; check the connection or name another place (--from)"
            ) from error
        if isinstance(reason, http.client.InvalidURL) or (isinstance(reason, OSError) and reason.filename is not None):
            raise ZcbenchError(f"cannot fetch {self.file.name} from {url}: {reason}") from error
        if isinstance(reason, TimeoutError):
            raise _TryAgainError(f"nothing arrived for {self.timeout:g} seconds") from error
        raise _TryAgainError(" ".join(str(reason).split()) or type(reason).__name__) from error

    def _wrong(self) -> str:
        """Say what is wrong with a file that has arrived whole; nothing if it is right."""
        arrived = self._arrived()
        if self.file.bytes is not None and arrived != self.file.bytes:
            return f"{arrived:,} bytes arrived instead of {self.file.bytes:,}"
        return mismatch(self.part, self.file.checksum)

    def _arrived(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _known(self, url: str) -> Version | None:
        """Return the version that has begun to arrive, if the download can go on behind it."""
        try:
            version = Version(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return version if version.url == url and version.validator and self._arrived() else None

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self._resumed = False


def mismatch(path: Path, checksum: str) -> str:
    """Say how a file differs from its checksum; nothing if it does not, or if the checksum is empty."""
    if not checksum:
        return ""
    algorithm, _, expected = checksum.partition(":")
    got = str(pooch.file_hash(str(path), alg=algorithm))
    return "" if got == expected else f"its {algorithm} is {got} instead of {expected}"


def _version(url: str, answer: http.client.HTTPResponse, start: int) -> Version:
    stated = answer.headers.get("Content-Range", "").rpartition("/")[2] if answer.status == 206 else ""
    length = answer.headers.get("Content-Length", "")
    total = int(stated) if stated.isdigit() else None
    if total is None and length.isdigit():
        total = int(length) + (start if answer.status == 206 else 0)
    return Version(url, answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""), total)


def _copy(answer: http.client.HTTPResponse, file: IO[bytes], bar: _Bar) -> None:
    while chunk := answer.read1(CHUNK):  # whatever is there: a stalled connection loses nothing that arrived
        try:
            file.write(chunk)
            file.flush()  # what a kill leaves behind is then what has arrived
        except OSError as error:  # of our disk, not of the connection
            raise ZcbenchError(f"cannot write {file.name}: {error.strerror or error}") from error
        bar.add(len(chunk))


class _Bar:
    """A progress bar that can also be set back, when a download starts anew."""

    def __init__(self, name: str, progress: bool | None) -> None:
        disable = None if progress is None else not progress
        self._bar: Any = tqdm(desc=name, unit="B", unit_scale=True, disable=disable, leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()

    def at(self, arrived: int, total: int | None) -> None:
        """Set the bar to what has arrived already."""
        self._bar.total, self._bar.n, self._bar.initial = total, arrived, arrived
        self._bar.refresh()

    def add(self, number: int) -> None:
        """Move the bar on."""
        self._bar.update(number)
