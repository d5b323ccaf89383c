"""Conformance kits for parts of one's own: ``check_space``, ``check_encoder``, ``check_predictor``.

Each raises an ``AssertionError`` that says what is broken. They run over every built-in part in the project's
own tests, and want nothing but the library: ``check_predictor(MyPredictor())`` in any test framework.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from surronas.encoders import Encoder, get_encoder
from surronas.exceptions import InvalidInputError
from surronas.predictors import Predictor, get_predictor
from surronas.spaces import Gene, SearchSpace, get_space, list_spaces, space_from_spec
from surronas.spaces.base import IntArray

__all__ = ["EXEMPTIONS", "check_encoder", "check_predictor", "check_space", "conditional_space"]

EXEMPTIONS: dict[str, dict[str, str]] = {}
"""Class name -> name of a scikit-learn estimator check -> why the part need not pass it."""


def conditional_space() -> SearchSpace:
    """A small plain space whose genes hang on one another: what every encoder should cope with."""
    return SearchSpace(
        [
            Gene("depth", (1, 2, 3), ordered=True),
            Gene("kernel1", (3, 5, 7), ordered=True),
            Gene("kernel2", (3, 5, 7), {"depth": (2, 3)}, ordered=True),
            Gene("kernel3", (3, 5, 7), {"depth": (3,)}, ordered=True),
            Gene("attention", ("none", "squeeze"), ordered=True),
            Gene("reduction", (16, 8, 4), {"attention": ("squeeze",), "depth": (2, 3)}, ordered=True),
        ]
    )


def check_space(space: SearchSpace, n: int = 200, random_state: int = 0) -> None:
    """Assert that a search space keeps its contract, on ``n`` random genotypes.

    Canonical forms are idempotent, in the space and blind to inactive genes; ``parse`` reads what ``format``
    writes; neighbours differ in one active gene; samples are reproducible and unique; graphs are labelled
    DAGs; costs are those of the canonical form; the specification restores the space; errors name the row.
    """
    n = n if space.size is None else min(n, max(1, space.size // 4))
    X = space.sample(n, random_state)
    _require(X.shape == (n, space.n_genes) and X.dtype == np.int64, "sample gives (n, n_genes) int64")
    _same(X, space.sample(n, random_state), "sample with the same random_state gives the same genotypes")
    _require(len(np.unique(space.key(X))) == n, "sample(unique=True) gives no isomorphic architectures")
    _same(X, space.parse(X.tolist()), "parse reads lists of genes")

    C = space.canonical(X)
    _same(C, space.canonical(C), "canonical is idempotent")
    _same(C, space.parse(C), "canonical stays in the space")
    _require(not C[~space.active(C)].any(), "inactive genes are 0 in the canonical genotype")
    noise = np.random.RandomState(random_state).randint(0, space.n_choices, size=X.shape)
    scrambled = np.where(space.active(X), X, noise)
    _same(C, space.canonical(scrambled), "canonical does not depend on inactive genes")
    _same(space.key(X), space.key(scrambled), "key does not depend on inactive genes")
    strings = space.format(C)
    _require(all(isinstance(text, str) for text in strings), "format gives strings")
    _same(C, space.parse(strings), "parse reads what format writes")

    for x in X[:20]:
        _check_neighbours(space, x)
    _check_graph(space, C)
    if space.has_cost:
        cost = space.cost(X)
        _require({"params", "madds"} <= set(cost.columns), "cost has the columns params and madds")
        _require(bool((cost >= 0).all(axis=None)), "cost is non-negative")
        _same(cost.to_numpy(), space.cost(C).to_numpy(), "cost is that of the canonical form")
    if space.size is not None and space.size <= 50_000:
        everything = space.enumerate()
        _require(len(np.unique(everything, axis=0)) == len(everything) == space.size, "enumerate lists size genotypes")
        _same(everything, space.parse(everything), "enumerate stays in the space")
    _require(space_from_spec(json.loads(json.dumps(space.to_spec()))) == space, "to_spec restores the space by JSON")

    wrong = X[:2].copy()
    wrong[-1, 0] = space.n_choices[0]
    _refuses(lambda: space.parse(wrong), f"row {len(wrong) - 1}", "a gene out of range")
    _refuses(lambda: space.parse(X[:, 1:]), f"{space.n_genes}", "a wrong gene count")


def check_encoder(encoder: Encoder | str, spaces: Iterable[SearchSpace] | None = None) -> None:
    """Assert that an encoder keeps scikit-learn's contract and the library's, on each of the spaces.

    Parameters
    ----------
    encoder : Encoder or str
    spaces : iterable of SearchSpace, optional
        Default: the encoder's own space, or, where it has none, every registered one and a conditional one.
    """
    encoder = get_encoder(encoder) if isinstance(encoder, str) else encoder
    if spaces is None and encoder.space is not None:
        spaces = [encoder.space if isinstance(encoder.space, SearchSpace) else get_space(encoder.space)]
    elif spaces is None:
        _check_sklearn(encoder)
        spaces = [conditional_space(), *map(get_space, list_spaces())]
    for space in spaces:
        C = space.canonical(space.sample(40, 0))
        kept = C.copy()
        fitted = clone(encoder).set_params(space=space).fit(C)
        F, names = fitted.transform(C), fitted.get_feature_names_out()
        _require(F.dtype == np.float64 and F.shape == (40, len(names)), f"features are (n, d) float64 ({space.name})")
        _require(bool(np.isfinite(F).all()), f"features are finite ({space.name})")
        _require(len(set(names)) == len(names), f"feature names are distinct ({space.name})")
        _require(sum(prod(shape) for _, shape in fitted.blocks_) == len(names), f"blocks_ cover d ({space.name})")
        _same(C, kept, "transform leaves its input alone")
        order = np.random.RandomState(0).permutation(len(C))
        _same(F[order], fitted.transform(C[order]), f"permuted rows give permuted features ({space.name})")
        _same(F[:1], fitted.transform(C[:1]), f"a row's features do not depend on the others ({space.name})")
        few = clone(encoder).set_params(space=space).fit(C[-3:])
        _same(F, few.transform(C), f"features do not depend on the training sample ({space.name})")
        frame = clone(encoder).set_params(space=space).set_output(transform="pandas").fit(C).transform(C)
        _require(list(frame.columns) == list(names), f"set_output names the columns ({space.name})")


def check_predictor(predictor: Predictor | str) -> None:
    """Assert that a predictor keeps scikit-learn's contract and the library's.

    ``std`` is there, finite and not negative; rows are predicted independently; the same seed gives the same
    predictions with any ``n_jobs``; scaled and shifted targets give predictions scaled and shifted likewise;
    constant targets, two rows, equal rows with different targets and constant columns are no obstacle.
    """
    predictor = get_predictor(predictor) if isinstance(predictor, str) else predictor
    _check_sklearn(predictor)
    rng = np.random.RandomState(0)
    X = rng.randint(0, 3, size=(44, 7)).astype(np.float64)
    X[:, 6] = 1
    # 32 multiples of 1/8: mean and deviations are exact, so scaled and shifted targets standardise to the same bits
    y = 70 + X[:, 0] - 2 * X[:, 1] * X[:, 2] + rng.randint(-8, 9, size=44) / 8
    train, test = slice(32), slice(32, None)

    def predict(y: NDArray[Any], rows: Any = train, on: Any = test, **params: Any) -> NDArray[np.float64]:
        known = predictor.get_params()
        params = {name: value for name, value in ({"random_state": 0} | params).items() if name in known}
        model = clone(predictor).set_params(**params).fit(X[rows], y[rows])
        mean, std = model.predict(X[on], return_std=True)
        _require({mean.dtype, std.dtype} == {np.dtype(np.float64)}, "mean and std are float64")
        _require({mean.shape, std.shape} == {(len(X[on]),)}, "mean and std have shape (n,)")
        _require(bool(np.isfinite([mean, std]).all()) and bool((std >= 0).all()), "mean is finite, std finite and >= 0")
        _same(mean, model.predict(X[on]), "return_std leaves the mean as it is")
        return np.stack([mean, std])

    usual = predict(y)
    _same(usual, predict(y), "the same random_state gives the same predictions")
    order = rng.permutation(len(X[test]))
    _close(usual[:, order], predict(y, on=np.arange(32, 44)[order]), "permuted rows give permuted predictions")
    _close(usual[:, :1], predict(y, on=slice(32, 33)), "a row's prediction does not depend on the others")
    if "n_jobs" in predictor.get_params():
        _same(predict(y, n_jobs=1), predict(y, n_jobs=2), "n_jobs does not change the predictions")
    _close(4 * usual + [[64], [0]], predict(4 * y + 64), "scaled and shifted targets give such predictions")
    constant = predict(np.full(44, 93.5))[0]
    _require(bool(np.allclose(constant, 93.5, rtol=1e-6)), "constant targets are predicted as the constant")
    predict(y, rows=slice(2))
    predict(y, rows=[0, 0, 0, 1, 1, 2])
    predict(np.where(np.arange(44) % 2, y, y + 1e9))


def _check_sklearn(estimator: Any) -> None:
    exempt = EXEMPTIONS.get(type(estimator).__name__, {})
    results = check_estimator(estimator, expected_failed_checks=exempt, on_fail=None, on_skip=None)
    failed = [f"{r['check_name']}: {r['exception']!r}" for r in results if r["status"] == "failed"]
    failed += [
        f"{r['check_name']}: exempted, but it passes"
        for r in results
        if r["status"] == "passed" and r["expected_to_fail"]
    ]
    _require(not failed, f"{estimator!r} passes scikit-learn's estimator checks. Failed:\n" + "\n".join(failed))


def _check_neighbours(space: SearchSpace, x: IntArray) -> None:
    Y = space.neighbours(x)
    _same(Y, space.parse(Y), "neighbours stay in the space")
    base = np.where(space.active(x[None]), x, 0)
    changed = (Y != base) & space.active(Y) & space.active(base)
    _require(bool((changed.sum(axis=1) == 1).all()), "neighbours differ in one active gene")
    _require(len(np.unique(Y, axis=0)) == len(Y), "neighbours are distinct")


def _check_graph(space: SearchSpace, C: IntArray) -> None:
    for graph in (space.graph(C), space.graph(C, on=None)):
        n, v = graph.adjacency.shape[:2]
        _require(graph.adjacency.shape == (n, v, v) and n == len(C), "adjacency is (n, v, v)")
        _require(not np.tril(graph.adjacency).any(), "edges run to later nodes")
        _require(bool((graph.ops >= -1).all() and (graph.ops < len(graph.op_names)).all()), "ops index into op_names")
        if graph.on == "edges":
            _same(graph.ops >= 0, graph.adjacency, "an edge has an operation, no edge has none")
        else:
            _require(bool((graph.ops[:, [0, -1]] == -1).all()), "input and output have no operation")
            touched = np.asarray(graph.adjacency.any(axis=1) | graph.adjacency.any(axis=2))
            _same(graph.ops[:, 1:-1] >= 0, touched[:, 1:-1], "the nodes with an operation are those with edges")


def _require(kept: bool, promise: str) -> None:
    if not kept:
        raise AssertionError(f"Broken promise: {promise}.")


def _same(a: Any, b: Any, promise: str) -> None:
    _require(np.array_equal(a, b), promise)


def _close(a: Any, b: Any, promise: str) -> None:
    scale = max(float(np.abs(a).max()), 1e-12)
    _require(a.shape == b.shape and bool((np.abs(a - b) <= 1e-6 * scale).all()), promise)


def _refuses(call: Callable[[], Any], word: str, what: str) -> None:
    try:
        call()
    except InvalidInputError as error:
        _require(word in str(error), f"the error for {what} contains {word!r}; it reads: {error}")
    else:
        raise AssertionError(f"Broken promise: {what} raises an InvalidInputError.")
