"""Tables of many row groups: what is not asked for is not read, and how long the largest one takes."""

import json
import random
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zcbench.datasets import conversion, row_groups
from zcbench.datasets.conversion import write_rows
from zcbench.datasets.tidy import SCHEMA, TRUTH_COLUMNS
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import ZcbenchError

CELLS = 90
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")


def synthetic(cells, seed="0"):
    """Rows as a converted NAS-Bench-101 has them: three repeats, three splits, final and half-trained."""
    draw = random.Random(seed)
    seen = set()
    while len(seen) < cells:
        vertices = 7 if draw.random() < 0.85 else draw.randint(3, 6)
        bits = f"{draw.getrandbits(vertices**2):0{vertices**2}b}"
        cell = ",".join(["input", *draw.choices(OPERATIONS, k=vertices - 2), "output"]) + "|" + bits
        if cell in seen:
            continue
        seen.add(cell)
        for repeat in range(3):
            for split in ("train", "valid", "test"):
                final = draw.random()
                where = (cell, "cifar10", split, 108, repeat)
                yield (*where, "accuracy", final, "nasbench101", "trained")
                yield (*where, "accuracy_halfway", final / 2, "nasbench101", "trained")


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "ROW_GROUP", 100)
    path = tmp_path / "table.parquet"
    rows = [*synthetic(CELLS), *surplus()]
    write_rows(rows, path, name="a test")
    return path, pd.DataFrame(rows, columns=list(TRUTH_COLUMNS))


def surplus():
    """Further sources, datasets and lengths, curves, published means and costs."""
    cells = list(dict.fromkeys(row[0] for row in synthetic(CELLS)))
    for number, cell in enumerate(cells):
        value = number / CELLS
        yield (cell, "cifar10", "valid", 108, -1, "accuracy", value, "naslib", "trained")
        yield (cell, "cifar100", "valid", -1, -1, "ssim", value, "naslib", "trained")
        yield (cell, "cifar10", "test", 12, number % 2, "accuracy", value, "nasbench101", "trained")
        yield (cell, "cifar10", "hardware", -1, -1, "npu_latency", 7 * value, "costs", "measured")
        for epoch in range(1, 4):
            yield (cell, "cifar10", "test", epoch, 0, "accuracy_curve_4", value, "nasbench101", "trained")


QUESTIONS = [
    {},
    {"split": "valid"},
    {"split": "valid", "source": "nasbench101"},
    {"split": "train", "metric": "accuracy_halfway"},
    {"epochs": 12},
    {"seed": 2},
    {"seed": 1, "epochs": 12},
    {"dataset": "cifar100", "default_split": "valid"},
    {"metric": "npu_latency"},
]


