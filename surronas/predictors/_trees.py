"""Many regression trees as a few flat arrays: they save as data and predict all together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surronas.predictors.base import FloatArray

__all__ = ["FlatTrees", "flatten", "predict_mixture"]

FlatTrees = dict[str, NDArray[Any]]

# Rows and trees that go down together: small enough for the cache, large enough for numpy.
_ROWS, _TREES = 1024, 32


def flatten(trees: Iterable[tuple[Any, NDArray[np.intp] | None]]) -> FlatTrees:
    """The nodes of fitted scikit-learn trees one after another.

    Parameters
    ----------
    trees : iterable of (Tree, columns)
        Each ``DecisionTreeRegressor.tree_``, with the columns of the full matrix that it was fitted on (None: all).

    Returns
    -------
    dict of arrays
        ``roots`` (n_trees,); of each node ``feature``, ``threshold``, ``mean`` and ``variance`` of its training
        targets (n_nodes,), and ``children`` (2 * n_nodes,), left and right by turns; a leaf is its own child.
    """
    parts: dict[str, list[NDArray[Any]]] = {key: [] for key in ("feature", "threshold", "children", "mean", "variance")}
    roots, start = [], 0
    for tree, columns in trees:
        leaf = tree.children_left < 0
        nodes = np.arange(start, start + tree.node_count)
        feature = np.where(leaf, 0, tree.feature)
        parts["feature"].append(feature if columns is None else columns[feature])
        parts["threshold"].append(tree.threshold)
        children = np.column_stack([tree.children_left, tree.children_right])
        parts["children"].append(np.where(leaf[:, None], nodes[:, None], children + start).ravel())
        parts["mean"].append(tree.value[:, 0, 0])
        parts["variance"].append(tree.impurity.clip(min=0.0))  # rounding can leave it just below 0
        roots.append(start)
        start += tree.node_count
    flat = {key: np.concatenate(values) for key, values in parts.items()}
    flat["roots"] = np.array(roots)
    return {key: array.astype(np.intp) if array.dtype.kind == "i" else array for key, array in flat.items()}


def predict_mixture(trees: FlatTrees, X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and std (n,) of the equal mixture of the trees' leaves at the rows of X (n, d).

    The variance is that of the leaves' means plus the mean of the leaves' own variances (law of total variance).
    """
    groups = np.split(trees["roots"], range(_TREES, len(trees["roots"]), _TREES))
    narrow = X.astype(np.float32)  # as scikit-learn's trees compare
    mean, std = np.empty(len(X)), np.empty(len(X))
    for start in range(0, len(X), _ROWS):
        rows = slice(start, start + _ROWS)
        leaves = np.concatenate([_descend(trees, some, narrow[rows]) for some in groups])
        means = trees["mean"][leaves]
        mean[rows] = means.mean(axis=0)
        std[rows] = np.sqrt(means.var(axis=0) + trees["variance"][leaves].mean(axis=0))
    return mean, std


def _descend(trees: FlatTrees, roots: NDArray[np.intp], X: NDArray[np.float32]) -> NDArray[np.intp]:
    """The leaf (n_trees, n) that each row of X ends in, in each of the trees with these roots."""
    n, d = X.shape
    values = X.ravel()
    leaves = np.repeat(roots, n)
    going = np.arange(len(leaves))
    node, offset = leaves, going % n * d
    while len(going):
        right = values.take(offset + trees["feature"].take(node)) > trees["threshold"].take(node)
        node = trees["children"].take(2 * node + right)
        inner = trees["children"].take(2 * node) != node
        if np.count_nonzero(inner) < 0.8 * len(inner):  # drop the rows that have arrived, but not for a few
            leaves[going] = node
            going, node, offset = going[inner], node[inner], offset[inner]
    return leaves.reshape(len(roots), n)
