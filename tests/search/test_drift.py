"""How values move with the weights, on made-up changes that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from moocore import hypervolume

from surronas.search.archive import Archive
from surronas.search.drift import Drift
from surronas.search.objectives import resolve_goals
from surronas.spaces import Gene, SearchSpace

SPACE = SearchSpace([Gene(f"g{i}", (0, 1, 2, 3), ordered=True) for i in range(4)])
GOALS = resolve_goals(["error", "madds"], None, {"val_accuracy": True, "madds": False})
STEPS = (6.0, 2.0, 1.0)


def accuracy(archs, version):
    """Each version is a step better, and favours the large."""
    return 50 + archs.sum(axis=1) + sum(STEPS[:version]) + 0.5 * version * archs[:, 0]


def told(archive, archs, version, noise=0.0):
    values = accuracy(archs, version) + noise
    frame = pd.DataFrame({"val_accuracy": values, "madds": archs.sum(axis=1) + 1.0})
    n = len(archs)
    return archive.add(archs, frame, seconds=[1.0] * n, version=version, iteration=version, reasons=[""] * n)


@pytest.fixture
def archs():
    return SPACE.sample(60, random_state=0)


def test_changes_over_one_and_several_versions_are_learnt(archs):
    archive = told(Archive(SPACE, GOALS), archs[:30], 0)
    archive = told(archive, archs[:15], 1)
    archive = told(archive, archs[30:60], 1)
    archive = told(archive, np.concatenate([archs[:4], archs[15:21], archs[30:40]]), 2)
    drift = Drift(archive, 2)
    old = archive.version < 2
    assert old.sum() == 40
    np.testing.assert_allclose(drift.mean[:, 0], accuracy(archive.archs, 2), atol=0.3)
    assert (drift.std[old, 0] > 0).all()
    assert not drift.std[~old].any()
    np.testing.assert_array_equal(drift.mean[:, 1], archive.values["madds"])
    assert not drift.std[:, 1].any()


def test_standard_deviations_are_those_of_the_noise(archs):
    rng = np.random.default_rng(0)
    archive = told(Archive(SPACE, GOALS), archs, 0)
    archive = told(archive, archs[:30], 1, rng.normal(0, 1.5, 30))
    drift = Drift(archive, 1)
    assert 1.0 < drift.std[30:, 0].mean() < 2.5
    wrong = np.abs(drift.mean[30:, 0] - accuracy(archs[30:], 1))
    assert (wrong < 2 * drift.std[30:, 0]).mean() > 0.9


def test_nothing_measured_again_is_nothing_known(archs):
    archive = told(told(Archive(SPACE, GOALS), archs[:30], 0), archs[30:35], 1)
    drift = Drift(archive, 1)
    doubt = drift.doubt(np.random.default_rng(0))
    assert np.isinf(doubt[:30]).all()
    assert not doubt[30:].any()


def test_what_cannot_reach_the_front_is_no_matter_of_doubt(archs):
    rng = np.random.default_rng(0)
    archive = told(Archive(SPACE, GOALS), archs, 0)
    archive = told(archive, archs[:20], 1, rng.normal(0, 0.3, 20))
    drift = Drift(archive, 1)
    doubt = drift.doubt(np.random.default_rng(0))
    behind = np.array(
        [
            any(
                m <= archs[i].sum() and a > drift.mean[i, 0] + 6 * drift.std[i, 0]
                for m, a in zip(archs.sum(1), drift.mean[:, 0] - 6 * drift.std[:, 0], strict=True)
            )
            for i in range(60)
        ]
    )
    assert behind.any()
    assert not doubt[behind].any()
    front = archive.moved(drift.mean, 1).front_rows
    assert (doubt[front[front >= 20]] > 0).any()
    assert not doubt[:20].any()


def test_doubt_is_the_deviation_of_what_leaving_one_out_costs(archs):
    archive = told(Archive(SPACE, GOALS), archs[:20], 0)
    archive = told(archive, archs[:8], 1, np.random.default_rng(0).normal(0, 0.3, 8))
    drift = Drift(archive, 1)
    objectives = GOALS.values(drift.mean)
    low, high = objectives.min(axis=0), objectives.max(axis=0)
    rng, ones, lost, whole = np.random.default_rng(5), np.ones(len(low)), [], []
    for _ in range(32):
        points = (GOALS.values(drift.mean + drift.std * rng.standard_normal(drift.mean.shape)) - low) / (high - low)
        whole.append(hypervolume(points, ref=ones))
        lost.append([whole[-1] - hypervolume(np.delete(points, row, axis=0), ref=ones) for row in range(20)])
    expected = np.where(drift.std.any(axis=1), np.std(lost, axis=0) / np.mean(whole), 0)
    assert expected.max() > 0
    np.testing.assert_allclose(drift.doubt(np.random.default_rng(5)), expected, atol=1e-12)


def test_failures_stay_failures(archs):
    archive = told(Archive(SPACE, GOALS), archs[:30], 0)
    archive = told(archive, archs[:12], 1, np.where(np.arange(12) == 3, np.nan, 0.0))
    archive = told(archive, archs[30:33], 1, np.nan)
    drift = Drift(archive, 1)
    assert np.isnan(drift.mean[[3, 30], 0]).all()
    assert np.isfinite(drift.mean[:, 0]).sum() == 29
    assert np.isfinite(drift.doubt(np.random.default_rng(0))).all()
