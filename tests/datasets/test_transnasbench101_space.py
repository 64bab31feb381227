import itertools

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcbench.datasets.transnasbench101 import BENCHMARKS
from zcbench.datasets.transnasbench101.genotype import (
    EDGES,
    has_dead_cell_edge,
    is_connected_cell,
    print_macro,
    print_micro,
)
from zcbench.datasets.transnasbench101.space import MacroSpace, MicroSpace
from zcbench.datasets.transnasbench101.tasks import TASKS
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Loss, Task

MICRO, MACRO = MicroSpace(), MacroSpace()
SPACES = {"micro": MICRO, "macro": MACRO}
CELLS = list(itertools.product(range(4), repeat=6))


@pytest.mark.parametrize("space", SPACES)
def test_the_space_is_exactly_what_was_trained(data_folder, space):
    frame = pd.read_parquet(data_folder / f"transnasbench101_{space}.parquet")
    trained = set(frame["architecture"].astype(str))
    ids = [a.id for a in SPACES[space]]
    assert len(ids) == len(SPACES[space]) == len(trained)
    assert set(ids) == trained


def test_the_sizes_are_the_published_ones():
    assert (len(MICRO), len(MACRO)) == (4096, 3256)
    lengths = [len(a.genotype) for a in MACRO]
    assert [lengths.count(n) for n in (4, 5, 6)] == [210, 750, 2296]
    assert next(iter(MICRO)).id == "64-41414-0_00_000"
    assert list(MICRO)[-1].id == "64-41414-3_33_333"


@given(st.sampled_from(CELLS))
def test_print_and_parse_are_inverse_for_cells(genotype):
    architecture = MICRO.parse(print_micro(genotype))
    assert architecture.genotype == genotype
    assert str(architecture) == print_micro(genotype)
    assert MICRO.architecture(genotype) == architecture


@given(st.lists(st.sampled_from([1, 2, 3, 4]), max_size=8))
def test_a_sequence_of_modules_is_in_the_space_or_refused(codes):
    doublings, halvings = codes.count(2) + codes.count(4), codes.count(3) + codes.count(4)
    valid = 4 <= len(codes) <= 6 and 1 <= doublings <= 3 and 1 <= halvings <= 4
    if valid:
        assert MACRO.architecture(codes).genotype == tuple(codes)
    else:
        with pytest.raises(ZcbenchError, match="instead of"):
            MACRO.parse(print_macro(codes))


@given(st.sampled_from(sorted(SPACES)), st.text() | st.text(alphabet="64-123450_basic").map("64-".__add__))
def test_any_other_text_is_refused_in_one_line_or_prints_unchanged(space, text):
    try:
        parsed = SPACES[space].parse(text)
    except ZcbenchError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
    else:
        assert str(parsed) == text == SPACES[space].print(parsed.genotype)


@pytest.mark.parametrize(
    ("space", "text", "message"),
    [
        ("micro", "", '1 parts between "-" instead of 3'),
        ("micro", "32-41414-1_02_333", "must begin with 64, not '32'"),
        ("micro", "64-41424-1_02_333", "its modules must be 41414, not '41424'"),
        ("micro", "64-41414-1_02", "its cell has 2 parts"),
        ("micro", "64-41414-1_2_333", "part 2 of its cell has 1 operation instead of 2"),
        ("micro", "64-41414-1_02_334", "unknown operation '4'; known: 0 none, 1 skip_connect"),
        ("micro", "64-41414-٣_33_333", "unknown operation"),
        ("micro", "64-41414-1_02_333\n", "part 3 of its cell has 4 operations"),
        ("micro", "64-1234-basic", "belongs to transnasbench101_macro"),
        ("macro", "64-41414-1_02_333", "belongs to transnasbench101_micro"),
        ("macro", "64-1234-bottleneck", 'must be "basic"'),
        ("macro", "64-1235-basic", "unknown module '5'; known: 1 normal, 2 doubles"),
        ("macro", "64-124-basic", "it has 3 modules instead of 4 to 6"),
        ("macro", "64-1234123-basic", "it has 7 modules instead of 4 to 6"),
        ("macro", "64-1313-basic", "0 modules that double the channels (2 and 4) instead of 1 to 3"),
        ("macro", "64-4441-basic", None),
        ("macro", "64-44441-basic", "4 modules that double"),
        ("macro", "64-2111-basic", "0 modules that halve the resolution (3 and 4) instead of 1 to 4"),
        ("macro", "64-333334-basic", "6 modules that halve"),
    ],
)
def test_a_malformed_string_names_what_is_wrong(space, text, message):
    if message is None:
        assert str(SPACES[space].parse(text)) == text
        return
    with pytest.raises(ZcbenchError, match=rf"^malformed architecture .* of transnasbench101_{space}: ") as caught:
        SPACES[space].parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def reaches(genotype, start, end):
    """Say whether a path of operations other than none leads from one node to another: by trying all paths."""
    if start == end:
        return True
    edges = zip(genotype, EDGES, strict=True)
    return any(op and source == start and reaches(genotype, to, end) for op, (source, to) in edges)


