"""The image data sets by name: what they hold, their splits, and what is made of them."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
from io import BytesIO

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from surronas.datasets.images import ImageData, idx, list_images, load_images
from surronas.exceptions import DataNotFoundError, InvalidFileError, InvalidInputError, UnknownNameError

CIFAR10 = "images/cifar10/{}-00000-of-00001.parquet"
SIGNS = "images/sign_digits/{}-00000-of-00001.parquet"
FASHION = "images/fashion-mnist/{}-ubyte.gz"


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


@pytest.fixture(scope="module")
def signs(shared_data):
    return load_images("sign_digits")


@pytest.fixture(scope="module")
def fashion(shared_data):
    return load_images("fashion_mnist")


def fingerprint(data):
    """Of the splits' rows."""
    return hashlib.sha256(b"|".join(data.indices[s].astype("<i8").tobytes() for s in data.indices)).hexdigest()[:16]


def check_splits(data, shape, sizes):
    assert data.images.shape == shape
    assert data.images.dtype == np.uint8
    assert data.labels.dtype == np.int64
    assert {split: len(rows) for split, rows in data.indices.items()} == sizes
    rows = np.concatenate(list(data.indices.values()))
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(data)))
    assert len({image.tobytes() for image in data.images}) == len(data)  # so no image is in two splits


def decoded(path, row, column):
    table = pq.read_table(path)
    return np.asarray(Image.open(BytesIO(table[column][row].as_py()["bytes"]))), table["label"][row].as_py()


@pytest.mark.needs_data(CIFAR10.format("train"))
def test_cifar10(shared_data):
    data = load_images("cifar10")
    check_splits(data, (60_000, 32, 32, 3), {"train": 45_000, "validation": 5_000, "test": 10_000})
    for split, each in {"train": 4500, "validation": 500, "test": 1000}.items():
        np.testing.assert_array_equal(np.bincount(data.labels[data.indices[split]]), [each] * 10)
    assert data.class_names[3] == "cat"
    image, label = decoded(shared_data / CIFAR10.format("test"), 1234, "img")
    np.testing.assert_array_equal(data.split("test")[0][1234], image)  # the source's test part, in its order
    assert data.split("test")[1][1234] == label
    np.testing.assert_allclose(data.normalization.mean, [0.4914, 0.4822, 0.4465], atol=0.001)  # of the original data
    np.testing.assert_allclose(data.normalization.std, [0.2470, 0.2435, 0.2616], atol=0.002)
    assert fingerprint(data) == "bbf49db617a28da2"  # as below
    assert "Krizhevsky" in data.info.citation
    assert "d7d05618061f" in data.info.source


@pytest.mark.needs_data(SIGNS.format("train"))
def test_sign_digits(shared_data, signs):
    check_splits(signs, (2062, 32, 32, 3), {"train": 1485, "validation": 165, "test": 412})
    image, label = decoded(shared_data / SIGNS.format("test"), 17, "img")
    np.testing.assert_array_equal(signs.split("test")[0][17], image)
    assert signs.split("test")[1][17] == label
    assert signs.info.licence.startswith("Apache-2.0")
    by_path = load_images(shared_data / "images/sign_digits")
    np.testing.assert_array_equal(by_path.images, signs.images)
    assert fingerprint(by_path) == fingerprint(signs)
    assert by_path.class_names == signs.class_names


@pytest.mark.needs_data(FASHION.format("train-images-idx3"))
def test_fashion_mnist(shared_data, fashion):
    check_splits(fashion, (70_000, 28, 28, 1), {"train": 54_000, "validation": 6_000, "test": 10_000})
    content = gzip.decompress((shared_data / FASHION.format("t10k-images-idx3")).read_bytes())
    images, labels = fashion.split("test")
    assert images.tobytes() == content[16:]
    assert labels.tolist() == list(gzip.decompress((shared_data / FASHION.format("t10k-labels-idx1")).read_bytes())[8:])
    assert fashion.class_names[9] == "Ankle boot"
    mean, std = fashion.normalization
    np.testing.assert_allclose([mean[0], std[0]], [0.2860, 0.3530], atol=0.001)  # the customary figures


