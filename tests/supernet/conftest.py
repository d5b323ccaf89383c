"""A space and images small enough to train on in a second, and processes that do so."""

from __future__ import annotations

import multiprocessing
import os
import socket
from types import SimpleNamespace

import pytest

from surronas.datasets.images import load_images
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.recipe import Recipe

# What a process of a training runs: the whole of it, with a checkpoint after every step.
PROCESS = """
import os, warnings
warnings.simplefilter("error")
os.environ.update(environment)
import torch
from surronas.supernet import run
torch.set_num_threads(1)
run._SECONDS, run._SHARE = 0.0, float("inf")
exec(before)
result = run.train(images, folder, space=space, recipe=recipe)
torch.save(result.state_dict(), f"{folder}/weights{os.environ['RANK']}.pt")
"""


@pytest.fixture(scope="session")
def tiny():
    """5 steps an epoch, 20 in all; the channels are sorted after 5."""
    fused = Stage(True, channels=8, stride=1, depths=(1, 2), kernels=(3,), expands=(1, 2))
    inverted = Stage(False, channels=16, stride=2, depths=(1, 2), kernels=(3, 5, 7), expands=(1, 2))
    return SimpleNamespace(
        space=MBConv([fused, inverted], resolutions=(8, 16), widths=(0.5, 1.0), stem=8, features=16),
        images=load_images("digits").subset(sizes={"train": 160}),
        recipe=Recipe(warmup_epochs=1, epochs=4, batch_size=32, flip=False, bfloat16=False, seed=3),
    )


@pytest.fixture(scope="session")
def start(tiny):
    """Start real processes of a training in a folder; ``before`` is code that they run first."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["surronas.supernet.run", "sklearn.datasets", "torch._dynamo"]
    )  # the optimizer imports it

    def start(folder, *, world=1, before="", **changes):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        processes = []
        for rank in range(world):
            environment = {"RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            values = {**vars(tiny), **changes, "folder": os.fspath(folder), "before": before}
            values["environment"] = {name: str(value) for name, value in environment.items()}
            processes.append(context.Process(target=exec, args=(PROCESS, values), daemon=True))
            processes[-1].start()
        return processes

    return start
