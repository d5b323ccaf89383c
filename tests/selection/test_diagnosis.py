"""What a surrogate says of itself, where the answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import surronas as sn
from surronas.exceptions import SurronasError
from surronas.spaces import get_space

SIZES = get_space("nats_size")
RNG = np.random.default_rng(0)
X = SIZES.sample(80, random_state=0)
WIDTHS = np.array([gene.choices for gene in SIZES.genes]).astype(float)
LAYERS = np.log(WIDTHS[np.arange(5), X])
NOISE = RNG.normal(size=len(X))

pytestmark = pytest.mark.filterwarnings("ignore::surronas.SurronasWarning")


def diagnose(y, archs=X, predictor="ordinal:linear"):
    model = sn.fit_predictor(archs, y, space=SIZES, predictor=predictor, random_state=0)
    return model, model.diagnose()


@pytest.fixture(scope="module")
def learnt():
    """Two layers against each other: the ordinal genes say it, the costs hardly do."""
    return diagnose(LAYERS[:, 0] - LAYERS[:, 1] + 0.1 * NOISE)


def test_checks_are_rows_and_the_text_is_their_findings(learnt):
    frame = learnt[1].frame
    assert list(frame.index) == [
        *("tau", "coverage", "coverage_top", "sharpness", "beyond_labels"),
        *("mean", "cost_linear", "untrained", "learning"),
    ]
    assert list(frame) == ["value", "reference", "finding"]
    assert str(learnt[1]) == "\n".join(frame["finding"])
    assert all(text.endswith(".") for text in frame["finding"])


def test_a_good_surrogate_is_called_good(learnt):
    frame = learnt[1].frame
    assert frame.loc["tau", "value"] > 0.8
    assert frame.loc["mean", "value"] > 0.9
    assert abs(frame.loc["coverage", "value"] - 0.9) < 0.1
    assert frame.loc["sharpness", "value"] < 0.4
    for name in ("cost_linear", "untrained"):
        assert frame.loc[name, "value"] < 0.6
        assert "does worse" in frame.loc[name, "finding"]


def test_where_nothing_can_be_learnt_it_says_so():
    frame = diagnose(NOISE)[1].frame
    assert abs(frame.loc["tau", "value"]) < 0.3 or np.isnan(frame.loc["tau", "value"])
    assert "the mean of the labels does as well" in frame.loc["mean", "finding"]
    assert frame.loc["sharpness", "value"] > 0.8


def test_a_cheap_baseline_that_does_as_well_is_named():
    frame = diagnose(np.log(SIZES.cost(X)["madds"].to_numpy()) + 0.01 * NOISE)[1].frame
    assert frame.loc["cost_linear", "value"] > 0.9
    assert "does about as well or better" in frame.loc["cost_linear", "finding"]


def test_the_share_beyond_the_labels_is_that_of_the_space():
    """About 5 % where labels were drawn like the space, nearly all where they come from a corner of it."""
    everywhere = diagnose(NOISE)[1].frame.loc["beyond_labels", "value"]
    corner = np.unique(X % 2, axis=0)
    cornered = diagnose(RNG.normal(size=len(corner)), corner)[1].frame.loc["beyond_labels", "value"]
    assert everywhere < 0.2
    assert cornered > 0.8


def test_more_labels_help_a_surrogate_that_still_learns():
    frame = diagnose(LAYERS[:, 0] - LAYERS[:, 1] + 0.3 * NOISE, predictor="one_hot:linear")[1].frame
    assert frame.loc["learning", "value"] > frame.loc["learning", "reference"] >= frame.loc["tau", "value"] - 0.05
    assert f"Twice the labels ({2 * len(X)})" in frame.loc["learning", "finding"]


def test_the_power_law_goes_through_what_it_is_fitted_to():
    from surronas.selection.diagnosis import power_law

    b, tau_at = power_law([64.0, 32.0, 16.0], [1 - 0.5 * m**-0.5 for m in (64, 32, 16)])
    assert b == pytest.approx(0.5)
    assert tau_at(256) == pytest.approx(1 - 0.5 * 256**-0.5)
    assert power_law([64.0, 32.0], [0.5, 0.6])[0] == 0


def test_few_labels_tell_no_learning_curve():
    frame = diagnose(NOISE[:10], X[:10])[1].frame
    assert "not told from fewer than 16" in frame.loc["learning", "finding"]


def test_a_saved_surrogate_says_the_same(learnt, tmp_path):
    learnt[0].save(tmp_path / "a")
    again = sn.load_predictor(tmp_path / "a")
    pd.testing.assert_frame_equal(again.diagnose().frame, learnt[1].frame)


def test_a_file_without_held_out_predictions_says_that_it_cannot_tell(learnt):
    switching = learnt[0].switching
    kept, switching.held_out_ = switching.held_out_, None
    with pytest.raises(SurronasError, match="held-out architectures are not known"):
        learnt[0].diagnose()
    switching.held_out_ = kept


def test_spaces_without_cost_have_fewer_checks():
    genes = sn.SearchSpace([sn.Gene(name, (0, 1, 2)) for name in "abcd"])
    archs = genes.sample(40, random_state=0)
    model = sn.fit_predictor(archs, archs @ [1.0, 2, 3, 4], space=genes, predictor="linear", random_state=0)
    found = model.diagnose()
    assert "cost_linear" not in found.frame.index
    assert "has no cost to compare with" in str(found)
