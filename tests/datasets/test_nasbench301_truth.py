import json
import pickle
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zcbench.datasets import registry
from zcbench.datasets.nasbench301.encoding import ARCHITECTURE, encode, to_config
from zcbench.datasets.nasbench301.genotype import parse_genotype
from zcbench.datasets.nasbench301.space import Space
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, UnsafeFileError, ZcbenchError
from zcbench.harness.space import Available, Missing

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")

BENCHMARK = registry.benchmark("nasbench301")
TRAINED = Space().sample(150, seed=1)
ASKED = [a.id for a in Space().sample(12, seed=2)]
ROWS = np.stack([encode(a.genotype) for a in TRAINED])
NEW = np.stack([encode(parse_genotype(text)) for text in ASKED])
PERCENT = 92 + ROWS[:, 32:].clip(0).sum(1) / 30


def member(folder: Path, model: object, kind: str, seed: int) -> None:
    folder.mkdir(parents=True)
    (folder / "surrogate_model.model").write_bytes(pickle.dumps(model))
    (folder / "model_config.json").write_text(json.dumps({"model": kind, "param:bananas_enc": False}))
    (folder / "data_config.json").write_text(json.dumps({"seed": seed}))


def trained(kind: str, seed: int) -> object:
    targets = PERCENT * (30 if kind.endswith("_time") else 1) + np.random.default_rng(seed).normal(size=len(ROWS)) / 10
    if kind.startswith("xgb"):
        chosen = {"objective": "reg:squarederror", "max_depth": 3, "nthread": 1, "seed": seed}
        return xgboost.train(chosen, xgboost.DMatrix(ROWS, label=targets), 15)
    chosen = {"objective": "regression", "verbose": -1, "num_threads": 1, "seed": seed}
    return lightgbm.train(chosen, lightgbm.Dataset(ROWS, label=targets), 15)


