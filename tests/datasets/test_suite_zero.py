"""NAS-Bench-Suite-Zero's JSON, made in its two layouts from the real rows that were converted from it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from surronas.datasets import load_benchmark, load_table
from surronas.exceptions import InvalidFileError, UnknownNameError
from surronas.spaces import get_space

# Rows of the suite's files for TransNAS-Bench-101: architecture, validation metric, parameters in millions.
MICRO = {
    "(1, 0, 0, 2, 1, 0)": (34.89251708984375, 0.910687),
    "(3, 1, 0, 0, 2, 2)": (53.19466781616211, 8.064351),
    "(1, 3, 3, 2, 2, 3)": (52.687103271484375, 23.237983),
}
MACRO = {
    "(1, 2, 4, 2, 0, 0)": (54.29438781738281, 11.218783),
    "(1, 2, 1, 1, 1, 3)": (52.055137634277344, 3.081183),
    "(4, 4, 1, 4, 1, 0)": (52.13972854614258, 22.873439),
}


def rows_of(path, n=500):
    return pd.read_csv(path).head(n).set_index("arch").to_dict("index")


def suite(rows, seconds=0.5):
    """The suite's records: proxies with score and time, the accuracy a bare number."""
    return {
        arch: {
            "idx": str(i),
            "arch": arch,
            **{k: v if k == "val_accuracy" else {"score": v, "time": seconds} for k, v in row.items()},
        }
        for i, (arch, row) in enumerate(rows.items())
    }


def written(folder, name, content):
    path = folder / name
    path.write_text(json.dumps(content))
    return path


@pytest.mark.needs_data("nasbench101/zc13_500.csv")
@pytest.mark.parametrize("benchmark", ["nasbench101", "nasbench301"])
@pytest.mark.parametrize("layout", ["suite", "naslib"])
def test_either_layout_gives_the_benchmark(benchmark, layout, shared_data, tmp_path):
    rows = rows_of(shared_data / benchmark / "zc13_500.csv")
    content = {"cifar10": suite(rows)} if layout == "suite" else {benchmark: {"cifar10": rows}}
    path = written(tmp_path, f"zc_{benchmark}.json" if layout == "suite" else "proxies.json", content)
    table, expected = load_table(path, format="suite_zero"), load_benchmark(benchmark)
    assert table.space == expected.space
    assert table.dataset == "cifar10"
    np.testing.assert_array_equal(table.archs, expected.archs)
    pd.testing.assert_frame_equal(table.targets[list(expected.targets)], expected.targets)
    assert set(table.targets) == set(expected.targets)
    for name in expected.targets:
        ours, theirs = table.target(name), expected.target(name)
        assert (ours.unit, ours.maximize, ours.kind) == (theirs.unit, theirs.maximize, theirs.kind)
    assert "arXiv:2210.03230" in table.info.citation
    assert table.info.checksum.startswith(f"{path.name} sha256:")


@pytest.mark.needs_data("nasbench101/zc13_500.csv")
@pytest.mark.parametrize("benchmark", ["nasbench101", "nasbench301"])
def test_the_form_of_the_architectures_tells_the_space(benchmark, shared_data, tmp_path):
    rows = rows_of(shared_data / benchmark / "zc13_500.csv", 30)
    path = written(tmp_path, "mine.json", {"cifar10": suite(rows)})
    assert load_table(path, format="suite_zero").space == load_benchmark(benchmark).space


@pytest.mark.needs_data("nasbench201/nb201_zc_proxies.csv")
def test_nasbench201_by_dataset(shared_data, tmp_path):
    frame = pd.read_csv(shared_data / "nasbench201" / "nb201_zc_proxies.csv").head(300)
    proxies = ["synflow", "nwot", "params", "flops"]
    content = {
        dataset: suite(
            {
                net: {**dict(zip(proxies, values, strict=True)), "val_accuracy": accuracy}
                for net, values, accuracy in zip(frame["net"], frame[proxies].to_numpy(), accuracies, strict=True)
            }
        )
        for dataset, accuracies in (("cifar10", np.linspace(50, 94, 300)), ("cifar100", np.linspace(20, 73, 300)))
    }
    path = written(tmp_path, "zc_nasbench201.json", content)
    table = load_table(path, format="suite_zero", dataset="cifar100")
    np.testing.assert_array_equal(table.archs, get_space("nasbench201").parse(frame["net_str"]))
    np.testing.assert_array_equal(table.targets["synflow"], frame["synflow"])
    assert table.targets["val_accuracy"].max() == 73
    assert load_table(path, format="suite_zero").dataset == "cifar10"
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar100'"):
        load_table(path, format="suite_zero", dataset="cifar1000")


