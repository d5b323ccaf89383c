"""A few examples of every target of benchmarks/fuzz.py, which runs as many as it is given time for."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

PATH = Path(__file__).parents[1] / "benchmarks" / "fuzz_targets.py"
SPEC = importlib.util.spec_from_file_location("fuzz_targets", PATH)
fuzz_targets = importlib.util.module_from_spec(SPEC)
sys.modules["fuzz_targets"] = fuzz_targets  # dataclasses look there
SPEC.loader.exec_module(fuzz_targets)


@pytest.mark.parametrize("name", fuzz_targets.TARGETS)
def test_a_parser_returns_or_raises_a_surronas_error(name, tmp_path):
    target = fuzz_targets.TARGETS[name]

    @settings(max_examples=15, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(drawn=target.draws)
    def example(drawn):
        fuzz_targets.check(target, tmp_path, drawn)

    example()


def test_a_target_that_raises_anything_else_fails(tmp_path):
    def broken(folder, drawn):
        raise KeyError(drawn)

    with pytest.raises(KeyError):
        fuzz_targets.check(fuzz_targets.FuzzTarget(None, broken), tmp_path, "x")
