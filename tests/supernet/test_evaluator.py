"""The evaluator beside the plain loops that it stands for."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import surronas as sn
from surronas.cli import main
from surronas.datasets.images.data import SPLITS
from surronas.exceptions import InvalidInputError, SurronasWarning, UnknownNameError
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet import subnet
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.heads import fit_head
from surronas.supernet.images import prepare_images
from surronas.supernet.network import SuperNet
from surronas.supernet.weights import save_supernet

SPACE = MBConv(
    [Stage(True, 8, 2, (1, 2), (3,), (1, 2)), Stage(False, 16, 1, (1, 2), (3, 5), (1, 2))],
    resolutions=(8, 16),
    widths=(0.5, 1.0),
    stem=16,
    features=16,
)
X = SPACE.sample(5, random_state=0)
ACCURACIES = ("val_accuracy", "test_accuracy")


@pytest.fixture(scope="module")
def digits():
    return sn.load_images("digits")


@pytest.fixture
def supernet(digits):
    torch.manual_seed(0)
    supernet = SuperNet(SPACE, 10, normalization=digits.to_rgb().normalization)
    nn.init.normal_(supernet.network.classifier.weight)
    return supernet


@torch.no_grad()
def plain_accuracies(supernet, images, x, n_batches: int, head: str | None = None) -> list[float]:
    """Extract, calibrate and count, one simple step after another, in float32."""
    images = prepare_images(images, SPACE)

    def inputs(split):
        rows = np.sort(images.indices[split])
        pixels = torch.from_numpy(images.images[rows]).permute(0, 3, 1, 2)
        if split == "train":
            pixels = crop_and_flip(pixels, torch.Generator().manual_seed(0), flip=False)
        return supernet.inputs(pixels, x), torch.from_numpy(images.labels[rows])

    network = supernet.extract(x).train()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.momentum = None
    calibration, labels = inputs("train")
    for batch in calibration.tensor_split(n_batches):
        network(batch)
    network.eval()
    if head:
        fit_head(network, [calibration], labels, images.n_classes, head)
    accuracies = []
    for split in ("validation", "test"):
        right = [int(network(image[None]).argmax()) == int(label) for image, label in zip(*inputs(split), strict=True)]
        accuracies.append(100 * sum(right) / len(right))
    return accuracies


@pytest.mark.parametrize("head", [None, "ridge"])
def test_accuracies_are_those_of_the_plain_loops(supernet, digits, head):
    evaluator = SupernetEvaluator(supernet, digits, targets=ACCURACIES, dtype=torch.float32, head=head)
    n_batches = -(-len(digits.indices["train"]) // subnet.BATCH)
    assert n_batches > 1
    expected = [plain_accuracies(supernet, digits, x, n_batches, head) for x in X]
    assert len({tuple(pair) for pair in expected}) > 1
    frame = evaluator.evaluate(X)
    assert list(frame) == list(ACCURACIES)
    assert frame.to_numpy().tolist() == expected


def test_every_subnet_and_every_call_sees_the_same_images_and_no_split_another_ones(digits):
    """Images that spell their row."""
    rows = np.arange(len(digits))
    spelled = np.zeros((len(digits), 16, 16, 3), dtype=np.uint8)
    spelled[:, :, :, 0], spelled[:, :, :, 1] = (rows % 256)[:, None, None], (rows // 256)[:, None, None]
    seen = {}

    class Spy(SuperNet):
        def inputs(self, images, x, dtype=torch.float32):
            if len(images) > 1:
                numbers = images[:, 0, 8, 8].int() + 256 * images[:, 1, 8, 8].int()  # no shift moves the centre out
                seen.setdefault(len(images), []).append(numbers.tolist())
            return super().inputs(images, x, dtype)

    supernet, images = Spy(SPACE, 10), replace(digits, images=spelled)
    sizes = {"n_calibration": 200, "n_validation": 100, "n_test": 150}
    for targets in (ACCURACIES, ACCURACIES[::-1]):
        SupernetEvaluator(supernet, images, targets=targets, **sizes).evaluate([SPACE.smallest(), SPACE.largest()])
    assert {size: len(draws) for size, draws in seen.items()} == {200: 4, 100: 4, 150: 4}
    for split, size in zip(SPLITS, sizes.values(), strict=True):
        first, *others = seen[size]
        assert all(draw == first for draw in others)
        assert set(first) <= set(digits.indices[split].tolist())
        per_class = np.bincount(digits.labels[first], minlength=10)
        assert per_class.max() - per_class.min() <= 2
    draws = [set(draw[0]) for draw in seen.values()]
    assert len(set.union(*draws)) == sum(sizes.values())


def test_test_images_stay_unseen_unless_they_are_asked_for(supernet, digits):
    blind = replace(digits, indices={**digits.indices, "test": np.empty(0, dtype=np.int64)})
    evaluator = SupernetEvaluator(supernet, blind, targets=("val_accuracy",))
    assert evaluator.evaluate(X[:1]).notna().all(axis=None)
    assert "n_test" not in evaluator.info
    with pytest.raises(
        InvalidInputError, match="'n_test' parameter of SupernetEvaluator must leave at least one image"
    ):
        SupernetEvaluator(supernet, blind, targets=ACCURACIES)


@pytest.mark.parametrize("training", [True, False])
def test_the_supernet_is_left_untouched(supernet, digits, training):
    supernet.train(training)
    state = deepcopy(supernet.state_dict())
    SupernetEvaluator(supernet, digits, head="prototype", n_validation=20, targets=("val_accuracy",)).evaluate(X[:2])
    torch.testing.assert_close(supernet.state_dict(), state, rtol=0, atol=0)
    assert all(part.training == training for part in supernet.modules())


def test_numbers_depend_neither_on_processes_nor_on_how_calls_are_split(supernet, digits):
    settings = {"targets": ACCURACIES, "n_calibration": 300}
    evaluator = SupernetEvaluator(supernet, digits, **settings)
    whole = evaluator.evaluate(X)
    parts = pd.concat([evaluator.evaluate(X[:1]), evaluator.evaluate(X[1:])], ignore_index=True)
    pd.testing.assert_frame_equal(whole, parts)
    several = SupernetEvaluator(supernet, digits, n_jobs=2, **settings).evaluate(X)
    pd.testing.assert_frame_equal(whole, several)
    assert whole.nunique().max() > 1


@torch.no_grad()
def test_a_supernet_that_goes_on_learning_is_measured_as_it_is(supernet, digits):
    evaluator = SupernetEvaluator(supernet, digits, targets=("val_accuracy",), dtype=torch.float32)
    before = evaluator.evaluate(X[:1])
    supernet.network.classifier.bias[3] = 1000
    share = 100 * np.mean(digits.split("validation")[1] == 3)
    after = evaluator.evaluate(X[:1])
    assert after.iloc[0, 0] == pytest.approx(share)
    assert after.iloc[0, 0] != before.iloc[0, 0]


@torch.no_grad()
def test_inputs_follow_the_supernets_normalisation(supernet, digits):
    evaluator = SupernetEvaluator(supernet, digits, targets=ACCURACIES, dtype=torch.float32)
    evaluator.evaluate(X[:1])
    supernet.mean += 0.3
    supernet.std *= torch.tensor([0.2, 1.0, 5.0])
    fresh = SupernetEvaluator(supernet, digits, targets=ACCURACIES, dtype=torch.float32)
    pd.testing.assert_frame_equal(evaluator.evaluate(X[:1]), fresh.evaluate(X[:1]))


@torch.no_grad()
def test_outputs_that_are_not_finite_are_failures_not_numbers(supernet, digits):
    supernet.network.stem.conv.weight[-1] = torch.nan  # a channel that narrow subnets leave out
    narrow, wide = SPACE.smallest(), SPACE.smallest()
    wide[SPACE.gene_names.index("width")] = 1
    archs = [narrow, wide, narrow]
    evaluator = SupernetEvaluator(supernet, digits, targets=("val_accuracy", "params"))
    with pytest.warns(SurronasWarning, match="Row 1 has no accuracy: its batch statistics are not finite"):
        frame = evaluator.evaluate(archs)
    assert frame["val_accuracy"].isna().tolist() == [False, True, False]
    assert frame["params"].tolist() == SPACE.cost(archs)["params"].tolist()
    supernet.network.stem.conv.weight[-1] = 0
    supernet.network.classifier.bias[0] = torch.inf
    with pytest.warns(SurronasWarning, match="Row 0 .*: its outputs for 144 of 144 validation images are not finite"):
        assert evaluator.evaluate(archs[:1])["val_accuracy"].isna().all()


def test_costs_are_the_spaces_with_the_classes_at_hand(supernet, digits):
    two = digits.subset(classes=[1, 7])
    evaluator = SupernetEvaluator(supernet, two, targets=("madds", "params"), head="ridge")
    frame = evaluator.evaluate(SPACE.format(X))
    pd.testing.assert_frame_equal(frame, SPACE.cost(X, num_classes=2)[["madds", "params"]])


def test_latencies_come_with_their_spread_and_stay_comparable(supernet, digits):
    evaluator = SupernetEvaluator(supernet, digits, targets=("latency_2_ms", "params", "latency_ms"))
    frame = evaluator.evaluate(X[:2])
    names = ["latency_2_ms", "latency_2_spread_ms", "params", "latency_ms", "latency_spread_ms"]
    assert list(frame) == evaluator.columns == names
    assert (frame > 0).all(axis=None)
    reference = evaluator.reference
    seconds = dict(reference.seconds)
    evaluator.evaluate(X[2:3])
    assert evaluator.reference is reference
    assert reference.seconds == seconds


def test_a_supernet_of_ones_own(digits):
    class Answer(nn.Module):
        def forward(self, images):
            return nn.functional.one_hot(torch.full((len(images),), 4), 10).float()

    class Mine:
        space, num_classes, in_channels = SPACE, 10, 3

        def extract(self, x):
            return nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(), Answer())

        def inputs(self, images, x, dtype=torch.float32):
            return images.to(dtype)

    frame = SupernetEvaluator(Mine(), digits, targets=ACCURACIES, dtype=torch.float32).evaluate(X[:2])
    shares = [100 * np.mean(digits.split(split)[1] == 4) for split in ("validation", "test")]
    assert frame.to_numpy().tolist() == [pytest.approx(shares)] * 2


def test_a_bar_is_shown(supernet, digits, capsys):
    SupernetEvaluator(supernet, digits, targets=("val_accuracy",), n_validation=20).evaluate(X[:2], progress=True)
    assert "2/2" in capsys.readouterr().out


def test_no_architectures_no_rows(supernet, digits):
    targets = (*ACCURACIES, "params", "latency_ms")
    frame = SupernetEvaluator(supernet, digits, targets=targets).evaluate(X[:0])
    assert frame.shape == (0, 5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"targets": ("accuracy",)}, UnknownNameError, "Unknown target 'accuracy'"),
        ({"targets": ("latency_0_ms",)}, UnknownNameError, "Unknown target 'latency_0_ms'. Did you mean 'latency_ms'"),
        ({"targets": ()}, InvalidInputError, "'targets' parameter of SupernetEvaluator must name different ones"),
        ({"targets": ("params", "params")}, InvalidInputError, "must name different ones"),
        ({"head": "forest"}, UnknownNameError, "Unknown head 'forest'"),
        ({"n_validation": 10**6}, InvalidInputError, "'n_validation' parameter of SupernetEvaluator must be a number"),
        (
            {"n_test": -1},
            InvalidInputError,
            "'n_test' parameter of SupernetEvaluator must be a number of images from 0",
        ),
        ({"n_calibration": 0}, InvalidInputError, "'n_calibration' parameter of SupernetEvaluator must leave at least"),
    ],
)
def test_bad_arguments_are_named(supernet, digits, arguments, error, message):
    with pytest.raises(error, match=message):
        SupernetEvaluator(supernet, digits, **arguments)


def test_images_of_other_classes_need_a_head(supernet, digits):
    with pytest.raises(InvalidInputError, match="'images' must be of the supernet's 10 classes, or the 'head' .* of 3"):
        SupernetEvaluator(supernet, digits.subset(classes=[1, 2, 3]))


def test_a_row_that_is_no_architecture_is_named(supernet, digits):
    with pytest.raises(InvalidInputError, match="Row 1 does not parse"):
        SupernetEvaluator(supernet, digits, targets=("params",)).evaluate([X[0], "nonsense"])


def test_the_command_writes_what_it_reads(supernet, digits, tmp_path, capsys):
    save_supernet(tmp_path / "mine.safetensors", supernet)
    command = ["supernet", "evaluate", "--weights", str(tmp_path / "mine.safetensors"), "--images", "digits"]
    command += ["--targets", "val_accuracy,params", "--n-validation", "60", "--jobs", "1"]
    assert main([*command, "--random", "2", "--out", str(tmp_path / "some.csv")]) == 0
    frame = pd.read_csv(tmp_path / "some.csv")
    archs = [SPACE.smallest(), SPACE.largest(), *SPACE.sample(2, 0)]
    expected = SupernetEvaluator(supernet, digits, targets=("val_accuracy", "params"), n_validation=60).evaluate(archs)
    assert frame["arch"].tolist() == SPACE.format(archs)
    pd.testing.assert_frame_equal(frame.drop(columns="arch"), expected)
    assert main([*command, "--archs", str(tmp_path / "some.csv"), "--out", str(tmp_path / "again.parquet")]) == 0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "again.parquet"), frame)
    table = sn.load_table(tmp_path / "some.csv", space=SPACE)
    assert table.archs.tolist() == SPACE.canonical(archs).tolist()
    (tmp_path / "one.txt").write_text(f"{frame['arch'][1]}\n\n")
    capsys.readouterr()
    assert main([*command, "--archs", str(tmp_path / "one.txt")]) == 0
    assert f"{frame['arch'][1]},{frame['val_accuracy'][1]}" in capsys.readouterr().out
    for wrong, message in (
        (["--archs", str(tmp_path / "none.txt")], "There is no file"),
        (["--archs", str(tmp_path / "mine.safetensors")], "holds no architectures"),
        (["--random", "1", "--out", "some.json"], "must end in .csv or .parquet"),
    ):
        assert main([*command, *wrong]) == 2
        assert message in capsys.readouterr().err
