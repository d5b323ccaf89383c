"""What a surrogate promises of its predictions, and files that try to be one."""

from __future__ import annotations

import copy
import functools
import hashlib
import io
import json
import operator
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io

import surronas as sn
from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasError
from surronas.io import read_archive, write_archive
from surronas.predictors import Predictor, list_predictors
from surronas.spaces import Gene, SearchSpace
from surronas.surrogate import load_predictor
from surronas.testing import conditional_space

pytestmark = pytest.mark.filterwarnings("ignore::surronas.SurronasWarning")

NB201 = sn.get_space("nasbench201")
CELLS = NB201.sample(40, random_state=0)
Y = (CELLS == 3).sum(axis=1) + 0.3 * (CELLS == 2).sum(axis=1) + 0.1 * np.random.default_rng(0).normal(size=40)
NEW = NB201.sample(300, random_state=1, unique=False)
KIND, VERSION = "surronas surrogate", 1


def fit(archs=CELLS, y=Y, space=NB201, predictor=("linear", "gp"), encoder="auto", **params):
    predictors = [predictor] if isinstance(predictor, (str, Predictor)) else list(predictor)
    return sn.fit_predictor(
        archs, y, space=space, predictor=predictors, encoder=encoder, **{"random_state": 0, **params}
    )


def everything(model, archs):
    return np.stack([*model.predict(archs, return_std=True), *model.predict_interval(archs, coverage=0.8)])


@pytest.fixture(scope="module")
def model():
    return fit()


def test_unexpressed_genes_change_no_prediction(model):
    C = NB201.canonical(NEW)
    assert (C != NEW).any()
    np.testing.assert_array_equal(everything(model, NEW), everything(model, C))


@pytest.mark.parametrize("encoder", ["auto", "one_hot"])
def test_inactive_genes_change_no_prediction(encoder):
    space = conditional_space()
    X = space.sample(50, random_state=0)
    model = fit(X, X @ np.arange(1.0, 7.0), space, encoder=encoder)
    noise = np.random.RandomState(0).randint(0, space.n_choices, size=X.shape)
    scrambled = np.where(space.active(X), X, noise)
    assert (scrambled != X).any()
    np.testing.assert_array_equal(everything(model, X), everything(model, scrambled))


@pytest.mark.parametrize("encoder", ["auto", "one_hot", "path"])
def test_isomorphic_architectures_are_predicted_the_same(encoder):
    model = fit(encoder=encoder, predictor="linear")
    C = NB201.canonical(NEW[:60])
    members, rows = NB201.isomorphs(C)
    assert len(members) > 2 * len(C)
    np.testing.assert_allclose(everything(model, members), everything(model, C)[:, rows], rtol=1e-9)


def test_permuted_rows_give_permuted_predictions(model):
    order = np.random.RandomState(0).permutation(len(NEW))
    np.testing.assert_allclose(everything(model, NEW[order]), everything(model, NEW)[:, order], rtol=1e-9)
    np.testing.assert_allclose(everything(model, NEW[:1]), everything(model, NEW)[:, :1], rtol=1e-9)


@pytest.mark.parametrize(("scale", "shift"), [(4, 64), (0.001, -3), (1e6, 0)])
def test_affine_targets_leave_ranks_as_they_are(model, scale, shift):
    other = fit(y=scale * Y + shift)
    ours, theirs = everything(model, NEW), everything(other, NEW)
    np.testing.assert_allclose(theirs[[0, 2, 3]], scale * ours[[0, 2, 3]] + shift, rtol=1e-4, atol=1e-4 * scale)
    np.testing.assert_allclose(theirs[1], scale * ours[1], rtol=1e-3)
    assert sn.metrics.kendall_tau(ours[0], theirs[0]) > 0.999


def test_intervals_hold_the_mean_and_grow_with_coverage(model):
    mean, std = model.predict(NEW, return_std=True)
    assert (std > 0).all()
    last = np.zeros(len(NEW))
    for coverage in (0.1, 0.5, 0.9, 0.99, 0.9999):
        low, high = model.predict_interval(NEW, coverage)
        assert ((low <= mean) & (mean <= high)).all()
        assert (high - low >= last).all()
        last = high - low


def test_no_architectures_give_no_predictions(model):
    for nothing in ([], np.empty((0, 6), dtype=int)):
        assert everything(model, nothing).shape == (4, 0)


