"""Hugging Face's parquet layout of an image classification data set."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from surronas.datasets.files import find_file
from surronas.datasets.images import register_images
from surronas.datasets.images.checks import Size
from surronas.datasets.images.decode import decode_images
from surronas.datasets.images.source import ImageSource, info_of_path, number_labels, part_of
from surronas.datasets.sources import info_of
from surronas.datasets.table import TableInfo
from surronas.exceptions import InvalidFileError


@register_images("cifar10")
def load_cifar10(size: Size | None = None) -> ImageSource:
    """60,000 colour images of 32x32 pixels in 10 classes, re-encoded as JPEG, so not bit for bit the original's."""
    return _registered("cifar10", "A JPEG re-encoding: pixels differ a little from those of the original.", size)


@register_images("sign_digits")
def load_sign_digits(size: Size | None = None) -> ImageSource:
    """2,062 colour photographs of hands that sign the digits 0 to 9, scaled to 32x32 pixels."""
    return _registered("sign_digits", "It is not known whether a person's hand is in both parts.", size)


def read(path: Path, size: Size | None = None) -> ImageSource:
    """A parquet file, or a folder of them: ``data/train-00000-of-00001.parquet``, ``test/0000.parquet``."""
    if path.is_file():
        return _read(path.stem, {"train": [path]}, size)
    files = sorted(path.rglob("*.parquet"))
    parts: dict[str, list[Path]] = {}
    for file in files:
        words = [re.split(r"[-_.]", file.name)[0], *file.relative_to(path).parts[-2:-1]]
        part = next(filter(None, map(part_of, words)), "train" if len(files) == 1 else None)
        if part is None:
            raise InvalidFileError(f"The name of {file} does not say whether it is for train, validation or test.")
        parts.setdefault(part, []).append(file)
    return _read(path.name, parts, size)


def _registered(name: str, notes: str, size: Size | None) -> ImageSource:
    names = {part: f"images/{name}/{part}-00000-of-00001.parquet" for part in ("train", "test")}
    files = {part: [find_file(file)] for part, file in names.items()}
    return _read(name, files, size, info_of(list(names.values()), notes))


def _read(name: str, files: dict[str, list[Path]], size: Size | None, info: TableInfo | None = None) -> ImageSource:
    first = next(iter(files.values()))[0]
    encoded, labels = {}, {}
    for part, listed in files.items():
        encoded[part], labels[part], columns = _rows(listed)
    known = _class_names(first, columns[1])
    numbers, class_names = number_labels({part: np.array(values) for part, values in labels.items()}, known, name)
    images = decode_images(encoded, size, name)
    pairs = {part: (images[part], numbers[part]) for part in files}
    notes = f"Images from the column {columns[0]!r}, labels from {columns[1]!r}."
    return ImageSource(name, pairs, class_names, info or info_of_path(first.parent, pairs, notes))


def _rows(files: list[Path]) -> tuple[tuple[list[str], list[bytes]], list[Any], tuple[str, str]]:
    """What to call each row and its encoded image, its label, and the names of the two columns."""
    from pyarrow import ArrowException
    from pyarrow.compute import struct_field
    from pyarrow.parquet import ParquetFile

    names: list[str] = []
    encoded: list[bytes] = []
    labels: list[Any] = []
    for path in files:
        try:
            with ParquetFile(path) as opened:
                columns = _columns(opened.schema_arrow, path)
                table = opened.read(list(columns))
        except (ArrowException, OSError) as error:
            raise InvalidFileError(f"{path} is no readable parquet file: {error}") from error
        images = struct_field(table[columns[0]], "bytes").to_pylist()
        empty = next((row for row, image in enumerate(images) if not image), None)
        if empty is not None:
            raise InvalidFileError(f"Row {empty} of {path} has no image bytes in the column {columns[0]!r}.")
        names += [f"in row {row} of {path}" for row in range(len(images))]
        encoded += images
        labels += table[columns[1]].to_pylist()
    return (names, encoded), labels, columns


def _columns(schema: Any, path: Path) -> tuple[str, str]:
    """The first column of images, and ``label``, else the first that Hugging Face calls a ``ClassLabel``."""
    from pyarrow.types import is_binary, is_large_binary, is_nested, is_struct

    structs = [field for field in schema if is_struct(field.type) and field.type.get_field_index("bytes") >= 0]
    types = {field.name: field.type.field("bytes").type for field in structs}
    images = [name for name, type in types.items() if is_binary(type) or is_large_binary(type)]
    labels = [name for name, feature in _features(schema).items() if feature.get("_type") == "ClassLabel"]
    labels = ["label"] if "label" in schema.names else labels
    if not images or not labels or is_nested(schema.field(labels[0]).type):
        raise InvalidFileError(
            f"{path} must have a column of images, a struct of bytes and path, and a column 'label'. "
            f"Got {', '.join(f'{field.name}: {field.type}' for field in schema)}."
        )
    return images[0], labels[0]


def _class_names(path: Path, column: str) -> list[str] | None:
    """From the file's metadata, else ``dataset_infos.json`` or ``README.md`` beside the file or its folder."""
    from pyarrow.parquet import read_schema

    names = _features(read_schema(path)).get(column, {}).get("names")
    names = names if isinstance(names, list) else None
    for folder, (read, name) in product(
        path.parents[:2], ((_from_infos, "dataset_infos.json"), (_from_card, "README.md"))
    ):
        with suppress(AttributeError, LookupError, TypeError, ValueError):  # somebody else's README, say
            names = names or read(folder / name, column)
    return names and [str(name) for name in names]


def _features(schema: Any) -> dict[str, Any]:
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = dict(described.get("info", {}).get("features", {}))
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise InvalidFileError(
            f"What the parquet file's metadata says of 'huggingface' is damaged: {error!r}."
        ) from error
    return {name: feature for name, feature in features.items() if isinstance(feature, dict)}


def _from_infos(path: Path, column: str) -> list[str] | None:
    if not path.is_file():
        return None
    for described in json.loads(path.read_text(encoding="utf-8")).values():
        names = described.get("features", {}).get(column, {}).get("names")
        if names:
            return list(names)
    return None


def _from_card(path: Path, column: str) -> list[str] | None:
    """The card's front matter: ``dataset_info: features: - name: label, dtype: class_label: names: {'0': ...}``."""
    import yaml

    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    try:
        card = yaml.safe_load(text.split("---")[1]) if text.startswith("---") else None
    except yaml.YAMLError:
        card = None  # somebody else's README, say
    described = card.get("dataset_info", {}) if isinstance(card, dict) else {}
    for config in described if isinstance(described, list) else [described]:
        for feature in config.get("features", []):
            dtype = feature.get("dtype")
            if feature.get("name") == column and isinstance(dtype, dict) and "class_label" in dtype:
                names = dtype["class_label"]["names"]
                return [names[key] for key in sorted(names, key=int)] if isinstance(names, dict) else list(names)
    return None
