"""The names that users rely on, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import surronas


def test_all_is_what_is_found_on_first_use():
    assert surronas.__all__ == list(surronas._HOMES) == sorted(surronas._HOMES)


@pytest.mark.parametrize("name", surronas.__all__)
def test_every_public_name_is_there(name):
    found = getattr(surronas, name)
    assert found is not None
    assert name in dir(surronas)
    if hasattr(found, "__doc__"):
        assert found.__doc__


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'surronas' has no attribute 'fit_predictr'"):
        surronas.fit_predictr  # noqa: B018


def test_a_star_import_gives_the_public_names():
    names = {}
    exec("from surronas import *", names)
    assert set(surronas.__all__) <= set(names)


def test_import_alone_loads_nothing_heavy():
    code = "import sys, surronas; print(*{'torch', 'xgboost', 'sklearn', 'pandas', 'gpytorch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert done.stderr == ""


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert surronas.__version__ == version("surronas")
