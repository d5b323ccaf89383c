"""
Which predictor, with how many labels?
======================================

A fair comparison: all predictors get the same draws of training architectures, and are scored on the rest.
The table is a graph neural network benchmark; its targets are real measurements.
"""

import matplotlib.pyplot as plt

import surronas as sn

table = sn.load_benchmark("nasbench_graph", dataset="proteins")
predictors = ["linear", "gp"]
report = sn.evaluate(predictors, table, "val_accuracy", n_train=[16, 32, 64], n_repeats=3, random_state=0)
print(report.headline())

# %%
# ``summary`` has a row for each predictor and number of labels: mean, standard deviation and standard error of
# Kendall's tau over the draws.

summary = report.summary()
fig, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for name, rows in summary.groupby("predictor"):
    axes.errorbar(rows["n_train"], rows["mean"], yerr=rows["sem"], marker="o", capsize=3, label=name)
axes.set(xscale="log", xlabel="training architectures", ylabel="Kendall's τ on the others", xticks=[16, 32, 64])
axes.xaxis.set_major_formatter("{x:.0f}")
axes.minorticks_off()
axes.legend()

# %%
# The report also says what to be wary of:

for finding in report.checks():
    print(f"{finding.code} {finding.title}: {finding.detail}")
