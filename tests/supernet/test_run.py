"""Whole trainings in real processes, killed, interrupted and continued."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import torch

from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasWarning
from surronas.io import alone_in
from surronas.supernet import run
from surronas.supernet.recipe import Recipe
from surronas.supernet.run import train
from surronas.supernet.training import Trainer
from surronas.supernet.weights import load_supernet, read_card

# A signal to one of the processes in the middle of a step; checkpoints are only written at the end, and when asked.
SIGNAL = """
import os, signal
from surronas.supernet.training import Trainer
def batch(self, real=Trainer._batch):
    if (self.step, self.rank) == (12, {rank}):
        os.kill(os.getpid(), signal.{name})
    return real(self)
Trainer._batch = batch
run._SECONDS = {seconds}
"""

# Death at the n-th call of a function of the operating system, of which every file written takes one.
DEATH = """
import os, signal
def die(*arguments, calls=[0], real=os.{function}):
    calls[0] += 1
    if calls[0] == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
os.{function} = die
"""


def ends(processes):
    for process in processes:
        process.join(600)
    return [process.exitcode for process in processes]


def outcome(folder):
    """Losses of all steps, and the result's weights; nothing unfinished is in the folder."""
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    losses = torch.load(folder / "checkpoint.pt", weights_only=True)["losses"]
    return losses, load_supernet(folder / "supernet.safetensors").state_dict()


def assert_same(one, other):
    assert one[0] == other[0]
    assert all(torch.equal(part, other[1][name]) for name, part in one[1].items())