def test_digits(digits):
    check_splits(digits, (1797, 8, 8, 1), {"train": 1294, "validation": 144, "test": 359})
    np.testing.assert_array_equal(digits.images[..., 0], np.rint(load_digits().images * 255 / 16))
    np.testing.assert_array_equal(digits.labels, load_digits().target)


def test_the_names():
    assert list_images() == ["cifar10", "digits", "fashion_mnist", "sign_digits"]


@pytest.mark.needs_data(SIGNS.format("train"))
def test_splits_are_golden(digits, signs):
    # PYTHONPATH=tests/datasets/images python -c \
    #   "from test_images import *; print(*[fingerprint(load_images(name)) for name in list_images()])"
    assert fingerprint(digits) == "49755d53dba2f65f"
    assert fingerprint(signs) == "50685fda44d058d8"


@given(seed=st.integers(0, 2**32 - 1), validation=st.floats(0.02, 0.5), test=st.floats(0.02, 0.6))
def test_splits_are_disjoint_stratified_and_fixed_by_seed(seed, validation, test):
    data = load_images("digits", validation_size=validation, test_size=test, random_state=seed)
    check_splits(data, (1797, 8, 8, 1), {split: len(rows) for split, rows in data.indices.items()})
    assert len(data.indices["test"]) == round(test * 1797)
    assert len(data.indices["validation"]) == round(validation * (1797 - len(data.indices["test"])))
    for rows in data.indices.values():
        expected = np.bincount(data.labels) * len(rows) / 1797
        assert np.abs(np.bincount(data.labels[rows], minlength=10) - expected).max() < 2
    again = load_images("digits", validation_size=0, test_size=test, random_state=seed)
    np.testing.assert_array_equal(again.indices["test"], data.indices["test"])  # whatever the validation split
    assert len(again.indices["validation"]) == 0


def test_another_seed_gives_other_splits(digits):
    assert fingerprint(load_images("digits", random_state=1)) != fingerprint(digits)


@pytest.mark.parametrize("size", [-1, 1.0, float("nan"), 1797, 1798, True, "tenth", 3])
def test_split_sizes_that_leave_nothing_are_refused(size):
    with pytest.raises(InvalidInputError, match="'test_size' parameter of load_images must"):
        load_images("digits", test_size=size)


