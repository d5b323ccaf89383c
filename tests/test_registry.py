"""Names, their errors, and parts that other distributions bring by entry points."""

from __future__ import annotations

import sys
import textwrap

import pytest

from surronas.exceptions import InvalidInputError, SurronasError, SurronasWarning, UnknownNameError
from surronas.registry import Registry

BUILT_IN = "surronas_registry_built_in"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A directory on sys.path for packages and distributions, forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in (BUILT_IN, "pantry")]:
        del sys.modules[name]


@pytest.fixture
def registry(site):
    """A registry of dishes over a package of one module, which registers ``soup``."""
    package = site / BUILT_IN
    package.mkdir()
    package.joinpath("__init__.py").write_text(
        f"from surronas.registry import Registry\ndishes = Registry('dish', {BUILT_IN!r})\n"
    )
    package.joinpath("soup.py").write_text(
        f"from {BUILT_IN} import dishes\n@dishes.register('soup')\ndef cook(): return 'soup'\n"
    )
    return __import__(BUILT_IN).dishes


def install(site, name, value, module="", group="surronas.dishs"):
    """A distribution ``pantry`` whose entry point ``name`` of the group is ``value``."""
    info = site / "pantry-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: pantry\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    site.joinpath("pantry.py").write_text(textwrap.dedent(module))


def test_finds_the_modules_of_the_package(registry):
    assert registry.names() == ["soup"]
    assert registry.get("soup")() == "soup"
    assert registry.name_of(registry.get("soup")) == "soup"
    assert registry.name_of(object()) is None


def test_unknown_name_offers_the_nearest(registry):
    with pytest.raises(UnknownNameError, match=r"Unknown dish 'sop'\. Did you mean 'soup'\? Known: soup\."):
        registry.get("sop")
    with pytest.raises(LookupError, match="Unknown dish 5"):
        registry.get(5)


def test_a_name_is_given_once(registry):
    def other():
        pass

    registry.names()
    with pytest.raises(InvalidInputError, match="The dish name 'soup' is taken by .*cook.*other.* needs another one"):
        registry.register("soup")(other)
    assert registry.get("soup")() == "soup"


def test_the_same_part_may_register_again():
    registry = Registry("dish", "surronas")
    part = object()
    assert registry.register("a")(part) is registry.register("a")(part) is part


def test_a_distribution_adds_a_part(registry, site):
    install(site, "salad", "pantry:toss", "def toss(): return 'salad'")
    assert registry.names() == ["salad", "soup"]
    assert registry.get("salad")() == "salad"


def test_a_distribution_may_not_take_a_name(registry, site):
    install(site, "soup", "pantry:toss", "def toss(): return 'salad'")
    for _ in range(2):  # a second look-up does not see half of the parts
        with pytest.raises(InvalidInputError, match="The dish name 'soup' is taken"):
            registry.names()


def test_a_broken_distribution_is_named_and_passed_over(registry, site):
    install(site, "salad", "pantry:missing")
    with pytest.warns(SurronasWarning, match="The dish 'salad' of pantry cannot be loaded from 'pantry:missing'"):
        assert registry.names() == ["soup"]


def test_a_module_that_fails_to_import_fails_every_look_up(registry, site):
    site.joinpath(BUILT_IN, "stew.py").write_text("raise RuntimeError('burnt')")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="burnt"):
            registry.get("soup")


PARTS = {
    "space": ("surronas.spaces", "list_spaces", "get_space", "nasbench201"),
    "encoder": ("surronas.encoders", "list_encoders", "get_encoder", "one_hot"),
    "predictor": ("surronas.predictors", "list_predictors", "get_predictor", "linear"),
    "benchmark": ("surronas.datasets", "list_benchmarks", "load_benchmark", "analog_nasbench"),
}


@pytest.mark.parametrize("kind", PARTS)
def test_the_group_of_every_kind(kind, site):
    install(site, "theirs", "pantry:part", "part = object()", group=f"surronas.{kind}s")
    fresh = Registry(kind, PARTS[kind][0])  # the built-in modules, imported before, have registered elsewhere
    assert "theirs" in fresh.names()
    assert fresh.get("theirs") is sys.modules["pantry"].part


@pytest.mark.parametrize("kind", PARTS)
def test_every_kind_lists_its_parts_and_offers_the_nearest(kind):
    module, list_parts, get_part, name = PARTS[kind]
    room = __import__(module, fromlist=["_"])
    assert name in getattr(room, list_parts)()
    with pytest.raises(SurronasError, match=f"Unknown {kind} '{name}x'. Did you mean '{name}'"):
        getattr(room, get_part)(name + "x")
