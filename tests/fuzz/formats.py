"""Every format that zcbench reads: a small real file, how to change it, and what reads it."""

import bz2
import gzip
import importlib.util
import io
import json
import lzma
import pickle
import random
import sqlite3
import struct
import sys
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from fuzz.mutations import ONLY_PYTHON, STRANGE, of_bytes, of_object, of_text

from zcbench.datasets import download, images, manifest
from zcbench.datasets.nasbench201 import analog, hardware
from zcbench.datasets.nasbench201 import convert as nasbench201
from zcbench.datasets.nasbench301 import ensemble, gin
from zcbench.datasets.nasbench301.encoding import encode
from zcbench.datasets.registry import benchmark, benchmarks
from zcbench.datasets.truth import TruthTable
from zcbench.datasets.unpack import unpack
from zcbench.harness import evaluated, runner
from zcbench.harness.analysis.output import plain
from zcbench.harness.commands._choosing import Choice, choose
from zcbench.harness.commands._targets import TruthOptions
from zcbench.harness.described import Described
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.evaluated import Evaluated, Record
from zcbench.harness.gate import files as gate_files
from zcbench.harness.gate.baseline import record
from zcbench.harness.initialise import initialisation
from zcbench.harness.job import Job
from zcbench.harness.options import configured, split
from zcbench.harness.rate import Rate
from zcbench.harness.registry import select
from zcbench.harness.results import read as results
from zcbench.harness.results.document import to_text
from zcbench.harness.results.merge import merge
from zcbench.harness.store import EXPORT_COLUMNS, Store
from zcbench.harness.store_merge import merge as merge_stores
from zcbench.reports import citations, leaderboard

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Change:
    """How a file is changed.

    Attributes:
        whole: the file as it should be.
        of: returns the content of a changed one.
    """

    whole: bytes
    of: Callable[[random.Random], bytes]

    def __call__(self, draw: random.Random) -> bytes:
        return self.of(draw)


@dataclass(frozen=True)
class Case:
    """A file that is changed and read again and again.

    Attributes:
        change: returns the content of the changed file.
        path: where it stands.
        use: reads it; raises what a verb shows as one line.
    """

    change: Change
    path: Path
    use: Callable[[], object]

    def write(self, draw: random.Random) -> None:
        """Put a changed file in its place."""
        self.path.write_bytes(self.change(draw))

    def used(self) -> None:
        """Read it; what comes of it is of no interest, but that something does."""
        self.use()


def of_test(path: str) -> ModuleType:
    """Return the module of a test file, which makes small files of a format."""
    name = "fuzzed_" + path.replace("/", "_").removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, TESTS / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mostly(share: float, one: Change, other: Change) -> Change:
    """Take one kind of change for a share of the cases."""
    return Change(one.whole, lambda draw: one(draw) if draw.random() < share else other(draw))


def bytes_of(content: bytes) -> Change:
    return Change(content, lambda draw: of_bytes(content, draw))


def objects_of(content: Any, written: Callable[[Any], bytes], strange: tuple[Any, ...] = STRANGE) -> Change:
    """Change what the file holds; what cannot be written again is drawn anew."""

    def change(draw: random.Random) -> bytes:
        while True:
            try:
                return written(of_object(content, draw, strange=strange))
            except (TypeError, ValueError, OverflowError, RecursionError, AttributeError, struct.error):
                continue

    return Change(written(content), change)


def jsons(content: Any) -> Change:
    text = json.dumps(content).encode()
    return mostly(0.6, objects_of(content, lambda found: json.dumps(found).encode()), bytes_of(text))


PYTHON = STRANGE + ONLY_PYTHON


def pickles(content: Any, protocol: int = 4) -> Change:
    def written(found: Any) -> bytes:
        return pickle.dumps(found, protocol)

    return mostly(0.5, objects_of(content, written, PYTHON), bytes_of(written(content)))


def compressed_pickles(content: Any) -> Change:
    inner, whole = pickles(content), bz2.compress(pickle.dumps(content, 4))
    return mostly(0.8, Change(whole, lambda draw: bz2.compress(inner(draw), 1)), bytes_of(whole))


