"""What users give as ground truth that is none: the one line that says what to do instead."""

import shutil

import pytest

from zcbench.datasets.conversion import write_rows
from zcbench.datasets.nasbench201 import hardware
from zcbench.datasets.registry import benchmark, benchmarks
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError

TABULAR = ("nasbench101", "nasbench201", "natsbench_size", "transnasbench101_micro", "darts", "nasbench301")


def refused(call, kind=ZcbenchError):
    with pytest.raises(kind) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def table(path, space, number=5):
    cells = [architecture.id for architecture in space.sample(number, seed=1)]
    rows = [(c, "cifar10", "test", 200, -1, "accuracy", n / 10, "mine", "trained") for n, c in enumerate(cells)]
    write_rows(rows, path, name="rows")
    return cells


@pytest.mark.parametrize("name", TABULAR)
@pytest.mark.parametrize("start", [b"\x80\x02}q\x00.", b"PK\x03\x04zip", b"BZh91AY&SY", b"a,value\n", b"\x08\0\0\0\0"])
def test_an_official_file_has_to_be_converted_first(name, start, tmp_path):
    path = tmp_path / "an official file"
    path.write_bytes(start * 3)
    assert refused(lambda: benchmark(name).truth(path=path)) == (
        f"{path} is not a tidy table: convert it first (zcbench data convert {name} '{path}' --out TABLE.parquet)"
    )


@pytest.mark.parametrize("name", [name for name in TABULAR if name != "nasbench301"])
def test_a_folder_has_to_be_converted_first(name, tmp_path):
    (tmp_path / "000000.pickle.pbz2").write_bytes(b"BZh91AY&SY")
    command = f"zcbench data convert {name} {tmp_path} --out TABLE.parquet"
    assert refused(lambda: benchmark(name).truth(path=tmp_path)).endswith(f"convert it first ({command})")


def test_what_is_absent_empty_or_damaged_is_said_to_be(tmp_path):
    for name in TABULAR:
        truth = benchmark(name).truth
        refused(lambda truth=truth: truth(path=tmp_path / "absent"), MissingFileError)
        (tmp_path / "empty").touch()
        assert refused(lambda truth=truth: truth(path=tmp_path / "empty")).endswith("the file is empty")
        (tmp_path / "cut").write_bytes(b"PAR1" + bytes(40))
        assert "truncated, damaged" in refused(lambda truth=truth: truth(path=tmp_path / "cut"))


def test_what_belongs_to_nasbench301_is_sent_there(tmp_path):
    darts = benchmark("darts").truth
    (tmp_path / "logs" / "1").mkdir(parents=True)
    (tmp_path / "logs" / "1" / "results_0.json").write_text("{}")
    message = refused(lambda: darts(path=tmp_path / "logs"))
    assert "zcbench data convert nasbench301" in message
    assert message.endswith("--benchmark nasbench301")
    (tmp_path / "xgb" / "1").mkdir(parents=True)
    (tmp_path / "xgb" / "1" / "surrogate_model.model").touch()
    assert refused(lambda: darts(path=tmp_path / "xgb")).endswith(
        "is a surrogate ensemble, which is ground truth of nasbench301: give it with --benchmark nasbench301"
    )


def test_a_table_of_another_space_is_refused(tmp_path):
    path = tmp_path / "table.parquet"
    for of in ("nasbench201", "darts", "natsbench_size"):
        first = table(path, benchmark(of).space)[0]
        for name in TABULAR:
            if benchmark(name).space.name == benchmark(of).space.name or {name, of} == {"darts", "nasbench301"}:
                assert len(benchmark(name).truth(path=path)) == 5
                continue
            said = refused(lambda name=name: benchmark(name).truth(path=path))
            assert said.startswith(f"{path} holds architectures of another search space than ")
            assert ascii(first)[:197] in said


def test_numbered_costs_have_to_be_converted_first(data_folder, tmp_path):
    path = tmp_path / hardware.TABLES[1]
    shutil.copyfile(data_folder / path.name, path)
    assert "is not a tidy table: convert it first" in refused(lambda: benchmark("nasbench201").truth(path=path))


def test_the_tables_at_hand_are_of_their_spaces(data_folder):
    for name, found in benchmarks().items():
        for path in (data_folder / table for table in getattr(found, "tables", ())):
            if path.exists() and not (path.name in hardware.TABLES and hardware.is_columns(path)):
                assert len(benchmark(name).truth(path=path)) > 0


def test_without_a_data_folder_the_advice_is_to_set_it(no_data):
    for name in ("nasbench101", "darts", "nasbench301", "natsbench_size"):
        found = benchmark(name)
        for source in found.availability():
            assert source.reason.startswith("set ZCBENCH_DATA to a folder that has "), source
        message = refused(found.truth, MissingFileError)
        assert f"or set ZCBENCH_DATA to a folder that has {found.tables[0]}" in message
        assert "not set" not in message


def test_several_tables_together_lack_a_source(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    rows = [("x", "cifar10", "test", 200, -1, "accuracy", 0.5, "one", "trained")]
    write_rows(rows, paths[0], name="rows")
    write_rows([(*row[:7], "robot", row[8]) for row in rows], paths[1], name="rows")
    both = TruthTable.from_parquets(paths)
    assert refused(lambda: both.only("robott")).startswith(
        f'{paths[0]} together with {paths[1]} has no source "robott". Did you mean "robot"?'
    )


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "darts", "nasbench301", "natsbench_size"])
@pytest.mark.parametrize("text", ["", "x", "input,conv3x4-bn-relu,output|011001000"])
def test_a_malformed_architecture_is_shown_the_form(name, text):
    assert " Form: " in refused(lambda: benchmark(name).space.parse(text))


def test_the_example_of_a_cell_is_one():
    space = benchmark("nasbench101").space
    example = refused(lambda: space.parse("x")).rpartition("e.g. ")[2]
    assert str(space.parse(example)) == example


