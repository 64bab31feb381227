import pytest

from zcbench.datasets import registry
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.space import Missing

BENCHMARK = registry.benchmark("darts")


def test_the_trained_architectures_are_the_default(data_folder, monkeypatch):
    monkeypatch.setenv("ZCBENCH_DATA", str(data_folder))
    target = BENCHMARK.truth().select("cifar10", split=BENCHMARK.default_split)
    assert (target.kind, target.source, target.epochs, target.split) == ("trained", "yang2020", 600, "test")
    assert len(target.mean) == 214
    assert target.mean.between(0.96, 0.975).all()
    space = BENCHMARK.space
    assert len({space.unique_id(space.parse(text)) for text in target.mean.index}) == 214


def test_it_shares_the_genotypes_of_nasbench301_but_not_the_network():
    other = registry.benchmark("nasbench301").space
    text = BENCHMARK.space.sample(1, seed=0)[0].id
    assert other.parse(text).genotype == BENCHMARK.space.parse(text).genotype
    assert (BENCHMARK.space.name, other.name) == ("darts", "nasbench301")
    assert (BENCHMARK.space.network["channels"], BENCHMARK.space.network["cells"]) == (36, 20)
    assert (other.network["channels"], other.network["cells"]) == (32, 8)


def test_without_data_it_is_missing(no_data):
    assert all(isinstance(entry, Missing) for entry in BENCHMARK.availability())
    with pytest.raises(MissingFileError, match="there is no ground truth of darts"):
        BENCHMARK.truth()


def test_only_tables_are_converted(data_folder, tmp_path):
    summary = BENCHMARK.convert(data_folder / "darts_trained.parquet", tmp_path / "out.parquet")
    assert summary.describe() == "214 rows of 214 architectures on cifar10 from yang2020"
    assert set(TruthTable.from_parquet(tmp_path / "out.parquet").frame.kind) == {"trained"}
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "results_0.json").write_text("{}")
    with pytest.raises(ZcbenchError, match="for darts: it is no Parquet table"):
        BENCHMARK.convert(tmp_path / "logs", tmp_path / "out2.parquet")
