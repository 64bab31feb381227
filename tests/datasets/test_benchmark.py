import importlib.metadata
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import zcbench.datasets
from zcbench.datasets import images, registry
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.datasets.tidy import TRUTH_COLUMNS
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.space import Available, Missing

CELL = BENCHMARK.space.sample(1, seed=0)[0]


def tiny(path, source="robot"):
    values = (CELL.id, "cifar10", "test", 200, -1, "accuracy", 0.5, source, "trained")
    TruthTable(pd.DataFrame([values], columns=list(TRUTH_COLUMNS))).write(path)
    return path


def test_the_embedded_table_is_the_default(no_data):
    assert BENCHMARK.truth().sources == ("analognasbench",)
    assert BENCHMARK.truth(source="analognasbench").sources == ("analognasbench",)


def test_a_path_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("ZCBENCH_DATA", "/nowhere")
    path = tiny(tmp_path / "mine.parquet", source="mine")
    assert BENCHMARK.truth(path=path).sources == ("mine",)
    assert BENCHMARK.truth(path=path, source="mine").sources == ("mine",)
    with pytest.raises(ZcbenchError, match='no source "robot"'):
        BENCHMARK.truth(path=path, source="robot")


def test_the_data_folder_comes_next_and_never_falls_back(tmp_path, monkeypatch):
    monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    with pytest.raises(MissingFileError, match="ZCBENCH_DATA is set, but there is no"):
        BENCHMARK.truth()
    tiny(tmp_path / "nasbench201.parquet")
    assert BENCHMARK.truth().sources == ("robot",)
    assert BENCHMARK.truth(source="analognasbench").sources == ("analognasbench",)


def test_a_source_that_is_not_embedded_says_where_it_comes_from(no_data):
    with pytest.raises(MissingFileError, match="set ZCBENCH_DATA"):
        BENCHMARK.truth(source="robot")
    with pytest.raises(ZcbenchError, match='Did you mean "robot"'):
        BENCHMARK.truth(source="robt")


def test_a_dataset_of_another_source_says_how_to_get_it(tmp_path, monkeypatch):
    path = tiny(tmp_path / "nasbench201.parquet")
    monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    for source in (None, "robot"):
        with pytest.raises(ZcbenchError, match=r'no dataset "cifar10_ptq": add --source analognasbench$') as caught:
            BENCHMARK.truth(source=source).select("cifar10_ptq")
        assert caught.value.exit_code == 2
    with pytest.raises(ZcbenchError, match=r'"cifar10_ptq": leave out --truth and add --source analognasbench$'):
        BENCHMARK.truth(path=path).select("cifar10_ptq")
    with pytest.raises(ZcbenchError, match=r'no dataset "cifar10_ptw"\. Did you mean "cifar10"\?'):
        BENCHMARK.truth().select("cifar10_ptw")
    assert BENCHMARK.truth(source="analognasbench").select("cifar10_ptq").source == "analognasbench"


def test_a_dataset_that_is_not_embedded_says_what_it_needs(no_data):
    with pytest.raises(ZcbenchError, match=r'no dataset "cifar100": take another source \(--truth'):
        BENCHMARK.truth().select("cifar100")


def test_remarks_on_the_embedded_source_hold_in_any_file(tmp_path):
    path = tiny(tmp_path / "mine.parquet", source="analognasbench")
    assert "seeds not stated" in BENCHMARK.truth(path=path).select("cifar10").describe()


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket.socket, "__init__", refuse)


@pytest.mark.parametrize("name", sorted(registry.benchmarks()))
@pytest.mark.parametrize("data", [False, True])
def test_a_benchmark_never_opens_a_socket(no_network, tmp_path, monkeypatch, name, data):
    found = registry.benchmark(name)
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    if data:
        for table in getattr(found, "tables", (f"{name}.parquet",)):
            tiny(tmp_path / table, source=f"of {table}")
        monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    assert found.availability()
    if data or name == "nasbench201":  # which is the one whose accuracies come with the installation
        assert len(found.truth())
    else:
        with pytest.raises(MissingFileError, match=rf"{name}"):
            found.truth()
    architecture = found.space.sample(1, seed=0)[0]
    assert sum(p.numel() for p in found.space.build(architecture, classes=10).parameters())
    assert images.load("digits", batch_size=4).inputs.shape == (4, 3, 32, 32)


def test_the_guard_against_sockets_works(no_network):
    with pytest.raises(AssertionError, match="a socket was opened"):
        socket.create_connection(("127.0.0.1", 9), timeout=1)


def by_source():
    return {entry.source: entry for entry in BENCHMARK.availability()}


def test_availability_without_data(no_data):
    found = by_source()
    assert isinstance(found["analognasbench"], Available)
    assert isinstance(found["robot"], Missing)
    assert set(found) == set(BENCHMARK.default_sources)


def test_availability_with_data(tmp_path, monkeypatch):
    monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    assert "there is no" in by_source()["robot"].reason
    path = tiny(tmp_path / "nasbench201.parquet")
    assert by_source()["robot"] == Available("robot", path)
    assert "no rows" in by_source()["meco"].reason
    path.write_bytes(b"garbage")
    assert "cannot read" in by_source()["robot"].reason


def test_populations():
    cells = list(BENCHMARK.space)
    counts = {name: sum(map(holds, cells)) for name, holds in BENCHMARK.populations.items()}
    assert counts == {"all": 15_625, "connected": 15_284, "no_dead_edge": 9_445}


def test_datasets_include_what_the_embedded_table_has():
    assert BENCHMARK.datasets[:4] == ("cifar10", "cifar10-valid", "cifar100", "imagenet16_120")
    assert {"cifar10_analog", "cifar10_drift_60"} < set(BENCHMARK.datasets)
    assert len(set(BENCHMARK.datasets)) == len(BENCHMARK.datasets)


def test_the_registry_finds_the_benchmark():
    assert registry.benchmarks()["nasbench201"] is BENCHMARK
    assert registry.benchmark("nasbench201") is BENCHMARK
    with pytest.raises(ZcbenchError, match='Did you mean "nasbench201"'):
        registry.benchmark("nasbench21")


class Point:
    name, value = "theirs", "somewhere:BENCHMARK"

    def __init__(self, result):
        self.result = result

    def load(self):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_plug_ins(monkeypatch):
    class Other:
        name, space = "other", None

    offered = [Point(Other())]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: offered)
    assert set(registry.benchmarks()) >= {"nasbench201", "other"}
    offered.append(Point(BENCHMARK))
    with pytest.raises(ZcbenchError, match="somewhere:BENCHMARK offers"):
        registry.benchmarks()


@pytest.mark.parametrize(
    ("offered", "why"), [(ImportError("no module x"), "ImportError: no module x"), (3, "it is no benchmark")]
)
def test_a_broken_plug_in_is_left_out_and_named_where_it_is_missed(monkeypatch, offered, why):
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: [Point(offered)])
    assert "nasbench201" in registry.benchmarks()
    with pytest.raises(ZcbenchError, match=rf"somewhere:BENCHMARK cannot be loaded: {why}"):
        registry.benchmark("theirs")


def test_importing_the_benchmark_does_not_import_torch():
    code = "import sys, zcbench.datasets.nasbench201, zcbench.datasets.images; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    code = code.replace("zcbench.datasets.images", "zcbench.datasets.nasbench201.network")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"  # the check itself can fail


def test_modules_stay_short():
    folder = Path(next(iter(zcbench.datasets.__path__)))
    lengths = {path.name: len(path.read_text().splitlines()) for path in folder.rglob("*.py")}
    assert max(lengths.values()) <= 400, lengths
