import math
import os
import random
import re
from collections import OrderedDict

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from zcbench.datasets import conversion
from zcbench.datasets.transnasbench101 import BENCHMARKS
from zcbench.datasets.transnasbench101.space import MacroSpace, MicroSpace
from zcbench.datasets.transnasbench101.tasks import TASKS
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, UnsafeFileError, ZcbenchError

BY_SPACE = dict(zip(("micro", "macro"), BENCHMARKS, strict=True))
ARCHITECTURES = {
    "macro": [a.id for a in MacroSpace().sample(4, seed=0)],
    "micro": [a.id for a in MicroSpace().sample(5, seed=0)],
}
EPOCHS = {"jigsaw": 2, "class_scene": 3, "class_object": 3, "room_layout": 3}
SPLITS = ("train", "valid", "test")
CLASS_NAMES = ("top1", "top5", "loss")
NAMES = {
    "class_scene": CLASS_NAMES,
    "class_object": CLASS_NAMES,
    "room_layout": ("loss", "neg_loss"),
    "jigsaw": CLASS_NAMES,
    "segmentsemantic": ("loss", "acc", "mIoU"),
    "normal": ("ssim", "l1_loss"),
    "autoencoder": ("ssim", "l1_loss"),
}
JUDGED = {"room_layout": ("neg_loss", "negative_loss"), "segmentsemantic": ("acc", "accuracy")} | dict.fromkeys(
    ("normal", "autoencoder"), ("ssim", "ssim")
)
ROWS = 3 * (3 * 2 + 2 + 3)  # splits x (accuracy and top 5 of three tasks, accuracy and mIoU, one of three)


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


# ---------------------------------------------------------------- synthetic files of the official form


def value(suffix, place, epoch):
    """A possible value that tells architecture, task and epoch apart."""
    step = place + 10 * epoch
    return {"ssim": step / 1000, "neg_loss": -step / 1000}.get(suffix, float(step))


def trial(task, place):
    epochs = EPOCHS.get(task, 4)
    metrics = {
        f"{split}_{suffix}": [value(suffix, place + n, epoch) for epoch in range(epochs)]
        for n, split in enumerate(SPLITS)
        for suffix in NAMES[task]
    }
    metrics["time_elapsed"] = ["00:01:02"] * epochs
    info = {"inference_time": 0.01, "encoder_params": 1, "model_params": 2, "model_FLOPs": 3.0, "encoder_FLOPs": 4.0}
    return {"total_epochs": epochs, "model_info": info, "metrics": metrics}


def content(most=9):
    """Return what an official file holds, with at most so many architectures of each space."""
    data = {
        space: {
            text: {task: trial(task, 10 * index + n) for n, task in enumerate(TASKS)}
            for index, text in enumerate(texts[:most])
        }
        for space, texts in ARCHITECTURES.items()
    }
    return {"metrics_dict": {t: [f"{s}_{n}" for s in SPLITS for n in NAMES[t]] for t in TASKS},
            "info_names": list(trial("jigsaw", 0)["model_info"]), "task_list": list(TASKS), "data": data}  # fmt: skip


