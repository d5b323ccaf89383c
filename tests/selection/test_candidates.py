"""What the predictor and encoder parameters mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from surronas.encoders import list_encoders
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.predictors import Predictor, get_predictor, list_predictors
from surronas.selection import Candidate, resolve_candidates
from surronas.selection.candidates import SOURCE, auto_view, full_view
from surronas.spaces import Gene, SearchSpace, get_space

GRAPHS = get_space("nasbench201")
PLAIN = SearchSpace.from_array(np.arange(4).reshape(-1, 1))


def names(predictor="auto", encoder="auto", space=PLAIN):
    return [c.name for c in resolve_candidates(predictor, encoder, space)]


def test_names_are_paired():
    assert names("linear", "one_hot") == ["one_hot:linear"]
    assert names(["linear", "gp"], ["one_hot", "path"], GRAPHS) == [
        "one_hot:linear", "path:linear", "one_hot:gp", "path:gp",
    ]  # fmt: skip
    assert names("path+one_hot:gp", space=GRAPHS) == ["path+one_hot:gp"]
    assert names(["path:gp", "linear"], "one_hot", GRAPHS) == ["path:gp", "one_hot:linear"]
    assert names(["linear", "linear", "one_hot:linear"], "one_hot") == ["one_hot:linear"]


def test_a_predictor_of_ones_own_keeps_its_parameters():
    own = get_predictor("gp", max_iter=3)
    (candidate,) = resolve_candidates(own, "one_hot", PLAIN)
    assert candidate.predictor is own
    assert candidate.predictor_name == "gp"


@pytest.mark.parametrize("space", [PLAIN, GRAPHS, get_space("nasbench_graph")], ids=["plain", "201", "gnns"])
def test_auto_names_registered_parts_of_which_each_is_there_once(space):
    candidates = resolve_candidates("auto", "auto", space)
    assert len({c.name for c in candidates}) == len(candidates) >= 2
    for candidate in candidates:
        assert set(candidate.encoder.split("+")) <= set(list_encoders())
        assert candidate.predictor_name in list_predictors()


@pytest.mark.parametrize("name", list_predictors())
def test_every_predictor_has_encodings_by_itself(name):
    for space in (PLAIN, GRAPHS):
        candidates = resolve_candidates(name, "auto", space)
        assert {c.predictor_name for c in candidates} == {name}
        assert all(set(c.encoder.split("+")) <= set(list_encoders()) for c in candidates)


def test_unknown_names_offer_the_nearest():
    with pytest.raises(UnknownNameError, match="Unknown predictor 'xgbost'. Did you mean 'xgboost'"):
        names("xgbost")
    with pytest.raises(UnknownNameError, match="Unknown predictor 'gpp'. Did you mean 'gp'"):
        names("one_hot:gpp")


def test_none_at_all_and_no_predictors():
    for empty in ({"predictor": []}, {"encoder": []}):
        with pytest.raises(InvalidInputError, match="non-empty sequence"):
            names(**empty)
    with pytest.raises(InvalidInputError, match=r"must be a str or Predictor, .* Got \['gp'\] instead"):
        names([["gp"]], "one_hot")
    for wrong in ({"predictor": 3}, {"encoder": 3}, {"predictor": type(get_predictor("mean"))}):
        with pytest.raises(InvalidInputError, match="non-empty sequence"):
            names(**wrong)


def test_candidates_of_one_class_are_told_apart_by_their_parameters():
    candidates = resolve_candidates([get_predictor("gp"), get_predictor("gp", max_iter=5)], "one_hot", PLAIN)
    assert [c.name for c in candidates] == ["one_hot:gp", "one_hot:gp(max_iter=5)"]


class Seen(Predictor):
    """Says what it was told."""

    def __init__(self, blocks=None, random_state=None, other=None):
        self.blocks = blocks
        self.random_state = random_state
        self.other = other

    def _fit(self, X, y):
        self.threads_ = (torch.get_num_threads(), max(pool["num_threads"] for pool in threadpool_info()))

    def _predict(self, X):
        return np.zeros(len(X)), np.ones(len(X))


def test_fit_tells_blocks_and_seed_unless_they_are_given():
    F, z, blocks = np.eye(4), np.arange(4.0), (("a", (4,)),)
    fitted = Candidate("one_hot", Seen()).fit(F, z, blocks, seed=7)
    assert (fitted.blocks, fitted.random_state, fitted.other) == (blocks, 7, None)
    fitted = Candidate("one_hot", Seen(random_state=3)).fit(F, z, blocks, seed=7)
    assert fitted.random_state == 3


def test_fit_uses_one_thread_and_gives_the_others_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        fitted = Candidate("one_hot", Seen()).fit(np.eye(4), np.arange(4.0), (("a", (4,)),), seed=0)
        assert fitted.threads_ == (1, 1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_auto_takes_ordered_genes_as_numbers_and_cells_as_graphs():
    ordered = SearchSpace([Gene("width", (8, 16, 32), ordered=True)])
    assert {c.encoder for c in resolve_candidates("auto", "auto", ordered)} == {"ordinal", "ordinal+one_hot"}
    assert {c.encoder for c in resolve_candidates("auto", "auto", PLAIN)} == {"one_hot"}
    assert all("graph_features" in c.encoder for c in resolve_candidates("auto", "auto", GRAPHS))
    for layers in ("ofa_mbv3", "nasbench_mr", "nasbench_macro"):  # chains, or always the same wiring
        assert not any("graph" in c.encoder for c in resolve_candidates("auto", "auto", get_space(layers)))
    for cells in ("nasbench101", "darts", "nasbench_graph", "transnasbench101_micro"):
        assert all("graph_features" in c.encoder for c in resolve_candidates("auto", "auto", get_space(cells)))


def test_with_other_tasks_few_labels_are_left_to_one_candidate():
    without = names("auto", "auto", GRAPHS)
    few, many = ([c.name for c in resolve_candidates("auto", "auto", GRAPHS, prior=SOURCE, n=n)] for n in (31, 32))
    of_tasks = ["prior+op_counts:transfer", f"prior+op_counts+{auto_view(GRAPHS)}:transfer"]
    assert few == [*of_tasks, *without]
    assert many == [*of_tasks, f"prior+{auto_view(GRAPHS)}:gp", f"prior+{full_view(GRAPHS)}:xgboost", *without]
    plain = [c.name for c in resolve_candidates("auto", "auto", PLAIN, prior=SOURCE, n=3)]
    assert plain[:2] == ["prior:transfer", "prior+one_hot:transfer"]
    of_tasks = [c.transfers for c in resolve_candidates("auto", "auto", GRAPHS, prior=SOURCE)]
    assert of_tasks == [True] * 4 + [False] * len(without)
    aggregate = resolve_candidates("auto", "auto", GRAPHS, prior="aggregate")
    assert not any(c.transfers for c in aggregate)
    assert all(c.encoder.startswith("aggregate") for c in aggregate)
