import itertools
import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcbench.datasets.nasbench101 import BENCHMARK
from zcbench.datasets.nasbench101.genotype import (
    MAX_EDGES,
    OPERATIONS,
    Cell,
    module_hash,
    parse_cell,
    print_cell,
    pruned,
)
from zcbench.datasets.nasbench101.space import Space, is_bare
from zcbench.harness.errors import ZcbenchError

CHAIN = "input,conv3x3-bn-relu,output|010001000"
DEAD = "input,conv3x3-bn-relu,maxpool3x3,output|0110000100000000"  # vertex 2 leads nowhere
BARE = "input,conv1x1-bn-relu,output|011000000"


def text_of(operations, *edges):
    size = len(operations)
    return f"{','.join(operations)}|{''.join('01'[(i, j) in edges] for i in range(size) for j in range(size))}"


@st.composite
def cells(draw):
    """Any valid cell, dead vertices included."""
    size = draw(st.integers(2, 7))
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=MAX_EDGES))
    route = [0, *sorted(draw(st.sets(st.integers(0, size - 1)))), size - 1]
    edges = {*chosen, *((i, j) for i, j in itertools.pairwise(route) if i < j)}
    cell = Cell(
        ("input", *draw(st.lists(st.sampled_from(OPERATIONS), min_size=size - 2, max_size=size - 2)), "output"),
        tuple(sorted(edges)),
    )
    if len(pruned(cell).edges) > MAX_EDGES:
        cell = Cell(cell.operations, tuple(sorted({(i, j) for i, j in itertools.pairwise(route) if i < j})))
    return cell


def renumbered(cell, generator):
    """The same graph with its inner vertices in another order in which every edge leads upwards."""
    last = len(cell.operations) - 1
    order, waiting = [0], list(cell.inner)
    while waiting:
        ready = [v for v in waiting if all(i in order for i, j in cell.edges if j == v)]
        order.append(generator.choice(ready))
        waiting.remove(order[-1])
    number = {vertex: place for place, vertex in enumerate([*order, last])}
    return Cell(
        tuple(cell.operations[v] for v in [*order, last]),
        tuple(sorted((number[i], number[j]) for i, j in cell.edges)),
    )


# ---------------------------------------------------------------- strings


@given(cells())
def test_print_and_parse_are_inverse(cell):
    text = print_cell(cell)
    assert parse_cell(text) == cell
    assert str(Space().parse(text)) == text


