import base64
import bz2
import os
import pickle
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from zcbench.datasets.nasbench301 import gin, lightgbm_file, ubjson, xgboost_file
from zcbench.datasets.nasbench301.encoding import encode
from zcbench.datasets.nasbench301.genotype import Genotype, parse_genotype
from zcbench.datasets.nasbench301.space import Space
from zcbench.datasets.nasbench301.trees import Forest, Tree
from zcbench.harness.errors import UnsafeFileError, ZcbenchError

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")

ROWS = np.stack([encode(a.genotype) for a in Space().sample(120, seed=5)])
PERCENT = 92 + ROWS[:, 32:].clip(0).sum(1) / 30 + np.sin(ROWS[:, 10] + ROWS[:, 20])

OLD_PREDICTIONS = (
    94.96367645263672, 94.89871978759766, 94.79698181152344, 94.96367645263672, 94.79698181152344,
    94.79698181152344, 94.8619384765625, 94.8619384765625, 94.89871978759766, 94.98233032226562,
)
"""What xgboost 1.2.1 itself predicts for the first ten of `ROWS` with `OLD_BOOSTER`."""

OLD_BOOSTER = (
    "QlpoOTFBWSZTWSFZZ3UAB+z///////////////+Za/////rz9fiIzW1X8/2jwCfQQWAB4Add8BVIgx9YAAC9gGeGpomim1NDSZD0ZTaED9U0Gm"
    "g9R6j0gDeqPUyaHqDINAA0AGhkaBo2gJoDNE0A/1U9TNpI0ep6nqIAD/9UqAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQBpo0DJpkaaDIAZDRgQA0y"
    "GgyaBoGgyDTCGgyYI0GmEYgGRiaYJoNBk0AlNJKY1T0amQaZHqNAAADQGgeo0ANAANNDQAA0aaaaAAGgAAADQAA0QaAGgAZNGhoAyDQNMCaaNG"
    "gMgYQYmJpppgRgRoGgGTTamQbSaAaNAGhpoCRQCAgQ0EKekejE1PJNNB6T1NGm1AaGjQND1BoDQaADIAAA0GTagAB6gAAMtOSnE6fdRiUB3Q8h"
    "mTCikKQ8UyojjmO5S3Cfk0NFR1OnIRgJwbWp5gNSYMV8AUE0kZ72yJuNBNpThAs3XLV4He0NenXhfkIbENiGxDYmjMwLCN5jaJzhnHLRGQBRpI"
    "Wp6BgcaUokmIQdtz+2h0pdG/solM9EdFNE5YtebfnGCP/DQAd+/AYd21VghFGk2gbWxy3ICL/dwEfVZFhKih6Nhgw9aIvIxk0sJiSJ0Ug7kaVa"
    "QDMO1gqkVPm0nO3ixpD38cByYHfO0oC8m595iLurTjNzYtG/LvebFLjnuDMsIVRRDzJQ9I73KJ99E5fFZreIKtJHdRKX2S10I8ln6YnM6gazIX"
    "QNsewGRHKBI55EidQmHUGEiIccVe6WoEQJo5JK8lFWS544BYEI7aDAXgK74JXjGyx4JUgyhKBUkSBkS88EiSIkoz6ZMlSdB2NwuPiklfTcjyyB"
    "JxfDUipGEZ7oNtTgDo+QW4RWiQzoQhDuDoQ47JxxkO4wyEyQkM7IauRAQzJQExR0scmDEqmVmihSuxVQylaPJ7z5+ooIX+RC2AxlUNB3GZIBIK"
    "dDoBkjSyHK1eev1F50+xu7qnf8rmgHiyv+PCRYExgjo8iJoGaT3R0j2d3PrTyHc9pxe30C9E0Ni5Qxc1mAjHmQyyyyysV0lkMiQDUPiwhhhhhh"
    "cbhURZ2ta1tXFURH9d0brrrq3EjMCodmyJlId8r5333qo61rWtcqaq1rWvn7Hdi1n1ML7777+A9UZkAmWtaNraEhI6/uLRXag0lyUaso+nVfWy"
    "VvtfRa5zKw5Un9bbitT7mgfVPnlXF/JGV3MSNGVkVNRtMGDk6G9zNJaQdZf9tOqgT73p+kj/HSYCoiNuzOODRI+CEByRNtmO/l2Gxpfrgbx86V"
    "JhORwEvWEB6QiWK8zUHaybRHMpHcQwIiRiVeQC0dwvLxoa1d0efOB6p4W3A5cAcTkB074wOTlw+awXvK4HOegs+eqoHCCoJaZ18bXYy48U3AUz"
    "I30Ht/wrX1Y+zjPt9E5FhNW+TweKja4b+6uRIHEngbCGEeQZIWCDHCSBDwxqNGTkQP2z8Jz8K8qXFqEiDJ1lLqkIF195V0Z94p8DIgXGBkQi8j"
    "K6TMeqRJN5YxxUDvMAwLiYQJ3rMxwL2zqwQXB1rnUfWnvHWPtTJINQZBDYaBGqOaRoN0GBA8S5TDTsRBfuZYsjMNJA2ApzlEONvNt7D2XiLgDc"
    "tOk7iaN+YcdnAKxtMbthoGZFjS0WSYrdFl9GUIDUL2t0lLBes/rEmb4V4AqZLKDRAqi+JHiHpm3mOWk4IkDhIZlSWPAuMXXtkPX2FGRALFw+OX"
    "yKcDKUJERpT46IGMz6KqbkRKw9AMFyQ0EbtZAayhbVmbCQVxxxoHhvW4GmMXGCJxlGwPNVDCfH3xWLtJgFRZrMlCm08YAl1+oJqJw7KjJm3KRE"
    "QwvPG8iCuxhcDMGwaN01hgM2BaASUhraDN3IcBms2sweqN1TUHCdddbfNpsQyGokXGesqEEtTWa4SqNSwmo0/ziqG532AUDWcEVAzKm5EmbTWB"
    "gFipZJmWr6xtLytLkoEQiEAgJ7wYmMTRvEEE1TcMgzBTSsy8IojEjE7giIuJWgMoNMZQgiDMFFToXqhVUmVkMTJkzMiiVIAyBasAgt0ge1icXJ"
    "v4lxGrp78jdICNuIHBmSGWCUQ4O0a1GnNWToHCYnAG6jUFEG6bTAFpIBthGAh0AkZgGC5guBQClInQdmICAZpzFWQeVJoUu8dusbbbbbfo6OAA"
    "AAU0IQhCEIQgAAAAAAADHDj9dEN6TQ0n47t4oN+iDx6RxcYU1vSLjkNhzOWSDlXiLznNBbsCxhRtyJ9jcldiGaCsmhjktdwRM9cxnNu5sVkapn"
    "LFoDYpHLk89GBQqM2U0BOUw5zXOZEmdmF2YRbFJQCJgFDHTqN4NPZeSxNx+4wterFBjLxlSRSMQxF0IhAbJFVGdhqWgiSLVRcDa2mkIRL9JcrB"
    "tWRHGcjIiFkTMj3oZnHwLqhZbVgaB4MgcKManb50ZpTISKosG8RBT1uED/WYYjULzfQdDkwFDIG30ufAiyIg/MY0Mg/ID8EALGbChJji15JOli"
    "oGWEHE2KD4rR6smGM+nLTLH9XlqLa8tmLPHVm0ImPFVjxWGqig8ZeWTPoEwUV3gi76F1UeVmXWU1JeaybCb/ja2u7Kfk0H7YYC1HaWkOM7iSS/"
    "4u5IpwoSBCss7qA="
)
"""A booster of 8 trees, trained and pickled (protocol 3) by xgboost 1.2.1; bz2, base64."""


