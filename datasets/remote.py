"""What a server says of a file, and what its answers and failures mean."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
from dataclasses import dataclass

from zcbench.datasets.manifest import OfficialFile
from zcbench.harness.errors import MissingFileError, ZcbenchError

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


class TryAgainError(Exception):
    """A fault that may pass: the download is worth another attempt."""


class StartAnewError(TryAgainError):
    """What has arrived is not the beginning of what the server has now."""


def version(url: str, answer: http.client.HTTPResponse, start: int) -> Version:
    """Return the version that an answer belongs to.

    Args:
        url: the address that was asked.
        answer: the answer, with status 200 or 206.
        start: the first byte that was asked for.
    """
    stated = answer.headers.get("Content-Range", "").rpartition("/")[2] if answer.status == 206 else ""
    length = answer.headers.get("Content-Length", "")
    total = int(stated) if stated.isdigit() else None
    if total is None and length.isdigit():
        total = int(length) + (start if answer.status == 206 else 0)
    return Version(url, answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""), total)


def expect(file: OfficialFile, offered: Version, answer: http.client.HTTPResponse) -> None:
    """Refuse an answer that cannot be the file, before any of it is written.

    Raises:
        ZcbenchError: if it is a web page, or of another length.
    """
    if answer.headers.get_content_type() == "text/html" and not file.name.endswith((".html", ".htm")):
        raise ZcbenchError(
            f"{offered.url} answers with a web page instead of {file.name}: open {file.page} in a browser, "
            "and give what you get with --from FOLDER"
        )
    if file.bytes is not None and offered.total is not None and offered.total != file.bytes:
        raise ZcbenchError(
            f"{offered.url} has {offered.total:,} bytes, but {file.name} has {file.bytes:,}: it is another file"
        )


def refused(file: OfficialFile, url: str, error: urllib.error.HTTPError, *, resuming: bool) -> Exception:
    """Return what an error status means: another attempt, another beginning, or one line for the user."""
    if error.code == 416 and resuming:
        return StartAnewError("the file is shorter on the server than what has arrived")
    said = f"HTTP {error.code} {' '.join(error.reason.split())}".strip()
    if error.code in PASSING or error.code >= 500:
        return TryAgainError(said)
    kind = MissingFileError if error.code in GONE else ZcbenchError
    return kind(f"cannot fetch {file.name} from {url}: {said}; see {file.page}, or name another place (--from)")


def broken(file: OfficialFile, url: str, error: Exception, timeout: float) -> Exception:
    """Return what a fault of the connection means: another attempt, or one line where none can help."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    cannot = f"cannot fetch {file.name} from {url}"
    if isinstance(reason, socket.gaierror | ssl.SSLCertVerificationError):
        why = "no network, or no such server" if isinstance(reason, socket.gaierror) else reason.verify_message
        return ZcbenchError(f"{cannot}: {why}; check the connection or name another place (--from)")
    if isinstance(reason, http.client.InvalidURL) or (isinstance(reason, OSError) and reason.filename is not None):
        return ZcbenchError(f"{cannot}: {reason}")
    if isinstance(reason, TimeoutError):
        return TryAgainError(f"nothing arrived for {timeout:g} seconds")
    return TryAgainError(" ".join(str(reason).split()) or type(reason).__name__)
