"""Whether the graph generator writes architectures, before there is a meta-database: on those that it never saw.

The generator and its training are the package's (`fit_generator`); all architectures are good, on tasks that say
nothing. Of NAS-Bench-201's 9,445 cells without dead edges a tenth is held out; of `mbconv`, 500 random architectures,
which random sampling does not draw again. Of each seed:

- valid: of 500 graphs drawn for one set of images, those that are architectures of the space, every type and edge.
- different: valid ones of other networks than all before, of the 500.
- reconstructed: held-out architectures that the decoder writes again, gene by gene, from the mean of the latent vector.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pages import markdown
from sklearn.utils import check_random_state

import surronas as sn
from surronas.journal import Journal
from surronas.meta import GraphGenerator, MetaRecipe
from surronas.meta.graphs import GraphCode
from surronas.meta.lessons import Lessons
from surronas.meta.set_encoder import Sets
from surronas.meta.training import Good, fit_generator
from surronas.spaces.base import IntArray, RandomState, SearchSpace
from surronas.spaces.nasbench201 import NASBench201
from surronas.threads import single_thread

N_SAMPLES, N_HELD_OUT, N_GOOD, N_TASKS = 500, 500, 4096, 11
SPACES = ("nasbench201", "mbconv")


class LearntCells(NASBench201):
    """NAS-Bench-201, of which only some cells are ever drawn."""

    def __init__(self, cells: IntArray) -> None:
        super().__init__()
        self.cells = cells

    def sample(self, n: int, random_state: RandomState = None, unique: bool = True) -> IntArray:
        if unique:
            return super().sample(n, random_state)
        return self.cells[check_random_state(random_state).randint(len(self.cells), size=n)]


def task_of(name: str, seed: int) -> tuple[SearchSpace, IntArray]:
    """A space to draw from, and architectures that it never gives."""
    space = sn.get_space(name)
    if name != "nasbench201":
        return space, space.canonical(space.sample(N_HELD_OUT, random_state=987_654 + seed))
    cells = np.unique(space.canonical(space.enumerate()), axis=0)
    held_out, learnt = np.split(np.random.RandomState(seed).permutation(cells), [len(cells) // 10])
    return LearntCells(learnt), held_out


@torch.no_grad()
def three_figures(
    generator: GraphGenerator, code: GraphCode, of_sets: torch.Tensor, held_out: IntArray, seed: int = 0
) -> dict[str, float]:
    """Shares of valid and of different graphs drawn for the sets, and of architectures reconstructed."""
    with single_thread():
        drawn = generator.sample(of_sets, N_SAMPLES // len(of_sets), torch.Generator().manual_seed(seed))
        rows = torch.arange(len(held_out)) % len(of_sets)
        written = generator.reconstruct(code.write(held_out), of_sets, rows)
    X, valid = code.read(drawn)
    again, read = code.read(written)
    return {
        "valid": float(valid.mean()),
        "different": len(code.space.unique(X[valid])) / len(X),
        "reconstructed": float((read & (again == held_out).all(axis=1)).mean()),
    }


def measure(name: str, recipe: MetaRecipe, folder: Path) -> dict[str, float]:
    """Train, or go on, and look at it."""
    space, held_out = task_of(name, recipe.seed)
    code = GraphCode(space)
    nothing = [np.zeros((1, 1), dtype=np.float32)] * 2
    none = np.empty(0)
    archs = space.canonical(space.sample(N_GOOD, random_state=recipe.seed, unique=False))
    lessons = Lessons(
        archs, code.write(archs[:0]), none, none, none, none, none, np.arange(N_TASKS), [nothing] * N_TASKS
    )
    good = Good(archs, np.tile(np.arange(len(archs)), (N_TASKS, 1)))
    identity = {"space": name, **asdict(recipe)}
    path = folder / f"{name}_{recipe.seed}.pt"

    def encode(sets: Sets) -> torch.Tensor:
        return torch.zeros(len(sets.features), recipe.hidden)

    generator, fitting = fit_generator(code, good, lessons, encode, recipe, path, identity, progress=True)
    figures = three_figures(generator, code, encode(Sets.of([nothing])), held_out, recipe.seed)
    return {"steps": fitting.step, **figures}


def page(command: str, table: pd.DataFrame) -> str:
    title, rest = str(__doc__).split("\n\n", 1)
    lines = ["# The graph generator", "", f"Made by `python benchmarks/meta_generator.py {command}`.", "", title]
    return "\n".join([*lines, "", rest.strip(), "", "A row a seed; shares.", "", markdown(table), ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", nargs="+", default=SPACES, choices=SPACES)
    parser.add_argument("--seeds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=MetaRecipe.generator_steps, help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/meta_generator"), help="journal and checkpoints")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown to write")
    args = parser.parse_args()
    recipe = MetaRecipe(generator_steps=args.steps)
    journal = Journal(args.out / "journal.jsonl", asdict(recipe))
    done = {(cell["space"], cell["seed"]) for cell in journal.cells}
    for name in args.spaces:
        for seed in range(args.seeds):
            if (name, seed) not in done:
                found = measure(name, replace(recipe, seed=seed), args.out)
                journal.append({"space": name, "seed": seed, **found})
    table = pd.DataFrame(journal.cells).sort_values(["space", "seed"])
    print(table.to_string(index=False))
    if args.write:
        command = f"--spaces {' '.join(args.spaces)} --seeds {args.seeds} --steps {args.steps}"
        args.write.write_text(page(command, table), encoding="utf-8")


if __name__ == "__main__":
    main()
