"""
A search with surrogates, and one without
=========================================

How much of the best possible front does a search find with so many evaluations? The table has measured every
architecture, so that the answer is exact.
"""

import matplotlib.pyplot as plt
import numpy as np
from moocore import hypervolume, is_nondominated

import surronas as sn
from surronas.search import NAT, RandomSearch

table = sn.load_benchmark("mbconv_cifar10")
n_initial, n_evaluations = 12, 52

# %%
# Three seeds of each. ``NAT`` fits a surrogate to what it has evaluated, and evaluates those of greatest expected gain;
# multiply-adds are known without measuring.


def runs(search, **options):
    options |= {"n_initial": n_initial, "batch_size": 8}
    for seed in range(3):
        begun = search(table, ["error", "madds"], random_state=seed, **options)
        yield costs(begun.run(n_evaluations=n_evaluations).archive.values)


def costs(values):
    """(n, 2): error in % and multiply-adds, both of which should be small."""
    return np.stack([100 - values["val_accuracy"], values["madds"]], axis=1)


everything = costs(table.targets)
scale = everything.max(axis=0)
best = hypervolume(everything / scale, ref=[1, 1])


def share(points):
    """What part of the possible hypervolume the first 1, 2, 3, ... evaluations span."""
    return [hypervolume(points[: n + 1] / scale, ref=[1, 1]) / best for n in range(len(points))]


numbers = np.arange(1, n_evaluations + 1)
fig, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for search, options, colour in ((NAT, {"predictor": "gp"}, "#1763b6"), (RandomSearch, {}, "#888888")):
    curves = np.array([share(points) for points in runs(search, **options)])
    axes.plot(numbers, curves.T, color=colour, alpha=0.3, linewidth=1)
    axes.plot(numbers, curves.mean(axis=0), color=colour, label=search.__name__)
axes.axvline(n_initial, color="#ccc", linewidth=1)
axes.set(xlabel="evaluations", ylabel="share of the possible hypervolume", ylim=(0.8, 1))
axes.legend()

# %%
# The front of the table, and what one search found of it:

found = next(runs(NAT, predictor="gp"))
front = everything[is_nondominated(everything)]
fig, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.scatter(everything[:, 1] / 1e6, everything[:, 0], s=4, color="#d5d5d5", label="all subnets")
axes.scatter(front[:, 1] / 1e6, front[:, 0], s=14, color="#888888", label="their front")
axes.scatter(found[:, 1] / 1e6, found[:, 0], s=18, color="#1763b6", label=f"{n_evaluations} evaluated")
axes.set(xlabel="million multiply-adds", ylabel="validation error, %", xscale="log")
axes.legend()
