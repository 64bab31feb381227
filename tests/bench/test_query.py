"""Reading all accuracies of a benchmark: a converted NAS-Bench-201 beside nats-bench's own ``-simple`` folder.

nats-bench reads one compressed pickle a cell. There are three real ones at hand, so its time is extrapolated: the time
for the three, times 15,625 / 3, plus the time to open the folder with its list of cells (which is real). Our side is
not extrapolated: a table of all 15,625 cells, with as many rows of every kind as the conversion of the real records
gives, each invented cell with the numbers of a real one, a little lower. Both sides are in the page cache.
"""

from __future__ import annotations

import random

import pytest

from bench.paired import Limits, Ratio, Turns, in_turn
from bench.summary import Line, seconds
from zcbench.datasets.conversion import write_rows
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.datasets.nasbench201.convert import convert
from zcbench.datasets.truth import TruthTable

RECORDS = (0, 11, 284)
CELLS = 15_625
DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16_120": "ImageNet16-120"}
"""Our names, and nats-bench's."""


@pytest.fixture(scope="module")
def folder(data_folder):
    return data_folder / "fixtures" / "nats_bench" / "NATS-tss-v1_0-3ffb9-simple"


@pytest.fixture(scope="module")
def converted(folder, tmp_path_factory):
    """A table of all cells, with the rows that real records have."""
    there = tmp_path_factory.mktemp("converted")
    convert(folder, there / "real.parquet")
    real: dict[str, list[tuple]] = {}
    for row in TruthTable.from_parquet(there / "real.parquet").frame.astype(object).itertuples(index=False, name=None):
        real.setdefault(row[0], []).append(row)
    assert len(real) == len(RECORDS)
    draw = random.Random(0)

    def rows():
        for number, cell in enumerate(BENCHMARK.space):
            if cell.id in real:
                yield from real[cell.id]
            else:
                for _, *where, value, source, kind in list(real.values())[number % len(real)]:
                    yield cell.id, *where, value * (1 - 0.01 * draw.random()), source, kind

    path = there / "nasbench201.parquet"
    print(f"\n{write_rows(rows(), path, name='rows of real records', space=CELLS).describe()}")
    return path


def read(path, datasets):
    """Open the table, and take the test accuracies of all cells."""
    table = TruthTable.from_parquet(path)
    return {dataset: table.select(dataset, split="test", epochs=200).mean for dataset in datasets}


def queried(api, datasets):
    """Read the real records, and take their test accuracies."""
    return {
        dataset: {
            api.meta_archs[index]: api.get_more_info(index, theirs, hp="200", is_random=False)["test-accuracy"]
            for index in RECORDS
        }
        for dataset, theirs in DATASETS.items()
        if dataset in datasets
    }


def extrapolated(turns: Turns) -> list[list[float]]:
    """nats-bench's seconds for all cells, from those for the real records."""
    return [
        [opening + records * CELLS / len(RECORDS) for opening, records in zip(*pair, strict=True)]
        for pair in zip(turns.of("nats-bench opens"), turns.of("nats-bench reads"), strict=True)
    ]


@pytest.mark.bench
@pytest.mark.parametrize("datasets", [("cifar10",), tuple(DATASETS)], ids=["one dataset", "three datasets"])
def test_all_test_accuracies(datasets, folder, converted, report):
    nats_bench = pytest.importorskip("nats_bench", reason="nats_bench is not installed")
    opened = []

    def again(_):
        """A new one every time, since it keeps what it has read."""
        opened.append(nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False))

    def agree(cell, values):
        for dataset, theirs in values["nats-bench reads"].items():
            ours = values["zcbench"][dataset]
            assert len(ours) == CELLS
            assert {name: 100 * ours[name] for name in theirs} == pytest.approx(theirs)

    turns = in_turn(
        ["NAS-Bench-201"],
        {
            "zcbench": lambda _: read(converted, datasets),
            "nats-bench opens": again,
            "nats-bench reads": lambda _: queried(opened.pop(), datasets),
        },
        Limits(rounds=15, seconds=30), check=agree, reverse=False,
    )  # fmt: skip
    theirs, ours = extrapolated(turns), turns.of("zcbench")
    each = turns.typical("nats-bench reads") / len(RECORDS)
    print(f"\nnats-bench: {seconds(turns.typical('nats-bench opens'))} to open the folder, {seconds(each)} a record")
    report(Line(
        what=f"open NAS-Bench-201, test accuracies of all cells, {named(datasets)}",
        ours=seconds(turns.typical("zcbench")),
        theirs=f"{seconds(each * CELLS)} (extrapolated from {len(RECORDS)} records)",
        ratio=Ratio.between(theirs, ours), mark=1000,
    ))  # fmt: skip


def named(datasets):
    return datasets[0] if len(datasets) == 1 else f"{len(datasets)} datasets"


@pytest.mark.bench
def test_every_row(converted, report, benchmark):
    """Everything in the file as one frame, checked: all splits, lengths and seeds. No mark."""
    frame = benchmark.pedantic(lambda: TruthTable.from_parquet(converted).frame, rounds=3)
    assert len(frame) == CELLS * 55
    report(Line(f"all {len(frame):,} rows of NAS-Bench-201 as one frame", seconds(benchmark.stats.stats.median)))
