"""The page of ``zcbench report`` in a real browser: nothing to complain about, nothing asked for, nothing cut off."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from verbs import command


def test_the_report_opens_without_a_complaint(visit: Callable[..., Any], tmp_path: Path) -> None:
    store = str(tmp_path / "scores.sqlite")
    recipe = ["--dataset", "digits", "--resolution", "8", "--batch-size", "8", "--sample", "5"]
    assert command("score", *recipe, "--metrics", "params,layers", "--workers", "1", "--store", store) == 0
    assert command("report", "--store", store, "--resamples", "20", "--out", str(tmp_path / "report")) == 0
    for width in (1400, 400):
        view = visit(tmp_path / "report" / "index.html", width=width)
        assert view.locator("#ranking table").first.locator("tbody tr").count() >= 2
        assert view.evaluate("document.documentElement.scrollWidth") <= width
    targets = view.evaluate("[...document.querySelectorAll('nav a')].map((link) => link.hash.slice(1))")
    assert len(targets) > 5
    assert [name for name in targets if view.locator(f"[id='{name}']").count() != 1] == []
