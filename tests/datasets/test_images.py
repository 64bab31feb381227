import os
import pickle

import numpy as np
import pytest

from zcbench.datasets import images
from zcbench.harness.errors import MissingFileError, UnsafeFileError, ZcbenchError

GENERATOR = np.random.default_rng(0)
N = 300


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


def fake_pixels(classes, side=32, first_label=0):
    pixels = GENERATOR.integers(0, 256, (N, 3 * side * side), dtype=np.uint8)
    return pixels, np.arange(N) % classes + first_label


def cifar10_binary(folder):
    pixels, labels = fake_pixels(10)
    folder.mkdir(parents=True)
    records = np.column_stack([labels.astype(np.uint8), pixels])
    for part in (1, 2):
        records[part - 1 :: 2].tofile(folder / f"data_batch_{part}.bin")
    records.tofile(folder / "test_batch.bin")
    return pixels, labels


def cifar100_binary(folder):
    pixels, labels = fake_pixels(100)
    folder.mkdir(parents=True)
    np.column_stack([(labels % 20).astype(np.uint8), labels.astype(np.uint8), pixels]).tofile(
        folder / "train.bin"
    )
    return pixels, labels


def pickled(folder, name, content, protocol=2):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(content, protocol))


def cifar10_python(folder):
    pixels, labels = fake_pixels(10)
    pickled(folder, "data_batch_1", {b"data": pixels[:100], b"labels": labels[:100].tolist()})
    pickled(folder, "data_batch_2", {b"data": pixels[100:], b"labels": labels[100:].tolist()})
    return pixels, labels


def cifar100_python(folder):
    pixels, labels = fake_pixels(100)
    pickled(folder, "train", {"data": pixels, "fine_labels": labels.tolist(), "coarse_labels": [0] * N})
    return pixels, labels


def imagenet_train(folder):
    pixels, labels = fake_pixels(150, side=16, first_label=1)
    pickled(folder, "val_data", {"data": pixels[:150], "labels": labels[:150].tolist()})
    pickled(folder, "train_data_batch_1", {"data": pixels, "labels": labels.tolist(), "mean": pixels.mean(0)})
    return pixels, labels - 1


def imagenet_valid(folder):
    pixels, labels = fake_pixels(150, side=16, first_label=1)
    pickled(folder, "val_data", {"data": pixels, "labels": labels}, protocol=4)
    return pixels, labels - 1


LAYOUTS = {
    "cifar-10-batches-bin": ("cifar10", cifar10_binary),
    "cifar-10-batches-py": ("cifar10", cifar10_python),
    "cifar-100-binary": ("cifar100", cifar100_binary),
    "cifar-100-python": ("cifar100", cifar100_python),
    "ImageNet16": ("imagenet16_120", imagenet_train),
    "val_data only": ("imagenet16_120", imagenet_valid),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("place", ["{dataset}/{layout}", "{layout}", "{dataset}", "."])
def test_every_layout_is_read_wherever_it_lies(tmp_path, layout, place):
    dataset, write = LAYOUTS[layout]
    where = "ImageNet16" if dataset == "imagenet16_120" else layout
    root = tmp_path / "images"
    pixels, labels = write(root / place.format(dataset=dataset, layout=where) / ("" if place != "." else "."))
    info = images.datasets()[dataset]
    batch = images.load(dataset, batch_size=info.classes, folder=root)
    assert batch.inputs.shape == (info.classes, 3, info.side, info.side)
    assert batch.inputs.dtype == np.float32
    assert batch.inputs.flags.c_contiguous
    assert batch.targets.dtype == np.int64
    assert sorted(batch.targets) == list(range(info.classes))
    assert batch.split == ("valid" if layout == "val_data only" else "train")
    # undo the normalisation: every image must be one of the file, under its own label
    mean, std = (np.array(v).reshape(1, 3, 1, 1) for v in (info.mean, info.std))
    restored = np.rint(batch.inputs * std + mean).astype(np.uint8).reshape(len(batch), -1)
    for row, label in zip(restored, batch.targets, strict=True):
        assert (pixels[labels == label] == row).all(1).any()


@pytest.mark.parametrize("dataset", ["digits", "gaussian"])
@pytest.mark.parametrize("n", [1, 7, 64, 200])
def test_draws_are_balanced_and_reproducible(dataset, n, no_data):
    batch = images.load(dataset, batch_size=n, seed=5)
    counts = np.bincount(batch.targets, minlength=10)
    assert counts.sum() == len(batch) == n
    assert counts.max() - counts.min() <= 1
    again = images.load(dataset, batch_size=n, seed=5)
    assert again.digest == batch.digest
    np.testing.assert_array_equal(again.inputs, batch.inputs)
    assert images.load(dataset, batch_size=n, seed=6).digest != batch.digest
    assert batch.inputs.shape == (n, 3, 32, 32)


def test_the_extra_images_go_to_random_classes():
    tops = {tuple(np.bincount(images.load("digits", batch_size=12, seed=s).targets)) for s in range(5)}
    assert len(tops) > 1


def test_digits_are_enlarged_grey_and_normalised():
    batch = images.load("digits", batch_size=500, seed=0)
    assert (batch.inputs[:, 0] == batch.inputs[:, 1]).all()
    blocks = batch.inputs.reshape(500, 3, 8, 4, 8, 4)
    assert (blocks == blocks[:, :, :, :1, :, :1]).all()
    assert abs(batch.inputs.mean()) < 0.05
    assert abs(batch.inputs.std() - 1) < 0.05
    assert "8x8" in batch.preprocessing
    assert len({row.tobytes() for row in batch.inputs}) == 500


def test_gaussian_inputs_are_standard_normal():
    batch = images.load("gaussian", batch_size=64, seed=0)
    assert abs(batch.inputs.mean()) < 0.01
    assert abs(batch.inputs.std() - 1) < 0.01


def test_the_digest_covers_inputs_and_targets():
    batch = images.load("digits", batch_size=4)
    assert len(batch.digest) == 16
    other = images.Batch(batch.inputs, batch.targets[::-1], 10, "digits", "all", "", 0)
    assert other.digest != batch.digest


def test_loading_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    images.load("gaussian", batch_size=4)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "imagenet16_120"])
def test_missing_images_say_what_is_looked_for(dataset, tmp_path, no_data, monkeypatch):
    with pytest.raises(MissingFileError, match="ZCBENCH_DATA"):
        images.load(dataset, batch_size=8)
    with pytest.raises(MissingFileError, match="looked for"):
        images.load(dataset, batch_size=8, folder=tmp_path)
    with pytest.raises(MissingFileError, match="no folder"):
        images.load(dataset, batch_size=8, folder=tmp_path / "absent")
    monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    with pytest.raises(MissingFileError, match=r"no folder .*images"):
        images.load(dataset, batch_size=8)


