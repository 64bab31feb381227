"""What a run says of itself where nobody watches."""

import pytest

from zcbench.harness.commands import _progress
from zcbench.harness.commands._progress import Progress


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, 30.0, 61.0, 90.0, 122.0])
    monkeypatch.setattr(_progress.time, "monotonic", lambda: next(now))
    with Progress() as progress:
        for done in (1, 2, 3, 4):
            progress(done, 4, False)
    assert capsys.readouterr().err.splitlines() == ["2 of 4 architectures, about 1 min left"]


def test_an_interruption_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress(1, 3, True)
        progress(2, 3, True)
    assert capsys.readouterr().err.count("interrupted: finishing the current chunk") == 1
