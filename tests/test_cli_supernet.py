from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from surronas import cli
from surronas.supernet import run
from surronas.supernet.recipe import Recipe
from surronas.supernet.weights import load_supernet


def supernet(*argv):
    return cli.main(["supernet", *map(str, argv)])


@pytest.fixture
def asked(monkeypatch):
    """What ``train`` is called with; nothing is trained."""
    calls = SimpleNamespace()
    monkeypatch.setattr(run, "train", lambda images, folder, **others: calls.__dict__.update(locals() | others))
    return calls


@pytest.fixture
def images(tmp_path):
    """Two dozen grey images, not square, of two classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 12, 8), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=pixels, labels=np.arange(40) % 2)
    return tmp_path / "mine.npz"


def test_train_from_images_to_weights(images, tmp_path, capsys):
    argv = ["train", "--images", images, "--size", "16", "--epochs", "1", "--batch-size", "8", "--float32", "--out"]
    assert supernet(*argv, tmp_path / "run") == 0
    weights = tmp_path / "run/supernet.safetensors"
    *_, line, last = capsys.readouterr().out.splitlines()
    assert line.startswith("epoch 1.00/1  largest ")
    assert last == f"Supernet: {weights}"
    assert load_supernet(weights).num_classes == 2
    assert supernet(*argv, tmp_path / "run") == 0
    assert capsys.readouterr().out == f"Supernet: {weights}\n"


def test_every_option_is_a_setting_of_the_recipe(asked, tmp_path, capsys):
    assert supernet("train", "--images", "digits", "--out", tmp_path) == 0
    assert asdict(asked.recipe) == asdict(Recipe())
    assert (asked.images.name, asked.folder, asked.progress) == ("digits", tmp_path, True)
    options = ["--epochs", 9, "--warmup-epochs", 2, "--batch-size", 64, "--learning-rate", 0.5, "--seed", 4]
    assert supernet("train", "--images", "digits", "--out", tmp_path, *options, "--no-flip", "--float32") == 0
    assert asked.recipe == Recipe(
        epochs=9, warmup_epochs=2, batch_size=64, learning_rate=0.5, seed=4, flip=False, bfloat16=False
    )
    for epochs, warmup in ((1, 0), (2, 1), (8, 1), (40, 5)):
        assert supernet("train", "--images", "digits", "--out", tmp_path, "--epochs", epochs) == 0
        assert asked.recipe.warmup_epochs == warmup


def test_errors_are_one_line_and_exit_code_2(images, tmp_path, capsys):
    for argv, said in (
        (["--images", "digit"], "Did you mean 'digits'"),
        (["--images", "digits", "--epochs", "0"], "The 'epochs' of a Recipe must be an int"),
        (["--images", images], "must be square. Got 12x8 pixels"),
    ):
        assert supernet("train", *argv, "--out", tmp_path / "run") == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("torchrun", [False, True])
def test_an_interrupt_says_how_to_go_on(tmp_path, capsys, monkeypatch, torchrun):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train", interrupt)
    if torchrun:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert supernet("train", "--images", "digits", "--out", tmp_path) == 130
    command = "The same torchrun command" if torchrun else f"`surronas supernet train --images digits --out {tmp_path}`"
    assert capsys.readouterr().err == f"Interrupted. {command} goes on where it stopped.\n"


@pytest.mark.parametrize("argv", [[], ["train"], ["train", "--images", "digits"], ["nonsense"]])
def test_bad_usage_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        supernet(*argv)
    assert stop.value.code == 2
    assert "usage: surronas supernet" in capsys.readouterr().err
