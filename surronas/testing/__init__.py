"""Conformance kits for parts of one's own: ``check_space``, ``check_encoder``, ``check_predictor``, ``check_proxy``,
``check_benchmark``.

Each raises an ``AssertionError`` that says what is broken. They run over every built-in part in the project's
own tests, and want nothing but the library: ``check_predictor(MyPredictor())`` in any test framework.
"""

from __future__ import annotations

from surronas.testing.benchmarks import check_benchmark
from surronas.testing.estimators import EXEMPTIONS, check_encoder, check_predictor
from surronas.testing.proxies import check_proxy
from surronas.testing.spaces import check_space, conditional_space

__all__ = [
    "EXEMPTIONS",
    "check_benchmark",
    "check_encoder",
    "check_predictor",
    "check_proxy",
    "check_space",
    "conditional_space",
]
