import hashlib
import importlib.metadata
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcbench.datasets.nasbench301.encoding import (
    ARCHITECTURE,
    NAMES,
    SETTINGS,
    encode,
    from_config,
    inputs_choices,
    to_config,
)
from zcbench.datasets.nasbench301.genotype import NODES, OPERATIONS, Genotype, pairs, parse_genotype
from zcbench.datasets.nasbench301.space import Space
from zcbench.harness.errors import ZcbenchError


def unsorted(seed: int) -> Genotype:
    """A random genotype, where the inputs of every other node are turned around."""
    drawn = Space().sample(1, seed)[0].genotype
    return Genotype(*(tuple(e for node, both in enumerate(pairs(c)) for e in (both[::-1] if node % 2 else both))
                      for c in (drawn.normal, drawn.reduce)))  # fmt: skip


genotypes = st.integers(0, 1_000_000).map(unsorted)

OVERRIDDEN = {  # by ConfigLoader.load_config_space of the package
    ARCHITECTURE + "layers", ARCHITECTURE + "init_channels",
    "SimpleLearningrateSchedulerSelector:cosine_annealing:T_max",
    "SimpleLearningrateSchedulerSelector:cosine_annealing:eta_min",
}  # fmt: skip

DIGEST = "0facb6e4fcdea0dfeeb30c892c6eb807836789521e3efc3ce45e583d17a94aea"
"""SHA-256 of `canonical` of the configspace.json that the wheel nasbench301 0.3 ships."""


def canonical(hyperparameters, conditions) -> str:
    """What both sides state: names, order, choices and ranges, and under which inputs an edge is active."""
    lines = [[h["name"], h.get("choices"), *((None, None, None) if h["name"] in OVERRIDDEN else
              (h.get("lower"), h.get("upper"), h.get("log", False) if "lower" in h else None))]
             for h in hyperparameters]  # fmt: skip
    return json.dumps([lines, sorted([c["child"], c["parent"], c["values"]] for c in conditions)])


def ours() -> str:
    described = {}
    for s in SETTINGS:
        described[s.name] = {"name": s.name} | ({"choices": list(s.choices)} if s.choices else {})
        if s.low is not None:
            described[s.name] |= {"lower": s.low, "upper": s.high, "log": s.log}
    conditions = []
    for name in NAMES:
        if "inputs_node" in name:
            described[name] = {"name": name, "choices": list(inputs_choices(int(name[-1])))}
        elif "edge_" in name:
            described[name] = {"name": name, "choices": list(OPERATIONS)}
            conditions += condition(name)
    return canonical([described[name] for name in NAMES], conditions)


def condition(name):
    cell, number = name.removeprefix(ARCHITECTURE + "edge_").rsplit("_", 1)
    first = 0
    for node in NODES:
        source = int(number) - first
        if 0 <= source < node:
            values = [pair for pair in inputs_choices(node) if str(source) in pair.split("_")]
            parent = f"{ARCHITECTURE}inputs_node_{cell}_{node}"
            return [] if node == 2 else [{"child": name, "parent": parent, "values": values}]
        first += node
    raise AssertionError(name)


def shipped() -> Path | None:
    """The configspace.json of an installed package, or the one that an environment variable names."""
    if named := os.environ.get("ZCBENCH_TEST_CONFIGSPACE"):
        return Path(named)
    try:
        files = importlib.metadata.files("nasbench301") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if f.name == "configspace.json"), None)


def test_the_table_is_that_of_the_package():
    assert hashlib.sha256(ours().encode()).hexdigest() == DIGEST


def test_the_table_is_that_of_the_package_where_it_is_at_hand():
    path = shipped()
    if path is None:
        pytest.skip("nasbench301 is not installed and ZCBENCH_TEST_CONFIGSPACE names no configspace.json")
    loaded = json.loads(path.read_text())
    theirs = canonical(loaded["hyperparameters"], loaded["conditions"])
    assert json.loads(theirs) == json.loads(ours())
    assert hashlib.sha256(theirs.encode()).hexdigest() == DIGEST