def test_bad_requests():
    with pytest.raises(ZcbenchError, match='Did you mean "cifar10"'):
        images.load("cifar_10", batch_size=8)
    with pytest.raises(ZcbenchError, match="1 or more"):
        images.load("digits", batch_size=0)
    with pytest.raises(ZcbenchError, match="0 or more"):
        images.load("digits", batch_size=1, seed=-1)
    with pytest.raises(ZcbenchError, match="take a smaller batch"):
        images.load("digits", batch_size=1797)
    with pytest.raises(ZcbenchError, match="a batch of 1798 is more than the 1797 images"):
        images.load("digits", batch_size=1798)


@pytest.mark.parametrize("dataset", ["digits", "gaussian"])
@pytest.mark.parametrize("n", [174_763, 2**31, 8 * 10**200, 8 * 10**400])
def test_a_batch_without_room_is_refused_before_memory_is_asked_for(dataset, n):
    with pytest.raises(ZcbenchError, match="takes more than 2 GiB"):
        images.load(dataset, batch_size=n)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "hostile"])
def test_damaged_files_give_one_line(tmp_path, layout, damage):
    dataset, write = LAYOUTS[layout]
    write(tmp_path / dataset)
    for path in (tmp_path / dataset).iterdir():
        content = path.read_bytes()
        path.write_bytes(
            {
                "truncated": content[:-100],
                "empty": b"",
                "garbage": b"<html>not found</html>",
                "hostile": pickle.dumps({"data": Hostile(), "labels": []}),
            }[damage]
        )
    with pytest.raises(ZcbenchError) as caught:
        images.load(dataset, batch_size=8, folder=tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert str(tmp_path) in str(caught.value)
    if damage == "hostile" and write not in (cifar10_binary, cifar100_binary):
        assert isinstance(caught.value, UnsafeFileError)
        assert "posix.system" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"labels": [1]},
        {"data": np.zeros((2, 3072), np.uint8)},
        {"data": np.zeros((2, 3072), np.uint8), "labels": [1]},
        {"data": np.zeros((2, 3072), np.uint8), "labels": [1, 99]},
        {"data": np.zeros((2, 3072), np.uint8), "labels": ["a", "b"]},
        {"data": np.zeros((2, 3071), np.uint8), "labels": [1, 2]},
        {"data": np.zeros((2, 3072), np.float32), "labels": [1, 2]},
        {"data": "text", "labels": [1, 2]},
    ],
)
def test_pickles_of_another_form_are_refused(tmp_path, content):
    pickled(tmp_path, "data_batch_1", content)
    with pytest.raises(ZcbenchError, match="cannot read") as caught:
        images.load("cifar10", batch_size=1, folder=tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_binary_label_outside_the_classes_is_refused(tmp_path):
    np.full(3073, 77, np.uint8).tofile(tmp_path / "data_batch_1.bin")
    with pytest.raises(ZcbenchError, match="labels 77"):
        images.load("cifar10", batch_size=1, folder=tmp_path)


def test_real_files(data_folder):
    folder = data_folder / "images"
    cifar = images.load("cifar10", batch_size=64, folder=folder)
    assert cifar.split == "train"
    assert abs(cifar.inputs.mean()) < 0.2
    assert abs(cifar.inputs.std() - 1) < 0.1
    small = images.load("imagenet16_120", batch_size=120, folder=folder)
    assert small.split == "valid"
    assert sorted(small.targets) == list(range(120))
    assert images.load("cifar10", batch_size=64).digest == cifar.digest


def test_info_tells_what_needs_files():
    known = images.datasets()
    assert {name for name, info in known.items() if not info.needs_files} == {"digits", "gaussian"}
    assert (known["imagenet16_120"].classes, known["imagenet16_120"].side) == (120, 16)
