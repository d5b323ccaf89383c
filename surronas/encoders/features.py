"""Features that are equal for isomorphic architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array

from surronas.encoders import get_encoder
from surronas.encoders.base import Encoder, FloatArray
from surronas.exceptions import InvalidInputError
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

__all__ = ["distinct_forms", "encode", "features"]


def encode(
    space: SearchSpace, names: Sequence[str], C: IntArray, given: Mapping[str, Encoder] | None = None
) -> dict[str, tuple[Encoder, FloatArray]]:
    """Each encoder, fitted to the space, with the features of canonical genotypes; each encoder once."""
    fitted = {name: get_encoder(name, given=given, space=space).fit(C) for name in dict.fromkeys(names)}
    for name, encoder in fitted.items():
        if not len(encoder.get_feature_names_out()):
            raise InvalidInputError(f"The encoder {name!r} has no features for the space {space.name!r}.")
    return {name: (encoder, features(encoder, C)) for name, encoder in fitted.items()}


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
