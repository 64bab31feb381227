import pickle
import shutil
from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from zcbench.datasets.nasbench201 import BENCHMARK, hardware
from zcbench.datasets.nasbench201.convert import convert
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.datasets.tidy import TRUTH_COLUMNS
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, UnsafeFileError, ZcbenchError
from zcbench.harness.space import Available, Missing

CELLS = [a.id for a in Space()][::-1]  # in another order than that of the space
COLUMNS = "hw_nas_bench_nasbench201_cifar10.parquet"
README = {
    "edgegpu_latency": 5.807418537139893,
    "edgegpu_energy": 24.226614330768584,
    "raspi4_latency": 10.481976820010459,
    "edgetpu_latency": 0.9571811309997429,
    "pixel3_latency": 3.6058499999999998,
    "eyeriss_latency": 3.645620000000001,
    "eyeriss_energy": 0.6872827644999999,
    "fpga_latency": 2.57296,
    "fpga_energy": 18.01072,
}
"""Of cell 0 on CIFAR-10, as the readme of HW-NAS-Bench prints them."""


def accuracies(path, source="robot", cells=CELLS):
    rows = pd.DataFrame({"architecture": cells, "value": np.linspace(0.1, 0.9, len(cells))}).assign(
        dataset="cifar10", split="test", epochs=200, seed=-1, metric="accuracy", source=source, kind="trained"
    )
    TruthTable(rows).write(path)