def test_many_architectures_are_predicted_part_by_part(model, monkeypatch):
    expected, seen = everything(model, NEW), []
    encode = type(model.switching)._scores
    monkeypatch.setattr("surronas.surrogate._ROWS", 64)
    monkeypatch.setattr(type(model.switching), "_scores", lambda self, X: (seen.append(len(X)), encode(self, X))[1])
    np.testing.assert_allclose(everything(model, NEW), expected, rtol=1e-9)
    assert seen == [64, 64, 64, 64, 44] * 2
    np.testing.assert_allclose(model.predict(NEW), expected[0], rtol=1e-9)


def test_the_record_is_a_copy(model):
    record = model.selection_
    record["status"] = "mine"
    assert (model.selection_["status"] != "mine").all()


def test_repr_names_space_labels_and_members(model):
    assert repr(model).startswith("<Surrogate of 'nasbench201', 40 labels: ")
    for candidate, _, _ in model.switching.members_:
        assert candidate.name in repr(model)


def small(name):
    quick = {"n_trees": 5, "n_members": 2, "n_rounds": 10, "steps": 20, "max_iter": 5}
    predictor = sn.get_predictor(name)
    return predictor.set_params(**{k: v for k, v in quick.items() if k in predictor.get_params()})


@pytest.mark.parametrize("name", list_predictors())
def test_a_saved_surrogate_is_the_same(name, tmp_path):
    model = fit(predictor=small(name))
    model.save(tmp_path / "a.surronas")
    again = sn.load_predictor(str(tmp_path / "a.surronas"))
    np.testing.assert_array_equal(everything(again, NEW), everything(model, NEW))
    pd.testing.assert_frame_equal(again.selection_, model.selection_, check_exact=True)
    assert again.space == model.space
    assert repr(again) == repr(model)


def test_saved_twice_and_with_failures_on_record(tmp_path):
    X = np.random.RandomState(0).randint(0, 4, size=(30, 5))
    model = fit(X, X @ np.arange(1.0, 6.0), None, predictor=["mean", "linear", "gp"], encoder=["one_hot", "path"])
    assert model.selection_["tau_std"].isna().any()
    model.save(tmp_path / "a")
    once = sn.load_predictor(tmp_path / "a")
    once.save(tmp_path / "b")
    twice = sn.load_predictor(tmp_path / "b")
    np.testing.assert_array_equal(everything(twice, X), everything(model, X))
    pd.testing.assert_frame_equal(twice.selection_, model.selection_, check_exact=True)


def test_plain_and_conditional_spaces_are_saved_whole(tmp_path):
    space = conditional_space()
    X = space.sample(30, random_state=0)
    model = fit(X, X @ np.arange(1.0, 7.0), space, predictor="linear")
    model.save(tmp_path / "a")
    again = sn.load_predictor(tmp_path / "a")
    assert again.space == space
    np.testing.assert_array_equal(everything(again, space.format(X)), everything(model, X))


class Mine(Predictor):
    def _fit(self, X, y):
        self.first_ = X[:, 0].copy()

    def _predict(self, X):
        return X @ np.arange(X.shape[1]), np.ones(len(X))


class MySpace(SearchSpace):
    genes = (Gene("a", (0, 1, 2)), Gene("b", (0, 1, 2)), Gene("c", (0, 1, 2)))


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    with pytest.raises(SurronasError, match="Only registered predictors can be saved. Mine is not registered"):
        fit(predictor=Mine()).save(tmp_path / "a")
    space = MySpace()
    X = space.sample(20, random_state=0)
    with pytest.raises(SurronasError, match="Only plain spaces and registered ones can be saved"):
        fit(X, X.sum(axis=1) + X[:, 0] / 9, space, predictor="linear").save(tmp_path / "a")
    tuples = SearchSpace([Gene("a", ((1, 2), (3, 4), (5, 6))), Gene("b", (0, 1, 2, 3))])
    X = tuples.sample(12, random_state=0)
    with pytest.raises(SurronasError, match="Only plain spaces and registered ones can be saved"):
        fit(X, X @ [1.0, 5.0], tuples, predictor="linear").save(tmp_path / "a")
    assert not list(tmp_path.iterdir())


# What the tree of commit 4e40957, before the first release, saved: 30 labels of nasbench201, linear and gp on one_hot.
OLD = Path(__file__).parent / "saved" / "surrogate-4e40957.surronas"
OF_OLD = [
    [2.322395889992821, 0.7855517622243375, 1.1888055244429934, 0.659954489893085],
    [0.6360998217279945, 0.507500337556436, 1.584581423963316, 0.5368868210198487],
    [1.5737331771837197, 0.36233191954264077, -0.3183057281055368, 0.2681088500872346],
    [2.83575343582768, 1.3702140911382654, 2.821338860778842, 1.3343181295310882],
]


