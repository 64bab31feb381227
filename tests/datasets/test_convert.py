import bz2
import os
import pickle
import re
from collections import OrderedDict

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from zcbench.datasets import conversion
from zcbench.datasets.nasbench201.convert import convert
from zcbench.datasets.nasbench201.genotype import Space
from zcbench.datasets.nasbench201.live import from_api
from zcbench.datasets.tidy import SCHEMA, TRUTH_COLUMNS
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, UnsafeFileError, ZcbenchError

CELLS = [a.id for a in Space().sample(5, seed=0)]


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


# ---------------------------------------------------------------- synthetic files of the official forms


def trial(dataset, epochs, sets, offset=0.0):
    every = {f"{name}@{epoch}": 10.0 + epoch + offset for name in sets for epoch in range(epochs)}
    return {
        "name": dataset,
        "epochs": epochs,
        "seed": "0777",
        "params": np.float64(0.5),
        "latency": [np.float64(0.01)],
        "train_acc1es": OrderedDict((epoch, 20.0 + epoch) for epoch in range(epochs)),
        "eval_acc1es": every,
        "net_state_dict": None,
    }


def record(cell, epochs, offset=0.0):
    trials = {
        ("cifar10-valid", 777): trial("cifar10-valid", epochs, ["x-valid", "ori-test"], offset),
        ("cifar10", 777): trial("cifar10", epochs, ["ori-test"], offset),
        ("cifar10", 888): trial("cifar10", epochs, ["ori-test"], offset + 1),
        ("cifar100", 777): trial("cifar100", epochs, ["x-valid", "x-test", "ori-test"], offset),
        ("ImageNet16-120", 777): trial("ImageNet16-120", epochs, ["x-valid", "x-test", "ori-test"], offset),
    }
    return {"arch_index": 0, "arch_str": cell, "all_results": trials, "clear_net_done": True}


ROWS_PER_CELL = 2 * (3 + 2 + 2 + 4 + 4)


def budgets(cell, short, long, offset=0.0):
    return {short: record(cell, 3, offset), long: record(cell, 5, offset)}


def nats_folder(folder):
    folder = folder / "NATS-tss-v1_0-3ffb9-simple"
    folder.mkdir()
    for index, cell in enumerate(CELLS):
        content = OrderedDict(budgets(cell, "12", "200", index))
        (folder / f"{index:06d}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(content, 4)))
    (folder / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps({"meta_archs": CELLS}, 4)))
    return folder


def nats_file(folder):
    path = folder / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    cells = {index: budgets(cell, "12", "200", index) for index, cell in enumerate(CELLS)}
    content = {"meta_archs": CELLS, "arch2infos": cells, "evaluated_indexes": set(cells)}
    path.write_bytes(bz2.compress(pickle.dumps(content, 4)))
    return path


