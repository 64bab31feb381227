"""Parquet tables that hold what no ground-truth table holds: one line each, whichever way they are read."""

import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zcbench.datasets import footer, row_groups
from zcbench.datasets.conversion import convert_tidy
from zcbench.datasets.nasbench201.genotype import Space, parse_cell
from zcbench.datasets.tidy import SCHEMA, TEXT, TRUTH_COLUMNS
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import ZcbenchError

CELLS = [architecture.id for architecture in Space().sample(40, seed=3)]
HUGE = 2**40


def columns(**changed):
    """A tidy table of 80 rows, two trainings of each cell, by column; a change is a column or one value."""
    n = 2 * len(CELLS)
    found = {
        "architecture": CELLS * 2, "dataset": ["cifar10"] * n, "split": ["test"] * n, "epochs": [200] * n,
        "seed": [0] * (n // 2) + [1] * (n // 2), "metric": ["accuracy"] * n,
        "value": [place / n for place in range(n)], "source": ["mine"] * n, "kind": ["trained"] * n,
    }  # fmt: skip
    whole = {name: value if isinstance(value, list | pa.Array) else [value] * n for name, value in changed.items()}
    return found | whole


def written(path, content, *, lazily=False):
    """Write columns; lazily: in row groups of one choice each, as far as they are."""
    pq.write_table(pa.table(content), path, row_group_size=40 if lazily else None)
    return path


def used(path, out):
    """Everything that a command does with a table; the error of each that refuses it."""
    def query():
        table = TruthTable.from_parquet(path)
        for dataset in table.datasets:
            target = table.select(dataset, default_split="test")
            table.truth(str(target.mean.index[0]), dataset)
            table.select(dataset, seed=1)

    errors = []
    for use in (query, lambda: TruthTable.from_parquet(path).frame, lambda: convert_tidy(path, out, check=parse_cell)):
        try:
            use()
        except ZcbenchError as error:
            errors.append(str(error))
    assert all(len(error.splitlines()) == 1 and len(error) < 1_000 for error in errors)
    assert not list(out.parent.glob("*.tmp*"))
    return errors


def last(name, value):
    """A column whose last cell is another."""
    return [*columns()[name][:-1], value]


BAD = [
    ({"epochs": -7}, "the column epochs holds -7, which is not from -1 to 2147483647"),
    ({"epochs": HUGE}, f"the column epochs holds {HUGE}, which"),
    ({"epochs": pa.array([2**63 + 1] * 80, pa.uint64())}, f"the column epochs holds {2**63 + 1}, which"),
    ({"epochs": 200.0}, "the column epochs holds float64 instead of whole numbers, e.g. 200.0"),
    ({"epochs": "200"}, "instead of whole numbers, e.g. '200'"),
    ({"epochs": True}, "the column epochs holds bool instead of whole numbers"),
    ({"seed": -5}, "the column seed holds -5, which is not from -1"),
    ({"seed": last("seed", -5)}, "the column seed holds -5, which is not from -1"),
    ({"seed": last("seed", HUGE)}, f"the column seed holds {HUGE}, which"),
    ({"seed": [float(seed) for seed in columns()["seed"]]}, "the column seed holds float64 instead of whole numbers"),
    ({"dataset": b"cifar10"}, "the column dataset holds bytes instead of text, e.g. b'cifar10'"),
    ({"dataset": ""}, "the column dataset holds empty text, e.g. ''"),
    ({"dataset": 10}, "the column dataset holds int instead of text, e.g. 10"),
    ({"dataset": [["cifar10"]] * 80}, "the column dataset holds list<element: string> instead of text"),
    ({"source": "a\nb"}, r"the column source holds control characters, e.g. 'a\nb'"),
    ({"source": "a\u2028b"}, r"the column source holds control characters, e.g. 'a\u2028b'"),
    ({"split": "x" * 6_000}, "the column split holds text of 6000 characters, more than 5000"),
    ({"architecture": last("architecture", "")}, "the column architecture holds empty text"),
    ({"architecture": last("architecture", " ")}, "the column architecture holds empty text, e.g. ' '"),
    ({"architecture": last("architecture", "\x1b[2J")}, r"architecture holds control characters, e.g. '\x1b[2J'"),
    ({"value": "0.5"}, " instead of numbers, e.g. '0.5'"),
    ({"value": last("value", np.inf), "metric": "loss"}, "the column value holds what is no finite number, e.g. inf"),
    ({"kind": "guessed"}, "kind guessed is none of trained"),
]


@pytest.mark.parametrize("lazily", [False, True], ids=["whole", "lazy"])
@pytest.mark.parametrize(("changed", "said"), BAD, ids=[f"{n}-{next(iter(c))}" for n, (c, _) in enumerate(BAD)])
def test_a_hostile_value_is_named_with_file_column_and_example(changed, said, lazily, tmp_path):
    path = written(tmp_path / "bad.parquet", columns(**changed), lazily=lazily)
    errors = used(path, tmp_path / "out.parquet")
    assert len(errors) == 3  # a query, the whole table and its conversion
    for error in errors:
        assert error.startswith(f"{path}")
        assert said in error
    assert not (tmp_path / "out.parquet").exists()


def test_a_good_table_is_used_in_either_way(tmp_path):
    for lazily in (False, True):
        path = written(tmp_path / "good.parquet", columns(), lazily=lazily)
        assert (row_groups.RowsInFile.opened(path) is not None) == lazily
        assert used(path, tmp_path / "out.parquet") == []
        assert len(TruthTable.from_parquet(tmp_path / "out.parquet")) == 80


def test_a_table_without_rows_is_refused(tmp_path):
    path = tmp_path / "none.parquet"
    pq.write_table(SCHEMA.empty_table(), path)
    assert used(path, tmp_path / "out.parquet") == [f"{path} has no rows"] * 3
    curves = written(path, columns(metric="accuracy_curve_200"))
    with pytest.raises(ZcbenchError, match=r"holds nothing but values of unfinished trainings \(\*_curve_\*\)"):
        TruthTable.from_parquet(curves)


def test_integers_are_values(tmp_path):
    content = columns(value=[place % 2 for place in range(80)])
    for lazily in (False, True):
        table = TruthTable.from_parquet(written(tmp_path / "whole.parquet", content, lazily=lazily))
        assert table.select("cifar10").mean.dtype == np.float64
        assert table.truth(CELLS[1], "cifar10").values == (1.0, 1.0)


def test_a_column_that_is_there_twice_is_refused():
    frame = pd.DataFrame(columns())
    with pytest.raises(ZcbenchError, match="has the column value twice"):
        TruthTable(pd.concat([frame, frame[["value"]]], axis=1))


# ---------------------------------------------------------------- fuzzing

STRANGE = [
    None, "", " ", "a\nb", "\x00", "x" * 9_000, "é", "\u2028", b"bytes", b"\xff\xfe", -1, -2, 0, 1, 2**31 - 1, 2**31,
    2**40, -(2**62), 0.5, -0.0, float("nan"), float("inf"), 1e308, True, [1], {"a": 1}, "accuracy", "loss",
]  # fmt: skip


def strange_columns(generator):
    """A table of which some columns hold something else, from one cell to all, and some are missing or doubled."""
    content = columns()
    for name in generator.sample(TRUTH_COLUMNS, generator.randint(1, 2)):
        value = generator.choice(STRANGE)
        number = generator.choice([1, 7, 40, 80])
        same_kind = [*content[name][: 80 - number], *[value] * number]
        try:
            content[name] = pa.array(same_kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            content[name] = pa.array([value] * 80)
    if generator.random() < 0.1:
        del content[generator.choice(TRUTH_COLUMNS)]
    if generator.random() < 0.1:
        content = {name: values[:0] for name, values in content.items()}
    return content


def test_no_table_of_strange_values_is_more_than_one_line(tmp_path):
    generator = random.Random(2026)
    refusals = 0
    for _ in range(250):
        path = written(tmp_path / "table.parquet", strange_columns(generator), lazily=generator.random() < 0.6)
        refusals += bool(used(path, tmp_path / "out.parquet"))
    assert 150 < refusals < 250  # some strange values are good ones


@pytest.mark.parametrize("compression", ["none", "snappy"])
def test_no_table_of_mutated_bytes_is_more_than_one_line(compression, tmp_path):
    generator = random.Random(2027)
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table(columns(), schema=SCHEMA), path, row_group_size=40, compression=compression)
    whole = path.read_bytes()
    refusals = 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(generator.choice([1, 1, 3, 20])):
            content[generator.randrange(4, len(content) - 4)] = generator.randrange(256)
        if generator.random() < 0.15:
            content = content[: generator.randrange(len(content))] + content[-4:]
        path.write_bytes(content)
        refusals += bool(used(path, tmp_path / "out.parquet"))
    assert refusals > 50


def test_text_that_is_no_utf8_is_refused(tmp_path):
    content = columns()
    for name in TEXT:
        bad = pa.array([b"\xff\xfe"] * 80).view(pa.string())
        path = written(tmp_path / "bad.parquet", content | {name: bad}, lazily=True)
        assert len(used(path, tmp_path / "out.parquet")) == 3


def test_a_footer_says_the_same_as_pyarrow_reads_in_it(tmp_path):
    content = columns(note=[None] * 80, small=pa.array([0.5] * 80, pa.float32()))
    path = written(tmp_path / "t.parquet", content, lazily=True)
    metadata = pq.ParquetFile(path).metadata
    found = footer.row_groups(path)
    assert len(found) == metadata.num_row_groups == 2
    for number, group in enumerate(found):
        theirs = metadata.row_group(number)
        assert group.rows == theirs.num_rows == 40
        assert len(group.columns) == theirs.num_columns == 11
        for place in range(theirs.num_columns):
            column = theirs.column(place)
            extent, said = group.columns[column.path_in_schema], column.statistics
            if column.path_in_schema == "note":
                assert extent is None
            else:
                assert (extent.least, extent.most, extent.nulls) == (said.min, said.max, said.null_count)


def test_no_damaged_footer_ends_the_process(tmp_path):
    """In pyarrow 26 an exception of C++ did, for a bit of the bytes 19, 20, 44, 45, 64, 65 and others."""
    path = written(tmp_path / "t.parquet", columns(), lazily=True)
    whole = path.read_bytes()
    begin = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    read, errors = 0, []
    for at in range(begin, begin + 120):
        content = bytearray(whole)
        content[at] ^= 1
        path.write_bytes(content)
        try:
            read += row_groups.RowsInFile.opened(path) is not None
        except ZcbenchError as error:
            errors.append(str(error))
    assert read
    assert errors
    assert all(len(error.splitlines()) == 1 for error in errors)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1\x01\x00\x00\x00PAR1", b"\xff\xff\xff\x7fPAR1", b"\x19" * 99])
def test_what_has_no_footer_is_refused(content, tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    with pytest.raises((ValueError, IndexError)):
        footer.row_groups(path)


@pytest.mark.parametrize(
    "inside",
    [b"\x1c" * 999, b"\x19" * 999, b"\x49\xfc\xff\xff\xff\xff\x0f", b"\x18\xff\xff\x7f", b"\x15" + b"\xff" * 99],
)
def test_a_footer_without_an_end_is_refused(inside, tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1" + inside + len(inside).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(ValueError, match="its footer"):
        footer.row_groups(path)
