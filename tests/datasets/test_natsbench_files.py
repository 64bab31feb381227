"""The official files of the size space: what becomes of them, and what becomes of files that are none."""

import bz2
import copy
import io
import math
import os
import pickle
import random
from collections import OrderedDict

import numpy as np
import pytest

from zcbench.datasets.nasbench201.convert import convert as convert_topology
from zcbench.datasets.natsbench_size.convert import convert
from zcbench.datasets.natsbench_size.space import CELL, Space
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, UnsafeFileError, ZcbenchError

SIZES = [a.id for a in Space().sample(4, seed=0)]
SETS = {
    "cifar10": {"ori-test": "test"},
    "cifar10-valid": {"x-valid": "valid", "ori-test": "test"},
    "cifar100": {"x-valid": "valid", "x-test": "test", "ori-test": "valid+test"},
    "ImageNet16-120": {"x-valid": "valid", "x-test": "test", "ori-test": "valid+test"},
}
NAMES = {name: name.lower().replace("net16-", "net16_") for name in SETS}
SEEDS = {"01": (777,), "12": (777, 888, 999), "90": (777,)}
ROWS = 13 * 5  # of one candidate: train and the sets of four datasets, of five trainings


def trial(dataset, epochs, offset):
    evaluated = {f"{s}@{e}": np.float64(10 + e / 2 + offset) for s in SETS[dataset] for e in range(epochs)}
    return {
        "name": dataset,
        "epochs": epochs,
        "train_acc1es": OrderedDict((epoch, 20 + epoch / 2 + offset) for epoch in range(epochs)),
        "eval_acc1es": evaluated,
        "arch_config": {"name": "infer.shape.tiny", "genotype": CELL},
        "params": np.float64(0.5),
        "net_state_dict": None,
    }


def budgets(sizes, offset=0.0, epochs=None):
    """Records of one candidate; shortened to few epochs where a test needs no real ones."""
    found = OrderedDict()
    for budget, seeds in SEEDS.items():
        length = (epochs or {}).get(budget, int(budget))
        trials = {(d, seed): trial(d, length, offset + n) for n, seed in enumerate(seeds) for d in SETS}
        found[budget] = {"arch_index": 0, "arch_str": sizes, "all_results": trials, "clear_net_done": True}
    return found


SHORT = {"01": 1, "12": 2, "90": 3}


def packed(path, content):
    path.write_bytes(bz2.compress(pickle.dumps(content, 4)))
    return path


def folder_of(folder, epochs=None):
    folder = folder / "NATS-sss-v1_0-50262-simple"
    folder.mkdir()
    for index, sizes in enumerate(SIZES):
        packed(folder / f"{index:06d}.pickle.pbz2", budgets(sizes, index, epochs))
    packed(folder / "meta.pickle.pbz2", {"meta_archs": SIZES, "arch2infos": None})
    return folder


def file_of(folder, epochs=None):
    cells = {index: budgets(sizes, index, epochs) for index, sizes in enumerate(SIZES)}
    content = {"meta_archs": SIZES, "total_archs": 4, "arch2infos": cells, "evaluated_indexes": set(cells)}
    return packed(folder / "NATS-sss-v1_0-50262.pickle.pbz2", content)


@pytest.fixture(params=[folder_of, file_of])
def given(request, tmp_path):
    return request.param(tmp_path)


# ---------------------------------------------------------------- what conversion keeps


def test_both_forms_keep_every_budget_seed_and_set(given, tmp_path):
    out = tmp_path / "out.parquet"
    summary = convert(given, out)
    assert (summary.rows, summary.architectures, summary.space) == (ROWS * len(SIZES), len(SIZES), 32_768)
    assert summary.sources == ("nats-sss-v1_0",)
    assert summary.datasets == tuple(sorted(NAMES.values()))
    assert summary.ignored == ()
    table = TruthTable.from_parquet(out)
    for number, sizes in enumerate(SIZES):
        for dataset, sets in SETS.items():
            for budget, seeds in SEEDS.items():
                for split in ("train", *sets.values()):
                    found = table.truth(sizes, NAMES[dataset], split=split, epochs=int(budget))
                    base = (20 if split == "train" else 10) + (int(budget) - 1) / 2 + number
                    assert found.seeds == seeds
                    assert found.values == pytest.approx([(base + n) / 100 for n in range(len(seeds))])
                    assert found.kind == "trained"
    assert table.select("cifar10").epochs == 90
    assert table.select("cifar10", epochs=12).seeds == "mean over 3 seeds"


def test_curves(given, tmp_path):
    summary = convert(given, tmp_path / "out.parquet", curves=True)
    assert summary.rows == 13 * (1 + 3 * 12 + 90) * len(SIZES)
    table = TruthTable.from_parquet(tmp_path / "out.parquet", curves=True)
    early = table.truth(SIZES[0], "cifar100", metric="accuracy_curve_90", epochs=4)
    assert early.values == pytest.approx((0.115,))