def damage(path, keep):
    """Overwrite the row groups that ``keep`` does not want; return how many there were of each."""
    content = bytearray(path.read_bytes())
    metadata = pq.ParquetFile(path).metadata
    kept = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
        if keep({name: columns[name].statistics.min for name in ("split", "metric", "source", "epochs")}):
            kept += 1
            continue
        for column in columns.values():
            begin = column.dictionary_page_offset or column.data_page_offset
            content[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    return kept, metadata.num_row_groups - kept


def test_groups_that_are_not_asked_for_are_never_read(written):
    path, rows = written
    found = damage(path, lambda of: (of["split"], of["metric"], of["epochs"]) == ("test", "accuracy", 108))
    assert found == (3, 22)
    table = TruthTable.from_parquet(path)
    assert len(table) == (rows.metric != "accuracy_curve_4").sum()
    assert table.datasets == ("cifar10", "cifar100")
    assert table.sources == ("costs", "nasbench101", "naslib")
    assert table.metrics("cifar10") == ("accuracy", "accuracy_halfway", "npu_latency")
    expected = rows[(rows.split == "test") & (rows.metric == "accuracy") & (rows.epochs == 108)]
    target = table.select("cifar10", epochs=108)
    assert target.mean.to_dict() == pytest.approx(expected.groupby("architecture").value.mean().to_dict())
    first = expected.architecture.iloc[0]
    assert table.truth(first, "cifar10", epochs=108).values == tuple(expected.value[:3])
    for other in ({"split": "valid"}, {"epochs": 12}, {"metric": "npu_latency"}):
        with pytest.raises(ZcbenchError, match=f"cannot read {path}: truncated, damaged") as caught:
            table.select("cifar10", **other)
        assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(ZcbenchError, match="damaged"):
        table.frame  # noqa: B018


def test_only_the_groups_of_the_question_are_read(written, monkeypatch):
    path, _ = written
    read = []
    original = row_groups.RowsInFile._table

    def count(self, numbers, *columns):
        read.append(len(numbers))
        return original(self, numbers, *columns)

    monkeypatch.setattr(row_groups.RowsInFile, "_table", count)
    table = TruthTable.from_parquet(path)
    assert read == []
    table.select("cifar10", epochs=108)
    assert read == [3]  # 270 rows, 100 in a group
    for cell in table.select("cifar10", epochs=12).mean.index:
        table.truth(cell, "cifar10", epochs=12)
    assert read == [3, 1, 1]  # a loop over cells reads once
    assert len(table.only("naslib")) == 2 * CELLS
    assert len(read) == 3


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_a_lazy_table_answers_like_one_in_memory(written, question):
    path, rows = written
    lazy = TruthTable.from_parquet(path)
    whole = TruthTable(rows[rows.metric != "accuracy_curve_4"], str(path))
    assert len(lazy) == len(whole)
    asked = {"dataset": "cifar10", **question}
    one, other = lazy.select(**asked), whole.select(**asked)
    assert one.describe() == other.describe()
    assert (one.name, one.seed, one.usual) == (other.name, other.seed, other.usual)
    pd.testing.assert_series_equal(one.mean, other.mean)
    pd.testing.assert_frame_equal(one.repeats, other.repeats)
    cell = one.mean.index[-1]
    assert lazy.truth(cell, **asked) == whole.truth(cell, **asked)


@pytest.mark.parametrize(
    "question",
    [
        {"dataset": "cifar1"},
        {"source": "nobody"},
        {"metric": "accurcy"},
        {"split": "all"},
        {"epochs": 9},
        {"seed": 9},
        {"dataset": "cifar100"},
        {"source": "costs"},
    ],
    ids=str,
)
def test_a_lazy_table_refuses_like_one_in_memory(written, question):
    path, rows = written
    messages = []
    for table in (TruthTable.from_parquet(path), TruthTable(rows[rows.metric != "accuracy_curve_4"], str(path))):
        with pytest.raises(ZcbenchError) as caught:
            table.select(**{"dataset": "cifar10", **question})
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert len(messages[0].splitlines()) == 1


def test_the_frame_of_a_lazy_table_has_all_its_rows(written):
    path, rows = written
    lazy = TruthTable.from_parquet(path)
    expected = rows[rows.metric != "accuracy_curve_4"]
    key = list(TRUTH_COLUMNS[:-2])
    for table, kept in ((lazy, expected), (lazy.only("naslib"), expected[expected.source == "naslib"])):
        found = table.frame.astype(dict.fromkeys(("architecture", "dataset", "split", "metric", "source"), str))
        assert len(found) == len(table) == len(kept)
        assert sorted(found[key].itertuples(index=False)) == sorted(kept[key].itertuples(index=False))
    curves = TruthTable.from_parquet(path, curves=True)
    assert len(curves) == len(rows)
    assert curves.select("cifar10", metric="accuracy_curve_4").epochs == 3


def test_several_files_are_one_table(written, tmp_path):
    path, rows = written
    more = tmp_path / "more.parquet"
    extra = rows[(rows.metric == "accuracy") & (rows.epochs == 12)].assign(seed=5, value=0.5)
    TruthTable(extra).write(more)
    both = TruthTable.from_parquets([path, more])
    assert len(both) == len(TruthTable.from_parquet(path)) + len(extra)
    target = both.select("cifar10", epochs=12)
    assert list(target.repeats.columns) == [0, 1, 5]
    assert list(target.mean.index) == list(extra.architecture)
    assert target.mean.iloc[-1] == pytest.approx((0.5 + (CELLS - 1) / CELLS) / 2)
    assert len(both.frame) == len(both)
    assert str(both.frame.architecture.dtype) == "category"
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(ZcbenchError, match=r"table.parquet together with .*copy.parquet: \d+ measurements occur twice"):
        TruthTable.from_parquets([path, copy])


def regrouped(path, frames):
    """Write frames as row groups of one file, whatever is in them."""
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for frame in frames:
            columns = {name: frame[name].to_list() for name in TRUTH_COLUMNS}  # so that NaN is no null
            writer.write_table(pa.table(columns, schema=SCHEMA))
    return path


def test_files_of_mixed_groups_are_read_as_a_whole(written, tmp_path):
    _, rows = written
    rows = rows[rows.metric != "accuracy_curve_4"]
    path = regrouped(tmp_path / "mixed.parquet", [rows[:700], rows[700:]])
    assert row_groups.RowsInFile.opened(path) is None
    table = TruthTable.from_parquet(path)
    assert len(table) == len(rows)
    assert table.select("cifar10", epochs=108).repeats.shape == (CELLS, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 50.0}, "accuracies are outside [0, 1], e.g. 50 of"),
        ({"kind": "guessed"}, "kind guessed is none of trained"),
        ({"architecture": None}, "empty cells in architecture"),
        ({"value": np.nan}, "empty cells in value"),
        ({"value": None}, "empty cells in value"),
        ({"split": None}, "empty cells in split"),
    ],
)
def test_invalid_rows_are_refused_whichever_way_a_file_is_read(written, tmp_path, change, message):
    _, rows = written
    rows = rows[(rows.metric == "accuracy") & (rows.split == "test") & (rows.epochs == 108)]
    last = rows[200:].copy()
    for column, value in change.items():
        last[column] = [*last[column][:3], value, *last[column][4:]]
        last[column] = last[column].astype(object)
        last.loc[last.index[3], column] = value
    path = regrouped(tmp_path / "bad.parquet", [rows[:100], rows[100:200], last])
    with pytest.raises(ZcbenchError) as caught:
        TruthTable.from_parquet(path).select("cifar10")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_measurements_in_two_groups_are_refused(written, tmp_path):
    _, rows = written
    rows = rows[(rows.metric == "accuracy") & (rows.split == "test") & (rows.epochs == 108)]
    path = regrouped(tmp_path / "twice.parquet", [rows[:100], rows[99:]])
    cell = rows.architecture.iloc[99]
    with pytest.raises(ZcbenchError) as caught:
        TruthTable.from_parquet(path).select("cifar10")
    assert str(caught.value).startswith(f"{path}: 1 measurements occur twice, e.g. {cell} on cifar10 (test, 108")


