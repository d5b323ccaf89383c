"""Heads in closed form, beside scikit-learn's estimators and refitting without each image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler, normalize

from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.heads import HEADS, fit_head, fit_prototypes, fit_ridge, left_out_margins


def clouds(n: int = 45, d: int = 6, n_classes: int = 3, spread: float = 1.5, seed: int = 0):
    """Features around a centre a class, all classes far from the origin, one feature on another scale."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    features = rng.normal(size=(n_classes, d))[labels] + spread * rng.normal(size=(n, d)) + 5
    features[:, 0] *= 20
    return torch.from_numpy(features).float(), torch.from_numpy(labels)


def leave_one_out(X, Y, penalty):
    """Predictions of each row by a regression that has not seen it, one refit a row."""
    keep = ~np.eye(len(X), dtype=bool)
    return np.vstack([Ridge(penalty).fit(X[k], Y[k]).predict(X[i : i + 1]) for i, k in enumerate(keep)])


def test_ridge_is_the_regression_that_predicts_left_out_images_best():
    features, labels = clouds()
    X, Y = features.double().numpy(), np.eye(3)[labels]
    unit = np.square(X - X.mean(0)).sum() / X.shape[1]
    losses = []
    for penalty in unit * np.logspace(-5, 3, 17):
        left_out = leave_one_out(X, Y, penalty)

        def loss(log_scale, left_out=left_out):
            logits = torch.from_numpy(10**log_scale * left_out)
            return log_loss(labels, logits.softmax(1).numpy())

        best = minimize_scalar(loss, bounds=(-1, 2.5), method="bounded")
        losses.append((best.fun, penalty, 10**best.x))
    _, penalty, scale = min(losses)
    assert unit * 1e-5 < penalty < unit * 1e3
    expected = Ridge(penalty).fit(X, Y)
    weight, bias = fit_ridge(features, labels, 3)
    np.testing.assert_allclose(weight, scale * expected.coef_, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(bias, scale * expected.intercept_, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("n", "d"), [(45, 6), (12, 40)])
def test_margins_are_those_of_regressions_without_the_image(n, d):
    features, labels = clouds(n, d)
    X, Y = features.double().numpy(), np.eye(3)[labels]
    unit = np.square(X - X.mean(0)).sum() / n
    left_out = leave_one_out(X, Y, 0.3 * unit)
    others = np.where(Y == 1, -np.inf, left_out).max(axis=1)
    expected = left_out[np.arange(n), labels] - others
    np.testing.assert_allclose(left_out_margins(features, labels, 3), expected, rtol=1e-5, atol=1e-6)


def test_ridge_with_fewer_images_than_features():
    features, labels = clouds(n=12, d=40, spread=0.3)
    weight, bias = fit_ridge(features, labels, 3)
    new, classes = clouds(n=90, d=40, spread=0.3)
    assert ((new @ weight.T + bias).argmax(1) == classes).double().mean() > 0.9


def test_ridge_s_probabilities_are_calibrated_on_new_images():
    features, labels = clouds(n=300, spread=1.2, seed=1)
    weight, bias = fit_ridge(features[:150], labels[:150], 3)
    logits = (features[150:] @ weight.T + bias).double()
    losses = [float(torch.nn.functional.cross_entropy(scale * logits, labels[150:])) for scale in (0.4, 1.0, 2.5)]
    assert losses[1] == min(losses)


def test_prototypes_are_the_classes_nearest_in_angle():
    features, labels = clouds(n=60, spread=2.0)
    new, _ = clouds(n=200, spread=2.0, seed=2)
    scaler = StandardScaler().fit(features)
    X = normalize(scaler.transform(features))
    centroids = NearestCentroid().fit(X, labels).centroids_
    expected = cosine_similarity(scaler.transform(new), centroids).argmax(1)
    weight, bias = fit_prototypes(features, labels, 3)
    predicted = (new @ weight.T + bias).argmax(1).numpy()
    assert len(set(predicted)) == 3
    np.testing.assert_array_equal(predicted, expected)


@pytest.mark.parametrize("kind", HEADS)
def test_one_image_a_class_and_features_that_never_vary(kind):
    features = torch.tensor([[1.0, 0.0, 7.0], [0.0, 1.0, 7.0]])
    weight, bias = HEADS[kind](features, torch.tensor([0, 1]), 2)
    assert (features @ weight.T + bias).argmax(1).tolist() == [0, 1]
    assert weight.isfinite().all()
    assert bias.isfinite().all()


@pytest.mark.parametrize("kind", HEADS)
def test_fit_head_replaces_the_classifier_and_nothing_else(kind):
    space = MBConv(stages=[Stage(False, 8, 2, (1,), (3,), (2,))], resolutions=(8, 16), widths=(0.5, 1.0), features=16)
    network = space.build(space.smallest(), num_classes=10)
    torch.manual_seed(0)
    labels = torch.arange(24) % 3
    images = torch.rand(24, 3, 8, 8) + labels[:, None, None, None]
    before = {name: part.clone() for name, part in network.state_dict().items()}
    fit_head(network, images.split(7), labels, 3, kind)
    assert not network.training
    after = network.state_dict()
    assert all(torch.equal(after[name], part) for name, part in before.items() if "classifier" not in name)
    # Ridge regression on 24 images enlarges what batches of another size round otherwise: embedded as fit_head does.
    embedded = torch.cat([network.embed(part) for part in images.split(7)]).detach()
    weight, bias = HEADS[kind](embedded, labels, 3)
    found = torch.cat([network(part) for part in images.split(7)])
    error = (found - (embedded @ weight.T + bias)).abs()
    assert (error <= 1e-5 * (embedded.abs() @ weight.abs().T + bias.abs())).all()
    assert all(part.requires_grad for part in network.classifier.parameters())


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, y, 4), "of the 4 classes, 1 have none, the first of them class 3"),
        (lambda X, y: (X, y * 0, 1), "at least 2 classes. Got 1"),
        (lambda X, y: (X[:2], y[:2], 3), "of the 3 classes, 1 have none, the first of them class 2"),
        (lambda X, y: (X, y - 1, 3), r"from 0 to 2. Got -1 in row 0"),
        (lambda X, y: (X, y, 2), r"from 0 to 1. Got 2 in row 2"),
        (lambda X, y: (X, y[1:], 3), r"shapes \(n, d\) and \(n,\). Got \(45, 6\) and \(44,\)"),
        (lambda X, y: (X.masked_fill(torch.arange(45)[:, None] == 7, torch.nan), y, 3), "finite. Row 7 is not"),
    ],
)
def test_what_cannot_be_fitted_is_said(kind, change, message):
    with pytest.raises(InvalidInputError, match=message):
        HEADS[kind](*change(*clouds()))


def test_unknown_kind():
    with pytest.raises(UnknownNameError, match="Unknown head 'rigde'. Did you mean 'ridge'"):
        fit_head(torch.nn.Identity(), [], torch.tensor([]), 2, "rigde")