def test_there_are_56_hyperparameters_in_the_order_of_configspace():
    assert len(NAMES) == 56
    assert len(SETTINGS) == 22
    assert list(NAMES[:32]) == sorted(NAMES[:32])
    assert list(NAMES[32:]) == sorted(NAMES[32:])
    assert NAMES[32] == ARCHITECTURE + "edge_normal_10"


GENOTYPE = (
    "Genotype(normal=[('max_pool_3x3', 0), ('dil_conv_3x3', 1), ('avg_pool_3x3', 1), ('avg_pool_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 3)], "
    "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 0), ('max_pool_3x3', 3), ('avg_pool_3x3', 0), ('max_pool_3x3', 2), ('dil_conv_5x5', 3)], "
    "reduce_concat=[2, 3, 4, 5])"
)


def test_a_vector_is_that_of_configspace():
    """Computed once with ConfigSpace 0.6.1 and the package's own configspace.json, converter and settings."""
    expected = [
        0.5863451791322553, 0, 0, 0, 0.16666444442962952, 0.3099999239999697, 0, 0, 0, 0, 0, 5, 2, 0,
        0.003149999006299998, 0, 0, 5, 0, 2, 7, 0.000749999001499998, 0, 0, -3.6888794541139363,
        0.8988764044943821, -8.111728083308073, 0.009949999019899998, 1e-12, 0, 0, 0.7051278400653053,
        3, -1, 2, -1, 1, 1, -1, 3, 3, -1, -1, -1, -1, 0, 6, -1, 3, 3, -1, 1, -1, -1, 0, -1,
    ]  # fmt: skip
    np.testing.assert_allclose(encode(parse_genotype(GENOTYPE)), expected, rtol=0, atol=1e-15)


@given(genotypes)
@settings(max_examples=60, deadline=None)
def test_the_config_of_a_genotype_gives_it_back(genotype):
    config = to_config(genotype)
    assert from_config(config | {"budget": 100}) == genotype.sorted()
    assert len(config) == 16 + 6
    assert np.array_equal(encode(genotype), encode(genotype.sorted()))


@given(genotypes, genotypes)
@settings(max_examples=60, deadline=None)
def test_different_genotypes_have_different_vectors(one, other):
    assert np.array_equal(encode(one), encode(other)) == (one.sorted() == other.sorted())


@given(genotypes)
@settings(max_examples=30, deadline=None)
def test_an_edge_is_active_exactly_where_its_source_is_an_input(genotype):
    vector, config = encode(genotype), to_config(genotype)
    for place, name in enumerate(NAMES):
        if "edge_" in name:
            assert (vector[place] >= 0) == (name in config)


def test_all_real_genotypes_have_different_vectors(data_folder):
    texts = pd.read_parquet(data_folder / "nasbench301_surrogate.parquet").architecture.astype(str)
    assert len({encode(parse_genotype(text)).tobytes() for text in texts}) == len(texts) == 725


@pytest.mark.parametrize(("change", "message"), [
    ({ARCHITECTURE + "edge_normal_0": None}, "its NetworkSelectorDatasetInfo:darts:edge_normal_0 is 'None'"),
    ({ARCHITECTURE + "edge_normal_0": "sep_conv_3x33"}, 'Did you mean "sep_conv_3x3"'),
    ({ARCHITECTURE + "inputs_node_normal_3": "1_0"}, "inputs_node_normal_3 is '1_0'"),
    ({ARCHITECTURE + "inputs_node_normal_3": "2_3"}, "inputs_node_normal_3 is '2_3'"),
    ({ARCHITECTURE + "inputs_node_reduce_5": ["0", "1"]}, "inputs_node_reduce_5"),
])  # fmt: skip
def test_a_config_that_is_none_is_refused(change, message):
    config = to_config(parse_genotype(GENOTYPE))
    with pytest.raises(ZcbenchError) as caught:
        from_config(config | change)
    assert message in str(caught.value)


def test_a_config_without_an_edge_is_refused():
    config = to_config(parse_genotype(GENOTYPE))
    for name in list(config):
        with pytest.raises(ZcbenchError, match="its hyperparameters lack NetworkSelectorDatasetInfo:darts:"):
            from_config({k: v for k, v in config.items() if k != name})
