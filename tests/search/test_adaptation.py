"""Searches whose supernet learns on between batches: a tiny one, a few steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError
from surronas.search import NAT, SupernetAdaptation
from surronas.search.run import Event, Run
from surronas.supernet.recipe import ADAPTATION
from surronas.supernet.weights import fingerprint

RECIPE = replace(ADAPTATION, epochs=4, batch_size=32, bfloat16=False)  # 16 steps


def search_of(subnets, digits, **options):
    settings = {"recipe": RECIPE, "steps": 5, "every": 4, "n_probes": 4, "tolerance": 0.1} | options
    return NAT(
        subnets,
        n_initial=8,
        batch_size=4,
        predictor="linear",
        encoder="one_hot",
        population=8,
        generations=2,
        candidates="nsga2",
        adapt=SupernetAdaptation(digits, **settings),
    )


def weights(search):
    return search.evaluator_.supernet.state_dict()


@pytest.fixture
def whole(subnets, digits, tmp_path):
    search = search_of(subnets, digits)
    return search, search.run(tmp_path / "whole", n_evaluations=20)


def test_the_supernet_learns_in_portions_and_the_front_is_of_its_last_version(whole, subnets):
    search, result = whole
    archive = result.archive
    assert len(archive) == 20
    # 4 portions of 5 steps, the last one of what is left of 16; batches are told at 8, 12, 16 and 20.
    assert search.adapt.trainer_.step == 16
    assert search.evaluator_.version == 4
    front = result.front
    assert (front.version == 4).all()
    pd.testing.assert_series_equal(
        search.evaluator_.evaluate(front.archs)["val_accuracy"], front.values["val_accuracy"]
    )
    assert (archive.version < 4).any()
    assert len(archive.replaced) < 8 + 12 + 16 + 20 - 4
    before = subnets.evaluate(front.archs)["val_accuracy"].mean()
    assert front.values["val_accuracy"].mean() > before + 2


def test_the_caller_s_supernet_stays_as_it_is(whole, subnets, supernet):
    assert subnets.supernet is supernet
    assert fingerprint(supernet) != fingerprint(whole[0].evaluator_.supernet)
    assert whole[0].evaluator_.info["weights"] == fingerprint(supernet)


class Killed(Exception):
    pass


@pytest.mark.parametrize(
    ("event", "after"), [(Event.ADAPTED, False), (Event.ADAPTED, True), (Event.STALE, True), (Event.TOLD, True)]
)
def test_killed_and_resumed_it_ends_the_same(whole, subnets, digits, tmp_path, monkeypatch, event, after):
    note, seen = Run.note, []

    def die(self, happened, **record):
        seen.append(happened)
        last = seen.count(event) == 2 and happened is event
        if after or not last:
            note(self, happened, **record)
        if last:
            raise Killed

    monkeypatch.setattr(Run, "note", die)
    with pytest.raises(Killed):
        search_of(subnets, digits).run(tmp_path / "killed", n_evaluations=20)
    monkeypatch.setattr(Run, "note", note)
    search = search_of(subnets, digits)
    again = search.run(tmp_path / "killed", n_evaluations=20).archive
    archive = whole[1].archive
    assert (again.archs == archive.archs).all()
    timed = [c for c in archive.records if c != "seconds"]
    pd.testing.assert_frame_equal(again.records[timed], archive.records[timed])
    pd.testing.assert_frame_equal(again.replaced[[*timed, "row"]], archive.replaced[[*timed, "row"]])
    assert fingerprint(search.evaluator_.supernet) == fingerprint(whole[0].evaluator_.supernet)


def test_a_finished_run_is_not_run_again(whole, subnets, digits, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(type(subnets), "evaluate", refuse)
    search = search_of(subnets, digits)
    result = search.run(tmp_path / "whole", n_evaluations=20)
    assert (result.front.archs == whole[1].front.archs).all()
    assert all(torch.equal(part, weights(whole[0])[name]) for name, part in weights(search).items())


def test_a_checkpoint_that_was_never_finished_is_removed(subnets, digits, tmp_path):
    (tmp_path / ".adaptation.pt.x1y2").touch()
    search_of(subnets, digits).run(tmp_path, n_evaluations=8)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adaptation.pt", "journal.jsonl"]


def test_weights_that_are_not_the_journal_s_are_refused(whole, subnets, digits, tmp_path):
    (tmp_path / "whole/adaptation.pt").unlink()
    with pytest.raises(InvalidFileError, match="version 4 of the supernet, after 16 steps.*missing"):
        search_of(subnets, digits).run(tmp_path / "whole", n_evaluations=20)


@pytest.mark.parametrize("options", [{"distribution": "members"}, {"distribution": "tree", "teacher": False}])
def test_other_distributions(subnets, digits, options):
    search = search_of(subnets, digits, **options)
    search.run(n_evaluations=12)
    assert search.adapt.trainer_.step == 10
    assert {len(losses) for losses in search.adapt.trainer_.losses} == {3 if search.adapt.teacher else 1}


def test_all_are_measured_again_where_nothing_is_tolerated(subnets, digits):
    search = search_of(subnets, digits, tolerance=0.0, n_probes=20)
    archive = search.run(n_evaluations=12).archive
    assert (archive.version == search.evaluator_.version).all()
    np.testing.assert_array_equal(
        archive.values["val_accuracy"], search.evaluator_.evaluate(archive.archs)["val_accuracy"]
    )


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"steps": 0}, InvalidInputError, "'steps' of a SupernetAdaptation must be an int of at least 1. Got 0"),
        ({"n_probes": 1}, InvalidInputError, "'n_probes'.*at least 2. Got 1"),
        ({"tolerance": -1.0}, InvalidInputError, "'tolerance'.*at least 0"),
        ({"distribution": "count"}, UnknownNameError, "Did you mean 'counts'"),
        ({"recipe": replace(RECIPE, warmup_epochs=1)}, InvalidInputError, "no warm-up epochs. Got 1"),
    ],
)
def test_bad_parameters_are_named(subnets, digits, options, error, text):
    with pytest.raises(error, match=text):
        search_of(subnets, digits, **options).run(n_evaluations=8)


def test_only_a_supernet_can_be_adapted(table, digits):
    with pytest.raises(InvalidInputError, match="whose evaluator is a SupernetEvaluator. Got <.*TableEvaluator"):
        NAT(table, adapt=SupernetAdaptation(digits)).run(n_evaluations=8)
