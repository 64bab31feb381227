from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcbench.datasets.nasbench201.genotype import (
    EDGES,
    OPERATIONS,
    Space,
    has_dead_edge,
    is_connected,
    parse_cell,
    print_cell,
    unique_string,
)
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.types import Architecture

GENOTYPES = st.tuples(*[st.sampled_from(OPERATIONS)] * len(EDGES))
GOOD = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"
NONE = print_cell(["none"] * 6)


@pytest.fixture(scope="module")
def cells() -> list[Architecture]:
    return list(Space())


@given(GENOTYPES)
def test_print_and_parse_are_inverse(genotype):
    text = print_cell(genotype)
    assert parse_cell(text) == genotype
    assert str(Space().parse(text)) == text


@given(st.text() | st.text(alphabet="|~+01 noeskipcav_3x").map(lambda s: GOOD[:9] + s + GOOD[9:]))
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
        ("", "1 parts"),
        (GOOD.replace("nor_conv_3x3~0", "nor_conv_5x5~0", 1), 'Did you mean "nor_conv_3x3"'),
        (GOOD.replace("avg_pool_3x3~1", "avg_pool_3x3~0"), 'must end in "~1"'),
        (GOOD.replace("none~0|", ""), "part 3 has 2 edges instead of 3"),
        (GOOD.replace("none~0", "none"), 'lacks "~0"'),
        (GOOD[1:], 'part 1 does not begin and end with "|"'),
        (GOOD + "\n", 'part 3 does not begin and end with "|"'),
        (GOOD + "+|none~0|", "4 parts"),
    ],
)
def test_a_malformed_cell_names_what_is_wrong(text, message):
    with pytest.raises(ZcbenchError, match=r"^malformed NAS-Bench-201 cell ") as caught:
        Space().parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_architecture_can_be_made_from_operations():
    assert Space().architecture(parse_cell(GOOD)) == Space().parse(GOOD)
    with pytest.raises(ZcbenchError, match="malformed"):
        Space().architecture(["none"] * 5)
    with pytest.raises(ZcbenchError, match="unknown operation"):
        Space().architecture(["non"] * 6)


def test_the_space_has_15625_different_cells_in_a_fixed_order(cells):
    assert len(cells) == len(set(cells)) == len({a.id for a in cells}) == len(Space()) == 15_625
    assert cells[0].id == NONE
    assert cells[1].genotype == ("none",) * 5 + ("skip_connect",)


@pytest.mark.parametrize(("zero_rule", "classes", "mixed"), [(True, 6_466, 578), (False, 12_751, 230)])
def test_unique_classes_and_those_that_mix_parameter_counts(cells, zero_rule, classes, mixed):
    sizes = defaultdict(set)
    for cell in cells:
        sizes[unique_string(cell.genotype, zero_rule=zero_rule)].add(
            # a convolution has k^2 C^2 weights and 2 C of its batch norm, for C in 16, 32, 64
            sum(
                5 * (kernel * C * C + 2 * C)
                for operation in cell.genotype
                for C in (16, 32, 64)
                if (kernel := {"nor_conv_1x1": 1, "nor_conv_3x3": 9}.get(operation))
            )
        )
    assert len(sizes) == classes
    assert sum(len(parameters) > 1 for parameters in sizes.values()) == mixed


def test_unique_id_is_the_one_with_the_zero_rule():
    space = Space()
    assert space.unique_id(space.parse(NONE)) == "#+#+#"
    cell = space.parse("|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|")
    assert space.unique_id(cell) == "#+#+(#+(0)@nor_conv_1x1)@nor_conv_3x3"
    assert unique_string(cell.genotype, zero_rule=False) == (
        "((0)@none+(0)@nor_conv_1x1)@nor_conv_3x3+((0)@nor_conv_1x1)@none+(0)@none"
    )


def mirrored(genotype):
    """The same cell with the names of the nodes 1 and 2 exchanged; a cell, as 1 -> 2 is none."""
    names = {0: 0, 1: 2, 2: 1, 3: 3}
    operations = dict(zip(EDGES, genotype, strict=True))
    assert operations[1, 2] == "none"
    swapped = {(names[a], names[b]): op for (a, b), op in operations.items() if (a, b) != (1, 2)}
    return tuple(swapped.get(edge, "none") for edge in EDGES)


@pytest.mark.parametrize(("zero_rule", "changed"), [(True, 2_872), (False, 3_000)])
def test_the_official_string_is_not_stable_under_renaming_the_inner_nodes(cells, zero_rule, changed):
    renamed = {c.genotype: mirrored(c.genotype) for c in cells if c.genotype[EDGES.index((1, 2))] == "none"}
    assert all(mirrored(other) == genotype for genotype, other in renamed.items())
    assert all(is_connected(genotype) == is_connected(other) for genotype, other in renamed.items())
    assert all(has_dead_edge(genotype) == has_dead_edge(other) for genotype, other in renamed.items())
    pairs = [(genotype, other) for genotype, other in renamed.items() if genotype != other]
    assert (len(renamed), len(pairs)) == (3_125, 3_000)
    strings = [[unique_string(genotype, zero_rule=zero_rule) for genotype in pair] for pair in pairs]
    assert sum(one != other for one, other in strings) == changed


def test_unique_id_is_not_graph_isomorphism():
    space = Space()
    one = space.architecture(["nor_conv_1x1", "nor_conv_3x3", "none", "none", "avg_pool_3x3", "skip_connect"])
    # the same computation with the nodes 1 and 2 exchanged; the zero term of 1 -> 2 stays at node 2
    other = space.architecture(
        ["nor_conv_3x3", "nor_conv_1x1", "none", "none", "skip_connect", "avg_pool_3x3"]
    )
    assert space.unique_id(one) != space.unique_id(other)


def test_populations(cells):
    connected = [cell for cell in cells if is_connected(cell.genotype)]
    alive = [cell for cell in cells if not has_dead_edge(cell.genotype)]
    assert len(connected) == 15_284
    assert len(alive) == 9_445
    assert {cell.id for cell in alive} - {cell.id for cell in connected} == {NONE}
    assert [c for c in cells if Space().disconnected(c) is None] == connected


def test_a_disconnected_cell_says_why():
    space = Space()
    assert "none" in (space.disconnected(space.parse(NONE)) or "")
    assert space.disconnected(space.parse(GOOD)) is None


def test_samples_are_distinct_seeded_and_nested():
    space = Space()
    sample = space.sample(50, seed=3)
    assert len({a.id for a in sample}) == 50
    assert sample == space.sample(50, seed=3)
    assert sample[:7] == space.sample(7, seed=3)
    assert sample != space.sample(50, seed=-3)
    assert len({a.id for a in space.sample(15_625, seed=0)}) == 15_625
    first = "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|"
    assert space.sample(1, seed=0)[0].id == first


@pytest.mark.parametrize("n", [0, -1, 15_626])
def test_a_sample_of_impossible_size_is_refused(n):
    with pytest.raises(ZcbenchError, match="15625"):
        Space().sample(n, seed=0)


def test_sampling_leaves_the_global_generator_alone():
    import random

    state = random.getstate()
    Space().sample(3, seed=0)
    assert random.getstate() == state