@pytest.mark.parametrize(("space", "rows"), [("micro", MICRO), ("macro", MACRO)])
def test_transnasbench101(space, rows, tmp_path):
    """The published networks have 63 classes whatever the task; dead operations count there and not here."""
    content = {"class_scene": suite({a: {"val_accuracy": v, "params": p, "jacov": -1e8} for a, (v, p) in rows.items()})}
    table = load_table(written(tmp_path, f"zc_transbench101_{space}.json", content), format="suite_zero")
    assert table.space.name == f"transnasbench101_{space}"
    assert table.targets["val_accuracy"].tolist() == [v for v, _ in rows.values()]
    assert table.target("val_accuracy").unit == "%"
    assert table.targets["jacov"].isna().all()
    assert "-1e8" in table.info.notes
    assert "3 of jacov" in table.info.notes
    cost = table.space.cost(table.archs, num_classes=63)["params"] / 1e6
    np.testing.assert_allclose(cost, table.targets["params"], rtol=1e-9)


@pytest.mark.parametrize(
    ("task", "value", "name", "kind", "expected"),
    [("room_layout", -0.65, "val_loss", "loss", 0.65), ("normal", 0.55, "val_ssim", "accuracy", 0.55)],
)
def test_tasks_that_are_not_measured_in_percent(task, value, name, kind, expected, tmp_path):
    content = {task: suite({arch: {"val_accuracy": value, "snip": 3.5} for arch in MICRO})}
    table = load_table(written(tmp_path, "zc_transbench101_micro.json", content), format="suite_zero")
    target = table.target(name)
    assert (target.kind, target.unit, target.maximize) == (kind, "", kind == "accuracy")
    assert (table.targets[name] == expected).all()


def test_numbers_that_are_not_there_are_missing(tmp_path):
    a, b, c = MICRO
    content = {
        "jigsaw": {
            a: {"id": "1", "val_accuracy": 90.5, "snip": {"score": float("nan"), "time": 1}},
            b: {
                "id": "2",
                "val_accuracy": 900.0,
                "snip": {"score": None, "time": 1},
                "fisher": {"score": 2, "time": 1},
            },
            c: {"id": "3", "snip": {"score": float("inf"), "time": 1}},
        }
    }
    table = load_table(written(tmp_path, "zc_transbench101_micro.json", content), format="suite_zero")
    assert list(table.targets) == ["val_accuracy", "fisher", "snip"]
    assert table.targets.notna().to_numpy().tolist() == [[True, False, False], [False, True, False], [False] * 3]
    assert "1 of val_accuracy, 1 of snip" in table.info.notes


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("proxies.json", {"cifar10": suite({"(0, 1, 2, 3, 0, 1)": {"snip": 1.0}})}, "does not say of which space"),
        ("proxies.json", {"cifar10": suite({"resnet": {"snip": 1.0}})}, "does not say of which space"),
        ("zc_nasbench201.json", {"cifar10": suite({"(0, 1, 2, 3, 0, 9)": {"snip": 1.0}})}, "Row 0 does not parse"),
        ("zc_nasbench201.json", {"cifar10": {"(0, 1, 2, 3, 0, 1)": {"snip": {"time": 1}}}}, "not laid out.*score"),
        ("zc_nasbench201.json", {"cifar10": {"(0, 1, 2, 3, 0, 1)": 5.0}}, "not laid out"),
        ("zc_nasbench201.json", {"cifar10": {"(0, 1, 2, 3, 0, 1)": {"arch": "x"}}}, "has no numbers"),
        ("zc_nasbench201.json", {"cifar10": {}}, "architectures by data set"),
        ("zc_nasbench201.json", {"cifar10": 3}, "architectures by data set"),
        ("zc_nasbench201.json", [1, 2], "not laid out"),
    ],
)
def test_files_laid_out_otherwise_are_refused(name, content, says, tmp_path):
    with pytest.raises(InvalidFileError, match=says):
        load_table(written(tmp_path, name, content), format="suite_zero")


def test_a_torn_file_is_refused(tmp_path):
    path = tmp_path / "zc_nasbench201.json"
    path.write_text('{"cifar10": {"(0, 1')
    with pytest.raises(InvalidFileError, match="not laid out"):
        load_table(path, format="suite_zero")


@pytest.mark.needs_data("nasbench101/zc13_500.csv")
@pytest.mark.parametrize("exchanged", [("2", "4"), ("3", "4")])
def test_other_operation_codes_are_noticed(exchanged, shared_data, tmp_path):
    """Some publish cells with 2 for the 3x3 convolution; the parameters give it away."""
    swap = str.maketrans("".join(exchanged), "".join(reversed(exchanged)))
    rows = rows_of(shared_data / "nasbench101" / "zc13_500.csv")
    content = {"cifar10": suite({arch.translate(swap): row for arch, row in rows.items()})}
    with pytest.raises(InvalidFileError, match="numbers operations otherwise"):
        load_table(written(tmp_path, "zc_nasbench101.json", content), format="suite_zero")
