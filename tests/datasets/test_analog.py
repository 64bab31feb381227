import os
import pickle
import shutil
import time

import numpy as np
import pytest

from zcbench.datasets.nasbench201 import analog
from zcbench.datasets.nasbench201.genotype import Space, is_connected
from zcbench.harness.errors import MissingFileError, UnsafeFileError, ZcbenchError


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.fixture(scope="module")
def table():
    return analog.read(analog.data_file())


def test_every_cell_has_every_target(table):
    assert table.datasets == tuple(sorted(analog.DATASETS))
    assert table.sources == ("analognasbench",)
    assert len(table) == 15_625 * 13
    for dataset in analog.DATASETS:
        target = table.select(dataset)
        assert set(target.mean.index) == {a.id for a in Space()}
        assert target.mean.between(0.079, 0.941).all()
        assert (target.split, target.epochs, target.kind) == ("test", -1, "trained")


def test_nothing_is_claimed_that_the_package_does_not_state(table):
    assert table.select("cifar10").describe() == (
        "cifar10 test accuracy after the last epoch, seeds not stated, source analognasbench, trained; "
        "split not stated, taken for test"
    )
    assert "published mean" not in "".join(table.select(name).describe() for name in analog.DATASETS)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("cifar10_ptq", "measured after simulated post-training quantisation;"),
        ("cifar10_qat", "measured after quantisation-aware training, under simulated quantisation;"),
        ("cifar10_noisy", "measured under simulated analog noise;"),
        ("cifar10_analog", "measured after hardware-aware training, on simulated analog hardware;"),
        ("cifar10_drift_60", "measured on simulated analog hardware, 60 seconds after programming;"),
        ("cifar10_analog_drift_3600", "training, on simulated analog hardware, 3600 seconds after programming;"),
    ],
)
def test_a_variant_says_what_was_simulated(table, dataset, words):
    assert words in table.select(dataset).describe()


def test_every_target_but_the_digital_one_says_that_something_was_simulated(table):
    silent = [name for name in analog.DATASETS if "simulated" not in table.select(name).note]
    assert silent == ["cifar10"]


def test_only_disconnected_cells_are_at_chance(table):
    mean = table.select("cifar10").mean
    at_chance = set(mean.index[mean == 0.1])
    assert at_chance == {a.id for a in Space() if not is_connected(a.genotype)}


def test_the_implausible_value_is_still_there_as_documented(table):
    cell = Space().architecture(["skip_connect"] * 6).id
    names = ("cifar10", "cifar10_analog", "cifar10_analog_drift_60", "cifar10_analog_drift_3600")
    values = [round(100 * table.select(name).mean[cell], 1) for name in names]
    assert values == [60.8, 57.5, 87.5, 53.8]


def test_the_edges_are_in_the_right_order(table, data_folder):
    from zcbench.datasets.truth import TruthTable

    official = TruthTable.from_parquet(data_folder / "nasbench201.parquet").select("cifar10", source="robot")
    ours = table.select("cifar10").mean
    rho = ours.corr(official.mean.reindex(ours.index), method="spearman")
    assert rho == pytest.approx(0.9901, abs=5e-4)
    assert (ours - official.mean.reindex(ours.index)).abs().median() < 0.004


def test_reading_takes_less_than_two_seconds():
    begin = time.process_time()
    analog.read(analog.data_file())
    assert time.process_time() - begin < 2


def test_the_package_itself_is_not_imported():
    import sys

    analog.read(analog.data_file())
    assert not any(name.startswith("analognasbench") for name in sys.modules)


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "hostile", "another dict", "a list"])
def test_a_damaged_file_gives_one_line(tmp_path, damage):
    path = tmp_path / "data.anb"
    content = analog.data_file().read_bytes()
    path.write_bytes(
        {
            "truncated": content[: len(content) // 2],
            "empty": b"",
            "garbage": b"<html>404</html>",
            "hostile": pickle.dumps({(0,) * 6: Hostile()}),
            "another dict": pickle.dumps({(9,) * 6: 1}),
            "a list": pickle.dumps([1]),
        }[damage]
    )
    with pytest.raises(ZcbenchError) as caught:
        analog.read(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    if damage == "hostile":
        assert isinstance(caught.value, UnsafeFileError)
        assert "posix.system" in str(caught.value)


def test_percent_out_of_range_is_refused(tmp_path):
    class Architecture:
        pass

    Architecture.__module__, Architecture.__qualname__ = "analognasbench.data", "Architecture"
    record = Architecture()
    for field in analog._FIELDS.values():
        setattr(record, field, 1000.0)
    import sys
    import types

    fake = types.ModuleType("analognasbench.data")
    fake.Architecture = Architecture
    sys.modules["analognasbench.data"] = sys.modules["analognasbench"] = fake
    try:
        (tmp_path / "data.anb").write_bytes(pickle.dumps({(0,) * 6: record}))
    finally:
        del sys.modules["analognasbench.data"], sys.modules["analognasbench"]
    with pytest.raises(ZcbenchError, match=r"outside \[0, 1\]"):
        analog.read(tmp_path / "data.anb")


def test_a_missing_package_says_what_to_install(monkeypatch):
    import importlib.metadata

    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(MissingFileError, match="pip install analog-nasbench"):
        analog.read()


def test_a_copy_elsewhere_reads_the_same(tmp_path, table):
    shutil.copy(analog.data_file(), tmp_path / "copy.anb")
    copy = analog.read(tmp_path / "copy.anb").select("cifar10").mean
    np.testing.assert_array_equal(copy, table.select("cifar10").mean)
