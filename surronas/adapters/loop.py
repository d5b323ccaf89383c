"""A loop of one's own, and what every adapter to another library's loop is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from surronas.search import NAT, FunctionEvaluator
from surronas.search.evaluators import Evaluator
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["ask_tell", "told"]


def ask_tell(
    space: SearchSpace | str,
    targets: Mapping[str, bool],
    *,
    cost: Callable[[IntArray], Any] | None = None,
    pool: Any = None,
    **options: Any,
) -> NAT:
    """A search that a loop of one's own drives: ``ask`` for architectures, measure them, ``tell``.

    Parameters
    ----------
    space : SearchSpace, str
    targets : mapping of name to whether more is better
        What is measured; all of them are objectives.
    cost : callable, optional
        (k, n_genes) genotypes -> DataFrame or dict of columns: targets that are known without measuring.
    pool : (n, n_genes) int array, optional
        The only architectures that can be measured.
    **options
        Of ``NAT``: ``n_initial``, ``batch_size``, ``constraints``, ``predictor``, ``random_state``, ...

    Examples
    --------
    >>> search = ask_tell("nasbench201", {"val_accuracy": True}, n_initial=4)
    >>> archs = search.ask()
    >>> search.tell(archs, {"val_accuracy": [71.0, 83.5, 90.2, 88.1]})
    >>> search.result().front.values
       val_accuracy
    0          90.2
    """
    return NAT(told(space, targets, cost=cost, pool=pool), list(targets), **options)


def told(
    space: SearchSpace | str,
    targets: Mapping[str, bool],
    *,
    cost: Callable[[IntArray], Any] | None = None,
    pool: Any = None,
) -> Evaluator:
    """What a search needs to know of targets that are measured elsewhere and told to it."""
    return FunctionEvaluator(_elsewhere, space, targets, cost=cost, pool=pool)


def _elsewhere(archs: IntArray) -> Any:
    raise NotImplementedError("these targets are measured elsewhere: ask, measure and tell")
