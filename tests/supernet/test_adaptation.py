"""A supernet trained on some digits and adapted to others."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch

from surronas.cli import main
from surronas.datasets.images import load_images
from surronas.exceptions import InvalidInputError
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.adaptation import adapt, fine_tune, new_head
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.distributions import OneAStep, gene_counts
from surronas.supernet.heads import fit_head
from surronas.supernet.network import SuperNet
from surronas.supernet.recipe import ADAPTATION
from surronas.supernet.weights import load_supernet, read_card, save_supernet

SPACE = MBConv(
    stages=[Stage(True, 16, 2, (1,), (3,), (2,)), Stage(False, 24, 2, (1, 2), (3, 5), (2, 3))],
    resolutions=(8, 16),
    widths=(0.5, 1.0),
    stem=8,
    features=32,
)
QUICK = replace(ADAPTATION, epochs=2, bfloat16=False)


@pytest.fixture(scope="module")
def digits():
    """Five classes of ten, with 400 training images and as many others as there are to validate by."""
    return load_images("digits", validation_size=0.4).subset(classes=[9, 7, 5, 8, 6], sizes={"train": 400})


@pytest.fixture(scope="module")
def source():
    """A supernet of two classes, as good as random."""
    torch.manual_seed(0)
    return SuperNet(SPACE, 2, normalization=(np.full(3, 0.3), np.full(3, 0.4))).eval()


def weights(supernet):
    return {name: part.clone() for name, part in supernet.state_dict().items()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def accuracy(supernet, images, x, head=None):
    """Validation accuracy of a subnet with batch norms and, if asked, a head fitted to the training images."""
    batches, labels = {}, {}
    for split in ("train", "validation"):
        pixels, y = images.resize(16).to_rgb().split(split)
        pixels = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        if split == "train":
            pixels = crop_and_flip(pixels, torch.Generator().manual_seed(0), flip=False)
        batches[split] = supernet.inputs(pixels, x)
        labels[split] = torch.from_numpy(y)
    network = supernet.extract(x).train()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        network(batches["train"])
        if head:
            fit_head(network, [batches["train"]], labels["train"], images.n_classes, head)
        predicted = network.eval()(batches["validation"]).argmax(1)
    return 100 * float((predicted == labels["validation"]).double().mean())


def test_adaptation_beats_a_frozen_supernet_with_heads_of_their_own(source, digits):
    before = weights(source)
    adapted = adapt(source, digits, recipe=replace(QUICK, epochs=6))
    assert equal(weights(source), before)
    assert not adapted.training
    assert adapted.num_classes == 5
    for x in (SPACE.largest(), SPACE.smallest()):
        frozen, tuned = accuracy(source, digits, x, head="ridge"), accuracy(adapted, digits, x)
        assert tuned > frozen + 4  # two standard errors of the difference on some 290 images


def test_a_new_head_serves_the_largest_and_the_smallest_and_changes_nothing_else(source, digits):
    headed = new_head(source, digits)
    for x in (SPACE.largest(), SPACE.smallest()):
        assert accuracy(headed, digits, x) > 40  # features as good as random; guessing has 20
        assert accuracy(source, digits, x, head="ridge") > 40
    before, after = weights(source), weights(headed)
    changed = {
        name for name in before if before[name].shape != after[name].shape or (before[name] != after[name]).any()
    }
    assert changed == {"network.classifier.weight", "network.classifier.bias"}


def test_the_seed_decides(source, digits):
    headed = new_head(source, digits)
    first, again = (weights(fine_tune(headed, digits, recipe=replace(QUICK, epochs=1))) for _ in range(2))
    other = weights(fine_tune(headed, digits, recipe=replace(QUICK, epochs=1, seed=1)))
    assert equal(first, again)
    assert not equal(first, other)


def test_only_what_a_distribution_draws_is_trained(source, digits):
    headed = new_head(source, digits)
    narrow = gene_counts(SPACE, [SPACE.smallest()])
    tuned = fine_tune(headed, digits, recipe=replace(QUICK, epochs=1, weight_decay=0.0), subnets=OneAStep(narrow))
    before, after = headed.network.classifier.weight, tuned.network.classifier.weight
    assert (before != after)[:, :16].all()
    assert torch.equal(before[:, 16:], after[:, 16:])


def test_a_folder_is_gone_on_with_and_knows_its_supernet(source, digits, tmp_path):
    headed = new_head(source, digits)
    done = fine_tune(headed, digits, recipe=QUICK, folder=tmp_path)
    assert (tmp_path / "supernet.safetensors").is_file()
    assert equal(weights(done), weights(fine_tune(headed, digits, recipe=QUICK)))
    assert equal(weights(done), weights(fine_tune(headed, digits, recipe=QUICK, folder=tmp_path)))
    with torch.no_grad():
        headed.network.classifier.bias += 1
    with pytest.raises(InvalidInputError, match="holds another training: origin is"):
        fine_tune(headed, digits, recipe=QUICK, folder=tmp_path)


def without_class(images, number):
    rows = images.indices["train"]
    return dataclasses.replace(images, indices={**images.indices, "train": rows[images.labels[rows] != number]})


def test_images_that_do_not_fit_are_said(source, digits):
    with pytest.raises(InvalidInputError, match="training images of each. Got none of '5'"):
        adapt(source, without_class(digits, 2))
    with pytest.raises(InvalidInputError, match="at least 2 classes.*Got one class"):
        adapt(source, dataclasses.replace(digits, labels=digits.labels * 0, class_names=("9",)))
    with pytest.raises(InvalidInputError, match="Got none of"):
        adapt(source, dataclasses.replace(digits, indices={**digits.indices, "train": digits.indices["train"][:3]}))
    with pytest.raises(InvalidInputError, match="must be square. Got 8x6"):
        adapt(source, dataclasses.replace(digits, images=digits.images[:, :, :6]))
    with pytest.raises(InvalidInputError, match="takes images of 1 channels. Got 3"):
        adapt(SuperNet(SPACE, 2, 1), digits)
    with pytest.raises(InvalidInputError, match="supernet's 2 classes. Got 5"):
        fine_tune(source, digits)
    with pytest.raises(InvalidInputError, match="no warm-up epochs. Got 3"):
        fine_tune(source, digits, recipe=replace(ADAPTATION, warmup_epochs=3))


def test_damaged_weights_are_said(source, digits):
    damaged = SuperNet(SPACE, 2)
    damaged.load_state_dict(source.state_dict())
    with torch.no_grad():
        damaged.network.features.conv.weight[3] = torch.nan
    with pytest.raises(InvalidInputError, match="features.*finite. Row 0 is not"):
        adapt(damaged, digits)


def test_the_command_writes_a_supernet_of_the_images_classes(source, tmp_path, capsys):
    save_supernet(tmp_path / "source.safetensors", source)
    command = ["supernet", "adapt", "--images", "digits", "--weights", f"{tmp_path / 'source.safetensors'}"]
    command += ["--n-train", "128", "--epochs", "1", "--float32", "--out", f"{tmp_path / 'out'}"]
    assert main(command) == 0
    written = tmp_path / "out" / "supernet.safetensors"
    assert str(written) in capsys.readouterr().out.replace("\n", "")
    assert load_supernet(written).num_classes == 10
    assert read_card(written)["images"]["sizes"]["train"] == 128


def test_the_command_says_which_weights_it_knows(tmp_path, capsys):
    out = f"{tmp_path / 'out'}"
    assert main(["supernet", "adapt", "--images", "digits", "--weights", "mbconv-cifra10", "--out", out]) == 2
    assert "mbconv-cifra10" in capsys.readouterr().err