def test_a_disconnected_cell_has_no_path():
    connected = [cell for cell in CELLS if reaches(cell, 0, 3)]
    assert [a.genotype for a in MICRO if MICRO.disconnected(a) is None] == connected
    assert [cell for cell in CELLS if is_connected_cell(cell)] == connected
    assert len(connected) == 3927
    assert "none operation" in MICRO.disconnected(MICRO.parse("64-41414-0_33_000"))
    assert all(MACRO.disconnected(a) is None for a in MACRO)


def test_a_dead_edge_is_on_no_path():
    def dead(cell):
        pairs = zip(cell, EDGES, strict=True)
        return any(op and not (reaches(cell, 0, source) and reaches(cell, to, 3)) for op, (source, to) in pairs)

    assert [cell for cell in CELLS if has_dead_cell_edge(cell)] == [cell for cell in CELLS if dead(cell)]
    populations = BENCHMARKS[0].populations
    assert set(populations) == {"all", "connected", "no_dead_edge"}
    sizes = {name: sum(member(a) for a in MICRO) for name, member in populations.items()}
    assert sizes["all"] == 4096
    assert sizes["connected"] == 3927
    assert sizes["no_dead_edge"] == sum(not dead(cell) for cell in CELLS) < 3927
    assert set(BENCHMARKS[1].populations) == {"all"}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_samples(space):
    large = space.sample(200, seed=5)
    assert len({a.id for a in large}) == 200
    assert space.sample(50, seed=5) == large[:50]
    assert space.sample(50, seed=-5) != large[:50]
    assert {a.id for a in space.sample(len(space), seed=0)} == {a.id for a in space}
    with pytest.raises(ZcbenchError, match=f"has 1 to {len(space)} to give"):
        space.sample(len(space) + 1, seed=0)


def test_a_sample_is_uniform():
    """Each of the six edges of 2,000 sampled cells has each operation about 500 times (4.5 deviations)."""
    chosen = [a.genotype for a in MICRO.sample(2000, seed=11)]
    for edge in range(6):
        for operation in range(4):
            assert abs(sum(cell[edge] == operation for cell in chosen) - 500) < 4.5 * (2000 * 3 / 16) ** 0.5


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_architecture_is_a_class_of_its_own(space):
    assert len({space.unique_id(a) for a in space}) == len(space)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_task_can_be_chosen(space):
    assert space.network == {"task": "class_scene"}
    assert space.task == Task("class_scene", Loss.CROSS_ENTROPY, 47)
    assert space.resolution == 256
    for name, task in TASKS.items():
        chosen = space.configured({"task": name})
        assert chosen.network == {"task": name}
        assert chosen.task is task
        assert chosen.configured({}) is chosen
        assert chosen.name == space.name
    with pytest.raises(ZcbenchError, match='Did you mean "normal"'):
        space.configured({"task": "normals"})
    with pytest.raises(ZcbenchError, match='Did you mean "task"'):
        space.configured({"tasks": "normal"})


def test_the_tasks_are_those_of_the_benchmark():
    assert list(TASKS) == [
        "class_scene", "class_object", "room_layout", "jigsaw", "segmentsemantic", "normal", "autoencoder",
    ]  # fmt: skip
    assert {t.name: t.outputs for t in TASKS.values() if t.classifies} == {
        "class_scene": 47, "class_object": 75, "jigsaw": 1000,
    }  # fmt: skip
    assert {t.name: (t.outputs, t.loss) for t in TASKS.values() if t.dense} == {
        "segmentsemantic": (17, Loss.CROSS_ENTROPY),
        "normal": (3, Loss.MEAN_ABSOLUTE),
        "autoencoder": (3, Loss.MEAN_ABSOLUTE),
    }
    assert TASKS["room_layout"] == Task("room_layout", Loss.MEAN_SQUARED, 9)


@pytest.mark.parametrize("chosen", BENCHMARKS, ids=lambda b: b.name)
def test_every_task_has_a_ground_truth_of_every_architecture(data_folder, monkeypatch, chosen):
    monkeypatch.setenv("ZCBENCH_DATA", str(data_folder))
    table = chosen.truth()
    measured = {"room_layout": "negative_loss", "normal": "ssim", "autoencoder": "ssim"}
    assert chosen.datasets == tuple(TASKS)
    for task in TASKS:
        target = table.select(
            task, metric=measured.get(task, "accuracy"), split=chosen.default_split,
            default_sources=chosen.default_sources,
        )  # fmt: skip
        assert len(target.mean) == len(chosen.space)
        assert (target.source, target.split, target.seeds) == ("naslib", "valid", "one training run")
        assert ("squared error" in target.describe()) == (task == "room_layout")
