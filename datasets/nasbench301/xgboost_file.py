"""Read the trees of an xgboost model, whichever version wrote it.

A surrogate of NAS-Bench-301 is a pickle of an ``xgboost.Booster``, whose state holds one block of bytes:

- versions 1.0.2 and 1.2.1: ``CONFIG-offset:``, a number, the binary model, the configuration;
- version 1.4.2: JSON, ``{"Config": ..., "Model": {"learner": ...}}``;
- versions 1.7.6, 2.1.4, 3.0.5 and 3.2.0: the same as UBJSON.

Models of all of these were read, and predicted bit for bit what the version itself predicted for 939 genotypes.
xgboost itself reads the first kind no more (3.2.0: "Invalid serialization file"). Models that ``Booster.save_model``
wrote (binary, JSON or UBJSON) are read too. Booster.predict, which the surrogates use, sums all trees,
whatever the best iteration was; so does this reader. Older pickles, and boosters other than ``gbtree`` for
a single value of regression, are refused.

The binary model: 136 bytes of learner parameters (base score, number of features, ...), two strings
(objective, booster), 160 bytes of booster parameters (number of trees, ...), and for each tree 148 bytes of
parameters and for each of its nodes 20 bytes (parent, left, right, feature with the default direction in
its highest bit, threshold or leaf value) and 16 bytes of statistics.

Source: xgboost, ``src/learner.cc``, ``src/gbm/gbtree_model.h``, ``include/xgboost/tree_model.h`` (1.2.1)
and ``doc/model.schema``.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcbench.datasets import unpickle
from zcbench.datasets.nasbench301 import ubjson
from zcbench.datasets.nasbench301.trees import Forest, Tree
from zcbench.harness.errors import ZcbenchError

OBJECTIVES = ("reg:squarederror", "reg:linear")
"""Objectives whose prediction is the plain sum of the trees."""

_PICKLED = b"CONFIG-offset:"
_BINARY = b"binf"
_NODE = np.dtype([("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("feature", "<u4"), ("value", "<f4")])
_LEARNER, _BOOSTER, _TREE, _STATISTICS = 136, 160, 148, 16


class BoosterStandIn(metaclass=unpickle.Fixed):
    """What a pickled booster becomes: read ``state`` after loading.

    Attributes:
        state: its attributes.
    """

    state: Mapping[str, object]

    def __init__(self) -> None:
        self.state = {}

    def __setstate__(self, state: Mapping[str, object]) -> None:
        self.state = dict(state)


def _plain_bytes(raw: bytes = b"") -> bytes:
    """Stand in for ``bytearray``, which would also make a number into that many zeros."""
    if not isinstance(raw, bytes):
        raise TypeError(f"bytes of {type(raw).__name__}")
    return raw


GLOBALS: unpickle.Globals = MappingProxyType(
    {
        ("xgboost.core", "Booster"): BoosterStandIn,
        ("builtins", "bytearray"): unpickle.fixed(_plain_bytes),
        ("__builtin__", "bytearray"): unpickle.fixed(_plain_bytes),  # protocol 2
        ("_codecs", "encode"): unpickle.NUMPY_ARRAYS["_codecs", "encode"],
        **unpickle.NUMPY_SCALARS,  # best_score
    }
)
"""Names in a pickle of a booster."""


def read(path: Path) -> Forest:
    """Read a model file.

    Raises:
        UnsafeFileError: if it is a pickle of anything but a booster.
        ZcbenchError: if it is damaged or of another form or version, with what to do.
    """
    data = unpickle.reading(str(path), path.read_bytes)
    if data[:1] == b"\x80":
        booster = unpickle.load(io.BytesIO(data), allowed=GLOBALS, name=str(path))
        state = booster.state if isinstance(booster, BoosterStandIn) else {}
        handle = state.get("handle")
        if not isinstance(handle, bytes | bytearray):
            raise ZcbenchError(f"cannot use {path}: it is not a pickled xgboost.Booster")
        data = bytes(handle)
    return unpickle.reading(str(path), lambda: _forest(data, path))


def _forest(data: bytes, path: Path) -> Forest:
    if data.startswith(_PICKLED):
        return _binary(data[len(_PICKLED) + 8 :])
    if data.startswith(_BINARY):
        return _binary(data)
    if data[:1] == b"{":
        text = data[1:2] in (b'"', b"}", b" ", b"\n")
        model = json.loads(data) if text else ubjson.loads(data)
        return _described(model.get("Model", model))
    raise ZcbenchError(
        f"cannot read {path}: its xgboost model is in none of the forms of xgboost 1.0 to 3.2 (a version before "
        'wrote it, or one after): load it with the version that wrote it, booster.save_model("surrogate_model.json"), '
        "and put that file in the place of surrogate_model.model"
    )


def _described(model: Mapping[str, Any]) -> Forest:
    """Read the form with named parts (JSON or UBJSON)."""
    learner = model["learner"]
    booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
    _require(booster["name"], learner["objective"]["name"], int(parameters["num_class"]))
    if any(int(group) for group in booster["model"]["tree_info"]):
        raise ValueError("several outputs")
    trees = [_described_tree(tree) for tree in booster["model"]["trees"]]
    base = str(parameters["base_score"]).strip("[]")
    return _float32_forest(trees, int(parameters["num_feature"]), float(base))


def _described_tree(tree: Mapping[str, Any]) -> Tree:
    if np.any(np.asarray(tree.get("split_type", [0]))) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise ValueError("categorical splits or leaves of several values")
    left = np.asarray(tree["left_children"], np.int64)
    conditions = np.asarray(tree["split_conditions"], np.float32)
    right = np.asarray(tree["right_children"], np.int64)
    return Tree(np.asarray(tree["split_indices"], np.int64), conditions, left, right, conditions)


def _binary(data: bytes) -> Forest:
    """Read the old binary form."""
    data = data.removeprefix(_BINARY)
    base, features, classes = struct.unpack_from("<fIi", data)
    objective, place = _string(data, _LEARNER)
    booster, place = _string(data, place)
    _require(booster, objective, classes)
    number = struct.unpack_from("<i", data, place)[0]
    place += _BOOSTER
    trees = []
    for _ in range(number):
        nodes, leaf_vector = struct.unpack_from("<4xi12xi", data, place)
        if leaf_vector > 1:
            raise ValueError("leaves of several values")
        place += _TREE
        if nodes < 1:
            raise ValueError("a tree without nodes")
        trees.append(_binary_tree(np.frombuffer(data, _NODE, nodes, place)))
        place += nodes * (_NODE.itemsize + _STATISTICS)
    if np.any(np.frombuffer(data, "<i4", number, place)):
        raise ValueError("several outputs")
    return _float32_forest(trees, features, base)


def _binary_tree(nodes: NDArray[np.void]) -> Tree:
    feature = (nodes["feature"] & 0x7FFFFFFF).astype(np.int64)
    values = nodes["value"].copy()
    return Tree(feature, values, nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), values)


def _string(data: bytes, place: int) -> tuple[str, int]:
    length = struct.unpack_from("<Q", data, place)[0]
    end = place + 8 + length
    if end > len(data):
        raise ValueError("it breaks off")
    return data[place + 8 : end].decode("ascii"), end


def _require(booster: str, objective: str, classes: int) -> None:
    if booster != "gbtree" or objective not in OBJECTIVES or classes > 1:
        raise ValueError(f"booster {booster} with objective {objective} for {classes} classes")


def _float32_forest(trees: list[Tree], features: int, base: float) -> Forest:
    return Forest(trees, features=features, base=base, dtype=np.float32, inclusive=False)
