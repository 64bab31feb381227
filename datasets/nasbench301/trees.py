"""Boosted trees as arrays, whatever library they come from: checked once, then followed in numpy.

A model file is untrusted input, and the libraries' own native readers follow a forged child index out of
their memory. So the trees are read and followed here, which also makes the prediction independent of which
version of which library is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CELLS = 2_000_000  # numbers of (row, tree) pairs that are followed at a time


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """One tree of n nodes; node 0 is its root.

    Attributes:
        feature: int64 [n]: the feature that an inner node looks at.
        threshold: [n]: what it compares it with.
        left: int64 [n]: where a row goes whose feature is below the threshold; -1 in a leaf.
        right: int64 [n]: where it goes otherwise; -1 in a leaf.
        value: [n]: what a leaf adds to the prediction.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.floating]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.floating]

    def check(self, features: int) -> None:
        """Refuse what is no tree, so that following it ends.

        Args:
            features: number of features of a row.

        Raises:
            ValueError: with what is wrong.
        """
        size = len(self.left)
        if not size or any(len(part) != size for part in (self.feature, self.threshold, self.right, self.value)):
            raise ValueError("a tree whose nodes are not complete")
        inner = self.left >= 0
        children = np.concatenate([self.left[inner], self.right[inner]])
        if np.any(self.right[~inner] >= 0) or np.any(children < 1) or np.any(children >= size):
            raise ValueError("a tree with a child that it does not have")
        if np.any(np.bincount(children, minlength=size) > 1):
            raise ValueError("a tree with a node of two parents")
        if np.any(self.feature[inner] < 0) or np.any(self.feature[inner] >= features):
            raise ValueError(f"a tree that looks at other features than {features}")
        if not (np.isfinite(self.threshold[inner]).all() and np.isfinite(self.value[~inner]).all()):
            raise ValueError("a tree with numbers that are not finite")


class Forest:
    """A sum of trees.

    Args:
        trees: the trees.
        features: number of features of a row.
        base: what the sum begins with.
        dtype: float32 or float64: the precision of comparisons and of the sum.
        inclusive: whether a feature that equals the threshold goes left.

    Raises:
        ValueError: if one of the trees is none.
    """

    def __init__(
        self, trees: Sequence[Tree], *, features: int, base: float, dtype: type[np.floating], inclusive: bool
    ) -> None:
        for tree in trees:
            tree.check(features)
        if not trees:
            raise ValueError("a model without trees")
        self._features, self._base, self._inclusive = features, base, inclusive
        self._dtype = np.dtype(dtype)
        sizes = np.array([len(tree.left) for tree in trees])
        self._roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._feature = np.concatenate([tree.feature for tree in trees])
        self._threshold = np.concatenate([tree.threshold for tree in trees]).astype(self._dtype)
        self._value = np.concatenate([tree.value for tree in trees]).astype(self._dtype)
        pairs = list(zip(trees, self._roots, strict=True))
        self._left = np.concatenate([np.where(tree.left < 0, -1, tree.left + root) for tree, root in pairs])
        self._right = np.concatenate([np.where(tree.left < 0, -1, tree.right + root) for tree, root in pairs])

    def __len__(self) -> int:
        return len(self._roots)

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum for each row.

        Args:
            rows: [n, features], finite.

        Returns:
            float64 [n]; summed tree by tree in the precision of the model.
        """
        if rows.ndim != 2 or rows.shape[1] != self._features:
            raise ValueError(f"rows of shape {rows.shape} for a model of {self._features} features")
        return np.concatenate([np.empty(0), *self._parts(rows.astype(self._dtype))])

    def _parts(self, rows: NDArray[np.floating]) -> Iterator[NDArray[np.float64]]:
        step = max(1, _CELLS // len(self))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            leaves = self._value[self._leaves(part)]  # [n, trees]
            base = np.full((len(part), 1), self._base, self._dtype)
            total = np.add.accumulate(np.hstack([base, leaves]), axis=1, dtype=self._dtype)[:, -1]
            yield total.astype(np.float64)

    def _leaves(self, rows: NDArray[np.floating]) -> NDArray[np.int64]:
        places = np.tile(self._roots, (len(rows), 1))  # [n, trees]
        row, tree = np.nonzero(self._left[places] >= 0)
        while len(row):
            node = places[row, tree]
            value, threshold = rows[row, self._feature[node]], self._threshold[node]
            goes_left = value <= threshold if self._inclusive else value < threshold
            node = np.where(goes_left, self._left[node], self._right[node])
            places[row, tree] = node
            inner = self._left[node] >= 0
            row, tree = row[inner], tree[inner]
        return places