@given(st.text() | st.text(alphabet="|,01inputconv3x1-bremaxlu").map(lambda s: DEAD[:12] + s + DEAD[12:]))
def test_any_other_text_is_refused_in_one_line_or_prints_unchanged(text):
    try:
        parsed = Space().parse(text)
    except ZcbenchError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
    else:
        assert str(parsed) == text == print_cell(parsed.genotype)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first operation is '' instead of 'input'"),
        ("input", "the last operation is 'input' instead of 'output'"),
        ("input|0", "the last operation is 'input' instead of 'output'"),
        (CHAIN.replace("input", "Input"), "the first operation is 'Input'"),
        (CHAIN.replace("output", "out"), "the last operation is 'out' instead of 'output'"),
        (CHAIN.replace("conv3x3-bn-relu", "conv3x3"), 'Did you mean "conv3x3-bn-relu"'),
        (CHAIN.replace("conv3x3-bn-relu", "input"), "unknown operation 'input'"),
        (CHAIN.replace("|", ""), "the last operation is 'output010001000'"),
        (CHAIN[:-1], "3 vertices need 3x3 = 9 adjacency bits, it has 8"),
        (CHAIN + "0", "it has 10"),
        (CHAIN[:-1] + "2", "only have the digits 0 and 1"),
        (CHAIN + "\n", "only have the digits 0 and 1"),
        (CHAIN.replace("010001000", "010001010"), "not upper triangular: it has an edge 2 -> 1"),
        (CHAIN.replace("010001000", "110001000"), "not upper triangular: it has an edge 0 -> 0"),
        (CHAIN.replace("010001000", "010000000"), "no path leads from input to output"),
        ("input,output|0000", "no path leads from input to output"),
        ("input,output", 'it has no "|"'),
        ("input," + "maxpool3x3," * 6 + "output|" + "0" * 64, "it has 8 vertices, the benchmark at most 7"),
        (
            text_of(["input", *["maxpool3x3"] * 3, "output"], *itertools.combinations(range(5), 2)),
            "10 edges are left after pruning, the benchmark has at most 9",
        ),
    ],
)
def test_a_malformed_cell_names_what_is_wrong(text, message):
    with pytest.raises(ZcbenchError, match=r"^malformed NAS-Bench-101 cell ") as caught:
        Space().parse(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_dead_vertices_are_kept_in_the_string_and_pruned_in_the_graph():
    cell = parse_cell(DEAD)
    assert len(cell.operations) == 4
    assert pruned(cell) == Cell(("input", "conv3x3-bn-relu", "output"), ((0, 1), (1, 2)))
    assert Space().unique_id(Space().parse(DEAD)) == Space().unique_id(Space().parse(CHAIN))
    assert is_bare(parse_cell(BARE))
    assert pruned(parse_cell(BARE)) == Cell(("input", "output"), ((0, 1),))
    assert not is_bare(cell)


def test_more_than_nine_edges_are_fine_where_pruning_leaves_nine():
    from_input = [(0, j) for j in range(1, 7)]  # nothing but 0 -> 6 survives
    between = [(i, j) for i in range(1, 6) for j in range(i + 1, 6)]
    cell = parse_cell(text_of(["input", *["maxpool3x3"] * 5, "output"], *from_input, *between))
    assert len(cell.edges) == 16
    assert is_bare(cell)


@given(cells())
def test_pruning_keeps_exactly_what_lies_on_a_path(cell):
    last = len(cell.operations) - 1

    def reach(start, step):
        seen, new = {start}, {start}
        while new:
            new = {b for a, b in step if a in new} - seen
            seen |= new
        return seen

    alive = reach(0, cell.edges) & reach(last, [(j, i) for i, j in cell.edges])
    short = pruned(cell)
    assert short.operations == tuple(cell.operations[v] for v in sorted(alive))
    assert len(short.edges) == sum(i in alive and j in alive for i, j in cell.edges)
    assert pruned(short) == short
    assert parse_cell(print_cell(short)) == short


# ---------------------------------------------------------------- the official hash


def test_every_recorded_hash_matches(data_folder):
    recorded = pd.read_parquet(data_folder / "nasbench101_hashes.parquet")
    assert len(recorded) == recorded["hash"].nunique() == 5_385
    space = Space()
    found = [space.unique_id(space.parse(text)) for text in recorded["architecture"]]
    assert found == list(recorded["hash"])


@given(cells(), st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_the_order_of_the_vertices(cell, generator):
    space = Space()
    other = renumbered(cell, generator)
    assert space.unique_id(space.parse(print_cell(other))) == space.unique_id(space.parse(print_cell(cell)))


def test_the_hash_tells_edges_operations_and_directions_apart():
    ops = ["input", "conv3x3-bn-relu", "conv1x1-bn-relu", "output"]
    chain = ((0, 1), (1, 2), (2, 3))
    variants = [
        text_of(ops, *chain),
        text_of([ops[0], ops[2], ops[1], ops[3]], *chain),
        text_of(ops, *chain, (0, 3)),
        text_of(ops, *chain, (0, 2)),
        text_of(ops, *chain, (1, 3)),
        text_of(ops, (0, 1), (0, 2), (1, 3), (2, 3)),
    ]
    assert len({Space().unique_id(Space().parse(text)) for text in variants}) == len(variants)


def test_the_hash_of_a_graph_of_the_benchmarks_small_table():
    """All pruned cells of at most 4 vertices: as many hashes as there are graphs up to renumbering."""
    hashes, canonical = set(), set()
    for size in (2, 3, 4):
        pairs = list(itertools.combinations(range(size), 2))
        for bits in itertools.product((0, 1), repeat=len(pairs)):
            edges = tuple(pair for pair, bit in zip(pairs, bits, strict=True) if bit)
            for inner in itertools.product(OPERATIONS, repeat=size - 2):
                cell = Cell(("input", *inner, "output"), edges)
                if not edges or pruned(cell) != cell:
                    continue
                hashes.add(module_hash(cell))
                canonical.add(smallest(cell))
    assert len(hashes) == len(canonical) == 1 + 6 + 84


def smallest(cell):
    """The smallest of all ways to number the vertices, whether edges lead upwards or not."""
    last = len(cell.operations) - 1
    found = []
    for order in itertools.permutations(cell.inner):
        number = {0: 0, last: last} | {vertex: place for place, vertex in enumerate(order, start=1)}
        names = tuple(cell.operations[v] for v in order)
        found.append((names, tuple(sorted((number[i], number[j]) for i, j in cell.edges))))
    return min(found)


# ---------------------------------------------------------------- the space


def test_the_space_is_not_listed():
    space = Space()
    assert len(space) == 423_624
    assert not space.listed
    with pytest.raises(ZcbenchError, match="not listed without its table: draw some"):
        iter(space)


def test_a_sample_is_valid_distinct_and_begins_with_the_smaller_one():
    space = Space()
    large = space.sample(400, seed=3)
    assert len({a.id for a in large}) == 400
    assert space.sample(25, seed=3) == large[:25]
    assert space.sample(25, seed=4) != large[:25]
    assert space.sample(25, seed=-3) != large[:25]
    for architecture in large:
        assert space.parse(architecture.id) == architecture
        assert len(architecture.genotype.operations) == 7
    for wrong in (0, -1, 423_625):
        with pytest.raises(ZcbenchError, match="cannot sample"):
            space.sample(wrong, seed=0)


def test_a_sample_looks_like_naslibs_five_hundred(data_folder):
    """NASLib drew its 500 matrices the same way, so shares must agree within four standard errors."""
    recorded = pd.read_parquet(data_folder / "reference_scores" / "nasbench101_naslib.parquet")
    theirs = [parse_cell(text) for text in recorded["architecture"].unique()]
    ours = [a.genotype for a in Space().sample(2_000, seed=0)]
    assert len(theirs) == 500
    properties = {
        "bare": is_bare,
        "more than nine edges": lambda cell: len(cell.edges) > MAX_EDGES,
        "nothing dead": lambda cell: pruned(cell) == cell,
        "first operation": lambda cell: cell.operations[1] == "maxpool3x3",
        "0 -> 6": lambda cell: (0, 6) in cell.edges,
        "0 -> 1": lambda cell: (0, 1) in cell.edges,
    }
    for name, has in properties.items():
        a, b = (sum(map(has, some)) / len(some) for some in (ours, theirs))
        assert abs(a - b) < 4 * (0.25 / 500 + 0.25 / 2_000) ** 0.5, (name, a, b)
    assert sum(map(is_bare, theirs)) == 55
    assert sum(len(cell.edges) > MAX_EDGES for cell in theirs) == 305


def test_the_same_seed_gives_the_same_sample_for_ever():
    first = Space().sample(1, seed=0)[0]
    generator = random.Random("0")
    while True:
        bits = [generator.random() < 0.5 for _ in range(21)]
        inner = [OPERATIONS[int(3 * generator.random())] for _ in range(5)]
        edges = [pair for pair, bit in zip(itertools.combinations(range(7), 2), bits, strict=True) if bit]
        text = text_of(["input", *inner, "output"], *edges)
        try:
            assert first == Space().parse(text)
        except ZcbenchError:
            continue
        break


def test_populations_and_sources(data_folder, monkeypatch):
    monkeypatch.setenv("ZCBENCH_DATA", str(data_folder))
    not_bare = BENCHMARK.populations["not_bare"]
    parse = BENCHMARK.space.parse
    assert [not_bare(parse(text)) for text in (CHAIN, DEAD, BARE)] == [True, True, False]
    assert BENCHMARK.populations["all"](parse(BARE))
    table = BENCHMARK.truth()
    target = table.select("cifar10", default_sources=BENCHMARK.default_sources)
    assert (target.source, target.split, target.epochs) == ("zerocostpt", "test", 108)
    assert target.repeats.shape == (5_385, 3)
    naslib = table.select("cifar10", source="naslib", split="valid")
    assert "one of the three trainings, drawn at random" in naslib.describe()
    there = {entry.source: type(entry).__name__ for entry in BENCHMARK.availability()}
    assert there == {
        "naslib": "Available", "zerocostpt": "Available",
        "nasbench101-only108": "Missing", "nasbench101-full": "Missing",
    }  # fmt: skip


def test_what_is_said_of_naslibs_values_is_true(data_folder):
    """Each is one of the three repeats of its cell where we have these, and few are near the mean."""
    space = Space()
    table = BENCHMARK.truth(path=data_folder / "nasbench101.parquet")
    known = pd.read_parquet(data_folder / "nasbench101_hashes.parquet").set_index("architecture")["hash"]
    repeats = table.select("cifar10", source="zerocostpt", split="valid").repeats
    repeats.index = known[repeats.index]
    naslib = table.select("cifar10", source="naslib", split="valid").mean
    hashes = [space.unique_id(space.parse(text)) for text in naslib.index]
    assert len(set(hashes)) == 292
    shared = [(value, repeats.loc[h]) for value, h in zip(naslib, hashes, strict=True) if h in repeats.index]
    assert len(shared) == 125
    assert all((three - value).abs().min() < 1e-6 for value, three in shared)
    assert sum(abs(three.mean() - value) < 1e-6 for value, three in shared) < 5


@settings(max_examples=10)
@given(cells())
def test_parsed_architectures_are_hashable_and_equal(cell):
    one, two = (Space().parse(print_cell(cell)) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)


def test_converted_tables_are_read_beside_the_first_one(data_folder, tmp_path, monkeypatch):
    """As ``zcbench data status`` advises where there is a nasbench101.parquet already."""
    monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    fixture = data_folder / "fixtures" / "nasbench101_synthetic.tfrecord"
    BENCHMARK.convert(fixture, tmp_path / "nasbench101-only108.parquet")
    BENCHMARK.convert(data_folder / "nasbench101.parquet", tmp_path / "nasbench101.parquet")
    table = BENCHMARK.truth()
    assert table.sources == ("nasbench101-only108", "naslib", "zerocostpt")
    target = table.select("cifar10", default_sources=BENCHMARK.default_sources)
    assert (target.source, len(target.mean)) == ("nasbench101-only108", 1)
    assert target.mean.item() == pytest.approx(0.91)
