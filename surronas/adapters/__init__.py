"""Surrogates for loops that others wrote: one file a library, imported on demand.

``surronas.adapters.pymoo``, ``.optuna``, ``.syne_tune``, ``.botorch``, ``.naslib``; ``.loop`` for one's own.
"""