def test_a_file_of_an_earlier_version_is_read_and_predicts_as_it_did(tmp_path):
    model = sn.load_predictor(OLD)
    new = [
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
        "|none~0|+|skip_connect~0|avg_pool_3x3~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_1x1~2|",
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|nor_conv_3x3~0|avg_pool_3x3~1|nor_conv_1x1~2|",
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|skip_connect~1|none~2|",
    ]
    now, then = everything(model, new), np.array(OF_OLD)
    beyond = np.zeros(then.shape, dtype=bool)
    beyond[2] = then[2] < model.switching.y_.min()  # ends of intervals beyond the labels lie farther out now
    assert beyond.sum() == 1
    np.testing.assert_allclose(now[~beyond], then[~beyond], rtol=1e-6)
    assert (now[beyond] < then[beyond]).all()
    model.save(tmp_path / "again")
    np.testing.assert_array_equal(everything(sn.load_predictor(tmp_path / "again"), new), everything(model, new))


# -- files that try to be a surrogate -------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "a.surronas"
    fit(predictor="linear", encoder="one_hot").save(path)
    return path


def forge(saved, path, manifest=lambda m: m, **parts):
    """A file with right checksums and one thing wrong."""
    head, old = read_archive(saved, KIND, VERSION)
    head = {k: v for k, v in copy.deepcopy(head).items() if k not in ("kind", "version", "parts")}
    new = {**old, **{name.replace("__", "."): content for name, content in parts.items()}}
    write_archive(path, KIND, VERSION, manifest(head), {k: v for k, v in new.items() if v is not None})
    return path


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def skops_with(saved, change):
    """The saved member with another schema."""
    content = read_archive(saved, KIND, VERSION)[1]["member0.skops"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, json.dumps(change(json.loads(data))) if name == "schema.json" else data)
    return buffer.getvalue()


def test_a_forged_file_without_anything_wrong_is_read(saved, tmp_path):
    again = load_predictor(forge(saved, tmp_path / "a", member0__skops=skops_with(saved, lambda schema: schema)))
    np.testing.assert_array_equal(everything(again, NEW), everything(load_predictor(saved), NEW))