def of_library(kind: str, model) -> np.ndarray:
    return model.predict(xgboost.DMatrix(NEW) if kind.startswith("xgb") else NEW)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the layout of ``nb_models_1.0``, each ensemble of three members."""
    folder = tmp_path_factory.mktemp("data") / "nb_models_1.0"
    for kind, name in {"xgb": "xgb_v1.0", "lgb": "lgb_v1.0", "lgb_time": "lgb_runtime_v1.0"}.items():
        for seed in range(3):
            member(folder / name / f"log_{seed}", trained(kind, seed), kind, seed)
    return folder


@pytest.mark.parametrize(("name", "kind"), [("xgb_v1.0", "xgb"), ("lgb_v1.0", "lgb"), ("lgb_runtime_v1.0", "lgb_time")])
def test_an_ensemble_predicts_the_mean_of_its_members(models, name, kind):
    table = BENCHMARK.truth(path=models / name, architectures=ASKED)
    each = np.stack([of_library(kind, trained(kind, seed)) for seed in range(3)]).astype(np.float64)
    metric = "training_seconds" if kind.endswith("_time") else "accuracy"
    target = table.select("cifar10", split="valid", metric=metric)
    expected = each.mean(0) / (1 if metric == "training_seconds" else 100)
    np.testing.assert_allclose(target.mean[ASKED], expected, rtol=1e-12)
    assert (target.kind, target.source, target.epochs, target.split) == ("surrogate", f"nb301-{name}", 100, "valid")
    assert target.mean.index.tolist() == ASKED
    assert each.std(0).min() > 0  # the members differ, so their mean says something


def test_a_prediction_is_the_same_every_time_and_for_every_order_of_inputs(models):
    first = BENCHMARK.truth(path=models / "xgb_v1.0", architectures=ASKED).frame
    again = BENCHMARK.truth(path=models / "xgb_v1.0", architectures=ASKED[::-1] + ASKED).frame
    assert len(again) == len(ASKED)
    pd.testing.assert_series_equal(first.set_index("architecture").value.sort_index(),
                                   again.set_index("architecture").value.sort_index())  # fmt: skip
    text = ASKED[0]
    turned = text.replace("[(", "[@", 1)
    one, two = turned.index("@"), turned.index("), (") + 1
    end = turned.index(")", two) + 1
    turned = turned[:one] + turned[two + 2 : end] + ", (" + turned[one + 1 : two] + turned[end:]
    assert Space().unique_id(Space().parse(turned)) == text != turned
    other = BENCHMARK.truth(path=models / "xgb_v1.0", architectures=[turned]).frame
    assert other.value[0] == first.value[0]
    assert other.architecture[0] == turned


def test_ensembles_in_the_data_folder_are_sources(models, monkeypatch):
    monkeypatch.setenv("ZCBENCH_DATA", str(models.parent))
    found = {e.source: e for e in BENCHMARK.availability()}
    assert found["nb301-xgb_v1.0"] == Available("nb301-xgb_v1.0", models / "xgb_v1.0")
    assert isinstance(found["nb301-lgb_runtime_v1.0"], Available)
    assert isinstance(found["nb301-gnn_gin_v1.0"], Missing)
    assert "nb_models_1.0" in found["nb301-gnn_gin_v1.0"].reason
    table = BENCHMARK.truth(source="nb301-xgb_v1.0", architectures=ASKED)
    assert table.sources == ("nb301-xgb_v1.0",)
    with pytest.raises(MissingFileError, match=r"no surrogate ensemble of the source nb301-gnn_gin_v1\.0: give its"):
        BENCHMARK.truth(source="nb301-gnn_gin_v1.0", architectures=ASKED)


def test_what_is_missing_is_said(models, tmp_path, monkeypatch):
    monkeypatch.delenv("ZCBENCH_DATA", raising=False)
    with pytest.raises(ZcbenchError, match=r"it is given: add --pool space or --architectures FILE$"):
        BENCHMARK.truth(path=models / "xgb_v1.0")
    with pytest.raises(ZcbenchError, match=r'is the source "nb301-xgb_v1\.0", not "naslib"'):
        BENCHMARK.truth(path=models / "xgb_v1.0", source="naslib", architectures=ASKED)
    with pytest.raises(ZcbenchError, match=r"holds several ensembles \(lgb, lgb_time, xgb\)"):
        BENCHMARK.truth(path=models, architectures=ASKED)
    with pytest.raises(ZcbenchError, match=r"no surrogate_model\.model in it"):
        BENCHMARK.truth(path=tmp_path, architectures=ASKED)
    with pytest.raises(ZcbenchError, match="malformed DARTS genotype"):
        BENCHMARK.truth(path=models / "xgb_v1.0", architectures=["nonsense"])
    with pytest.raises(MissingFileError, match="there is no ground truth of nasbench301"):
        BENCHMARK.truth()
    with pytest.raises(MissingFileError, match="there is no"):
        BENCHMARK.truth(path=tmp_path / "absent", architectures=ASKED)


def changed(models, tmp_path, name="xgb_v1.0", *, config=None, content=None):
    """A copy of an ensemble of which one member is another."""
    folder = tmp_path / name
    for source in sorted((models / name).iterdir()):
        (folder / source.name).mkdir(parents=True)
        for file in source.iterdir():
            (folder / source.name / file.name).write_bytes(file.read_bytes())
    if config is not None:
        (folder / "log_1" / "model_config.json").write_text(config)
    if content is not None:
        (folder / "log_1" / "surrogate_model.model").write_bytes(content)
    return folder


@pytest.mark.parametrize(("config", "message"), [
    ('{"model": "lgb"}', "several ensembles"), ('{"model": "xgb", "param:bananas_enc": true}', "another encoding"),
    ("{", "cannot read"), ("[]", "no description of a model"), ("[" * 100_000, "cannot read"), ("\xff", "cannot"),
])  # fmt: skip
def test_a_member_of_another_form_is_refused(models, tmp_path, config, message):
    with pytest.raises(ZcbenchError, match=message) as caught:
        BENCHMARK.truth(path=changed(models, tmp_path, config=config), architectures=ASKED)
    assert "\n" not in str(caught.value)


def test_a_kind_that_cannot_be_read_is_named(tmp_path):
    member(tmp_path / "a", None, "svr", 0)
    with pytest.raises(ZcbenchError, match='models of the kind "svr" cannot be read'):
        BENCHMARK.truth(path=tmp_path, architectures=ASKED)
    (tmp_path / "a" / "model_config.json").unlink()
    with pytest.raises(MissingFileError, match=r"there is no .*model_config\.json"):
        BENCHMARK.truth(path=tmp_path, architectures=ASKED)


class Attack:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_member_that_would_run_code_is_refused(models, tmp_path):
    trace = tmp_path / "trace"
    with pytest.raises(UnsafeFileError, match="refused to load"):
        BENCHMARK.truth(path=changed(models, tmp_path, content=pickle.dumps(Attack(trace))), architectures=ASKED)
    assert not trace.exists()


def test_a_model_of_other_features_or_of_no_percent_is_refused(models, tmp_path):
    narrow = xgboost.train({"nthread": 1}, xgboost.DMatrix(ROWS[:, :10], label=PERCENT), 2)
    with pytest.raises(ZcbenchError, match="for a model of 10 features"):
        BENCHMARK.truth(path=changed(models, tmp_path / "a", content=pickle.dumps(narrow)), architectures=ASKED)
    wild = xgboost.train({"nthread": 1}, xgboost.DMatrix(ROWS, label=PERCENT * 100), 5)
    with pytest.raises(ZcbenchError, match="accuracies outside 0 to 100 percent"):
        BENCHMARK.truth(path=changed(models, tmp_path / "b", content=pickle.dumps(wild)), architectures=ASKED)


def test_naslibs_predictions_are_a_surrogates(data_folder):
    target = BENCHMARK.truth(path=data_folder / "nasbench301_surrogate.parquet").select("cifar10", split="valid")
    assert (target.kind, target.source, len(target.mean)) == ("surrogate", "naslib", 725)
    assert "with noise" in target.describe()
    assert "surrogate" in target.describe()


def test_the_defaults_find_naslibs_table(data_folder, monkeypatch):
    monkeypatch.setenv("ZCBENCH_DATA", str(data_folder))
    assert Available("naslib", data_folder / "nasbench301_surrogate.parquet") in BENCHMARK.availability()
    table = BENCHMARK.truth(source="naslib")
    assert table.sources == ("naslib",)
    with pytest.raises(ZcbenchError, match="no source"):
        BENCHMARK.truth(source="nslib")
    assert BENCHMARK.default_split == "valid"


def log(genotype, *, channels=32, cells=8, epochs=100, valid=93.5, test=92.5, **further):
    config = to_config(genotype) | {
        ARCHITECTURE + "init_channels": channels, ARCHITECTURE + "layers": cells,
        "SimpleLearningrateSchedulerSelector:cosine_annealing:T_max": epochs,
    } | further.pop("config", {})  # fmt: skip
    return {"optimized_hyperparamater_config": config, "budget": epochs, "test_accuracy": test, "runtime": 3000.5,
            "info": [{"val_accuracy": valid, "epochs": epochs - 2, "dataset_path": "datasets/CIFAR10.csv"}],
            } | further  # fmt: skip


def write_logs(folder, logs):
    for number, content in enumerate(logs):
        path = folder / ("rs" if number % 2 else "darts") / f"results_{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


def test_training_logs_become_a_table(tmp_path):
    genotypes = [parse_genotype(text) for text in ASKED]
    folder = write_logs(tmp_path / "logs", [log(g, valid=90 + n / 10) for n, g in enumerate(genotypes)])
    out = tmp_path / "nasbench301.parquet"
    summary = BENCHMARK.convert(folder, out)
    assert summary.describe() == "36 rows of 12 architectures on cifar10 from nasbench301-logs"
    table = BENCHMARK.truth(path=out)
    valid, test = table.select("cifar10", split="valid"), table.select("cifar10", split="test")
    assert (valid.kind, valid.epochs, valid.seed) == ("trained", 100, 0)
    np.testing.assert_allclose(valid.mean[ASKED], (90 + np.arange(12) / 10) / 100)
    assert set(test.mean) == {0.925}
    assert set(table.select("cifar10", split="valid", metric="training_seconds").mean) == {3000.5}


def test_repeats_get_numbers_and_other_networks_other_sources(tmp_path):
    genotype = parse_genotype(ASKED[0])
    folder = write_logs(tmp_path / "logs", [
        log(genotype, valid=90.0), log(genotype, valid=91.0),
        log(genotype, channels=50, cells=20, epochs=600, valid=97.0),
    ])  # fmt: skip
    BENCHMARK.convert(folder, tmp_path / "out.parquet")
    frame = TruthTable.from_parquet(tmp_path / "out.parquet").frame
    frame = frame[(frame.metric == "accuracy") & (frame.split == "valid")]
    rows = {(r.source, r.epochs, r.seed, r.value) for r in frame.itertuples()}
    assert rows == {("nasbench301-logs", 100, 0, 0.9), ("nasbench301-logs", 100, 1, 0.91),
                    ("nasbench301-logs-channels50-cells20", 600, 0, 0.97)}  # fmt: skip


def test_seeds_of_the_files_are_kept_and_may_not_repeat(tmp_path):
    genotype = parse_genotype(ASKED[0])
    write_logs(tmp_path / "a", [log(genotype, config={"seed": s}) for s in (7, 5)])
    BENCHMARK.convert(tmp_path / "a", tmp_path / "out.parquet")
    assert set(TruthTable.from_parquet(tmp_path / "out.parquet").frame.seed) == {5, 7}
    write_logs(tmp_path / "b", [log(genotype, config={"seed": 5}), log(genotype, config={"seed": 5})])
    with pytest.raises(ZcbenchError, match="two of the logs are of the same training"):
        BENCHMARK.convert(tmp_path / "b", tmp_path / "out2.parquet")
    assert not (tmp_path / "out2.parquet").exists()


SAMPLE = {
    "NetworkSelectorDatasetInfo:darts:edge_normal_0": "skip_connect", "NetworkSelectorDatasetInfo:darts:edge_normal_1":
    "sep_conv_3x3", "NetworkSelectorDatasetInfo:darts:edge_reduce_0": "max_pool_3x3",
    "NetworkSelectorDatasetInfo:darts:edge_reduce_1": "avg_pool_3x3", "NetworkSelectorDatasetInfo:darts:init_channels":
    50, "NetworkSelectorDatasetInfo:darts:inputs_node_normal_3": "0_1",
    "NetworkSelectorDatasetInfo:darts:inputs_node_normal_4": "0_2",
    "NetworkSelectorDatasetInfo:darts:inputs_node_normal_5": "1_2",
    "NetworkSelectorDatasetInfo:darts:inputs_node_reduce_3": "0_1",
    "NetworkSelectorDatasetInfo:darts:inputs_node_reduce_4": "1_2",
    "NetworkSelectorDatasetInfo:darts:inputs_node_reduce_5": "2_3", "NetworkSelectorDatasetInfo:darts:layers": 20,
    "SimpleLearningrateSchedulerSelector:cosine_annealing:T_max": 1500,
    "NetworkSelectorDatasetInfo:darts:edge_normal_10": "sep_conv_3x3",
    "NetworkSelectorDatasetInfo:darts:edge_normal_11": "skip_connect",
    "NetworkSelectorDatasetInfo:darts:edge_normal_2": "sep_conv_3x3",
    "NetworkSelectorDatasetInfo:darts:edge_normal_3": "skip_connect",
    "NetworkSelectorDatasetInfo:darts:edge_normal_5": "dil_conv_3x3",
    "NetworkSelectorDatasetInfo:darts:edge_normal_7": "dil_conv_5x5",
    "NetworkSelectorDatasetInfo:darts:edge_reduce_11": "sep_conv_3x3",
    "NetworkSelectorDatasetInfo:darts:edge_reduce_12": "dil_conv_3x3",
    "NetworkSelectorDatasetInfo:darts:edge_reduce_2": "skip_connect",
    "NetworkSelectorDatasetInfo:darts:edge_reduce_3": "dil_conv_5x5",
    "NetworkSelectorDatasetInfo:darts:edge_reduce_6": "sep_conv_3x3",
    "NetworkSelectorDatasetInfo:darts:edge_reduce_7": "sep_conv_5x5",
}  # fmt: skip
"""What the record in the package nasbench301 0.3 says about architecture and length."""


def test_the_packages_own_record(tmp_path):
    """Its figures: 97.68 % valid, 97.54 % test, 365,136 s, 50 channels, 20 cells, 1,500 epochs."""
    path = tmp_path / "results_0.json"
    path.write_text(json.dumps({"optimized_hyperparamater_config": SAMPLE, "test_accuracy": 97.54, "runtime": 365136,
                                "info": [{"val_accuracy": 97.68, "epochs": 1488}]}))  # fmt: skip
    BENCHMARK.convert(path, tmp_path / "out.parquet")
    frame = TruthTable.from_parquet(tmp_path / "out.parquet").frame
    assert set(frame.source) == {"nasbench301-logs-channels50-cells20"}
    assert set(frame.epochs) == {1500}
    assert {(r.split, r.metric, round(r.value, 6)) for r in frame.itertuples()} == {
        ("valid", "accuracy", 0.9768), ("test", "accuracy", 0.9754), ("valid", "training_seconds", 365136.0),
    }  # fmt: skip
    genotype = parse_genotype(frame.architecture[0])
    assert genotype.normal[4:6] == (("dil_conv_3x3", 0), ("dil_conv_5x5", 2))


@pytest.mark.parametrize(("change", "message"), [
    ({"test_accuracy": 192.5}, "a test accuracy of 192.5 percent"), ({"runtime": -1}, "a runtime of -1.0 seconds"),
    ({"runtime": float("nan")}, "a runtime of nan"), ({"test_accuracy": float("nan")}, "a test accuracy of nan"),
    ({"info": []}, "no training log"), ({"info": None}, "no training log"), ({"test_accuracy": "x"}, "no training log"),
    ({"info": [{"val_accuracy": 90.0, "dataset_path": "MNIST.csv"}]}, "was trained on MNIST.csv"),
    ({"config": {ARCHITECTURE + "layers": 8.5}}, "no training log"), ({"config": {"seed": -4}}, "no training log"),
    ({"config": {"seed": 10**30}}, "no training log"),
    ({"config": {ARCHITECTURE + "edge_normal_0": "x"}}, "edge_normal_0"),
])  # fmt: skip
def test_a_log_that_is_none_is_refused_and_nothing_written(tmp_path, change, message):
    folder = write_logs(tmp_path / "logs", [log(parse_genotype(ASKED[0])), log(parse_genotype(ASKED[1]), **change)])
    with pytest.raises(ZcbenchError, match=message) as caught:
        BENCHMARK.convert(folder, tmp_path / "out.parquet")
    assert "results_1.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["logs"]


def test_mutated_logs_are_rows_or_one_line(tmp_path):
    content = json.dumps(log(parse_genotype(ASKED[0]))).encode()
    generator = random.Random(0)
    path, out, refused = tmp_path / "results_0.json", tmp_path / "out.parquet", 0
    for _ in range(120):
        changed = bytearray(content)
        for _ in range(generator.choice((1, 2, 10))):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        if generator.random() < 0.2:
            del changed[generator.randrange(len(changed)) :]
        path.write_bytes(bytes(changed))
        message = ""
        try:
            BENCHMARK.convert(path, out)
            assert 2 <= len(TruthTable.from_parquet(out).frame) <= 3
            out.unlink()
        except ZcbenchError as error:
            message, refused = str(error), refused + 1
        assert "\n" not in message
        assert [p.name for p in tmp_path.iterdir()] == ["results_0.json"]
    assert refused > 60


def test_a_tidy_table_is_rewritten_with_its_kind(tmp_path, data_folder):
    summary = BENCHMARK.convert(data_folder / "nasbench301_surrogate.parquet", tmp_path / "out.parquet")
    assert summary.describe() == "725 rows of 725 architectures on cifar10 from naslib"
    assert set(TruthTable.from_parquet(tmp_path / "out.parquet").frame.kind) == {"surrogate"}
    frame = TruthTable.from_parquet(tmp_path / "out.parquet").frame
    frame["architecture"] = frame["architecture"].astype(str).replace(str(frame["architecture"][3]), "x")
    TruthTable(frame).write(tmp_path / "broken.parquet")
    with pytest.raises(ZcbenchError, match=r"cannot use .*broken.parquet: malformed DARTS genotype"):
        BENCHMARK.convert(tmp_path / "broken.parquet", tmp_path / "out2.parquet")


def test_what_cannot_be_converted_says_what_to_do(models, tmp_path):
    out = tmp_path / "out.parquet"
    with pytest.raises(ZcbenchError, match=r"a surrogate ensemble has no table.*--truth .*xgb_v1\.0"):
        BENCHMARK.convert(models / "xgb_v1.0", out)
    with pytest.raises(ZcbenchError, match=r"neither training logs \(results\*\.json\) nor a Parquet table"):
        BENCHMARK.convert(tmp_path, out)
    (tmp_path / "x.bin").write_bytes(b"")
    with pytest.raises(ZcbenchError, match="neither training logs"):
        BENCHMARK.convert(tmp_path / "x.bin", out)
    with pytest.raises(MissingFileError, match="there is no file or folder"):
        BENCHMARK.convert(tmp_path / "absent", out)
    (tmp_path / "y.parquet").write_bytes(b"PAR1" + bytes(50))
    with pytest.raises(ZcbenchError, match="cannot read"):
        BENCHMARK.convert(tmp_path / "y.parquet", out)
    write_logs(tmp_path / "logs", [log(parse_genotype(ASKED[0]))])
    with pytest.raises(ZcbenchError, match="is not a tidy table: convert it first"):
        BENCHMARK.truth(path=tmp_path / "logs")
    assert not out.exists()