def official_file(folder, legacy=False, numpy_1=False):
    path = folder / "NAS-Bench-201-v1_1-096897.pth"
    cells = {index: budgets(cell, "less", "full", index) for index, cell in enumerate(CELLS)}
    content = {"meta_archs": CELLS, "arch2infos": cells, "evaluated_indexes": list(cells)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    if numpy_1:  # the module has another name in files that numpy 1 wrote
        assert legacy
        path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    return path


def legacy_file(folder):
    return official_file(folder, legacy=True)


def numpy_1_file(folder):
    return official_file(folder, legacy=True, numpy_1=True)


def archive_folder(folder):
    folder = folder / "NAS-Bench-201-v1_1-archive"
    folder.mkdir()
    for index, cell in enumerate(CELLS):
        content = budgets(cell, "less", "full", index)
        # the archive's files carry the weights, the single file does not
        content["full"]["all_results"]["cifar10", 777]["net_state_dict"] = {"w": torch.zeros(3)}
        torch.save(content, folder / f"{index:06d}-FULL.pth")
    return folder


FORMS = {
    "nats folder": (nats_folder, "nats-tss-v1_0"),
    "nats file": (nats_file, "nats-tss-v1_0"),
    "official file": (official_file, "nasbench201-v1_1"),
    "official file, legacy": (legacy_file, "nasbench201-v1_1"),
    "official file, numpy 1": (numpy_1_file, "nasbench201-v1_1"),
    "archive folder": (archive_folder, "nasbench201-v1_1"),
}


@pytest.fixture(params=FORMS)
def form(request, tmp_path):
    write, source = FORMS[request.param]
    return write(tmp_path), source


# ---------------------------------------------------------------- what conversion keeps


def test_every_form_gives_the_same_rows(form, tmp_path):
    path, source = form
    out = tmp_path / "out.parquet"
    summary = convert(path, out)
    assert summary.rows == len(CELLS) * ROWS_PER_CELL
    assert summary.architectures == len(CELLS)
    assert summary.datasets == ("cifar10", "cifar10-valid", "cifar100", "imagenet16_120")
    assert summary.sources == (source,)
    assert summary.ignored == ()
    assert not summary.complete
    assert "5 of 15625 architectures (a part of the benchmark)" in summary.describe()
    table = TruthTable.from_parquet(out)
    assert len(table) == summary.rows
    target = table.select("cifar10")
    assert (target.epochs, target.kind, target.source) == (5, "trained", source)
    assert target.mean.to_dict() == pytest.approx({c: (14.5 + i) / 100 for i, c in enumerate(CELLS)})
    assert list(target.repeats.columns) == [777, 888]


def test_splits(tmp_path):
    convert(nats_folder(tmp_path), tmp_path / "out.parquet")
    frame = TruthTable.from_parquet(tmp_path / "out.parquet").frame
    found = {(row.dataset, row.split) for row in frame.itertuples()}
    halves = {"train", "valid", "test", "valid+test"}
    assert found == {
        ("cifar10", "train"),
        ("cifar10", "test"),
        *(("cifar10-valid", split) for split in halves - {"valid+test"}),
        *(("cifar100", split) for split in halves),
        *(("imagenet16_120", split) for split in halves),
    }
    assert set(frame.epochs) == {3, 5}
    assert set(frame.metric) == {"accuracy"}


def test_curves_never_mix_with_the_accuracy_of_a_finished_training(tmp_path):
    out = tmp_path / "out.parquet"
    path = nats_folder(tmp_path)
    plain = convert(path, out)
    final = TruthTable.from_parquet(out).frame
    summary = convert(path, out, curves=True)
    assert summary.rows == len(CELLS) * (3 + 5) * ROWS_PER_CELL // 2
    read = TruthTable.from_parquet(out).frame  # without asking for curves there are none
    assert len(read) == plain.rows
    assert read.astype(str).equals(final.astype(str))
    table = TruthTable.from_parquet(out, curves=True)
    assert len(table) == summary.rows
    assert table.select("cifar10").mean.equals(TruthTable(final).select("cifar10").mean)
    early = table.select("cifar10", metric="accuracy_curve_5", epochs=1)
    assert early.mean[CELLS[0]] == pytest.approx(0.105)
    assert table.select("cifar10", metric="accuracy_curve_5").epochs == 4


def test_rows_are_written_in_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "ROW_GROUP", 40)
    out = tmp_path / "out.parquet"
    summary = convert(nats_folder(tmp_path), out)
    file = pq.ParquetFile(out)
    groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
    assert sum(group.num_rows for group in groups) == summary.rows
    assert max(group.num_rows for group in groups) <= 40
    for name in ("dataset", "split", "epochs", "metric", "source", "kind"):  # each group is of one kind
        place = SCHEMA.names.index(name)
        assert all(g.column(place).statistics.min == g.column(place).statistics.max for g in groups)
    assert pq.read_schema(out).names == list(TRUTH_COLUMNS)
    assert len(TruthTable.from_parquet(out)) == summary.rows


def test_a_folder_is_read_one_file_at_a_time(tmp_path, monkeypatch):
    from zcbench.datasets import nats_files as nats

    events = []
    load = nats.load
    monkeypatch.setattr(nats, "load", lambda path, **limit: events.append(path.name) or load(path, **limit))
    cells = nats.read_folder(nats_folder(tmp_path))
    for number in range(1, len(CELLS) + 1):
        next(cells)
        assert len(events) == 1 + number  # the list of architectures comes first


def test_a_tidy_table_is_checked_and_rewritten(tmp_path):
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    summary = convert(nats_folder(tmp_path), first, curves=True)
    assert convert(first, second) == summary
    frames = [TruthTable.from_parquet(path, curves=True).frame.astype(str) for path in (first, second)]
    assert frames[0].equals(frames[1])


def test_a_table_may_have_a_name_that_is_not_utf8(tmp_path):
    first, second, third = (tmp_path / f"{name}\udcff.parquet" for name in "abc")
    summary = convert(nats_folder(tmp_path), first)
    first.rename(tmp_path / "a.parquet")
    assert convert(tmp_path / "a.parquet", second) == summary
    table = TruthTable.from_parquet(tmp_path / "a.parquet")
    table.write(third)
    assert second.stat().st_size
    third.rename(tmp_path / "c.parquet")
    assert TruthTable.from_parquet(tmp_path / "c.parquet").frame.equals(table.frame)