def torch_files(content: Any, *, legacy: bool) -> Change:
    def written(found: Any) -> bytes:
        stream = io.BytesIO()
        torch.save(found, stream, _use_new_zipfile_serialization=not legacy)
        return stream.getvalue()

    whole = written(content)
    if legacy:
        return mostly(0.4, objects_of(content, written, PYTHON), bytes_of(whole))
    return mostly(0.3, objects_of(content, written, PYTHON), mostly(0.6, in_zip(whole, "data.pkl"), bytes_of(whole)))


def in_zip(whole: bytes, ending: str) -> Change:
    """Change one part of a zip file and write it again, with the right checksums."""

    def change(draw: random.Random) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as before, zipfile.ZipFile(out, "w") as after:
            for entry in before.infolist():
                content = before.read(entry)
                after.writestr(entry.filename, of_bytes(content, draw) if entry.filename.endswith(ending) else content)
        return out.getvalue()

    return Change(whole, change)


def tables(columns: dict[str, list[Any]], **how: Any) -> Change:
    """Change columns, cells, types and bytes of a Parquet file."""

    def write(content: dict[str, Any]) -> bytes:
        stream = io.BytesIO()
        pq.write_table(pa.table(content), stream, **how)
        return stream.getvalue()

    def changed(draw: random.Random) -> bytes:
        found: dict[str, Any] = {name: list(values) for name, values in columns.items()}
        for name in draw.sample(list(found), draw.randint(1, 2)):
            value, n = draw.choice(PYTHON), len(found[name])
            number = draw.choice([1, n // 2, n])
            for cells in ([*found[name][: n - number], *[value] * number], [value] * n):
                try:
                    found[name] = pa.array(cells)
                    break
                except (pa.ArrowException, OverflowError, TypeError, ValueError):
                    continue
        if draw.random() < 0.1:
            del found[draw.choice(list(found))]
        if draw.random() < 0.05:
            found = {name: values[:0] for name, values in found.items()}
        try:
            return write(found)
        except (pa.ArrowException, ValueError):
            return changed(draw)

    whole = write(columns)
    return mostly(0.5, Change(whole, changed), bytes_of(whole))


# ---------------------------------------------------------------- tables of accuracies


def converted(name: str, path: Path, change: Any, *, curves: bool = True) -> Case:
    """A file that ``zcbench data convert`` reads, a folder of which it is one file included."""
    given = path.parent if path.parent.name.endswith(("-simple", "-archive")) else path
    out = path.parent.parent / "out.parquet"

    def use() -> object:
        return benchmark(name).convert(given, out, curves=curves, progress=False)

    return Case(change, path, use)


def tfrecord(folder: Path) -> Case:
    made = of_test("datasets/test_nasbench101_convert.py")
    cells = [a.id for a in benchmark("nasbench101").space.sample(3, seed=0)]
    payloads = [made.payload(cell) for cell in cells]

    def changed(draw: random.Random) -> bytes:
        found = list(payloads)
        at = draw.randrange(len(found))
        found[at] = objects_of(json.loads(found[at]), lambda o: json.dumps(o).encode())(draw) if draw.random() < 0.5 \
            else of_bytes(found[at], draw)  # fmt: skip
        return b"".join(made.frame(one) for one in found)

    def metrics(draw: random.Random) -> bytes:
        data = of_bytes(made.metrics(108, (1.0, 0.9, 0.9)), draw)
        return made.frame(made.payload(cells[0], data=data))

    whole = b"".join(made.frame(one) for one in payloads)
    change = mostly(0.6, mostly(0.5, Change(whole, changed), Change(whole, metrics)), bytes_of(whole))
    return converted("nasbench101", folder / "nasbench_only108.tfrecord", change)


def nats_tss(folder: Path) -> Case:
    made = of_test("datasets/test_convert.py")
    place = made.nats_folder(folder)
    return converted("nasbench201", place / "000001.pickle.pbz2",
                     compressed_pickles(OrderedDict(made.budgets(made.CELLS[1], "12", "200"))))  # fmt: skip


def nats_list(folder: Path) -> Case:
    made = of_test("datasets/test_convert.py")
    place = made.nats_folder(folder)
    return converted("nasbench201", place / "meta.pickle.pbz2", compressed_pickles({"meta_archs": made.CELLS}))


def nats_sss(folder: Path) -> Case:
    made = of_test("datasets/test_natsbench_files.py")
    cells = {index: made.budgets(sizes, index, made.SHORT) for index, sizes in enumerate(made.SIZES[:2])}
    content = {"meta_archs": made.SIZES, "total_archs": 4, "arch2infos": cells, "evaluated_indexes": set(cells)}
    return converted("natsbench_size", folder / "NATS-sss-v1_0-50262.pickle.pbz2", compressed_pickles(content))


def official(folder: Path, *, legacy: bool) -> Case:
    made = of_test("datasets/test_convert.py")
    cells = {index: made.budgets(cell, "less", "full", index) for index, cell in enumerate(made.CELLS[:2])}
    content = {"meta_archs": made.CELLS, "arch2infos": cells, "evaluated_indexes": list(cells)}
    cells[0]["less"]["all_results"]["cifar10", 777]["net_state_dict"] = {"w": torch.zeros(3)}
    path = folder / "NAS-Bench-201-v1_1-096897.pth"
    return converted("nasbench201", path, torch_files(content, legacy=legacy))


def archive_of_201(folder: Path) -> Case:
    made = of_test("datasets/test_convert.py")
    content = made.budgets(made.CELLS[0], "less", "full")
    content["full"]["all_results"]["cifar10", 777]["net_state_dict"] = {"w": torch.zeros(3)}
    place = folder / "NAS-Bench-201-v1_1-archive"
    place.mkdir()
    return converted("nasbench201", place / "000000-FULL.pth", torch_files(content, legacy=False))


def transnas(folder: Path, *, legacy: bool) -> Case:
    made = of_test("datasets/test_transnasbench101_official.py")
    path = folder / "transnas-bench_v10141024.pth"
    return converted("transnasbench101_micro", path, torch_files(made.content(most=1), legacy=legacy))


def hardware_pickle(folder: Path) -> Case:
    cells = [a.id for a in benchmark("nasbench201").space.sample(3, seed=0)]
    config = [{"arch_str": cell, "C": 16, "N": 5} for cell in cells]
    values = {name: [0.5, np.float64(1.5), 2.0] for name in hardware.METRICS}
    by_dataset = {name: {"config": config, **values} for name in ("cifar10", "ImageNet16-120")}
    content = {"nasbench201": by_dataset, "fbnet": {}}
    return converted("nasbench201", folder / "HW-NAS-Bench-v1_0.pickle", pickles(content, 3))


def hardware_columns(folder: Path) -> Case:
    cells = [a.id for a in benchmark("nasbench201").space.sample(40, seed=0)]
    columns = {"index": list(range(40))} | {name: [0.5 + n for n in range(40)] for name in hardware.METRICS}
    path = folder / hardware.TABLES[1]
    return Case(tables(columns), path, lambda: hardware.read_columns(path, cells)[0].frame)


def logs(folder: Path) -> Case:
    made = of_test("datasets/test_nasbench301_truth.py")
    return converted("nasbench301", folder / "results_1.json", jsons(made.log(made.TRAINED[0].genotype)))


def embedded(folder: Path) -> Case:
    """The first records of the installed file, whose package itself is not imported."""
    names = ("Architecture", "DriftMeasurement")
    package, module = ModuleType("analognasbench"), ModuleType("analognasbench.data")
    for name in names:
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    with mock.patch.dict(sys.modules, {package.__name__: package, module.__name__: module}):
        first = dict(list(pickle.loads(analog.data_file().read_bytes()).items())[:3])
        content = pickle.dumps(first)
    path = folder / "data.anb"
    return Case(bytes_of(content), path, lambda: analog.read(path))


def tidy(folder: Path, **how: Any) -> Case:
    """A table in every way that commands use one."""
    made = of_test("datasets/test_hostile_tables.py")
    path = folder / "table.parquet"

    def use() -> object:
        table = benchmark("nasbench201").truth(path=path)
        for dataset in table.datasets:
            table.select(dataset)
        nasbench201.convert(path, folder / "out.parquet")
        return TruthTable.from_parquet(path).frame

    return Case(tables(made.columns(), **how), path, use)


# ---------------------------------------------------------------- surrogates


def members(folder: Path, kind: str, model: Any, config: dict[str, Any] | None = None) -> Case:
    place = folder / "ensemble" / "0"
    place.mkdir(parents=True)
    (place / "model_config.json").write_text(json.dumps({"model": kind} | (config or {})))
    genotypes = [a.genotype for a in benchmark("nasbench301").space.sample(2, seed=0)]
    path = place / ensemble.MODEL
    return Case(model, path, lambda: ensemble.open_ensemble(folder / "ensemble").predict(genotypes))


def rows() -> tuple[Any, Any]:
    genotypes = [a.genotype for a in benchmark("nasbench301").space.sample(60, seed=5)]
    found = np.stack([encode(genotype) for genotype in genotypes])
    return found, 92 + found[:, 32:].clip(0).sum(1) / 30


def xgb(folder: Path, form: str) -> Case:
    import xgboost

    values, percent = rows()
    booster = xgboost.train({"objective": "reg:squarederror", "max_depth": 3, "nthread": 1},
                            xgboost.DMatrix(values, label=percent), 3)  # fmt: skip
    if form == "pickle":
        return members(folder, "xgb", bytes_of(pickle.dumps(booster)))
    if form == "binary":
        made = of_test("datasets/test_nasbench301_files.py")
        state = made.old_booster()
        return members(folder, "xgb", bytes_of(state))
    raw = bytes(booster.save_raw(form))
    return members(folder, "xgb", jsons(json.loads(raw)) if form == "json" else bytes_of(raw))


def lgb(folder: Path, *, pickled: bool) -> Case:
    import lightgbm

    values, percent = rows()
    chosen = {"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 3, "num_leaves": 5}
    booster = lightgbm.train(chosen, lightgbm.Dataset(values, label=percent), 3)
    if pickled:
        return members(folder, "lgb", bytes_of(pickle.dumps(booster)))
    return members(folder, "lgb", bytes_of(booster.model_to_string().encode()))


GIN = {"gnn_hidden_dimensions": 4, "num_gnn_layers": 2, "virtual_node": True, "graph_preprocessing:self_loops": False,
       "graph_preprocessing:add_node_degree_one_hot": True, "graph_pooling": "sum",
       "graph_preprocessing:undirected_graph": True}  # fmt: skip


def graph_network(folder: Path) -> Case:
    state = gin.GraphNetwork(4, 2, pooling="sum", undirected=True).state_dict()
    stream = io.BytesIO()
    torch.save(state, stream)
    change = mostly(0.6, in_zip(stream.getvalue(), "data.pkl"), bytes_of(stream.getvalue()))
    return members(folder, "gnn_gin", change, GIN)


def model_config(folder: Path) -> Case:
    state = gin.GraphNetwork(4, 2, pooling="sum", undirected=True).state_dict()
    case = members(folder, "gnn_gin", bytes_of(b""), GIN)
    torch.save(state, case.path)
    return Case(jsons({"model": "gnn_gin", **GIN}), case.path.with_name("model_config.json"), case.use)


# ---------------------------------------------------------------- images


def pictures(folder: Path, dataset: str, name: str, change: Any) -> Case:
    path = folder / "images" / dataset / name
    path.parent.mkdir(parents=True)
    return Case(change, path, lambda: images.load(dataset, batch_size=8, folder=folder / "images"))


def cifar_bytes(folder: Path, classes: int) -> Case:
    draw = np.random.default_rng(0)
    width = 3072 + (1 if classes == 10 else 2)
    n = 2 * classes
    content = draw.integers(0, 256, (n, width), dtype=np.uint8)
    content[:, 0] = np.arange(n) % 10
    content[:, width - 3073] = np.arange(n) % classes
    name = "data_batch_1.bin" if classes == 10 else "train.bin"
    return pictures(folder, f"cifar{classes}", name, bytes_of(content.tobytes()))


def picture_pickle(folder: Path, dataset: str, name: str, labels: str, side: int, *, protocol: int = 2) -> Case:
    draw = np.random.default_rng(0)
    n = 24 if dataset == "cifar10" else 240
    data = draw.integers(0, 256, (n, 3 * side * side), dtype=np.uint8)
    numbers = [number % (n // 2) + (dataset == "imagenet16_120") for number in range(n)]
    numbers = [number % {"cifar10": 10, "cifar100": 100}.get(dataset, 10**9) for number in numbers]
    content = {"data": data, labels: numbers if protocol == 2 else np.array(numbers), "batch_label": "one"}
    return pictures(folder, dataset, name, pickles(content, protocol))


# ---------------------------------------------------------------- texts


def manifests(folder: Path) -> Case:
    text = (manifest.FOLDER / "nasbench101.toml").read_text(encoding="utf-8")
    lines = text.split("\n")

    def changed(draw: random.Random) -> bytes:
        found = list(lines)
        for _ in range(draw.choice((1, 2, 4))):
            at = draw.randrange(len(found))
            name, equals, _ = found[at].partition("=")
            value = draw.choice(("1", "-1", "nan", "inf", "true", '""', "[]", "{}", "[1, 2]", '"\\u0000"', "1979-05-27",
                                 '{a = 1}', '"x"', "0x" + "f" * 40, '["' + "x" * 300 + '"]', "9" * 5_000))  # fmt: skip
            found[at] = f"{name}= {value}" if equals else draw.choice(("[files]", "[[files]]", "[a.b]", "x = 1", ""))
        return "\n".join(found).encode()

    path = folder / "nasbench101.toml"

    def use() -> object:
        return [(one.names, one.place(folder), [(f.checksum, f.ready) for f in one.files])
                for one in [manifest._read(path)]]  # fmt: skip

    return Case(mostly(0.6, Change(text.encode(), changed), bytes_of(text.encode())), path, use)


def tables_of_publications(folder: Path) -> Case:
    file = sorted((Path(citations.__file__).parent / "published").glob("*.toml"))[0]
    path = folder / file.name
    return Case(bytes_of(file.read_bytes()), path, lambda: citations._read(path))


def note_of_a_download(folder: Path) -> Case:
    path = folder / "x.part.json"
    (folder / "x.part").write_bytes(b"abc")
    url = "https://example.org/x"
    content = {"url": url, "etag": '"a"', "modified": "", "total": 9}
    file = manifest.OfficialFile(name="x", kind="file", page="p", licence="l")

    def use() -> object:
        one = download.ResumableDownload(file=file, part=folder / "x.part")
        known = one._known(url)
        if known is None:
            raise ZcbenchError("the download begins anew")
        return known.validator

    return Case(jsons(content), path, use)


def architectures(folder: Path) -> Case:
    found = benchmark("nasbench201")
    text = "\n".join(a.id for a in found.space.sample(5, seed=0))
    path = folder / "cells.txt"
    choice = Choice(path, None, 0, False, "auto", True, None)
    truth = TruthOptions.of(("nasbench201",), (), (), (), (), None, costs=False)

    def texts(draw: random.Random) -> bytes:
        return of_text(text, draw).encode("utf-8", errors="surrogatepass")

    change = mostly(0.6, Change(text.encode(), texts), bytes_of(text.encode()))
    return Case(change, path, lambda: choose(found, choice, truth))


def genotypes(folder: Path, name: str) -> Case:
    space = benchmark(name).space
    known = [a.id for a in space.sample(5, seed=0)]
    path = folder / "text"

    def use() -> object:
        parsed = space.parse(path.read_bytes().decode("utf-8", errors="surrogatepass"))
        if space.parse(parsed.id) != parsed:
            raise AssertionError(f"{parsed.id} does not parse as itself")
        return space.unique_id(parsed), space.disconnected(parsed)

    def change(draw: random.Random) -> bytes:
        return of_text(draw.choice(known), draw).encode("utf-8", errors="surrogatepass")

    return Case(Change(known[0].encode(), change), path, use)


def network_options(folder: Path) -> Case:
    path = folder / "text"
    known = ["channels=16,cells=5", "auxiliary=false,affine=true", "channels=32"]

    def use() -> object:
        chosen = split(path.read_bytes().decode("utf-8", errors="surrogatepass"))
        return configured(benchmark("darts").space, chosen)

    def change(draw: random.Random) -> bytes:
        return of_text(draw.choice(known), draw).encode("utf-8", errors="surrogatepass")

    return Case(Change(known[0].encode(), change), path, use)


# ---------------------------------------------------------------- our own files


def made_up(store: Store) -> None:
    """Write everything that there can be in a store."""
    from scores import ENVIRONMENT, recipe, score

    store.describe(Described(metric, 1, higher_is_better=True, cite="nobody") for metric in ("snip", "nwot"))
    for n in range(6):
        for seed in (0, 1):
            rows = [score(f"a{n}", m, value=float(n), recipe=recipe(init_seed=seed)) for m in ("snip", "nwot")]
            store.append(rows, ENVIRONMENT, Record((Evaluated.of(rows, 0.5),), (Rate("float32", 1e10, 512),)))


def scored(store: Store) -> None:
    """Score some cells by what needs no passes."""
    one = benchmark("nasbench201")
    batch = images.load("digits", batch_size=8, resolution=8)
    cells, init = one.space.sample(14, seed=0), initialisation("pytorch")
    runner.run(Job(one.name, one.space, cells, select("params,layers"), batch, init, seeds=1), store)


def stored(folder: Path, fill: Callable[[Store], None] = made_up) -> tuple[Path, Change]:
    """A score store, and how it is changed."""
    path = folder / "s.sqlite"
    with Store(path) as made:
        fill(made)
        made._connection.execute("PRAGMA journal_mode = DELETE")
    whole = path.read_bytes()
    cells = {
        "scores": ("value", "outcome", "reason", "version", "seconds_standalone", "benchmark", "architecture", "metric",
                   "recipe", "environment", "space"),
        "recipes": ("digest", "recipe"), "environments": ("digest", "environment"),
        "metrics": ("metric", "version", "description"), "metric_sets": ("digest", "metrics"),
        "evaluations": ("space", "recipe", "metrics", "seconds", "environment"),
        "rates": ("environment", "dtype", "flops", "size"),
    }  # fmt: skip
    documents = (("recipes", "recipe"), ("environments", "environment"), ("metrics", "description"),
                 ("metric_sets", "metrics"))  # fmt: skip
    with closing(sqlite3.connect(path)) as opened:
        texts = {(t, c): opened.execute(f"SELECT {c} FROM {t}").fetchone()[0] for t, c in documents}
    before = {key: objects_of(json.loads(text), lambda o: json.dumps(o).encode()) for key, text in texts.items()}

    def changed(draw: random.Random) -> bytes:
        other = folder / "other.sqlite"
        other.write_bytes(whole)
        connection = sqlite3.connect(other, isolation_level=None)
        try:
            for _ in range(draw.choice((1, 2))):
                table = draw.choice(("scores", *cells))
                column = draw.choice(cells[table])
                value = draw.choice((*STRANGE, "{}", "[]", "null", '{"x": 1}', '{"dataset": 1}', b"\xff"))
                value = json.dumps(value) if isinstance(value, dict | list) else value
                value = str(value) if isinstance(value, int) and abs(value) >= 2**63 else value
                if (table, column) in documents and draw.random() < 0.7:
                    value = before[table, column](draw).decode()
                one = table == "scores" and draw.random() < 0.5
                where = " WHERE architecture = (SELECT min(architecture) FROM scores)" if one else ""
                try:
                    connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ?{where}", (value,))
                except (sqlite3.Error, UnicodeEncodeError):
                    continue
            if draw.random() < 0.1:
                connection.execute(draw.choice((
                    "DROP TABLE recipes", "DELETE FROM recipes", "DELETE FROM environments", "PRAGMA user_version = 7",
                    "DROP TABLE environments", "ALTER TABLE scores RENAME COLUMN value TO v", "DROP TABLE metrics",
                    "DROP TABLE metric_sets", "DELETE FROM metric_sets", "DROP TABLE rates", "DROP TABLE evaluations",
                    "ALTER TABLE rates ADD COLUMN x", "ALTER TABLE evaluations DROP COLUMN seconds",
                )))  # fmt: skip
        finally:
            connection.close()
        return other.read_bytes()

    return path, mostly(0.5, Change(whole, changed), bytes_of(whole))


def store(folder: Path) -> Case:
    """What reads a store: an export, a report."""
    path, change = stored(folder)

    def use() -> object:
        with Store(path, create=False) as opened:
            frame = opened.frame()
            assert tuple(frame.columns) >= EXPORT_COLUMNS[:1]
            frame.to_parquet(folder / "out.parquet")
            told = opened.environments(), opened.described(), opened.metadata()
            recipes = opened.recipes()
            return told, evaluated.read(opened, "toy", recipes), list(opened.outcomes("toy@1", ("snip",), recipes))

    return Case(change, path, use)


def store_that_is_added_to(folder: Path) -> Case:
    """What goes on with a store, and what joins it with another."""
    from scores import ENVIRONMENT, recipe, row, score

    path, change = stored(folder)
    others = [score("a1", value=7.0), score("b", value=1.0, recipe=recipe(init_seed=1))]

    def use() -> object:
        for one in (*folder.glob("all.sqlite*"), *folder.glob("s.sqlite-*")):
            one.unlink()
        with Store(folder / "all.sqlite") as target:
            target.append(others, ENVIRONMENT)
            merge_stores(target, [path], keep_first=True)
            try:
                found = target.frame(), evaluated.read(target, "toy", target.recipes()), target.described()
            except ZcbenchError as error:
                raise AssertionError(f"a store took over what is damaged: {error}") from error
        with Store(path) as opened:
            opened.describe([Described("snip", 1, higher_is_better=True)])
            left = opened.missing([row(one) for one in others], retry_failed=True)
            opened.append([one for one in others if row(one) in left], ENVIRONMENT)
            merge_stores(opened, [folder / "all.sqlite"], keep_first=True)
            return found, opened.frame()

    return Case(change, path, use)


def store_in_a_report(folder: Path) -> Case:
    """What a page is made of."""
    from fuzz.commands import called

    path, change = stored(folder, scored)
    options = ("--target", "cifar10", "--source", "analognasbench", "--split", "test", "--resamples", "10")

    def use() -> None:
        try:
            called(("report", "--store", str(path), *options, "--out", str(folder / "page")))
        except SystemExit as leave:
            if leave.code:
                raise

    return Case(change, path, use)


def shared_results(folder: Path) -> Case:
    from shared_results import result

    text = to_text(result())
    path = folder / "results" / "r.json"
    path.parent.mkdir()

    def use() -> object:
        found = results.read([path.parent])
        for line in (*found.refused, *found.ignored):
            raise ZcbenchError(line)
        return leaderboard.page(merge(found.results, notes=[]), "title")

    return Case(jsons(json.loads(text)), path, use)


def baseline(folder: Path) -> Case:
    from gated import measured

    path = folder / "reference.json"
    gate_files.write(record([measured(20)]), path)
    document = json.loads(path.read_text())
    return Case(jsons(document), path, lambda: gate_files.read(path))


def sidecar(folder: Path) -> Case:
    """The scores beside a baseline, which names their digest as if they were right."""
    from gated import measured

    path = folder / "reference.json"
    _, beside = gate_files.write(record([measured(20)]), path)
    document = json.loads(path.read_text())
    columns = {name: values.tolist() for name, values in pd.read_parquet(beside).items()}

    def use() -> object:
        import hashlib

        document["scores"]["sha256"] = hashlib.sha256(beside.read_bytes()).hexdigest()
        path.write_text(json.dumps(plain(document)))
        return gate_files.read(path)

    return Case(tables(columns), beside, use)


# ---------------------------------------------------------------- archives


def archive(folder: Path, ending: str) -> Case:
    contents = {"top/a.bin": b"a" * 3_000, "top/sub/b.bin": bytes(range(256)), "README": b"beside it"}
    path = folder / f"x.{ending}"
    stream = io.BytesIO()
    if ending == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
            for name, content in contents.items():
                made.writestr(name, content)
        change = bytes_of(stream.getvalue())
    else:
        with tarfile.open(fileobj=stream, mode="w") as made:
            for name, content in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                made.addfile(entry, io.BytesIO(content))
        plain_tar = stream.getvalue()
        press = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}[ending]

        inner = Change(press(plain_tar), lambda draw: press(of_bytes(plain_tar, draw)))
        change = mostly(0.7, inner, bytes_of(inner.whole))

    number = iter(range(10**9))

    def use() -> object:
        out = folder / f"to{next(number)}" / "top"
        try:
            unpack(path, out, inside="top", progress=lambda _: None)
        finally:
            beside = [one.name for one in out.parent.iterdir()] if out.parent.exists() else []
            assert beside in ([], ["top"]), beside
            for one in sorted(out.parent.rglob("*"), reverse=True):
                one.rmdir() if one.is_dir() else one.unlink()
            if out.parent.exists():
                out.parent.rmdir()
        return None

    return Case(change, path, use)


FORMATS: dict[str, Callable[[Path], Case]] = {
    "NAS-Bench-101 TFRecord": tfrecord,
    "NAS-Bench-201 .pth, zip": lambda folder: official(folder, legacy=False),
    "NAS-Bench-201 .pth, legacy": lambda folder: official(folder, legacy=True),
    "NAS-Bench-201 archive": archive_of_201,
    "NATS-Bench tss -simple": nats_tss,
    "NATS-Bench list of architectures": nats_list,
    "NATS-Bench sss single file": nats_sss,
    "TransNAS-Bench-101 .pth, zip": lambda folder: transnas(folder, legacy=False),
    "TransNAS-Bench-101 .pth, legacy": lambda folder: transnas(folder, legacy=True),
    "HW-NAS-Bench pickle": hardware_pickle,
    "HW-NAS-Bench columns": hardware_columns,
    "AnalogNAS-Bench pickle": embedded,
    "NAS-Bench-301 training log": logs,
    "surrogate xgboost JSON": lambda folder: xgb(folder, "json"),
    "surrogate xgboost UBJSON": lambda folder: xgb(folder, "ubj"),
    "surrogate xgboost pickle": lambda folder: xgb(folder, "pickle"),
    "surrogate xgboost 1.2 pickle": lambda folder: xgb(folder, "binary"),
    "surrogate LightGBM text": lambda folder: lgb(folder, pickled=False),
    "surrogate LightGBM pickle": lambda folder: lgb(folder, pickled=True),
    "surrogate graph network": graph_network,
    "surrogate model_config.json": model_config,
    "tidy Parquet": tidy,
    "tidy Parquet, small row groups": lambda folder: tidy(folder, row_group_size=40, compression="none"),
    "CIFAR-10 binary": lambda folder: cifar_bytes(folder, 10),
    "CIFAR-100 binary": lambda folder: cifar_bytes(folder, 100),
    "CIFAR-10 python": lambda folder: picture_pickle(folder, "cifar10", "data_batch_1", "labels", 32),
    "CIFAR-100 python": lambda folder: picture_pickle(folder, "cifar100", "train", "fine_labels", 32),
    "ImageNet16-120": lambda folder: picture_pickle(folder, "imagenet16_120", "val_data", "labels", 16, protocol=4),
    "manifest": manifests,
    "published table": tables_of_publications,
    "note of a download": note_of_a_download,
    "list of architectures": architectures,
    **{f"architecture of {name}": (lambda folder, name=name: genotypes(folder, name)) for name in benchmarks()},
    "network options": network_options,
    "score store": store,
    "score store, added to": store_that_is_added_to,
    "score store in a report": store_in_a_report,
    "shared result": shared_results,
    "gate baseline": baseline,
    "gate scores": sidecar,
    **{f"archive {ending}": (lambda folder, ending=ending: archive(folder, ending))
       for ending in ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")},
}  # fmt: skip
"""What reads files of others. Python files with metrics are not among them: they are the user's code, and run."""