def test_statistics_that_promise_too_much_are_found_out(written, monkeypatch):
    path, _ = written
    original = row_groups._choice
    monkeypatch.setattr(
        row_groups, "_choice", lambda columns: (c := original(columns)) and c._replace(split="test")
    )
    table = TruthTable.from_parquet(path)
    with pytest.raises(ZcbenchError, match="damaged, for its statistics promise rows with split test where"):
        table.select("cifar10", source="naslib")


FRESH = """
import json, re, sys, time
begin = time.perf_counter()
from pathlib import Path
from zcbench.datasets.truth import TruthTable
imported = time.perf_counter()
table = TruthTable.from_parquet(Path(sys.argv[1]))
opened = time.perf_counter()
target = table.select("cifar10", split="test", epochs=108)
selected = time.perf_counter()
sample = target.mean.iloc[::50_000].to_dict()
print(json.dumps({
    "import": imported - begin, "open": opened - imported, "select": selected - opened,
    "cpu": time.process_time(), "rows": len(table), "cells": len(target.mean), "repeats": target.repeats.shape[1],
    # not getrusage: its peak begins with that of the process that started this one
    "megabytes": int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()).group(1)) / 1024,
    "sample": sample,
}))
"""


@pytest.mark.bench
@pytest.mark.timeout(1200)
def test_all_of_nasbench101(tmp_path_factory):
    cells = 423_624
    path = tmp_path_factory.mktemp("nasbench101") / "nasbench101.parquet"
    kept = {}

    def rows():
        for row in synthetic(cells):
            if row[2] == "test" and row[5] == "accuracy":
                kept.setdefault(row[0], []).append(row[6])
            yield row

    summary = write_rows(rows(), path, name="synthetic rows", space=cells)
    print(f"\n{summary.describe()}: {path.stat().st_size / 1e6:.0f} MB")
    for attempt in range(3):
        done = subprocess.run(
            [sys.executable, "-c", FRESH, str(path)], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
        print(
            f"process {attempt + 1}: import {found['import']:.2f} s, open {found['open']:.3f} s, query "
            f"{found['select']:.2f} s (open and query {found['open'] + found['select']:.2f} s; CPU of the whole "
            f"process {found['cpu']:.2f} s); peak of the whole process {found['megabytes']:.0f} MB"
        )
        assert found["megabytes"] < 800
    assert (found["rows"], found["cells"], found["repeats"]) == (18 * cells, cells, 3)
    for cell, mean in found["sample"].items():
        assert mean == pytest.approx(sum(kept[cell]) / 3)