def test_the_version_is_taken_from_the_name(tmp_path):
    old = official_file(tmp_path).rename(tmp_path / "NAS-Bench-201-v1_0-e61699.pth")
    assert convert(old, tmp_path / "out.parquet").sources == ("nasbench201-v1_0",)


def test_unknown_sets_are_left_out_and_named(tmp_path):
    content = budgets(CELLS[0], "12", "200")
    content["12"]["all_results"]["cifar10", 777]["eval_acc1es"]["x-new@2"] = 5.0
    content["12"]["all_results"]["svhn", 777] = trial("svhn", 3, ["ori-test"])
    path = tmp_path / "000000.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps(content)))
    summary = convert(path, tmp_path / "out.parquet")
    assert summary.rows == ROWS_PER_CELL
    assert "left out: dataset svhn, set x-new of cifar10" in summary.describe()


def test_a_missing_training_accuracy_is_no_row(tmp_path):
    content = {"200": record(CELLS[0], 5)}
    content["200"]["all_results"]["cifar10", 777]["train_acc1es"] = None
    path = tmp_path / "000000.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps(content)))
    assert convert(path, tmp_path / "out.parquet").rows == ROWS_PER_CELL // 2 - 1


@pytest.mark.parametrize("progress", [True, False])
def test_the_progress_bar_is_on_stderr(tmp_path, capsys, progress):
    convert(nats_folder(tmp_path), tmp_path / "out.parquet", progress=progress)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("5/5" in captured.err) == progress


# ---------------------------------------------------------------- what conversion refuses


def refused(path, out, kind=ZcbenchError):
    with pytest.raises(kind) as caught:
        convert(path, out)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert "Traceback" not in message
    assert not out.exists()
    assert not list(out.parent.glob(".out.parquet*"))
    return message


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "hostile"])
def test_damaged_files_are_refused_in_one_line(form, tmp_path, damage):
    path, _ = form
    victim = sorted(path.glob("0*"))[-1] if path.is_dir() else path
    content = victim.read_bytes()
    if damage == "hostile":
        if victim.suffix == ".pth":
            legacy = not content.startswith(b"PK")
            torch.save({"arch2infos": Hostile()}, victim, _use_new_zipfile_serialization=not legacy)
        else:
            victim.write_bytes(bz2.compress(pickle.dumps({"12": Hostile()})))
    else:
        damaged = {"truncated": content[: len(content) // 2], "empty": b"", "garbage": b"<html>404</html>"}
        victim.write_bytes(damaged[damage])
    message = refused(
        path, tmp_path / "out.parquet", UnsafeFileError if damage == "hostile" else ZcbenchError
    )
    assert str(victim) in message
    if damage == "hostile":
        assert re.search(r"it asks for posix\.system, which this format never contains", message)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_plain_pickle_that_calls_itself_pth_is_refused(tmp_path, protocol):
    path = tmp_path / "x.pth"
    path.write_bytes(pickle.dumps(Hostile(), protocol))
    refused(path, tmp_path / "out.parquet")


@pytest.mark.parametrize(
    "content",
    [
        {"12": {}},
        {"12": [1]},
        {"12": 5},
        {"12": {"arch_str": CELLS[0]}},
        {"12": {"arch_str": 5, "all_results": {}}},
        {"12": {"arch_str": CELLS[0], "all_results": {1: 2}}},
        {"12": {"arch_str": CELLS[0], "all_results": {("cifar10", 777): {"epochs": 3}}}},
        {
            "12": {
                "arch_str": CELLS[0],
                "all_results": {("cifar10", 777): trial("cifar10", 3, ["ori-test"], 99)},
            }
        },
        {"12": {"arch_str": "8:8:8:8:8", "all_results": {}}},
        {"meta_archs": CELLS, "arch2infos": None},
        {"arch2infos": {0: 5}},
        {"arch2infos": {}},
        [1, 2],
        {},
    ],
)
def test_records_of_another_form_are_refused(tmp_path, content):
    path = tmp_path / "000000.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps(content)))
    assert str(path) in refused(path, tmp_path / "out.parquet")


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1], {"arch2infos": {0: 5}}, {"arch2infos": {}}])
def test_other_torch_files_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pth")
    assert "cannot use" in refused(tmp_path / "model.pth", tmp_path / "out.parquet")


