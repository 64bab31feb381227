import base64
import io
import json
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcbench.datasets.nasbench101 import BENCHMARK, tfrecord
from zcbench.datasets.nasbench101.convert import convert, read
from zcbench.datasets.nasbench101.crc32c import checksum, checksums, masked, masked_all
from zcbench.datasets.nasbench101.genotype import module_hash, print_cell, pruned
from zcbench.datasets.nasbench101.record import Evaluation, decode
from zcbench.datasets.nasbench101.space import Space
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError

# As google-research/nasbench prints it in its example notebook, in the numbering of the official file.
NOTEBOOK = (
    "input,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,output|"
    "0111100" "0000001" "0000001" "0000001" "0000010" "0000001" "0000000"
)  # fmt: skip
NOTEBOOK_QUERY = (
    "input,conv1x1-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,output|"
    "0111010" "0000001" "0000001" "0000100" "0000001" "0000001" "0000000"
)  # fmt: skip
NOTEBOOK_PARAMETERS = 2_694_282


# ---------------------------------------------------------------- a writer of such files


def double(number, value):
    return bytes([number << 3 | 1]) + struct.pack("<d", value)


def varint(value):
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def message(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def evaluation(epoch, seconds, train, valid, test):
    return b"".join(double(n, v) for n, v in enumerate((epoch, seconds, train, valid, test), start=1))


def metrics(epochs, final, halfway=(0.5, 0.4, 0.3), *, parameters=227_274, seconds=1000.0):
    evaluations = [
        evaluation(0.0, 0.0, 0.1, 0.1, 0.1),
        evaluation(epochs / 2, seconds / 2, *halfway),
        evaluation(float(epochs), seconds, *final),
    ]
    return b"".join(message(1, e) for e in evaluations) + b"\x10" + varint(parameters) + double(3, seconds)


def payload(text, epochs=108, data=None, **changed):
    """JSON of one record; `changed` replaces its parts."""
    cell = Space().parse(text).genotype
    operations, bits = text.split("|")
    row = {
        "hash": module_hash(pruned(cell)), "epochs": epochs, "adjacency": bits, "operations": operations,
        "metrics": base64.b64encode(data or metrics(epochs, (1.0, 0.94, 0.93))).decode(),
    }  # fmt: skip
    return json.dumps(list((row | changed).values())).encode()


def frame(data, *, length=None):
    header = struct.pack("<Q", len(data) if length is None else length)
    return header + crc(header) + data + crc(data)


def crc(data):
    """As the format has it, bit by bit: slow and obvious."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    state ^= 0xFFFFFFFF
    return struct.pack("<I", ((state >> 15 | state << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def write(path, payloads):
    path.write_bytes(b"".join(frame(p) for p in payloads))
    return path


def values(cell, epochs, repeat, halfway):
    """Some accuracies that are all different: train, valid, test."""
    base = 0.1 + cell / 100 + epochs / 1_000 + repeat / 10_000
    return tuple(base + split / 100_000 + halfway / 1_000_000 for split in range(3))


@pytest.fixture(scope="module")
def cells():
    found = {}
    for architecture in Space().sample(30, seed=5):
        short = pruned(architecture.genotype)
        found.setdefault(module_hash(short), print_cell(short))
    return list(found.values())[:4]


def official(cells, budgets):
    return [
        payload(text, epochs, metrics(
            epochs, values(n, epochs, repeat, 0), values(n, epochs, repeat, 1), seconds=10.0 * epochs + repeat
        ))
        for n, text in enumerate(cells) for epochs in budgets for repeat in range(3)
    ]  # fmt: skip


# ---------------------------------------------------------------- checksums and frames


def test_known_checksums():
    assert checksum(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert checksum(b"") == 0
    assert checksum(bytes(32)) == 0x8A9136AA  # RFC 3720, appendix B.4
    assert checksum(b"\xff" * 32) == 0x62A8AB43
    assert struct.pack("<I", masked(checksum(b"abc"))) == crc(b"abc")


PARTS = st.binary(min_size=1, max_size=40) | st.binary(min_size=2_040, max_size=2_060)


@settings(max_examples=50)
@given(st.lists(PARTS, min_size=1), st.integers(0, 9))
def test_many_checksums_at_once_equal_those_one_by_one(parts, gap):
    block, starts, stops = bytes(gap), [], []
    for part in parts:
        starts.append(len(block))
        stops.append(len(block) + len(part))
        block += part + bytes(range(gap))
    found = checksums(block, np.array(starts, np.int64), np.array(stops, np.int64))
    assert found.tolist() == [checksum(part) for part in parts]
    assert masked_all(found).tolist() == [masked(checksum(part)) for part in parts]


def test_checksums_agree_with_the_library_over_several_slices():
    library = pytest.importorskip("crc32c")
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 500, 3_000)
    stops = np.cumsum(lengths + 16)
    starts = stops - lengths
    block = generator.integers(0, 256, int(stops[-1]), dtype=np.uint8).tobytes()
    assert len(block) > 2 << 18
    expected = [library.crc32c(block[a:b]) for a, b in zip(starts, stops, strict=True)]
    assert checksums(block, starts, stops).tolist() == expected


@pytest.mark.parametrize("size", [1, 7, 64, 1_000, 1 << 22])
def test_records_may_lie_across_blocks(monkeypatch, size):
    monkeypatch.setattr(tfrecord, "BLOCK", size)
    parts = [bytes([n]) * (1 + 37 * n) for n in range(12)]
    content = b"".join(map(frame, parts))
    seen = []
    assert list(tfrecord.payloads(io.BytesIO(content), "x", advance=seen.append)) == parts
    assert sum(seen) == len(content)


def test_the_tfrecord_package_reads_what_we_write(cells, tmp_path):
    reader = pytest.importorskip("tfrecord.reader")
    path = write(tmp_path / "x.tfrecord", official(cells, (4, 108)))
    theirs = [bytes(view) for view in reader.tfrecord_iterator(str(path))]
    with path.open("rb") as stream:
        assert list(tfrecord.payloads(stream, "x")) == theirs == official(cells, (4, 108))


def test_we_read_what_the_tfrecord_package_writes(cells, tmp_path):
    tf = pytest.importorskip("tfrecord")
    writer = tf.TFRecordWriter(str(tmp_path / "x.tfrecord"))
    for n in range(50):
        writer.write({"name": (b"x" * 7 * n, "byte"), "number": (n, "int")})
    writer.close()
    with (tmp_path / "x.tfrecord").open("rb") as stream:
        ours = list(tfrecord.payloads(stream, "x"))
    assert ours == [bytes(v) for v in tf.tfrecord_iterator(str(tmp_path / "x.tfrecord"))]
    assert len(ours) == 50
    for data in official(cells, (108,)):
        header = struct.pack("<Q", len(data))
        crc_of = tf.TFRecordWriter.masked_crc
        assert header + crc_of(header) + data + crc_of(data) == frame(data)


# ---------------------------------------------------------------- records


def test_decoding_agrees_with_the_protobuf_package():
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    from google.protobuf import descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="m.proto", syntax="proto2")
    kinds = {"double": 1, "int32": 5, "string": 9, "message": 11}

    def define(name, *fields):
        defined = file.message_type.add(name=name)
        for number, (label, kind, title) in enumerate(fields, start=1):
            field = defined.field.add(name=title, number=number, type=kinds.get(kind, 11), label=label)
            if kind not in kinds:
                field.type_name = kind

    names = ("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
    define("Evaluation", *((1, "double", name) for name in names), (1, "string", "checkpoint_path"))
    scalars = (1, "int32", "trainable_parameters"), (1, "double", "total_time")
    define("Metrics", (3, "Evaluation", "evaluation_data"), *scalars)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    theirs = message_factory.GetMessageClass(pool.FindMessageTypeByName("Metrics"))()
    numbers = [(0.0, 0.0, 0.1, 0.1, 0.1), (54.0, 512.5, 0.81, 0.79, 0.78), (108.0, 1024.25, 1.0, 0.94, 0.93)]
    for path in ("", "model.ckpt-1"):
        del theirs.evaluation_data[:]
        for five in numbers:
            entry = theirs.evaluation_data.add(**dict(zip(names, five, strict=True)))
            if path:
                entry.checkpoint_path = path
        theirs.trainable_parameters, theirs.total_time = 8_555_530, 1100.0
        record = decode(payload(NOTEBOOK, data=theirs.SerializeToString()))
        assert record.halfway == Evaluation(*numbers[1])
        assert record.final == Evaluation(*numbers[2])
        assert record.trainable_parameters == 8_555_530
        if not path:
            ours = metrics(108, numbers[2][2:], numbers[1][2:], parameters=8_555_530, seconds=1024.25)
            theirs.total_time = 1024.25
            theirs.evaluation_data[1].training_time = 512.125
            assert theirs.SerializeToString() == ours


def test_the_fixture(data_folder):
    records = list(read(data_folder / "fixtures" / "nasbench101_synthetic.tfrecord"))
    assert [r.final.valid for r in records] == pytest.approx([0.92, 0.921, 0.922])
    assert {(r.architecture, r.epochs, r.trainable_parameters) for r in records} == {
        ("input,conv3x3-bn-relu,output|010001000", 108, 227_274)
    }
    assert records[0].halfway == Evaluation(54.0, 500.0, 0.8, 0.79, 0.78)
    space = Space()
    assert records[0].module_hash == space.unique_id(space.parse(records[0].architecture))


def test_trainable_parameters_of_a_real_record(tmp_path):
    """The network of the cell that the benchmark's notebook queries, and of the same cell as it is stored."""
    record = decode(payload(NOTEBOOK, data=metrics(108, (1.0, 0.9376, 0.9312), parameters=NOTEBOOK_PARAMETERS)))
    space = Space()
    asked, stored = space.parse(NOTEBOOK_QUERY), space.parse(record.architecture)
    assert space.unique_id(asked) == space.unique_id(stored) == record.module_hash
    for architecture in (asked, stored):
        network = space.build(architecture, 10)
        assert sum(p.numel() for p in network.parameters()) == record.trainable_parameters


# ---------------------------------------------------------------- what conversion keeps


@pytest.mark.parametrize(
    ("name", "budgets", "source"),
    [
        ("nasbench_only108.tfrecord", (108,), "nasbench101-only108"),
        ("nasbench_full.tfrecord", (4, 12, 36, 108), "nasbench101-full"),
        ("other.tfrecord", (108,), "nasbench101-only108"),
        ("other.tfrecord", (4, 108), "nasbench101-full"),
    ],
)
def test_all_repeats_lengths_splits_and_both_evaluations_are_kept(cells, tmp_path, name, budgets, source):
    records = official(cells, budgets)
    random.Random(0).shuffle(records)
    path = write(tmp_path / name, records)
    summary = BENCHMARK.convert(path, tmp_path / "out.parquet")
    assert f"{len(records) * 7} rows of 4 of 423624 architectures (a part of the benchmark)" in summary.describe()
    table = TruthTable.from_parquet(tmp_path / "out.parquet")
    assert table.sources == (source,)
    assert len(table) == len(records) * 7
    order = [records.index(r) for r in official(cells, budgets)]  # repeats are numbered as they come in the file
    for halfway, metric in enumerate(("accuracy", "accuracy_halfway")):
        for n, text in enumerate(cells):
            for b, epochs in enumerate(budgets):
                first = (n * len(budgets) + b) * 3
                repeats = sorted(range(3), key=lambda r: order[first + r])
                for split, place in (("train", 0), ("valid", 1), ("test", 2)):
                    found = table.truth(text, "cifar10", split=split, epochs=epochs, metric=metric)
                    assert found.seeds == (0, 1, 2)
                    assert list(found.values) == [values(n, epochs, r, halfway)[place] for r in repeats]
    target = table.select("cifar10")
    assert (target.metric, target.epochs, target.repeats.shape) == ("accuracy", 108, (4, 3))
    assert "mean over 3 seeds" in target.describe()
    half = table.select("cifar10", metric="accuracy_halfway", split="valid", epochs=budgets[0])
    assert half.epochs == budgets[0]
    seconds = table.select("cifar10", metric="training_seconds", split="train")
    assert seconds.mean.to_dict() == pytest.approx(dict.fromkeys(cells, 1081.0))


def test_a_tidy_table_is_checked_and_written_anew(cells, tmp_path):
    write(tmp_path / "x.tfrecord", official(cells, (108,)))
    convert(tmp_path / "x.tfrecord", tmp_path / "first.parquet")
    convert(tmp_path / "first.parquet", tmp_path / "second.parquet")
    one, two = (TruthTable.from_parquet(tmp_path / f"{n}.parquet").frame for n in ("first", "second"))
    assert one.astype(str).equals(two.astype(str))
    frame = one.astype({"architecture": str})
    frame["architecture"] = frame["architecture"].str.replace("|", "|1", regex=False)
    TruthTable(frame).write(tmp_path / "other.parquet")
    assert "adjacency bits" in refused(tmp_path / "other.parquet", tmp_path / "out.parquet")


def test_curves_make_no_difference(cells, tmp_path):
    path = write(tmp_path / "x.tfrecord", official(cells, (108,)))
    assert convert(path, tmp_path / "a").rows == convert(path, tmp_path / "b", curves=True).rows


@pytest.mark.parametrize("progress", [True, False])
def test_the_progress_bar_is_on_stderr(cells, tmp_path, capsys, progress):
    path = write(tmp_path / "nasbench_full.tfrecord", official(cells, (4, 12, 36, 108)))
    convert(path, tmp_path / "out.parquet", progress=progress)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("nasbench_full.tfrecord: 100%" in captured.err) == progress


# ---------------------------------------------------------------- what conversion refuses


def refused(path, out, kind=ZcbenchError):
    with pytest.raises(kind) as caught:
        convert(path, out)
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    assert len(said) < 900
    assert str(path) in said
    assert not out.exists()
    assert not list(out.parent.glob(".out.parquet*"))
    return said


GOOD = metrics(108, (1.0, 0.94, 0.93))
CHAIN = "input,conv3x3-bn-relu,output|010001000"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (b"", "record 1: it is no record of NAS-Bench-101 (JSONDecodeError"),
        (b"[" * 60_000, "RecursionError"),
        (b"\xff\xfe", "UnicodeDecodeError"),
        (b"{}", "not a list of hash"),
        (b"[1, 2, 3, 4, 5]", "not a list of hash"),
        (payload(CHAIN, epochs=True), "not a list of hash"),
        (payload(CHAIN, epochs=108.0), "not a list of hash"),
        (payload(CHAIN)[:-1] + b", 5]", "not a list of hash"),
        (payload(CHAIN, 0, GOOD), "0 epochs instead of"),
        (payload(CHAIN, 10**9, GOOD), "epochs instead of"),
        (payload(CHAIN, hash="f" * 31), "32 hexadecimal digits"),
        (payload(CHAIN, hash="f" * 32), f"ffffffffffffffffffffffffffffffff is not the hash of the cell {CHAIN}"),
        (payload(CHAIN, hash="é" * 32), "32 hexadecimal digits"),
        (payload(CHAIN, operations="input,conv3x3-bn,output"), 'Did you mean "conv3x3-bn-relu"'),
        (payload(CHAIN, adjacency="010001010"), "not upper triangular"),
        (payload(CHAIN, adjacency="0100010001"), "adjacency bits"),
        (payload(CHAIN, adjacency="010000000"), "no path"),
        (payload(CHAIN, metrics="???"), "is no record of NAS-Bench-101 (Error"),
        (payload(CHAIN, metrics="Q0Q="), "in the metrics"),
        (payload(CHAIN, metrics=""), "0 trainable parameters"),
        (payload(CHAIN, data=GOOD + message(1, evaluation(1, 1, 0.5, 0.5, 0.5))), "4 evaluations instead of 3"),
        (payload(CHAIN, data=GOOD[:-3]), "cut off"),
        (payload(CHAIN, data=GOOD + b"\x0b"), "wire type 3"),
        (payload(CHAIN, data=GOOD + b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "cut off"),
        (payload(CHAIN, data=GOOD + b"\x80" * 11), "cut off"),
        (payload(CHAIN, data=GOOD + b"\x08\x01"), "evaluation_data is of another type"),
        (payload(CHAIN, data=GOOD + message(2, b"")), "trainable_parameters is of another type"),
        (payload(CHAIN, data=message(1, b"\x08\x01") + GOOD), "epoch is of another type"),
        (payload(CHAIN, data=message(1, double(1, 5.0)) + GOOD), "a training time of nan"),
        (payload(CHAIN, data=metrics(108, (1.0, float("nan"), 0.9))), "accuracies of 1.0, nan and 0.9"),
        (payload(CHAIN, data=metrics(108, (1.0, 94.0, 93.0))), "accuracies of 1.0, 94.0"),
        (payload(CHAIN, data=metrics(108, (1.0, 0.9, 0.9), (-0.1, 0, 0))), "accuracies of -0.1"),
        (payload(CHAIN, data=metrics(108, (1.0, 0.9, 0.9), seconds=float("inf"))), "a training time of inf"),
        (payload(CHAIN, data=metrics(108, (1.0, 0.9, 0.9), parameters=1 << 40)), "trainable parameters"),
    ],
)  # fmt: skip
def test_a_bad_record_is_refused_with_its_number(cells, tmp_path, damage, message):
    good = official(cells, (108,))
    path = write(tmp_path / "only108.tfrecord", [*good, damage] if damage else [b" "])
    said = refused(path, tmp_path / "out.parquet")
    assert message in said
    assert f", record {len(good) + 1 if damage else 1}: " in said


