"""Cascades of found subnets: a small one answers where it is sure, a larger one is asked where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from moocore import is_nondominated
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.search.evaluators import SubnetEvaluator
from surronas.search.objectives import FloatArray
from surronas.search.spread import evenly
from surronas.spaces.base import IntArray

if TYPE_CHECKING:
    from surronas.search.result import Result

__all__ = ["cascade", "cascade_outputs", "has_cascades", "numbered", "pareto_cascades"]


def cascade(result: Result, *, n_members: int = 12, n_thresholds: int = 16) -> pd.DataFrame:
    """The best cascades of up to three subnets of a search's front, with the subnets alone.

    A cascade asks its members from the cheapest on, and stops as soon as the mean of their class probabilities gives
    one class more than a threshold. Everything is chosen on the validation images that the search has used: the error
    of what is chosen is a little too low.

    Parameters
    ----------
    result : Result
        Of a search of a supernet.
    n_members : int, default=12
        Subnets to build of: of a larger front, those spread evenly over it.
    n_thresholds : int, default=16
        Thresholds to try after each member: evenly spaced quantiles of its confidences.

    Returns
    -------
    DataFrame
        A row a Pareto-optimal cascade, by ``madds``: ``members``, rows of ``result.front``; ``thresholds``, one fewer;
        ``error`` in %; ``madds``, the mean over the images; ``share``, of the images that reach the last member.

    Raises
    ------
    InvalidInputError
        When what was searched is no supernet whose accuracy was an objective, or the front is empty.

    References
    ----------
    Chebykin, Alderliesten and Bosman (2022), Evolutionary neural cascade search across supernetworks, GECCO,
    arXiv:2203.04011.
    """
    evaluator, front = result.evaluator, result.front
    if not has_cascades(result) or not isinstance(evaluator, SubnetEvaluator):
        raise InvalidInputError(
            "Cascades are made of a supernet's subnets that a search has found by their val_accuracy. "
            f"Got a search of {evaluator!r} with {len(front)} on its front."
        )
    rows = evenly(len(front), n_members)
    outputs = [evaluator.evaluator.logits(x) for x in front.archs[rows]]
    probabilities = np.stack([_softmax(logits.astype(np.float64)) for logits, _ in outputs])
    cost = evaluator.madds(front.archs[rows])
    order = np.argsort(cost, kind="stable")
    found = pareto_cascades(probabilities[order], outputs[0][1], cost[order], n_thresholds)
    found["members"] = [tuple(int(rows[order[i]]) for i in its) for its in found["members"]]
    return found


def has_cascades(result: Result) -> bool:
    """Whether what was searched are a supernet's subnets, found by their accuracy, at least one."""
    measured = "val_accuracy" in result.archive.goals.targets
    return isinstance(result.evaluator, SubnetEvaluator) and measured and len(result.front) > 0


