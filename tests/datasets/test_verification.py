"""What ``zcbench data verify`` finds: parts of a dataset, numbered costs, and each table once."""

import pickle
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from zcbench.datasets.manifest import manifest
from zcbench.datasets.nasbench201 import hardware
from zcbench.datasets.registry import benchmark
from zcbench.datasets.verification import tables, verify_files, verify_table


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images" / "imagenet16_120"
    folder.mkdir(parents=True)
    return folder


def part(path, images=3):
    """A part of ImageNet16-120 in its form, whose content is not the official one."""
    content = {"data": np.zeros((images, 768), np.uint8), "labels": list(range(1, images + 1))}
    path.write_bytes(pickle.dumps(content, 2))


def test_a_part_that_can_be_read_is_named_and_no_damage(images, tmp_path):
    part(images / "val_data")
    (finding,) = verify_files(manifest("imagenet16_120"), tmp_path)
    assert finding.good
    assert finding.text == "1 of 11 files; not the official file: val_data, but its reader can read it"
    part(images / "train_data_batch_1")
    (finding,) = verify_files(manifest("imagenet16_120"), tmp_path)
    assert finding.text.startswith("2 of 11 files; not the official files: train_data_batch_1, val_data, but")


@pytest.mark.parametrize("spoil", [lambda c: c[:-20], lambda c: b"", lambda c: b"no pickle"])
def test_a_part_that_cannot_be_read_is_damaged(images, tmp_path, spoil):
    part(images / "val_data")
    (images / "val_data").write_bytes(spoil((images / "val_data").read_bytes()))
    (finding,) = verify_files(manifest("imagenet16_120"), tmp_path)
    assert not finding.good
    assert finding.text.startswith(f"not the official file: val_data; cannot read {images / 'val_data'}: ")


def test_the_images_at_hand_are_a_part(data_folder):
    (finding,) = verify_files(manifest("imagenet16_120"), data_folder)
    assert finding.good
    assert finding.text.startswith("1 of 11 files; not the official file: val_data")


def test_a_table_is_checked_once(data_folder, tmp_path):
    shutil.copyfile(data_folder / "darts_trained.parquet", tmp_path / "darts_trained.parquet")
    assert list(verify_files(manifest("darts"), tmp_path)) == []
    assert "darts_trained.parquet" in tables(benchmark("darts"))
    (tmp_path / "darts").mkdir()
    (tmp_path / "darts_trained.parquet").rename(tmp_path / "darts" / "darts_trained.parquet")
    assert len(list(verify_files(manifest("darts"), tmp_path))) == 1  # where no benchmark reads it


def test_numbered_costs_are_checked(data_folder, tmp_path):
    found, path = benchmark("nasbench201"), tmp_path / hardware.TABLES[1]
    assert path.name in tables(found)
    content = pq.read_table(data_folder / path.name)
    pq.write_table(content, path)
    finding = verify_table(path, found.space)
    assert finding.good
    assert finding.text.startswith("151,551 costs of 15,625 numbered architectures on cifar10: edgegpu_energy, ")
    pq.write_table(content.slice(1), path)
    assert not (finding := verify_table(path, found.space)).good
    assert "has to hold the numbers 0 to 15624, each once" in finding.text
    path.write_bytes(b"no table")
    assert not verify_table(path, found.space).good
