"""Fit the best surrogate for any architecture search space, know how far to trust it, plug it into a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surronas.lazy import on_first_use

__version__ = "0.1.0"

# Where each public name lives; imported on first use, so that ``import surronas`` stays quick.
_HOMES = {
    "AdaptiveSwitching": "surronas.selection",
    "BenchmarkTable": "surronas.datasets",
    "Gene": "surronas.spaces",
    "ImageData": "surronas.datasets.images",
    "Report": "surronas.benchmark",
    "SearchSpace": "surronas.spaces",
    "Surrogate": "surronas.surrogate",
    "SurronasError": "surronas.exceptions",
    "SurronasWarning": "surronas.exceptions",
    "evaluate": "surronas.benchmark",
    "fit_predictor": "surronas.api",
    "get_encoder": "surronas.encoders",
    "get_predictor": "surronas.predictors",
    "get_space": "surronas.spaces",
    "list_benchmarks": "surronas.datasets",
    "list_encoders": "surronas.encoders",
    "list_predictors": "surronas.predictors",
    "list_spaces": "surronas.spaces",
    "load_benchmark": "surronas.datasets",
    "load_images": "surronas.datasets.images",
    "load_predictor": "surronas.surrogate",
    "load_table": "surronas.datasets",
    "metrics": "surronas.benchmark",
    "proxies": "surronas.proxies",
    "search": "surronas.search",
    "supernet": "surronas.supernet",
    "transfer": "surronas.transfer",
}

__all__ = [
    "AdaptiveSwitching",
    "BenchmarkTable",
    "Gene",
    "ImageData",
    "Report",
    "SearchSpace",
    "Surrogate",
    "SurronasError",
    "SurronasWarning",
    "evaluate",
    "fit_predictor",
    "get_encoder",
    "get_predictor",
    "get_space",
    "list_benchmarks",
    "list_encoders",
    "list_predictors",
    "list_spaces",
    "load_benchmark",
    "load_images",
    "load_predictor",
    "load_table",
    "metrics",
    "proxies",
    "search",
    "supernet",
    "transfer",
]

if TYPE_CHECKING:
    from surronas import proxies, search, supernet, transfer
    from surronas.api import fit_predictor
    from surronas.benchmark import Report, evaluate, metrics
    from surronas.datasets import BenchmarkTable, list_benchmarks, load_benchmark, load_table
    from surronas.datasets.images import ImageData, load_images
    from surronas.encoders import get_encoder, list_encoders
    from surronas.exceptions import SurronasError, SurronasWarning
    from surronas.predictors import get_predictor, list_predictors
    from surronas.selection import AdaptiveSwitching
    from surronas.spaces import Gene, SearchSpace, get_space, list_spaces
    from surronas.surrogate import Surrogate, load_predictor

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
