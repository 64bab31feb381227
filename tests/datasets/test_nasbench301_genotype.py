import itertools
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcbench.datasets.nasbench301.genotype import FORM, NODES, OPERATIONS, Genotype, pairs, parse_genotype
from zcbench.datasets.nasbench301.space import DartsSpace, Space
from zcbench.harness.errors import ZcbenchError

CELL = "[('sep_conv_3x3', 1), ('skip_connect', 0), ('max_pool_3x3', 2), ('avg_pool_3x3', 0), " \
    "('dil_conv_3x3', 0), ('dil_conv_5x5', 3), ('sep_conv_5x5', 4), ('skip_connect', 1)]"  # fmt: skip
TEXT = f"Genotype(normal={CELL}, normal_concat=range(2, 6), reduce={CELL}, reduce_concat=[2, 3, 4, 5])"


@st.composite
def cells(draw):
    edges = []
    for node in NODES:
        sources = draw(st.permutations(range(node)))[:2]
        edges += [(draw(st.sampled_from(OPERATIONS)), source) for source in sources]
    return tuple(edges)


genotypes = st.builds(Genotype, cells(), cells())


@given(genotypes)
@settings(max_examples=60, deadline=None)
def test_every_genotype_is_parsed_as_it_is_printed(genotype):
    assert parse_genotype(str(genotype)) == genotype


@given(genotypes)
@settings(max_examples=40, deadline=None)
def test_turning_the_inputs_of_nodes_around_changes_the_string_and_not_the_class(genotype):
    space = Space()
    turned = Genotype(*(tuple(itertools.chain(*(both[::-1] for both in pairs(c))))
                        for c in (genotype.normal, genotype.reduce)))  # fmt: skip
    first, second = space.architecture(genotype), space.architecture(turned)
    assert first.id != second.id
    assert space.unique_id(first) == space.unique_id(second)
    assert space.unique_id(space.parse(space.unique_id(first))) == space.unique_id(first)


@given(genotypes, genotypes)
@settings(max_examples=40, deadline=None)
def test_only_the_same_edges_are_one_class(one, other):
    def edges(genotype):
        return [[frozenset(both) for both in pairs(c)] for c in (genotype.normal, genotype.reduce)]

    space = Space()
    same = space.unique_id(space.architecture(one)) == space.unique_id(space.architecture(other))
    assert same == (edges(one) == edges(other))


@pytest.mark.parametrize("text", [
    TEXT, TEXT.replace(", ", ","), TEXT.replace("'", '"'), f"  {TEXT}\n", TEXT.replace("range(2, 6)", "[2,3,4,5,]"),
])  # fmt: skip
def test_spellings_print_unchanged_and_are_one_class(text):
    space = Space()
    architecture = space.parse(text)
    assert str(architecture) == text
    assert architecture.genotype == parse_genotype(TEXT)
    assert space.unique_id(architecture) == space.unique_id(space.parse(TEXT))


def test_all_real_strings_are_parsed_and_print_unchanged(data_folder):
    for table, number in {"darts_trained": 214, "nasbench301_surrogate": 725}.items():
        texts = pd.read_parquet(data_folder / f"{table}.parquet").architecture.astype(str).unique()
        assert len(texts) == number
        assert all(str(parse_genotype(text)) == text for text in texts)


