"""
Intervals that hold what they say
=================================

A surrogate fitted to 100 subnets of a supernet gives an interval for each of the others. Of the intervals that ask for
a coverage of 90 %, nine in ten should hold the measured accuracy; the same for every other coverage.
"""

import matplotlib.pyplot as plt
import numpy as np

import surronas as sn

table = sn.load_benchmark("mbconv_cifar10")
table = table.subset(table.context["origin"] == "random")
y = table.targets["val_accuracy"].to_numpy()
train, test = table.split(n_train=100, random_state=0)
model = sn.fit_predictor(table.archs[train], y[train], space=table.space, predictor="gp", random_state=0)

# %%
# Sixty of the other subnets, ordered by what the surrogate says of them:

shown = np.sort(np.random.default_rng(0).choice(len(test), 60, replace=False))
archs, truth = table.archs[test][shown], y[test][shown]
mean = model.predict(archs)
low, high = model.predict_interval(archs, coverage=0.9)
order = np.argsort(mean)
inside = (low <= truth) & (truth <= high)

fig, axes = plt.subplots(figsize=(7, 4), layout="constrained")
place = np.arange(len(order))
axes.vlines(place, low[order], high[order], color="#9bb8d8", linewidth=3, label="90 % interval")
axes.scatter(place[inside[order]], truth[order][inside[order]], s=14, color="#1763b6", label="measured, inside")
axes.scatter(place[~inside[order]], truth[order][~inside[order]], s=22, color="#c1440e", label="measured, outside")
axes.set(xlabel="subnets, by predicted accuracy", ylabel="validation accuracy, %")
axes.legend()

# %%
# Asked for against reached, over ten draws of the training subnets: right on average, a few points off in one draw.

asked = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
reached = []
for seed in range(10):
    train, test = table.split(n_train=100, random_state=seed)
    model = sn.fit_predictor(table.archs[train], y[train], space=table.space, predictor="linear", random_state=0)
    ends = [model.predict_interval(table.archs[test], coverage=coverage) for coverage in asked]
    reached.append([sn.metrics.coverage(y[test], *end) for end in ends])

fig, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
axes.plot(asked, asked, color="#888", linewidth=1)
axes.plot(asked, np.transpose(reached), color="#9bb8d8", linewidth=1)
axes.plot(asked, np.mean(reached, axis=0), color="#1763b6", marker="o")
axes.set(xlabel="coverage asked for", ylabel="coverage reached", aspect="equal")