def test_a_tidy_table_is_checked_and_rewritten(tmp_path):
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    summary = convert(folder_of(tmp_path, SHORT), first)
    assert convert(first, second) == summary
    frames = [TruthTable.from_parquet(path).frame.astype(str) for path in (first, second)]
    assert frames[0].equals(frames[1])


def test_the_real_records(data_folder, tmp_path):
    folder = data_folder / "fixtures" / "nats_bench" / "NATS-sss-v1_0-50262-simple"
    summary = convert(folder, tmp_path / "out.parquet")
    assert (summary.rows, summary.architectures) == (3 * ROWS, 3)
    table = TruthTable.from_parquet(tmp_path / "out.parquet")
    compared = 0
    for path in sorted(folder.glob("0*.pbz2")):
        for budget, record in pickle.loads(bz2.decompress(path.read_bytes())).items():
            last = int(budget) - 1
            for (dataset, seed), one in record["all_results"].items():
                expected = {"train": one["train_acc1es"][last]}
                expected |= {split: one["eval_acc1es"][f"{s}@{last}"] for s, split in SETS[dataset].items()}
                for split, percent in expected.items():
                    said = table.truth(
                        record["arch_str"], NAMES[dataset], split=split, epochs=last + 1, seed=seed
                    )
                    assert said.values == pytest.approx((percent / 100,), abs=1e-12)
                    compared += 1
    assert compared == summary.rows


# ---------------------------------------------------------------- what conversion refuses


def refused(path, out, kind=ZcbenchError, by=convert):
    with pytest.raises(kind) as caught:
        by(path, out)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    assert not out.exists()
    assert not list(out.parent.glob(".out*"))
    return message


def test_the_two_spaces_name_each_other(tmp_path, data_folder):
    out = tmp_path / "out.parquet"
    fixtures = data_folder / "fixtures" / "nats_bench"
    message = refused(fixtures / "NATS-tss-v1_0-3ffb9-simple", out)
    assert "is a cell of the topology search space (NATS-tss), and only the size search space (NATS-sss)" in message
    assert message.endswith("convert it with zcbench data convert nasbench201")
    message = refused(fixtures / "NATS-sss-v1_0-50262-simple", out, by=convert_topology)
    assert '"8:8:8:8:8" is an architecture of the size search space (NATS-sss)' in message
    assert message.endswith("convert it with zcbench data convert natsbench_size")
    convert(fixtures / "NATS-sss-v1_0-50262-simple", tmp_path / "sss.parquet")
    convert_topology(fixtures / "NATS-tss-v1_0-3ffb9-simple", tmp_path / "tss.parquet")
    assert "zcbench data convert nasbench201" in refused(tmp_path / "tss.parquet", out)
    assert "zcbench data convert natsbench_size" in refused(tmp_path / "sss.parquet", out, by=convert_topology)


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


