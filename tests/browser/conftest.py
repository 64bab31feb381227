"""A real browser for the tests of pages: Debian's chromium, driven by playwright."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """One browser for the tests of this folder; closed with its event loop before others run."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser to drive")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: no browser to look at pages with (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


class Visitor:
    """Opens pages from disk, offline, in one tab, and records what they ask for and complain about.

    Args:
        browser: playwright's browser.
    """

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._tabs: dict[bool, Any] = {}
        self._folder = Path()
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def begin(self, folder: Path) -> None:
        """Forget what was recorded; pages are written to ``folder`` from now on."""
        self._folder = folder
        self.requests.clear()
        self.complaints.clear()

    def _tab(self, javascript: bool) -> Any:
        if javascript not in self._tabs:
            context = self._browser.new_context(offline=True, java_script_enabled=javascript)
            context.set_default_timeout(20_000)
            tab = context.new_page()
            tab.on("request", lambda request: self.requests.append(request.url))
            tab.on("console", lambda message: self.complaints.append(message.text))
            tab.on("pageerror", lambda error: self.complaints.append(str(error)))
            tab.on("dialog", self._dismiss)
            self._tabs[javascript] = tab
        return self._tabs[javascript]

    def _dismiss(self, dialog: Any) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def visit(
        self, html: str | Path, fragment: str = "", *, width: int = 1400, scheme: str = "light", javascript: bool = True
    ) -> Any:
        """Return the tab after it loaded a page.

        Args:
            html: the page or where it is.
            fragment: the end of its address, from ``#`` on.
            width: of the window, in pixels.
            scheme: ``light`` or ``dark``.
            javascript: whether scripts run.
        """
        path = html if isinstance(html, Path) else self._folder / "page.html"
        if isinstance(html, str):
            path.write_text(html, encoding="utf-8")
        tab = self._tab(javascript)
        tab.goto("about:blank")  # else an address that differs in its fragment alone would load nothing
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(media="screen", color_scheme=scheme)
        tab.goto(path.as_uri() + fragment)
        return tab


@pytest.fixture(scope="package")
def visitor(browser: Any) -> Visitor:
    return Visitor(browser)


@pytest.fixture
def visit(visitor: Visitor, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open pages; fails where they ask for anything but themselves, or write to the console."""
    visitor.begin(tmp_path)
    yield visitor.visit
    assert visitor.complaints == []
    own = {path.as_uri() for path in tmp_path.rglob("*.html")} | {"about:blank"}
    assert {url.partition("#")[0] for url in visitor.requests} <= own