@pytest.fixture(scope="session", params=[1, 2], ids=["alone", "two"])
def uninterrupted(request, start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert ends(start(folder, world=request.param)) == [0] * request.param
    return request.param, folder


def test_a_folder_holds_all_that_a_training_gives(uninterrupted, tiny):
    world, folder = uninterrupted
    losses, weights = outcome(folder)
    assert [len(of_step) for of_step in losses] == [1] * 5 + [3] * 15
    table = pd.read_csv(folder / "losses.csv")
    assert list(table) == ["step", "epoch", "largest", "smallest", "random"]
    assert table["epoch"].tolist() == pytest.approx([step / 5 for step in range(1, 21)])
    np.testing.assert_allclose(table["largest"], [of_step[0] for of_step in losses], rtol=1e-4)
    np.testing.assert_allclose(table["random"][5:], [np.mean(of_step[2:]) for of_step in losses[5:]], rtol=1e-4)
    assert table["smallest"].isna().tolist() == [True] * 5 + [False] * 15
    for rank in range(world):
        returned = torch.load(folder / f"weights{rank}.pt", weights_only=True)
        assert all(torch.equal(part, weights[name]) for name, part in returned.items())
    card = read_card(folder / "supernet.safetensors")
    assert (card["processes"], card["steps"]) == (world, 20)
    assert Recipe(**card["recipe"]) == tiny.recipe
    assert card["images"]["sizes"] == {"train": 160, "validation": 144, "test": 359}
    assert card["class_names"] == list("0123456789")
    assert card["versions"]["torch"] == torch.__version__
    assert card["cpu_hours"] >= 0


def test_a_finished_training_returns_its_result_at_once(start, tiny, tmp_path, monkeypatch):
    first = train(tiny.images, tmp_path, space=tiny.space, recipe=tiny.recipe)
    assert not first.training
    assert_same(outcome(tmp_path), (outcome(tmp_path)[0], first.state_dict()))
    monkeypatch.setattr(Trainer, "run_step", None)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = train(tiny.images, tmp_path, space=tiny.space, recipe=tiny.recipe)
    assert all(torch.equal(part, first.state_dict()[name]) for name, part in again.state_dict().items())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    (tmp_path / "checkpoint.pt").unlink()
    with pytest.raises(InvalidInputError, match="holds a supernet.safetensors without the checkpoint.pt"):
        train(tiny.images, tmp_path, space=tiny.space, recipe=tiny.recipe)


def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(uninterrupted, start, tmp_path):
    world, reference = uninterrupted
    checkpoint, rng, kills = tmp_path / "checkpoint.pt", np.random.default_rng(world), 0
    for attempt in range(5):
        written = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        processes = start(tmp_path, world=world)
        while attempt and all(process.is_alive() for process in processes):  # the first one may die before it begins
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != written:
                break
            processes[0].join(0.002)
        processes[0].join(rng.uniform(0, 0.1))
        for process in processes:
            process.kill()
        kills += -signal.SIGKILL in ends(processes)
    assert kills > 1
    assert ends(start(tmp_path, world=world)) == [0] * world
    assert_same(outcome(tmp_path), outcome(reference))


@pytest.mark.parametrize(
    ("function", "number", "unfinished"),
    [
        ("fsync", 1, ".checkpoint.pt."),
        ("replace", 24, ".losses.csv."),
        ("replace", 39, ".checkpoint.pt."),
        ("fsync", 42, ".supernet.safetensors."),
    ],
)
@pytest.mark.parametrize("uninterrupted", [1], indirect=True)
def test_killed_while_it_writes_it_leaves_the_old_file_and_tidies_up(
    uninterrupted, start, tmp_path, function, number, unfinished
):
    assert ends(start(tmp_path, before=DEATH.format(function=function, number=number))) == [-signal.SIGKILL]
    assert [path.name.startswith(unfinished) for path in tmp_path.glob(".*")] == [True]
    assert not (tmp_path / "supernet.safetensors").exists()
    assert ends(start(tmp_path)) == [0]
    assert_same(outcome(tmp_path), outcome(uninterrupted[1]))


def test_an_interrupt_of_one_process_ends_all_after_the_step_with_a_checkpoint(uninterrupted, start, tmp_path):
    world, reference = uninterrupted
    before = SIGNAL.format(rank=world - 1, name={1: "SIGINT", 2: "SIGTERM"}[world], seconds=3600.0)
    codes = ends(start(tmp_path, world=world, before=before))
    assert codes == [1, 130][:world]  # process 0 raises KeyboardInterrupt, the others leave quietly
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 13
    assert not (tmp_path / "supernet.safetensors").exists()
    assert ends(start(tmp_path, world=world)) == [0] * world
    assert_same(outcome(tmp_path), outcome(reference))


@pytest.mark.parametrize("uninterrupted", [2], indirect=True)
@pytest.mark.parametrize("rank", [0, 1])
def test_when_one_process_dies_the_other_does_not_wait_for_it(uninterrupted, start, tmp_path, rank):
    codes = ends(start(tmp_path, world=2, before=SIGNAL.format(rank=rank, name="SIGKILL", seconds=0.0)))
    assert codes[rank] == -signal.SIGKILL
    assert codes[1 - rank] == 1
    assert ends(start(tmp_path, world=2)) == [0, 0]
    assert_same(outcome(tmp_path), outcome(uninterrupted[1]))


def test_another_training_is_refused_and_says_what_differs(uninterrupted, tiny):
    world, folder = uninterrupted
    if world == 2:
        with pytest.raises(InvalidInputError, match="another training: number of processes is 2 there, 1 here. Go on"):
            train(tiny.images, folder, space=tiny.space, recipe=tiny.recipe)
        return
    wider = type(tiny.space)(tiny.space.stages, (8, 16), (0.5, 1.0), stem=8, features=24)
    for changed, said in (
        (
            {"recipe": replace(tiny.recipe, seed=4, flip=True)},
            "recipe.flip is False there, True here; recipe.seed is 3",
        ),
        ({"space": wider}, "space.parameters.features is 16 there, 24 here"),
        ({"images": tiny.images.subset(sizes={"train": 159})}, "images.sizes.train is 160 there, 159 here"),
        ({"images": replace(tiny.images, name="numbers")}, "images.name is 'digits' there, 'numbers' here"),
        ({"images": tiny.images.subset(classes=[1, 0, 2, 3, 4, 5, 6, 7, 8, 9])}, "images.class_names is"),
        ({"images": replace(tiny.images, images=255 - tiny.images.images)}, "images.mean is"),
    ):
        given = {**vars(tiny), **changed}
        with pytest.raises(InvalidInputError, match=f"The folder .* holds another training: .*{said}") as error:
            train(given.pop("images"), folder, **given)
        assert str(error.value).endswith("Go on with what it began with, or choose another folder.")


@pytest.mark.parametrize("how", ["torn", "a bit", "foreign", "empty"])
@pytest.mark.parametrize("uninterrupted", [1], indirect=True)
def test_a_damaged_checkpoint_is_an_error_that_names_it(uninterrupted, tiny, tmp_path, how):
    content = bytearray((uninterrupted[1] / "checkpoint.pt").read_bytes())
    if how == "a bit":
        archive = ZipFile(uninterrupted[1] / "checkpoint.pt")
        tensor = archive.read(max(archive.infolist(), key=lambda entry: entry.file_size))
        content[content.index(tensor) + len(tensor) // 2] ^= 1
    damaged = {"torn": content[:-100], "foreign": b"PK" + bytes(1000), "empty": b""}.get(how, content)
    (tmp_path / "checkpoint.pt").write_bytes(damaged)
    with pytest.raises(InvalidFileError, match=f"The checkpoint {tmp_path}/checkpoint.pt is damaged"):
        train(tiny.images, tmp_path, space=tiny.space, recipe=tiny.recipe)
    assert (tmp_path / "checkpoint.pt").read_bytes() == damaged


def test_a_folder_that_cannot_be_is_an_error(tiny, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="The 'folder' of a training cannot be made: .*file"):
        train(tiny.images, tmp_path / "file/run", space=tiny.space, recipe=tiny.recipe)


def test_slow_bfloat16_is_warned_of(tiny, tmp_path, monkeypatch):
    recipe = replace(tiny.recipe, bfloat16=True, epochs=1, warmup_epochs=0)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False}, raising=False)
    with pytest.warns(SurronasWarning, match="no instructions for bfloat16.*--float32"):
        train(tiny.images, tmp_path, space=tiny.space, recipe=recipe)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": True}, raising=False)
    train(tiny.images, tmp_path, space=tiny.space, recipe=recipe)


