"""TransNAS-Bench-101's table against its file, read in another way."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from surronas.datasets import load_benchmark, sources, transnasbench101
from surronas.datasets.files import find_file
from surronas.exceptions import InvalidFileError, UnknownNameError

FILE = "transnasbench101/micro_alltasks_val.csv"
COLUMNS = {
    "class_scene": "class_scene_val_accuracy",
    "class_object": "class_object_val_accuracy",
    "jigsaw": "jigsaw_val_accuracy",
    "segmentsemantic": "segmentsemantic_val_accuracy",
    "normal": "normal_val_ssim",
    "autoencoder": "autoencoder_val_ssim",
    "room_layout": "room_layout_val_loss",
}
needs_file = pytest.mark.needs_data(FILE)


@needs_file
def test_values_belong_to_their_architectures():
    table = load_benchmark("transnasbench101")
    with find_file(FILE).open(newline="") as stream:
        published = {tuple(map(int, row["arch"].strip("()").split(","))): row for row in csv.DictReader(stream)}
    assert len(table) == len(published) == 4_096
    assert list(table.targets) == list(COLUMNS.values())
    for task, name in COLUMNS.items():
        sign = -1 if task == "room_layout" else 1
        expected = np.array([sign * float(published[tuple(row)][task]) for row in table.archs.tolist()])
        known = table.targets[name].notna().to_numpy()
        np.testing.assert_allclose(table.targets[name][known], expected[known], rtol=1e-12)
        assert (~known).sum() == (task == "jigsaw")


@needs_file
def test_units_and_directions_fit_the_values():
    table = load_benchmark("transnasbench101", "taskonomy")
    for name, column in table.targets.items():
        target = table.target(name)
        assert target.maximize == (target.kind == "accuracy") == (name != "room_layout_val_loss")
        assert (target.unit == "%") == name.endswith("accuracy")
        assert column.min() > 0
        assert 1 < column.max() < 100 if target.unit == "%" else 0.5 < column.max() < 1.1
        assert target.description
    disconnected = ~table.space.canonical(table.archs).any(axis=1)
    best = table.targets["class_scene_val_accuracy"].idxmax()
    for name, column in table.targets.items():  # better is better in every task
        bad, good = column[disconnected].median(), column[best]
        assert good > bad if table.target(name).maximize else good < bad


@needs_file
def test_the_diverged_run_is_missing_and_said_so():
    """Nothing but skip connections: 0.03 % in jigsaw, though other cells without convolutions have 50 to 73 %."""
    table = load_benchmark("transnasbench101")
    jigsaw = table.targets["jigsaw_val_accuracy"]
    (row,) = np.flatnonzero(jigsaw.isna())
    assert table.space.format(table.archs[[row]]) == ["64-41414-1_11_111"]
    no_convolutions = (table.archs < 2).all(axis=1) & table.space.canonical(table.archs).any(axis=1)
    assert jigsaw[no_convolutions].dropna().min() > 50
    assert "Diverged runs set to missing: 1 of jigsaw_val_accuracy" in table.info.notes


@needs_file
def test_what_the_notes_say_of_the_data():
    table = load_benchmark("transnasbench101")
    targets, keys = table.targets, table.space.key(table.archs)
    connected = table.space.canonical(table.archs).any(axis=1)
    assert len(targets.drop_duplicates()) == 2_994
    assert (~connected).sum() == 169
    assert len(np.unique(keys)) == 1_376
    for task, count in (("class_object", 280), ("segmentsemantic", 377)):
        column = targets[f"{task}_val_accuracy"]
        assert (connected & (column < column[~connected].min())).sum() == count
    spread = targets.groupby(keys).std().mean()
    assert spread["class_scene_val_accuracy"] == pytest.approx(0.3, abs=0.05)
    assert spread["jigsaw_val_accuracy"] == pytest.approx(1.2, abs=0.1)
    train, test = table.split(100, random_state=0)
    assert len(train) + len(test) == 1_376


@needs_file
@pytest.mark.parametrize("damage", ["double", "short", "column", "text", "arch"])
def test_a_file_of_another_layout_is_refused(damage, tmp_path, monkeypatch):
    lines = find_file(FILE).read_text().splitlines()
    if damage == "double":
        lines[5] = lines[6]
    elif damage == "short":
        lines.pop()
    elif damage == "column":
        lines[0] = lines[0].replace("jigsaw", "puzzle")
    elif damage == "text":
        lines[5] = lines[5].replace(".", "x")
    else:
        lines[5] = lines[5].replace("0, 0", "0, 9", 1)
    path = tmp_path / "damaged.csv"
    path.write_text("\n".join(lines))
    monkeypatch.setattr(sources, "find_file", lambda name: path)
    with pytest.raises(InvalidFileError, match=r"transnasbench101/micro_alltasks_val\.csv"):
        transnasbench101.load()


@needs_file
def test_rows_are_joined_by_architecture(tmp_path, monkeypatch):
    head, *rows = find_file(FILE).read_text().splitlines()
    path = tmp_path / "shuffled.csv"
    path.write_text("\n".join([head, *rows[::-1]]))
    expected = load_benchmark("transnasbench101").targets
    monkeypatch.setattr(sources, "find_file", lambda name: path)
    assert transnasbench101.load().targets.equals(expected)


def test_there_is_one_dataset():
    with pytest.raises(UnknownNameError, match="taskonomy"):
        load_benchmark("transnasbench101", "jigsaw")