def test_a_cell_that_occurs_twice_is_refused(tmp_path):
    folder = nats_folder(tmp_path)
    (folder / "meta.pickle.pbz2").unlink()  # which would say that there is no number 9
    (folder / "000009.pickle.pbz2").write_bytes((folder / "000000.pickle.pbz2").read_bytes())
    assert "occurs twice" in refused(folder, tmp_path / "out.parquet")


def test_a_file_without_accuracies_is_refused(tmp_path):
    path = tmp_path / "000000.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps({"12": {"arch_str": CELLS[0], "all_results": {}}})))
    assert "it holds no ground truth" in refused(path, tmp_path / "out.parquet")


def test_other_paths(tmp_path):
    out = tmp_path / "out.parquet"
    assert "no file or folder" in refused(tmp_path / "absent", out, MissingFileError)
    assert "neither" in refused(tmp_path, out)
    folder = nats_folder(tmp_path)
    with pytest.raises(MissingFileError, match="no folder"):
        convert(folder, tmp_path / "absent" / "out.parquet")


def test_a_table_of_another_space_is_refused(tmp_path):
    frame = TruthTable.from_parquet(_converted(tmp_path)).frame
    frame["architecture"] = "something else"
    TruthTable(frame.drop_duplicates(["dataset", "split", "epochs", "seed"])).write(
        tmp_path / "other.parquet"
    )
    assert "malformed" in refused(tmp_path / "other.parquet", tmp_path / "out.parquet")


@pytest.mark.parametrize("sizes", ["8:8:8:8:8", "64:8:16:24:32"])
@pytest.mark.parametrize("form", ["file", "folder", "table"])
def test_the_size_space_is_called_by_its_name(tmp_path, sizes, form):
    folder = tmp_path / "NATS-sss-v1_0-50262-simple"
    folder.mkdir()
    path = folder / "000000.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps({"12": {"arch_str": sizes, "all_results": {}}})))
    if form == "table":
        frame = TruthTable.from_parquet(_converted(tmp_path)).frame
        path = tmp_path / "sss.parquet"
        frame["architecture"] = sizes
        TruthTable(frame.drop_duplicates(["dataset", "split", "epochs", "seed"])).write(path)
    message = refused(folder if form == "folder" else path, tmp_path / "out.parquet")
    assert str(path) in message
    assert f'"{sizes}" is an architecture of the size search space (NATS-sss)' in message
    assert "malformed" not in message


def _converted(folder):
    convert(nats_folder(folder), folder / "good.parquet")
    return folder / "good.parquet"


