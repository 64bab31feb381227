"""Fetching from a server that truncates, corrupts, redirects, stalls, changes its mind and fails; never a real one."""

import hashlib
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from zcbench.datasets import download
from zcbench.datasets.fetch import Fetched, Options, fetch, wanted
from zcbench.datasets.manifest import Manifest, OfficialFile
from zcbench.harness.errors import MissingFileError, ZcbenchError

CONTENT = hashlib.shake_256(b"a file of a benchmark").digest(300_000)
OTHER = hashlib.shake_256(b"the next version of it").digest(310_000)
HALF = len(CONTENT) // 2
QUICK = Options(timeout=30, retries=2, pause=0.01, progress=False)
HASTY = replace(QUICK, timeout=0.5)
"""For servers that say nothing; all others are given time, or a busy machine would be taken for one of them."""


@dataclass
class Asked:
    """One request as it arrived."""

    path: str
    range: str | None
    if_range: str | None


@dataclass
class Plan:
    """What the server does: one word of the script for each request, then ``whole`` for ever."""

    script: list[str] = field(default_factory=list)
    content: bytes = CONTENT
    etag: str | None = '"one"'
    modified: str | None = None
    knows_ranges: bool = True
    heeds_if_range: bool = True
    asked: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    plan: Plan

    def do_GET(self) -> None:
        plan = self.plan
        plan.asked.append(Asked(self.path, self.headers["Range"], self.headers["If-Range"]))
        word = plan.script.pop(0) if plan.script else "whole"
        self.close_connection = True
        if word.isdigit():
            self.send_response(int(word))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif word.startswith("to:"):
            self.send_response(302)
            self.send_header("Location", word[3:])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif word == "hang up":
            self.connection.close()
        elif word == "mute":
            plan.released.wait(60)
        else:
            self._send(word)

    def _send(self, word: str) -> None:
        plan, start = self.plan, 0
        if word == "change":
            plan.content, plan.etag = OTHER, '"two"'
        same = self.headers["If-Range"] in (plan.etag, plan.modified) or not plan.heeds_if_range
        if self.headers["Range"] and plan.knows_ranges and same:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(plan.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(plan.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(plan.content) - 1}/{len(plan.content)}")
        else:
            self.send_response(200)
        body = plan.content[start:]
        self.send_header("Content-Type", "text/html" if word == "page" else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (("ETag", plan.etag), ("Last-Modified", plan.modified)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        if word in ("half", "stall"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if word == "stall":
                plan.released.wait(60)
            return
        self.wfile.write(bytes([body[0] ^ 1]) + body[1:] if word == "corrupt" else b"" if word == "silent" else body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the plan."""


@dataclass
class Place:
    """A server, its plan, and the address of a file on it."""

    plan: Plan
    address: str

    @property
    def url(self) -> str:
        return f"{self.address}/file.bin"


@pytest.fixture
def server() -> Iterator[Place]:
    plan = Plan()
    running = Server(("127.0.0.1", 0), type("Planned", (Handler,), {"plan": plan}))
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield Place(plan, f"http://127.0.0.1:{running.server_address[1]}")
    plan.released.set()
    running.shutdown()
    running.server_close()
    thread.join()


def official(*urls: str, content: bytes = CONTENT, known: bool = True, **more: Any) -> Manifest:
    """A manifest of one file, with or without checksum and length."""
    facts: dict[str, Any] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} if known else {}
    file = OfficialFile(
        name="file.bin", kind="file", page="https://example.org/page", licence="MIT", urls=urls, **(facts | more)
    )
    return Manifest(name="bench", title="Bench", paper="A paper", files=(file,))


def get(manifest: Manifest, to: Path, options: Options = QUICK) -> Fetched:
    return fetch(manifest, "file.bin", to, options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(manifest: Manifest, to: Path, *said: str, options: Options = QUICK, kind: Any = ZcbenchError) -> str:
    with pytest.raises(ZcbenchError) as caught:
        get(manifest, to, options)
    text = str(caught.value)
    assert type(caught.value) is kind
    assert len(text.splitlines()) == 1
    for part in said:
        assert part in text, text
    return text


# What arrives


def test_a_file_arrives_whole_and_only_once(server: Place, tmp_path: Path) -> None:
    manifest = official(server.url)
    first = get(manifest, tmp_path)
    assert first == Fetched(tmp_path / "file.bin", True, manifest.files[0].checksum)
    assert first.path.read_bytes() == CONTENT
    assert names(tmp_path) == ["file.bin"]
    assert get(manifest, tmp_path) == replace(first, new=False)
    assert len(server.plan.asked) == 1


def test_others_may_read_it(server: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    assert get(official(server.url), tmp_path).path.stat().st_mode == other.stat().st_mode


def test_md5_serves_where_it_is_all_that_is_known(server: Place, tmp_path: Path) -> None:
    manifest = official(server.url, sha256="", md5=hashlib.md5(CONTENT).hexdigest())
    assert get(manifest, tmp_path).verified.startswith("md5:")
    server.plan.script = ["corrupt"]
    (tmp_path / "file.bin").unlink()
    refused(manifest, tmp_path, "md5")


def test_a_file_of_which_nothing_is_known_arrives_unverified(server: Place, tmp_path: Path) -> None:
    found = get(official(server.url, known=False), tmp_path)
    assert (found.verified, found.path.read_bytes()) == ("", CONTENT)
    assert get(official(server.url, known=False), tmp_path).new is False


@pytest.mark.parametrize("known", [True, False])
def test_a_truncated_download_goes_on_where_it_stopped(server: Place, tmp_path: Path, known: bool) -> None:
    server.plan.script = ["half", "half"]
    assert get(official(server.url, known=known), tmp_path).path.read_bytes() == CONTENT
    assert [(a.range, a.if_range) for a in server.plan.asked] == [
        (None, None), (f"bytes={HALF}-", '"one"'), (f"bytes={HALF + HALF // 2}-", '"one"'),
    ]  # fmt: skip
    assert names(tmp_path) == ["file.bin"]


def test_a_server_that_knows_no_ranges_is_read_from_the_start(server: Place, tmp_path: Path) -> None:
    server.plan.knows_ranges, server.plan.script = False, ["half"]
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.plan.asked[1].range == f"bytes={HALF}-"


@pytest.mark.parametrize(
    ("etag", "modified", "sent"),
    [
        ('W/"weak"', "Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 01 Jan 2020 00:00:00 GMT"),
        ('W/"weak"', None, None),
        (None, "Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 01 Jan 2020 00:00:00 GMT"),
        (None, None, None),
    ],
)
def test_only_a_version_that_can_be_named_is_gone_on_with(
    server: Place, tmp_path: Path, etag: str | None, modified: str | None, sent: str | None
) -> None:
    server.plan.etag, server.plan.modified, server.plan.script = etag, modified, ["half"]
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.plan.asked[1] == Asked("/file.bin", f"bytes={HALF}-" if sent else None, sent)


def test_a_later_command_goes_on_where_an_earlier_one_gave_up(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["half", "503", "503", "503"]
    refused(official(server.url), tmp_path, "HTTP 503", "3 attempts in a row", "150 kB that arrived are kept")
    assert names(tmp_path) == ["file.bin.part", "file.bin.part.json"]
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.plan.asked[-1].range == f"bytes={HALF}-"
    assert names(tmp_path) == ["file.bin"]


def test_an_interrupted_download_keeps_what_arrived(
    server: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(bar: object, number: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download._Bar, "add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get(official(server.url), tmp_path)
    assert names(tmp_path) == ["file.bin.part", "file.bin.part.json"]
    arrived = (tmp_path / "file.bin.part").stat().st_size
    assert 0 < arrived <= download.CHUNK
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.plan.asked[-1].range == f"bytes={arrived}-"


def test_a_part_from_another_address_is_not_gone_on_with(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["half", "404"]
    with pytest.raises(MissingFileError):
        get(official(f"{server.address}/old/file.bin"), tmp_path)
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.plan.asked[-1].range is None


@pytest.mark.parametrize("note", ["", "[]", '{"url": 1}', "{"])
def test_a_note_that_cannot_be_read_means_from_the_start(server: Place, tmp_path: Path, note: str) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    (tmp_path / "file.bin.part.json").write_text(note)
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.plan.asked[0].range is None


# What is not the file


def test_a_corrupt_file_leaves_nothing(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["corrupt"]
    wrong = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    got, expected = (hashlib.sha256(content).hexdigest() for content in (wrong, CONTENT))
    refused(official(server.url), tmp_path, f"sha256 is {got} instead of {expected}", "nothing of it was kept")
    assert names(tmp_path) == []


def test_a_damaged_beginning_is_fetched_anew_once(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["half", "404"]
    with pytest.raises(MissingFileError):
        get(official(server.url), tmp_path)
    (tmp_path / "file.bin.part").write_bytes(bytes(HALF))
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT
    assert [a.range for a in server.plan.asked[2:]] == [f"bytes={HALF}-", None]


@pytest.mark.parametrize("heeds", [True, False])
def test_two_versions_are_never_glued_together(server: Place, tmp_path: Path, heeds: bool) -> None:
    server.plan.script, server.plan.heeds_if_range = ["half", "change"], heeds
    assert get(official(server.url, known=False), tmp_path).path.read_bytes() == OTHER


def test_a_file_that_became_shorter_is_fetched_anew(server: Place, tmp_path: Path) -> None:
    server.plan.script, server.plan.heeds_if_range = ["half", "404"], False
    with pytest.raises(MissingFileError):
        get(official(server.url, known=False), tmp_path)
    server.plan.content = OTHER[:1000]
    assert get(official(server.url, known=False), tmp_path).path.read_bytes() == OTHER[:1000]


def test_a_part_that_is_longer_than_the_file_is_fetched_anew(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["half", "404"]
    with pytest.raises(MissingFileError):
        get(official(server.url), tmp_path)
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"more")
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT


def test_another_length_is_refused_before_it_is_read(server: Place, tmp_path: Path) -> None:
    server.plan.content = OTHER
    refused(official(server.url), tmp_path, "310,000 bytes", "300,000", "another file")
    assert names(tmp_path) == []


def test_a_web_page_is_not_taken_for_the_file(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["page"]
    refused(official(server.url, known=False), tmp_path, "web page", "https://example.org/page", "--from")
    assert names(tmp_path) == []


# Where there is nothing


def test_redirects_are_followed_also_for_the_rest_of_a_file(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["to:/moved/file.bin", "half", "to:/moved/file.bin"]
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT
    assert [a.path for a in server.plan.asked] == ["/file.bin", "/moved/file.bin"] * 2
    assert server.plan.asked[-1].range == f"bytes={HALF}-"


def test_a_circle_of_redirects_is_one_line(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["to:/file.bin"] * 20
    with pytest.raises(ZcbenchError, match="HTTP 302"):
        get(official(server.url), tmp_path)
    assert names(tmp_path) == []


def test_a_redirect_to_a_local_file_is_not_followed(server: Place, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(CONTENT)
    server.plan.script = [f"to:file://{tmp_path}/secret"]
    with pytest.raises(ZcbenchError):
        get(official(server.url), tmp_path)
    assert names(tmp_path) == ["secret"]


def test_a_stalled_connection_is_given_up_and_gone_on_with(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["stall"]
    assert get(official(server.url), tmp_path, HASTY).path.read_bytes() == CONTENT
    assert server.plan.asked[1].range == f"bytes={HALF}-"


def test_a_server_that_says_nothing_is_one_line(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["half", "mute", "hang up", "mute"]
    said = ("nothing arrived for 0.5 seconds (3 attempts in a row)", "150 kB that arrived are kept")
    refused(official(server.url), tmp_path, *said, options=HASTY)
    server.plan.script = ["mute"]
    once = replace(HASTY, retries=0)
    refused(official(server.url), tmp_path / "b", "(1 attempt)", "try again later", options=once)


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_file_that_is_not_handed_out_is_missing(server: Place, tmp_path: Path, code: int) -> None:
    server.plan.script = [str(code)]
    refused(official(server.url), tmp_path, f"HTTP {code}", "see https://example.org/page", kind=MissingFileError)
    assert len(server.plan.asked) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", ["500", "502", "503", "429", "408", "hang up"])
def test_a_passing_fault_passes(server: Place, tmp_path: Path, code: str) -> None:
    server.plan.script = [code, code]
    assert get(official(server.url), tmp_path).path.read_bytes() == CONTENT


def test_a_lasting_fault_is_one_line(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["500"] * 9
    refused(official(server.url), tmp_path, "HTTP 500", "3 attempts in a row", "another place (--from)")
    assert len(server.plan.asked) == 3
    server.plan.script = ["418"]
    refused(official(server.url), tmp_path, "HTTP 418")
    assert names(tmp_path) == []


def test_a_server_that_always_truncates_at_the_same_place_is_given_up(server: Place, tmp_path: Path) -> None:
    server.plan.knows_ranges, server.plan.script = False, ["half"] * 99
    refused(official(server.url), tmp_path, "the connection ended after 150,000 of 300,000 bytes")
    assert len(server.plan.asked) == 4


def test_the_second_address_serves_where_the_first_does_not(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["404"]
    assert get(official(f"{server.address}/gone", server.url), tmp_path).new
    assert [a.path for a in server.plan.asked] == ["/gone", "/file.bin"]


def test_nobody_at_the_other_end_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file.bin"
        refused(official(url), tmp_path, "refused", "another place (--from)")  # while nobody else may have the port


def test_no_network_is_one_line_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def nothing(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    refused(official("http://files.example.org/file.bin"), tmp_path, "no network, or no such server")
    assert len(calls) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:x/file.bin", "http:///file.bin", "http://a b/file.bin"])
def test_an_address_that_is_none_is_one_line(tmp_path: Path, url: str) -> None:
    refused(official(url), tmp_path, "cannot fetch")


def test_a_full_disk_is_said_before_anything_is_written(
    server: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    refused(official(server.url), tmp_path, "needs 300 kB more", "1 kB left", "--to")
    assert "file.bin" not in names(tmp_path)


# What is there


def test_a_damaged_file_is_replaced_only_by_the_right_one(server: Place, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"damaged")
    server.plan.script = ["404"]
    refused(official(server.url), tmp_path, kind=MissingFileError)
    assert (tmp_path / "file.bin").read_bytes() == b"damaged"
    assert get(official(server.url), tmp_path).new
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_file_of_the_wrong_length_is_replaced_without_a_checksum_too(server: Place, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"damaged")
    assert get(official(server.url, sha256=""), tmp_path).path.read_bytes() == CONTENT


def test_what_needs_a_browser_names_the_page(tmp_path: Path) -> None:
    said = ("open https://example.org/page", str(tmp_path), "--from")
    text = refused(official(), tmp_path, *said, kind=MissingFileError)
    assert "is not the official one" not in text
    (tmp_path / "file.bin").write_bytes(b"damaged")
    refused(official(), tmp_path, "is not the official one", kind=MissingFileError)
    (tmp_path / "file.bin").write_bytes(CONTENT)
    assert get(official(), tmp_path).new is False


def test_what_needs_more_than_a_browser_says_how(tmp_path: Path) -> None:
    refused(official(how="add it up"), tmp_path, "plainly: add it up; see https://ex", kind=MissingFileError)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(official("http://127.0.0.1:1/x"), tmp_path / "file" / "sub", "cannot make the folder", "--to")


# Mirrors


@pytest.mark.parametrize("below", ["/mirror", "/mirror/", "/mirror/file.bin", "/get?id=7&confirm=t"])
def test_a_mirror_is_a_prefix_or_the_file_itself(server: Place, tmp_path: Path, below: str) -> None:
    found = get(official("http://127.0.0.1:1/never"), tmp_path, replace(QUICK, origin=server.address + below))
    assert found.path.read_bytes() == CONTENT
    assert server.plan.asked[0].path == (below if "?" in below else "/mirror/file.bin")


def test_a_mirror_must_have_the_right_file(server: Place, tmp_path: Path) -> None:
    server.plan.script = ["corrupt"]
    refused(official(), tmp_path, "nothing of it was kept", options=replace(QUICK, origin=server.address))
    assert names(tmp_path) == []


@pytest.mark.parametrize("which", ["", "file.bin"])
def test_a_folder_or_file_is_copied(tmp_path: Path, which: str) -> None:
    origin, to = tmp_path / "origin", tmp_path / "to"
    origin.mkdir()
    (origin / "file.bin").write_bytes(CONTENT)
    found = get(official(), to, replace(QUICK, origin=str(origin / which)))
    assert (found.new, found.path.read_bytes()) == (True, CONTENT)
    assert names(to) == ["file.bin"]


@pytest.mark.parametrize(
    ("content", "known", "said"),
    [(CONTENT[:-1], True, "299,999 bytes instead of 300,000"), (bytes(len(CONTENT)), True, "sha256"),
     (b"", False, "it is empty")],
)  # fmt: skip
def test_a_damaged_file_in_a_folder_is_not_copied(tmp_path: Path, content: bytes, known: bool, said: str) -> None:
    (tmp_path / "file.bin").write_bytes(content)
    to = tmp_path / "to"
    refused(official(known=known), to, said, "nothing was copied", options=replace(QUICK, origin=str(tmp_path)))
    assert names(to) == []
    here = replace(QUICK, origin=str(tmp_path))
    refused(official(known=known), tmp_path, said, "name another place", options=here)


def test_a_folder_without_the_file_and_other_protocols_are_refused(tmp_path: Path) -> None:
    there = replace(QUICK, origin=str(tmp_path))
    refused(official(), tmp_path, f"there is no file.bin in {tmp_path}", options=there, kind=MissingFileError)
    refused(official(), tmp_path, "http://", options=replace(QUICK, origin="ftp://example.org/x"))
    refused(official(), tmp_path, "file:///FOLDER", options=replace(QUICK, origin="file://example.org/x"))


@pytest.mark.parametrize("host", ["", "localhost"])
@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_folder_may_be_given_as_an_address_of_files(tmp_path: Path, host: str, what: str) -> None:
    origin, to = tmp_path / "a folder", tmp_path / "to"
    origin.mkdir()
    (origin / "file.bin").write_bytes(CONTENT)
    path = origin if what == "folder" else origin / "file.bin"
    done = get(official(), to, replace(QUICK, origin=path.as_uri().replace("file://", f"file://{host}")))
    assert done.new
    assert (to / "file.bin").read_bytes() == CONTENT
    absent = replace(QUICK, origin=(tmp_path / "absent").as_uri())
    refused(official(), tmp_path / "other", "there is no file.bin in", options=absent, kind=MissingFileError)


# Which file


def test_without_a_name_the_recommended_file_is_meant() -> None:
    manifest = official(recommended=True)
    other = replace(manifest.files[0], name="other.bin", recommended=False)
    manifest = replace(manifest, files=(other, *manifest.files))
    assert [file.name for file in wanted(manifest, ())] == ["file.bin"]
    assert [file.name for file in wanted(manifest, ("other.bin", "other.bin"))] == ["other.bin"]
    with pytest.raises(ZcbenchError, match=r'Did you mean "other\.bin"'):
        wanted(manifest, ("othr.bin",))
    with pytest.raises(ZcbenchError, match=r"say which file of bench to fetch: other.bin"):
        wanted(replace(manifest, files=(other,)), ())


def test_what_comes_with_the_installation_is_not_fetched(tmp_path: Path) -> None:
    refused(official(embedded=True), tmp_path, "comes with the installation")


def test_the_progress_bar_shows_the_bytes(
    server: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.plan.script = ["half"]
    get(official(server.url), tmp_path, replace(QUICK, progress=True))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "file.bin" in shown.err
    assert "150k/300k" in shown.err
