"""NASLib needs Python 3.9 or older: its graphs and the calls of its evaluator are stood in for here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import kendalltau

import surronas as sn
from surronas.adapters.naslib import SurrogatePredictor, from_naslib
from surronas.exceptions import InvalidInputError, UnknownNameError


class Graph:
    """What the evaluator and a predictor know of an architecture: ``get_hash``."""

    def __init__(self, form):
        self.form = form

    def get_hash(self):
        return self.form


def evaluate(predictor, ss_type, train, test):
    """The calls of ``PredictorEvaluator.evaluate`` and ``single_evaluate`` in their order."""
    (xtrain, ytrain), (xtest, ytest) = train, test
    predictor.set_ss_type(ss_type)
    predictor.pre_process()
    requirements = predictor.get_data_reqs()
    assert not requirements["requires_partial_lc"]
    assert not requirements["unlabeled"]
    predictor.pre_compute(xtrain, xtest)
    predictor.reset_hyperparams()
    assert not predictor.get_hpo_wrapper()
    predictor.fit(xtrain, ytrain, [])
    hyperparameters = predictor.get_hyperparams()
    predicted = predictor.query(xtest, [])
    predicted = np.mean(predicted, axis=0) if len(predicted.shape) > 1 else predicted
    results = {"kendalltau": float(kendalltau(ytest, predicted)[0])}
    return json.loads(json.dumps(results | {f"hp_{name}": value for name, value in hyperparameters.items()}))


@pytest.fixture(scope="module")
def cells():
    table = sn.load_benchmark("analog_nasbench")
    train, test = table.split(60, random_state=0)
    y = table.targets["baseline_accuracy"].to_numpy()
    forms = table.space.to_naslib(table.archs).tolist()
    return [([Graph(tuple(forms[row])) for row in rows], y[rows].tolist()) for rows in (train, test[:300])]


@pytest.mark.parametrize("members", [0, 4])
def test_the_evaluator_can_call_it(cells, members):
    results = evaluate(SurrogatePredictor(predictor="linear", members=members), "nasbench201", *cells)
    assert results["kendalltau"] > 0.4
    assert (results["hp_predictor"], results["hp_encoder"]) == ("linear", "auto")


def test_an_ensemble_has_the_surrogates_mean_and_deviation(cells):
    (xtrain, ytrain), (xtest, _) = cells
    predictor = SurrogatePredictor("nasbench201", predictor="linear", members=5)
    predictor.fit(xtrain, ytrain)
    drawn = predictor.query(xtest)
    mean, std = predictor.surrogate_.predict(from_naslib(xtest, predictor.space), return_std=True)
    assert drawn.shape == (5, 300)
    assert drawn.mean(axis=0) == pytest.approx(mean)
    assert drawn.std(axis=0) == pytest.approx(std)


def test_hyperparameters_are_predictor_and_encoder(cells):
    predictor = SurrogatePredictor("nasbench201")
    predictor.set_hyperparams({"predictor": "linear", "encoder": "one_hot"})
    predictor.fit(*cells[0])
    assert predictor.surrogate_.selection_[["encoder", "predictor"]].to_numpy().tolist() == [["one_hot", "linear"]]
    assert predictor.set_random_hyperparams() == {"predictor": "auto", "encoder": "auto"}


def test_hashes_of_every_space_are_read():
    """Each by its own rule: the official string, the cell, the genotype that the hash stands for."""
    nasbench201 = sn.get_space("nasbench201")
    official = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
    # Edges (1,2) (1,3) (1,4) (2,3) (2,4) (3,4); Identity, Zero, ReLUConvBN3x3, ReLUConvBN1x1, AvgPool1x1
    assert nasbench201.format(from_naslib([Graph((2, 1, 4, 0, 3, 1))], nasbench201)) == [official]

    nasbench101 = sn.get_space("nasbench101")
    matrix = np.zeros((7, 7), dtype=int)
    matrix[[0, 1, 2], [1, 2, 6]] = 1
    flat = (*matrix.ravel().tolist(), 0, 4, 2, 3, 3, 3, 1)
    ops = ["input", "conv3x3-bn-relu", "maxpool3x3", *["conv1x1-bn-relu"] * 3, "output"]
    keys = nasbench101.key(
        np.concatenate([from_naslib([Graph(flat)], nasbench101), nasbench101.parse([(matrix, ops)])])
    )
    assert keys[0] == keys[1]

    darts = sn.get_space("darts")
    cell = tuple((i % 2, i % 7) if i % 2 == 0 else (1, i % 7) for i in range(8))
    compact = (cell, cell)
    assert (from_naslib([Graph(compact)], darts) == darts.parse([compact])).all()

    micro, macro = sn.get_space("transnasbench101_micro"), sn.get_space("transnasbench101_macro")
    assert micro.format(from_naslib([Graph((1, 0, 2, 3, 3, 3))], micro)) == ["64-41414-1_02_333"]
    assert macro.format(from_naslib([Graph((1, 2, 3, 4, 0, 0))], macro)) == ["64-1234-basic"]
    assert from_naslib([], macro).shape == (0, 7)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("nasbench101", "nasbench101"),
        ("nasbench201", "nasbench201"),
        ("nasbench301", "darts"),
        ("darts", "darts"),
        ("transbench101_micro", "transnasbench101_micro"),
        ("transbench101_macro", "transnasbench101_macro"),
    ],
)
def test_spaces_are_known_by_naslibs_names(theirs, ours):
    predictor = SurrogatePredictor()
    predictor.set_ss_type(theirs)
    assert predictor.space == sn.get_space(ours)
    assert SurrogatePredictor(theirs, space="nasbench_macro").space.name == "nasbench_macro"


def test_what_is_missing_is_said():
    with pytest.raises(InvalidInputError, match="search space is not known"):
        SurrogatePredictor().fit([], [])
    with pytest.raises(UnknownNameError, match="Unknown space 'nasbench21'. Did you mean 'nasbench201'"):
        SurrogatePredictor("nasbench21").fit([], [])
    with pytest.raises(InvalidInputError, match="'members' must be 0 or at least 2. Got 1"):
        SurrogatePredictor(members=1)