def test_progress_is_a_line_now_and_then(tiny, tmp_path, capsys, monkeypatch):
    recipe = replace(tiny.recipe, epochs=3)
    train(tiny.images, tmp_path / "quiet", space=tiny.space, recipe=recipe)
    assert capsys.readouterr().out == ""
    train(tiny.images, tmp_path / "told", space=tiny.space, recipe=recipe, progress=True)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch 0.20/3  largest 2.")
    assert last.startswith("epoch 3.00/3  largest ")
    for text in ("smallest", "random", "steps/s", "0:00:00 left", "CPU-h"):
        assert text in last


def test_progress_is_a_bar_on_a_terminal(tiny, tmp_path, capsys, monkeypatch):
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "160")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(run, "_SECONDS", 3600.0)
    train(tiny.images, tmp_path, space=tiny.space, recipe=replace(tiny.recipe, epochs=3), progress=True)
    printed = capsys.readouterr().out
    assert "━" in printed
    assert "epoch 3.00/3" in printed


@pytest.mark.skipif(sys.platform == "win32", reason="locks no folders")
def test_a_folder_is_one_process_s_at_a_time(tiny, tmp_path):
    with alone_in(tmp_path), pytest.raises(InvalidInputError, match="Another process is at work in"):
        train(tiny.images, tmp_path, space=tiny.space, recipe=tiny.recipe)
    assert list(tmp_path.iterdir()) == []