def columns(**changes):
    numbers = np.arange(len(CELLS))
    found = {"index": numbers} | {
        name: (place + 1) * 0.5 + numbers / 1000 for place, name in enumerate(hardware.METRICS)
    }
    found["edgetpu_latency"] = np.where(numbers % 3 == 0, -1.0, found["edgetpu_latency"])
    return pd.DataFrame(found | changes)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Both tables, written once; every test has a copy."""
    made = tmp_path_factory.mktemp("written")
    accuracies(made / "nasbench201.parquet")
    columns().sample(frac=1, random_state=0).to_parquet(made / COLUMNS)  # the index says which row is which
    return made


@pytest.fixture
def folder(written, tmp_path, monkeypatch):
    for name in ("nasbench201.parquet", COLUMNS):
        shutil.copyfile(written / name, tmp_path / name)
    monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    return tmp_path


def by_source():
    return {entry.source: entry for entry in BENCHMARK.availability()}


def test_costs_are_further_targets_beside_the_accuracies(folder):
    table = BENCHMARK.truth()
    assert table.sources == ("hw_nas_bench", "robot")
    assert set(table.metrics("cifar10")) == {"accuracy", *hardware.METRICS}
    missing = -(-len(CELLS) // 3)
    assert len(table) == 11 * len(CELLS) - missing
    for place, name in enumerate(hardware.METRICS):
        target = table.select("cifar10", metric=name, default_sources=BENCHMARK.default_sources)
        expected = {c: (place + 1) * 0.5 + n / 1000 for n, c in enumerate(CELLS)}
        if name == "edgetpu_latency":
            expected = {c: v for n, (c, v) in enumerate(expected.items()) if n % 3}
        assert target.mean.to_dict() == pytest.approx(expected)
        assert (target.source, target.kind, target.split) == ("hw_nas_bench", "measured", "hardware")
        assert target.name == f"cifar10/{name}"
        assert target.repeats.shape[1] == 0
    assert target.describe() == (
        "cifar10 fpga_energy in mJ, one value for each architecture, source hw_nas_bench, measured; measured or "
        "estimated by HW-NAS-Bench"
    )
    assert not target.higher_is_better
    accuracy = table.select("cifar10", default_sources=BENCHMARK.default_sources)
    assert (accuracy.source, accuracy.name) == ("robot", "cifar10")
    only = BENCHMARK.truth(source="hw_nas_bench")
    assert only.sources == ("hw_nas_bench",)
    assert BENCHMARK.truth(path=folder / "nasbench201.parquet").sources == ("robot",)
    assert by_source()["hw_nas_bench"] == Available("hw_nas_bench", folder / COLUMNS)
    assert isinstance(by_source()["hw-nas-bench-v1_0"], Missing)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[:-1], "its column index has to hold the numbers 0 to 15624, each once"),
        (lambda c: c.assign(index=c["index"] + 1), "its column index has to hold"),
        (lambda c: c.assign(index=[0, *c["index"][1:-1], 1]), "its column index has to hold"),
        (lambda c: c.assign(index=c["index"].astype(str)), "its column index has to hold"),
        (lambda c: c.drop(columns=["fpga_energy", "pixel3_latency"]), "lacks the columns pixel3_latency, fpga_energy"),
        (lambda c: c.assign(fpga_energy="much"), "fpga_energy holds"),
        (lambda c: c.assign(fpga_energy=0.0), "15625 values of fpga_energy are neither positive nor -1"),
        (lambda c: c.assign(fpga_energy=[np.nan, *c.fpga_energy[1:]]), "1 values of fpga_energy are neither"),
        (lambda c: c.assign(fpga_energy=[np.inf, *c.fpga_energy[1:]]), "1 values of fpga_energy are neither"),
        (lambda c: c.assign(**dict.fromkeys(hardware.METRICS, -1.0)), "it holds no ground truth"),
    ],
)
def test_other_columns_are_refused_in_one_line(folder, change, message):
    change(columns()).to_parquet(folder / COLUMNS)
    with pytest.raises(ZcbenchError) as caught:
        BENCHMARK.truth()
    assert message in str(caught.value)
    assert str(folder / COLUMNS) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(ZcbenchError, match=message[:20]):
        convert(folder / COLUMNS, folder / "out.parquet")
    assert sorted(p.name for p in folder.iterdir()) == [COLUMNS, "nasbench201.parquet"]


@pytest.mark.parametrize("part", [0, 0.3, 0.9])
def test_a_damaged_file_is_refused_in_one_line(folder, part):
    content = (folder / COLUMNS).read_bytes()
    (folder / COLUMNS).write_bytes(content[: int(part * len(content))])
    with pytest.raises(ZcbenchError, match=f"cannot read {folder / COLUMNS}") as caught:
        BENCHMARK.truth()
    assert len(str(caught.value).splitlines()) == 1
    assert "cannot read" in by_source()["hw_nas_bench"].reason


def test_without_the_order_of_the_cells_there_are_no_costs(folder):
    accuracies(folder / "nasbench201.parquet", source="mine")
    assert BENCHMARK.truth().sources == ("mine",)
    reason = by_source()["hw_nas_bench"].reason
    assert "from source robot of nasbench201.parquet, which the table does not have" in reason
    advice = r'cifar10 has no value "fpga_energy": costs on devices come from further tables'
    with pytest.raises(ZcbenchError, match=advice):
        BENCHMARK.truth().select("cifar10", metric="fpga_energy")
    accuracies(folder / "nasbench201.parquet", cells=CELLS[1:])
    assert "which has 15624 of 15625 cells" in by_source()["hw_nas_bench"].reason
    with pytest.raises(ZcbenchError, match="which has 15624 of 15625 cells"):
        convert(folder / COLUMNS, folder / "out.parquet")


def test_columns_are_converted_where_the_order_is_known(folder, tmp_path, monkeypatch):
    whole = BENCHMARK.truth().select("cifar10", metric="fpga_energy")
    extra = columns().assign(watts=1.0)
    extra.to_parquet(folder / COLUMNS)
    out = folder / "hw_nas_bench_nasbench201.parquet"
    summary = convert(folder / COLUMNS, out)
    assert summary.complete
    assert summary.ignored == ("column watts",)
    assert (summary.datasets, summary.sources) == (("cifar10",), ("hw_nas_bench",))
    assert list(TruthTable.from_parquet(out).frame.columns) == list(TRUTH_COLUMNS)
    with pytest.raises(ZcbenchError, match="occur twice"):  # both forms of the same rows
        BENCHMARK.truth()
    (folder / COLUMNS).unlink()
    again = BENCHMARK.truth().select("cifar10", metric="fpga_energy")
    assert again.mean.to_dict() == whole.mean.to_dict()
    assert by_source()["hw_nas_bench"] == Available("hw_nas_bench", out)
    renamed = folder / "costs.parquet"
    columns().to_parquet(renamed)
    with pytest.raises(ZcbenchError, match="only its name can say of which dataset it is: name it hw_nas_bench"):
        convert(renamed, folder / "x.parquet")
    columns().to_parquet(folder / COLUMNS)
    (folder / "nasbench201.parquet").unlink()
    with pytest.raises(MissingFileError, match=r"says which cells these are, but there is no .*nasbench201\.parquet"):
        convert(folder / COLUMNS, folder / "x.parquet")
    monkeypatch.delenv("ZCBENCH_DATA")
    with pytest.raises(MissingFileError, match="but ZCBENCH_DATA is not set"):
        convert(folder / COLUMNS, folder / "x.parquet")
    assert not (folder / "x.parquet").exists()


def test_costs_are_not_embedded(no_data):
    with pytest.raises(ZcbenchError, match=r'no value "edgegpu_latency": costs on devices come from further tables'):
        BENCHMARK.truth().select("cifar10", metric="edgegpu_latency")
    assert COLUMNS in by_source()["hw_nas_bench"].reason


def test_the_real_columns(data_folder, tmp_path):
    table = BENCHMARK.truth()
    cell = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    for name, value in README.items():
        assert table.truth(cell, "cifar10", metric=name).values == (value,)
    counts = {name: len(table.select("cifar10", metric=name).mean) for name in hardware.METRICS}
    assert counts.pop("edgetpu_latency") == 15_625 - 4_699
    assert set(counts.values()) == {15_625}
    summary = convert(data_folder / COLUMNS, tmp_path / "out.parquet")
    assert summary.rows == 10 * 15_625 - 4_699
    # the rows are put to the right cells: on an FPGA the energy goes with the multiplications
    target = table.select("cifar10", metric="fpga_energy").mean
    work = pd.Series({c: 9 * c.count("nor_conv_3x3") + c.count("nor_conv_1x1") for c in target.index})
    assert target.corr(work, method="spearman") > 0.9


# ---------------------------------------------------------------- the official pickle


def pickled(path, *, change=lambda c: None, values=np.asarray, configs=list, protocol=4):
    cells = CELLS[:7]
    content = {}
    for number, dataset in enumerate(("cifar10", "cifar100", "ImageNet16-120")):
        found = {"config": configs([{"name": "infer.tiny", "arch_str": c, "num_classes": 10} for c in cells])}
        for place, name in enumerate(hardware.METRICS):
            found[name] = values([float(100 * number + 10 * place + 1 + n) for n in range(7)])
        content[dataset] = found
    content["cifar100"]["edgetpu_latency"] = values([-1.0] * 7)
    content = {"nasbench201": content, "fbnet": {"edgegpu_latency": {"Skip_H32": np.float64(0.5)}}}
    change(content)
    path.write_bytes(pickle.dumps(content, protocol))
    return path


FORMS = {
    "arrays": {},
    "lists": {"values": list},
    "numpy numbers": {"values": lambda v: [np.float64(x) for x in v]},
    "dicts": {"values": lambda v: dict(enumerate(v)), "configs": lambda c: OrderedDict(enumerate(c))},
    "protocol 2": {"protocol": 2},
    "protocol 3": {"protocol": 3},
}


@pytest.mark.parametrize("form", FORMS)
def test_the_official_pickle_is_read(tmp_path, form):
    path = pickled(tmp_path / "HW-NAS-Bench-v1_0.pickle", **FORMS[form])
    out = tmp_path / "hw_nas_bench_nasbench201.parquet"
    summary = convert(path, out)
    assert (summary.rows, summary.architectures, summary.complete) == (3 * 70 - 7, 7, False)
    assert summary.sources == ("hw-nas-bench-v1_0",)
    table = TruthTable.from_parquet(out)
    assert table.datasets == ("cifar10", "cifar100", "imagenet16_120")
    assert table.truth(CELLS[3], "imagenet16_120", metric="fpga_energy").values == (294.0,)
    assert "edgetpu_latency" not in table.metrics("cifar100")


def test_its_table_is_a_source_beside_the_accuracies(folder):
    (folder / COLUMNS).unlink()
    out = folder / "hw_nas_bench_nasbench201.parquet"
    convert(pickled(folder / "HW-NAS-Bench-v1_0.pickle"), out)
    assert BENCHMARK.truth().select("cifar100", metric="fpga_energy").source == "hw-nas-bench-v1_0"
    assert by_source()["hw-nas-bench-v1_0"] == Available("hw-nas-bench-v1_0", out)


class Hostile:
    def __reduce__(self):
        return __import__("os").system, ("true",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("nasbench201"), 'has no "nasbench201"'),
        (lambda c: c.update(nasbench201=[1]), 'has no "nasbench201"'),
        (lambda c: c.update(nasbench201={"svhn": {}}), "it holds no ground truth"),
        (lambda c: c["nasbench201"]["cifar10"].pop("config"), "cannot read"),
        (lambda c: c["nasbench201"]["cifar10"].update(config=5), "cannot read"),
        (lambda c: c["nasbench201"]["cifar10"].update(config=[{"arch_str": "x"}] * 7), "are others than those before"),
        (lambda c: [d.update(config=[{"arch_str": "x"}] * 7) for d in c["nasbench201"].values()], "malformed"),
        (lambda c: [d.update(config=d["config"][:1] * 7) for d in c["nasbench201"].values()], "a cell occurs twice"),
        (lambda c: c["nasbench201"]["cifar10"].update(fpga_energy=[1.0]), "1 values of 7 cells"),
        (lambda c: c["nasbench201"]["cifar10"].update(fpga_energy=["a"] * 7), "cannot read"),
        (lambda c: c["nasbench201"]["cifar10"].update(fpga_energy=[-2.0] * 7), "neither positive nor -1"),
    ],
)
def test_other_pickles_are_refused_in_one_line(tmp_path, change, message):
    path = pickled(tmp_path / "HW-NAS-Bench-v1_0.pickle", change=change)
    with pytest.raises(ZcbenchError) as caught:
        convert(path, tmp_path / "out.parquet")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    path = pickled(tmp_path / "x.pickle", change=lambda c: c.update(fbnet=Hostile()))
    with pytest.raises(UnsafeFileError, match=r"posix\.system"):
        convert(path, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_the_command_line_converts_columns(folder):
    from zcbench.harness.cli import zcbench

    out = folder / "out.parquet"
    done = CliRunner().invoke(zcbench, ["data", "convert", "nasbench201", str(folder / COLUMNS), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "15625 of 15625 architectures on cifar10 from hw_nas_bench" in done.output