def test_an_interrupted_conversion_leaves_the_old_table(tmp_path, monkeypatch):
    out = tmp_path / "out.parquet"
    out.write_bytes(b"old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(conversion._Groups, "_write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        convert(nats_folder(tmp_path), out)
    assert out.read_bytes() == b"old"
    assert not list(tmp_path.glob(".out*"))


# ---------------------------------------------------------------- live objects and oracles


def assert_same_rows(one, other):
    """Whatever their order: a file has its rows by kind, an object as they come."""
    first, second = (sorted(frame.astype(str).itertuples(index=False, name=None)) for frame in (one, other))
    assert first == second


class StubRecord:
    def __init__(self, content):
        self.content = content

    def state_dict(self):
        return self.content


class StubApi:
    filename = "NATS-tss-v1_0-3ffb9.pickle.pbz2"

    def __init__(self):
        self.arch2infos_dict = OrderedDict(
            (index, {hp: StubRecord(r) for hp, r in budgets(cell, "12", "200", index).items()})
            for index, cell in enumerate(CELLS)
        )


def test_a_live_object_gives_the_rows_of_its_file(tmp_path):
    convert(nats_file(tmp_path), tmp_path / "out.parquet", curves=True)
    for curves in (False, True):
        file = TruthTable.from_parquet(tmp_path / "out.parquet", curves=curves).frame
        live = from_api(StubApi(), curves=curves).frame
        assert_same_rows(live, file)


def test_objects_without_records_are_refused():
    with pytest.raises(ZcbenchError, match="a str is no API object"):
        from_api("x")
    empty = StubApi()
    empty.arch2infos_dict.clear()
    with pytest.raises(ZcbenchError, match="no records in memory"):
        from_api(empty)


OURS = {"train": "train", "valid": "valid", "test": "test", "valtest": "valid+test"}


def assert_same_as_api(table, api, index, datasets):
    cell = api.meta_archs[index]
    compared = 0
    for hp in ("12", "200"):
        for dataset, name in datasets.items():
            seeds = api.arch2infos_dict[index][hp].get_dataset_seeds(dataset)
            for seed in seeds:
                said = api.get_more_info(index, dataset, hp=hp, is_random=seed)
                for theirs, split in OURS.items():
                    if f"{theirs}-accuracy" not in said:
                        continue
                    truth = table.truth(cell, name, split=split, epochs=int(hp))
                    value = dict(zip(truth.seeds, truth.values, strict=True))[seed]
                    assert value == pytest.approx(said[f"{theirs}-accuracy"] / 100, abs=1e-12)
                    compared += 1
            mean = api.get_more_info(index, dataset, hp=hp, is_random=False)["test-accuracy"] / 100
            assert table.select(name, epochs=int(hp)).mean[cell] == pytest.approx(mean, abs=1e-12)
    return compared


NAMES = {
    "cifar10": "cifar10",
    "cifar10-valid": "cifar10-valid",
    "cifar100": "cifar100",
    "ImageNet16-120": "imagenet16_120",
}


@pytest.mark.parametrize("name", ["nasbench201_one_record.pth", "nasbench201_one_record_legacy.pth"])
def test_the_official_api_says_the_same(data_folder, tmp_path, name):
    nas_201_api = pytest.importorskip("nas_201_api")
    path = data_folder / "fixtures" / name
    api = nas_201_api.NASBench201API(torch.load(path, weights_only=False), verbose=False)
    convert(path, tmp_path / "out.parquet")
    table = TruthTable.from_parquet(tmp_path / "out.parquet")
    assert_same_rows(table.frame, from_api(api).frame)
    assert from_api(api).sources == ("nasbench201-v1_1",)
    assert assert_same_as_api(table, api, 0, NAMES) == len(table) == 55
    curves = from_api(api, curves=True)
    said = api.get_more_info(0, "cifar10", iepoch=6, hp="200", is_random=777)["test-accuracy"]
    early = curves.truth(api.meta_archs[0], "cifar10", metric="accuracy_curve_200", epochs=7)
    assert dict(zip(early.seeds, early.values, strict=True))[777] == pytest.approx(said / 100)


def test_the_nats_api_says_the_same(data_folder, tmp_path):
    nats_bench = pytest.importorskip("nats_bench", reason="nats_bench is not installed")
    folder = data_folder / "fixtures" / "nats_bench" / "NATS-tss-v1_0-3ffb9-simple"
    api = nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)
    convert(folder, tmp_path / "out.parquet")
    table = TruthTable.from_parquet(tmp_path / "out.parquet")
    for index in (0, 11, 284):
        api.get_more_info(index, "cifar10", hp="12", is_random=False)  # loads the cell
        assert assert_same_as_api(table, api, index, NAMES) > 20
    live = from_api(api)
    assert live.sources == ("nats-tss-v1_0",)
    assert_same_rows(live.frame, table.frame)
    space = Space()
    for index in range(0, 15_625, 97):  # the official unique string
        assert api.get_unique_str(index) == space.unique_id(space.parse(api.meta_archs[index]))


def test_real_nats_folder(data_folder, tmp_path):
    folder = data_folder / "fixtures" / "nats_bench" / "NATS-tss-v1_0-3ffb9-simple"
    summary = convert(folder, tmp_path / "out.parquet")
    assert (summary.rows, summary.architectures) == (165, 3)
    table = TruthTable.from_parquet(tmp_path / "out.parquet")
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"
    assert table.truth(cell, "cifar10").values == pytest.approx((0.9179, 0.9176, 0.912))
    # the table of RoBoT is the mean of the same seeds
    robot = TruthTable.from_parquet(data_folder / "nasbench201.parquet")
    for dataset in ("cifar10", "cifar100", "imagenet16_120"):
        ours, theirs = table.select(dataset).mean, robot.select(dataset, source="robot").mean
        assert ours.to_dict() == pytest.approx(theirs[ours.index].to_dict(), abs=1e-4)


def test_the_size_space_is_refused(data_folder, tmp_path):
    folder = data_folder / "fixtures" / "nats_bench" / "NATS-sss-v1_0-50262-simple"
    message = refused(folder, tmp_path / "out.parquet")
    assert str(folder / "000000.pickle.pbz2") in message
    assert '"8:8:8:8:8" is an architecture of the size search space' in message
    assert "only the topology search space (NATS-tss) belongs to nasbench201" in message
    assert "malformed" not in message