class Touch:
    """Pickled, it makes a file when it is read."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_pickles_are_not_executed(saved, tmp_path):
    import pickle

    sentinel = tmp_path / "sentinel"
    bomb = np.array([Touch(sentinel), None], dtype=object)
    path = tmp_path / "a.surronas"
    path.write_bytes(pickle.dumps(Touch(sentinel)))
    with pytest.raises(InvalidFileError, match="is not a whole surronas surrogate"):
        load_predictor(path)
    one = npz(y=bomb, conformal=np.ones(2))
    two = io.BytesIO()
    np.save(two, bomb, allow_pickle=True)
    for parts in (
        {"arrays__npz": one},
        {"arrays__npz": two.getvalue()},
        {"arrays__npz": pickle.dumps(Touch(sentinel))},
        {"member0__skops": pickle.dumps(Touch(sentinel))},
    ):
        with pytest.raises(InvalidFileError):
            load_predictor(forge(saved, path, **parts))
    assert not sentinel.exists()
    pickle.loads(pickle.dumps(Touch(sentinel))).close()
    assert sentinel.exists(), "the pickle does nothing, so that the test shows nothing"


def call_node(module, name, loader, argument, **more):
    """A schema node that would call ``module.name(argument)`` if its loader were let do so."""
    text = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(argument)}
    arguments = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [text]}
    state = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "content": {}}
    node = {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, "content": state, **more}
    return {
        **node, "args": arguments, "attrs": arguments, "constructor": arguments, "reduce": arguments, "func": arguments,
        "namespace": state, "obj": text, "protocol": 2, "_skops_version": skops.__version__,
    }  # fmt: skip


FOREIGN = [
    ("os", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("subprocess", "Popen"),
    ("pathlib", "Path"),
    ("surronas.surrogate", "load_predictor"),
    ("surronas.predictors.gp", "GaussianProcess"),
]
LOADERS = ["ObjectNode", "FunctionNode", "TypeNode", "PartialNode", "MethodNode", "OperatorFuncNode", "ReduceNode"]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(("module", "name"), FOREIGN)
def test_foreign_classes_and_functions_are_refused(saved, tmp_path, module, name, loader):
    sentinel = tmp_path / "sentinel"
    command = f"touch {sentinel}" if name in ("system", "Popen") else f"open({str(sentinel)!r}, 'w').close()"
    node = call_node(module, name, loader, command)

    def inside(schema):
        schema["content"]["content"]["model_"] = node
        return schema

    for change in (lambda schema: {**node, "protocol": schema["protocol"]}, inside):
        path = forge(saved, tmp_path / "a", member0__skops=skops_with(saved, change))
        with pytest.raises(InvalidFileError):
            load_predictor(path)
    assert not sentinel.exists()


@pytest.mark.parametrize(
    ("smuggled", "named"),
    [
        (functools.partial(os.system, "exit"), "functools.partial"),
        (os.system, "posix.system"),
        (Mine(), "Mine"),
        (MySpace, "MySpace"),
        (sn.get_predictor("gp"), "surronas.predictors.gp.GaussianProcess"),
        (operator.methodcaller("mkdir"), "operator.methodcaller"),
    ],
    ids=["partial", "function", "instance", "class", "predictor", "operator"],
)
def test_what_skops_wrote_inside_a_predictor_is_refused_by_its_name(saved, tmp_path, smuggled, named):
    model = load_predictor(saved).switching.members_[0][1]
    model.extra_ = [smuggled]
    with pytest.raises(InvalidFileError, match=f"The part of predictor 'linear' holds .*{named}.*is not loaded"):
        load_predictor(forge(saved, tmp_path / "a", member0__skops=skops.io.dumps(model)))
    surrogate = load_predictor(saved)
    surrogate.switching.members_[0][1].extra_ = smuggled
    with pytest.raises(SurronasError, match=f"The predictor 'linear' cannot be saved: it holds .*{named}"):
        surrogate.save(tmp_path / "b")


def test_another_predictors_model_is_refused(saved, tmp_path):
    other = skops.io.dumps(sn.get_predictor("mean").fit(np.eye(3), [1.0, 2.0, 3.0]))
    with pytest.raises(InvalidFileError, match="The part of predictor 'linear' holds surronas.predictors.mean.Mean"):
        load_predictor(forge(saved, tmp_path / "a", member0__skops=other))
    other = skops.io.dumps(np.eye(3))
    with pytest.raises(InvalidFileError, match="The part of predictor 'linear' holds a ndarray"):
        load_predictor(forge(saved, tmp_path / "a", member0__skops=other))


def test_a_model_of_other_features_is_refused(saved, tmp_path):
    other = skops.io.dumps(sn.get_predictor("linear").fit(np.eye(3), [1.0, 2.0, 3.0]))
    with pytest.raises(InvalidFileError, match="is not a whole surrogate"):
        load_predictor(forge(saved, tmp_path / "a", member0__skops=other))
    other = skops.io.dumps(sn.get_predictor("linear"))
    with pytest.raises(InvalidFileError, match="is not a whole surrogate"):
        load_predictor(forge(saved, tmp_path / "a", member0__skops=other))


GOOD = np.linspace(0, 1, 5)
ARRAYS = {
    "no y": {"conformal": GOOD},
    "lengths that differ": {"y": GOOD, "conformal": GOOD[:4]},
    "two dimensions": {"y": GOOD[:, None], "conformal": GOOD[:, None]},
    "numbers": {"y": np.float64(1), "conformal": np.float64(1)},
    "one label": {"y": GOOD[:1], "conformal": GOOD[:1]},
    "none": {"y": GOOD[:0], "conformal": GOOD[:0]},
    "nan": {"y": np.where(GOOD > 0.6, np.nan, GOOD), "conformal": GOOD},
    "infinite score": {"y": GOOD, "conformal": np.where(GOOD > 0.6, np.inf, GOOD)},
    "negative score": {"y": GOOD, "conformal": -GOOD},
    "strings": {"y": np.array(list("abcde")), "conformal": GOOD},
    "complex": {"y": GOOD + 0j, "conformal": GOOD},
}


@pytest.mark.parametrize("arrays", ARRAYS.values(), ids=ARRAYS)
def test_wrong_arrays_are_refused(saved, tmp_path, arrays):
    with pytest.raises(InvalidFileError):
        load_predictor(forge(saved, tmp_path / "a", arrays__npz=npz(**arrays)))


MANIFESTS = {
    "no space": lambda m: {k: v for k, v in m.items() if k != "space"},
    "space of another type": lambda m: {**m, "space": "nasbench201"},
    "unknown space": lambda m: {**m, "space": {"name": "nasbench9"}},
    "another space": lambda m: {**m, "space": {"genes": [{"name": "a", "choices": [1, 2]}]}},
    "genes of no choices": lambda m: {**m, "space": {"genes": [{"name": "a", "choices": []}]}},
    "no members": lambda m: {**m, "members": []},
    "more members than parts": lambda m: {**m, "members": m["members"] * 2},
    "members of another type": lambda m: {**m, "members": "linear"},
    "unknown predictor": lambda m: {**m, "members": [{**m["members"][0], "predictor": "liner"}]},
    "predictor of another type": lambda m: {**m, "members": [{**m["members"][0], "predictor": ["linear"]}]},
    "unknown encoder": lambda m: {**m, "members": [{**m["members"][0], "encoder": "os.system"}]},
    "encoder of another type": lambda m: {**m, "members": [{**m["members"][0], "encoder": {"name": "one_hot"}}]},
    "another encoder": lambda m: {**m, "members": [{**m["members"][0], "encoder": "path"}]},
    "negative weight": lambda m: {**m, "members": [{**m["members"][0], "weight": -1}]},
    "weight of another type": lambda m: {**m, "members": [{**m["members"][0], "weight": "1"}]},
    "no weight": lambda m: {**m, "members": [{k: v for k, v in m["members"][0].items() if k != "weight"}]},
    "no record": lambda m: {**m, "selection": None},
    "record without a column": lambda m: {**m, "selection": {"tau": [1.0]}},
    "record of another type": lambda m: {**m, "selection": {**m["selection"], "tau": ["high"]}},
    "ragged record": lambda m: {**m, "selection": {**m["selection"], "tau": [1.0, 2.0]}},
}


@pytest.mark.parametrize("change", MANIFESTS.values(), ids=MANIFESTS)
def test_wrong_manifests_are_refused(saved, tmp_path, change):
    """What names a part that is not installed says which; everything else is a damaged file."""
    with pytest.raises((InvalidFileError, InvalidInputError)):
        load_predictor(forge(saved, tmp_path / "a", change))


def test_missing_members_are_refused(saved, tmp_path):
    for missing in ("arrays__npz", "member0__skops"):
        with pytest.raises(InvalidFileError, match="is not a whole surrogate"):
            load_predictor(forge(saved, tmp_path / "a", **{missing: None}))


@pytest.mark.parametrize("part", ["arrays.npz", "member0.skops"])
def test_a_bomb_within_a_part_is_refused(saved, tmp_path, monkeypatch, part):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("y.npy", b"\0" * 2**22)
    path = forge(saved, tmp_path / "a", **{part.replace(".", "__"): buffer.getvalue()})
    monkeypatch.setattr("surronas.io._LARGEST", 2**21)
    with pytest.raises(InvalidFileError, match=f"'{part}' would unpack to 4,194,304 bytes, more than 2,097,152"):
        load_predictor(path)


def test_arrays_that_claim_to_be_huge_are_refused(saved, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**50,)})
        for name in ("y.npy", "conformal.npy"):
            file.writestr(name, header.getvalue())
    with pytest.raises(InvalidFileError, match="is not a whole surrogate"):
        load_predictor(forge(saved, tmp_path / "a", arrays__npz=buffer.getvalue()))


def test_damaged_files_are_refused_or_read_the_same(saved, tmp_path):
    content, expected = saved.read_bytes(), everything(load_predictor(saved), NEW)
    path = tmp_path / "a"
    refused = 0
    for i in range(0, len(content), len(content) // 60):
        for damaged in (content[:i], content[:i] + bytes([content[i] ^ 0xFF]) + content[i + 1 :]):
            path.write_bytes(damaged)
            try:
                again = load_predictor(path)
            except InvalidFileError:
                refused += 1
            else:
                np.testing.assert_array_equal(everything(again, NEW), expected)
    assert refused > 80


def test_newer_and_other_files(saved, tmp_path):
    head, parts = read_archive(saved, KIND, VERSION)
    for kind, version, message in (
        (KIND, VERSION + 1, "format version 2; this library reads up to 1"),
        ("a table", VERSION, "is not a surronas surrogate"),
    ):
        rest = {k: v for k, v in head.items() if k not in ("kind", "version", "parts")}
        write_archive(tmp_path / "a", kind, version, rest, parts)
        with pytest.raises(InvalidFileError, match=message):
            load_predictor(tmp_path / "a")
    with pytest.raises(InvalidFileError, match="There is no file"):
        load_predictor(tmp_path / "nowhere")


def test_the_manifest_lists_the_checksum_of_every_part(saved):
    head, parts = read_archive(saved, KIND, VERSION)
    assert set(parts) == {"arrays.npz", "member0.skops"}
    assert head["parts"] == {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}


def test_a_failed_save_leaves_the_old_file(saved, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(saved.read_bytes())
    with pytest.raises(SurronasError):
        fit(predictor=Mine()).save(path)
    assert path.read_bytes() == saved.read_bytes()
    assert list(tmp_path.iterdir()) == [path]
