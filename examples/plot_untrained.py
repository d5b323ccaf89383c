"""
Before the first label
======================

An untrained surrogate orders a space by what can be computed of its networks. How many labels does a Gaussian process
need to do better?
"""

import matplotlib.pyplot as plt
import numpy as np

import surronas as sn

table = sn.load_benchmark("mbconv_cifar10")
table = table.subset(table.context["origin"] == "random")
y = table.targets["val_accuracy"].to_numpy()
untrained = sn.fit_predictor(space=table.space)
order = untrained.predict(table.archs)
print(f"Kendall's tau without a label: {sn.metrics.kendall_tau(y, order):.2f}")

# %%
# The same with labels, three draws each:

sizes = [8, 16, 32, 64]
taus = np.empty((3, len(sizes)))
for seed in range(3):
    for column, n in enumerate(sizes):
        train, test = table.split(n_train=n, random_state=seed)
        model = sn.fit_predictor(table.archs[train], y[train], space=table.space, predictor="gp", random_state=0)
        taus[seed, column] = sn.metrics.kendall_tau(y[test], model.predict(table.archs[test]))

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
axes[0].scatter(order, y, s=4, color="#9bb8d8")
axes[0].set(xlabel="untrained prediction", ylabel="validation accuracy, %", title="Every subnet")
axes[1].axhline(sn.metrics.kendall_tau(y, order), color="#888888", label="untrained")
axes[1].plot(sizes, taus.T, color="#9bb8d8", linewidth=1)
axes[1].plot(sizes, taus.mean(axis=0), color="#1763b6", marker="o", label="with labels")
axes[1].set(xlabel="labels", ylabel="Kendall's τ", xscale="log", xticks=sizes, title="Rank correlation")
axes[1].xaxis.set_major_formatter("{x:.0f}")
axes[1].minorticks_off()
axes[1].legend()
