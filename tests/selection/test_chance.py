"""The factor of a chance constraint: closed form, by simulation, and on a table."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

import surronas as sn
from surronas.exceptions import InvalidInputError, SurronasError
from surronas.selection.chance import safe_factor


def factor(residuals, confidence, mean=None, n_keeping=0):
    residuals = np.asarray(residuals, dtype=float)
    return safe_factor(residuals, np.zeros(len(residuals)) if mean is None else mean, n_keeping, confidence)


def test_of_rows_all_alike_it_is_the_one_sided_conformal_quantile():
    residuals = np.random.default_rng(0).permutation(np.arange(1.0, 20.0))
    for confidence, expected in ((0.9, 18.0), (0.5, 10.0), (0.95, 19.0), (0.91, 19.0)):
        assert factor(residuals, confidence, n_keeping=19) == expected


def test_beyond_what_n_residuals_can_say_it_is_a_normal_tail():
    residuals = np.arange(-3.0, 5.0)
    assert factor(residuals, 0.99, n_keeping=8) == pytest.approx(4 * norm.ppf(0.99) / norm.ppf(8 / 9))
    assert factor(-residuals - 10, 0.99, n_keeping=8) > 0


def test_rows_predicted_to_keep_the_limit_count_alone_too():
    """A hundred rows, of which the forty predicted lowest are predicted three times worse."""
    mean = np.arange(100.0)
    residuals = np.random.default_rng(0).permutation(np.arange(1.0, 101.0)) / 100
    residuals[:40] = 3 * np.random.default_rng(1).permutation(np.arange(1.0, 41.0)) / 40
    assert factor(residuals, 0.9, mean, n_keeping=40) == np.sort(residuals[:40])[36]
    assert factor(residuals, 0.9, mean, n_keeping=100) == np.sort(residuals)[90]
    assert factor(residuals[::-1], 0.9, mean, n_keeping=40) == np.sort(residuals)[90]


def test_where_few_are_predicted_to_keep_the_limit_every_large_residual_may_be_among_them():
    residuals = np.random.default_rng(0).permutation(np.arange(1.0, 101.0))
    assert factor(residuals, 0.9, np.arange(100.0), n_keeping=10) == 100  # of 101 * 0.99
    assert factor(residuals, 0.9, np.arange(100.0), n_keeping=1) > 100
    assert factor(residuals, 0.8, np.arange(100.0), n_keeping=10) >= 99  # of 101 * 0.98


@pytest.mark.parametrize("spread", [(1, 1), (1.5, 0.5)])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_of_the_accepted_no_more_than_allowed_break_the_limit(spread, share):
    """Normal scores about their predictions, the spread wrong for half of them; 100 labels, the mean over 300 draws."""
    rng = np.random.default_rng(100)
    accepted = broken = 0
    limit = norm.ppf(share) * np.sqrt(2)
    for _ in range(300):
        mean = rng.normal(size=300)
        scores = mean + rng.normal(size=300) * np.where(mean < 0, *spread)
        found = factor(scores[:100] - mean[:100], 0.9, mean[:100], int((mean[:100] <= limit).sum()))
        takes = mean[100:] + found <= limit
        accepted += takes.sum()
        broken += (takes & (scores[100:] > limit)).sum()
    assert accepted > 0
    assert broken / accepted <= 0.1


TABLE = sn.load_benchmark("analog_nasbench")
ACCURACY = TABLE.targets["baseline_accuracy"]


@pytest.fixture(scope="module")
def model():
    train, _ = TABLE.split(n_train=100, random_state=0)
    return sn.fit_predictor(
        TABLE.archs[train], ACCURACY.iloc[train], space=TABLE.space, predictor="graph_features:linear", random_state=0
    )


@pytest.mark.filterwarnings("ignore::surronas.SurronasWarning")
def test_a_hundred_labels_of_a_table(model):
    for seed in range(4):
        train, test = TABLE.split(n_train=100, random_state=seed)
        archs, y = TABLE.archs[train], ACCURACY.iloc[train]
        fitted = sn.fit_predictor(archs, y, space=TABLE.space, predictor="graph_features:linear", random_state=seed)
        truth = ACCURACY.iloc[test].to_numpy()
        for share in (0.3, 0.7):
            limit = float(np.quantile(truth, share))
            good = fitted.satisfies(TABLE.archs[test], "baseline_accuracy", min=limit)
            assert good.any()
            assert (truth[good] < limit).mean() <= 0.13, (seed, share)


def test_more_confidence_accepts_fewer_and_each_on_its_own(model):
    archs = TABLE.archs[:400]
    sizes = [model.satisfies(archs, min=88, confidence=c) for c in (0.5, 0.8, 0.95, 0.99)]
    for more, fewer in pairwise(sizes):
        assert not (fewer & ~more).any()
    assert sizes[0].sum() > sizes[-1].sum()
    np.testing.assert_array_equal(model.satisfies(archs[5:9], min=88), model.satisfies(archs, min=88)[5:9])
    assert sizes[0].dtype == bool


def test_a_greatest_and_a_least_target_mirror_each_other(model):
    train, _ = TABLE.split(n_train=100, random_state=0)
    mirrored = sn.fit_predictor(
        TABLE.archs[train], -ACCURACY.iloc[train], space=TABLE.space, predictor="graph_features:linear", random_state=0
    )
    ours, theirs = model.satisfies(TABLE.archs[:300], min=88), mirrored.satisfies(TABLE.archs[:300], max=-88)
    assert (ours != theirs).mean() < 0.01


def test_a_saved_surrogate_accepts_the_same(model, tmp_path):
    model.save(tmp_path / "a")
    again = sn.load_predictor(tmp_path / "a")
    assert again.target == "baseline_accuracy"
    np.testing.assert_array_equal(
        again.satisfies(TABLE.archs[:300], min=88), model.satisfies(TABLE.archs[:300], min=88)
    )


def test_wrong_questions_are_named(model):
    archs = TABLE.archs[:3]
    with pytest.raises(InvalidInputError, match="'target' .* must be 'baseline_accuracy', .* Got 'latency_ms' instead"):
        model.satisfies(archs, "latency_ms", max=10)
    for limits in ({}, {"max": 1, "min": 0}, {"max": np.nan}):
        with pytest.raises(InvalidInputError, match="One of 'max' and 'min' of satisfies must be a finite number"):
            model.satisfies(archs, **limits)
    for confidence in (0, 1, 90, "0.9", None):
        with pytest.raises(InvalidInputError, match="'confidence' parameter of satisfies must be between 0 and 1"):
            model.satisfies(archs, max=10, confidence=confidence)
    model.switching.held_out_, kept = None, model.switching.held_out_
    with pytest.raises(SurronasError, match="held-out architectures are not known"):
        model.satisfies(archs, max=10)
    model.switching.held_out_ = kept


def test_a_target_without_a_name_takes_any():
    train = np.arange(20)
    unnamed = sn.fit_predictor(
        TABLE.archs[train], np.arange(20.0), space=TABLE.space, predictor="one_hot:linear", random_state=0
    )
    assert unnamed.target is None
    assert unnamed.satisfies(TABLE.archs[:5], "latency_ms", max=1000).all()