def test_contradicting_records_are_refused(cells, tmp_path):
    good = official(cells, (4, 108))
    out, path = tmp_path / "out.parquet", tmp_path / "only108.tfrecord"
    said = refused(write(path, [*good, good[0]]), out)
    assert f"record {len(good) + 1}: " in said
    assert f"training 4 of {cells[0]} with 4 epochs, of 3 that there are" in said
    other = json.loads(good[0])
    other[2:4] = json.loads(good[-1])[2:4]
    said = refused(write(path, [good[0], json.dumps(other).encode()]), out)
    assert f"record 2: it is no record of NAS-Bench-101 (its cell {cells[3]} has the hash" in said


@pytest.mark.parametrize("length", [0, 1 << 16 | 1, 1 << 31, 1 << 60, (1 << 64) - 1])
def test_no_memory_is_taken_for_a_length_that_cannot_be(cells, tmp_path, length):
    good = official(cells, (108,))
    path = tmp_path / "only108.tfrecord"
    path.write_bytes(b"".join(map(frame, good)) + frame(good[0], length=length))
    assert f"record {len(good) + 1}: {length} bytes are no record" in refused(path, tmp_path / "out.parquet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"x", "record 1: it is cut off"),
        (b"<html><body>404 Not Found</body></html>", "record 1: wrong checksum of its length: it is no TFRecord file"),
        (bytes(100), "it is no TFRecord file"),
        (b"PAR1" + bytes(100), "cannot read"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "nasbench_full.tfrecord"
    path.write_bytes(content)
    assert message in refused(path, tmp_path / "out.parquet")


def test_other_paths(cells, tmp_path):
    out = tmp_path / "out.parquet"
    assert "there is no file" in refused(tmp_path / "absent", out, MissingFileError)
    (tmp_path / "folder").mkdir()
    assert "it is a folder" in refused(tmp_path / "folder", out)
    path = write(tmp_path / "x.tfrecord", official(cells, (108,)))
    with pytest.raises(MissingFileError, match="no folder"):
        convert(path, tmp_path / "absent" / "out.parquet")


def test_an_interrupted_conversion_leaves_the_old_table(cells, tmp_path, monkeypatch):
    from zcbench.datasets.nasbench101 import convert as module

    out = tmp_path / "out.parquet"
    out.write_bytes(b"old")
    path = write(tmp_path / "only108.tfrecord", official(cells, (108,)))
    calls = iter(range(5))

    def interrupt(data):
        if next(calls) == 4:
            raise KeyboardInterrupt
        return decode(data)

    monkeypatch.setattr(module, "decode", interrupt)
    with pytest.raises(KeyboardInterrupt):
        convert(path, out)
    assert out.read_bytes() == b"old"
    assert not list(tmp_path.glob(".out*"))


# ---------------------------------------------------------------- mutations


INSERTIONS = (b"\x00", b"\xff\xff\xff\xff", b'"', b"[", b"1e999", b"NaN")


def mutated(content, generator):
    """Change, drop, double or insert a few bytes anywhere."""
    data = bytearray(content)
    for _ in range(generator.choice((1, 1, 1, 3))):
        at = generator.randrange(len(data))
        kind = generator.randrange(5)
        if kind == 0:
            data[at] ^= 1 << generator.randrange(8)
        elif kind == 1:
            data[at] = generator.randrange(256)
        elif kind == 2:
            del data[at : at + generator.randrange(1, 9)]
        elif kind == 3:
            data[at:at] = generator.choice((*INSERTIONS, bytes(data[at : at + 40])))
        else:
            del data[at + 1 :]
    return bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_give_one_line_and_nothing_else(cells, tmp_path, seed):
    """Damage of the file itself: the checksums find it, unless it is nothing or cuts between two records."""
    content = b"".join(map(frame, official(cells[:2], (108,))))
    boundaries, at = set(), 0
    for data in official(cells[:2], (108,)):
        at += len(data) + 16
        boundaries.add(at)
    path, out = tmp_path / "only108.tfrecord", tmp_path / "out.parquet"
    generator = random.Random(seed)
    for _ in range(120):
        damaged = mutated(content, generator)
        if damaged == content or (content.startswith(damaged) and len(damaged) in boundaries):
            continue
        path.write_bytes(damaged)
        refused(path, out)


@pytest.mark.parametrize("layer", ["json", "metrics"])
@pytest.mark.parametrize("seed", range(2))
def test_damage_under_valid_checksums_gives_one_line_or_a_valid_table(cells, tmp_path, seed, layer):
    """A hostile file has right checksums: then only what can be believed gets through."""
    path, out = tmp_path / "only108.tfrecord", tmp_path / "out.parquet"
    generator = random.Random(seed)
    outcomes = []
    for _ in range(150):
        good = official(cells[:1], (108,))
        if layer == "json":
            good[1] = mutated(good[1], generator) or b" "
        else:
            row = json.loads(good[1])
            row[4] = base64.b64encode(mutated(base64.b64decode(row[4]), generator)).decode()
            good[1] = json.dumps(row).encode()
        write(path, good)
        try:
            convert(path, out)
        except ZcbenchError as error:
            said = str(error)
            assert len(said.splitlines()) == 1
            assert f"{path}, record " in said
            assert not out.exists()
            outcomes.append(False)
        else:
            TruthTable.from_parquet(out)
            out.unlink()
            outcomes.append(True)
        assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert outcomes.count(False) > 50
