"""Features that are equal for isomorphic architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array

from surronas.encoders import get_encoder
from surronas.encoders.base import Encoder, FloatArray
from surronas.encoders.union import Union
from surronas.exceptions import InvalidInputError
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["distinct_forms", "encode", "features", "features_of_all"]


def encode(
    space: SearchSpace, names: Sequence[str], C: IntArray, given: Mapping[str, Encoder] | None = None
) -> dict[str, tuple[Encoder, FloatArray]]:
    """Each encoder, fitted to the space, with the features of canonical genotypes; each encoder once."""
    fitted = {name: get_encoder(name, given=given, space=space).fit(C) for name in dict.fromkeys(names)}
    for name, encoder in fitted.items():
        if not len(encoder.get_feature_names_out()):
            raise InvalidInputError(f"The encoder {name!r} has no features for the space {space.name!r}.")
    found = features_of_all(fitted, C)
    return {name: (encoder, found[name]) for name, encoder in fitted.items()}


def features_of_all(encoders: Mapping[str, Encoder], C: IntArray) -> dict[str, FloatArray]:
    """``features`` by each of the encoders; what several unions have in common is computed once."""
    known: dict[str, FloatArray] = {}

    def of(name: str, encoder: Encoder) -> FloatArray:
        if name not in known:
            if isinstance(encoder, Union) and encoder.additive and "+" in name:
                parts = zip(name.split("+"), encoder.encoders_, strict=True)
                known[name] = np.hstack([of(*part) for part in parts])
            else:
                known[name] = features(encoder, C)
        return known[name]

    return {name: of(name, encoder) for name, encoder in encoders.items()}


def features(encoder: Encoder, C: IntArray) -> FloatArray:
    """(n, d) the features of n canonical genotypes, averaged over the architectures isomorphic to each.

    What an encoder says of one drawing of an architecture depends on the drawing; the mean over all drawings
    does not, and predicts better. Where features cannot be averaged, those of one drawing stand for all.
    """
    space = encoder.space_
    rows, row_of = distinct(space, C)
    if not encoder.additive:
        return np.asarray(encoder.transform(space.representatives(rows)), dtype=np.float64)[row_of]
    members, group = space.isomorphs(rows)
    forms, form_of = distinct(space, members)
    counts = np.bincount(group)
    mean = csr_array((1 / counts[group], form_of, np.r_[0, np.cumsum(counts)]), shape=(len(rows), len(forms)))
    return np.asarray((mean @ np.asarray(encoder.transform(forms), dtype=np.float64))[row_of])


def distinct_forms(space: SearchSpace, X: IntArray) -> tuple[IntArray, IntArray]:
    """The different rows of X up to isomorphism, each by its representative, and which of them each row is."""
    rows, row_of = distinct(space, X)
    forms, form_of = distinct(space, space.representatives(rows))
    return forms, form_of[row_of]


def distinct(space: SearchSpace, X: IntArray) -> tuple[IntArray, IntArray]:
    """The different rows of X, and which of them each row is."""
    _, first, inverse = np.unique(space.rank(X), return_index=True, return_inverse=True)
    return X[first], inverse
