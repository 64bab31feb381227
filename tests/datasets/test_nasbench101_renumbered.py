import itertools

import pandas as pd
import pytest

from zcbench.datasets.nasbench101 import BENCHMARK
from zcbench.datasets.nasbench101.genotype import module_hash, parse_cell, print_cell, pruned
from zcbench.datasets.nasbench101.renumbered import numberings
from zcbench.datasets.nasbench101.space import Space
from zcbench.datasets.tidy import TRUTH_COLUMNS
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import ZcbenchError

PARALLEL = "input,conv3x3-bn-relu,maxpool3x3,output|0110000100010000"
SWAPPED = "input,maxpool3x3,conv3x3-bn-relu,output|0110000100010000"
DEAD = "input,maxpool3x3,conv1x1-bn-relu,conv3x3-bn-relu,output|0111000001000000000100000"
OTHER = "input,conv3x3-bn-relu,conv3x3-bn-relu,output|0110000100010000"


def by_trying_all(cell):
    """Strings of the same hash among all orders of the inner vertices."""
    last = len(cell.operations) - 1
    found = set()
    for order in itertools.permutations(cell.inner):
        number = {0: 0, last: last} | {vertex: place for place, vertex in enumerate(order, start=1)}
        edges = {(number[i], number[j]) for i, j in cell.edges}
        if all(i < j for i, j in edges):
            operations = ["input", *(cell.operations[v] for v in order), "output"]
            bits = "".join("01"[(i, j) in edges] for i in range(last + 1) for j in range(last + 1))
            found.add(f"{','.join(operations)}|{bits}")
    return found


def test_numberings_are_all_orders_in_which_edges_lead_upwards():
    assert numberings(parse_cell(PARALLEL)) == {PARALLEL, SWAPPED}
    for architecture in Space().sample(40, seed=8):
        cell = pruned(architecture.genotype)
        found = numberings(cell)
        assert print_cell(cell) in found
        assert found == by_trying_all(cell)
        assert {module_hash(parse_cell(text)) for text in found} == {module_hash(cell)}


def rows(text, *values, seed=None, split="test"):
    return [
        (text, "cifar10", split, 108, n if seed is None else seed, "accuracy", value, "s", "trained")
        for n, value in enumerate(values)
    ]


@pytest.fixture(params=["one row group", "many row groups"])
def table(request, tmp_path, monkeypatch):
    from zcbench.datasets import conversion

    content = [*rows(OTHER, 0.1, 0.2), *rows(PARALLEL, 0.5, 0.7), *rows(PARALLEL, 0.9, split="valid")]
    path = tmp_path / "nasbench101.parquet"
    if request.param == "many row groups":
        monkeypatch.setattr(conversion, "ROW_GROUP", 2)
        conversion.write_rows(content, path, name="x")
    else:
        TruthTable(pd.DataFrame(content, columns=list(TRUTH_COLUMNS))).write(path)
    return path


def test_a_cell_is_found_under_all_its_strings(table):
    unknown = "input,output|0100"
    found = BENCHMARK.truth(path=table, architectures=[SWAPPED, DEAD, PARALLEL, unknown])
    target = found.select("cifar10")
    assert target.mean.to_dict() == pytest.approx({OTHER: 0.15, PARALLEL: 0.6, SWAPPED: 0.6, DEAD: 0.6})
    assert target.repeats.loc[SWAPPED].tolist() == [0.5, 0.7]
    assert found.select("cifar10", seed=1).mean[DEAD] == 0.7
    assert found.truth(SWAPPED, "cifar10", split="valid").values == (0.9,)
    with pytest.raises(ZcbenchError, match="has no accuracy of input,output"):
        found.truth(unknown, "cifar10")
    valid = found.only("s").select("cifar10", split="valid")
    assert valid.mean.to_dict() == dict.fromkeys((PARALLEL, SWAPPED, DEAD), 0.9)
    assert len(found) == len(found.frame) == 5


def test_without_architectures_a_table_has_what_it_has(table):
    assert set(BENCHMARK.truth(path=table).select("cifar10").mean.index) == {OTHER, PARALLEL}
    same = BENCHMARK.truth(path=table, architectures=[PARALLEL]).select("cifar10")
    assert set(same.mean.index) == {OTHER, PARALLEL}


def test_a_string_that_the_table_has_keeps_its_own_truth(tmp_path):
    content = [*rows(PARALLEL, 0.5), *rows(SWAPPED, 0.6)]
    TruthTable(pd.DataFrame(content, columns=list(TRUTH_COLUMNS))).write(tmp_path / "t.parquet")
    found = BENCHMARK.truth(path=tmp_path / "t.parquet", architectures=[SWAPPED, PARALLEL])
    assert found.select("cifar10").mean.to_dict() == {PARALLEL: 0.5, SWAPPED: 0.6}


def test_malformed_strings_are_refused(table):
    with pytest.raises(ZcbenchError, match="malformed NAS-Bench-101 cell"):
        BENCHMARK.truth(path=table, architectures=["x"])


def test_naslibs_matrices_find_the_repeats_of_their_cells(data_folder):
    """125 of its 500 matrices are of a cell that zerocostpt has, and all these have three repeats then."""
    path = data_folder / "nasbench101.parquet"
    asked = list(BENCHMARK.truth(path=path).select("cifar10", source="naslib", split="valid").mean.index)
    found = BENCHMARK.truth(path=path, architectures=asked)
    target = found.select("cifar10", source="zerocostpt", split="valid")
    assert target.repeats.shape == (5_385 + 125, 3)
    naslib = found.select("cifar10", source="naslib", split="valid").mean
    for text in target.repeats.index[-125:]:
        assert (target.repeats.loc[text] - naslib[text]).abs().min() < 1e-6
