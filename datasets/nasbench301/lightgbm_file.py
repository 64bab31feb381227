"""Read the trees of a LightGBM model.

A surrogate of NAS-Bench-301 is a pickle of a ``lightgbm.Booster``, whose state holds the model as text (in
``handle``, since version 4 in ``_handle``). A text that ``Booster.save_model`` wrote is read too: a head of
lines ``name=value``, and then for each tree such lines, ``left_child=1 -1 -2`` with ``-(leaf + 1)`` for a
leaf. ``Booster.predict``, which the surrogates use, sums the trees up to ``best_iteration`` where a training
that stopped early noted one; so does this reader.

Source: LightGBM, ``src/boosting/gbdt_model_text.cpp``, ``src/io/tree.cpp``, ``python-package/lightgbm/basic.py``.
"""

from __future__ import annotations

import collections
import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from zcbench.datasets import unpickle
from zcbench.datasets.nasbench301.trees import Forest, Tree
from zcbench.datasets.nasbench301.xgboost_file import BoosterStandIn
from zcbench.harness.errors import ZcbenchError

GLOBALS: unpickle.Globals = MappingProxyType(
    {
        ("lightgbm.basic", "Booster"): BoosterStandIn,
        ("collections", "defaultdict"): unpickle.fixed(lambda *_: {}),  # best_score: whatever factory it names
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("builtins", "dict"): dict,
        ("__builtin__", "dict"): dict,
        **unpickle.NUMPY_SCALARS,
    }
)
"""Names in a pickle of a booster."""

_CATEGORICAL, _ZERO_IS_MISSING, _MISSING = 1, 4, 12  # bits of a node's decision_type


def read(path: Path) -> Forest:
    """Read a model file.

    Raises:
        UnsafeFileError: if it is a pickle of anything but a booster.
        ZcbenchError: if it is damaged or of another form.
    """
    data = unpickle.reading(str(path), path.read_bytes)
    best = 0
    if data[:1] == b"\x80":
        booster = unpickle.load(io.BytesIO(data), allowed=GLOBALS, name=str(path))
        state = booster.state if isinstance(booster, BoosterStandIn) else {}
        text = state.get("_handle", state.get("handle"))
        if not isinstance(text, str):
            raise ZcbenchError(f"cannot use {path}: it is not a pickled lightgbm.Booster")
        found = state.get("best_iteration")
        best = found if isinstance(found, int) else 0
    else:
        text = unpickle.reading(str(path), lambda: data.decode("utf-8"))
    return unpickle.reading(str(path), lambda: _forest(text, best))


def _forest(text: str, best: int) -> Forest:
    blocks = text.split("end of trees", 1)[0].split("\nTree=")
    head = _lines(blocks[0])
    if not blocks[0].startswith("tree\n") or "average_output" in head:
        raise ValueError("no boosted trees of LightGBM")
    objective = head.get("objective", "regression").split()
    if objective[0] not in ("regression", "regression_l1", "huber", "mape") or "sqrt" in objective:
        raise ValueError(f"objective {' '.join(objective)}")
    if head["num_class"] != "1" or head.get("num_tree_per_iteration", "1") != "1":
        raise ValueError("several outputs")
    trees = [_tree(_lines(block)) for block in blocks[1:]]
    trees = trees[:best] if best > 0 else trees
    return Forest(trees, features=int(head["max_feature_idx"]) + 1, base=0.0, dtype=np.float64, inclusive=True)


def _lines(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _tree(lines: Mapping[str, str]) -> Tree:
    leaves = _numbers(lines["leaf_value"])
    if len(leaves) != int(lines["num_leaves"]) or int(lines.get("num_cat", "0")) or lines.get("is_linear", "0") != "0":
        raise ValueError("a tree with other leaves or splits than those of plain numbers")
    inner = len(leaves) - 1
    children = [_integers(lines[name]) if inner else np.empty(0, np.int64) for name in ("left_child", "right_child")]
    if any(len(part) != inner or np.any(part < -len(leaves)) for part in children):
        raise ValueError("a tree with a child that it does not have")
    decisions = _integers(lines["decision_type"]) if inner else np.empty(0, np.int64)
    if np.any(decisions & _CATEGORICAL) or np.any((decisions & _MISSING) == _ZERO_IS_MISSING):
        raise ValueError("categorical splits, or zeros that count as missing")
    # inner nodes keep their numbers, and the leaves follow them
    left, right = (np.where(part < 0, inner + ~part, part) for part in children)
    none, zeros = np.full(len(leaves), -1), np.zeros(len(leaves))
    feature = _integers(lines["split_feature"]) if inner else np.empty(0, np.int64)
    threshold = _numbers(lines["threshold"]) if inner else np.empty(0)
    return Tree(
        np.concatenate([feature, none]),
        np.concatenate([threshold, zeros]),
        np.concatenate([left, none]),
        np.concatenate([right, none]),
        np.concatenate([np.zeros(inner), leaves]),
    )


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array([float(part) for part in text.split()], np.float64)


def _integers(text: str) -> NDArray[np.int64]:
    return np.array([int(part) for part in text.split()], np.int64)
