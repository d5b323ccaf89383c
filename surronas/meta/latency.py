"""Latencies of architectures from a surrogate of those that were measured."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from surronas.api import fit_predictor
from surronas.datasets import load_benchmark
from surronas.exceptions import DataNotFoundError
from surronas.spaces.base import IntArray, SearchSpace
from surronas.surrogate import Surrogate

__all__ = ["TABLE", "predicted_latencies"]

TABLE = "mbconv_cifar10"
"""The shipped table of measured subnets."""

_TARGETS = ("latency_ms", "latency_64_ms")


def predicted_latencies(space: SearchSpace, X: IntArray) -> pd.DataFrame:
    """What a surrogate fitted to the shipped table ``mbconv_cifar10`` thinks of architectures' latencies.

    A latency belongs to the architecture and the machine, whatever the images are, and a sum of parts is learnt well
    from few measurements; measuring each architecture anew would take minutes where this takes a moment. The machine
    is the table's.

    Parameters
    ----------
    space : SearchSpace
    X : (n, n_genes) int64

    Returns
    -------
    DataFrame, one row an architecture
        ``predicted_latency_ms`` (milliseconds for one image) and ``predicted_latency_64_ms`` (for a batch of 64).

    Raises
    ------
    DataNotFoundError
        When there is no measured table of the space.
    """
    surrogates = _surrogates(space)
    return pd.DataFrame({f"predicted_{name}": np.exp(model.predict(X)) for name, model in surrogates.items()})


@lru_cache(maxsize=4)
def _surrogates(space: SearchSpace) -> dict[str, Surrogate]:
    """Of the logarithms, whose errors are shares."""
    table = load_benchmark(TABLE)
    if table.space != space:
        raise DataNotFoundError(f"The measured latencies of {TABLE} are of another space than {space.name!r}.")
    models = {}
    for name in _TARGETS:
        known = table.targets[name].notna().to_numpy()
        y = np.log(table.targets.loc[known, name].to_numpy())
        models[name] = fit_predictor(
            table.archs[known], y, space=space, predictor="linear", encoder="ordinal+one_hot+cost", random_state=0
        )
    return models