def write(folder: Path, content: bytes) -> Path:
    path = folder / "surrogate_model.model"
    path.write_bytes(content)
    return path


def old_booster() -> bytes:
    return bz2.decompress(base64.b64decode("".join(OLD_BOOSTER)))


def boosted(**parameters):
    data = xgboost.DMatrix(ROWS, label=PERCENT)
    chosen = {"objective": "reg:squarederror", "max_depth": 4, "nthread": 1} | parameters
    return xgboost.train(chosen, data, num_boost_round=25)


def lightened(rounds=25, **parameters):
    chosen = {"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 3} | parameters
    return lightgbm.train(chosen, lightgbm.Dataset(ROWS, label=PERCENT), rounds)


class Attack:
    """A pickle that would leave a file behind if it were loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_booster_of_an_xgboost_that_is_no_longer_read_predicts_what_it_predicted(tmp_path):
    forest = xgboost_file.read(write(tmp_path, old_booster()))
    assert len(forest) == 8
    assert forest.predict(ROWS[:10]).tolist() == list(OLD_PREDICTIONS)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("parameters", [{}, {"max_depth": 1}, {"colsample_bytree": 0.3, "gamma": 0.5, "alpha": 1}])
def test_a_pickled_booster_predicts_what_xgboost_predicts(tmp_path, protocol, parameters):
    booster = boosted(**parameters)
    forest = xgboost_file.read(write(tmp_path, pickle.dumps(booster, protocol=protocol)))
    expected = booster.predict(xgboost.DMatrix(ROWS))
    np.testing.assert_array_equal(forest.predict(ROWS).astype(np.float32), expected)


@pytest.mark.parametrize("form", ["json", "ubj"])
def test_xgboosts_own_formats_are_read(tmp_path, form):
    booster = boosted()
    path = write(tmp_path, bytes(booster.save_raw(form)))
    expected = booster.predict(xgboost.DMatrix(ROWS))
    np.testing.assert_array_equal(xgboost_file.read(path).predict(ROWS).astype(np.float32), expected)


def test_all_trees_count_after_an_early_stop_as_in_the_boosters_own_prediction(tmp_path):
    data, other = xgboost.DMatrix(ROWS[:60], label=PERCENT[:60]), xgboost.DMatrix(ROWS[60:], label=PERCENT[60:])
    chosen = {"objective": "reg:squarederror", "eta": 0.9, "nthread": 1}
    booster = xgboost.train(chosen, data, 80, evals=[(other, "v")], early_stopping_rounds=5, verbose_eval=False)
    assert booster.best_iteration < booster.num_boosted_rounds() - 1
    forest = xgboost_file.read(write(tmp_path, pickle.dumps(booster)))
    np.testing.assert_array_equal(
        forest.predict(ROWS).astype(np.float32), booster.predict(xgboost.DMatrix(ROWS))
    )


@pytest.mark.parametrize("parameters", [{"booster": "gblinear"}, {"booster": "dart"}, {"objective": "reg:logistic"},
                                        {"objective": "multi:softmax", "num_class": 3}])  # fmt: skip
def test_other_boosters_and_objectives_are_refused(tmp_path, parameters):
    labels = (np.median(PERCENT) < PERCENT).astype(float)
    chosen = {"nthread": 1, "objective": "reg:squarederror"} | parameters
    booster = xgboost.train(chosen, xgboost.DMatrix(ROWS, label=labels), 3)
    what = f"booster {chosen.get('booster', 'gbtree')} with objective {chosen['objective']}"
    with pytest.raises(ZcbenchError, match=what):
        xgboost_file.read(write(tmp_path, pickle.dumps(booster)))


def pickled(handle: bytes) -> bytes:
    """A pickle of a booster with these bytes inside, without xgboost having a say."""
    return b"\x80\x03cxgboost.core\nBooster\n)\x81" + pickle.dumps({"handle": handle}, 3)[2:-1] + b"b."


def test_a_model_of_an_unknown_version_says_what_to_do(tmp_path):
    with pytest.raises(ZcbenchError) as caught:
        xgboost_file.read(write(tmp_path, pickled(b"bs64" + bytes(100))))  # the text form of xgboost 0.x
    message = str(caught.value)
    assert "none of the forms of xgboost 1.0 to 3.2" in message
    assert 'booster.save_model("surrogate_model.json")' in message
    assert "\n" not in message


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("parameters", [{}, {"num_leaves": 2}, {"feature_fraction": 0.4, "lambda_l2": 3}])
def test_a_pickled_lightgbm_predicts_what_lightgbm_predicts(tmp_path, protocol, parameters):
    booster = lightened(**parameters)
    forest = lightgbm_file.read(write(tmp_path, pickle.dumps(booster, protocol=protocol)))
    np.testing.assert_array_equal(forest.predict(ROWS), booster.predict(ROWS))


def test_lightgbms_own_text_is_read(tmp_path):
    booster = lightened()
    path = tmp_path / "surrogate_model.model"
    booster.save_model(path)
    np.testing.assert_array_equal(lightgbm_file.read(path).predict(ROWS), booster.predict(ROWS))


def test_lightgbm_counts_the_trees_up_to_its_best_iteration(tmp_path):
    booster = lightened()
    booster.best_iteration = 7
    forest = lightgbm_file.read(write(tmp_path, pickle.dumps(booster)))
    assert len(forest) == 7
    np.testing.assert_array_equal(forest.predict(ROWS), booster.predict(ROWS))


def test_an_old_lightgbm_keeps_its_text_in_another_place(tmp_path):
    booster = lightened()
    state = booster.__getstate__()
    old = b"\x80\x02clightgbm.basic\nBooster\n)\x81" + pickle.dumps({"handle": state["_handle"]}, 2)[2:-1] + b"b."
    np.testing.assert_array_equal(lightgbm_file.read(write(tmp_path, old)).predict(ROWS), booster.predict(ROWS))


def test_a_lightgbm_of_one_leaf_is_a_constant(tmp_path):
    booster = lightened(rounds=3, min_data_in_leaf=1000)
    forest = lightgbm_file.read(write(tmp_path, pickle.dumps(booster)))
    np.testing.assert_allclose(forest.predict(ROWS), booster.predict(ROWS), rtol=0, atol=0)


@pytest.mark.parametrize("parameters", [{"objective": "poisson"}, {"boosting": "rf", "bagging_fraction": 0.5,
                         "bagging_freq": 1}, {"reg_sqrt": True}, {"zero_as_missing": True},
                         {"linear_tree": True}])  # fmt: skip
def test_other_lightgbm_models_are_refused(tmp_path, parameters):
    with pytest.raises(ZcbenchError, match="cannot read"):
        lightgbm_file.read(write(tmp_path, pickle.dumps(lightened(**parameters))))


@pytest.mark.parametrize("read", [xgboost_file.read, lightgbm_file.read])
def test_a_pickle_of_anything_else_runs_nothing(tmp_path, read):
    trace = tmp_path / "trace"
    with pytest.raises(UnsafeFileError, match="which this format never contains"):
        read(write(tmp_path, pickle.dumps(Attack(trace))))
    assert not trace.exists()
    for content in (pickle.dumps({"handle": 1}), pickle.dumps(None)):
        with pytest.raises(ZcbenchError, match="is not a pickled"):
            read(write(tmp_path, content))
    with pytest.raises(ZcbenchError, match="cannot read"):
        read(tmp_path / "absent")


def test_a_bytearray_of_a_number_is_no_way_to_fill_the_memory(tmp_path):
    huge = b"\x80\x02cxgboost.core\nBooster\n)\x81}U\x06handlec__builtin__\nbytearray\n\x8a\x05" \
        + (10**11).to_bytes(5, "little") + b"\x85Rsb."  # fmt: skip
    with pytest.raises(ZcbenchError, match="bytes of int"):
        xgboost_file.read(write(tmp_path, huge))


def contents():
    booster, light = boosted(), lightened()
    return {
        "old": (xgboost_file.read, old_booster()),
        "pickle": (xgboost_file.read, pickle.dumps(booster)),
        "json": (xgboost_file.read, bytes(booster.save_raw("json"))),
        "ubj": (xgboost_file.read, bytes(booster.save_raw("ubj"))),
        "lightgbm": (lightgbm_file.read, pickle.dumps(light)),
        "text": (lightgbm_file.read, light.model_to_string().encode()),
    }


@pytest.mark.parametrize("kind", ["old", "pickle", "json", "ubj", "lightgbm", "text"])
@pytest.mark.parametrize("seed", range(int(os.environ.get("ZCBENCH_TEST_MUTATIONS", "1"))))
def test_a_mutated_model_gives_numbers_or_one_line(tmp_path, kind, seed):
    """Cuts, changed bytes, and words that are changed as a whole, such as a child's number."""
    read, content = contents()[kind]
    generator = random.Random(f"{kind} {seed}")
    refused = 0
    for _ in range(60):
        changed = bytearray(content)
        for _ in range(generator.choice((1, 3, 40))):
            place = generator.randrange(len(changed) - 4)
            if generator.random() < 0.5:
                changed[place] = generator.randrange(256)
            else:
                word = generator.choice((-1, 0, 1, 2**31 - 1, generator.randrange(100)))
                changed[place : place + 4] = struct.pack(generator.choice(("<i", ">i")), word)
        if generator.random() < 0.2:
            del changed[generator.randrange(len(changed)) :]
        message = ""
        try:
            predicted = read(write(tmp_path, bytes(changed))).predict(ROWS[:5])
        except ZcbenchError as error:
            message, refused = str(error), refused + 1
        except ValueError as error:  # of a number of features that is not 56
            message, refused = str(error), refused + 1
            assert "for a model of" in message
        else:
            assert predicted.shape == (5,)
        assert "\n" not in message
        assert len(message) < 600
    assert refused > 10


def tree(left, right, feature=None, threshold=None):
    size = len(left)
    numbers = np.arange(size, dtype=np.float64)
    return Tree(np.array(feature or [0] * size), numbers if threshold is None else np.array(threshold),
                np.array(left), np.array(right), numbers)  # fmt: skip


@pytest.mark.parametrize(("broken", "message"), [
    (tree([1, 0], [1, -1]), "a child that it does not have"), (tree([1, -1], [5, -1]), "a child that it does not have"),
    (tree([1, -1], [1, -1]), "a node of two parents"), (tree([1, 2, 1], [2, 1, 2]), "a node of two parents"),
    (tree([1, -1, -1], [2, -1, -1], [7, 0, 0]), "other features than 3"),
    (tree([1, -1, -1], [2, -1, -1], [-1, 0, 0]), "other features than 3"),
    (tree([1, -1, -1], [2, -1, -1], threshold=[np.nan, 0, 0]), "not finite"), (tree([], []), "not complete"),
    (tree([-1, -1], [1, -1]), "a child that it does not have"),
])  # fmt: skip
def test_what_is_no_tree_is_refused_before_it_is_followed(broken, message):
    with pytest.raises(ValueError, match=message):
        Forest([broken], features=3, base=0.0, dtype=np.float64, inclusive=True)


def test_a_forest_is_followed_by_hand():
    stump = tree([1, -1, -1], [2, -1, -1], [1, 0, 0], [5.0, 0, 0])
    rows = np.array([[0, 4.0, 0], [0, 5.0, 0], [0, 6.0, 0]])
    for inclusive, expected in ((True, [11, 11, 12]), (False, [11, 12, 12])):
        forest = Forest([stump], features=3, base=10.0, dtype=np.float64, inclusive=inclusive)
        assert forest.predict(rows).tolist() == expected
    with pytest.raises(ValueError, match=r"rows of shape \(3, 2\) for a model of 3"):
        forest.predict(rows[:, :2])
    with pytest.raises(ValueError, match="without trees"):
        Forest([], features=3, base=0.0, dtype=np.float64, inclusive=True)
    assert forest.predict(rows[:0]).shape == (0,)


def test_many_rows_are_followed_in_parts_with_the_same_result(monkeypatch):
    booster = boosted()
    forest = xgboost_file._forest(bytes(booster.save_raw("ubj")), Path("x"))
    whole = forest.predict(ROWS)
    monkeypatch.setattr("zcbench.datasets.nasbench301.trees._CELLS", 70)
    np.testing.assert_array_equal(forest.predict(ROWS), whole)


@pytest.mark.parametrize(("data", "value"), [
    (b"{i\x01ai\x05i\x01bSi\x02hi}", {"a": 5, "b": "hi"}), (b"[#i\x02TF", [True, False]), (b"[ZNCx]", [None, "x"]),
    (b"I\xff\xfe", -2), (b"D" + struct.pack(">d", 1.5), 1.5), (b"[[]{}]", [[], {}]),
])  # fmt: skip
def test_ubjson_values(data, value):
    assert ubjson.loads(data) == value


@pytest.mark.parametrize("data", [
    b"", b"{", b"[", b"x", b"[" * 100_000, b"{i\x01a" * 5000, b"[$U#l\x7f\xff\xff\xff", b"[$[#i\x01", b"Si\xff",
    b"SD" + bytes(8), b"i\x01i\x01", b"N" * 10, b"Si\x02\xff\xfe",
])  # fmt: skip
def test_broken_ubjson_is_refused(data):
    with pytest.raises(ValueError) as caught:
        ubjson.loads(data)
    assert str(caught.value)


CONFIG = {
    "model": "gnn_gin", "gnn_hidden_dimensions": 8, "num_gnn_layers": 3, "graph_pooling": "mean", "virtual_node": True,
    "graph_preprocessing:undirected_graph": False, "graph_preprocessing:self_loops": False,
    "graph_preprocessing:add_node_degree_one_hot": True, "dropout_prob": 0.03,
}  # fmt: skip


def graph_network(**changes):
    config = CONFIG | changes
    network = gin.GraphNetwork(config["gnn_hidden_dimensions"], config["num_gnn_layers"],
                               pooling=config["graph_pooling"],
                               undirected=config["graph_preprocessing:undirected_graph"])  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                low = 0.5 if name.endswith("running_var") else -0.5
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + low)
    return network.eval(), config


