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
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tqdm import tqdm

from zcbench.datasets import remote
from zcbench.datasets.checksum import mismatch
from zcbench.datasets.inventory import in_words
from zcbench.datasets.manifest import OfficialFile
from zcbench.harness.errors import ZcbenchError

CHUNK = 1 << 16
LONGEST_PAUSE = 30.0


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
            except remote.TryAgainError as error:
                if isinstance(error, remote.StartAnewError):
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
            raise remote.refused(self.file, url, error, resuming=known is not None) from error
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            raise remote.broken(self.file, url, error, self.timeout) from error

    def _take(
        self, url: str, answer: http.client.HTTPResponse, known: remote.Version | None, start: int, bar: _Bar
    ) -> None:
        """Write the body of an answer, behind what has arrived or from the start, and check its length."""
        goes_on = answer.status == 206
        version = remote.version(url, answer, start)
        if goes_on:
            stated = (answer.headers.get("Content-Range") or "").partition("/")[0]
            other = known is None or version.total != known.total or version.etag not in ("", known.etag)
            if other or not stated.startswith(f"bytes {start}-"):
                raise remote.StartAnewError("the file changed on the server while it was fetched")
            self._resumed = True
        else:
            start = 0
            remote.expect(self.file, version, answer)
            self._note.write_text(json.dumps(asdict(version)), encoding="utf-8")
        self._enough_room(version.total, start)
        bar.at(start, version.total)
        with self.part.open("ab" if goes_on else "wb") as file:
            _copy(answer, file, bar)
        arrived = self._arrived()
        if version.total is not None and arrived < version.total:
            raise remote.TryAgainError(f"the connection ended after {arrived:,} of {version.total:,} bytes")
        if version.total is not None and arrived > version.total:
            raise remote.StartAnewError(f"the server sent more than the {version.total:,} bytes that it announced")

    def _enough_room(self, total: int | None, start: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if total is not None and total - start > free:
            raise ZcbenchError(
                f"{self.file.name} needs {in_words(total - start)} more, but {self.part.parent} has {in_words(free)} "
                "left: choose another folder (--to)"
            )

    def _wrong(self) -> str:
        """Say what is wrong with a file that has arrived whole; nothing if it is right."""
        arrived = self._arrived()
        if self.file.bytes is not None and arrived != self.file.bytes:
            return f"{arrived:,} bytes arrived instead of {self.file.bytes:,}"
        return mismatch(self.part, self.file.checksum)

    def _arrived(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _known(self, url: str) -> remote.Version | None:
        """Return the version that has begun to arrive, if the download can go on behind it."""
        try:
            version = remote.Version(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        if [type(part) for part in (version.url, version.etag, version.modified)] != [str] * 3:
            return None
        if type(version.total) is not int and version.total is not None:
            return None
        return version if version.url == url and version.validator and self._arrived() else None

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self._resumed = False


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
