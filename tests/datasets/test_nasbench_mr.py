"""NAS-Bench-MR's table against its files, read in another way."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from surronas.datasets import load_benchmark, nasbench_mr
from surronas.datasets.files import find_file
from surronas.exceptions import InvalidFileError, UnknownNameError

METRICS = {
    "cls-50-1000": ["top1", "top5"],
    "cls-50-100": ["top1", "top5"],
    "cls-10-1000": ["top1", "top5"],
    "seg": ["mIoU", "mAcc", "aAcc"],
    "video": ["top1", "top5"],
}
needs_files = pytest.mark.needs_data("nasbench_mr/seg.pkl")


def records(setting):
    """The standard unpickler, for files whose sha256 is known."""
    return pickle.loads(find_file(f"nasbench_mr/{setting}.pkl").read_bytes())


@pytest.fixture(scope="module")
def table():
    return load_benchmark("nasbench_mr")


@needs_files
def test_values_belong_to_their_architectures(table):
    names = [f"{setting.replace('-', '_')}_{metric}" for setting, metrics in METRICS.items() for metric in metrics]
    assert list(table.targets) == [*names, "params", "flops"]
    assert len(table) == 2_507
    embeddings = [tuple(row) for row in table.space.to_embedding(table.archs).tolist()]
    for setting, metrics in METRICS.items():
        by_embedding = {tuple(record["embedding"]): record for record in records(setting)}
        for metric in metrics:
            expected = [by_embedding[embedding][metric] for embedding in embeddings]
            np.testing.assert_array_equal(table.targets[f"{setting.replace('-', '_')}_{metric}"], expected)
        for name, unit in (("params", 1), ("flops", 1000)):
            expected = [unit * by_embedding[embedding][name] for embedding in embeddings]
            np.testing.assert_allclose(table.targets[name], expected, rtol=1e-12)


@needs_files
def test_targets_are_described(table):
    assert not table.targets.isna().any(axis=None)
    for name, column in table.targets.items():
        target = table.target(name)
        assert target.description
        assert (target.unit, target.maximize, target.kind) == {
            "params": ("millions", False, "size"),
            "flops": ("millions", False, "compute"),
        }.get(name, ("%", True, "accuracy"))
        assert column.between(0.01, 14_000).all()
    assert "arXiv:2103.13253" in table.info.citation
    assert table.info.checksum.count("sha256:") == 5
    for stricter, looser in (("cls_50_1000_top1", "cls_50_1000_top5"), ("seg_mIoU", "seg_mAcc")):
        assert (table.targets[stricter] < table.targets[looser]).all()


@needs_files
def test_tasks_want_different_networks(table):
    """Segmentation rewards size, video recognition punishes it: the reason for the benchmark."""
    rho = {
        name: spearmanr(table.targets[name], table.targets["params"]).statistic for name in ("seg_mIoU", "video_top1")
    }
    assert rho["seg_mIoU"] > 0.5
    assert rho["video_top1"] < -0.2


@needs_files
def test_one_setting_alone(table):
    seg = load_benchmark("nasbench_mr", "seg")
    assert seg.dataset == "seg"
    pd.testing.assert_frame_equal(seg.targets, table.targets[list(seg.targets)])
    assert list(seg.targets) == ["seg_mIoU", "seg_mAcc", "seg_aAcc", "params", "flops"]
    np.testing.assert_array_equal(seg.archs, table.archs)
    with pytest.raises(UnknownNameError, match="Did you mean 'cls-50-1000'"):
        load_benchmark("nasbench_mr", "cls-50-10000")


@needs_files
def test_settings_join_by_architecture_and_not_by_row(table, monkeypatch):
    def shuffled(path):
        content = pickle.loads(path.read_bytes())
        return (
            content if path.stem == "cls-50-1000" else [content[i] for i in np.random.default_rng(0).permutation(2507)]
        )

    monkeypatch.setattr(nasbench_mr, "load_pickle", shuffled)
    pd.testing.assert_frame_equal(nasbench_mr.load().targets, table.targets)


@needs_files
@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ("list", "not laid out"),
        ("metric", "not laid out"),
        ("embedding", "not laid out"),
        ("cost", "parameters or FLOPs are not those"),
        ("short", "must have the 2507 networks"),
        ("double", "must have the 2507 networks"),
    ],
)
def test_a_file_of_another_layout_is_refused(damage, text, monkeypatch):
    content = copy.deepcopy(records("seg"))
    if damage == "list":
        content = {"seg": content}
    elif damage == "metric":
        del content[7]["mIoU"]
    elif damage == "embedding":
        content[7]["embedding"][3] = 5
    elif damage == "cost":
        content[7]["embedding"][3] = 1 + content[7]["embedding"][3] % 4
    elif damage == "short":
        content.pop()
    else:
        content[7] = content[8]
    monkeypatch.setattr(nasbench_mr, "load_pickle", lambda path: content if path.stem == "seg" else records(path.stem))
    with pytest.raises(InvalidFileError, match=rf"nasbench_mr/seg\.pkl .*{text}"):
        nasbench_mr.load()