def saved(network, folder):
    path = folder / "surrogate_model.model"
    torch.save(network.state_dict(), path)
    return path


def by_hand(state, genotype, config):
    """The prediction edge by edge, from the description alone."""
    nodes, edges, operations = (part.tolist() for part in gin.graph(genotype))
    pairs = list(zip(*edges, operations, strict=True))
    if config["graph_preprocessing:undirected_graph"]:
        pairs += [(to, source, operation) for source, to, operation in pairs]

    def norm(name, h):
        scale = state[f"{name}.weight"] / torch.sqrt(state[f"{name}.running_var"] + 1e-5)
        return (h - state[f"{name}.running_mean"]) * scale + state[f"{name}.bias"]

    def linear(name, h):
        return h @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def mlp(name, h):
        return linear(f"{name}.3", torch.relu(norm(f"{name}.1", linear(f"{name}.0", h))))

    kinds, degrees = (state[f"node_encoder.{name}_encoder.weight"] for name in ("type", "attribute"))
    h = torch.stack([kinds[kind] + degrees[degree] for kind, degree in nodes])
    virtual = state["gnn_node.virtualnode_embedding.weight"]
    layers = config["num_gnn_layers"]
    for layer in range(layers):
        h = h + virtual
        name = f"gnn_node.convs.{layer}"
        arrived = torch.zeros_like(h)
        for source, to, operation in pairs:
            arrived[to] += torch.relu(h[source] + state[f"{name}.edge_encoder.weight"][operation])
        new = norm(f"gnn_node.batch_norms.{layer}", mlp(f"{name}.mlp", (1 + state[f"{name}.eps"]) * h + arrived))
        if layer < layers - 1:
            other = f"gnn_node.mlp_virtualnode_list.{layer}"
            virtual = torch.relu(norm(f"{other}.4", mlp(other, h.sum(0, keepdim=True) + virtual)))
            new = torch.relu(new)
        h = new
    pooled = {"mean": h.mean(0), "sum": h.sum(0), "max": h.max(0).values}[config["graph_pooling"]]
    return 100 * float(torch.sigmoid(linear("graph_pred_linear", pooled)))


