"""``zcbench compare``: from a file with a metric to a verdict, a page and a JSON that repeats."""

import json
import sqlite3
from pathlib import Path

import pytest
from verbs import command

COPY = '''"""A metric that is snip on another scale, and a plain function that is no metric at all."""

import torch
from zcbench.harness.metric import metric
from zcbench.harness.passes.spec import Parameters, ParamGradient


@metric("cubed", version=1, cite="nobody", caveats="a copy", higher_is_better=False,
        weights=Parameters(), gradients=ParamGradient())
def cubed(weights, gradients):
    return -(torch.stack([(w * gradients[k]).abs().sum(dtype=torch.float64) for k, w in weights.items()]).sum() ** 3)


def noise(network, inputs, targets):
    return torch.rand(())
'''
SMALL = ["--dataset", "digits", "--resolution", "8", "--batch-size", "8", "--sample", "14", "--resamples", "50",
         "--workers", "1", "--target", "cifar10"]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file and one comparison of its metric."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "mine.py").write_text(COPY)
    out = ["--stability", "4", "--out", str(folder / "out")]
    assert command("compare", str(folder / "mine.py"), "--against", "snip,l2_norm", *SMALL, *out) == 0
    return folder


def document(folder: Path) -> dict[str, object]:
    return json.loads((folder / "compare.json").read_text())


def only(folder: Path) -> dict[str, object]:
    (comparison,) = document(folder)["comparisons"]
    return comparison


def test_a_rescaled_copy_is_named(place: Path) -> None:
    found = only(place / "out")
    (verdict,) = found["sentences"]
    assert "a re-scaled copy of snip" in verdict["text"]
    assert found["candidate"] == found["metric"]["metric"] == "cubed"
    assert found["metric"]["higher_is_better"] is False
    assert len(found["metric"]["code"]) == 16
    assert found["metric"]["outside_of_shared_passes"] is False
    page = (place / "out" / "index.html").read_text()
    assert "re-scaled copy of snip" in page
    assert (place / "out" / "tables").is_dir()


def test_the_same_store_gives_the_same_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = ["--stability", "4", "--out", str(place / "again"), "--store", str(place / "out" / "scores.sqlite")]
    assert command("compare", str(place / "mine.py"), "--against", "snip,l2_norm", *SMALL, *again) == 0
    assert " new rows" in capsys.readouterr().err
    texts = [(place / name / "compare.json").read_text().partition('"provenance"')[0] for name in ("out", "again")]
    assert texts[0] == texts[1]
    assert len(texts[0]) > 2000


def test_stability_is_over_seed_batch_and_initialisation(place: Path) -> None:
    (target,) = only(place / "out")["versus"]
    kinds = {(one["kind"], one["value"]) for one in target["stability"]}
    assert kinds == {
        ("seed", "1"), ("seed", "2"), ("batch size", "4"), ("batch size", "16"),
        ("initialisation", "kaiming_normal"), ("initialisation", "fan_out"),
    }  # fmt: skip


def test_on_what_a_store_holds_only_the_candidate_is_computed(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = place / "out" / "scores.sqlite"
    before = sqlite3.connect(store).execute("SELECT COUNT(*) FROM scores WHERE metric = 'snip'").fetchone()
    few = ["--stability", "0", "--resamples", "20", "--workers", "1", "--target", "cifar10", "--batch-size", "8"]
    arguments = ["--stored", "--store", str(store), *few, "--init", "pytorch", "--out", str(tmp_path)]
    assert command("compare", f"{place / 'mine.py'}:noise", *arguments) == 0
    printed = capsys.readouterr()
    assert "14 new rows" in printed.err
    assert sqlite3.connect(store).execute("SELECT COUNT(*) FROM scores WHERE metric = 'snip'").fetchone() == before
    found = only(tmp_path)
    assert found["metric"]["outside_of_shared_passes"] is True
    assert "outside of the shared passes" in (tmp_path / "index.html").read_text()
    assert set(found["baselines"]) == {"cubed", "flops", "l2_norm", "params", "snip"}


def test_several_candidates_have_a_page_each(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(place / "out" / "scores.sqlite"), "--stability", "0", "--out", str(tmp_path)]
    assert command("compare", "snip", "params", "--against", "snip,l2_norm", *SMALL, *store) == 0
    assert (tmp_path / "snip" / "index.html").is_file()
    assert (tmp_path / "params" / "index.html").is_file()
    first, second = document(tmp_path)["comparisons"]
    assert (first["baselines"], second["baselines"]) == (["l2_norm"], ["l2_norm"])
    assert "the pages: " in capsys.readouterr().out


def test_an_aggregate_is_judged_itself(tmp_path: Path) -> None:
    few = ["--dataset", "digits", "--resolution", "8", "--batch-size", "4", "--sample", "4", "--resamples", "10"]
    quick = [*few, "--workers", "1", "--stability", "0", "--target", "cifar10", "--out", str(tmp_path)]
    assert command("compare", "az_nas", "--against", "params", *quick) == 0
    found = only(tmp_path)
    assert (found["candidate"], found["baselines"]) == ("az_nas", ["params"])
    assert "az_nas is an aggregate of az_expressivity" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent.py"], 3, "there is no file"),
        (["snipp"], 2, 'Did you mean "snip"'),
        (["snip", "--against", "snip"], 2, "no baseline"),
        (["snip", "--stored", "--store", "absent.sqlite"], 3, "there is no score store at absent.sqlite"),
        (["snip", "--stored", "--sample", "3"], 2, "--sample has no meaning with --stored"),
        (["snip", "--target", "nothing"], 2, "nothing"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_computed(
    arguments: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("compare", *arguments) == code
    error = capsys.readouterr().err.strip()
    assert message in error
    assert error.count("\n") == 0
