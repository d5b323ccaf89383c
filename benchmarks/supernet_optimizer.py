"""What the optimizer of a supernet's training is worth: one network alone, the same steps by each optimizer.

The largest network at 20 pixels, trained for two epochs of CIFAR-10 by the trainer's own schedule and augmentation, and
its top-1 on 2,500 validation images. Test images are not touched. The learning rates are each optimizer's customary one
and others around it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import torch
from rich import print as show

import surronas as sn
from surronas.journal import Journal
from surronas.spaces.mbconv import MBConv
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.network import SuperNet
from surronas.supernet.recipe import Recipe
from surronas.supernet.training import Trainer

Groups = list[dict[str, Any]]


def muon(trainer: Trainer, rate: float) -> torch.optim.Optimizer:
    for group in trainer.optimizer.param_groups:
        group["peak"] *= rate / trainer.recipe.learning_rate
    return trainer.optimizer


def sgd(trainer: Trainer, rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups(trainer, rate, 5e-4), momentum=0.9, nesterov=True)


def adamw(trainer: Trainer, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups(trainer, rate, 0.05), betas=(0.9, 0.99))


def groups(trainer: Trainer, rate: float, decay: float) -> Groups:
    """The trainer's parameters, all at one learning rate; batch norms and biases do not decay."""
    decays = [group["weight_decay"] > 0 for group in trainer.optimizer.param_groups]
    return [
        {"params": group["params"], "lr": 0.0, "peak": rate, "weight_decay": decay if decaying else 0.0}
        for group, decaying in zip(trainer.optimizer.param_groups, decays, strict=True)
    ]


OPTIMIZERS: dict[str, Callable[[Trainer, float], torch.optim.Optimizer]] = {"Muon": muon, "SGD": sgd, "AdamW": adamw}
CASES = [
    *(("Muon", rate) for rate in (0.005, 0.02, 0.05)),
    *(("SGD", rate) for rate in (0.025, 0.1, 0.4)),
    *(("AdamW", rate) for rate in (0.001, 0.004)),
]


def measured(name: str, rate: float, seed: int, epochs: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    images, space = sn.load_images("cifar10"), MBConv()
    arch = space.largest()
    arch[space.gene_names.index("resolution")] = 1
    supernet = SuperNet(space, images.n_classes, normalization=images.normalization)
    recipe = Recipe(warmup_epochs=0, epochs=epochs, ema=0.98, seed=seed)
    trainer = Trainer(supernet, images, recipe, subnets=lambda step: [arch])
    trainer.optimizer = OPTIMIZERS[name](trainer, rate)
    while trainer.step < trainer.n_steps:
        trainer.run_step()
    evaluator = SupernetEvaluator(trainer.result(), images, targets=["val_accuracy"], n_validation=2500, n_jobs=1)
    top1 = float(evaluator.evaluate([arch])["val_accuracy"].iloc[0])
    return {"optimizer": name, "learning rate": rate, "seed": seed, "top1": top1, "cpu_seconds": trainer.seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--out", type=Path, default=Path("supernet_optimizer.jsonl"), help="what is there is kept")
    args = parser.parse_args()
    journal = Journal(args.out, {"measured": "optimizers", "epochs": args.epochs, "torch": torch.__version__})
    done = {(cell["optimizer"], cell["learning rate"], cell["seed"]) for cell in journal.cells}
    todo = [(*case, seed) for seed in args.seeds for case in CASES if (*case, seed) not in done]
    work = (joblib.delayed(measured)(*case, args.epochs) for case in todo)
    for cell in joblib.Parallel(n_jobs=args.jobs, return_as="generator_unordered")(work):
        journal.append(cell)
        show(cell, flush=True)
    frame = pd.DataFrame(journal.cells).groupby(["optimizer", "learning rate"])
    print(frame.agg({"top1": ["mean", "min", "max"], "cpu_seconds": "mean"}).round(1).to_string())


if __name__ == "__main__":
    main()