@pytest.mark.parametrize("undirected", [True, False])
@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
def test_the_graph_network_computes_what_its_description_says(tmp_path, pooling, undirected):
    network, config = graph_network(graph_pooling=pooling, **{"graph_preprocessing:undirected_graph": undirected})
    read = gin.read(saved(network, tmp_path), config)
    genotypes = [a.genotype for a in Space().sample(4, seed=1)]
    expected = [by_hand(network.state_dict(), genotype, config) for genotype in genotypes]
    np.testing.assert_allclose(read.predict(genotypes), expected, rtol=1e-4)
    assert len(set(expected)) == 4


def test_the_graph_of_a_genotype():
    """Written out by hand; the operations follow the destinations, the edges the sources."""
    cell = (("sep_conv_3x3", 1), ("max_pool_3x3", 0), ("skip_connect", 2), ("avg_pool_3x3", 0),
            ("dil_conv_3x3", 1), ("dil_conv_5x5", 3), ("sep_conv_5x5", 4), ("skip_connect", 0))  # fmt: skip
    nodes, edges, operations = gin.graph(Genotype(cell, cell))
    first = list(zip(*edges[:, :12].tolist(), operations[:12].tolist(), strict=True))
    assert first == [
        (0, 2, 1), (0, 3, 4), (0, 5, 2), (1, 2, 3), (1, 4, 6), (2, 3, 7), (3, 4, 3), (4, 5, 5),
        (2, 6, 0), (3, 6, 0), (4, 6, 0), (5, 6, 0),
    ]  # fmt: skip
    assert edges[:, 24:].T.tolist() == [[6, 6], [6, 7], [6, 8], [13, 0], [13, 1]]
    assert nodes[:, 0].tolist() == [0, 1, 2, 2, 2, 2, 3] * 2
    assert nodes[:, 1].tolist() == [4, 3, 4, 4, 4, 3, 7, 4, 3, 4, 4, 4, 3, 6]


