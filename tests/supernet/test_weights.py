"""Supernets come back bit for bit; files that are damaged, foreign or hostile are refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.network import SuperNet
from surronas.supernet.weights import load_supernet, read_card, save_supernet

SPACE = MBConv(
    stages=[
        Stage(fused=True, channels=16, stride=2, depths=(1, 2), kernels=(3,), expands=(1, 2)),
        Stage(fused=False, channels=24, stride=1, depths=(1,), kernels=(3, 5), expands=(2, 3)),
    ],
    resolutions=(8, 16),
    widths=(0.5, 1.0),
    stem=8,
    features=16,
)
CARD = {"class_names": ["cat", "dög", "eel"], "figures": {"largest": {"test_accuracy": 88.125}}, "recipe": None}
STEM = "network.stem.conv.weight"


@pytest.fixture
def supernet():
    """All tensors differ from what a fresh supernet has, buffers included."""
    torch.manual_seed(0)
    supernet = SuperNet(SPACE, 3, in_channels=1)
    for tensor in supernet.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape) * 90 + 1)
    return supernet


@pytest.fixture
def path(supernet, tmp_path):
    path = tmp_path / "some.safetensors"
    save_supernet(path, supernet, CARD)
    return path


def rewrite(path, head=lambda head: head, tensors=lambda tensors: tensors):
    """The file with another head and other tensors, a good safetensors file."""
    with safe_open(path, framework="pt") as file:
        text = json.loads(file.metadata()["surronas"])
        kept = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    changed = head(text)
    save_file(tensors(kept), path, {"surronas": changed if isinstance(changed, str) else json.dumps(changed)})


def test_every_bit_comes_back(supernet, path):
    back = load_supernet(path)
    assert (back.space, back.num_classes, back.in_channels) == (SPACE, 3, 1)
    before, after = supernet.state_dict(), back.state_dict()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype
        assert after[name].numpy().tobytes() == tensor.numpy().tobytes(), name


def test_what_comes_back_computes_and_learns_as_before(supernet, path):
    back, images = load_supernet(path), torch.randint(256, (2, 1, 16, 16), dtype=torch.uint8)
    assert not back.training
    for x in SPACE.sample(3, random_state=0):
        expected = supernet.eval()(supernet.inputs(images, x), x)
        assert torch.equal(back(back.inputs(images, x), x), expected)
    expected.sum().backward()
    back(back.inputs(images, x), x).sum().backward()
    assert torch.equal(back.network.stem.conv.weight.grad, supernet.network.stem.conv.weight.grad)


def test_a_supernet_of_one_architecture_comes_back_too(tmp_path):
    x = SPACE.sample(1, random_state=0)[0]
    save_supernet(tmp_path / "one", SuperNet(SPACE, 3, largest=x))
    assert list(load_supernet(tmp_path / "one").largest) == list(x)


def test_the_card_can_be_read_alone(path):
    assert read_card(path) == CARD


def test_a_card_is_not_needed(supernet, tmp_path):
    save_supernet(tmp_path / "bare", supernet)
    assert read_card(tmp_path / "bare") == {}
    load_supernet(tmp_path / "bare")


def test_equal_supernets_make_equal_files(supernet, path, tmp_path):
    save_supernet(tmp_path / "again", load_supernet(path), CARD)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_loading_draws_no_random_number(path):
    before = torch.random.get_rng_state()
    load_supernet(path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_was_loaded_does_not_depend_on_the_file(path):
    back = load_supernet(path)
    before = {name: tensor.clone() for name, tensor in back.state_dict().items()}
    path.write_bytes(bytes(path.stat().st_size))
    assert all(torch.equal(tensor, before[name]) for name, tensor in back.state_dict().items())


def test_a_killed_writer_leaves_the_old_file(supernet, path, monkeypatch):
    before = path.read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_supernet(path, supernet, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_nothing_is_saved_that_could_not_be_loaded(supernet, tmp_path):
    path = tmp_path / "never"
    for card, said in (
        ({"figures": np.float32(3)}, "'card' of save_supernet.* must be what JSON can hold"),
        ({"figures": float("nan")}, "'card' of save_supernet.* must be what JSON can hold"),
        ({"class_names": ["cat"]}, "its card names 1 classes of 3"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            save_supernet(path, supernet, card)
    supernet.network.stem.conv.weight.data[0, 0, 0, 0] = float("inf")
    with pytest.raises(InvalidInputError, match=f"'{STEM}' has values that are not finite"):
        save_supernet(path, supernet)
    with pytest.raises(InvalidInputError, match="must be torch.float32 .* Got torch.bfloat16"):
        save_supernet(path, SuperNet(SPACE, 3).bfloat16())
    assert not path.exists()


def test_absent_foreign_and_torn_files(path, tmp_path):
    whole = path.read_bytes()
    for absent in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InvalidFileError, match=f"There is no file '{absent}'"):
            load_supernet(absent)
    for content in (b"", b"PK\x03\x04", b"\x80\x04N.", whole[:-1], whole[: len(whole) // 2], whole[:100], whole + b"x"):
        path.write_bytes(content)
        with pytest.raises(InvalidFileError, match=f"'{path}' is not a whole supernet"):
            load_supernet(path)
    save_file({"weight": torch.ones(3)}, path)
    with pytest.raises(InvalidFileError, match="is not a whole supernet: it does not describe its space"):
        read_card(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {n: v for n, v in t.items() if n != STEM}, f"it lacks '{STEM}', which a supernet of its space has"),
        (lambda t: t | {"extra": torch.ones(1)}, "it has 'extra', which a supernet of its space has not"),
        (
            lambda t: t | {STEM: t[STEM][:-1].clone()},
            rf"'{STEM}' must be torch.float32 of shape \(8, 1, 3, 3\) in its space. Got .* of shape \(7, 1, 3, 3\)",
        ),
        (lambda t: t | {STEM: t[STEM].double()}, "Got torch.float64"),
        (lambda t: t | {STEM: t[STEM] * float("nan")}, f"'{STEM}' has values that are not finite"),
        (lambda t: t | {"std": t["std"] * float("inf")}, "'std' has values that are not finite"),
    ],
)
def test_tensors_that_are_not_those_of_the_space(path, change, said):
    rewrite(path, tensors=change)
    with pytest.raises(InvalidFileError, match=f"'{path}' is not a whole supernet: .*{said}"):
        load_supernet(path)


def with_parameters(head, **parameters):
    head["space"]["parameters"] |= parameters
    return head


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda head: "{", "JSONDecodeError"),
        (lambda head: "[]", "TypeError"),
        (lambda head: head | {"version": 2}, "format version 2; this library reads up to 1"),
        (lambda head: head | {"version": "1"}, "format version '1'"),
        (lambda head: {name: value for name, value in head.items() if name != "num_classes"}, "KeyError"),
        (lambda head: head | {"num_classes": 4}, "its card names 3 classes of 4"),
        (lambda head: head | {"num_classes": 4, "card": {}}, "must be torch.float32 of shape"),
        (lambda head: head | {"num_classes": -4, "card": {}}, "num_classes.*-4"),
        (lambda head: head | {"num_classes": 10**30, "card": {}}, "Error"),
        (lambda head: head | {"card": ["x"]}, "AttributeError"),
        (lambda head: head | {"largest": [0] * SPACE.n_genes}, "it has 'network.blocks.stage1_block2"),
        (lambda head: head | {"largest": [9] * SPACE.n_genes}, "must hold choices from 0 to 1 for gene 'resolution'"),
        (lambda head: head | {"space": {"name": "nasbench201"}}, "KeyError"),
        (lambda head: with_parameters(head, features=24), r"must be torch.float32 of shape \(3, 24\) in its space"),
        (lambda head: with_parameters(head, features=10**14), "its space"),
        (lambda head: with_parameters(head, features=10**30), "RuntimeWarning"),
        (lambda head: with_parameters(head, widths=[]), "width"),
        (lambda head: with_parameters(head, other=1), "Not the description of a search space"),
        (
            lambda head: with_parameters(head, stages=[head["space"]["parameters"]["stages"][0] | {"depths": [10**9]}]),
            "its space has 1000000000 blocks, but there are only 59 tensors",
        ),
    ],
)
def test_heads_that_describe_no_supernet(path, change, said):
    rewrite(path, head=change)
    with pytest.raises(InvalidFileError, match=f"'{path}' is not a whole supernet: .*{said}"):
        load_supernet(path)


def test_nothing_is_unpickled(path, monkeypatch):
    load_supernet(path)

    def refuse(*_, **__):
        raise AssertionError("unpickled")

    for name in ("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load"):
        monkeypatch.setattr(name, refuse)
    assert load_supernet(path).num_classes == 3