def hostile_memo():
    """A pickle that builds its call from parts that look harmless one by one."""
    stream = io.BytesIO()
    stream.write(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.")
    return stream.getvalue()


def test_code_is_never_run(tmp_path):
    out = tmp_path / "out.parquet"
    path = packed(tmp_path / "000000.pickle.pbz2", {"12": Hostile()})
    assert "it asks for posix.system, which this format never contains" in refused(path, out, UnsafeFileError)
    path.write_bytes(bz2.compress(hostile_memo()))
    assert "builtins.eval" in refused(path, out, UnsafeFileError)
    content = budgets(SIZES[0], epochs=SHORT)
    content["12"]["all_results"]["cifar10", 777]["net_state_dict"] = Hostile()
    assert "posix.system" in refused(packed(path, content), out, UnsafeFileError)


def test_other_paths(tmp_path):
    out = tmp_path / "out.parquet"
    assert "no file or folder" in refused(tmp_path / "absent", out, MissingFileError)
    assert "has no [0-9]*.pickle.pbz2 files" in refused(tmp_path, out)
    contents = {b"": "the file is empty", b"<html>": "neither a .pickle.pbz2", b"BZh9": "cannot read"}
    for content, message in contents.items():
        (tmp_path / "x.pbz2").write_bytes(content)
        assert message in refused(tmp_path / "x.pbz2", out)
    with pytest.raises(MissingFileError, match="no folder"):
        convert(folder_of(tmp_path, SHORT), tmp_path / "absent" / "out.parquet")


def test_what_occurs_twice_is_refused(tmp_path):
    out = tmp_path / "out.parquet"
    folder = folder_of(tmp_path, SHORT)
    (folder / "meta.pickle.pbz2").unlink()  # which would say that there is no number 9
    (folder / "000009.pickle.pbz2").write_bytes((folder / "000000.pickle.pbz2").read_bytes())
    assert f"000009.pickle.pbz2: the architecture {SIZES[0]} occurs twice" in refused(folder, out)
    content = budgets(SIZES[0], epochs=SHORT)
    content["200"] = content["12"]
    path = packed(tmp_path / "000000.pickle.pbz2", content)
    assert "a measurement occurs twice (cifar10, train, 2 epochs, seed 777)" in refused(path, out)


@pytest.mark.parametrize("source", [folder_of, file_of])
def test_a_file_cut_anywhere_is_refused(tmp_path, source):
    path = source(tmp_path, SHORT)
    victim = sorted(path.glob("0*"))[-1] if path.is_dir() else path
    content = victim.read_bytes()
    for end in {0, 1, 4, 10, len(content) // 3, len(content) // 2, len(content) - 1}:
        victim.write_bytes(content[:end])
        assert str(victim) in refused(path, tmp_path / "out.parquet")


def outcome(path, out):
    """Convert a file that may be anything: a table that can be read, or one line and nothing left behind."""
    message = None
    try:
        summary = convert(path, out, curves=True)
    except ZcbenchError as error:
        message = str(error)
    if message is not None:
        assert len(message.splitlines()) == 1, message
        assert len(message) < 600
        assert not out.exists()
        assert not list(out.parent.glob(".out*"))
        return False
    table = TruthTable.from_parquet(out, curves=True)
    assert len(table) == summary.rows
    assert len(summary.describe().splitlines()) == 1
    assert table.frame["value"].between(0, 1).all()
    out.unlink()
    return True


MUTATIONS = [pytest.param(40, 0), pytest.param(600, 1, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("number", "seed"), MUTATIONS)
def test_mutated_bytes(tmp_path, number, seed):
    """Bytes of the pickle inside, so that the checksum of bz2 does not keep the mutations out."""
    draw = random.Random(seed)
    original = pickle.dumps(budgets(SIZES[0], epochs=SHORT), 4)
    path, out = tmp_path / "000000.pickle.pbz2", tmp_path / "out.parquet"
    outcomes = []
    for _ in range(number):
        content = bytearray(original)
        for _ in range(draw.choice((1, 1, 2, 8))):
            place = draw.randrange(len(content))
            content[place] = draw.randrange(256)
        if draw.random() < 0.2:
            begin = draw.randrange(len(content))
            del content[begin : begin + draw.randrange(1, 40)]
        path.write_bytes(bz2.compress(bytes(content), 1))
        outcomes.append(outcome(path, out))
    assert 0 < sum(outcomes) < len(outcomes)  # both happen


STRANGE = [
    None, True, -1, 0, 10**30, 2**31, 1.5, math.nan, math.inf, -math.inf, "", "x", "\n", "8:8:8:8:8\n", "\ud800", CELL,
    "9" * 5000, b"8:8:8:8:8", [], [1], (), {}, {"a": 1}, {1: 2}, np.float64("nan"), np.float64(1e300), ("cifar10",),
    ("cifar10", None), ("cifar10", 10**30), ("cifar10", "07a"), ("svhn\n", 777), "x-valid@", "x-valid@-1", "x-new@1",
    "ori-test@" + "9" * 5000, frozenset(), OrderedDict(a=1),
]  # fmt: skip


def mutated(content, draw):
    """Replace one key or value anywhere in a nested record by something strange."""
    content = copy.deepcopy(content)
    place = content
    while True:
        key = draw.choice(list(place))
        inner = place[key]
        if isinstance(inner, dict) and inner and draw.random() < 0.8:
            place = inner
            continue
        strange = draw.choice(STRANGE)
        if draw.random() < 0.5:
            place[key] = strange
        else:
            try:
                place[strange] = place.pop(key)
            except TypeError:  # not hashable
                place[key] = strange
        return content


@pytest.mark.parametrize(("number", "seed"), MUTATIONS)
@pytest.mark.parametrize("whole", [False, True], ids=["folder", "file"])
def test_mutated_records(tmp_path, whole, number, seed):
    draw = random.Random(seed)
    original = budgets(SIZES[0], epochs=SHORT)
    if whole:
        original = {"meta_archs": SIZES, "arch2infos": {0: original, 1: budgets(SIZES[1], epochs=SHORT)}}
    path, out = tmp_path / "000000.pickle.pbz2", tmp_path / "out.parquet"
    allowed = []
    for _ in range(number):
        content = mutated(original, draw)
        if draw.random() < 0.3:
            content = mutated(content, draw) if content else content
        allowed.append(outcome(packed(path, content), out))
    assert 0 < sum(allowed) < len(allowed)