@pytest.mark.needs_data(SIGNS.format("train"))
def test_normalisation_is_of_the_training_images_alone(signs, digits):
    for data in (signs, digits):
        pixels = data.split("train")[0].reshape(-1, data.images.shape[3]) / 255
        np.testing.assert_allclose(data.normalization.mean, pixels.mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(data.normalization.std, pixels.std(axis=0), rtol=1e-10)


def test_a_channel_of_one_value_is_not_divided_by_zero(digits):
    images = np.full((*digits.images.shape[:3], 3), 7, dtype=np.uint8)
    data = ImageData("flat", images, digits.labels, digits.class_names, digits.indices, digits.info)
    np.testing.assert_array_equal(data.normalization.std, 1)
    assert not data.tensors("test")[0].any()


@given(height=st.integers(1, 48), width=st.integers(1, 48))
def test_resize_is_that_of_pil(digits, height, width):
    few = digits.subset(sizes={"train": 20, "validation": 0, "test": 0})
    resized = few.resize((height, width))
    assert resized.images.shape == (20, height, width, 1)
    for image, ours in zip(few.images, resized.images, strict=True):
        theirs = Image.fromarray(image[..., 0]).resize((width, height), Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(theirs).astype(int) - ours[..., 0]).max() <= 1
    assert few.images.shape == (20, 8, 8, 1)


@pytest.mark.needs_data(SIGNS.format("train"))
@pytest.mark.parametrize("size", [16, 24, 48])
def test_resize_of_colour_is_that_of_pil(signs, size):
    ours = signs.resize(size).images
    for row in range(0, len(signs), 100):
        theirs = Image.fromarray(signs.images[row]).resize((size, size), Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(theirs).astype(int) - ours[row]).max() <= 1


@pytest.mark.parametrize("size", [0, -3, 2.5, (8,), (8, 8, 8), (8, 0), True, "8", None])
def test_sizes_that_are_none_are_refused(digits, size):
    with pytest.raises(InvalidInputError, match="'size' parameter must be a positive int or"):
        digits.resize(size)


def test_size_on_loading_is_resize(digits):
    np.testing.assert_array_equal(load_images("digits", size=(12, 10)).images, digits.resize((12, 10)).images)
    assert digits.resize(8) is digits


def test_rgb_shares_the_grey_array(digits):
    rgb = digits.to_rgb()
    assert rgb.images.shape == (1797, 8, 8, 3)
    assert np.shares_memory(rgb.images, digits.images)
    assert (rgb.images == digits.images).all()
    assert rgb.to_rgb().images.shape == (1797, 8, 8, 3)
    images, _ = rgb.resize(16).tensors("test")
    grey, _ = digits.resize(16).tensors("test")
    torch.testing.assert_close(images, grey.expand(-1, 3, -1, -1))


def test_nothing_changes_in_place(digits):
    for array in (digits.images, digits.labels, digits.indices["train"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    images, labels = digits.split("train")
    images[:], labels[:] = 0, 0  # the caller's own
    assert digits.images.any()


def test_subset_relabels_in_the_order_given(digits):
    part = digits.subset(classes=[7, "2", 4])
    assert part.class_names == ("7", "2", "4")
    for split in digits.indices:
        images, labels = digits.split(split)
        kept = np.isin(labels, [7, 2, 4])
        ours, numbers = part.split(split)
        np.testing.assert_array_equal(ours, images[kept])
        np.testing.assert_array_equal(np.array([7, 2, 4])[numbers], labels[kept])


@given(size=st.integers(0, 1294), seed=st.integers(0, 1000))
def test_subset_draws_in_the_proportions_of_the_classes(digits, size, seed):
    part = digits.subset(sizes={"train": size}, random_state=seed)
    assert {split: len(rows) for split, rows in part.indices.items()} == {"train": size, "validation": 144, "test": 359}
    counts = np.bincount(part.split("train")[1], minlength=10)
    assert np.abs(counts - np.bincount(digits.split("train")[1]) * size / 1294).max() <= 1
    known = {image.tobytes() for image in digits.split("train")[0]}
    drawn = {image.tobytes() for image in part.split("train")[0]}
    assert drawn <= known
    assert len(drawn) == size


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"classes": [1]}, "two or more different classes"),
        ({"classes": [1, 1]}, "two or more different classes"),
        ({"classes": [1, 10]}, "'classes' parameter must be an int from 0 to 9. Got 10"),
        ({"classes": ["1", "one"]}, "Unknown class of digits 'one'"),
        (
            {"sizes": {"train": 1295}},
            "'sizes' parameter of subset for train must be a number of .* 0 to 1294. Got 1295",
        ),
        ({"sizes": [100]}, "must be a mapping of split to int"),
        ({"classes": "12"}, "two or more different classes. Got '12'"),
        ({"classes": 3}, "two or more different classes. Got 3"),
        ({"sizes": {"trian": 10}}, "Unknown split 'trian'. Did you mean 'train'"),
    ],
)
def test_subsets_that_cannot_be(digits, arguments, text):
    with pytest.raises(InvalidInputError, match=text):
        digits.subset(**arguments)


@given(n_way=st.integers(2, 10), n_shot=st.integers(1, 40), n_query=st.integers(1, 14), seed=st.integers(0, 10**6))
def test_episodes(digits, n_way, n_shot, n_query, seed):
    episode = digits.episode(n_way, n_shot, n_query, random_state=seed)
    assert len(set(episode.class_names)) == n_way
    check_splits(
        episode,
        (n_way * (n_shot + 2 * n_query), 8, 8, 1),
        {"train": n_way * n_shot, "validation": n_way * n_query, "test": n_way * n_query},
    )
    for split in episode.indices:
        label_of = dict(zip(map(bytes, digits.split(split)[0]), digits.split(split)[1], strict=True))
        images, labels = episode.split(split)
        assert [int(episode.class_names[label]) for label in labels] == [label_of[bytes(image)] for image in images]
        assert len(set(np.bincount(labels, minlength=n_way))) == 1
    again = digits.episode(n_way, n_shot, n_query, random_state=seed)
    np.testing.assert_array_equal(again.images, episode.images)


