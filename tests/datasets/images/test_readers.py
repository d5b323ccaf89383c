"""A user's own images: class folders, numpy archives, parquet and idx files, whole, damaged and hostile."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from surronas.datasets.images import load_images
from surronas.exceptions import DataNotFoundError, InvalidFileError, InvalidInputError

NAMES = ("cat", "dog", "emu")


@pytest.fixture(scope="module")
def pictures():
    """60 different colour images of 12x10 pixels, 20 of each of three classes."""
    rng = np.random.RandomState(0)
    return rng.randint(0, 256, (60, 12, 10, 3)).astype(np.uint8), np.arange(60) % 3


def encoded(image, suffix="PNG", **options):
    stream = BytesIO()
    Image.fromarray(image).save(stream, suffix, **options)
    return stream.getvalue()


def put_folder(folder: Path, images, labels, start=0):
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / NAMES[label] / f"{start + row:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(image))


def put_parquet(path: Path, images, labels, metadata=None, column="image"):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = [image if isinstance(image, bytes) else encoded(image) for image in images]
    table = pa.table({column: [{"bytes": item, "path": None} for item in content], "label": labels})
    if metadata is not None:
        features = {column: {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": metadata}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)


def same(data, images, labels):
    """The data hold these images and labels, in whatever order."""
    ours = sorted((image.tobytes(), int(label)) for image, label in zip(data.images, data.labels, strict=True))
    assert ours == sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))
    return True


def test_class_folders(tmp_path, pictures):
    images, labels = pictures
    put_folder(tmp_path, images, labels)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    data = load_images(tmp_path, test_size=12, validation_size=6)
    assert same(data, images, labels)
    assert data.class_names == NAMES
    assert {split: np.bincount(data.split(split)[1]).tolist() for split in data.indices} == {
        "train": [14, 14, 14],
        "validation": [2, 2, 2],
        "test": [4, 4, 4],
    }
    assert data.info.source == str(tmp_path)


def test_class_folders_below_train_val_and_test(tmp_path, pictures):
    images, labels = pictures
    for part, rows in {"train": slice(0, 30), "val": slice(30, 45), "test": slice(45, 60)}.items():
        put_folder(tmp_path / part, images[rows], labels[rows])
    data = load_images(str(tmp_path))
    assert {split: len(rows) for split, rows in data.indices.items()} == {"train": 30, "validation": 15, "test": 15}
    assert same(data, images, labels)
    assert {image.tobytes() for image in data.split("test")[0]} == {image.tobytes() for image in images[45:]}


def test_classes_may_be_called_like_parts(tmp_path, pictures):
    images, labels = pictures
    for label, name in enumerate(("test", "train_engine", "val_d_isere")):
        put_folder(tmp_path / "here", images[labels == label], labels[labels == label])
        (tmp_path / "here" / NAMES[label]).rename(tmp_path / name)
    (tmp_path / "here").rmdir()
    data = load_images(tmp_path)
    assert data.class_names == ("test", "train_engine", "val_d_isere")
    assert same(data, images, labels)


def test_grey_and_transparent_images(tmp_path, pictures):
    images, labels = pictures
    put_folder(tmp_path, images[..., 0], labels)
    grey = load_images(tmp_path)
    assert grey.images.shape == (60, 12, 10, 1)
    Image.fromarray(images[0]).convert("RGBA").save(tmp_path / "cat" / "000.png")
    Image.fromarray(images[3]).quantize(16).save(tmp_path / "cat" / "001.png", transparency=b"\x00\x80")
    mixed = load_images(tmp_path)
    assert mixed.images.shape == (61, 12, 10, 3)
    assert images[0].tobytes() in {image.tobytes() for image in mixed.images}
    assert np.repeat(images[1, ..., :1], 3, axis=-1).tobytes() in {image.tobytes() for image in mixed.images}


def test_a_photograph_is_turned_as_its_camera_says(tmp_path, pictures):
    images, labels = pictures
    turned = [np.rot90(image) for image in images[:6]] + list(images[6:])
    put_folder(tmp_path, images, labels)
    for row in range(6):
        exif = Image.Exif()
        exif[0x0112] = 6  # turn clockwise to see it upright
        (tmp_path / NAMES[row % 3] / f"{row:03}.png").write_bytes(encoded(np.ascontiguousarray(turned[row]), exif=exif))
    assert same(load_images(tmp_path), images, labels)


def test_images_of_several_sizes_need_a_size(tmp_path, pictures):
    images, labels = pictures
    put_folder(tmp_path, images, labels)
    large = np.repeat(np.repeat(255 - images[0], 9, axis=0), 9, axis=1)
    (tmp_path / "emu" / "large.png").write_bytes(encoded(large))
    with pytest.raises(
        InvalidInputError, match=r"differ in size: .*000\.png has 12x10 pixels, .*large\.png 108x90\. Give"
    ):
        load_images(tmp_path)
    data = load_images(tmp_path, size=(6, 5))
    assert data.images.shape == (61, 6, 5, 3)
    expected = np.asarray(Image.fromarray(large).resize((5, 6), Image.Resampling.BILINEAR))
    assert expected.tobytes() in {image.tobytes() for image in data.images}


def test_large_images_are_decoded_by_several_threads_in_order(tmp_path):
    images = np.random.RandomState(0).randint(0, 256, (12, 80, 90, 3)).astype(np.uint8)
    put_folder(tmp_path, images, np.arange(12) % 2)
    assert same(load_images(tmp_path, validation_size=0, test_size=2), images, np.arange(12) % 2)


def test_a_damaged_image_is_named(tmp_path, pictures):
    images, labels = pictures
    put_folder(tmp_path, images, labels)
    path = tmp_path / "dog" / "001.png"
    for content in (path.read_bytes()[:150], b"no image", b""):
        path.write_bytes(content)
        with pytest.raises(InvalidFileError, match=r"dog/001\.png cannot be decoded"):
            load_images(tmp_path)
    Image.fromarray(np.zeros((12, 10), dtype=np.uint16)).save(path)
    with pytest.raises(InvalidFileError, match=r"dog/001\.png .*more than 8 bits each"):
        load_images(tmp_path)


def test_folders_without_images(tmp_path, pictures):
    with pytest.raises(
        InvalidFileError, match="holds no images: expected parquet files, idx files, or one folder a class"
    ):
        load_images(tmp_path)
    put_folder(tmp_path, *pictures)
    (tmp_path / "fox").mkdir()
    with pytest.raises(InvalidFileError, match="The class folder .*fox has no image"):
        load_images(tmp_path)
    with pytest.raises(InvalidInputError, match=r"must be a folder, a \.parquet or an \.npz file"):
        load_images(tmp_path / "cat" / "000.png")
    with pytest.raises(DataNotFoundError, match="There is no file or folder"):
        load_images(tmp_path / "gnu")


def test_a_class_without_training_images(tmp_path, pictures):
    images, labels = pictures
    put_folder(tmp_path / "train", images[labels < 2], labels[labels < 2])
    put_folder(tmp_path / "test", images[:3], labels[:3])
    with pytest.raises(InvalidFileError, match="has images of the class 'emu', but no training image of it"):
        load_images(tmp_path)


def test_a_class_too_small_to_split(tmp_path, pictures):
    images, labels = pictures
    put_folder(tmp_path, images[:-19], np.where(np.arange(41) == 7, 2, labels[:41] % 2))
    with pytest.raises(
        InvalidInputError,
        match="'test_size' parameter of load_images .*every class an image on both sides.* has 1 of them",
    ):
        load_images(tmp_path)


@pytest.mark.parametrize(
    "keys",
    [
        ("x", "y", None, None),
        ("images", "labels", None, None),
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "val_images", "val_labels"),
    ],
)
def test_npz(tmp_path, pictures, keys):
    images, labels = pictures
    path = tmp_path / "pets.npz"
    if keys[2] is None:
        np.savez(path, **{keys[0]: images, keys[1]: labels, "class_names": np.array(NAMES), "seed": 3})
    else:
        arrays = {keys[0]: images[:48], keys[1]: labels[:48, None], keys[2]: images[48:], keys[3]: labels[48:, None]}
        np.savez_compressed(path, **arrays, class_names=np.array(NAMES))
    data = load_images(path)
    assert same(data, images, labels)
    assert data.name == "pets"
    assert data.class_names == NAMES
    if keys[2] is not None:
        split = "validation" if "val" in keys[2] else "test"
        np.testing.assert_array_equal(data.split(split)[0], images[48:])


def test_npz_of_grey_images_and_labels_with_gaps(tmp_path, pictures):
    images, labels = pictures
    path = tmp_path / "grey.npz"
    np.savez(path, x=images[..., 0].astype(np.int32), y=labels * 10 - 5)
    data = load_images(path)
    assert data.images.shape == (60, 12, 10, 1)
    assert data.class_names == ("-5", "5", "15")
    assert same(data, images[..., :1], labels)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"x": np.zeros((60, 12, 10, 3))}, r"must be 60 arrays .* ints from 0 to 255\. Got float64 of shape"),
        ({"x": np.full((60, 12, 10), 256)}, "ints from 0 to 255"),
        ({"x": np.zeros((60, 3, 12, 10), dtype=np.uint8)}, r"Got uint8 of shape \(60, 3, 12, 10\)"),
        ({"x": np.zeros((59, 12, 10), dtype=np.uint8)}, "must be 60 arrays"),
        ({"y": np.zeros(60)}, "train labels of .* must be one int or str an image. Got float64"),
        ({"y": None}, "must have arrays x and y, or images and labels.* Got x"),
        ({"class_names": np.array(["cat", "dog"])}, "from 0 to 1, the number of a class. Row 2 has 2"),
    ],
)
def test_npz_that_cannot_be_images(tmp_path, pictures, changes, text):
    path = tmp_path / "bad.npz"
    arrays = {"x": pictures[0], "y": pictures[1]} | changes
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    with pytest.raises(InvalidFileError, match=text):
        load_images(path)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_npz_with_a_pickle_is_refused_unopened(tmp_path, pictures):
    canary = tmp_path / "canary"
    path = tmp_path / "hostile.npz"
    np.savez(path, x=pictures[0], y=pictures[1], class_names=np.array([Hostile(canary)], dtype=object))
    with pytest.raises(
        InvalidFileError, match=r"hostile\.npz is not a numpy archive of plain arrays: .*allow_pickle=False"
    ):
        load_images(path)
    assert not canary.exists()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InvalidFileError, match="not a numpy archive"):
        load_images(path)
    np.save(tmp_path / "one.npy", pictures[0])
    (tmp_path / "one.npy").rename(path)
    with pytest.raises(InvalidFileError, match="not a numpy archive"):
        load_images(path)


def test_repeated_images_are_in_one_split_only(tmp_path, pictures):
    images, labels = pictures
    path = tmp_path / "repeats.npz"
    train = np.concatenate([images[:48], images[:5], images[48:50]])  # five repeat a training image, two a test image
    np.savez(
        path,
        x_train=train,
        y_train=np.concatenate([labels[:48], labels[:4], [2], labels[48:50]]),  # row 4's repeat has another label
        x_test=np.concatenate([images[48:], images[59:]]),  # a repeat within the test part stays
        y_test=np.concatenate([labels[48:], labels[59:]]),
    )
    data = load_images(path)
    assert len(data.indices["test"]) == 13
    assert len(data) == 61
    found = {split: {image.tobytes() for image in data.split(split)[0]} for split in data.indices}
    assert not found["train"] & found["test"]
    assert not found["train"] & found["validation"]
    assert not found["validation"] & found["test"]
    assert sum(map(len, found.values())) == 60
    assert "8 images of 68 repeat another one's pixels, 1 of them with another label; 7 are left out" in data.info.notes


def test_parquet_names_of_classes_and_parts(tmp_path, pictures):
    images, labels = pictures
    put_parquet(tmp_path / "data/train-00000-of-00002.parquet", images[:20], labels[:20], NAMES, "img")
    put_parquet(tmp_path / "data/train-00001-of-00002.parquet", images[20:40], labels[20:40], NAMES, "img")
    put_parquet(tmp_path / "data/validation-00000-of-00001.parquet", images[40:50], labels[40:50], NAMES, "img")
    put_parquet(tmp_path / "data/test-00000-of-00001.parquet", images[50:], labels[50:], NAMES, "img")
    data = load_images(tmp_path)
    assert {split: len(rows) for split, rows in data.indices.items()} == {"train": 40, "validation": 10, "test": 10}
    assert same(data, images, labels)
    assert data.class_names == NAMES
    assert "column 'img'" in data.info.notes
    one = load_images(tmp_path / "data" / "test-00000-of-00001.parquet", validation_size=3, test_size=3)
    assert len(one) == 10


CARD = """---
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names: {'0': cat, '2': emu, '1': dog}
---
# Pets
"""


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("README.md", CARD, NAMES),
        ("dataset_infos.json", json.dumps({"default": {"features": {"label": {"names": NAMES}}}}), NAMES),
        ("README.md", "# Pets\n", ("0", "1", "2")),
        ("README.md", "---\n- of: [another\n---\n", ("0", "1", "2")),
        ("README.md", "---\n- a list\n---\n", ("0", "1", "2")),
    ],
)
def test_parquet_names_of_classes_beside_it(tmp_path, pictures, file, content, expected):
    put_parquet(tmp_path / "pets/data/train.parquet", *pictures)
    (tmp_path / "pets" / file).write_text(content)
    assert load_images(tmp_path / "pets").class_names == expected


def test_parquet_labels_by_name(tmp_path, pictures):
    put_parquet(tmp_path / "pets.parquet", pictures[0], [NAMES[label] for label in pictures[1]])
    data = load_images(tmp_path / "pets.parquet")
    assert data.class_names == NAMES
    assert same(data, *pictures)


def test_parquet_with_two_kinds_of_label(tmp_path, pictures):
    path = tmp_path / "train.parquet"
    fine, coarse = pictures[1], pictures[1] // 2
    content = [{"bytes": encoded(image), "path": None} for image in pictures[0]]
    features = {
        name: {"_type": "ClassLabel", "names": names} for name, names in (("fine", NAMES), ("coarse", ["a", "b"]))
    }
    table = pa.table({"img": content, "fine": fine, "coarse": coarse})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), path)
    data = load_images(path)
    assert same(data, *pictures)
    assert data.class_names == NAMES
    assert "labels from 'fine'" in data.info.notes


def test_parquet_that_cannot_be_images(tmp_path, pictures):
    images, labels = pictures
    path = tmp_path / "train.parquet"
    whole = [encoded(image, "JPEG") for image in images]
    put_parquet(path, [*whole[:7], whole[7][:300], *whole[8:]], labels)
    with pytest.raises(InvalidFileError, match=r"The image in row 7 of .*train\.parquet cannot be decoded"):
        load_images(path)
    put_parquet(path, [*whole[:7], b"", *whole[8:]], labels)
    with pytest.raises(InvalidFileError, match=r"Row 7 of .*train\.parquet has no image bytes in the column 'image'"):
        load_images(path)
    put_parquet(path, images, [*labels[:-1], 3], NAMES)
    with pytest.raises(InvalidFileError, match="must be from 0 to 2, the number of a class. Row 59 has 3"):
        load_images(path)
    put_parquet(path, images, [*labels[:-1], None])
    with pytest.raises(InvalidFileError, match="labels of train must be one int or str an image. Got object"):
        load_images(path)
    pq.write_table(pa.table({"x": [1, 2], "label": [0, 1]}), path)
    with pytest.raises(InvalidFileError, match="must have a column of images, .* Got x: int64, label: int64"):
        load_images(path)
    put_parquet(path, [], pa.array([], pa.int64()))
    with pytest.raises(InvalidFileError):
        load_images(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InvalidFileError, match=r"train\.parquet is no readable parquet file"):
        load_images(path)
    put_parquet(path, images, labels)
    put_parquet(tmp_path / "more.parquet", images, labels)
    with pytest.raises(
        InvalidFileError, match=r"more\.parquet does not say whether it is for train, validation or test"
    ):
        load_images(tmp_path)


def test_idx_files_of_another_data_set(tmp_path, pictures):
    images, labels = pictures[0][..., 0], pictures[1].astype(np.uint8)
    for part, rows in {"train": slice(0, 48), "t10k": slice(48, 60)}.items():
        shape = b"".join(length.to_bytes(4, "big") for length in images[rows].shape)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + shape + images[rows].tobytes())
        n = len(labels[rows]).to_bytes(4, "big")
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + n + labels[rows].tobytes())
    data = load_images(tmp_path)
    assert data.class_names == ("0", "1", "2")
    np.testing.assert_array_equal(data.split("test")[0][..., 0], images[48:])
    assert same(data, images[..., None], labels)
    (tmp_path / "t10k-labels-idx1-ubyte").rename(tmp_path / "t10k-labels-idx1-ubyte.gz")
    with pytest.raises(InvalidFileError, match=r"t10k-labels-idx1-ubyte\.gz is damaged"):
        load_images(tmp_path)


def test_damaged_numpy_archives_are_refused_or_read(tmp_path):
    """Whatever byte is damaged: zlib, zipfile and numpy each have errors of their own."""
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.arange(64 * 9).reshape(9, 8, 8) % 251, y=np.arange(9) % 3)
    content, refused = path.read_bytes(), 0
    for at in range(0, len(content), 3):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            load_images(path, test_size=0, validation_size=0)
        except (InvalidFileError, InvalidInputError):
            refused += 1
    assert refused > 20


def test_arrays_that_claim_to_be_huge_are_refused(tmp_path):
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**50,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        for name in ("x.npy", "y.npy"):
            file.writestr(name, header.getvalue())
    with pytest.raises(InvalidFileError, match="not a numpy archive of plain arrays"):
        load_images(tmp_path / "a.npz")


@pytest.mark.parametrize("axes", [0, 4, 200])
def test_idx_files_of_other_axes_are_refused(tmp_path, axes):
    labels = b"\0\0\x08\1" + (2).to_bytes(4, "big") + b"\0\1"
    images = b"\0\0\x08" + bytes([axes]) + (1).to_bytes(4, "big") * axes + b"x"
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(labels)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(images)
    with pytest.raises(InvalidFileError, match="no whole idx file"):
        load_images(tmp_path)


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"info": {"features": 7}}', b"\xff", b"[" * 100_000])
def test_metadata_that_is_damaged_is_refused(pictures, tmp_path, metadata):
    table = pa.table({"image": [{"bytes": encoded(pictures[0][0]), "path": None}], "label": [0]})
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "a.parquet")
    with pytest.raises(InvalidFileError, match="'huggingface' is damaged"):
        load_images(tmp_path / "a.parquet")


def test_columns_of_other_types_are_no_images_or_labels(pictures, tmp_path):
    """Text in place of encoded images would name files to open."""
    image = encoded(pictures[0][0])
    for column, label in (({"bytes": "/etc/passwd"}, 0), ({"bytes": image}, [0, 1]), ({"bytes": image}, {"a": 1})):
        pq.write_table(pa.table({"image": [column] * 9, "label": [label] * 9}), tmp_path / "a.parquet")
        with pytest.raises(InvalidFileError, match="must have a column of images"):
            load_images(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["README.md", "dataset_infos.json"])
@pytest.mark.parametrize("content", [b"---\ndataset_info: [7]\n---\n", b"\xff\xfe", b"{", b"[1]", b'{"a": 7}'])
def test_a_foreign_file_beside_the_images_is_passed_over(pictures, tmp_path, name, content):
    put_parquet(tmp_path / "a.parquet", *pictures)
    (tmp_path / name).write_bytes(content)
    assert load_images(tmp_path / "a.parquet").class_names == ("0", "1", "2")
