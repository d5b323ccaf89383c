"""Trained supernets are found by name, those of other distributions too."""

from __future__ import annotations

import pytest
import torch

from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError
from surronas.registry import Registry
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet import pretrained
from surronas.supernet.network import SuperNet
from surronas.supernet.pretrained import find_pretrained, list_pretrained, load_pretrained
from surronas.supernet.weights import read_card, save_supernet


@pytest.fixture
def fresh(monkeypatch):
    """A registry of the test's own; the package's supernets have registered elsewhere already."""
    registry = Registry("supernet", pretrained.__name__)
    monkeypatch.setattr(pretrained, "_pretrained", registry)
    return registry


@pytest.fixture
def path(tmp_path):
    space = MBConv(stages=[Stage(fused=True, channels=8, stride=2, depths=(1,))], resolutions=(8,), features=16)
    save_supernet(tmp_path / "tiny.safetensors", SuperNet(space, 2), {"class_names": ["cat", "dog"]})
    return tmp_path / "tiny.safetensors"


def test_the_shipped_supernets_are_listed():
    assert "mbconv-cifar10" in list_pretrained()


def test_the_nearest_shipped_supernet_is_offered():
    with pytest.raises(UnknownNameError, match="Unknown supernet 'mbconv_cifar'. Did you mean 'mbconv-cifar10'"):
        load_pretrained("mbconv_cifar")


def test_a_supernet_is_loaded_by_name(fresh, path):
    fresh.register("tiny")(lambda: path)
    supernet = load_pretrained("tiny")
    assert (supernet.num_classes, supernet.training) == (2, False)
    assert read_card(find_pretrained("tiny"))["class_names"] == ["cat", "dog"]


def test_everyone_has_weights_of_their_own(fresh, path):
    fresh.register("tiny")(lambda: path)
    one, other = load_pretrained("tiny"), load_pretrained("tiny")
    before = other.network.stem.conv.weight.clone()
    one.network.stem.conv.weight.data.zero_()
    assert torch.equal(other.network.stem.conv.weight, before)
    assert torch.equal(load_pretrained("tiny").network.stem.conv.weight, before)


def test_an_unknown_name_offers_the_nearest(fresh, path):
    fresh.register("tiny-cats")(lambda: path)
    with pytest.raises(UnknownNameError, match="Unknown supernet 'tiny-cat'. Did you mean 'tiny-cats'"):
        load_pretrained("tiny-cat")
    with pytest.raises(UnknownNameError, match="Unknown supernet"):
        load_pretrained(path)


def test_a_name_without_its_file_says_which(fresh, tmp_path):
    fresh.register("lost")(lambda: tmp_path / "lost.safetensors")
    with pytest.raises(InvalidFileError, match="There is no file .*lost.safetensors"):
        load_pretrained("lost")


def test_other_distributions_add_supernets(fresh, path, tmp_path, monkeypatch):
    info = tmp_path / "their_nets-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: their-nets\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text("[surronas.supernets]\ntheir-net = their_nets:tiny\n")
    tmp_path.joinpath("their_nets.py").write_text(f"from pathlib import Path\ndef tiny(): return Path({str(path)!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert fresh.names() == ["their-net"]
    assert load_pretrained("their-net").num_classes == 2


def test_a_name_is_taken_once(fresh, path):
    fresh.register("tiny")(lambda: path)
    with pytest.raises(InvalidInputError, match="The supernet name 'tiny' is taken"):
        fresh.register("tiny")(lambda: path)