@pytest.mark.parametrize(("change", "message"), [
    (("sep_conv_3x3", "sep_conv_3x4"), 'unknown operation \'sep_conv_3x4\'. Did you mean "sep_conv_3x3"'),
    (("sep_conv_3x3", "none"), "has the operation none, which only the search knows"),
    (("('sep_conv_3x3', 1), ", ""), "normal has 7 edges instead of 8"),
    (("('dil_conv_5x5', 3)", "('dil_conv_5x5', 4)"), "node 4 has the input 4, but only earlier nodes"),
    (("('avg_pool_3x3', 0)", "('avg_pool_3x3', 2)"), "both inputs of node 3 are 2"),
    (("range(2, 6)", "range(2, 5)"), "normal_concat must be the nodes [2, 3, 4, 5]"),
    (("[2, 3, 4, 5]", "[5, 4, 3, 2]"), "reduce_concat must be the nodes [2, 3, 4, 5]"),
    (("[2, 3, 4, 5]", "[('skip_connect', 2)]"), "reduce_concat must be the nodes [2, 3, 4, 5]"),
    (("Genotype(", "genotype("), "'genotype(nor' stands where 'Genotype' must be"),
    (("reduce_concat=", "reduce_conkat="), "'reduce_conkat' is none of normal, normal_concat"),
    ((", reduce_concat=[2, 3, 4, 5]", ""), "it lacks reduce_concat="),
    (("reduce_concat=", "reduce="), "reduce= occurs twice"),
    (("[2, 3, 4, 5])", "[2, 3, 4, 5]) or 1"), "'or 1' follows its end"),
    (("[2, 3, 4, 5])", "[2, 3, 4, 5]"), "it ends before ')'"),
    (("'sep_conv_3x3', 1", "'sep_conv_3x3', -1"), "strange character at"),
    (("'sep_conv_3x3', 1", "'sep_conv_3x3', 1.0"), "strange character at"),
    (("'sep_conv_3x3', 1", "'sep_conv_3x3', 'x'"), "stands where no quotes must be"),
    (("'sep_conv_3x3', 1", "sep_conv_3x3, 1"), "stands where a quoted operation must be"),
    (("('sep_conv_3x3', 1)", "1"), "normal must list pairs"),
    (("('sep_conv_3x3', 1)", "__import__('os').system('true')"), "stands where a node's number must be"),
    (("range(2, 6)", "range(2, 999999999)"), "normal_concat must be the nodes"),
    (("range(2, 6)", "range(2, 9999999999999999999)"), "strange character"),
    (("'sep_conv_3x3'", "'sep\u0301conv'"), "strange character"),
    (("'sep_conv_3x3', 1", "'sep_conv_3x3', \u0661"), "strange character"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(change, message):
    assert change[0] in TEXT
    with pytest.raises(ZcbenchError) as caught:
        Space().parse(TEXT.replace(*change, 1))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["Genotype(" * 50_000, "[" * 100_000, TEXT * 10, "Genotype(normal=" + "[" * 900])
def test_long_and_deep_strings_are_refused(text):
    with pytest.raises(ZcbenchError) as caught:
        parse_genotype(text)
    assert len(str(caught.value)) < 400
    assert str(caught.value).endswith(f". Form: {FORM}")


@given(st.integers(0, len(TEXT) - 1), st.sampled_from(["", "(", ")", "'", ",", "0", "9", "_", "=", "\x00", "é", "\n"]))
@settings(max_examples=150, deadline=None)
def test_a_changed_character_gives_a_genotype_or_one_line(place, character):
    text = TEXT[:place] + character + TEXT[place + 1 :]
    message = ""
    try:
        assert Space().parse(text).id == text
    except ZcbenchError as error:
        message = str(error)
    assert "\n" not in message


def test_the_number_of_genotypes():
    """By listing the cells of one kind with a single operation: 1 * 3 * 6 * 10 choices of inputs."""
    wirings = set(itertools.product(*(itertools.combinations(range(node), 2) for node in NODES)))
    assert len(wirings) == 180
    assert len(Space()) == (180 * 7**8) ** 2 == 1_076_746_950_455_072_400
    assert not Space().listed
    with pytest.raises(ZcbenchError, match=r"1\.08e\+18 architectures, too many to list"):
        list(Space())


def test_samples_are_different_and_sorted_and_repeatable():
    space = Space()
    sample = space.sample(200, seed=3)
    assert len({space.unique_id(a) for a in sample}) == 200
    assert all(space.unique_id(a) == a.id for a in sample)
    assert space.sample(50, seed=3) == sample[:50]
    assert space.sample(50, seed=-3) != sample[:50]
    assert [a.id for a in DartsSpace().sample(5, seed=3)] == [a.id for a in sample[:5]]
    for n in (0, -1, 1_000_001):
        with pytest.raises(ZcbenchError, match="cannot sample"):
            space.sample(n, seed=0)


def test_samples_are_uniform():
    """Chi-squared over operations and over the pairs of inputs of node 5, five standard deviations wide."""
    counts, inputs = Counter(), Counter()
    for architecture in Space().sample(1_000, seed=0):
        for cell in (architecture.genotype.normal, architecture.genotype.reduce):
            counts.update(operation for operation, _ in cell)
            inputs[tuple(source for _, source in cell[6:])] += 1
    assert set(inputs) == set(itertools.combinations(range(5), 2))
    for found, kinds in ((counts, 7), (inputs, 10)):
        expected = sum(found.values()) / kinds
        chi_squared = sum((count - expected) ** 2 / expected for count in found.values())
        assert chi_squared < kinds - 1 + 5 * (2 * (kinds - 1)) ** 0.5


def test_no_genotype_is_disconnected():
    space = Space()
    assert all(space.disconnected(a) is None for a in space.sample(20, seed=0))