def pareto_cascades(
    probabilities: FloatArray, labels: IntArray, cost: FloatArray, n_thresholds: int = 16
) -> pd.DataFrame:
    """Of all cascades of one, two or three members, in this order, the Pareto-optimal ones.

    Parameters
    ----------
    probabilities : (k, n, c) float64
        Of each member, image and class.
    labels : (n,) int
    cost : (k,) float64
        Of asking each member about one image.
    n_thresholds : int

    Returns
    -------
    DataFrame
        As ``cascade``; ``members`` are numbers from 0 on.
    """
    k, n, _ = probabilities.shape
    parts = []
    for i in range(k):
        alone = _right(probabilities[i], labels)
        parts.append(_rows((i,), np.empty((1, 0)), alone.mean(keepdims=True), cost[[i]], np.ones(1)))
    for i, j in combinations(range(k), 2):
        levels = _levels(probabilities[i], n_thresholds)
        stop = _sure(probabilities[i], levels)
        right = stop @ _right(probabilities[i], labels) + ~stop @ _right(probabilities[[i, j]].mean(axis=0), labels)
        go = 1 - stop.mean(axis=1)
        parts.append(_rows((i, j), levels[:, None], right / n, cost[i] + go * cost[j], go))
    for i, j, m in combinations(range(k), 3):
        two, three = probabilities[[i, j]].mean(axis=0), probabilities[[i, j, m]].mean(axis=0)
        levels, others = _levels(probabilities[i], n_thresholds), _levels(two, n_thresholds)
        go = (~_sure(probabilities[i], levels)).astype(np.float64)
        stop = _sure(two, others).astype(np.float64)
        last = go @ (1 - stop).T / n
        right = (
            ((1 - go) @ _right(probabilities[i], labels))[:, None]
            + go @ (stop * _right(two, labels)).T
            + go @ ((1 - stop) * _right(three, labels)).T
        ) / n
        spent = cost[i] + go.mean(axis=1)[:, None] * cost[j] + last * cost[m]
        pairs = np.stack(np.meshgrid(levels, others, indexing="ij"), axis=-1).reshape(-1, 2)
        parts.append(_rows((i, j, m), pairs, right.ravel(), spent.ravel(), last.ravel()))
    frame: pd.DataFrame = pd.concat(parts, ignore_index=True)
    best = is_nondominated(frame[["error", "madds"]].to_numpy())
    found: pd.DataFrame = frame[best].sort_values("madds", kind="stable").reset_index(drop=True)
    return found


def cascade_outputs(probabilities: FloatArray, thresholds: Sequence[float]) -> tuple[FloatArray, IntArray]:
    """What a cascade answers.

    Parameters
    ----------
    probabilities : (members, n, c) float64
        Of each member in turn.
    thresholds : sequence of float
        One fewer than members.

    Returns
    -------
    answers : (n, c) float64
        Mean class probabilities of the members that were asked.
    asked : (n,) int64
        How many that were.
    """
    means = np.cumsum(probabilities, axis=0) / np.arange(1, len(probabilities) + 1)[:, None, None]
    sure = means.max(axis=2) > np.array([*thresholds, -np.inf])[:, None]
    asked = sure.argmax(axis=0)
    return means[asked, np.arange(means.shape[1])], asked + 1


def numbered(cascades: pd.DataFrame, digits: int = 17) -> pd.DataFrame:
    """Cascades as tables show them: their networks by number, from 1 on, and their thresholds as text.

    Parameters
    ----------
    cascades : DataFrame
        As ``cascade`` gives it.
    digits : int
        Of thresholds; by default all.
    """
    members = [", ".join(str(row + 1) for row in its) for its in cascades["members"]]
    thresholds = [", ".join(f"{level:.{digits}g}" for level in its) for its in cascades["thresholds"]]
    return cascades.assign(members=members, thresholds=thresholds)


def _rows(
    members: tuple[int, ...], thresholds: FloatArray, right: FloatArray, spent: FloatArray, share: FloatArray
) -> pd.DataFrame:
    """Of cascades of the same members those that are Pareto-optimal among themselves."""
    error = 100 * (1 - right)
    best = np.flatnonzero(is_nondominated(np.stack([error, spent], axis=1)))
    return pd.DataFrame(
        {
            "members": [members] * len(best),
            "thresholds": [tuple(thresholds[row].tolist()) for row in best],
            "error": error[best],
            "madds": spent[best],
            "share": share[best],
        }
    )


def _levels(probabilities: FloatArray, n: int) -> FloatArray:
    return np.unique(np.quantile(probabilities.max(axis=1), np.arange(1, n) / n))


def _sure(probabilities: FloatArray, levels: FloatArray) -> NDArray[np.bool_]:
    """(levels, n): whether a class has more than the level."""
    return np.asarray(probabilities.max(axis=1) > levels[:, None])


def _right(probabilities: FloatArray, labels: IntArray) -> FloatArray:
    return np.asarray(probabilities.argmax(axis=1) == labels, dtype=np.float64)


def _softmax(logits: FloatArray) -> FloatArray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