def write(folder, made, *, legacy=False, name="transnas-bench_v10141024.pth"):
    path = folder / name
    torch.save(made, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.fixture(params=["zip", "legacy"])
def official(request, tmp_path):
    return write(tmp_path, content(), legacy=request.param == "legacy")


def rows(path):
    """Read a table as a dict from everything but the value."""
    frame = TruthTable.from_parquet(path, curves=True).frame.astype(object)
    return {tuple(row[:6]): row[6] for row in frame.itertuples(index=False, name=None)}


# ---------------------------------------------------------------- what conversion keeps


@pytest.mark.parametrize("space", BY_SPACE)
def test_one_file_gives_the_table_of_each_space(official, tmp_path, space):
    out = tmp_path / "out.parquet"
    summary = BY_SPACE[space].convert(official, out)
    texts = ARCHITECTURES[space]
    assert (summary.rows, summary.architectures) == (ROWS * len(texts), len(texts))
    assert summary.datasets == tuple(sorted(TASKS))
    assert summary.sources == ("transnasbench101-v10141024",)
    assert summary.ignored == ()
    assert f"{len(texts)} of {len(BY_SPACE[space].space)} architectures (a part of the benchmark)" in summary.describe()
    found = rows(out)
    for index, text in enumerate(texts):
        for n, task in enumerate(TASKS):
            suffix, metric = JUDGED.get(task, ("top1", "accuracy"))
            epochs = EPOCHS.get(task, 4)
            for m, split in enumerate(SPLITS):
                recorded = value(suffix, 10 * index + n + m, epochs - 1)
                expected = recorded / 100 if metric == "accuracy" else recorded
                assert found[text, task, split, epochs, -1, metric] == pytest.approx(expected)
    assert {key[5] for key in found} == {"accuracy", "accuracy_top5", "miou", "negative_loss", "ssim"}


def test_the_table_is_what_the_benchmark_takes(official, tmp_path):
    out = tmp_path / "out.parquet"
    BY_SPACE["micro"].convert(official, out)
    benchmark = BY_SPACE["micro"]
    table = benchmark.truth(path=out)
    for task in TASKS:
        _, metric = JUDGED.get(task, ("top1", "accuracy"))
        target = table.select(
            task, metric=metric, split=benchmark.default_split, default_sources=benchmark.default_sources
        )
        assert len(target.mean) == 5
        assert (target.split, target.epochs, target.kind) == ("valid", EPOCHS.get(task, 4), "trained")
        assert "one training run" in target.describe()


def test_curves_are_kept_apart(official, tmp_path):
    plain, curves = tmp_path / "plain.parquet", tmp_path / "curves.parquet"
    BY_SPACE["macro"].convert(official, plain)
    summary = BY_SPACE["macro"].convert(official, curves, curves=True)
    more = 3 * sum(EPOCHS.get(task, 4) - 1 for task in TASKS)
    assert summary.rows == (ROWS + more) * 4
    final, everything = rows(plain), rows(curves)
    assert final == {key: v for key, v in everything.items() if "_curve_" not in key[5]}
    text = ARCHITECTURES["macro"][2]
    assert everything[text, "class_scene", "valid", 1, -1, "accuracy_curve_3"] == pytest.approx(0.21)
    assert everything[text, "normal", "test", 3, -1, "ssim_curve_4"] == pytest.approx(0.047)
    assert everything[text, "room_layout", "train", 2, -1, "negative_loss_curve_3"] == pytest.approx(-0.032)
    early = {key[5] for key in everything} - {key[5] for key in final}
    assert early == {
        "accuracy_curve_2", "accuracy_curve_3", "accuracy_curve_4", "negative_loss_curve_3", "ssim_curve_4",
    }  # fmt: skip


def test_numpy_numbers_and_ordered_dicts_are_read(tmp_path):
    made = content()
    trial = made["data"]["micro"][ARCHITECTURES["micro"][0]]["class_scene"]
    trial["metrics"] = OrderedDict(trial["metrics"], valid_top1=[np.float64(1), np.float64(2), np.float64(51)])
    trial["metrics"]["valid_top5"] = [np.float32(1), np.float32(2), np.float32(75)]
    out = tmp_path / "out.parquet"
    BY_SPACE["micro"].convert(write(tmp_path, made), out)
    found = rows(out)
    assert found[ARCHITECTURES["micro"][0], "class_scene", "valid", 3, -1, "accuracy"] == 0.51
    assert found[ARCHITECTURES["micro"][0], "class_scene", "valid", 3, -1, "accuracy_top5"] == 0.75


def test_what_is_left_out_is_named(tmp_path):
    made = content()
    tasks = made["data"]["micro"][ARCHITECTURES["micro"][0]]
    tasks["inpainting"] = tasks["normal"]
    tasks["normal"]["metrics"]["test_ssim"][-1] = math.nan
    out = tmp_path / "out.parquet"
    summary = BY_SPACE["micro"].convert(write(tmp_path, made), out)
    assert summary.ignored == ("ssim that is no finite number", "task 'inpainting'")
    assert summary.rows == ROWS * 5 - 1
    assert "left out: ssim that is no finite number, task 'inpainting'" in summary.describe()


def test_fewer_tasks_and_values_are_fewer_rows(tmp_path):
    made = content()
    first, second = ARCHITECTURES["micro"][:2]
    made["data"]["micro"] = {first: made["data"]["micro"][first], second: {"normal": trial("normal", 0)}}
    del made["data"]["micro"][first]["class_scene"]["metrics"]["test_top5"]
    summary = BY_SPACE["micro"].convert(write(tmp_path, made), tmp_path / "out.parquet")
    assert summary.rows == ROWS - 1 + 3


@pytest.mark.parametrize(
    ("name", "source"),
    [("transnas-bench_v10141024.pth", "v10141024"), ("tnb_v20250101.pth", "v20250101"), ("tnb.pth", "v10141024")],
)
def test_the_version_is_taken_from_the_name(tmp_path, name, source):
    path = write(tmp_path, content(), name=name)
    assert BY_SPACE["micro"].convert(path, tmp_path / "out.parquet").sources == (f"transnasbench101-{source}",)


@pytest.mark.parametrize("space", BY_SPACE)
def test_a_tidy_table_is_checked_and_rewritten(data_folder, tmp_path, space):
    out = tmp_path / "out.parquet"
    summary = BY_SPACE[space].convert(data_folder / f"transnasbench101_{space}.parquet", out)
    assert summary.complete
    assert summary.sources == ("naslib",)
    assert pq.read_metadata(out).num_rows == summary.rows == 7 * len(BY_SPACE[space].space)


@pytest.mark.parametrize("progress", [True, False])
def test_the_progress_bar_is_on_stderr(tmp_path, capsys, progress):
    BY_SPACE["micro"].convert(write(tmp_path, content()), tmp_path / "out.parquet", progress=progress)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("5/4096" in captured.err) == progress


# ---------------------------------------------------------------- what conversion refuses


def refused(path, out, kind=ZcbenchError, space="micro"):
    with pytest.raises(kind) as caught:
        BY_SPACE[space].convert(path, out)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    assert not out.exists()
    assert not list(out.parent.glob(".out.parquet*"))
    return message


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "hostile"])
def test_damaged_files_are_refused_in_one_line(official, tmp_path, damage):
    whole = official.read_bytes()
    if damage == "hostile":
        made = content()
        made["data"]["micro"][ARCHITECTURES["micro"][0]]["normal"]["model_info"]["inference_time"] = Hostile()
        write(tmp_path, made, legacy=not whole.startswith(b"PK"))
        message = refused(official, tmp_path / "out.parquet", UnsafeFileError)
        assert re.search(r"it asks for posix\.system, which this format never contains", message)
        return
    damaged = {"truncated": whole[: len(whole) // 2], "empty": b"", "garbage": b"<html>404</html>"}
    official.write_bytes(damaged[damage])
    assert str(official) in refused(official, tmp_path / "out.parquet")


def changed(**changes):
    """Return a file's content with one trial of one architecture changed."""
    made = content()
    made["data"]["micro"][ARCHITECTURES["micro"][3]]["class_scene"].update(changes)
    return made


def with_metric(**metrics):
    return changed(metrics=trial("class_scene", 0)["metrics"] | metrics)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([1], 'no "data"'),
        ({"state_dict": {}}, 'no "data"'),
        ({"data": 5}, 'no "data"'),
        ({"data": {}}, 'no architectures of "micro"'),
        ({"data": {"macro": {"64-1234-basic": {}}}}, 'no architectures of "micro"'),
        ({"data": {"micro": [1]}}, 'no architectures of "micro"'),
        ({"data": {"micro": {7: {}}}}, "not every architecture"),
        ({"data": {"micro": {"64-41414-1_02_333": 7}}}, "not every architecture"),
        ({"data": {"micro": {"64-41414-1_02_333": {}}}}, "it holds no ground truth"),
        ({"data": {"micro": {"64-41414-1_02_334": {}}}}, "unknown operation '4'"),
        ({"data": {"micro": {"64-1234-basic": {}}}}, "belongs to transnasbench101_macro"),
        ({"data": {"micro": {"64-41414-1_02_333": {"normal": 5}}}}, "no such record of normal"),
        (changed(metrics={}), "it has no top1"),
        (changed(metrics=torch.ones(3)), "Tensor instead of a dict"),
        (changed(metrics=None), "NoneType instead of a dict"),
        (changed(total_epochs=0), "total_epochs 0"),
        (changed(total_epochs="3"), "total_epochs 3"),
        (changed(total_epochs=10**30), "total_epochs"),
        (changed(total_epochs=True), "total_epochs True"),
        (changed(total_epochs=4), "train_top1 has 3 values of 4 epochs"),
        (with_metric(valid_top1=5), "int instead of a list"),
        (with_metric(valid_top1="abc"), "str instead of a list"),
        (with_metric(valid_top1={0: 1.0, 1: 2.0, 3: 3.0}), "dict instead of a list"),
        (with_metric(valid_top1=[1.0, 2.0, 150.0]), "top1 of 150.0"),
        (with_metric(valid_top1=[1.0, 2.0, -1.0]), "top1 of -1.0"),
        (with_metric(valid_top1=[1.0, 2.0, None]), "NoneType instead of a number"),
        (with_metric(valid_top1=[1.0, 2.0, True]), "bool instead of a number"),
        (with_metric(valid_top1=[1, 2, 10**400]), "OverflowError"),
        (with_metric(valid_top1=torch.ones(3)), "Tensor instead of a list"),
        (with_metric(valid_top1=[torch.ones(1)] * 3), "Tensor instead of a number"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path, made, message):
    path = write(tmp_path, made)
    said = refused(path, tmp_path / "out.parquet")
    assert message in said
    assert str(path) in said


@pytest.mark.parametrize(
    ("task", "name", "wrong"), [("normal", "valid_ssim", 1.5), ("room_layout", "test_neg_loss", 0.5),
                                ("segmentsemantic", "valid_mIoU", 101.0)]
)  # fmt: skip
def test_impossible_values_are_refused(tmp_path, task, name, wrong):
    made = content()
    made["data"]["macro"][ARCHITECTURES["macro"][1]][task]["metrics"][name][-1] = wrong
    assert f"of {wrong}" in refused(write(tmp_path, made), tmp_path / "out.parquet", space="macro")


def test_other_paths(tmp_path):
    out = tmp_path / "out.parquet"
    assert "no file" in refused(tmp_path / "absent", out, MissingFileError)
    assert "give the file transnas-bench_v10141024.pth" in refused(tmp_path, out)
    path = write(tmp_path, content())
    with pytest.raises(MissingFileError, match="no folder"):
        BY_SPACE["micro"].convert(path, tmp_path / "absent" / "out.parquet")


def test_a_table_of_the_other_space_is_called_by_its_name(tmp_path):
    table = tmp_path / "macro.parquet"
    BY_SPACE["macro"].convert(write(tmp_path, content()), table)
    assert "belongs to transnasbench101_macro" in refused(table, tmp_path / "out.parquet")


def test_an_interrupted_conversion_leaves_the_old_table(tmp_path, monkeypatch):
    out = tmp_path / "out.parquet"
    out.write_bytes(b"old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(conversion._Groups, "_write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        BY_SPACE["micro"].convert(write(tmp_path, content()), out)
    assert out.read_bytes() == b"old"
    assert not list(tmp_path.glob(".out*"))


# ---------------------------------------------------------------- a fuzzer


def mutated(raw, generator):
    """Flip, cut out, repeat or insert a few bytes."""
    raw = bytearray(raw)
    for _ in range(generator.randint(1, 4)):
        at = generator.randrange(len(raw))
        size = generator.choice((1, 1, 1, 4, 30))
        kind = generator.randrange(4)
        if kind == 0:
            raw[at] = generator.randrange(256)
        elif kind == 1:
            del raw[at : at + size]
        elif kind == 2:
            raw[at:at] = raw[at : at + size]
        else:
            raw[at:at] = generator.randbytes(size)
        raw = raw or bytearray(b"\0")
    return bytes(raw)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_mutated_files_give_a_table_or_one_line(tmp_path, monkeypatch, legacy):
    executed = []
    monkeypatch.setattr(os, "system", lambda command: executed.append(command) or 0)
    raw = write(tmp_path, content(most=1), legacy=legacy).read_bytes()
    path, out = tmp_path / "transnas-bench_v10141024.pth", tmp_path / "out.parquet"
    generator = random.Random(5)
    refusals = 0
    for _ in range(150):
        path.write_bytes(mutated(raw, generator))
        refusals += refuses(path, out)
        assert {p.name for p in tmp_path.iterdir()} == {path.name}
    assert not executed
    assert refusals > 30


def refuses(path, out):
    """Convert; say whether that was refused, in one line and without leaving anything behind."""
    try:
        BY_SPACE["micro"].convert(path, out)
    except ZcbenchError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
        assert not out.exists()
        return True
    TruthTable.from_parquet(out)
    out.unlink()
    return False


def test_mutated_structures_give_a_table_or_one_line(tmp_path):
    """Damage that no parser sees: a part of the dict becomes something else."""
    generator = random.Random(7)
    others = [
        None,
        -1,
        0,
        2**70,
        "x",
        "\n" * 5,
        b"x",
        [],
        {},
        {"a": []},
        math.nan,
        math.inf,
        torch.ones(2),
        {5},
        (1, 2),
    ]
    path, out = tmp_path / "t.pth", tmp_path / "out.parquet"
    refusals = 0
    for _ in range(100):
        made = content(most=2)
        at, key = made, "data"
        for _ in range(generator.randrange(6)):
            below = at[key]
            if not isinstance(below, dict) or not below:
                break
            at, key = below, generator.choice(list(below))
        if generator.random() < 0.3:
            at[generator.choice(["x\ny", 5, None, "micro", (1,)])] = at.pop(key)
        else:
            at[key] = generator.choice(others)
        torch.save(made, path)
        refusals += refuses(path, out)
    assert refusals > 20
