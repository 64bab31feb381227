"""A package of somebody else's is really installed: its metric, benchmark and report section are found by the verbs."""

import csv
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn
from verbs import command

from networks import KEY, batch, make
from zcbench.harness import registry
from zcbench.harness.candidate import measure
from zcbench.harness.store import Store

PACKAGE = Path(__file__).parent / "plugin_package"
RECIPE = ("--benchmark", "tinychains", "--dataset", "digits", "--resolution", "8", "--batch-size", "8")
SCORE = ("score", *RECIPE, "--all", "--metrics", "sign_agreement,params,grad_norm", "--store", "s.sqlite")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the package installed in ``site``, which this process finds as long as the tests run."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(PACKAGE, folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*pip, "--target", "site", "./project"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder / "site")
        patch.delenv("ZCBENCH_DATA", raising=False)
        forget()
        yield folder
    forget()


@pytest.fixture(scope="module")
def store(place: Path) -> Path:
    """A store of all chains, scored by two worker processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert command(*SCORE, "--workers", "2") == 0
    return place / "s.sqlite"


@pytest.fixture
def installed(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place


def forget() -> None:
    registry.metrics.cache_clear()


def test_all_chains_are_scored_by_worker_processes(store: Path) -> None:
    with Store(store, create=False) as opened:
        frame = opened.frame()
        assert {environment["workers"] for environment in opened.environments()} == {"2"}
    assert len(frame) == 27 * 3
    assert set(frame["outcome"]) == {"ok"}
    own = frame[frame["metric"] == "sign_agreement"]
    assert (set(own["version"]), set(own["benchmark"])) == ({2}, {"tinychains"})
    assert own["value"].between(0, 1).all()


def test_this_process_gives_the_same_bits_as_the_workers(installed: Path, store: Path) -> None:
    assert command(*SCORE[:-1], "here.sqlite", "--limit", "3", "--workers", "1") == 0
    values = []
    for path in (store, installed / "here.sqlite"):
        with Store(path, create=False) as opened:
            values.append({(s.architecture, s.metric): s.value for s in opened.scores()})
    assert len(values[1]) == 9
    assert values[1].items() <= values[0].items()


def test_it_is_listed(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("list", "plugins") == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed == [
        "zcbench.metrics: sign_agreement = zcbench_chains.sign_agreement:sign_agreement of zcbench-chains 1.2; loaded",
        "zcbench.benchmarks: tinychains = zcbench_chains.benchmark:BENCHMARK of zcbench-chains 1.2; loaded",
        "zcbench.reports: distinct_scores = zcbench_chains.distinct_scores:section of zcbench-chains 1.2; loaded",
    ]
    assert command("list", "metrics") == 0
    assert "sign_agreement" in capsys.readouterr().out
    assert command("list", "benchmarks") == 0
    assert "tinychains  27 architectures; trained on digits" in capsys.readouterr().out
    assert "sign_agreement" in registry.groups()["all"]
    assert "sign_agreement" not in registry.groups()["literature"]


def test_it_is_checked_by_name(installed: Path, small_checks: None) -> None:
    """The workers have shown already that it can be sent."""
    assert command("check", "sign_agreement") == 0


def test_its_metric_equals_its_formula(installed: Path) -> None:
    metric = registry.metrics()["sign_agreement"]
    network, data = make("plain"), batch()
    found = measure(make("plain"), data, [metric], key=KEY)["sign_agreement"].value
    nn.functional.cross_entropy(network(data.inputs), data.targets).backward()
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    pairs = [p for m in layers for p in zip(m.weight.flatten().tolist(), m.weight.grad.flatten().tolist(), strict=True)]
    assert found == sum(w * g > 0 for w, g in pairs) / sum(g != 0 for _, g in pairs)


def test_its_section_is_in_the_report(installed: Path, store: Path) -> None:
    assert command("report", "--store", "s.sqlite", "--out", "report", "--resamples", "20") == 0
    page = (installed / "report" / "index.html").read_text()
    assert page.index('id="distinct_scores"') < page.index('id="provenance"')
    assert "made by the plug-in distinct_scores, zcbench-chains 1.2" in page
    with (installed / "report" / "tables" / "distinct_scores.csv").open() as stream:
        rows = {row["metric"]: row for row in csv.DictReader(stream)}
    assert {name: int(row["scored"]) for name, row in rows.items()} == dict.fromkeys(rows, 27)
    sizes = {sum(a * b * 9 for a, b in zip((3, *w), w, strict=False)) + 2 * sum(w) + 10 * w[-1] + 10
             for w in [(a, b, c) for a in (2, 4, 8) for b in (2, 4, 8) for c in (2, 4, 8)]}  # fmt: skip
    assert int(rows["params"]["distinct"]) == len(sizes)


def test_it_is_compared_by_name(installed: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ("--resamples", "20", "--stability", "0", "--workers", "1", "--out", "compared")
    assert command("compare", "sign_agreement", "--stored", "--store", str(store), *quick) == 0
    assert "sign_agreement (version 2)" in capsys.readouterr().out
    assert "sign_agreement" in (installed / "compared" / "compare.json").read_text()


def test_it_is_gone_without_the_package(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(place / "site")])
    forget()
    assert "sign_agreement" not in registry.metrics()
    monkeypatch.undo()
    forget()
    assert "sign_agreement" in registry.metrics()
