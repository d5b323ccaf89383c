"""The names that users rely on, and what importing them costs.

``public_api.txt`` lists them all, with the names of their parameters. A change that is meant is accepted by
``python tests/test_public_api.py``, and stands in the changelog.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import surronas
from surronas.datasets import _benchmarks
from surronas.encoders import _encoders
from surronas.predictors import _predictors
from surronas.proxies.registry import _proxies
from surronas.spaces import _spaces

LISTED = Path(__file__).with_name("public_api.txt")
MODULES = re.findall(
    r"^api/(surronas[\w.]*)$", (LISTED.parents[1] / "docs/api.md").read_text(encoding="utf-8"), re.MULTILINE
)


def public() -> Iterator[str]:
    """A line a name: those in ``__all__`` of each module of the documentation, their methods, and registered parts."""
    for name in MODULES:
        module = import_module(name)
        for part in module.__all__:
            yield from lines(f"{name}.{part}", getattr(module, part))
    for registry in (_spaces, _encoders, _predictors):
        for name in registry.names():
            if registry.get(name).__module__.startswith("surronas."):
                yield f"{registry.kind} {name}{parameters(registry.get(name))}"
    for registry in (_proxies, _benchmarks):
        yield from (f"{registry.kind} {name}" for name in registry.names())


def lines(path, part):
    if isinstance(part, ModuleType):
        yield f"{path} (module)"
    elif not inspect.isclass(part):
        yield path + (parameters(part) if inspect.isroutine(part) else "")
    else:
        yield path + ("" if issubclass(part, Exception) else parameters(part))
        for name, member in inspect.getmembers(part):
            home = getattr(getattr(member, "fget", None) or getattr(member, "func", None) or member, "__module__", None)
            if not name.startswith("_") and str(home).startswith("surronas"):
                yield f"{path}.{name}" + (parameters(member) if callable(member) else "")


def parameters(part):
    """``(a, b=, *, c=)``: names, kinds, and which have a default."""
    kinds = inspect.signature(part).parameters.values()
    bare = [p.replace(annotation=p.empty, default=p.default if p.default is p.empty else Default()) for p in kinds]
    return str(inspect.Signature([p for p in bare if p.name != "self"])).replace("=...", "=")


class Default:
    def __repr__(self):
        return "..."


def test_the_public_api_is_what_is_listed():
    listed, there = LISTED.read_text(encoding="utf-8").splitlines(), list(public())
    gone, new = sorted(set(listed) - set(there)), sorted(set(there) - set(listed))
    assert (gone, new) == ([], []), "meant? then `python tests/test_public_api.py` and a line in CHANGELOG.md"
    assert listed == there


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


if __name__ == "__main__":
    LISTED.write_text("".join(f"{line}\n" for line in public()), encoding="utf-8")
