"""``fit_predictor`` as DESIGN.md shows it; architectures and targets in every form; every bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import surronas as sn
from surronas.exceptions import InvalidInputError, SurronasError, SurronasWarning, UnknownNameError
from surronas.testing import conditional_space

NB201 = sn.get_space("nasbench201")
CELLS = NB201.sample(60, random_state=0)
_, first = np.unique([NB201.isomorphs(x[None])[0].tobytes() for x in NB201.canonical(CELLS)], return_index=True)
CELLS = CELLS[np.sort(first)][:40]
Y = (CELLS == 3).sum(axis=1) + 0.3 * (CELLS == 2).sum(axis=1) + 0.1 * np.random.default_rng(0).normal(size=40)
QUICK = {"predictor": "linear", "encoder": "one_hot", "random_state": 0}


def fit(archs=CELLS, y=Y, **params):
    return sn.fit_predictor(archs, y, **{"space": NB201, **QUICK, **params})


def test_user_code_of_the_design(tmp_path):
    table = sn.load_benchmark("analog_nasbench")
    train, test = table.split(n_train=50, random_state=0)
    y = table.targets["baseline_accuracy"]
    model = sn.fit_predictor(table.archs[train], y.iloc[train], space=table.space, random_state=0)
    mean, std = model.predict(table.archs[test], return_std=True)
    assert sn.metrics.kendall_tau(y.iloc[test], mean) > 0.65
    low, high = model.predict_interval(table.archs[test], coverage=0.9)
    truth = y.iloc[test].to_numpy()
    assert 0.8 < ((low <= truth) & (truth <= high)).mean() < 0.99
    assert ((low <= mean) & (mean <= high)).all()
    assert (std > 0).all()
    assert {"encoder", "predictor", "tau", "seconds", "status", "reason"} <= set(model.selection_.columns)
    assert (model.selection_["status"] == "chosen").any()
    model.save(tmp_path / "nb201.surronas")
    again = sn.load_predictor(tmp_path / "nb201.surronas")
    np.testing.assert_array_equal(again.predict(table.archs[test][:200]), model.predict(table.archs[test][:200]))


FORMS = {
    "array": CELLS,
    "floats": CELLS.astype(np.float32),
    "lists": CELLS.tolist(),
    "tuples": [tuple(x) for x in CELLS.tolist()],
    "rows": list(CELLS),
    "strings": NB201.format(CELLS),
    "array of strings": np.array(NB201.format(CELLS)),
    "series of strings": pd.Series(NB201.format(CELLS)),
    "naslib strings": [str(tuple(x)) for x in NB201.to_naslib(CELLS).tolist()],
    "mixed": [*NB201.format(CELLS[:20]), *CELLS[20:].tolist()],
    "dicts": [dict(zip(NB201.gene_names, ops, strict=True)) for ops in np.array(NB201.genes[0].choices)[CELLS]],
    "frame of choices": pd.DataFrame(np.array(NB201.genes[0].choices)[CELLS], columns=NB201.gene_names),
    "generator": "generator",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_cells_in_any_form_are_the_same_to_it(form):
    expected = fit().predict(CELLS)
    twice = [(x.tolist() for x in CELLS) if isinstance(form, str) else form for _ in range(2)]
    np.testing.assert_array_equal(fit(twice[0]).predict(twice[1]), expected)
    np.testing.assert_array_equal(fit(space="nasbench201").predict(CELLS), expected)


def test_pairs_of_links_and_operations():
    space = sn.get_space("nasbench_graph")
    X = space.sample(30, random_state=0)
    y = (X[:, 3:] == 1).sum(axis=1) + 0.1 * np.arange(30)
    ops = space.genes[-1].choices
    pairs = [([0, *row[:3]], [ops[i] for i in row[3:]]) for row in X.tolist()]
    expected = fit(X, y, space=space).predict(X)
    np.testing.assert_array_equal(fit(pairs, y, space=space).predict(pairs), expected)
    np.testing.assert_array_equal(fit(space.format(X), y, space=space).predict(pairs), expected)


def test_dicts_of_a_declared_conditional_space():
    space = conditional_space()
    X = space.sample(40, random_state=0)
    active = space.active(X)
    dicts = [
        {gene.name: gene.choices[code] for gene, code, on in zip(space.genes, row, mask, strict=True) if on}
        for row, mask in zip(X.tolist(), active.tolist(), strict=True)
    ]
    y = X @ np.arange(1.0, 7.0)
    expected = fit(X, y, space=space).predict(X)
    np.testing.assert_array_equal(fit(dicts, y, space=space).predict(dicts), expected)
    np.testing.assert_array_equal(fit(pd.DataFrame(dicts), y, space=space).predict(pd.DataFrame(dicts)), expected)


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("encoder", ["one_hot", "auto"])
def test_an_integer_array_alone_is_a_plain_space(base, encoder):
    X = np.random.RandomState(0).randint(0, 4, size=(50, 6)) + base
    X = np.unique(X, axis=0)
    y = X @ np.arange(1.0, 7.0)
    model = fit(X, y, space=None, encoder=encoder)
    assert model.space.n_choices.tolist() == [4 + base] * 6
    assert np.corrcoef(model.predict(X), y)[0, 1] > 0.95
    for form in (pd.DataFrame(X), pd.DataFrame(X, columns=list("abcdef")), X.tolist()):
        np.testing.assert_allclose(fit(form, y, space=None, encoder=encoder).predict(form), model.predict(X))


def test_targets_in_any_form_are_the_same_to_it():
    expected = fit().predict(CELLS)
    shuffled_index = pd.Series(Y, index=np.random.RandomState(0).permutation(40))
    for y in (Y.tolist(), tuple(Y), pd.Series(Y), shuffled_index, pd.Series(Y).astype("Float64"), Y.astype(object)):
        np.testing.assert_array_equal(fit(y=y).predict(CELLS), expected)


def changed(y, row, value):
    y = list(y)
    y[row] = value
    return y


def spoilt(row, gene, value, dtype=np.float64):
    X = CELLS.astype(dtype)
    X[row, gene] = value
    return X


STRINGS = NB201.format(CELLS)
BAD = {
    "gene count": ({"archs": CELLS[:, :5]}, r"'archs' must have shape \(n, 6\).*'nasbench201'. Got shape \(40, 5\)"),
    "gene count of a row": ({"archs": changed(CELLS.tolist(), 3, [0] * 5)}, "'archs'.* Row 3 .*6 genes.*5 came"),
    "gene too large": ({"archs": spoilt(7, 2, 5)}, "'archs' must hold choices from 0 to 4 .*gene 2.* Got 5 in row 7"),
    "negative gene": ({"archs": spoilt(7, 2, -1)}, "'archs' must hold choices from 0 to 4 .*gene 2.* Got -1 in row 7"),
    "half a gene": ({"archs": spoilt(9, 0, 0.5)}, "'archs' must be integers. Got 0.5 in row 9"),
    "gene nan": ({"archs": spoilt(9, 0, np.nan)}, "'archs' must be integers. Got nan in row 9"),
    "no string of the space": ({"archs": changed(STRINGS, 5, "|conv~0|")}, r"'archs'.* Row 5 .* Got '\|conv~0\|'"),
    "unknown operation": (
        {"archs": changed(STRINGS, 5, STRINGS[5].replace("none~0|none", "nil~0|none").replace("skip_connect", "skip"))},
        "'archs'.* Row 5 does not parse",
    ),
    "missing architecture": ({"archs": changed(STRINGS, 5, None)}, "'archs'.* Row 5 does not parse.* Got None"),
    "one architecture as a string": ({"archs": STRINGS[0]}, "'archs' must be a sequence of architectures. Got one str"),
    "archs of another type": ({"archs": 3}, "'archs' must be a sequence of architectures. Got one int"),
    "one architecture": ({"archs": CELLS[:1], "y": Y[:1]}, "'archs' must be at least two architectures. Got 1"),
    "no architecture": ({"archs": [], "y": []}, "'archs' must be at least two architectures. Got 0"),
    "no architecture, no space": ({"archs": [], "y": [], "space": None}, "'archs' must be a non-empty"),
    "strings without a space": ({"archs": STRINGS, "space": None}, "'archs' must be integers. Got an array of <U"),
    "negative without a space": ({"archs": spoilt(4, 1, -2), "space": None}, "0 to 4095.* Got -2 in row 4, gene 1"),
    "nan target": ({"y": changed(Y, 6, np.nan)}, r"'y' must be finite. Got nan in row 6 \(1 such rows\)"),
    "infinite target": ({"y": changed(Y, 6, -np.inf)}, "'y' must be finite. Got -inf in row 6"),
    "missing target": ({"y": changed(Y, 6, None)}, "'y' must be finite. Got nan in row 6"),
    "word as target": ({"y": changed(Y, 6, "high")}, "'y' must be an array of numbers. Got 'high' in row 6"),
    "too few targets": ({"y": Y[:-1]}, r"'y' must have shape \(40,\).* Got shape \(39,\)"),
    "too many targets": ({"y": [*Y, 0]}, r"'y' must have shape \(40,\).* Got shape \(41,\)"),
    "column of targets": ({"y": Y[:, None]}, r"'y' must have shape \(40,\).* Got shape \(40, 1\)"),
    "a number as targets": ({"y": 3.0}, r"'y' must have shape \(40,\).* Got shape \(\)"),
    "no targets": ({"y": None}, "'y' must have shape"),
    "ragged targets": ({"y": changed(Y, 6, [1, 2])}, r"'y' must be an array of numbers. Got \[1, 2\] in row 6"),
    "an object as targets": ({"y": object()}, "'y' must be an array of numbers. Got a object"),
    "unknown predictor": ({"predictor": "xgbost"}, "Unknown predictor 'xgbost'. Did you mean 'xgboost'"),
    "unknown encoder": ({"encoder": "onehot"}, "Unknown encoder 'onehot'. Did you mean 'one_hot'"),
    "unknown encoder of a pair": ({"predictor": "onehot:gp"}, "Unknown encoder 'onehot'. Did you mean 'one_hot'"),
    "unknown predictor of a pair": ({"predictor": "one_hot:gpp"}, "Unknown predictor 'gpp'. Did you mean 'gp'"),
    "unknown space": ({"space": "nasbench-201"}, "Unknown space 'nasbench-201'. Did you mean 'nasbench201'"),
    "space of another type": ({"space": 201}, "'space' parameter must be a SearchSpace.* Got a int instead"),
}


@pytest.mark.parametrize(("wrong", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(wrong, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        fit(**wrong)
    assert isinstance(caught.value, SurronasError)
    assert isinstance(caught.value, UnknownNameError) == message.startswith("Unknown")


def test_bad_input_to_predict_is_named():
    model = fit(CELLS[:20], np.arange(20.0))
    for archs, message in (
        (spoilt(2, 1, 7), "gene 1.* Got 7 in row 2"),
        (CELLS[:, 1:], "must have shape"),
        (changed(STRINGS, 8, "x"), "Row 8 does not parse"),
        (STRINGS[0], "Got one str"),
    ):
        for call in (model.predict, model.predict_interval):
            with pytest.raises(InvalidInputError, match=message):
                call(archs)


@pytest.mark.parametrize("coverage", [0, 1, 1.5, -0.1, 90, float("nan"), "0.9", None])
def test_coverage_out_of_range(coverage):
    model = fit(CELLS[:20], np.arange(20.0))
    with pytest.raises(InvalidInputError, match="'coverage' parameter of predict_interval must be between 0 and 1"):
        model.predict_interval(CELLS, coverage=coverage)


def test_constant_targets_warn_and_are_predicted():
    with pytest.warns(SurronasWarning, match="All 20 targets in 'y' are 93.1") as caught:
        model = fit(CELLS[:20], np.full(20, 93.1))
    assert caught[0].filename == __file__
    mean, std = model.predict(CELLS, return_std=True)
    np.testing.assert_allclose(mean, 93.1)
    np.testing.assert_allclose(std, 0, atol=1e-9)
    low, high = model.predict_interval(CELLS)
    np.testing.assert_allclose([low, high], 93.1)


def test_duplicates_warn():
    with pytest.warns(SurronasWarning, match="1 of the 11 architectures in 'archs' repeat another one") as caught:
        fit(np.vstack([CELLS[:10], CELLS[3]]), np.arange(11.0))
    assert [w.filename for w in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(CELLS[:10], np.arange(10.0))


def test_two_architectures_are_enough():
    mean, std = fit(CELLS[:2], [1.0, 3.0]).predict(CELLS, return_std=True)
    assert ((mean >= 1) & (mean <= 3)).all()
    assert (std > 0).all()


@pytest.mark.parametrize("wrong", [{"random_state": "x"}, {"n_jobs": 0}])
def test_wrong_seeds_and_jobs_are_named(wrong):
    (name,) = wrong
    with pytest.raises(SurronasError, match=f"The '{name}'"):
        sn.fit_predictor([[0, 1], [1, 0], [1, 1]], [1.0, 2.0, 3.0], predictor="mean", **wrong)