@pytest.mark.parametrize("change", [
    {"gnn_hidden_dimensions": 9}, {"num_gnn_layers": 4}, {"num_gnn_layers": 1}, {"num_gnn_layers": 10**9},
    {"graph_pooling": "set2set"}, {"virtual_node": False}, {"graph_preprocessing:self_loops": True},
    {"gnn_hidden_dimensions": None}, {"graph_preprocessing:add_node_degree_one_hot": False},
])  # fmt: skip
def test_a_graph_network_of_another_form_is_refused(tmp_path, change):
    path = saved(graph_network()[0], tmp_path)
    with pytest.raises(ZcbenchError) as caught:
        gin.read(path, CONFIG | change)
    assert "\n" not in str(caught.value)


def test_a_graph_network_runs_nothing_and_holds_numbers(tmp_path):
    trace = tmp_path / "trace"
    path = tmp_path / "surrogate_model.model"
    for content in (Attack(trace), {"x": Attack(trace)}):
        torch.save(content, path)
        with pytest.raises(ZcbenchError):
            gin.read(path, CONFIG)
    path.write_bytes(pickle.dumps(Attack(trace)))
    with pytest.raises(ZcbenchError):
        gin.read(path, CONFIG)
    assert not trace.exists()
    network, _ = graph_network()
    with torch.no_grad():
        network.graph_pred_linear.bias.fill_(float("nan"))
    with pytest.raises(ZcbenchError, match="not finite"):
        gin.read(saved(network, tmp_path), CONFIG)
    torch.save([1, 2], path)
    with pytest.raises(ZcbenchError, match="no state of a network"):
        gin.read(path, CONFIG)


def test_a_cut_or_changed_graph_network_is_numbers_or_one_line(tmp_path):
    content = saved(graph_network()[0], tmp_path).read_bytes()
    generator = random.Random(0)
    genotype = parse_genotype(Space().sample(1, seed=0)[0].id)
    for _ in range(60):
        changed = bytearray(content)
        for _ in range(generator.choice((1, 30))):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        if generator.random() < 0.3:
            del changed[generator.randrange(len(changed)) :]
        message = ""
        try:
            (percent,) = gin.read(write(tmp_path, bytes(changed)), CONFIG).predict([genotype])
            assert 0 <= percent <= 100
        except ZcbenchError as error:
            message = str(error)
        assert "\n" not in message