def test_episodes_say_what_is_lacking(digits):
    with pytest.raises(
        InvalidInputError, match=r"The class '\d' of digits has 1[45] validation images; the episode .* 20"
    ):
        digits.episode(3, 5, 20)
    with pytest.raises(InvalidInputError, match="'n_way' parameter must be an int from 2 to 10. Got 11"):
        digits.episode(11, 1, 1)
    with pytest.raises(InvalidInputError, match="'n_shot' parameter must be an int of at least 1. Got 0"):
        digits.episode(5, 0, 1)


@pytest.mark.needs_data(SIGNS.format("train"))
def test_tensors_and_batches(signs, digits):
    images, labels = signs.tensors("validation")
    assert images.shape == (165, 3, 32, 32)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert images.is_contiguous()
    pixels, numbers = signs.split("validation")
    mean, std = signs.normalization
    expected = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-5)
    np.testing.assert_array_equal(labels.numpy(), numbers)

    batches = list(signs.batches("validation", 50))
    assert [len(batch) for batch, _ in batches] == [50, 50, 50, 15]
    torch.testing.assert_close(torch.cat([batch for batch, _ in batches]), images, rtol=0, atol=0)
    shuffled = torch.cat([batch for _, batch in signs.batches("validation", 50, random_state=3)])
    assert not shuffled.equal(labels)
    assert shuffled.sort().values.equal(labels.sort().values)
    assert shuffled.equal(torch.cat([batch for _, batch in signs.batches("validation", 50, random_state=3)]))

    foreign, _ = signs.tensors("validation", digits.to_rgb().normalization)
    mean, std = digits.to_rgb().normalization
    np.testing.assert_allclose(foreign.numpy(), ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2), atol=1e-5)


def test_unknown_names_offer_the_nearest_and_a_path():
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10'.* Or give the path of a folder"):
        load_images("cifar-10")
    with pytest.raises(DataNotFoundError, match="There is no file or folder pictures/of/cats"):
        load_images("pictures/of/cats")
    with pytest.raises(
        InvalidInputError, match="'name_or_path' parameter of load_images must be a str or a path. Got 3"
    ):
        load_images(3)


@pytest.mark.needs_data(FASHION.format("train-images-idx3"))
def test_fashion_mnist_as_debian_and_torchvision_have_it(shared_data, fashion, tmp_path, monkeypatch):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (shared_data / "images/fashion-mnist").iterdir():
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))  # unpacked, as torchvision leaves it
    found = load_images(tmp_path)
    assert found.class_names == fashion.class_names
    assert found.info == fashion.info
    assert fingerprint(found) == fingerprint(fashion)
    np.testing.assert_array_equal(found.images, fashion.images)

    monkeypatch.delenv("SURRONAS_DATA_DIR")
    monkeypatch.setattr("surronas.datasets.files.user_cache_dir", lambda name: str(tmp_path / "cache"))
    monkeypatch.setattr(idx, "_DEBIAN", tmp_path / "nowhere")
    with pytest.raises(DataNotFoundError, match="dataset-fashion-mnist.*torchvision"):
        load_images("fashion_mnist")
    monkeypatch.setattr(idx, "_DEBIAN", raw)
    assert fingerprint(load_images("fashion_mnist")) == fingerprint(fashion)

    labels = raw / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\x03")
    with pytest.raises(InvalidFileError, match="damaged: their content is not that of Fashion-MNIST"):
        load_images("fashion_mnist")
    labels.write_bytes(labels.read_bytes()[:-1])
    with pytest.raises(InvalidFileError, match="train-labels-idx1-ubyte is no whole idx file.* 60007 bytes, not 60008"):
        load_images(raw)
    labels.unlink()
    with pytest.raises(InvalidFileError, match="lacks train-labels-idx1-ubyte"):
        load_images(raw)


def test_torch_and_pil_wait_until_they_are_needed():
    code = (
        "import sys; from surronas import list_benchmarks, load_images; list_benchmarks(); d = load_images('digits');"
        "d.episode(5, 5, 5).normalization; print(*{'torch', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
