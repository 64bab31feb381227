import json
import math
from pathlib import Path

import pandas as pd
import pytest

from zcbench.harness.analysis.ceiling import noise_ceiling
from zcbench.harness.analysis.output import write
from zcbench.harness.analysis.result import COLUMNS
from zcbench.harness.analysis.study import analyse
from zcbench.harness.errors import ZcbenchError


@pytest.fixture
def analysis(noisy):
    repeats = pd.DataFrame({s: noisy.truth + 0.001 * s for s in range(3)}, index=noisy.architectures)
    ceiling = noise_ceiling(repeats, seeds_in_mean=2, source="made", resamples=10)
    return analyse(noisy, undefined="drop", resamples=20, ceiling=ceiling)


def test_csv_and_json_hold_the_same_rows(analysis, tmp_path):
    csv, full = write([analysis, analysis], tmp_path / "new" / "folder")
    frame = pd.read_csv(csv)
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 2 * len(analysis.rows)
    first = json.loads(full.read_text())["analyses"][0]
    assert [row["value"] for row in first["rows"]] == [
        None if math.isnan(row.estimate.value) else row.estimate.value for row in analysis.rows
    ]
    assert first["rows"][0]["method"] == analysis.rows[0].estimate.method
    assert set(COLUMNS) < set(first["rows"][0])
    assert first["undefined"] == "drop"
    assert first["truth"] == "made up"
    assert first["recipe"] == "none"
    assert first["ceiling"]["all"]["value"] == 1.0
    assert first["metric_matrix"]["metrics"] == list(analysis.metric_matrix.metrics)
    constant = first["metric_matrix"]["metrics"].index("constant")
    assert first["metric_matrix"]["value"][constant][0] is None


def test_no_temporary_file_stays_and_the_mode_is_usual(analysis, tmp_path):
    write([analysis], tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["analysis.json", "correlations.csv"]
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "analysis.json").stat().st_mode == plain.stat().st_mode


def test_nothing_to_write(tmp_path):
    csv, full = write([], tmp_path)
    assert csv.read_text() == ",".join(COLUMNS) + "\n"
    assert json.loads(full.read_text())["analyses"] == []


def test_a_folder_that_cannot_be_made(analysis, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ZcbenchError, match="cannot write the analysis to"):
        write([analysis], tmp_path / "file")


def test_a_failed_write_leaves_the_old_file(analysis, tmp_path, monkeypatch):
    _, full = write([analysis], tmp_path)
    before = full.read_bytes()

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(ZcbenchError, match="No space left on device"):
        write([analysis], tmp_path)
    assert full.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
