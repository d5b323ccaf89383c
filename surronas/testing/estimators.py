"""What encoders and predictors promise."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from surronas.encoders import Encoder, get_encoder
from surronas.predictors import Predictor, get_predictor
from surronas.spaces import SearchSpace, get_space, list_spaces
from surronas.testing.promises import close, require, same
from surronas.testing.spaces import conditional_space

__all__ = ["EXEMPTIONS", "check_encoder", "check_predictor"]

EXEMPTIONS: dict[str, dict[str, str]] = {}
"""Class name -> name of a scikit-learn estimator check -> why the part need not pass it."""


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
        require(F.dtype == np.float64 and F.shape == (40, len(names)), f"features are (n, d) float64 ({space.name})")
        require(bool(np.isfinite(F).all()), f"features are finite ({space.name})")
        require(len(set(names)) == len(names), f"feature names are distinct ({space.name})")
        require(sum(prod(shape) for _, shape in fitted.blocks_) == len(names), f"blocks_ cover d ({space.name})")
        same(C, kept, "transform leaves its input alone")
        order = np.random.RandomState(0).permutation(len(C))
        same(F[order], fitted.transform(C[order]), f"permuted rows give permuted features ({space.name})")
        same(F[:1], fitted.transform(C[:1]), f"a row's features do not depend on the others ({space.name})")
        few = clone(encoder).set_params(space=space).fit(C[-3:])
        same(F, few.transform(C), f"features do not depend on the training sample ({space.name})")
        frame = clone(encoder).set_params(space=space).set_output(transform="pandas").fit(C).transform(C)
        require(list(frame.columns) == list(names), f"set_output names the columns ({space.name})")


def check_predictor(predictor: Predictor | str) -> None:
    """Assert that a predictor keeps scikit-learn's contract and the library's.

    ``std`` is there, finite and not negative; rows are predicted independently; the same seed gives the same
    predictions with any ``n_jobs``; scaled and shifted targets give predictions scaled and shifted likewise;
    constant targets, two rows, equal rows with different targets, nearly equal rows, constant columns, float32
    features, targets of 1e-13 or 1e13 and ones with heavy tails are no obstacle; one row is refused.
    """
    predictor = get_predictor(predictor) if isinstance(predictor, str) else predictor
    _check_sklearn(predictor)
    rng = np.random.RandomState(0)
    X = rng.randint(0, 3, size=(44, 7)).astype(np.float64)
    X[:, 6] = 1
    # 32 multiples of 1/8: mean and deviations are exact, so scaled and shifted targets standardise to the same bits
    y = 70 + X[:, 0] - 2 * X[:, 1] * X[:, 2] + rng.randint(-8, 9, size=44) / 8
    train, test = slice(32), slice(32, None)

    def predict(
        y: NDArray[Any], rows: Any = train, on: Any = test, X: NDArray[Any] = X, **params: Any
    ) -> NDArray[np.float64]:
        known = predictor.get_params()
        params = {name: value for name, value in ({"random_state": 0} | params).items() if name in known}
        model = clone(predictor).set_params(**params).fit(X[rows], y[rows])
        mean, std = model.predict(X[on], return_std=True)
        require({mean.dtype, std.dtype} == {np.dtype(np.float64)}, "mean and std are float64")
        require({mean.shape, std.shape} == {(len(X[on]),)}, "mean and std have shape (n,)")
        require(bool(np.isfinite([mean, std]).all()) and bool((std >= 0).all()), "mean is finite, std finite and >= 0")
        same(mean, model.predict(X[on]), "return_std leaves the mean as it is")
        return np.stack([mean, std])

    usual = predict(y)
    same(usual, predict(y), "the same random_state gives the same predictions")
    order = rng.permutation(len(X[test]))
    close(usual[:, order], predict(y, on=np.arange(32, 44)[order]), "permuted rows give permuted predictions")
    close(usual[:, :1], predict(y, on=slice(32, 33)), "a row's prediction does not depend on the others")
    if "n_jobs" in predictor.get_params():
        same(predict(y, n_jobs=1), predict(y, n_jobs=2), "n_jobs does not change the predictions")
    close(4 * usual + [[64], [0]], predict(4 * y + 64), "scaled and shifted targets give such predictions")
    constant = predict(np.full(44, 93.5))[0]
    require(bool(np.allclose(constant, 93.5, rtol=1e-6)), "constant targets are predicted as the constant")
    predict(y, rows=slice(2))
    predict(y, rows=[0, 0, 0, 1, 1, 2])
    predict(np.where(np.arange(44) % 2, y, y + 1e9))
    for scale in (2.0**-50, 2.0**40):
        close(scale * usual, predict(scale * y), f"targets {scale:.0e} times as large give such predictions")
    same(usual, predict(y, X=X.astype(np.float32)), "float32 features give the predictions of float64 ones")
    predict(y, X=X + 1e-9 * rng.normal(size=X.shape))
    predict(np.sinh(np.linspace(-30, 30, 44))[rng.permutation(44)])
    try:
        clone(predictor).fit(X[:1], y[:1])
    except ValueError as error:
        require("1" in str(error), f"the error for one row says so; it reads: {error}")
    else:
        raise AssertionError("Broken promise: one row is refused.")


def _check_sklearn(estimator: Any) -> None:
    exempt = EXEMPTIONS.get(type(estimator).__name__, {})
    results = check_estimator(estimator, expected_failed_checks=exempt, on_fail=None, on_skip=None)
    failed = [f"{r['check_name']}: {r['exception']!r}" for r in results if r["status"] == "failed"]
    failed += [
        f"{r['check_name']}: exempted, but it passes"
        for r in results
        if r["status"] == "passed" and r["expected_to_fail"]
    ]
    require(not failed, f"{estimator!r} passes scikit-learn's estimator checks. Failed:\n" + "\n".join(failed))
